"""What the readers of published data sets have in common: what a data set is, and how files that anyone may have made are read.

Conventions: a data set is a module of this folder with a ``DATA_SET``. Its ``read(root, variant)`` gives a ``Published``; it reads lists
and labels, no audio. The table is that of a collection's CSV: text columns ``path, artist, tags`` (joined by ``|``), ``title, album,
split``, indexed by track_id. A ``path`` is the published one; ``find_audio`` finds where it lies. No pickle is ever run (``torchfile``).
mirdata is not used: it fetches an index from the network before it reads a folder, and knows no splits and tag sets of tagging.
"""

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd

from mtt.files import MttError, one_line
from mtt.reading.torchfile import Inert, inert

ENDINGS = (".wav", ".flac", ".mp3", ".ogg")
COLUMNS = ("track_id", "path", "artist", "tags", "title", "album", "split")


@dataclass(frozen=True)
class Published:
    """A data set as its files describe it, before any audio is looked at."""

    tracks: pd.DataFrame  # see the module's conventions; made by ``track_table``
    folders: Sequence[str]  # of the root, in which ``path`` may lie
    endings: Sequence[str] = ENDINGS  # that may stand in for the one of ``path``
    split: str = ""  # what the split in the table is called; "" for none
    tags: Sequence[str] | None = None  # in the order of a model's outputs; None: by frequency
    kinds: dict[str, str] = field(default_factory=dict)  # of tags, such as genre


@dataclass(frozen=True)
class DataSet:
    """A data set that sources name as ``NAME:ROOT`` or ``NAME/VARIANT:ROOT``."""

    name: str
    variants: Mapping[str, str]  # VARIANT -> a line on what it is, empty for one that another's line tells of; "" is the usual variant
    audio_from: str  # where the audio is published
    read: Callable[[Path, str], Published]  # root and variant (``genre/split-1``); raises ``MttError``
    complete: bool = False  # ``Corpus.complete``

    @property
    def lines(self) -> dict[str, str]:
        """How a source names each variant -> a line on what it is."""
        return {f"{self.name}/{variant}".rstrip("/") + ":ROOT": about for variant, about in self.variants.items() if about}


def track_table(origin: Path, **columns: Sequence[str] | str) -> pd.DataFrame:
    """The table of a ``Published`` from those of ``COLUMNS`` that there are. ``MttError`` for an id that ``origin`` has twice."""
    table = pd.DataFrame(dict.fromkeys(COLUMNS, "") | columns, dtype=str).set_index("track_id")
    if not len(table):
        raise MttError(f"{origin}: lists no tracks; copy it again")
    if table.index.has_duplicates:
        twice = table.index[table.index.duplicated()][0]
        raise MttError(f"{origin}: {twice!r} stands in two sets or twice in one; a track belongs in one set")
    return table


def first_file(root: Path, names: Sequence[str], purpose: str) -> Path:
    """The first of ``names`` that is a file under ``root``. ``MttError`` says which were looked for, and for what."""
    for name in names:
        if (root / name).is_file():
            return root / name
    raise MttError(f"{root}: {' or '.join(names)} is missing; it holds {purpose}")


def read_strings(path: Path) -> list[str]:
    """A list of strings: lines of a text file, the elements of an ``.npy``, or a pickled list (``.cP``, ``.pkl``). Raises ``MttError``."""
    if path.suffix == ".npy":
        array = _read_array(path).ravel()
        if array.dtype.kind not in "US":
            raise MttError(f"{path}: holds {array.dtype}, not strings; copy it again")
        return (np.char.decode(array) if array.dtype.kind == "S" else array).tolist()
    if path.suffix in (".cP", ".pkl"):
        return _pickled_strings(path.read_bytes(), path)
    try:
        return [line.strip() for line in path.read_text(encoding="utf-8-sig").splitlines() if line.strip()]
    except UnicodeDecodeError as error:
        raise MttError(f"{path}: not a text file in UTF-8 ({error.reason}); save it as one, or copy it again") from error


def _read_array(path: Path) -> np.ndarray:
    """The array of an ``.npy``; objects are read as the strings of a pickled list."""
    with open(path, "rb") as file:
        try:
            return np.load(file)
        except (ValueError, EOFError) as error:
            if "Object arrays" not in str(error):
                raise MttError(f"{path}: not a NumPy array ({one_line(error)}); copy it again") from error
        return np.array(_pickled_strings(file.read(), path), dtype=str)  # what stands behind the header


def _pickled_strings(content: bytes, path: Path) -> list[str]:
    """The strings of a pickled list, or of NumPy's array of objects; nothing in it can run."""
    try:
        found = inert(content)
        found = found.state[-1] if isinstance(found, Inert) else found
        strings = [each.decode() if isinstance(each, bytes) else each for each in found]
        if not isinstance(found, list) or not all(isinstance(each, str) for each in strings):
            raise ValueError("it holds something else")
    except Exception as error:  # bytes of any origin
        remedy = "pickles are not run here: save it as a text file, one entry a line"
        raise MttError(f"{path}: is a pickle of more than a list of strings ({one_line(error)}); {remedy}") from error
    return strings


def read_labels(path: Path, n_tracks: int, n_tags: int) -> np.ndarray:
    """(n_tracks, n_tags) bool from an ``.npy`` of zeros and ones. ``MttError`` for another shape or kind."""
    labels = _read_array(path)
    if labels.dtype.kind not in "biuf" or labels.shape != (n_tracks, n_tags):
        needed = f"numbers of shape ({n_tracks}, {n_tags}), a row a track, are needed"
        raise MttError(f"{path}: is {labels.dtype} of shape {labels.shape}; {needed}")
    return labels > 0


def find_audio(root: Path, found: Published) -> pd.Series:
    """track_id -> path under ``root`` at which the file lies; ``""`` where it lies in no folder and with no ending."""
    there = {os.path.relpath(os.path.join(folder, name), root) for folder, _, names in os.walk(root, followlinks=True) for name in names}

    def place(path: str) -> str:
        names = [path, *(os.path.splitext(path)[0] + ending for ending in found.endings)]
        return next((where for folder in found.folders for name in names if (where := os.path.join(folder, name)) in there), "")

    return found.tracks["path"].map(place).astype(str)
