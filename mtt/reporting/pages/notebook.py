"""Executed notebooks as pages that need no network."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import nbformat
from markupsafe import Markup

from mtt.files import MttError
from mtt.reporting.pages.cells import shown_cells
from mtt.reporting.pages.frame import Page, environment, render_page
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
    markdown = Markdown(notebook.parent)
    cells = list(shown_cells(content, markdown, explorer=out.with_name("explorer.html").exists()))
    opening = next((cell.source for cell in content.cells if cell.cell_type == "markdown"), "")
    return render_page(
        out,
        body=Markup(environment().get_template("notebook.html.j2").render(cells=cells)),
        title=current.title,
        lede="" if current.question in opening else current.question,
        description=current.question,
        pages=pages,
        contents=markdown.contents,
        provenance=provenance,
        folded_code=any(cell.code for cell in cells),
    )
