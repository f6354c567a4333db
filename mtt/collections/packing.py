"""Packing: decodes the tracks of a collection into the shards of ``mtt.collections.packed``.

Conventions: a shard holds the tracks of about an hour and is written whole, with a note of what it holds (``audio-<key>.json``) after
it; its key follows from the digests of its tracks. So packing that was stopped goes on with the next shard, and a collection whose tags or
sets have changed keeps its sound. ``pack.json`` is written last.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pandas as pd
from joblib import Parallel, delayed
from tqdm import tqdm

from mtt.collections.load import load_corpus
from mtt.collections.packed import (
    FINGERPRINTS,
    FORMAT,
    INDEX,
    MEASURES,
    PLACES,
    PROBLEMS,
    SAMPLE_TYPE,
    STEPS,
    TRACKS,
    PackError,
    load_packed,
    packed_folder,
    shard_path,
)
from mtt.config import SAMPLE_RATE, home
from mtt.data.audio import AudioError, read_audio
from mtt.data.corpus import PROBLEM_COLUMNS, Corpus
from mtt.files import fingerprint, write_arrays, write_json, write_whole

SHARD_SECONDS = 3600.0
KEPT_COLUMNS = ["path", "artist", "title", "album", "split"]  # of the collection, beside the tags
_SPARE = 50_000_000  # bytes: for the tables, and so that a disk is not filled to the brim


def pack_collection(
    source: str, out: Path, cache: Path | None = None, progress: bool = True, shard_seconds: float = SHARD_SECONDS
) -> Corpus:
    """Pack what ``load_corpus`` takes into the folder ``out`` and return the packed corpus.

    Files that cannot serve are listed in its ``.problems``, as by ``load_corpus``. Says how much room is needed before anything is
    written. Raises ``PackError`` where it is not there, or where ``out`` is being packed to or is no folder, ``CollectionError`` for a
    collection that cannot be loaded.
    """
    if packed_folder(source) is not None:
        raise PackError(f"{source}: is packed already; give the collection that it was made from")
    if out.exists() and not out.is_dir():
        raise PackError(f"{out}: is a file; give a folder")
    corpus = load_corpus(source, cache=cache or home() / "cache", progress=progress)
    out.mkdir(parents=True, exist_ok=True)
    with _alone(out):
        shards = {_shard_key(part): part for part in _parts(corpus.tracks, shard_seconds)}
        for leftover in out.glob(".audio-*.partial"):
            leftover.unlink()
        notes = {key: note for key in shards if (note := _finished(out, key)) is not None}
        missing = {key: part for key, part in shards.items() if key not in notes}
        _require_room(out, corpus, sum(part["seconds"].sum() for part in missing.values()), progress)
        notes |= _write_shards(corpus.root, out, missing, progress)
        _write_index(out, corpus, {key: (part, notes[key]) for key, part in shards.items()})
        _remove_strangers(out, set(shards))
    return load_packed(out)


@contextmanager
def _alone(out: Path) -> Iterator[None]:
    """Hold a lock that ends with the process."""
    with open(out / ".lock", "w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise PackError(f"{out}: another process is packing to it; wait for it, or give another folder") from error
        yield


def _parts(tracks: pd.DataFrame, shard_seconds: float) -> list[pd.DataFrame]:
    numbers = (tracks["seconds"].cumsum() - tracks["seconds"]) // shard_seconds
    return [part for _, part in tracks.groupby(numbers.to_numpy(), sort=True)]


def _shard_key(part: pd.DataFrame) -> str:
    return fingerprint([FORMAT, list(part.index), list(part["digest"])])


def _note_path(out: Path, key: str) -> Path:
    return out / f"audio-{key}.json"


def _finished(out: Path, key: str) -> dict | None:
    """The note of a shard that is there as a whole."""
    try:
        note = json.loads(_note_path(out, key).read_text())
        whole = shard_path(out, key).stat().st_size == sum(note["samples"]) * SAMPLE_TYPE.itemsize
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return note if whole else None


def _require_room(out: Path, corpus: Corpus, seconds: float, progress: bool) -> None:
    needed = int(seconds * SAMPLE_RATE) * SAMPLE_TYPE.itemsize + _SPARE
    free = shutil.disk_usage(out).free
    hours = corpus.tracks["seconds"].sum() / 3600
    if progress:
        room = f"{needed / 1e9:,.2f} GB to write, {free / 1e9:,.1f} GB free"
        tqdm.write(f"{out}: {len(corpus):,} tracks, {hours:,.1f} hours; {room}", file=sys.stderr)
    if needed > free:
        remedy = "make room or give a folder on another disk"
        raise PackError(f"{out}: packing needs {needed / 1e9:.2f} GB and the disk has {free / 1e9:.2f} GB free; {remedy}")


def _write_shards(root: Path, out: Path, missing: dict[str, pd.DataFrame], progress: bool) -> dict[str, dict]:
    parallel = Parallel(n_jobs=min(os.cpu_count() or 1, len(missing) or 1), return_as="generator")
    jobs = (delayed(_write_shard)(root, out, key, list(part["path"].items())) for key, part in missing.items())
    total = sum(map(len, missing.values()))
    notes = {}
    with tqdm(total=total, desc="packing", unit="track", disable=not progress or not total) as bar:
        for key, note in zip(missing, parallel(jobs), strict=True):
            notes[key] = note
            bar.update(len(note["samples"]))
    return notes


def _write_shard(root: Path, out: Path, key: str, tracks: list[tuple[str, str]]) -> dict:
    """Decode tracks into one shard; a track whose file is no longer readable has no samples and a reason."""
    note: dict = {"samples": [], "faults": {}}
    partial = out / f".audio-{key}.{os.getpid()}.partial"
    with open(partial, "wb") as file:
        for track_id, path in tracks:
            try:
                wave = read_audio(root / path)
            except AudioError as error:
                note["faults"][track_id] = str(error).removeprefix(f"{root / path}: ")
                note["samples"].append(0)
                continue
            wave = np.clip(np.round(wave * STEPS), -STEPS, STEPS - 1).astype(SAMPLE_TYPE)
            file.write(wave.tobytes())
            note["samples"].append(len(wave))
        file.flush()
        os.fsync(file.fileno())
    os.replace(partial, shard_path(out, key))
    write_json(_note_path(out, key), note)
    return note


def _write_index(out: Path, corpus: Corpus, shards: dict[str, tuple[pd.DataFrame, dict]]) -> None:
    parts, problems = [], [corpus.problems]
    for key, (part, note) in shards.items():
        samples = np.array(note["samples"], dtype=int)
        parts.append(part.assign(shard=key, first=np.cumsum(samples) - samples, samples=samples))
        faults = [(track_id, part.at[track_id, "path"], "unreadable", reason) for track_id, reason in note["faults"].items()]
        problems.append(pd.DataFrame(faults, columns=PROBLEM_COLUMNS))
    tracks = pd.concat(parts).assign(tags=corpus.tag_texts)
    tracks = tracks[tracks["samples"] > 0]
    if tracks.empty:
        raise PackError(f"{out}: no track could be decoded; see {corpus.name} and pack again")
    columns = [name for name in KEPT_COLUMNS if name in tracks]
    prints = [corpus.fingerprints.get(track_id, np.zeros(0, np.uint32)) for track_id in tracks.index]
    bits = np.concatenate(prints).astype(np.uint32)
    write_arrays(out / FINGERPRINTS, lengths=np.array([len(part) for part in prints], dtype=np.int64), bits=bits)
    tables = {
        TRACKS: tracks[[*columns, "tags", *MEASURES, *PLACES]].rename_axis("track_id").reset_index(),
        PROBLEMS: pd.concat(problems, ignore_index=True)[PROBLEM_COLUMNS],
    }
    files = {}
    for name, table in tables.items():
        content = table.to_csv(index=False, lineterminator="\n").encode()
        write_whole(out / name, content)
        files[name] = hashlib.sha256(content).hexdigest()
    sizes = {key: int(sum(note["samples"])) for key, (_, note) in shards.items()}
    digest = corpus.digest if corpus.truth is None else fingerprint([corpus.digest, "labels without truth"])
    about = {"format": FORMAT, "name": corpus.name, "tags": corpus.tags, "digest": digest, "shards": sizes, "files": files}
    write_json(out / INDEX, {**about, "tag_kinds": corpus.tag_kinds, "split_name": corpus.split_name})


def _remove_strangers(out: Path, keys: set[str]) -> None:
    """Shards of an earlier pack in the same folder that the new one does not use."""
    for path in [*out.glob("audio-????????????.i16"), *out.glob("audio-????????????.json")]:
        if path.stem.removeprefix("audio-") not in keys:
            path.unlink()
