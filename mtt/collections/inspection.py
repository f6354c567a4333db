"""One pass over every file of a collection: is it usable, how long is it, what does it hold.

Conventions: levels are in dB relative to full scale. A file's digest is that of its decoded samples, so a copy in another container of
the same samples is found too; its fingerprint is that of ``mtt.collections.duplicates``. What was found belongs to a file's path, size and
time of change and to the settings it was found with (``_settings``). It is kept in shards of a few files, each written whole as soon as it
is done: a pass that was stopped goes on, and a second one reads only what is new.
"""

from __future__ import annotations

import hashlib
import logging
import os
import zipfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from joblib import Parallel, cpu_count, delayed
from tqdm import tqdm

from mtt.collections.duplicates import Fingerprint, fingerprint_settings, join_fingerprints, split_fingerprints
from mtt.data.corpus import PROBLEM_COLUMNS
from mtt.data.decoding import FILE_FAULTS, AudioInfo, Decoding, audio_settings, on_disk
from mtt.files import fingerprint, one_line, read_arrays, write_arrays

log = logging.getLogger(__name__)
MINIMUM_SECONDS = 1.0
SILENCE_DB = -60.0
CANCELLED_DB = 30.0  # by which the mix may be quieter than the loudest channel; one sounding channel of eight makes 18
VERSION = 4  # raise it with every change of what is measured, or how
FILES_PER_SHARD = 32

Stamp = tuple[str, int, int]  # path, size in bytes and time of change in ns; -1 where there is no such file
Found = dict[Stamp, tuple[dict, np.ndarray]]  # the file's row of the table, and its fingerprint


@dataclass(frozen=True)
class Inspection:
    """``table``: track_id -> path, size, changed, seconds, fault, sample_rate, channels, level_db, clipped, digest, problem, detail.

    ``seconds`` were decoded; ``fault`` tells of a file that is not whole; ``clipped`` is a share of the samples. ``fingerprints`` are
    those of usable files, by track_id.
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

    Files that cannot be used (unreadable, silent, cancelled, too short) and paths that lead out of ``root`` get a ``problem`` and a
    ``detail``; nothing is raised for them. ``cache`` is a folder.
    """
    store = cache.resolve() / f"inspection-{fingerprint([_settings(), str(root)])}"
    stamps = [_stamp(root, path) for path in tracks["path"]]
    known: Found = {}
    for path in store.glob("[!.]*.npz"):
        known |= _read_shard(path)
    new = [stamp for stamp in dict.fromkeys(stamps) if stamp not in known]
    shards = [new[i : i + FILES_PER_SHARD] for i in range(0, len(new), FILES_PER_SHARD)]
    parallel = Parallel(n_jobs=min(cpu_count(), len(shards) or 1), return_as="generator")
    with tqdm(total=len(new), desc="reading files", unit="file", disable=not progress or not new) as bar:
        for part in parallel(delayed(_inspect_shard)(root, store, shard) for shard in shards):
            known |= part
            bar.update(len(part))
    table = pd.DataFrame([known[stamp][0] for stamp in stamps], index=tracks.index)
    return Inspection(table, {track_id: known[stamp][1] for track_id, stamp in zip(tracks.index, stamps, strict=True)})


def _settings() -> list:
    """All that what is found follows from, beside the files."""
    return [VERSION, MINIMUM_SECONDS, SILENCE_DB, CANCELLED_DB, audio_settings(), fingerprint_settings()]


def _stamp(root: Path, path: str) -> Stamp:
    try:
        status = os.stat(on_disk(root / path))
    except (OSError, ValueError):
        return path, -1, -1
    return path, status.st_size, status.st_mtime_ns


def _inspect_shard(root: Path, store: Path, stamps: list[Stamp]) -> Found:
    found = {stamp: _inspect_file(root, stamp) for stamp in stamps}
    rows, prints = zip(*found.values(), strict=True)
    columns = {name: np.array([row[name] for row in rows]) for name in rows[0]}
    write_arrays(store / f"{fingerprint(stamps)}.npz", **columns, **join_fingerprints(prints))
    return found


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
    row = {"path": path, "size": size, "changed": changed, "seconds": 0.0, "fault": "", "sample_rate": 0, "channels": 0}
    row |= {"level_db": -np.inf, "clipped": 0.0, "digest": "", "problem": "", "detail": ""}
    nothing = np.zeros(0, dtype=np.uint32)
    if os.path.isabs(path) or Path(os.path.normpath(path)).parts[:1] == ("..",):
        return {**row, "problem": "outside", "detail": "the path leads out of the collection's folder"}, nothing
    try:
        digest, prints, sound = hashlib.sha256(), Fingerprint(), Decoding(root / path)
        for wave in sound:
            digest.update(np.round(np.clip(wave, -1, 1) * 32767).astype(np.int16))
            prints.add(wave)
        info = sound.info
        row |= {name: getattr(info, name) for name in ("seconds", "fault", "sample_rate", "channels", "level_db", "clipped")}
        row |= {"digest": digest.hexdigest()[:32], **_problem(info)}
        return row, nothing if row["problem"] else prints.words()
    except FILE_FAULTS as error:  # whatever it is, it stays with this file
        return {**row, "problem": "unreadable", "detail": one_line(error).removeprefix(f"{root / path}: ")}, nothing


def _problem(info: AudioInfo) -> dict[str, str]:
    """What makes a file useless that can be decoded."""
    if info.seconds < MINIMUM_SECONDS:
        return {"problem": "too_short", "detail": f"{info.seconds:.2f} s; at least {MINIMUM_SECONDS:g} s is needed"}
    if info.loudest_db < SILENCE_DB:
        return {"problem": "silent", "detail": f"level {info.loudest_db:.0f} dB; below {SILENCE_DB:g} dB counts as silence"}
    if info.level_db < max(SILENCE_DB, info.loudest_db - CANCELLED_DB):
        detail = f"its channels cancel: {info.loudest_db:.0f} dB alone, {info.level_db:.0f} dB mixed; invert one of them, or keep one"
        return {"problem": "cancelled", "detail": detail}
    return {}
