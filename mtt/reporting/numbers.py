"""Numbers and lists as text, for every page and every figure.

Conventions: a minus is "−" (U+2212), never a hyphen; a zero has no sign; commas part thousands; an interval is "[low, high]".
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable


def number(value: float, digits: int | None = 3, sign: bool = False) -> str:
    """``value`` with ``digits`` decimals, or with as many as it needs (None); ``sign`` puts a plus before what is above zero."""
    text = f"{round(abs(value), 12):g}" if digits is None else f"{abs(value):,.{digits}f}"
    if not text.strip("0.,"):
        return text
    return ("−" if value < 0 else "+" if sign else "") + text


def signed(value: float, digits: int | None = 4) -> str:
    """A difference: "+0.0123", "−0.0123" or "0.0000"."""
    return number(value, digits, sign=True)


def interval(low: float, high: float, digits: int | None = 3, sign: bool = False) -> str:
    """ "[0.905, 0.919]"."""
    return f"[{number(low, digits, sign)}, {number(high, digits, sign)}]"


def with_interval(value: float, low: float, high: float, digits: int | None = 3, sign: bool = False) -> str:
    """ "0.912 [0.905, 0.919]"; the number alone where a bound is NaN."""
    return " ".join([number(value, digits, sign), *([] if math.isnan(low + high) else [interval(low, high, digits, sign)])])


def minus(text: str) -> str:
    """``text`` of others whose negative numbers begin with a hyphen."""
    return re.sub(r"(?<=\s)-(?=\d)", "−", text)


def counted(amount: int, noun: str) -> str:
    """ "1 track", "12,345 tracks"; ``noun`` takes an s."""
    return f"{amount:,} {noun}{'' if amount == 1 else 's'}"


def listed(items: Iterable[str], most: int | None = None) -> str:
    """ "a; b; c", or "a; b; and 1 more" where there are more than ``most``."""
    items = list(items)
    rest = len(items) - (len(items) if most is None else most)
    return "; ".join([*items[:most], f"and {rest:,} more"] if rest > 0 else items)


def joined(parts: Iterable[str], word: str = "and") -> str:
    """ "a", "a and b", "a, b and c"; nothing for no parts."""
    *first, last = [*parts] or [""]
    return f"{', '.join(first)} {word} {last}" if first else last


def duration(seconds: float) -> str:
    """ "4.3 s", "4 min 12 s", "3 h 01 min"."""
    if seconds < 60:
        return f"{seconds:.1f} s" if seconds < 10 else f"{seconds:.0f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest:02d} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60:02d} min"
