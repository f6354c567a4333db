"""Markdown as HTML that needs no network: formulas as MathML, headings with anchors, tables in boxes.

Conventions: a notebook's own text may hold raw HTML and formulas, ``$…$`` in a line and ``$$…$$`` on lines of its own. Text that code
displays carries data of others: in it HTML is shown as text, and a dollar is a dollar.
"""

from __future__ import annotations

from collections.abc import Mapping

from latex2mathml.converter import convert
from markdown_it import MarkdownIt
from markupsafe import Markup, escape
from mdit_py_plugins.anchors import anchors_plugin
from mdit_py_plugins.dollarmath import dollarmath_plugin


def _parser(raw: bool) -> MarkdownIt:
    parser = MarkdownIt("commonmark", {"html": raw}).enable(["table", "strikethrough"])
    parser.renderer.rules["table_open"] = lambda *_: '<div class="table-box"><table>\n'
    parser.renderer.rules["table_close"] = lambda *_: "</table></div>\n"
    return parser


def _formula(latex: str, how: Mapping) -> str:
    mathml = convert(latex, display="block" if how["display_mode"] else "inline")
    return mathml.replace("<math ", f'<math alttext="{escape(" ".join(latex.split()))}" ', 1)


OWN = _parser(raw=True).use(anchors_plugin).use(dollarmath_plugin, allow_labels=False, renderer=_formula)
FOREIGN = _parser(raw=False)


def own_html(source: str, contents: list[tuple[str, str]]) -> Markup:
    """A notebook's text as HTML; anchors and texts of its headings are added to ``contents``."""
    tokens = OWN.parse(source)
    contents += [(one.attrGet("id"), text.content) for one, text in zip(tokens, tokens[1:], strict=False) if one.tag == "h2" and one.attrs]
    return Markup(OWN.renderer.render(tokens, OWN.options, {}))


def foreign_html(source: str) -> Markup:
    """Text that code displays as HTML."""
    return Markup(FOREIGN.render(source))
