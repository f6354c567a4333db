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
from mtt.files import write_whole
from mtt.reporting.pages.frame import Heading, environment, render_page

ON_TERMINAL, ON_PAGE = 20, 500  # problems shown of a kind


def audit_text(audit: Audit) -> str:
    """The audit as text: a line in all, a table of counts, and the first problems of each kind."""
    lines = [_printable(audit.sentence)]
    counts = audit.counts
    width = max(map(len, counts.index), default=0)
    lines += [f"  {row.rows:>7,}  {row.Index:<{width}}  {row.meaning}" for row in counts.itertuples()]
    for problem, rows in _by_problem(audit):
        lines += ["", f"{problem} ({len(rows):,})"]
        shown = rows.head(ON_TERMINAL)
        names = [_printable(row.track_id if row.track_id == row.path else f"{row.track_id}  {row.path}") for row in shown.itertuples()]
        width = min(60, max(map(len, names)))
        lines += [f"  {name:<{width}}  {_printable(detail)}" for name, detail in zip(names, shown["detail"], strict=True)]
        if len(rows) > len(shown):
            lines.append(f"  ... and {len(rows) - len(shown):,} more; a report (--out report.csv) lists all")
    return "\n".join(lines)


def write_audit(audit: Audit, out: Path) -> Path:
    """Write the audit to ``out``, a ``.csv`` or a ``.html`` file, whole or not at all. Raises ``ValueError`` for another ending."""
    out = Path(out)
    if out.suffix == ".csv":
        write_whole(out, audit.rows.to_csv(index=False, lineterminator="\n").encode())
    elif out.suffix == ".html":
        _write_page(audit, out)
    else:
        raise ValueError(f"{out}: an audit is written as .csv or .html; give the file one of these endings")
    return out


def _write_page(audit: Audit, out: Path) -> None:
    counts = audit.counts
    largest = counts["rows"].max()
    summary = [(row.Index, row.rows, 100 * row.rows / largest, row.meaning) for row in counts.itertuples()]
    sections = [(problem, len(rows), rows.head(ON_PAGE).to_dict("records")) for problem, rows in _by_problem(audit)]
    body = environment().get_template("audit.html.j2").render(summary=summary, sections=sections)
    render_page(
        out,
        title="Audit of a collection",
        lede=audit.sentence,
        description=audit.sentence,
        contents=[Heading(problem, problem.replace("_", " ")) for problem, *_ in sections],
        body=Markup(body),  # the template has escaped what it was given
    )


def _by_problem(audit: Audit) -> list[tuple[str, pd.DataFrame]]:
    return [(problem, audit.rows[audit.rows["problem"] == problem]) for problem in audit.counts.index]


def _printable(text: str) -> str:
    return "".join(letter if letter.isprintable() else "\N{REPLACEMENT CHARACTER}" for letter in text)
