"""Figures of a collection and its split: tags and how they meet, tracks per artist, durations, how evenly the sets share each tag.

Conventions: durations are in seconds; labels are (tracks, tags) of 0 and 1. A share lies in 0–1 in the data; its distance from the target
is drawn in percentage points.
"""

from collections.abc import Mapping, Sequence
from itertools import cycle

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator
from scipy.cluster.hierarchy import leaves_list, linkage

from mtt.reporting.figures.draw import DASHED, Picture, beside, canvas, dots, figure, heatmap, legend, row_canvas, signed_axis
from mtt.reporting.figures.style import BLUE, EDGE, FAINT, GREEN, GREY, INK, ORANGE, PURPLE, VERMILLION, text_colour
from mtt.reporting.numbers import listed

KIND_COLOURS = (BLUE, ORANGE, GREEN, PURPLE, VERMILLION, GREY)
MOST_TAGS = 30  # in a heatmap and in the figure of shares
LEAST_DEVIATION = 1e-4  # smaller deviations are drawn here, so that the axis can be logarithmic
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
def tag_cooccurrence(labels: np.ndarray, tags: Sequence[str]) -> Picture:
    """Heatmap of the percentage of the row tag's tracks that have the column tag, for the most frequent tags, similar tags side by side."""
    title = "Which tags come with which"
    chosen = [tag for tag in np.argsort(-labels.sum(axis=0), kind="stable")[:MOST_TAGS] if labels[:, tag].any()]
    together = labels[:, chosen].astype(np.float64).T @ labels[:, chosen]
    share = together / np.diag(together)[:, None]
    order = leaves_list(linkage(share, "average", optimal_ordering=True)) if len(chosen) > 1 else range(len(chosen))
    names = [str(tags[chosen[place]]) for place in order]
    shown = pd.DataFrame(100 * share[np.ix_(order, order)], names, names).where(~np.eye(len(names), dtype=bool))
    sheet, ((axes,),) = canvas(title, 1.6 + 0.2 * max(len(names), 12))
    texts = shown.map("{:.0f}".format) if len(names) <= 14 else None
    limit = float(np.nan_to_num(shown.max().max())) or 1.0
    heatmap(sheet, axes, shown, texts, "tracks of the row's tag that have the column's tag (%)", cmap="Blues", vmin=0, vmax=limit)
    axes.set_facecolor("#EEEEEE")
    axes.tick_params(axis="x", rotation=90)
    axes.tick_params(axis="y", rotation=0)
    pairs = shown.stack().sort_values(ascending=False, kind="stable")
    strongest = listed((f"{a} with {b} {value:.0f}%" for (a, b), value in pairs.items()), 8)
    return Picture(sheet, f"Heatmap, {title}: {len(names)} tags; tracks of the row's tag that have the column's. Strongest: {strongest}.")


@figure
def tracks_per_artist(counts: Sequence[int]) -> Picture:
    """How many artists have 1, 2, 3, … tracks, with the median."""
    title, values = "Tracks per artist", np.asarray(counts, dtype=int)
    wide = values.max() > 40
    edges = np.unique(np.round(np.geomspace(1, values.max() + 1, 25))) - 0.5 if wide else np.arange(0.5, values.max() + 1)
    median = f"median {np.median(values):g}"
    sheet, axes = _histogram(title, values, edges, median, xlabel="tracks of one artist", ylabel="artists")
    if wide:
        axes.set_xscale("log")
        axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    else:
        axes.xaxis.set_major_locator(MaxNLocator(10, integer=True))
    spans = f"between {values.min()} and {values.max()} tracks each, {median}"
    return Picture(sheet, f"Histogram, {title}: {values.size:,} artists with {values.sum():,} tracks; {spans}.")


@figure
def durations(seconds: Sequence[float]) -> Picture:
    """Histogram of durations in seconds, with the median."""
    title, values = "Length of the tracks", np.asarray(seconds, dtype=float)
    span = max(float(np.ptp(values)), 1.0)
    edges = np.linspace(max(0.0, values.min() - 0.05 * span), values.max() + 0.05 * span, 41)
    median = f"median {np.median(values):.1f} s"
    sheet, _ = _histogram(title, values, edges, median, xlabel="duration (s)", ylabel="tracks")
    spans = f"of {values.min():.1f} to {values.max():.1f} s, {median}, {values.sum() / 3600:.1f} hours in all"
    return Picture(sheet, f"Histogram, {title}: {values.size:,} tracks {spans}.")


def _histogram(title: str, values: np.ndarray, edges: np.ndarray, text: str, **labels: str) -> tuple[Figure, Axes]:
    """``values`` in bins, with ``text`` beside the line at their median."""
    sheet, ((axes,),) = canvas(title, 2.9)
    median = np.median(values)
    axes.hist(values, bins=edges, color=BLUE, edgecolor="white", linewidth=0.6)
    axes.axvline(median, color=INK, linestyle=DASHED, linewidth=1.2)
    side, shift = ("left", 5) if median < (edges[0] + edges[-1]) / 2 else ("right", -5)
    place = {"xycoords": axes.get_xaxis_transform(), "textcoords": "offset points", "ha": side, "va": "bottom"}
    axes.annotate(text, (median, 1), (shift, 2), **place)
    axes.grid(axis="x", visible=False)
    axes.yaxis.set_major_locator(MaxNLocator(5, integer=True))
    axes.set(**labels)
    return sheet, axes


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
