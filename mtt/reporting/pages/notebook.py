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
    if opening := next((cell for cell in content.cells if cell.cell_type == "markdown"), None):  # the page's header has title and question
        opening.source = re.sub(r"\A\s*#[ \t]+[^\n]*", "", opening.source).replace(current.question, "", 1)
    markdown = Markdown()
    cells = list(shown_cells(content, markdown, explorer=out.with_name("explorer.html").exists()))
    start = next((place for place, cell in enumerate(cells) if "<h2" in cell.prose), len(cells))
    return render_page(
        out,
        "notebook.html.j2",
        opening=cells[:start],
        cells=cells[start:],
        title=current.title,
        lede=current.question,
        description=current.question,
        pages=pages,
        contents=markdown.contents,
        provenance=provenance,
        folded_code=any(cell.code for cell in cells),
    )
