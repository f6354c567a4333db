"""Executed notebooks as pages that need no network.

Conventions: formulas (``$…$``, ``$$…$$`` in Markdown) become MathML when the page is made. A ``$`` opens a formula only
if a non-space follows, and closes it only if a non-space precedes and no digit follows (Pandoc's rule), so that prices
stay prices.

What is trusted: Markdown cells and HTML outputs are the study's own and pass through, scripts included. Markdown that
code displays carries data, so raw HTML in it is shown as text. Titles, settings and provenance are escaped.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

import jinja2
import nbformat
from markupsafe import Markup, escape
from nbconvert.exporters import HTMLExporter
from nbconvert.filters.markdown_mistune import IPythonRenderer, MarkdownWithMath, MathBlockParser, MathInlineParser
from traitlets.config import Config

from mtt.reporting.pages.cells import OUTPUT_TYPES, prepare_notebook, tidy_tables
from mtt.reporting.pages.formulas import formula
from mtt.reporting.pages.frame import MAX_PAGE_BYTES, TEMPLATES, Heading, Page, render_page

__all__ = ["MAX_PAGE_BYTES", "Heading", "Page", "render_notebook", "render_page"]


def render_notebook(notebook: Path, out: Path, pages: Sequence[Page], provenance: Mapping) -> Path:
    """Write an executed notebook as one offline HTML page.

    ``out`` must be named after one of ``pages`` (``<slug>.html``). ``provenance`` is shown in the footer: the ``study``
    part of ``results.json``, any key may be missing. Controls link to ``explorer.html`` if it stands beside ``out``. Returns ``out``.
    Raises ``ValueError`` for a file that is no notebook or a name that is no page.
    """
    notebook, out = Path(notebook), Path(out)
    current = next((page for page in pages if page.slug == out.stem), None)
    if current is None:
        known = ", ".join(f"{page.slug}.html" for page in pages) or "none"
        raise ValueError(f"{out}: not the name of a page of this study ({known}); name the file after its page")
    try:
        content = nbformat.read(notebook, as_version=4)
    except (nbformat.reader.NotJSONError, nbformat.ValidationError) as error:
        raise ValueError(f"{notebook}: not a notebook ({str(error).splitlines()[0]}); execute it again") from error
    exporter = _NotebookExporter()
    prepared = prepare_notebook(content, explorer=out.with_name("explorer.html").exists())
    body, _ = exporter.from_notebook_node(prepared, {"metadata": {"path": str(notebook.parent)}})
    opening = next((cell.source for cell in content.cells if cell.cell_type == "markdown"), "")
    return render_page(
        out,
        body=Markup(body),
        title=current.title,
        lede="" if _plain(current.question) in _plain(opening) else current.question,
        description=current.question,
        pages=pages,
        contents=exporter.contents,
        provenance=provenance,
        folded_code=any(cell.cell_type == "code" and cell.source.strip() for cell in prepared.cells),
    )


class _NotebookExporter(HTMLExporter):
    """nbconvert's exporter with our body template and Markdown; collects the headings it meets in ``contents``."""

    def __init__(self, **kwargs):
        config = Config({"NbConvertBase": {"display_data_priority": list(OUTPUT_TYPES)}})
        super().__init__(template_name="notebook", extra_template_basedirs=[str(TEMPLATES)], config=config, **kwargs)
        self.contents: list[Heading] = []
        self.anchors: set[str] = {"main", "show-code", "contents-title"}

    def default_filters(self):
        yield from super().default_filters()
        yield "tidy_tables", tidy_tables
        yield "latex2html", lambda source: formula(source.strip().strip("$"), block=True)

    @jinja2.pass_context
    def markdown2html(self, context, source: str, trusted: bool = True) -> str:
        """Markdown as HTML, with MathML, anchored headings and boxed tables; raw HTML only if ``trusted``."""
        renderer = _Renderer(
            self,
            trusted,
            context.get("cell", {}).get("attachments", {}),
            context["resources"]["metadata"].get("path", ""),
        )
        return MarkdownWithMath(renderer, _BlockParser(), _InlineParser(hard_wrap=False)).render(source)


class _BlockParser(MathBlockParser):
    """A displayed formula starts its line; nbconvert's rule would take ``$$`` out of the middle of inline code."""

    SPECIFICATION = {
        **MathBlockParser.SPECIFICATION,
        "multiline_math": (
            r"(?s:^ {0,3}(?:\$\$.+?(?<!\\)\$\$"
            r"|\\begin\{(?P<math_env_name>[a-z]*\*?)\}.*?\\end\{(?P=math_env_name)\}))"
        ),
    }


class _InlineParser(MathInlineParser):
    """Pandoc's rule for the dollar sign, so that "from $5 to $10" is no formula; never across inline code."""

    SPECIFICATION = {
        **MathInlineParser.SPECIFICATION,
        "inline_math_tex": r"(?<![\\$A-Za-z])\$(?![\s$])(?P<math_inline_tex>(?:\\.|[^$`\\])+?)(?<![\s\\])\$(?![\d$])",
    }


class _Renderer(IPythonRenderer):
    def __init__(self, exporter: _NotebookExporter, trusted: bool, attachments: dict, path: str):
        super().__init__(
            escape=not trusted,
            allow_harmful_protocols=trusted,
            embed_images=trusted,
            attachments=attachments,
            path=path,
        )
        self.exporter = exporter

    def heading(self, text: str, level: int, **attrs) -> str:
        """A heading with an anchor; a page has one h1, its title, so others are taken down to h2."""
        level = max(level, 2)
        label = Markup(text).striptags()
        anchor = base = re.sub(r"[^\w]+", "-", label.lower()).strip("-") or "section"
        for number in range(2, 1000):
            if anchor not in self.exporter.anchors:
                break
            anchor = f"{base}-{number}"
        self.exporter.anchors.add(anchor)
        contents = self.exporter.contents
        if level == 2:
            contents.append(Heading(anchor, label))
        elif level == 3:
            (contents[-1].parts if contents else contents).append(Heading(anchor, label))
        link = f'<a class="anchor" href="#{anchor}" aria-label="Link to this section">#</a>' if level < 4 else ""
        return f'<h{level} id="{anchor}">{text}{link}</h{level}>\n'

    def table(self, text: str) -> str:
        return f'<div class="table-box" role="region" aria-label="Table" tabindex="0"><table>\n{text}</table></div>\n'

    def block_math(self, body: str) -> str:
        return formula(body, block=True)

    def inline_math(self, body: str) -> str:
        return formula(body, block=False)

    def latex_environment(self, name: str, body: str) -> str:
        return formula(body if name.startswith("equation") else f"\\begin{{{name}}}{body}\\end{{{name}}}", block=True)

    def image(self, text: str, url: str, title: str | None = None) -> str:
        """A picture from a file or an attachment; one from the network would stay empty, so it becomes a link."""
        if re.match(r"(?i)(https?:)?//", url):
            return f'<a href="{escape(url)}">{escape(text or url)}</a>'
        return super().image(text, url, title)


def _plain(text: str) -> str:
    return re.sub(r"\W+", " ", text).strip().lower()
