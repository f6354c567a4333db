"""Figures of a split: how evenly the sets share each tag, for one split and from method to method.

Conventions: a share lies in 0–1 in the data; its distance from the target is drawn in percentage points.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from matplotlib.ticker import FuncFormatter

from mtt.reporting.figures.draw import Picture, beside, dots, figure, legend, row_canvas, signed_axis
from mtt.reporting.figures.style import BLUE, FAINT, INK, VERMILLION
from mtt.reporting.numbers import listed

LEAST_DEVIATION = 1e-4  # smaller deviations are drawn here, so that the axis can be logarithmic
MOST_TAGS = 30  # in the figure of shares
SET_STYLES = {"train": ("#22313F", "o"), "valid": ("#5F7D95", "s"), "test": ("#9DB4C4", "D")}  # shade, marker


@figure
def split_deviation(deviations: Mapping[str, Sequence[float]]) -> Picture:
    """A strip of |share − target| for each method (one dot for a tag in a set), its mean marked; the best method first."""
    title = "How far each set's share of a tag lies from its target"
    values = {method: np.abs(row) for method, row in sorted(deviations.items(), key=lambda item: (np.mean(np.abs(item[1])), item[0]))}
    sheet, axes = row_canvas(title, list(values), per_row=0.5)
    for row, found in enumerate(values.values()):
        heights = row + 0.22 * np.cos(np.arange(found.size) * 2.39996)  # a fixed spread by the golden angle
        look = {"markersize": 3.4, "color": BLUE, "alpha": 0.35, "markeredgewidth": 0}
        axes.plot(np.maximum(found, LEAST_DEVIATION), heights, "o", **look)
        axes.plot([max(found.mean(), LEAST_DEVIATION)] * 2, [row - 0.34, row + 0.34], color=VERMILLION, linewidth=2.4)
        beside(axes, row, f"mean {100 * found.mean():.2f}", VERMILLION)
    largest = max(found.max() for found in values.values())
    axes.set_xscale("log")
    axes.set_xlim(LEAST_DEVIATION * 0.8, max(1.3 * largest, 10 * LEAST_DEVIATION))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{'≤ ' if value <= LEAST_DEVIATION else ''}{100 * value:g}"))
    axes.set_xlabel("|share − target| of one tag in one set (percentage points)")
    numbers = listed(f"{method} mean {100 * found.mean():.2f}, largest {100 * found.max():.2f}" for method, found in values.items())
    return Picture(sheet, f"Strip plot, {title}, in percentage points: {numbers}.")


@figure
def split_shares(shares: pd.DataFrame, targets: Mapping[str, float]) -> Picture:
    """How far each tag's share in each set (``shares``: index tag, one column a set) lies from the set's target; the worst tag first."""
    off = 100 * (shares[list(targets)] - pd.Series(targets))
    worst = off.abs().max(axis=1).sort_values(ascending=False, kind="stable")
    order = list(worst.index[:MOST_TAGS])
    which = f"the {len(order)} of {len(worst)} tags that deviate most" if len(order) < len(worst) else "every tag"
    title = f"Share of {which} in each set, against the target"
    sheet, axes = row_canvas(title, order, per_row=0.235, extra=1.5)
    signed_axis(axes)
    axes.grid(axis="y", visible=True, color=FAINT)
    for name, target in targets.items():
        shade, marker = SET_STYLES[name]
        points = off.loc[order, [name]].set_axis(["estimate"], axis=1)
        dots(axes, points, range(len(order)), shade, marker, size=6, edge=INK, label=f"{name} (target {target:.0%})")
    limit = 1.1 * max(worst.iloc[0], 0.5)
    axes.set_xlim(-limit, limit)
    axes.set_xlabel("share of the tag's tracks − target (percentage points)")
    legend(axes)
    numbers = listed((f"{tag} " + ", ".join(f"{name} {shares.at[tag, name]:.1%}" for name in targets) for tag in order), 10)
    return Picture(sheet, f"Dot plot, {title}: largest deviation {worst.iloc[0]:.1f} percentage points ({worst.index[0]}). {numbers}.")
