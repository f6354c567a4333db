"""Speed of the audit's pass over MP3 files on one core, against librosa.load in the same process: bench_audit.py [tracks].

Expected on one core of a busy machine: more than 300 x real time for stereo at 44 100 Hz, decoding, measuring, hashing and
fingerprinting included; 200 is asked for.
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from pathlib import Path

import librosa
import numpy as np
import pandas as pd

from mtt.collections.inspection import inspect_tracks
from mtt.config import SAMPLE_RATE
from mtt.data.audio import write_audio

SECONDS, RATE = 30.0, 44_100


def music(seed: int) -> np.ndarray:
    """(samples, 2): notes with overtones, and noise on every beat."""
    random = np.random.default_rng(seed)
    length = round(SECONDS * RATE)
    notes = np.repeat(110 * 2 ** (random.integers(0, 24, round(SECONDS * 4)) / 12), RATE // 4)
    phase = 2 * np.pi * np.cumsum(notes) / RATE
    tone = sum(np.sin(k * phase) / k for k in range(1, 8))
    beat = random.standard_normal(length) * np.exp(-20 * (np.arange(length) % (RATE // 2)) / RATE)
    return (0.1 * np.stack([tone + beat, np.roll(tone, 200) + beat], axis=1)).astype(np.float32)


def main() -> None:
    os.environ["LOKY_MAX_CPU_COUNT"] = "1"  # all in this process, whose time is taken
    tracks = int(sys.argv[1]) if len(sys.argv) > 1 else 40
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        names = [f"{number}.mp3" for number in range(tracks)]
        for number, name in enumerate(names):
            write_audio(root / name, music(number), RATE)
        table = pd.DataFrame({"path": names}, index=names)
        inspect_tracks(table.iloc[:1], root, root / "warm", progress=False)
        librosa.load(root / names[0], sr=SAMPLE_RATE)
        # processor time: a core's share on a busy machine says nothing of the program
        started = time.process_time()
        for name in names:
            librosa.load(root / name, sr=SAMPLE_RATE)
        loading = (time.process_time() - started) / tracks
        started = time.process_time()
        inspect_tracks(table, root, root / "cache", progress=False)
        reading = (time.process_time() - started) / tracks
        started = time.process_time()
        inspect_tracks(table, root, root / "cache", progress=False)
        again = (time.process_time() - started) / tracks
    print(f"{tracks} MP3 files of {SECONDS:g} s, stereo, {RATE} Hz, processor time of one core")
    print(f"audit: {1e3 * reading:.1f} ms a track, {SECONDS / reading:.0f} x real time; from its cache {1e3 * again:.2f} ms")
    print(f"librosa.load alone: {1e3 * loading:.1f} ms a track, {SECONDS / loading:.0f} x real time")
    print(f"the audit takes {reading / loading:.2f} of the time of librosa.load")


if __name__ == "__main__":
    main()
