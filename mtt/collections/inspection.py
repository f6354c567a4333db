"""One pass over every file of a collection: is it usable, how long is it, what does it hold.

Conventions: levels are in dB relative to full scale. A file's digest is that of its decoded samples, whatever the container. What was found
belongs to a file's path, size and time of change and to the settings it was found with, and is kept in shards of a few files: a pass that
was stopped goes on, and a second one reads only what is new.
"""

import functools
import hashlib
import logging
import os
import zipfile
from contextlib import suppress
from pathlib import Path

import numpy as np
import pandas as pd
from joblib import Parallel, delayed, effective_n_jobs
from tqdm import tqdm

from mtt.collections.duplicates import Fingerprint, fingerprint_settings, join_fingerprints, split_fingerprints
from mtt.files import PlaceError, fingerprint, leave_interrupts, one_line, read_arrays, remove_leftovers, write_arrays
from mtt.reading.decoding import FILE_FAULTS, MINIMUM_SECONDS, SILENCE_DB, AudioInfo, Decoding, audio_settings, on_disk

log = logging.getLogger(__name__)
CANCELLED_DB = 30.0  # by which the mix may be quieter than the loudest channel; one sounding channel of eight makes 18
VERSION = 4  # raise it with every change of what is measured, or how
FILES_PER_SHARD = 32

Stamp = tuple[str, int, int]  # path, size in bytes and time of change in ns; -1 where there is no such file


def inspect_tracks(tracks: pd.DataFrame, root: Path, cache: Path, progress: bool = True) -> pd.DataFrame:
    """Read every file of ``tracks`` (index track_id, column path relative to ``root``) once; ``cache`` is a folder.

    Returns track_id -> path, size, changed, seconds (decoded), fault (of a file that is not whole), sample_rate, channels, level_db,
    clipped (share of the samples), digest, problem, detail, fingerprint. Files that cannot be used and paths that lead out of ``root`` have
    a ``problem`` and a ``detail``; nothing is raised for them.
    """
    settings = [VERSION, MINIMUM_SECONDS, SILENCE_DB, CANCELLED_DB, audio_settings(), fingerprint_settings()]
    store = cache.resolve() / f"inspection-{fingerprint([settings, str(root)])}"
    stamps = [_stamp(root, path) for path in tracks["path"]]
    known: dict[Stamp, dict] = {}  # the file's row of the table
    for path in store.glob("[!.]*.npz"):
        known |= _read_shard(path)
    with suppress(OSError):
        remove_leftovers(store)
    new = [stamp for stamp in dict.fromkeys(stamps) if stamp not in known]
    shards = [new[i : i + FILES_PER_SHARD] for i in range(0, len(new), FILES_PER_SHARD)]
    parallel = Parallel(n_jobs=min(effective_n_jobs(), len(shards) or 1), return_as="generator", initializer=leave_interrupts)
    with tqdm(total=len(new), desc="reading files", unit="file", disable=not progress or not new) as bar:
        for shard, rows in zip(shards, parallel(delayed(_inspect_shard)(root, shard) for shard in shards), strict=True):
            known |= zip(shard, rows, strict=True)
            bar.update(len(shard))
            columns = {name: [row[name] for row in rows] for name in rows[0]}
            prints = join_fingerprints(columns.pop("fingerprint"))
            try:
                write_arrays(store / f"{fingerprint(shard)}.npz", **columns, **prints)
            except PlaceError as error:
                _warn(cache, error.__cause__.strerror)
    return pd.DataFrame([known[stamp] for stamp in stamps], index=tracks.index)


@functools.cache  # once, though an audit reads twice
def _warn(cache: Path, fault: str) -> None:
    log.warning("%s: nothing can be kept there (%s), so files are read anew each time; MTT_HOME names another place", cache, fault)


def _stamp(root: Path, path: str) -> Stamp:
    try:
        status = os.stat(on_disk(root / path))
    except (OSError, ValueError):
        return path, -1, -1
    return path, status.st_size, status.st_mtime_ns


def _inspect_shard(root: Path, stamps: list[Stamp]) -> list[dict]:
    return [_inspect_file(root, stamp) for stamp in stamps]


def _read_shard(path: Path) -> dict[Stamp, dict]:
    try:
        arrays = read_arrays(path)
        prints = split_fingerprints(arrays.pop("lengths"), arrays.pop("bits"))
        rows = pd.DataFrame(arrays).assign(fingerprint=prints).to_dict("records")
        return {(row["path"], row["size"], row["changed"]): row for row in rows}
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        log.warning("%s: not readable (%s); its files are read again", path, error)
        return {}


def _inspect_file(root: Path, stamp: Stamp) -> dict:
    path, size, changed = stamp
    row = {"path": path, "size": size, "changed": changed, "seconds": 0.0, "fault": "", "sample_rate": 0, "channels": 0}
    row |= {"level_db": -np.inf, "clipped": 0.0, "digest": "", "problem": "", "detail": ""}
    row["fingerprint"] = np.zeros(0, dtype=np.uint32)
    if os.path.isabs(path) or Path(os.path.normpath(path)).parts[:1] == ("..",):
        return row | {"problem": "outside", "detail": "the path leads out of the collection's folder"}
    try:
        digest, prints, sound = hashlib.sha256(), Fingerprint(), Decoding(root / path)
        for wave in sound:
            digest.update(np.round(np.clip(wave, -1, 1) * 32767).astype(np.int16))
            prints.add(wave)
        info = sound.info
        row |= {name: getattr(info, name) for name in ("seconds", "fault", "sample_rate", "channels", "level_db", "clipped")}
        row |= {"digest": digest.hexdigest()[:32], **_problem(info)}
        return row if row["problem"] else row | {"fingerprint": prints.words()}
    except FILE_FAULTS as error:  # whatever it is, it stays with this file
        return row | {"problem": "unreadable", "detail": one_line(error).removeprefix(f"{root / path}: ")}


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
