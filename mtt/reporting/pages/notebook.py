"""Executed notebooks as pages that need no network, and what of their cells a reader gets to see.

Conventions: a page shows results, not the machinery: no error stream, no progress bars, no widget that has no kernel. Markdown cells and
HTML outputs are the study's own and pass through, scripts included. Markdown that code displays carries data of others.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import nbformat
from markupsafe import Markup, escape
from nbconvert.filters import ansi2html
from nbformat import NotebookNode

from mtt.files import MttError
from mtt.reporting.pages.frame import Page, render_page
from mtt.reporting.pages.markdown import foreign_html, own_html

log = logging.getLogger(__name__)
MAX_PAGE_BYTES = 3_000_000  # a larger page is written all the same, with a warning to whoever wrote its notebook
WIDGET = "application/vnd.jupyter.widget-view+json"
NOTE = '<p class="note">A control stands here in JupyterLab; <a href="explorer.html">the explorer</a> shows the same models without.</p>'


@dataclass(frozen=True)
class Shown:
    """A cell as a reader sees it: prose, or code that is folded away with what it gave."""

    prose: str = ""
    code: str = ""
    outputs: Sequence[str] = ()


def render_notebook(notebook: str | Path, out: str | Path, pages: Sequence[Page], provenance: Mapping) -> Path:
    """Write an executed notebook as the page ``out``, named after one of ``pages``; its path.

    The log warns of a page above ``MAX_PAGE_BYTES``. Raises ``MttError`` for no notebook.
    """
    notebook, out = Path(notebook), Path(out)
    current = {page.slug: page for page in pages}[out.stem]
    try:
        content = nbformat.read(notebook, as_version=4)
    except (nbformat.reader.NotJSONError, nbformat.ValidationError) as error:
        raise MttError(f"{notebook}: not a notebook ({str(error).splitlines()[0]}); execute it again") from error
    if opening := next((cell for cell in content.cells if cell.cell_type == "markdown"), None):  # the page's header has title and question
        opening.source = re.sub(r"\A\s*#[ \t]+[^\n]*", "", opening.source).replace(current.question, "", 1)
    contents: list[tuple[str, str]] = []
    cells = list(_shown_cells(content, contents))
    start = next((place for place, cell in enumerate(cells) if "<h2" in cell.prose), len(cells))
    page = render_page(
        out,
        "notebook.html.j2",
        opening=cells[:start],
        cells=cells[start:],
        title=current.title,
        lede=current.question,
        pages=pages,
        contents=contents,
        provenance=provenance,
    )
    if (size := page.stat().st_size) > MAX_PAGE_BYTES:
        message = "%s: %.1f MB, more than the %.1f MB a page should have; shorten its sounds or drop figures"
        log.warning(message, page.name, size / 1e6, MAX_PAGE_BYTES / 1e6)
    return page


def _shown_cells(notebook: NotebookNode, contents: list[tuple[str, str]]) -> Iterator[Shown]:
    """The cells that have anything to show, as HTML; code that gave nothing is folded away with the code after it."""
    silent = ""
    for cell in notebook.cells:
        source = cell.source.strip()
        if cell.cell_type == "markdown" and source:
            if silent:
                yield Shown(code=silent)
                silent = ""
            yield Shown(prose=own_html(source, contents))
        elif cell.cell_type == "code":
            silent += source and f"<pre>{escape(source)}</pre>\n"
            outputs = [html for output in cell.outputs if (html := _output(output))]
            if outputs:
                yield Shown(code=silent, outputs=outputs)
                silent = ""
    if silent:
        yield Shown(code=silent)


def _output(output: NotebookNode) -> str:
    """One output in the best form that it has; empty where a reader has no use for it."""
    if output.output_type == "stream":
        # A terminal shows what follows the last carriage return; progress bars count on that.
        text = re.sub(r"[^\n]*\r(?!\n)", "", output.text.replace("\r\n", "\n"))
        return _text(text) if output.name == "stdout" and text.strip() else ""
    if output.output_type == "error":
        return _text("\n".join(output.traceback), " error")
    data = output.data
    if WIDGET in data:
        return "" if "%|" in data.get("text/plain", "") else NOTE  # tqdm's bar
    if html := data.get("text/html") or data.get("image/svg+xml"):
        return html
    if "text/markdown" in data:
        said = foreign_html(data["text/markdown"])
        return said and f'<div class="prose">{said}</div>'
    if picture := data.get("image/png"):
        alt = output.metadata.get("image/png", {}).get("alt", "")
        return Markup('<img src="data:image/png;base64,{}" alt="{}">').format(picture.strip(), alt)
    return _text(data["text/plain"]) if "text/plain" in data else ""


def _text(text: str, kind: str = "") -> str:
    return f'<pre class="text{kind}">{ansi2html(text)}</pre>'
