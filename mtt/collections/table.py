"""Tables of tracks that anyone may have made: a collection's CSV, and those that come with published data sets.

Conventions: a collection is a CSV with the columns ``path`` (relative to the CSV), ``artist``, ``tags`` (joined by ``|``; empty =
unlabelled, also where the row names a set) and optionally ``track_id`` (else the path), ``title``, ``album``, ``split``. All is text.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from mtt.files import MttError, one_line

REQUIRED_COLUMNS = ("path", "artist", "tags")
OPTIONAL_COLUMNS = ("title", "album")


class CollectionError(MttError):
    """A collection that cannot be loaded or packed; the message names the file, the reason and the remedy."""


def read_table(path: str | Path, needed: Sequence[str], separator: str = ",") -> pd.DataFrame:
    """A table of texts. ``CollectionError`` names the file and the column that it lacks, or why it is no table."""
    path = Path(path)
    if not path.is_file():
        raise CollectionError(f"{path}: no such file; give a table with the columns {', '.join(needed[:12])}")
    try:
        table = pd.read_csv(path, sep=separator, dtype=str, keep_default_na=False, encoding="utf-8-sig")
    except (UnicodeDecodeError, pd.errors.ParserError, pd.errors.EmptyDataError) as error:
        raise CollectionError(f"{path}: not a table in UTF-8 ({one_line(error)}); save it as one, or copy it again") from error
    missing = [name for name in needed if name not in table]
    if missing:
        raise CollectionError(f"{path}: column {missing[0]!r} is missing; the columns are {', '.join(table.columns[:12])}")
    return table


def read_collection(path: str | Path) -> pd.DataFrame:
    """The rows of a collection's CSV, indexed by track_id. Raises ``CollectionError`` naming the file and the column or row at fault."""
    table = read_table(path, REQUIRED_COLUMNS)
    if not len(table):
        raise CollectionError(f"{path}: has no rows; one row per track is needed")
    if "track_id" not in table:
        table["track_id"] = table["path"]
    for column in ("path", "track_id"):
        blank = table[column].str.strip() == ""
        if blank.any():
            raise CollectionError(f"{path}: line {int(np.argmax(blank)) + 2} has no {column}; fill it in or remove the line")
    twice = table["track_id"][table["track_id"].duplicated()]
    if len(twice):
        raise CollectionError(f"{path}: track_id {twice.iloc[0]!r} stands twice; make the ids unique")
    return table.assign(**{name: "" for name in OPTIONAL_COLUMNS if name not in table}).set_index("track_id")
