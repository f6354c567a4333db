"""Figures of a split: how evenly the sets share each tag, for one split and from method to method.

Conventions: a share lies in 0–1 in the data; its distance from the target is drawn in percentage points.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from matplotlib.ticker import FuncFormatter

from mtt.reporting.figures.draw import checked, listed, name_rows, named, row_canvas, signed
from mtt.reporting.figures.picture import Picture
from mtt.reporting.figures.style import BLUE, FAINT, GREY, INK, SET_STYLES, VERMILLION, styled, text_colour

LEAST_DEVIATION = 1e-4  # smaller deviations are drawn here, so that the axis can be logarithmic


@styled
def split_deviation(
    deviations: Mapping[str, Sequence[float]],
    title: str = "How far each set's share of a tag lies from its target",
    caption: str = "",
) -> Picture:
    """A strip of |share − target| for each method (one dot for a tag in a set), its mean marked; the best method
    first.
    """
    values = {str(method): np.abs(np.asarray(row, float)).ravel() for method, row in named(deviations, "split_deviation").items()}
    for method, row in values.items():
        if row.size == 0 or not np.isfinite(row).all():
            raise ValueError(f"split_deviation: method {method!r} has no or non-finite deviations; drop tags without tracks")
    order = sorted(values, key=lambda method: (values[method].mean(), method))
    figure, axes = row_canvas(title, len(order), per_row=0.5)
    for row, method in enumerate(order):
        heights = row + 0.22 * np.cos(np.arange(values[method].size) * 2.39996)  # a fixed spread by the golden angle
        axes.plot(
            np.maximum(values[method], LEAST_DEVIATION),
            heights,
            "o",
            markersize=3.4,
            color=BLUE,
            alpha=0.35,
            markeredgewidth=0,
        )
        mean = values[method].mean()
        axes.plot([max(mean, LEAST_DEVIATION)] * 2, [row - 0.34, row + 0.34], color=VERMILLION, linewidth=2.4)
        axes.annotate(
            f"mean {100 * mean:.2f}",
            (1.02, row),
            xycoords=axes.get_yaxis_transform(),
            va="center",
            color=text_colour(VERMILLION),
        )
    name_rows(axes, order)
    largest = max(row.max() for row in values.values())
    axes.set_xscale("log")
    axes.set_xlim(LEAST_DEVIATION * 0.8, max(1.3 * largest, 10 * LEAST_DEVIATION))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{'≤ ' if value <= LEAST_DEVIATION else ''}{100 * value:g}"))
    axes.set_xlabel("|share − target| of one tag in one set (percentage points)")
    numbers = listed(f"{method} mean {100 * values[method].mean():.2f}, largest {100 * values[method].max():.2f}" for method in order)
    return Picture(figure, f"Strip plot, {title}, in percentage points: {numbers}.", caption)


@styled
def split_shares(
    shares: pd.DataFrame,
    targets: Mapping[str, float],
    top: int = 30,
    title: str | None = None,
    caption: str = "",
) -> Picture:
    """How far each tag's share in each set (``shares``: index tag, one column a set) lies from the set's target; the
    worst tag first.
    """
    sets = list(named(targets, "split_shares"))
    checked(shares, sets, "split_shares")
    off = 100 * (shares[sets] - pd.Series(targets))
    worst = off.abs().max(axis=1).sort_values(ascending=False, kind="stable")
    order = list(worst.index[:top])
    which = f"the {len(order)} of {len(worst)} tags that deviate most" if len(order) < len(worst) else "every tag"
    title = title or f"Share of {which} in each set, against the target"
    figure, axes = row_canvas(title, len(order), per_row=0.235, extra=1.5)
    axes.axvline(0, color=INK, linewidth=1)
    for row in range(len(order)):
        axes.axhline(row, color=FAINT, linewidth=0.6, zorder=0)
    for name in sets:
        shade, marker = SET_STYLES.get(name, (GREY, "o"))
        look = {"color": shade, "markeredgecolor": INK, "markeredgewidth": 0.6, "markersize": 6}
        axes.plot(off.loc[order, name], range(len(order)), marker, label=f"{name} (target {targets[name]:.0%})", **look)
    name_rows(axes, order)
    limit = 1.1 * max(worst.iloc[0], 0.5)
    axes.set_xlim(-limit, limit)
    axes.xaxis.set_major_formatter(FuncFormatter(signed))
    axes.set_xlabel("share of the tag's tracks − target (percentage points)")
    axes.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=len(sets), borderaxespad=0.2, handletextpad=0.1)
    numbers = listed((f"{tag} " + ", ".join(f"{name} {shares.loc[tag, name]:.1%}" for name in sets) for tag in order), 10)
    alt = f"Dot plot, {title}: largest deviation {worst.iloc[0]:.1f} percentage points ({worst.index[0]}). {numbers}."
    return Picture(figure, alt, caption)
