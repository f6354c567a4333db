"""Speed of the embedded corpus, against encoding the same audio as MP3: bench_synthetic.py [artists]."""

from __future__ import annotations

import io
import sys
import tempfile
import time
from pathlib import Path

import pandas as pd
import soundfile

from mtt.config import SAMPLE_RATE, SyntheticConfig
from mtt.synthetic.render import make_corpus


def main() -> None:
    artists = int(sys.argv[1]) if len(sys.argv) > 1 else 40
    config = SyntheticConfig(labelled_artists=artists // 2, unlabelled_artists=artists - artists // 2)
    with tempfile.TemporaryDirectory() as folder:
        started = time.perf_counter()
        tracks = pd.read_csv(make_corpus(folder, config, progress=False))
        seconds = time.perf_counter() - started
        files = [Path(folder) / path for path in tracks.path]
        sizes = sum(path.stat().st_size for path in files)
        audio = soundfile.read(max(files, key=lambda path: path.stat().st_size), dtype="float32")[0]
    started = time.perf_counter()
    soundfile.write(io.BytesIO(), audio, SAMPLE_RATE, format="MP3")
    encoding = time.perf_counter() - started
    real_time = len(tracks) * config.seconds / seconds
    print(f"{len(tracks)} tracks of {config.seconds:g} s in {seconds:.1f} s: {real_time:.0f} x real time")
    print(f"{sizes / len(tracks):.0f} bytes a track")
    print(f"a track takes {seconds / len(tracks) / encoding:.2f} of its encoding as MP3 on one core ({encoding:.3f} s)")


if __name__ == "__main__":  # the workers import this file
    main()
