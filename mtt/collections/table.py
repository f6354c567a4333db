"""A reader's own collection: a CSV of tracks.

Conventions: the columns are ``path`` (relative to the CSV), ``artist``, ``tags`` (joined by ``|``; empty = unlabelled, also where the row
names a set) and optionally ``track_id`` (else the path), ``title``, ``album``, ``split``. All is text.
"""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from mtt.data.table import read_table, refuse_rows
from mtt.files import MttError

REQUIRED_COLUMNS = ("path", "artist", "tags")
OPTIONAL_COLUMNS = ("title", "album")


def read_collection(path: str | Path) -> pd.DataFrame:
    """The rows of a collection's CSV, indexed by track_id. Raises ``MttError`` naming the file and the column or line at fault."""
    table = read_table(path, REQUIRED_COLUMNS)
    if table.empty:
        raise MttError(f"{path}: has no rows; one row per track is needed")
    if "track_id" not in table:
        table["track_id"] = table["path"]
    faults = {f"has no {column}": table[column].str.strip() == "" for column in ("path", "track_id")}
    refuse_rows(path, faults | {"repeats a track_id": table["track_id"].duplicated()})
    return table.assign(**{name: "" for name in OPTIONAL_COLUMNS if name not in table}).set_index("track_id")
