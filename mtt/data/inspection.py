"""One pass over every file of a collection: is it usable, how long is it, what does it hold.

Conventions: levels are in dB relative to full scale. A file's digest is that of its decoded samples, so a copy in another container of
the same samples is found too; its fingerprint is that of ``mtt.data.cleaning``. Results are cached and belong to a file's path, size and
time of change, so a second pass reads only what is new.
"""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from joblib import Parallel, delayed
from tqdm import tqdm

from mtt.config import fingerprint
from mtt.data.audio import AudioError, audio_info, read_audio
from mtt.data.cleaning import audio_fingerprint
from mtt.data.corpus import PROBLEM_COLUMNS
from mtt.files import write_arrays

MINIMUM_SECONDS = 1.0
SILENCE_DB = -60.0
FORMAT_VERSION = 1
_FILES_PER_TASK = 16


@dataclass(frozen=True)
class Inspection:
    """``table``: track_id -> seconds, sample_rate, channels, level_db, clipped, digest, problem, detail. ``fingerprints`` by track_id."""

    table: pd.DataFrame
    fingerprints: dict[str, np.ndarray]

    @property
    def problems(self) -> pd.DataFrame:
        """The unusable files: track_id, path, problem, detail."""
        bad = self.table[self.table["problem"] != ""]
        return bad.rename_axis("track_id").reset_index()[PROBLEM_COLUMNS]


def inspect_tracks(tracks: pd.DataFrame, root: Path, cache: Path, workers: int | None = None, progress: bool = True) -> Inspection:
    """Read every file of ``tracks`` (index track_id, column path relative to ``root``) once.

    Unreadable, silent (below -60 dB), too short (below 1 s) files and paths that lead out of ``root`` get a ``problem`` and a ``detail``;
    nothing is raised for them. ``cache`` is a folder.
    """
    stamps = [_stamp(root, path) for path in tracks["path"]]
    store = cache / f"inspection-{fingerprint([FORMAT_VERSION, str(root), list(tracks.index), stamps])}.npz"
    if store.exists():
        return _load(store)
    jobs = list(zip(tracks.index, tracks["path"], strict=True))
    chunks = [jobs[i : i + _FILES_PER_TASK] for i in range(0, len(jobs), _FILES_PER_TASK)]
    workers = workers or os.cpu_count() or 1
    parallel = Parallel(n_jobs=min(workers, len(chunks) or 1), return_as="generator")
    results = parallel(delayed(_inspect_files)(root, chunk) for chunk in chunks)
    rows, prints = [], {}
    with tqdm(total=len(jobs), desc="reading files", unit="file", disable=not progress) as bar:
        for part in results:
            for row, bits in part:
                rows.append(row)
                prints[row["track_id"]] = bits
            bar.update(len(part))
    inspection = Inspection(pd.DataFrame(rows).set_index("track_id"), prints)
    _save(inspection, store)
    return inspection


def _stamp(root: Path, path: str) -> list:
    try:
        status = os.stat(root / path)
    except (OSError, ValueError):
        return [path, None, None]
    return [path, status.st_size, status.st_mtime_ns]


def _inspect_files(root: Path, jobs: list[tuple[str, str]]) -> list[tuple[dict, np.ndarray]]:
    return [_inspect_file(root, track_id, path) for track_id, path in jobs]


def _inspect_file(root: Path, track_id: str, path: str) -> tuple[dict, np.ndarray]:
    row = {
        "track_id": track_id,
        "path": path,
        "seconds": 0.0,
        "sample_rate": 0,
        "channels": 0,
        "level_db": -np.inf,
        "clipped": 0.0,
        "digest": "",
        "problem": "",
        "detail": "",
    }
    nothing = np.zeros(0, dtype=np.uint32)
    if os.path.isabs(path) or os.path.normpath(path).startswith(".."):
        return {**row, "problem": "outside", "detail": "the path leads out of the collection's folder"}, nothing
    try:
        info = audio_info(root / path)
        wave = read_audio(root / path)
    except AudioError as error:
        return {**row, "problem": "unreadable", "detail": str(error).removeprefix(f"{root / path}: ")}, nothing
    row["seconds"], row["sample_rate"], row["channels"] = info.seconds, info.sample_rate, info.channels
    row["level_db"] = float(10 * np.log10(np.mean(np.square(wave, dtype=np.float64)) + 1e-20))
    row["clipped"] = float(np.mean(np.abs(wave) >= 0.999))
    row["digest"] = hashlib.sha256(np.round(wave * 32767).astype(np.int16).tobytes()).hexdigest()[:32]
    if info.seconds < MINIMUM_SECONDS:
        row["problem"], row["detail"] = "too_short", f"{info.seconds:.2f} s; at least {MINIMUM_SECONDS:g} s is needed"
    elif row["level_db"] < SILENCE_DB:
        row["problem"], row["detail"] = "silent", f"level {row['level_db']:.0f} dB; below {SILENCE_DB:g} dB counts as silence"
    return row, nothing if row["problem"] else audio_fingerprint(wave)


def _save(inspection: Inspection, store: Path) -> None:
    lengths = [len(bits) for bits in inspection.fingerprints.values()]
    joined = np.concatenate([*inspection.fingerprints.values(), np.zeros(0, np.uint32)])
    columns = {name: inspection.table[name].to_numpy() for name in inspection.table}
    columns = {name: v.astype("U") if v.dtype.kind not in "fiu" else v for name, v in columns.items()}
    ids = inspection.table.index.to_numpy().astype("U")
    write_arrays(store, track_id=ids, _lengths=np.array(lengths, dtype=int), _bits=joined, **columns)


def _load(store: Path) -> Inspection:
    with np.load(store, allow_pickle=False) as data:
        columns = {name: data[name] for name in data.files if not name.startswith("_")}
        table = pd.DataFrame(columns).set_index("track_id")
        ends = np.cumsum(data["_lengths"]).astype(int)
        parts = np.split(data["_bits"], ends[:-1]) if len(ends) else []
    return Inspection(table, dict(zip(table.index, parts, strict=True)))
