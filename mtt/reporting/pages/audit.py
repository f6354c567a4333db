"""The audit of a collection as people read it: text on a terminal, a CSV, or one offline page.

Conventions: first how many problems of each kind and what they mean, then the problems. The CSV has all of them, one row each:
``track_id, path, problem, detail``; text and page show the first of each kind. Names come from files and tables of others: the page
escapes them, the text replaces characters that a terminal would obey.
"""

from __future__ import annotations

from pathlib import Path

import pandas as pd
from markupsafe import Markup

from mtt.collections.audit import Audit
from mtt.files import MttError, write_whole
from mtt.reporting.numbers import minus
from mtt.reporting.pages.frame import render_page
from mtt.reporting.pages.table import table

ON_TERMINAL, ON_PAGE = 20, 500  # problems shown of a kind


def audit_text(audit: Audit) -> str:
    """The audit as text: a line in all, a table of counts, and the first problems of each kind."""
    counts = audit.counts
    lines = [audit.sentence, *_aligned([(f"{row.rows:>7,}", row.Index, row.meaning) for row in counts.itertuples()])]
    for problem, rows in _by_problem(audit):
        lines += ["", f"{problem} ({len(rows):,})"]
        first = rows.head(ON_TERMINAL).itertuples()
        lines += _aligned([(row.track_id if row.track_id == row.path else f"{row.track_id}  {row.path}", row.detail) for row in first])
        if len(rows) > ON_TERMINAL:
            lines.append(f"  ... and {len(rows) - ON_TERMINAL:,} more; a report (--out report.csv) lists all")
    return "\n".join("".join(letter if letter.isprintable() else "\N{REPLACEMENT CHARACTER}" for letter in line) for line in lines)


def _aligned(rows: list[tuple[str, ...]]) -> list[str]:
    """Rows as lines whose columns stand below each other, up to 60 characters."""
    widths = [min(60, max(map(len, column))) for column in zip(*rows, strict=True)]
    return ["".join(f"  {text:<{width}}" for text, width in zip(row, widths, strict=True)).rstrip() for row in rows]


def write_audit(audit: Audit, out: str | Path) -> Path:
    """Write the audit to ``out``, a ``.csv`` or a ``.html`` file, whole or not at all. Raises ``MttError`` for another ending."""
    out = Path(out)
    if out.suffix == ".csv":
        return write_whole(out, audit.rows.to_csv(index=False, lineterminator="\n"))
    if out.suffix == ".html":
        return _write_page(audit, out)
    raise MttError(f"{out}: an audit is written as .csv or .html; give the file one of these endings")


def _write_page(audit: Audit, out: Path) -> Path:
    counts, link = audit.counts, Markup('<a href="#{}">{}</a>')
    summary = [(link.format(row.Index, _name(row.Index)), row.rows, row.meaning) for row in counts.itertuples()]
    sections = []
    for problem, rows in _by_problem(audit):
        more = f"The first {ON_PAGE} of {len(rows):,}; a report in CSV lists all." if len(rows) > ON_PAGE else ""
        first = rows.head(ON_PAGE).assign(detail=lambda found: found["detail"].map(minus))
        listed = first[["track_id", "path", "detail"]].itertuples(index=False)
        sections.append((problem, _name(problem), more, table(("track", "path", "detail"), listed)))
    return render_page(
        out,
        "audit.html.j2",
        title="Audit of a collection",
        lede=audit.sentence,
        contents=[(problem, _name(problem)) for problem in counts.index],
        counts=table(("problem", "rows", "meaning"), summary) if summary else "",
        sections=sections,
    )


def _name(problem: str) -> str:
    return problem.replace("_", " ")


def _by_problem(audit: Audit) -> list[tuple[str, pd.DataFrame]]:
    return [(problem, audit.rows[audit.rows["problem"] == problem]) for problem in audit.counts.index]
