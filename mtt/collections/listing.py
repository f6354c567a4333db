"""A table of the tracks in a folder of music, from what the files say of themselves, or else from where they lie.

Conventions: the table is a collection (``mtt.collections.load``). Artist (the first of several), title, album and genre are those of a
file's metadata; what a file does not say, its place says: ``Artist/Album/song.mp3``. Genres are tags: split at ``; / , |`` and NUL, in
lower case. Metadata are anybody's: no more than LONGEST characters of a text are taken, on one line.
"""

import os
import re
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import mutagen
import pandas as pd
import soundfile
from tqdm import tqdm

from mtt.data.audio import find_audio
from mtt.data.corpus import TAG_SEPARATOR
from mtt.files import MttError, shown

COLUMNS = ["path", "artist", "tags", "title", "album"]
FRAMES = {"artist": "TPE1", "title": "TIT2", "album": "TALB", "genre": "TCON"}  # Vorbis' names of what is read, and ID3's
GENRES = re.compile(r"[;/,|\0]")
NO_GENRE = {"", "other", "unknown", "none"}
CONTROL = re.compile(r"[\0-\x1f\x7f-\x9f]")
LONGEST = 500  # characters of a text


@dataclass(frozen=True)
class Listing:
    """``tracks``: path, artist, tags, title, album; ``skipped``: reason -> files; ``left_out``: files that a table cannot name."""

    tracks: pd.DataFrame
    skipped: Counter[str]
    left_out: list[Path]


def list_tracks(folder: str | Path, beside: str | Path = ".", progress: bool = False) -> Listing:
    """The audio files in ``folder`` and below as a collection whose CSV is to lie in the folder ``beside``, from where paths start.

    Raises ``MttError`` where there is nothing to list, or files do not lie below ``beside``: a table of files elsewhere would not be read.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise MttError(f"{shown(folder)}: no such folder; give the one that holds the music")
    found = find_audio(folder)
    left_out = [path for path in found.files if shown(path).encode() != os.fsencode(path)]
    named = sorted(set(found.files) - set(left_out))
    if not named:
        told = f" ({skipped_text(found.skipped)})" if found.skipped else ""
        raise MttError(f"{shown(folder)}: no audio file that can be listed{told}; give the folder that holds the music")
    rows = [
        {"path": _from(path, Path(beside)), **track_names(path, path.relative_to(folder))}
        for path in tqdm(named, desc="reading metadata", unit="file", disable=not progress)
    ]
    return Listing(pd.DataFrame(rows, columns=COLUMNS), found.skipped, left_out)


def skipped_text(skipped: Counter[str]) -> str:
    """``"5 skipped: 3 m4a; 2 hidden"``; nothing where nothing was."""
    reasons = "; ".join(f"{count:,} {reason}" for reason, count in skipped.most_common())
    return f"{skipped.total():,} skipped: {reasons}" if reasons else ""


def track_names(path: Path, place: Path) -> dict[str, str]:
    """artist, title, album and tags of a file, of its metadata or else of its ``place``, the path from the folder that is listed."""
    says = read_metadata(path)
    artist, album = [*place.parts[:-1], "", ""][:2]
    names = {
        name: next(filter(None, map(one_text, [*says.get(name, []), else_])), "")
        for name, else_ in {"artist": artist, "title": place.stem, "album": album}.items()
    }
    genres = dict.fromkeys(one_text(genre).lower() for genre in GENRES.split("\0".join(says.get("genre", []))[:LONGEST]))
    return {**names, "tags": TAG_SEPARATOR.join(genre for genre in genres if genre not in NO_GENRE)}


def one_text(text: str) -> str:
    """``text`` on one line, without what cannot be printed or written as UTF-8, cut to LONGEST characters."""
    return " ".join(CONTROL.sub(" ", text[:LONGEST].encode(errors="replace").decode()).split())


def read_metadata(path: Path) -> dict[str, list[str]]:
    """What a file says of itself, by the names in FRAMES; nothing where it says nothing that can be read."""
    try:
        found = mutagen.File(path)
        if found is not None and found.tags:
            return {name: _texts(found.tags, name) for name in FRAMES}
        if path.suffix.lower() in (".wav", ".aif", ".aiff"):
            with open(path, "rb") as file, soundfile.SoundFile(file) as sound:  # it reads what these have beside ID3, mutagen does not
                return {name: [getattr(sound, name)] for name in FRAMES}
    except Exception:  # what a broken tag raises is no more certain than what it holds
        pass
    return {}


def _texts(tags: mutagen.Tags, name: str) -> list[str]:
    value = tags.get(FRAMES[name]) or tags.get(name) or []
    value = getattr(value, "genres", None) or getattr(value, "text", value)  # ID3 has genres as numbers too
    return [str(text) for text in ([value] if isinstance(value, str) else value)]


def _from(path: Path, beside: Path) -> str:
    for whole in (os.path.abspath, os.path.realpath):  # as written, or as links lead
        if Path(whole(path)).is_relative_to(whole(beside)):
            return os.path.relpath(whole(path), whole(beside))
    raise MttError(f"{shown(path)}: does not lie below {shown(beside.absolute())}; write the table into the folder of music, or above it")
