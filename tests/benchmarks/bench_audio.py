"""Audio on one core: bench_audio.py [tracks]. What an audit takes, random crops of a pack and of files, and the embedded corpus.

Expected on a busy machine: an audit of MP3 files of 30 s, stereo at 44 100 Hz (decoding, measuring, hashing and fingerprinting), at more
than 300 x real time; a crop of 3 s from a pack in 0.06 ms, from a file in some milliseconds.
"""

import os
import sys
import tempfile
import time
from pathlib import Path

import librosa
import numpy as np
import pandas as pd
from frame import fastest, music, show, size

from mtt.collections.inspection import inspect_tracks
from mtt.collections.load import load_corpus
from mtt.collections.pack import pack_corpus
from mtt.config import SAMPLE_RATE, SyntheticConfig
from mtt.data.audio import encode_mp3, read_audio
from mtt.data.corpus import Corpus
from mtt.synthetic.render import make_corpus
from tests.tiny import write_audio

SECONDS, CROPS = 30.0, size(300, 3)
KINDS = {
    "FLAC, 44 100 Hz stereo": ("flac", 44_100, 2),
    "MP3, 44 100 Hz stereo": ("mp3", 44_100, 2),
    "FLAC, 22 050 Hz mono": ("flac", 22_050, 1),
    "MP3, 22 050 Hz mono": ("mp3", 22_050, 1),
}


def files(folder: Path, tracks: int, ending: str, rate: int, channels: int) -> Path:
    names = [f"{number}.{ending}" for number in range(tracks)]
    for number, name in enumerate(names):
        write_audio(folder / name, music(SECONDS, rate, channels, number), rate)
    pd.DataFrame({"path": names, "artist": names, "tags": "t"}).to_csv(folder / "tracks.csv", index=False)
    return folder


def audit(root: Path, tracks: int) -> None:
    folder = files(root / "audit", tracks, "mp3", 44_100, 2)
    table = pd.read_csv(folder / "tracks.csv").set_index("path", drop=False)
    caches = (folder / str(number) for number in range(10))
    took = {
        "librosa.load": fastest(lambda: [librosa.load(folder / name, sr=SAMPLE_RATE) for name in table.index], 1),
        "audit": fastest(lambda: inspect_tracks(table, folder, next(caches), progress=False), 1),
        "audit, from its cache": fastest(lambda: inspect_tracks(table, folder, folder / "0", progress=False), 1),
    }
    show("a track of 30 s", {name: seconds / tracks for name, seconds in took.items()})
    print(f"  the audit: {SECONDS * tracks / took['audit']:.0f} x real time")


def crop(corpus: Corpus, seconds: float) -> float:
    random = np.random.default_rng(0)
    ids = random.choice(corpus.tracks.index.to_numpy(), CROPS).tolist()
    starts = (random.random(CROPS) * (SECONDS - seconds - 0.1)).tolist()
    return fastest(lambda: [corpus.read(track, start, seconds) for track, start in zip(ids, starts, strict=True)]) / CROPS


def crops(root: Path, tracks: int) -> None:
    corpora = {}
    for kind, (ending, rate, channels) in KINDS.items():
        folder = files(root / f"{ending}{rate}", tracks, ending, rate, channels)
        corpora[kind] = load_corpus(str(folder / "tracks.csv"), cache=root / "cache", progress=False)
    corpora["packed"] = pack_corpus(corpora[kind], root / "pack", progress=False)
    for seconds in (3.0, 10.0):
        show(f"a random crop of {seconds:g} s", {kind: crop(corpus, seconds) for kind, corpus in corpora.items()})


def embedded(root: Path, tracks: int) -> None:
    """By the wall: several processes render."""
    config = SyntheticConfig(labelled_artists=tracks // 2, unlabelled_artists=tracks - tracks // 2)
    started = time.perf_counter()
    made = pd.read_csv(make_corpus(root / "corpus", config, progress=False))
    seconds = (time.perf_counter() - started) / len(made)
    wave = read_audio(root / "corpus" / made["path"].iloc[0])
    encoding = fastest(lambda: encode_mp3(wave))
    show(f"a track of the embedded corpus, {config.seconds:g} s", {"encoding it as MP3": encoding, "making it": seconds})


if __name__ == "__main__":
    os.environ["LOKY_MAX_CPU_COUNT"] = "1"  # all in this process, whose time is taken
    for part in (audit, crops, embedded):
        with tempfile.TemporaryDirectory() as name:
            part(Path(name), int(sys.argv[1]) if len(sys.argv) > 1 else size(20, 2))
