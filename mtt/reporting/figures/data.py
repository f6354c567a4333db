"""Figures of a collection: tags and how they meet, tracks per artist, durations.

Conventions: durations are in seconds; labels are (tracks, tags) of 0 and 1.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import cycle

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, MaxNLocator
from scipy.cluster.hierarchy import leaves_list, linkage

from mtt.reporting.figures.draw import DASHED, Picture, canvas, figure, heatmap, row_canvas
from mtt.reporting.figures.style import BLUE, EDGE, GREEN, GREY, INK, ORANGE, PURPLE, VERMILLION, text_colour
from mtt.reporting.numbers import listed

KIND_COLOURS = (BLUE, ORANGE, GREEN, PURPLE, VERMILLION, GREY)
MOST_TAGS = 30  # in a heatmap


@figure
def tag_counts(counts: pd.Series, kinds: Mapping[str, str] | None, total: int) -> Picture:
    """Horizontal bars, the most frequent tag first within its kind, with the percentage of the ``total`` tracks."""
    title, kinds = "Tracks per tag", kinds or {}
    order = sorted(counts.index, key=lambda tag: (kinds.get(tag, ""), -counts[tag], tag))
    shown = [kinds.get(tag, "") for tag in order]
    colours = dict(zip(sorted(set(shown)), cycle(KIND_COLOURS), strict=False))
    sheet, axes = row_canvas(title, order, per_row=0.235)
    axes.barh(range(len(order)), counts[order], height=0.72, color=[colours[kind] for kind in shown])
    for row, tag in enumerate(order):
        text = f"{counts[tag]:,}  ({counts[tag] / total:.1%})"
        axes.annotate(text, (counts[tag], row), (4, 0), textcoords="offset points", va="center", fontsize=8.5)
    _name_kinds(axes, shown, colours)
    axes.set_xlim(0, counts.max() * 1.3)
    axes.set_xlabel("tracks")
    axes.xaxis.set_major_locator(MaxNLocator(6, integer=True))
    numbers = listed(f"{tag} {count:,}" for tag, count in counts.sort_values(ascending=False, kind="stable").items())
    return Picture(sheet, f"Bar chart, {title}: {len(order)} tags, from {counts.max():,} to {counts.min():,} tracks. {numbers}.")


def _name_kinds(axes: Axes, kinds: Sequence[str], colours: Mapping[str, str]) -> None:
    """Name each run of bars beside its last (shortest) bar, at the right edge, and part it from the next by a line."""
    for row, (kind, following) in enumerate(zip(kinds, [*kinds[1:], None], strict=True)):
        if kind != following:
            place = {"xy": (0.995, row), "xycoords": axes.get_yaxis_transform(), "ha": "right", "va": "center"}
            axes.annotate(kind, color=text_colour(colours[kind]), fontweight="bold", **place)
            if following is not None:
                axes.axhline(row + 0.5, color=EDGE, linewidth=0.8)


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
    sheet, axes = canvas(title, 1.6 + 0.2 * max(len(names), 12))
    texts = shown.map("{:.0f}".format) if len(names) <= 14 else None
    limit = float(np.nan_to_num(shown.max().max())) or 1.0
    heatmap(sheet, axes[0, 0], shown, texts, "tracks of the row's tag that have the column's tag (%)", cmap="Blues", vmin=0, vmax=limit)
    axes[0, 0].set_facecolor("#EEEEEE")
    axes[0, 0].tick_params(axis="x", rotation=90)
    axes[0, 0].tick_params(axis="y", rotation=0)
    pairs = shown.stack().sort_values(ascending=False, kind="stable")
    strongest = listed((f"{a} with {b} {value:.0f}%" for (a, b), value in pairs.items()), 8)
    return Picture(sheet, f"Heatmap, {title}: {len(names)} tags; tracks of the row's tag that have the column's. Strongest: {strongest}.")


@figure
def tracks_per_artist(counts: Sequence[int]) -> Picture:
    """How many artists have 1, 2, 3, … tracks, with the median."""
    title, values = "Tracks per artist", np.asarray(counts, dtype=int)
    wide = values.max() > 40
    edges = np.unique(np.round(np.geomspace(1, values.max() + 1, 25))) - 0.5 if wide else np.arange(0.5, values.max() + 1)
    sheet, axes = canvas(title, 2.9)
    _histogram(axes[0, 0], values, edges, f"median {np.median(values):g}")
    if wide:
        axes[0, 0].set_xscale("log")
        axes[0, 0].xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    else:
        axes[0, 0].xaxis.set_major_locator(MaxNLocator(10, integer=True))
    axes[0, 0].set(xlabel="tracks of one artist", ylabel="artists")
    spans = f"between {values.min()} and {values.max()} tracks each, median {np.median(values):g}"
    return Picture(sheet, f"Histogram, {title}: {values.size:,} artists with {values.sum():,} tracks; {spans}.")


@figure
def durations(seconds: Sequence[float]) -> Picture:
    """Histogram of durations in seconds, with the median."""
    title, values = "Length of the tracks", np.asarray(seconds, dtype=float)
    span = max(float(np.ptp(values)), 1.0)
    edges = np.linspace(max(0.0, values.min() - 0.05 * span), values.max() + 0.05 * span, 41)
    sheet, axes = canvas(title, 2.9)
    _histogram(axes[0, 0], values, edges, f"median {np.median(values):.1f} s")
    axes[0, 0].set(xlabel="duration (s)", ylabel="tracks")
    spans = f"of {values.min():.1f} to {values.max():.1f} s, median {np.median(values):.1f} s, {values.sum() / 3600:.1f} hours in all"
    return Picture(sheet, f"Histogram, {title}: {values.size:,} tracks {spans}.")


def _histogram(axes: Axes, values: np.ndarray, edges: np.ndarray, text: str) -> None:
    median = np.median(values)
    axes.hist(values, bins=edges, color=BLUE, edgecolor="white", linewidth=0.6)
    axes.axvline(median, color=INK, linestyle=DASHED, linewidth=1.2)
    side, shift = ("left", 5) if median < (edges[0] + edges[-1]) / 2 else ("right", -5)
    place = {"xycoords": axes.get_xaxis_transform(), "textcoords": "offset points", "ha": side, "va": "bottom"}
    axes.annotate(text, (median, 1), (shift, 2), **place)
    axes.grid(axis="x", visible=False)
    axes.yaxis.set_major_locator(MaxNLocator(5, integer=True))
