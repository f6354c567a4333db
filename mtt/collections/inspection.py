"""One pass over every file of a collection: is it usable, how long is it, what does it hold.

Conventions: levels are in dB relative to full scale. A file's digest is that of its decoded samples, so a copy in another container of
the same samples is found too; its fingerprint is that of ``mtt.collections.duplicates``. What was found belongs to a file's path, size and
time of change and to the settings it was found with (``_settings``). It is kept in shards of a few files, each written whole as soon as it
is done: a pass that was stopped goes on, and a second one reads only what is new.
"""

from __future__ import annotations

import functools
import hashlib
import logging
import os
import zipfile
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from joblib import Parallel, cpu_count, delayed
from tqdm import tqdm

from mtt.collections.duplicates import audio_fingerprint, fingerprint_settings, join_fingerprints, split_fingerprints
from mtt.config import SAMPLE_RATE
from mtt.data.audio import AudioError, checked, decode_audio, mix_down
from mtt.data.corpus import PROBLEM_COLUMNS
from mtt.files import PlaceError, fingerprint, leave_interrupts, one_line, read_arrays, remove_leftovers, write_arrays

log = logging.getLogger(__name__)
MINIMUM_SECONDS = 1.0
SILENCE_DB = -60.0
FULL_SCALE = 0.999  # samples beyond it count as clipped
VERSION = 3  # raise it with every change of what is measured, or how
FILES_PER_SHARD = 32

Stamp = tuple[str, int, int]  # path, size in bytes and time of change in ns; -1 where there is no such file
Found = dict[Stamp, tuple[dict, np.ndarray]]  # the file's row of the table, and its fingerprint


@dataclass(frozen=True)
class Inspection:
    """``table``: track_id -> path, size, changed, seconds, announced, sample_rate, channels, level_db, clipped, digest, problem, detail.

    ``seconds`` were decoded, ``announced`` stand in the header; ``clipped`` is a share of the samples. ``fingerprints`` by track_id.
    """

    table: pd.DataFrame
    fingerprints: dict[str, np.ndarray]

    @property
    def problems(self) -> pd.DataFrame:
        """The unusable files: track_id, path, problem, detail."""
        bad = self.table[self.table["problem"] != ""]
        return bad.rename_axis("track_id").reset_index()[PROBLEM_COLUMNS]


def inspect_tracks(tracks: pd.DataFrame, root: Path, cache: Path, progress: bool = True) -> Inspection:
    """Read every file of ``tracks`` (index track_id, column path relative to ``root``) once.

    Unreadable, silent, too short files and paths that lead out of ``root`` get a ``problem`` and a ``detail``; nothing is raised for them.
    ``cache`` is a folder.
    """
    store = cache / f"inspection-{fingerprint([_settings(), str(root)])}"
    stamps = [_stamp(root, path) for path in tracks["path"]]
    known: Found = {}
    faults: set[str] = set()
    for path in store.glob("[!.]*.npz"):
        known |= _read_shard(path)
    with suppress(OSError):
        remove_leftovers(store)
    new = [stamp for stamp in dict.fromkeys(stamps) if stamp not in known]
    shards = [new[i : i + FILES_PER_SHARD] for i in range(0, len(new), FILES_PER_SHARD)]
    parallel = Parallel(n_jobs=min(cpu_count(), len(shards) or 1), return_as="generator", initializer=leave_interrupts)
    with tqdm(total=len(new), desc="reading files", unit="file", disable=not progress or not new) as bar:
        for part, fault in parallel(delayed(_inspect_shard)(root, store, shard) for shard in shards):
            known |= part
            faults.add(fault)
            bar.update(len(part))
    if fault := max(faults, default=""):
        _warn(cache, fault)
    table = pd.DataFrame([known[stamp][0] for stamp in stamps], index=tracks.index)
    return Inspection(table, {track_id: known[stamp][1] for track_id, stamp in zip(tracks.index, stamps, strict=True)})


@functools.cache  # an audit reads twice
def _warn(cache: Path, fault: str) -> None:
    log.warning("%s: nothing can be kept there (%s), so files are read anew each time; MTT_HOME names another place", cache, fault)


def _settings() -> list:
    """All that what is found follows from, beside the files."""
    return [VERSION, SAMPLE_RATE, MINIMUM_SECONDS, SILENCE_DB, FULL_SCALE, fingerprint_settings()]


def _stamp(root: Path, path: str) -> Stamp:
    try:
        status = os.stat(root / path)
    except (OSError, ValueError):
        return path, -1, -1
    return path, status.st_size, status.st_mtime_ns


def _inspect_shard(root: Path, store: Path, stamps: list[Stamp]) -> tuple[Found, str]:
    """What was found, and why it could not be kept, or ``""``."""
    found = {stamp: _inspect_file(root, stamp) for stamp in stamps}
    rows, prints = zip(*found.values(), strict=True)
    columns = {name: np.array([row[name] for row in rows]) for name in rows[0]}
    try:
        write_arrays(store / f"{fingerprint(stamps)}.npz", **columns, **join_fingerprints(prints))
    except PlaceError as error:
        return found, one_line(error.__cause__.strerror)
    return found, ""


def _read_shard(path: Path) -> Found:
    try:
        arrays = read_arrays(path)
        prints = split_fingerprints(arrays.pop("lengths"), arrays.pop("bits"))
        rows = pd.DataFrame(arrays).to_dict("records")
        return {(row["path"], row["size"], row["changed"]): (row, bits) for row, bits in zip(rows, prints, strict=True)}
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        log.warning("%s: not readable (%s); its files are read again", path, error)
        return {}


def _inspect_file(root: Path, stamp: Stamp) -> tuple[dict, np.ndarray]:
    path, size, changed = stamp
    row = {"path": path, "size": size, "changed": changed, "seconds": 0.0, "announced": 0.0, "sample_rate": 0, "channels": 0}
    row |= {"level_db": -np.inf, "clipped": 0.0, "digest": "", "problem": "", "detail": ""}
    nothing = np.zeros(0, dtype=np.uint32)
    if os.path.isabs(path) or Path(os.path.normpath(path)).parts[:1] == ("..",):
        return {**row, "problem": "outside", "detail": "the path leads out of the collection's folder"}, nothing
    try:
        samples, info = decode_audio(root / path)
        wave = checked(mix_down(samples, info.sample_rate), root / path)
    except AudioError as error:
        return {**row, "problem": "unreadable", "detail": str(error).removeprefix(f"{root / path}: ")}, nothing
    row["seconds"], row["announced"] = len(samples) / info.sample_rate, info.seconds
    row["sample_rate"], row["channels"] = info.sample_rate, info.channels
    row["level_db"] = float(10 * np.log10(np.mean(np.square(wave, dtype=np.float64)) + 1e-20))
    row["clipped"] = float((np.count_nonzero(samples >= FULL_SCALE) + np.count_nonzero(samples <= -FULL_SCALE)) / samples.size)
    row["digest"] = hashlib.sha256(np.round(np.clip(wave, -1, 1) * 32767).astype(np.int16).tobytes()).hexdigest()[:32]
    if row["seconds"] < MINIMUM_SECONDS:
        row |= {"problem": "too_short", "detail": f"{row['seconds']:.2f} s; at least {MINIMUM_SECONDS:g} s is needed"}
    elif row["level_db"] < SILENCE_DB:
        row |= {"problem": "silent", "detail": f"level {row['level_db']:.0f} dB; below {SILENCE_DB:g} dB counts as silence"}
    return row, nothing if row["problem"] else audio_fingerprint(wave)
