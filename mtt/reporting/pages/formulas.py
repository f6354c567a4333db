"""LaTeX formulas as MathML, which browsers draw without a script or a font from the network."""

from __future__ import annotations

import logging
import re
import xml.etree.ElementTree as ElementTree

from latex2mathml.converter import convert
from markupsafe import escape

log = logging.getLogger(__name__)

# latex2mathml copies these two unescaped inside \text{…}; private-use characters stand in for them meanwhile.
_STAND_INS = {"<": "\ue000", ">": "\ue001"}


def formula(latex: str, block: bool) -> str:
    """MathML of one formula without its dollar signs; ``block`` puts it on a line of its own.

    A formula that latex2mathml cannot read, or a command that it does not know, is shown as its source, with a
    warning in the log.
    """
    source = " ".join(latex.split())
    text = source
    for character, stand_in in _STAND_INS.items():
        text = text.replace(character, stand_in)
    try:
        mathml = convert(text, display="block" if block else "inline")
        for character, stand_in in _STAND_INS.items():
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
