"""A packed collection: audio decoded once, in shards of int16 samples that are mapped into memory.

Conventions: the folder holds ``pack.json`` (written last: it marks a pack that is complete), ``tracks.csv``, ``problems.csv``,
``fingerprints.npz`` and shards ``audio-<key>.i16``: mono, 22 050 Hz, little-endian, 1/32768 a step, one track after the other. A row of
``tracks.csv`` is a collection's row with ``shard``, ``first`` and ``samples``, which say where its sound is, and with what loading a
collection finds out (``seconds``, ``level_db``, ``digest``).

Sound: samples of 16 bits at 22 050 Hz come back as they were; others are rounded by at most 1/65536 where they lie in [-1, 1), which
decoding may leave by a little: there they are clipped. Digests are those of the files, so a study on a pack and one on the files it was
made from are the same study. What only the embedded corpus knows (its truth and timeline) is not packed.
"""

from __future__ import annotations

import functools
import hashlib
import io
import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from mtt.config import SAMPLE_RATE
from mtt.data.audio import AudioError
from mtt.data.corpus import Corpus, label_matrix
from mtt.files import MttError

INDEX, TRACKS, PROBLEMS, FINGERPRINTS = "pack.json", "tracks.csv", "problems.csv", "fingerprints.npz"
FORMAT = 1
STEPS = 32_768  # of a sample, from 0 to 1
SAMPLE_TYPE = np.dtype("<i2")
OPEN_SHARDS = 64  # mapped at a time: each holds a file open
PLACES = ["shard", "first", "samples"]  # columns that say where a track's sound is
MEASURES = ["seconds", "level_db", "digest"]
_AGAIN = "make it again with: python -m mtt pack"


class PackError(MttError):
    """A packed collection that cannot be made or read; the message names the file, the reason and the remedy."""


def packed_folder(source: str | Path) -> Path | None:
    """The packed collection that ``source`` means: its folder, or the ``tracks.csv`` in it; None where it is something else.

    Raises ``PackError`` for any other folder.
    """
    path = Path(source)
    if path.is_dir() and not (path / INDEX).is_file():
        raise PackError(f"{path}: is a folder without {INDEX}: no packed collection, or one that is not finished; {_AGAIN}")
    folder = path if path.is_dir() else path.parent if path.name == TRACKS else None
    return folder if folder is not None and (folder / INDEX).is_file() else None


def shard_path(folder: Path, key: str) -> Path:
    return folder / f"audio-{key}.i16"


@dataclass(frozen=True)
class PackedAudio:
    """Where the sound of each track is, and how to read it."""

    folder: Path
    places: dict[str, tuple[str, int, int]]  # track_id -> shard, first sample, samples
    sizes: dict[str, int]  # samples of each shard

    def read(self, track_id: str, start: float = 0.0, seconds: float | None = None) -> np.ndarray:
        """As ``read_audio``, from the track's shard. Raises ``AudioError`` where there is no sound, ``PackError`` for a damaged shard."""
        if start < 0 or (seconds is not None and seconds <= 0):
            raise ValueError(f"start must be >= 0 and seconds > 0, not {start} and {seconds}")
        shard, first, samples = self.places[track_id]
        begin = round(start * SAMPLE_RATE)
        end = samples if seconds is None else min(samples, begin + round(seconds * SAMPLE_RATE))
        if begin >= end:
            raise AudioError(f"{self.folder}: nothing of {track_id!r} at {start:.1f} s; it has {samples / SAMPLE_RATE:.1f} s")
        found = _open_shard(shard_path(self.folder, shard), self.sizes[shard])[first + begin : first + end]
        return found.astype(np.float32) * np.float32(1 / STEPS)


@functools.lru_cache(OPEN_SHARDS)
def _open_shard(path: Path, samples: int) -> np.memmap:
    _check_size(path, samples)
    return np.memmap(path, dtype=SAMPLE_TYPE, mode="r")


def _check_size(path: Path, samples: int) -> None:
    """A map that is longer than its file would end the process."""
    try:
        size = path.stat().st_size
    except OSError as error:
        raise PackError(f"{path}: {error.strerror}; {_AGAIN}") from error
    if size != samples * SAMPLE_TYPE.itemsize:
        raise PackError(f"{path}: has {size} bytes, not {samples * SAMPLE_TYPE.itemsize}: truncated or changed; delete it and {_AGAIN}")


def load_packed(folder: Path) -> Corpus:
    """The corpus of a packed collection. Raises ``PackError`` for one that is damaged or was changed by hand."""
    about = _read_index(folder)
    tracks = _read_table(folder / TRACKS, about).set_index("track_id")
    missing = [name for name in ("path", "artist", "tags", *PLACES, *MEASURES) if name not in tracks]
    if missing or not tracks.index.is_unique:
        reason = f"column {missing[0]!r} is missing" if missing else "a track_id stands twice"
        raise PackError(f"{folder / TRACKS}: {reason}; {_AGAIN}")
    try:
        tracks = tracks.astype({"first": int, "samples": int, "seconds": float, "level_db": float})
    except ValueError as error:
        raise PackError(f"{folder / TRACKS}: {error}; {_AGAIN}") from error
    _check_places(folder, tracks, about["shards"])
    places = dict(zip(tracks.index, tracks[PLACES].itertuples(index=False, name=None), strict=True))
    labels = label_matrix(tracks["tags"], about["tags"])
    return Corpus(
        about["name"],
        folder.resolve(),
        tracks.drop(columns=PLACES),
        about["tags"],
        labels,
        problems=_read_table(folder / PROBLEMS, about),
        fingerprints=_read_fingerprints(folder / FINGERPRINTS, list(tracks.index)),
        digest=about["digest"],
        tag_kinds=about["tag_kinds"],
        split_name=about["split_name"],
        packed=PackedAudio(folder.resolve(), places, about["shards"]),
    )


def _read_index(folder: Path) -> dict:
    try:
        about = json.loads((folder / INDEX).read_text(encoding="utf-8"))
        known = about["format"] == FORMAT and isinstance(about["tags"], list) and isinstance(about["files"], dict)
        known = known and isinstance(about["tag_kinds"], dict)
        known = known and all(isinstance(about[name], str) for name in ("name", "digest", "split_name"))
        known = known and all(isinstance(size, int) and Path(key).name == key for key, size in about["shards"].items())
    except (ValueError, KeyError, TypeError, AttributeError):
        known = False
    if not known:
        raise PackError(f"{folder / INDEX}: not the index of a packed collection of this version; {_AGAIN}")
    return about


def _read_table(path: Path, about: dict) -> pd.DataFrame:
    """A table of the pack, as text. It must be the one that was written: its rows belong to samples in the shards."""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise PackError(f"{path}: {error.strerror}; {_AGAIN}") from error
    if hashlib.sha256(content).hexdigest() != about["files"].get(path.name):
        raise PackError(f"{path}: was changed after packing; change the collection it was made from and {_AGAIN} (sound is kept)")
    return pd.read_csv(io.BytesIO(content), dtype=str, keep_default_na=False)


def _check_places(folder: Path, tracks: pd.DataFrame, sizes: dict[str, int]) -> None:
    for shard, size in sizes.items():
        _check_size(shard_path(folder, shard), size)
    ends = tracks["first"] + tracks["samples"]
    outside = ~tracks["shard"].isin(sizes) | (tracks["first"] < 0) | (tracks["samples"] < 1) | (ends > tracks["shard"].map(sizes))
    if outside.any():
        raise PackError(f"{folder / TRACKS}: {tracks.index[outside][0]!r} lies outside its shard; {_AGAIN}")


def _read_fingerprints(path: Path, track_ids: list[str]) -> dict[str, np.ndarray]:
    try:
        with np.load(path, allow_pickle=False) as data:
            lengths, bits = data["lengths"], data["bits"]
        if len(lengths) != len(track_ids) or lengths.sum() != len(bits) or bits.dtype != np.uint32:
            raise ValueError("does not belong to tracks.csv")
        return dict(zip(track_ids, np.split(bits, np.cumsum(lengths)[:-1]), strict=True))
    except (OSError, ValueError, KeyError, EOFError) as error:
        raise PackError(f"{path}: {' '.join(str(error).split())}; {_AGAIN}") from error
