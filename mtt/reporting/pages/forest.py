"""Claims as a forest plot: where each mark, interval and margin stands.

Conventions: positions are percentages of the plot's width, rounded to 0.01; effects of one metric share one axis, and
different metrics get a panel each. Numbers that are missing or not finite are None and are not drawn.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

SIDE = 4.0  # per cent of the width kept free on both sides


def number(value: object) -> float | None:
    """``value`` as a finite float, or None: results may be partial, and JSON has no NaN."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        return None
    return float(value)


def interval(value: object) -> tuple[float, float] | None:
    """``[low, high]`` as two floats in order, or None."""
    if not isinstance(value, list | tuple) or len(value) != 2:
        return None
    low, high = number(value[0]), number(value[1])
    return None if low is None or high is None else (min(low, high), max(low, high))


def seed_values(value: object) -> list[float]:
    """The effects of single trainings as floats; none where there is no list of them."""
    found = [number(item) for item in value] if isinstance(value, list | tuple) else []
    return [effect for effect in found if effect is not None]


def margin_values(rule: object, margin: object) -> list[float]:
    """The effects a claim's interval is compared with, where that is not zero.

    Equivalence is judged at both ``±margin``, the other rules at ``margin`` itself (see ``mtt.study.claims``).
    """
    border = number(margin)
    if not border:
        return []
    return [-abs(border), abs(border)] if rule == "equivalence" else [border]


def ticks(low: float, high: float, most: int = 6) -> list[float]:
    """At most ``most`` round values within [low, high], a multiple of 1, 2 or 5 apart, 0 among them if it is inside."""
    power = 10.0 ** math.floor(math.log10(high - low) - 1)
    for step in (factor * power for factor in (1, 2, 5, 10, 20, 50)):
        first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
        if last - first < most:
            return [round(i * step, 12) for i in range(first, last + 1)]
    return [0.0]


def signed(value: float, digits: int = 4) -> str:
    """``+0.0123`` or ``−0.0123``, with a true minus sign; zero has no sign."""
    text = f"{value:+.{digits}f}"
    return text[1:] if float(text) == 0 else text.replace("-", "−")


def forest_panels(claims: Sequence[Mapping]) -> list[dict]:
    """One panel for each metric among ``claims`` (as ``index.claim_rows`` makes them) that has anything to draw."""
    panels = []
    for metric in dict.fromkeys(claim["metric"] for claim in claims):
        rows = [claim for claim in claims if claim["metric"] == metric and claim["effect"] is not None]
        if rows:
            panels.append(_panel(metric, rows))
    return panels


def _panel(metric: str, claims: Sequence[Mapping]) -> dict:
    margins = [margin_values(claim["rule"], claim["margin"]) for claim in claims]
    values = [0.0, *(claim["effect"] for claim in claims), *(value for row in margins for value in row)]
    values += [value for claim in claims for value in (*(claim["interval"] or ()), *claim["by_seed"])]
    low, high = min(values), max(values)
    if high - low < 1e-6:
        low, high = low - 0.01, high + 0.01
    extent = high - low

    def place(value: float) -> float:
        return round(SIDE + (100 - 2 * SIDE) * (value - low) / extent, 2)

    marks = ticks(low, high)
    digits = max(len(f"{mark:.9f}".rstrip("0").partition(".")[2]) for mark in marks)
    rows = [
        {
            **claim,
            "x": place(claim["effect"]),
            "low": place(claim["interval"][0]) if claim["interval"] else None,
            "high": place(claim["interval"][1]) if claim["interval"] else None,
            "margins": [place(value) for value in row],
            "seed_marks": [place(value) for value in claim["by_seed"]],
        }
        for claim, row in zip(claims, margins, strict=True)
    ]
    return {
        "title": f"Measured effect of each claim with its 95 % interval: {metric or 'effect'}",
        "axis": f"difference in {metric}" if metric else "effect",
        "rows": rows,
        "ticks": [{"x": place(mark), "text": signed(mark, digits) if mark else "0"} for mark in marks],
    }
