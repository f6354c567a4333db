"""Figures of a collection and its split: tracks per tag, and how evenly the sets share each tag.

Conventions: a share lies in 0–1 in the data; its distance from the target is drawn in percentage points.
"""

from collections.abc import Mapping
from itertools import cycle

import pandas as pd
from matplotlib.ticker import MaxNLocator

from mtt.reporting.figures.draw import Picture, dots, figure, legend, row_canvas, signed_axis
from mtt.reporting.figures.style import BLUE, EDGE, FAINT, GREEN, GREY, INK, ORANGE, PURPLE, VERMILLION, text_colour
from mtt.reporting.numbers import listed

KIND_COLOURS = (BLUE, ORANGE, GREEN, PURPLE, VERMILLION, GREY)
MOST_TAGS = 30  # in the figure of shares
SET_STYLES = {"train": ("#22313F", "o"), "valid": ("#5F7D95", "s"), "test": ("#9DB4C4", "D")}  # shade, marker


@figure
def tag_counts(counts: pd.Series, kinds: Mapping[str, str] | None, total: int, true: pd.Series | None = None) -> Picture:
    """Horizontal bars, the most frequent tag first within its kind, with the percentage of the ``total`` tracks.

    Where it is known how many tracks truly have a tag, ``true``, those are pale bars behind, and the text is the share that is missing.
    """
    title, kinds = "Tracks per tag" if true is None else "Tracks per tag: written down (dark) and true (pale)", kinds or {}
    reach = counts if true is None else true
    order = sorted(counts.index, key=lambda tag: (kinds.get(tag, ""), -counts[tag], tag))
    shown = [kinds.get(tag, "") for tag in order]
    colours = dict(zip(sorted(set(shown)), cycle(KIND_COLOURS), strict=False))
    sheet, axes = row_canvas(title, order, per_row=0.235)
    if true is not None:
        axes.barh(range(len(order)), true[order], height=0.72, color=[colours[kind] for kind in shown], alpha=0.35)
    axes.barh(range(len(order)), counts[order], height=0.72, color=[colours[kind] for kind in shown])
    for row, tag in enumerate(order):
        text = f"{counts[tag]:,}  ({counts[tag] / total:.1%})"
        if true is not None:
            text = f"{counts[tag]:,} of {true[tag]:,}" + (f"  ({1 - counts[tag] / true[tag]:.0%} missing)" if true[tag] else "")
        axes.annotate(text, (reach[tag], row), (4, 0), textcoords="offset points", va="center", fontsize=8.5)
    for row, (kind, following) in enumerate(zip(shown, [*shown[1:], None], strict=True)):
        if kind != following:  # beside the shortest bar of its kind
            place = {"xy": (0.995, row), "xycoords": axes.get_yaxis_transform(), "ha": "right", "va": "center"}
            axes.annotate(kind, color=text_colour(colours[kind]), fontweight="bold", **place)
            if following is not None:
                axes.axhline(row + 0.5, color=EDGE, linewidth=0.8)
    axes.set_xlim(0, reach.max() * (1.3 if true is None else 1.5))
    axes.set_xlabel("tracks")
    axes.xaxis.set_major_locator(MaxNLocator(6, integer=True))
    numbers = listed(f"{tag} {count:,}" for tag, count in counts.sort_values(ascending=False, kind="stable").items())
    return Picture(sheet, f"Bar chart, {title}: {len(order)} tags, from {counts.max():,} to {counts.min():,} tracks. {numbers}.")


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
