"""Numbers and tables as every page shows them.

Conventions: a table's first column names its rows; a column of numbers stands right; an interval is quieter than its estimate; what is
not known is a dash. Texts are escaped unless they are Markup.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

import pandas as pd
from markupsafe import Markup, escape

from mtt.reporting.numbers import number
from mtt.reporting.pages.frame import environment

NUMBER = re.compile(r"(?=.*\d)(?:[\W\d]|\b(?:h|min|s)\b)*|–")  # "0.93 [0.92, 0.94]", "12.5%", "4 min 12 s"
INTERVAL = re.compile(r"\[[^\]]*\]")


class Table(Markup):
    """HTML that a notebook shows as such."""

    def _repr_html_(self) -> str:
        return str(self)


def shown(frame: pd.DataFrame, digits: int = 3, caption: str = "") -> Table:
    """``frame`` as a table: thousands separated, ``digits`` decimals. Its index names the rows, unless it only counts them."""
    if frame.index.name or not isinstance(frame.index, pd.RangeIndex):
        frame = frame.rename_axis([name or "" for name in frame.index.names]).reset_index()
    return table(frame.columns, frame.itertuples(index=False, name=None), digits, caption)


def table(columns: Iterable[str], rows: Iterable[Sequence], digits: int = 3, caption: str = "") -> Table:
    """Rows of texts and numbers as a table, in a box that scrolls where the page is narrower."""
    cells = [[_cell(value, digits) for value in row] for row in rows]
    names = list(columns)
    numeric = [all(NUMBER.fullmatch(row[place].striptags()) for row in cells) for place in range(len(names))]
    template = environment().get_template("table.html.j2")
    return Table(template.render(names=names, rows=cells, numeric=numeric, caption=caption))


def _cell(value: object, digits: int) -> Markup:
    if isinstance(value, str):
        return Markup(INTERVAL.sub(r'<span class="interval">\g<0></span>', str(escape(value))))
    if pd.isna(value):
        return Markup("–")
    return Markup(number(value, digits if isinstance(value, float) else 0))


def folded(summary: str, content: Markup) -> Table:
    """``content`` behind a line that opens it."""
    return Table(Markup("<details><summary>{}</summary>{}</details>").format(summary, content))
