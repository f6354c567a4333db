"""What of an executed notebook's cells a reader gets to see.

Conventions: a page shows results, not the machinery: no error stream, no progress bars, no widget that has no kernel;
the ``parameters`` cell becomes a table with the values of this run; numbers in tables stand right.
"""

from __future__ import annotations

import ast
import copy
import io
import re
import tokenize
from collections.abc import Mapping

import nbformat
from bs4 import BeautifulSoup
from nbformat import NotebookNode

from mtt.reporting.pages.frame import environment

OUTPUT_TYPES = (
    "text/html",
    "text/markdown",
    "image/svg+xml",
    "image/png",
    "image/jpeg",
    "text/latex",
    "text/plain",
)  # best first
WIDGET = "application/vnd.jupyter.widget-view+json"
WIDGET_NOTE = '<p class="note">An interactive control stands here when the notebook runs in JupyterLab.</p>'
EXPLORER_NOTE = (  # where the study has that page beside the notebook's
    '<p class="note">An interactive control stands here when the notebook runs in JupyterLab; '
    '<a href="explorer.html">the explorer</a> does the same without Python.</p>'
)


def prepare_notebook(notebook: NotebookNode, explorer: bool = False) -> NotebookNode:
    """A copy without what a reader has no use for: the error stream, progress bars, empty cells, the page's own title.

    A control becomes a note, with a link to ``explorer.html`` where the study has that page (``explorer``).
    The ``parameters`` cell gets a table of its settings as output, with the values papermill injected.
    """
    notebook = copy.deepcopy(notebook)
    notebook.metadata.pop("widgets", None)
    injected = {}
    for cell in notebook.cells:
        if "injected-parameters" in cell.metadata.get("tags", ()):
            injected = {name: value for name, value, _ in read_settings(cell.source)}
    cells = []
    for cell in notebook.cells:
        tags = cell.metadata.get("tags", ())
        if cell.cell_type == "code":
            cell.outputs = [
                kept for output in cell.outputs if (kept := _kept_output(output, EXPLORER_NOTE if explorer else WIDGET_NOTE)) is not None
            ]
            if "parameters" in tags:
                cell.outputs = _settings_output(cell.source, injected) + cell.outputs
        if "injected-parameters" not in tags and (cell.source.strip() or cell.get("outputs")):
            cells.append(cell)
    notebook.cells = cells
    first = next((cell for cell in cells if cell.cell_type == "markdown"), None)
    if first is not None:
        first.source = re.sub(r"\A\s*#[ \t]+[^\n]*\n?", "", first.source)  # the page's header has the title
    return notebook


def read_settings(source: str) -> list[tuple[str, str, str]]:
    """(name, value as Python text, comment on its line) of every plain assignment in a ``parameters`` cell."""
    tokens = tokenize.generate_tokens(io.StringIO(source).readline)
    try:
        comments = {token.start[0]: token.string.lstrip("#: ") for token in tokens if token.type == tokenize.COMMENT}
        statements = ast.parse(source).body
    except (SyntaxError, tokenize.TokenError):
        return []  # a cell with an IPython magic: it is shown as code, as any other
    found = []
    for node in statements:
        target = node.targets[0] if isinstance(node, ast.Assign) else node.target if isinstance(node, ast.AnnAssign) else None
        if isinstance(target, ast.Name) and node.value is not None:
            found.append((target.id, ast.unparse(node.value), comments.get(node.end_lineno, "")))
    return found


def tidy_tables(html: str) -> str:
    """Tables of an HTML output without pandas' own style: in a box that scrolls, columns of numbers aligned right."""
    if "<table" not in html or "<script" in html:
        return html
    soup = BeautifulSoup(html, "html.parser")
    for style in soup.select("style[scoped]"):
        style.decompose()
    for table in soup.find_all("table"):
        if "dataframe" in table.get("class", []):
            table.attrs = {"class": "dataframe"}
            for row in table.find_all("tr"):
                row.attrs.pop("style", None)
            _join_header(table)
            _align_numbers(table)
        table.wrap(soup.new_tag("div", attrs={"class": "table-box", "role": "region", "aria-label": "Table", "tabindex": "0"}))
    return str(soup)


def _join_header(table) -> None:
    """pandas gives the index's name a row of its own under the columns' names: put it beside them."""
    rows = table.select("thead tr")
    if len(rows) == 2:
        names = [cell.get_text(strip=True) for cell in rows[1].find_all("th")]
        first = rows[0].find("th")
        if names and names[0] and not any(names[1:]) and not first.get_text(strip=True):
            first.string = names[0]
            rows[1].decompose()


def _align_numbers(table) -> None:
    body = [row.find_all("td") for row in table.select("tbody tr")]
    head = [row.find_all("th") for row in table.select("thead tr")]
    for place in range(1, max((len(row) for row in body), default=0) + 1):  # from the right: a MultiIndex shortens rows on the left
        column = [row[-place] for row in body if len(row) >= place]
        texts = [text for cell in column if (text := cell.get_text(strip=True)) and text.lower() not in ("nan", "none", "–")]
        if texts and all(re.fullmatch(r"[\d\s.,+\-−–±%()\[\]eE×]*\d[\d\s.,+\-−–±%()\[\]eE×]*", text) for text in texts):
            for cell in column + [row[-place] for row in head if len(row) >= place]:
                cell["class"] = "num"


def _kept_output(output: NotebookNode, note: str) -> NotebookNode | None:
    if output.output_type == "stream":
        if output.name == "stderr":
            return None
        # A terminal shows what follows the last carriage return; progress bars count on that.
        output.text = re.sub(r"[^\n]*\r(?!\n)", "", output.text.replace("\r\n", "\n"))
        return output if output.text.strip() else None
    data = output.get("data")
    if data is not None and WIDGET in data:
        if "%|" in str(data.get("text/plain", "")):
            return None  # tqdm's bar
        output.data = NotebookNode({"text/html": note})
    elif data is not None and not set(data) & set(OUTPUT_TYPES):
        return None
    return output


def _settings_output(source: str, injected: Mapping[str, str]) -> list[NotebookNode]:
    settings = [
        {"name": name, "value": injected.get(name, value), "note": note, "changed": injected.get(name, value) != value}
        for name, value, note in read_settings(source)
    ]
    if not settings:
        return []
    changed = sum(setting["changed"] for setting in settings)
    noted = any(setting["note"] for setting in settings)
    html = environment().get_template("settings.html.j2").render(settings=settings, noted=noted, changed=changed)
    return [nbformat.v4.new_output("display_data", data={"text/html": html})]
