"""A packed collection: audio decoded once, a file of int16 samples a track, from which a crop is read without decoding.

Conventions: the folder holds ``audio/<ab>/<abcdef...>.i16``, named by the digest of a track's samples (mono, 22 050 Hz, little-endian,
1/32768 a step, clipped to [-1, 1)), ``tracks.csv``, ``problems.csv``, ``fingerprints.npz`` and, written last, ``pack.json``. A study on a
pack and one on the files it was made from are the same study; the truth and timeline of the embedded corpus are not packed. Packing that
was stopped goes on with the next track, and a collection whose tags or sets have changed keeps its sound.
"""

import hashlib
import shutil
from collections.abc import Mapping
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
from joblib import Parallel, delayed, effective_n_jobs
from tqdm import tqdm

from mtt.collections.duplicates import join_fingerprints, split_fingerprints
from mtt.config import SAMPLE_RATE
from mtt.data.audio import AudioError
from mtt.data.corpus import PROBLEM_COLUMNS, Corpus, label_matrix
from mtt.files import (
    MttError,
    alone,
    check_place,
    fingerprint,
    leave_interrupts,
    read_arrays,
    read_json,
    write_arrays,
    write_json,
    write_whole,
)
from mtt.reading.decoding import Decoding

INDEX = "pack.json"
TABLES = TRACKS, PROBLEMS, FINGERPRINTS = "tracks.csv", "problems.csv", "fingerprints.npz"
FORMAT = 2
STEPS = 32_768  # of a sample, from 0 to 1
SAMPLE_TYPE = np.dtype("<i2")
KEPT_COLUMNS = ["path", "artist", "title", "album", "split"]  # of the collection, beside the tags
INDEXED = ["name", "tags", "tag_kinds", "split_name", "complete", "digest"]  # of a corpus, in pack.json
MEASURES = {"seconds": float, "level_db": float, "digest": str, "samples": int}
_AGAIN = "make it again with: python -m mtt pack"
_SPARE = 50_000_000  # bytes: for the tables, and so that a disk is not filled to the brim


def _read(folder: Path, sounds: Mapping[str, tuple[str, int]], track_id: str, start: float, seconds: float | None) -> np.ndarray:
    """As ``read_audio``; ``sounds``: track_id -> digest and samples. Raises ``AudioError`` where there is no sound, else ``MttError``."""
    digest, samples = sounds[track_id]
    first = round(start * SAMPLE_RATE)
    count = samples - first if seconds is None else min(samples - first, round(seconds * SAMPLE_RATE))
    if count <= 0:
        raise AudioError(f"{folder}: nothing of {track_id!r} at {start:.1f} s; it has {samples / SAMPLE_RATE:.1f} s")
    path = _sound_path(folder, digest)
    try:
        found = np.fromfile(path, SAMPLE_TYPE, count, offset=first * SAMPLE_TYPE.itemsize)
    except OSError as error:
        raise MttError(f"{path}: {error.strerror}; {_AGAIN}") from error
    if len(found) < count:
        raise MttError(f"{path}: is cut, and lacks samples of {track_id!r}; delete it and {_AGAIN}")
    return found.astype(np.float32) * np.float32(1 / STEPS)


def load_packed(path: Path) -> Corpus | None:
    """The packed collection of a folder, or of the ``tracks.csv`` in it; None where ``path`` is another file.

    Raises ``MttError`` for a pack that is damaged or was changed by hand, and for any other folder.
    """
    folder = (path.parent if path.name == TRACKS else path).resolve()
    if not (folder / INDEX).is_file():
        if path.is_dir():
            raise MttError(f"{path}: is a folder without {INDEX}: no packed collection, or one that is not finished; {_AGAIN}")
        return None
    index = read_json(folder / INDEX)
    if not isinstance(index, dict) or index.get("format") != FORMAT:
        raise MttError(f"{folder / INDEX}: not the index of a packed collection of this version; {_AGAIN}")
    for name in TABLES:
        if not (folder / name).is_file() or _sha256(folder / name) != index["files"][name]:
            remedy = f"change the collection it was made from and {_AGAIN} (sound is kept)"
            raise MttError(f"{folder / name}: is gone or was changed after packing; {remedy}")
    tracks, problems = (pd.read_csv(folder / name, dtype=str, keep_default_na=False) for name in (TRACKS, PROBLEMS))
    tracks = tracks.set_index("track_id").astype(MEASURES)
    gone = set(tracks["digest"]) - _sounds(folder)
    if gone:
        raise MttError(f"{folder}: lacks the sound of {len(gone)} tracks, such as {min(gone)}; {_AGAIN}")
    prints = split_fingerprints(**read_arrays(folder / FINGERPRINTS))
    sounds = zip(tracks["digest"], tracks["samples"], strict=True)
    return Corpus(
        root=folder,
        tracks=tracks.drop(columns="samples"),
        labels=label_matrix(tracks["tags"], index["tags"]),
        problems=problems,
        fingerprints=dict(zip(tracks.index, prints, strict=True)),
        packed=partial(_read, folder, dict(zip(tracks.index, sounds, strict=True))),
        **{name: index[name] for name in INDEXED},
    )


def check_pack_place(out: str | Path) -> None:
    """Raises ``MttError`` unless ``out`` can be written, and is new, empty, or a pack, finished or begun: nothing else is replaced."""
    out = Path(out)
    if out.exists() and not out.is_dir():
        raise MttError(f"{out}: is a file; give a folder")
    found = {path.name for path in out.iterdir()} if out.is_dir() else set()
    strange = {name for name in found if name not in (".lock", "audio", INDEX, *TABLES) and not name.endswith(".partial")}
    if found and (strange or not found & {".lock", INDEX}):
        raise MttError(f"{out}: holds {min(strange or found)!r} and is no pack; give a folder of its own")
    check_place(out / INDEX)


def pack_corpus(corpus: Corpus, out: str | Path, progress: bool = True) -> Corpus:
    """Pack a corpus of ``load_corpus`` into the folder ``out`` and return it as packed.

    Raises ``MttError`` where ``out`` cannot be written, is being packed to or is no folder, and for a corpus that is packed already.
    """
    out = Path(out)
    if corpus.packed is not None:
        raise MttError(f"{corpus.root}: is packed already; give the collection that it was made from")
    check_pack_place(out)
    with alone(out / ".lock", busy=f"{out}: another process is packing to it; wait for it, or give another folder"):
        for leftover in out.glob("audio/??/.*.partial"):
            leftover.unlink()
        missing = corpus.tracks[~corpus.tracks["digest"].isin(_sounds(out))].drop_duplicates("digest")
        needed, free = int(missing["seconds"].sum() * SAMPLE_RATE) * SAMPLE_TYPE.itemsize + _SPARE, shutil.disk_usage(out).free
        if needed > free:
            room = f"packing needs {needed / 1e9:,.2f} GB and the disk has {free / 1e9:,.2f} GB free"
            raise MttError(f"{out}: {room}; make room or give a folder on another disk")
        parallel = Parallel(n_jobs=min(effective_n_jobs(), len(missing) or 1), return_as="generator", initializer=leave_interrupts)
        jobs = (delayed(_write_sound)(corpus.path(track_id), out.absolute(), digest) for track_id, digest in missing["digest"].items())
        bar = tqdm(parallel(jobs), desc="packing", total=len(missing), unit="track", disable=not progress or missing.empty)
        _write_index(out, corpus, faults={digest: fault for digest, fault in zip(missing["digest"], bar, strict=True) if fault})
        for digest in _sounds(out) - set(corpus.tracks["digest"]):  # of an earlier pack in the same folder
            _sound_path(out, digest).unlink()
    return load_packed(out)


def _sound_path(folder: Path, digest: str) -> Path:
    return folder / "audio" / digest[:2] / f"{digest}.i16"


def _sounds(folder: Path) -> set[str]:
    """The digests of the tracks whose sound is there."""
    return {path.stem for path in folder.glob("audio/??/*.i16")}


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _write_sound(path: Path, out: Path, digest: str) -> str:
    """Decode a file that had this digest; why it is no longer readable, or ``""``."""
    steps = (np.clip(np.round(wave * STEPS), -STEPS, STEPS - 1).astype(SAMPLE_TYPE) for wave in Decoding(path))
    try:
        write_whole(_sound_path(out, digest), steps)
    except AudioError as error:
        return str(error).removeprefix(f"{path}: ")
    return ""


def _write_index(out: Path, corpus: Corpus, faults: dict[str, str]) -> None:
    """Write the tables and, last, ``pack.json``; ``faults`` (digest -> reason) are the tracks that could not be decoded again."""
    bad = corpus.tracks[corpus.tracks["digest"].isin(faults)]
    bad = bad.assign(problem="unreadable", detail=bad["digest"].map(faults)).rename_axis("track_id").reset_index()
    tracks = corpus.tracks[~corpus.tracks["digest"].isin(faults)]
    if tracks.empty:
        raise MttError(f"{out}: no track of {corpus.name} could be decoded; {bad['detail'].iloc[0]}")
    samples = [_sound_path(out, digest).stat().st_size // SAMPLE_TYPE.itemsize for digest in tracks["digest"]]
    columns = [name for name in KEPT_COLUMNS if name in tracks] + ["tags", *MEASURES]
    tracks = tracks.assign(tags=corpus.tag_texts, samples=samples)[columns].rename_axis("track_id")
    write_whole(out / TRACKS, tracks.to_csv(lineterminator="\n"))
    write_whole(out / PROBLEMS, pd.concat([corpus.problems, bad])[PROBLEM_COLUMNS].to_csv(index=False, lineterminator="\n"))
    write_arrays(out / FINGERPRINTS, **join_fingerprints([corpus.fingerprints[track_id] for track_id in tracks.index]))
    index = {name: getattr(corpus, name) for name in INDEXED}
    if corpus.truth is not None:
        index["digest"] = fingerprint([corpus.digest, "labels without truth"])
    write_json(out / INDEX, {"format": FORMAT, **index, "files": {name: _sha256(out / name) for name in TABLES}})
