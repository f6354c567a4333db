"""What of an executed notebook's cells a reader gets to see.

Conventions: a page shows results, not the machinery: no error stream, no progress bars, no widget that has no kernel; the ``parameters``
cell becomes a table with the values of this run. What is trusted: Markdown cells and HTML outputs are the study's own and pass through,
scripts included. Markdown that code displays carries data, so raw HTML in it is shown as text.
"""

from __future__ import annotations

import ast
import base64
import re
from collections.abc import Iterator
from dataclasses import dataclass

import papermill
from markupsafe import Markup
from nbconvert.filters import Highlight2HTML, ansi2html
from nbformat import NotebookNode

from mtt.reporting.pages.markdown import Markdown, data_address, formula
from mtt.reporting.pages.table import table

WIDGET = "application/vnd.jupyter.widget-view+json"
WIDGET_NOTE = "An interactive control stands here when the notebook runs in JupyterLab{}."
TO_EXPLORER = Markup('; <a href="explorer.html">the explorer</a> does the same without Python')  # where the study has that page
PICTURES = ("image/svg+xml", "image/png", "image/jpeg")


@dataclass(frozen=True)
class Shown:
    """A cell as a reader sees it: prose, or code that is folded away with what it gave."""

    prose: Markup = Markup()
    code: Markup = Markup()
    outputs: tuple[Markup, ...] = ()


def shown_cells(notebook: NotebookNode, markdown: Markdown, explorer: bool = False) -> Iterator[Shown]:
    """The cells that have anything to show, but for the page's title, which its header has.

    A control becomes a note, with a link to ``explorer.html`` where the study has that page (``explorer``).
    """
    note = Markup('<p class="note">{}</p>').format(Markup(WIDGET_NOTE).format(TO_EXPLORER if explorer else ""))
    highlighted = Highlight2HTML(pygments_lexer="python3")
    titled = False
    for cell in notebook.cells:
        tags = cell.metadata.get("tags", ())
        source = cell.source.strip()
        if cell.cell_type == "markdown":
            source = source if titled else re.sub(r"\A#[ \t]+[^\n]*", "", source)
            titled = True
            if source:
                yield Shown(prose=markdown.html(_with_attachments(source, cell)))
        elif cell.cell_type == "code" and "injected-parameters" not in tags:
            outputs = [html for output in cell.outputs if (html := output_html(output, markdown, note))]
            if "parameters" in tags:
                outputs[:0] = settings(notebook)
            if source or outputs:
                yield Shown(code=Markup(highlighted(source)) if source else Markup(), outputs=tuple(outputs))


def _with_attachments(source: str, cell: NotebookNode) -> str:
    for name, bundle in cell.get("attachments", {}).items():
        for mime, data in bundle.items():
            source = source.replace(f"attachment:{name}", f"data:{mime};base64,{data}")
    return source


def output_html(output: NotebookNode, markdown: Markdown, note: str) -> str:
    """One output in the best form that it has; empty where a reader has no use for it."""
    if output.output_type == "stream":
        # A terminal shows what follows the last carriage return; progress bars count on that.
        text = re.sub(r"[^\n]*\r(?!\n)", "", output.text.replace("\r\n", "\n"))
        return _text(text) if output.name == "stdout" and text.strip() else ""
    if output.output_type == "error":
        return _text("\n".join(output.traceback), " error")
    data = output.data
    if WIDGET in data:
        return "" if "%|" in data.get("text/plain", "") else note  # tqdm's bar
    if "text/html" in data:
        return Markup(data["text/html"])
    if "text/markdown" in data:
        said = markdown.html(data["text/markdown"], trusted=False)
        return said and Markup('<div class="prose">{}</div>').format(said)
    for mime in PICTURES:
        if mime in data:
            picture = data[mime].encode() if "svg" in mime else base64.b64decode(data[mime])
            alt = output.metadata.get(mime, {}).get("alt", "")
            return Markup('<img src="{}" alt="{}">').format(data_address(mime, picture), alt)
    if "text/latex" in data:
        return Markup(formula(data["text/latex"].strip().strip("$"), block=True))
    return _text(data["text/plain"]) if "text/plain" in data else ""


def _text(text: str, kind: str = "") -> Markup:
    return Markup('<pre class="text{}">{}</pre>').format(kind, Markup(ansi2html(text)))


def settings(notebook: NotebookNode) -> list[Markup]:
    """The ``parameters`` cell as a folded table with the values that papermill injected; nothing where it holds no parameters."""
    known = papermill.inspect_notebook(notebook).values()
    if not known:
        return []
    given = notebook.metadata.get("papermill", {}).get("parameters", {})
    rows, changed = [], 0
    for parameter in known:
        usual = ast.literal_eval(parameter["default"])
        value = given.get(parameter["name"], usual)
        mark = Markup(' <span class="changed">set for this run</span>') if value != usual else ""
        changed += value != usual
        code = Markup("<code>{}</code>")
        rows.append((code.format(parameter["name"]), code.format(repr(value)) + mark, parameter["help"]))
    summary = f"settings of this page, {changed} set for this run" if changed else "settings of this page"
    content = table(("setting", "value", "meaning"), rows)
    return [Markup('<details class="settings"><summary>{}</summary>{}</details>').format(summary, content)]
