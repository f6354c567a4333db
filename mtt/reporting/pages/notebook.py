"""Executed notebooks as pages that need no network."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

import nbformat

from mtt.files import MttError
from mtt.reporting.pages.cells import shown_cells
from mtt.reporting.pages.frame import Page, render_page
from mtt.reporting.pages.markdown import Markdown


def render_notebook(notebook: str | Path, out: str | Path, pages: Sequence[Page], provenance: Mapping) -> Path:
    """Write an executed notebook as one offline HTML page; returns its path.

    ``out`` is named after one of ``pages`` (``<slug>.html``). ``provenance`` is shown in the footer: the ``study`` part of
    ``results.json``. Controls link to ``explorer.html`` if it stands beside ``out``. Raises ``MttError`` for a file that is no notebook.
    """
    notebook, out = Path(notebook), Path(out)
    current = {page.slug: page for page in pages}[out.stem]
    try:
        content = nbformat.read(notebook, as_version=4)
    except (nbformat.reader.NotJSONError, nbformat.ValidationError) as error:
        raise MttError(f"{notebook}: not a notebook ({str(error).splitlines()[0]}); execute it again") from error
    opening = next((cell for cell in content.cells if cell.cell_type == "markdown"), None)
    asked = opening is not None and current.question in opening.source
    if opening:
        opening.source = re.sub(r"\A\s*#[ \t]+[^\n]*", "", opening.source)  # the page's header has the title
    markdown = Markdown(notebook.parent)
    cells = list(shown_cells(content, markdown, explorer=out.with_name("explorer.html").exists()))
    return render_page(
        out,
        "notebook.html.j2",
        cells=cells,
        title=current.title,
        lede="" if asked else current.question,
        description=current.question,
        pages=pages,
        contents=markdown.contents,
        provenance=provenance,
        folded_code=any(cell.code for cell in cells),
    )
