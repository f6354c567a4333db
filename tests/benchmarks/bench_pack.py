"""Random crops of 3 and 10 s from a packed collection, against the same crops from FLAC and MP3 files: bench_pack.py [tracks] [crops].

The files are stereo at 44 100 Hz, as collections are, and mono at 22 050 Hz, which need no resampling. Times are processor time of one
core, per crop, with the files in the page cache. Expected: 0.06 ms for 3 s from a pack, some milliseconds from files.
"""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pandas as pd

from mtt.collections.load import load_corpus
from mtt.collections.pack import pack_corpus
from mtt.config import SAMPLE_RATE
from mtt.data.audio import write_audio
from mtt.data.corpus import Corpus

SECONDS = 30.0
KINDS = {
    "FLAC, 44 100 Hz stereo": ("flac", 44_100, 2),
    "MP3, 44 100 Hz stereo": ("mp3", 44_100, 2),
    "FLAC, 22 050 Hz mono": ("flac", 22_050, 1),
    "MP3, 22 050 Hz mono": ("mp3", 22_050, 1),
}


def music(seed: int, rate: int, channels: int) -> np.ndarray:
    """(samples, channels): notes with overtones, and noise on every beat."""
    random = np.random.default_rng(seed)
    length = round(SECONDS * rate)
    phase = 2 * np.pi * np.cumsum(np.repeat(110 * 2 ** (random.integers(0, 24, round(SECONDS * 2)) / 12), rate // 2)) / rate
    tone = sum(np.sin(k * phase) / k for k in range(1, 8))
    beat = random.standard_normal(length) * np.exp(-20 * (np.arange(length) % (rate // 2)) / rate)
    return (0.1 * np.stack([np.roll(tone, 200 * channel) + beat for channel in range(channels)], axis=1)).astype(np.float32)


def crop_time(corpus: Corpus, seconds: float, crops: int) -> float:
    """Processor time of a random crop, in ms."""
    random = np.random.default_rng(0)
    ids = random.choice(corpus.tracks.index.to_numpy(), crops).tolist()
    starts = (random.random(crops) * (SECONDS - seconds - 0.1)).tolist()
    started = time.process_time()
    for track_id, start in zip(ids, starts, strict=True):
        corpus.read(track_id, start, seconds)
    return 1e3 * (time.process_time() - started) / crops


def main() -> None:
    tracks, crops = (int(text) for text in (sys.argv[1:] + ["20", "300"][len(sys.argv) - 1 :])[:2])
    with tempfile.TemporaryDirectory() as name:
        times, root = {}, Path(name)
        for kind, (ending, rate, channels) in KINDS.items():
            folder = root / f"{ending}{rate}"
            folder.mkdir()
            names = [f"{number}.{ending}" for number in range(tracks)]
            for number, file in enumerate(names):
                write_audio(folder / file, music(number, rate, channels), rate)
            pd.DataFrame({"path": names, "artist": names, "tags": "t"}).to_csv(folder / "tracks.csv", index=False)
            corpus = load_corpus(str(folder / "tracks.csv"), cache=root / "cache", progress=False)
            times[kind] = [crop_time(corpus, seconds, crops) for seconds in (3.0, 10.0)]
        packed = pack_corpus(corpus, root / "pack", progress=False)
        crop_time(packed, 3.0, crops)
        times["packed"] = [crop_time(packed, seconds, 20 * crops) for seconds in (3.0, 10.0)]
    print(f"random crops of {tracks} tracks of {SECONDS:g} s, ms of one core at {SAMPLE_RATE} Hz")
    for kind, (short, long) in times.items():
        print(f"{kind}: 3 s {short:.3f}, 10 s {long:.3f}; {short / times['packed'][0]:.0f} and {long / times['packed'][1]:.0f} x packed")


if __name__ == "__main__":
    main()
