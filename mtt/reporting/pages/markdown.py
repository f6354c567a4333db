"""Markdown as HTML that needs no network: formulas as MathML, headings with anchors, tables in boxes.

Conventions: a ``$`` opens a formula only if neither space follows nor a digit precedes, and closes it only if neither space precedes nor
a digit follows, so that prices stay prices. ``$$`` stands on lines of its own.
"""

from __future__ import annotations

import logging
import re
import xml.etree.ElementTree as ElementTree

from latex2mathml.converter import convert
from markdown_it import MarkdownIt
from markupsafe import Markup, escape
from mdit_py_plugins.anchors.index import slugify, unique_slug
from mdit_py_plugins.dollarmath import dollarmath_plugin
from mdit_py_plugins.dollarmath.index import math_inline_dollar

log = logging.getLogger(__name__)

dollars = math_inline_dollar(allow_space=False, allow_digits=False, allow_double=True)
# latex2mathml copies these two unescaped inside \text{…}; private-use characters stand in for them meanwhile.
STAND_INS = {"<": "\ue000", ">": "\ue001"}


class Markdown:
    """Writes the Markdown of one page; ``contents`` are anchors and texts of the headings met so far."""

    def __init__(self):
        self.contents: list[tuple[str, str]] = []
        self._anchors = {"main", "show-code", "contents-title"}  # the page's own
        self._parser = MarkdownIt("commonmark").enable(["table", "strikethrough"])
        dollarmath_plugin(self._parser, allow_labels=False)
        self._parser.inline.ruler.at("math_inline", _formula_without_code)
        self._parser.core.ruler.push("headings", self._name_headings)
        self._parser.renderer.rules |= {
            "math_inline": lambda tokens, place, *_: formula(tokens[place].content),
            **dict.fromkeys(("math_inline_double", "math_block"), lambda tokens, place, *_: formula(tokens[place].content, block=True)),
            "table_open": lambda *_: '<div class="table-box"><table>\n',
            "table_close": lambda *_: "</table></div>\n",
        }

    def html(self, source: str, trusted: bool = True) -> Markup:
        """``source`` as HTML; raw HTML in it only if it is ``trusted``."""
        self._parser.options["html"] = trusted
        return Markup(self._parser.render(source))

    def _name_headings(self, state) -> None:
        """A page has one h1, its title, so others are taken down to h2, which are listed."""
        for opening, text, closing in zip(state.tokens, state.tokens[1:], state.tokens[2:], strict=False):
            if opening.type != "heading_open":
                continue
            opening.tag = closing.tag = max(opening.tag, "h2")
            name = "".join(child.content for child in text.children if not child.type.startswith("html"))
            anchor = unique_slug(slugify(name) or "section", self._anchors)
            opening.attrSet("id", anchor)
            link = Markup(' <a class="anchor" href="#{}" aria-label="Link to {}">#</a>').format(anchor, name)
            text.children.append(type(text)("html_inline", "", 0, content=link))
            if opening.tag == "h2":
                self.contents.append((anchor, name))


def _formula_without_code(state, silent: bool) -> bool:
    """The rule of dollar signs, but from a price to a dollar in inline code there is no formula."""
    start = state.pos
    found = dollars(state, True) and "`" not in state.src[start : state.pos]
    state.pos = start
    return found and dollars(state, silent)


def formula(latex: str, block: bool = False) -> str:
    """MathML of one formula without its dollar signs, ``block`` on a line of its own; its source, with a warning, if it cannot be read."""
    text = source = " ".join(latex.split())
    for character, stand_in in STAND_INS.items():
        text = text.replace(character, stand_in)
    try:
        mathml = convert(text, display="block" if block else "inline")
        for character, stand_in in STAND_INS.items():
            mathml = mathml.replace(f"<mi>{stand_in}</mi>", f"<mo>{escape(character)}</mo>").replace(stand_in, escape(character))
        ElementTree.fromstring(mathml)
        readable = "\\" not in mathml  # an unknown command is passed through by name
    except Exception:  # the converter raises a dozen unrelated types, IndexError among them
        readable = False
    if not readable:
        log.warning("formula %r cannot be turned into MathML; it is shown as LaTeX", source)
        return f"<code>{escape(source)}</code>"
    mathml = re.sub(r'(?:<mi mathvariant="normal">\w</mi>){2,}', _joined, mathml)
    mathml = mathml.replace("<math ", f'<math alttext="{escape(source)}" ', 1)
    return f'<span class="formula">{mathml}</span>\n' if block else mathml


def _joined(run: re.Match) -> str:
    """One identifier from the single letters of ``\\mathrm{softmax}``, so that it is read and copied as a word."""
    return "<mi>" + "".join(re.findall(r">(\w)<", run[0])) + "</mi>"
