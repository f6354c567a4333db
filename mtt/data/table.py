"""Tables that anyone may have made: a collection's CSV, a split, the lists of published data sets.

Conventions: UTF-8, a header, and values that are all texts; an empty one is ``""``. The header is line 1.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from mtt.files import MttError, one_line


def read_table(path: str | Path, needed: Sequence[str], separator: str = ",") -> pd.DataFrame:
    """A table of texts. ``MttError`` names the file and the column that it lacks, or why it is no table."""
    if not Path(path).is_file():
        raise MttError(f"{path}: no such file; give a table with the columns {', '.join(needed[:12])}")
    try:
        table = pd.read_csv(path, sep=separator, dtype=str, keep_default_na=False, encoding="utf-8-sig")
    except (UnicodeDecodeError, pd.errors.ParserError, pd.errors.EmptyDataError) as error:
        raise MttError(f"{path}: not a table in UTF-8 ({one_line(error)}); save it as one, or copy it again") from error
    missing = [name for name in needed if name not in table]
    if missing:
        raise MttError(f"{path}: column {missing[0]!r} is missing; the columns are {', '.join(table.columns[:12])}")
    return table


def refuse_rows(path: str | Path, faults: Mapping[str, pd.Series]) -> None:
    """``MttError`` for the first row that has a fault: what is wrong -> whether it is so in each row."""
    for fault, rows in faults.items():
        if rows.any():
            raise MttError(f"{path}: line {int(np.argmax(rows)) + 2} {fault}; correct or remove that line")
