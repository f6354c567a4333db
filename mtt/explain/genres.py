"""A model's tags as genres in the files' own metadata: planned, written, and taken back.

Conventions: the tracks of an album (same folder, same album in their metadata) get the same genres, by their mean probability. A file is
written as a copy that takes its place when it is whole; its sound is not touched. What was there before is kept in an undo file, which is
written first.
"""

import os
import shutil
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import mutagen
from mutagen.id3 import ID3, TCON

from mtt.collections.listing import read_metadata
from mtt.explain.tagging import Tagged
from mtt.files import MttError, one_line, read_json, shown, write_json

MOST = 3  # genres of a file


@dataclass(frozen=True)
class Change:
    """The genres of a file, as they are and as they are to be."""

    path: str
    before: list[str]
    after: list[str]


def plan(tagged: Iterable[Tagged], minimum: float) -> list[Change]:
    """The files whose genres are to change: to the likeliest tags of ``minimum`` probability or more, at most MOST; none: as it is."""
    albums: dict[tuple, list[Tagged]] = {}
    known = [one for one in tagged if one.tags is not None]
    says = {one.path: read_metadata(one.path) for one in known}
    for one in known:
        album = says[one.path].get("album", [])
        albums.setdefault((one.path.parent, *album) if album else (one.path,), []).append(one)
    changes = []
    for tracks in albums.values():
        scores = [track.tags.set_index("tag")["probability"] for track in tracks]
        mean = sum(scores[1:], scores[0]) / len(scores)
        after = list(mean[mean >= minimum].sort_values(ascending=False, kind="stable").index[:MOST])
        for track in tracks:
            before = says[track.path].get("genre", [])
            if after and before != after:
                changes.append(Change(str(track.path.absolute()), before, after))
    return sorted(changes, key=lambda change: change.path)


def write_genres(changes: Sequence[Change], undo: Path) -> list[str]:
    """Write the changes, after what undoes them; the faults of files that could not be written, a line each."""
    write_json(undo, {"genres": [asdict(change) for change in changes]})
    return [fault for change in changes if (fault := _replaced(change.path, change.before, change.after))]


def undo_genres(undo: Path) -> tuple[int, list[str]]:
    """Take back what ``write_genres`` did: how many files, and the faults of others, such as genres that were changed since."""
    found = read_json(undo)
    try:
        changes = [Change(str(one["path"]), *(list(map(str, one[part])) for part in ("before", "after"))) for one in found["genres"]]
    except (TypeError, KeyError, AttributeError) as error:
        raise MttError(f"{shown(undo)}: is no undo file of python -m mtt tag --write") from error
    faults = [fault for change in changes if (fault := _replaced(change.path, change.after, change.before))]
    return len(changes) - len(faults), faults


def _replaced(path: str, expected: list[str], genres: list[str]) -> str:
    """Give a file these genres if it has the expected ones; what went wrong, if anything did."""
    real = Path(path).resolve()  # a link stays one
    copy = real.with_name(f".{os.getpid()}-{real.name}")
    try:
        now = read_metadata(real).get("genre", [])
        if now != expected:
            return f"{shown(path)}: its genres are {', '.join(now) or 'none'} by now, not {', '.join(expected) or 'none'}; left as it is"
        shutil.copy2(real, copy)
        _set(copy, genres)
        with open(copy, "rb") as file:
            os.fsync(file.fileno())
        if read_metadata(copy).get("genre", []) != genres:
            return f"{shown(path)}: its format does not keep genres; left as it is"
        os.replace(copy, real)
    except (OSError, mutagen.MutagenError) as error:
        return f"{shown(path)}: its genres cannot be written ({one_line(error)}); left as it is"
    finally:
        copy.unlink(missing_ok=True)
    return ""


def _set(path: Path, genres: list[str]) -> None:
    file = mutagen.File(path)
    if file is None:
        raise mutagen.MutagenError("no metadata of a kind that is known")
    if file.tags is None:
        file.add_tags()
    if isinstance(file.tags, ID3):
        file.tags.setall("TCON", [TCON(encoding=3, text=genres)] if genres else [])
    elif genres:
        file.tags["genre"] = genres
    elif "genre" in file.tags:
        del file.tags["genre"]
    file.save()
