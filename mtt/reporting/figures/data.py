"""Figures of a collection: tags and how they meet, tracks per artist, durations.

Conventions: durations are in seconds; labels are (tracks, tags) of 0 and 1.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
import seaborn
from matplotlib.ticker import FuncFormatter, MaxNLocator
from scipy.cluster.hierarchy import leaves_list as leaf_order
from scipy.cluster.hierarchy import linkage, optimal_leaf_ordering
from scipy.spatial.distance import pdist

from mtt.reporting.figures.draw import canvas, listed, name_rows, named, row_canvas
from mtt.reporting.figures.picture import Picture
from mtt.reporting.figures.style import BLUE, INK, kind_colours, styled, text_colour


@styled
def tag_counts(
    counts: Mapping[str, int] | pd.Series,
    kinds: Mapping[str, str] | None = None,
    total: int | None = None,
    title: str = "Tracks per tag",
    caption: str = "",
) -> Picture:
    """Horizontal bars, the most frequent tag first within its kind; ``total`` tracks give each bar its percentage."""
    counts = pd.Series(named(dict(counts), "tag_counts"))
    kinds = kinds or dict.fromkeys(counts.index, "")
    lacking = [tag for tag in counts.index if tag not in kinds]
    if lacking:
        raise ValueError(f"tag_counts: tag {lacking[0]!r} has no kind; add it to kinds")
    order = sorted(counts.index, key=lambda tag: (kinds[tag], -counts[tag], tag))
    colours = kind_colours(kinds[tag] for tag in order)
    figure, axes = row_canvas(title, len(order), per_row=0.235)
    axes.barh(range(len(order)), counts[order], height=0.72, color=[colours[kinds[tag]] for tag in order])
    name_rows(axes, order)
    for row, tag in enumerate(order):
        share = f"  ({counts[tag] / total:.1%})" if total else ""
        axes.annotate(f"{counts[tag]:,}{share}", (counts[tag], row), (4, 0), textcoords="offset points", va="center", fontsize=8.5)
    _name_kinds(axes, [kinds[tag] for tag in order], colours)
    axes.set_xlim(0, counts.max() * 1.3)
    axes.set_xlabel("tracks")
    axes.xaxis.set_major_locator(MaxNLocator(6, integer=True))
    numbers = listed((f"{tag} {counts[tag]:,}" for tag in counts.sort_values(ascending=False, kind="stable").index), 60)
    alt = f"Bar chart, {title}: {len(order)} tags, from {counts.max():,} to {counts.min():,} tracks. {numbers}."
    return Picture(figure, alt, caption)


def _name_kinds(axes, kinds: Sequence[str], colours: Mapping[str, str]) -> None:
    """Name each run of bars beside its last (shortest) bar, at the right edge, and part it from the next by a line."""
    for row, kind in enumerate(kinds):
        if row + 1 < len(kinds) and kind == kinds[row + 1]:
            continue
        if row + 1 < len(kinds):
            axes.axhline(row + 0.5, color="#9A9A9A", linewidth=0.8)
        place = {"xy": (0.995, row), "xycoords": axes.get_yaxis_transform(), "ha": "right", "va": "center"}
        axes.annotate(kind, color=text_colour(colours[kind]), fontweight="bold", **place)


@styled
def tag_cooccurrence(
    labels: np.ndarray,
    tags: Sequence[str],
    measure: str = "conditional",
    top: int = 30,
    title: str | None = None,
    caption: str = "",
) -> Picture:
    """Heatmap of how tags occur together, for the ``top`` most frequent tags, similar tags side by side.

    ``measure`` is "conditional" (percentage of the row tag's tracks that have the column tag) or "lift" (log2 of how
    much more often two tags meet than if they were independent; pairs that never meet are left blank).
    """
    labels = np.asarray(labels)
    if labels.ndim != 2 or labels.shape[1] != len(tags):
        raise ValueError(f"tag_cooccurrence: labels have shape {labels.shape} for {len(tags)} tags; give (tracks, tags)")
    if measure not in ("conditional", "lift"):
        raise ValueError(f"tag_cooccurrence: unknown measure {measure!r}; choose 'conditional' or 'lift'")
    chosen = [tag for tag in np.argsort(-labels.sum(axis=0), kind="stable")[:top] if labels[:, tag].any()]
    if len(chosen) < 2:
        raise ValueError(f"tag_cooccurrence: {len(chosen)} tag(s) with a track; at least two are needed")
    together = labels[:, chosen].astype(np.float64).T @ labels[:, chosen]
    counts = np.diag(together)
    conditional = together / counts[:, None]
    order = leaf_order(optimal_leaf_ordering(linkage(pdist(conditional), "average"), pdist(conditional)))
    names = [str(tags[chosen[place]]) for place in order]
    with np.errstate(divide="ignore"):
        lift = np.log2(together * len(labels) / np.outer(counts, counts))
    values = pd.DataFrame((100 * conditional if measure == "conditional" else lift)[np.ix_(order, order)], names, names)
    title = title or ("Which tags come with which" if measure == "conditional" else "Tags that meet more or less often than by chance")
    return _cooccurrence_picture(values, measure, title, caption)


def _cooccurrence_picture(values: pd.DataFrame, measure: str, title: str, caption: str) -> Picture:
    names, conditional = list(values.index), measure == "conditional"
    off_diagonal = ~np.eye(len(names), dtype=bool)
    shown = values.where(off_diagonal & np.isfinite(values.to_numpy()))
    limit = float(np.nanmax(np.abs(shown.to_numpy()))) if shown.notna().to_numpy().any() else 1.0
    figure, axes = canvas(title, 1.6 + 0.2 * max(len(names), 12))
    scale = {"cmap": "Blues", "vmin": 0, "vmax": limit} if conditional else {"cmap": "PuOr_r", "vmin": -limit, "vmax": limit}
    name = "tracks of the row's tag that have the column's tag (%)" if conditional else "log2 of lift (+1: twice as often as by chance)"
    bar = {"label": name, "orientation": "horizontal", "shrink": 0.6, "aspect": 36, "pad": 0.02}
    numbers = shown.map(lambda value: f"{value:.0f}" if conditional else f"{value:.1f}".replace("-0.0", "0.0").replace("-", "−"))
    seaborn.heatmap(
        shown,
        ax=axes[0, 0],
        annot=numbers if len(names) <= 14 else None,
        fmt="",
        annot_kws={"fontsize": 8},
        linewidths=0.5,
        linecolor="white",
        cbar_kws=bar,
        xticklabels=True,
        yticklabels=True,
        **scale,
    )
    axes[0, 0].set_facecolor("#EEEEEE")
    axes[0, 0].tick_params(axis="x", rotation=90, length=0)
    axes[0, 0].tick_params(axis="y", rotation=0, length=0)
    axes[0, 0].grid(visible=False)
    figure.axes[-1].grid(visible=False)
    pairs = (shown if conditional else shown.where(np.triu(off_diagonal))).stack().sort_values(ascending=False, kind="stable")
    unit = "%" if conditional else ""
    joint = "with" if conditional else "and"
    strongest = listed((f"{a} {joint} {b} {value:.{0 if conditional else 1}f}{unit}" for (a, b), value in pairs.items()), 8)
    return Picture(figure, f"Heatmap, {title}: {len(names)} tags; {name}. Strongest: {strongest}.", caption)


@styled
def tracks_per_artist(counts: Mapping[str, int] | Sequence[int], title: str = "Tracks per artist", caption: str = "") -> Picture:
    """How many artists have 1, 2, 3, … tracks, with the median."""
    values = np.asarray(list(counts.values()) if isinstance(counts, Mapping) else counts, dtype=int)
    if values.size == 0 or values.min() < 1:
        raise ValueError("tracks_per_artist: every artist needs at least one track; drop artists without tracks")
    wide = values.max() > 40
    edges = np.unique(np.round(np.geomspace(1, values.max() + 1, 25))) - 0.5 if wide else np.arange(0.5, values.max() + 1)
    figure, axes = canvas(title, 2.9)
    _histogram(axes[0, 0], values, edges, f"median {np.median(values):g}")
    if wide:
        axes[0, 0].set_xscale("log")
        axes[0, 0].xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    else:
        axes[0, 0].xaxis.set_major_locator(MaxNLocator(10, integer=True))
    axes[0, 0].set(xlabel="tracks of one artist", ylabel="artists")
    alt = (
        f"Histogram, {title}: {values.size:,} artists with {values.sum():,} tracks; "
        f"between {values.min()} and {values.max()} tracks each, median {np.median(values):g}."
    )
    return Picture(figure, alt, caption)


@styled
def durations(seconds: Sequence[float], title: str = "Length of the tracks", caption: str = "") -> Picture:
    """Histogram of durations in seconds, with the median."""
    values = np.asarray(seconds, dtype=float)
    if values.size == 0 or not np.isfinite(values).all() or values.min() < 0:
        raise ValueError("durations: lengths must be finite, non-negative seconds; drop unreadable files first")
    span = max(float(np.ptp(values)), 1.0)
    low = max(0.0, values.min() - 0.05 * span)
    figure, axes = canvas(title, 2.9)
    _histogram(axes[0, 0], values, np.linspace(low, values.max() + 0.05 * span, 41), f"median {np.median(values):.1f} s")
    axes[0, 0].set(xlabel="duration (s)", ylabel="tracks")
    alt = (
        f"Histogram, {title}: {values.size:,} tracks of {values.min():.1f} to {values.max():.1f} s, "
        f"median {np.median(values):.1f} s, {values.sum() / 3600:.1f} hours in all."
    )
    return Picture(figure, alt, caption)


def _histogram(axes, values: np.ndarray, edges: np.ndarray, median_text: str) -> None:
    axes.hist(values, bins=edges, color=BLUE, edgecolor="white", linewidth=0.6)
    axes.axvline(np.median(values), color=INK, linestyle=(0, (4, 2)), linewidth=1.2)
    left = np.median(values) < (edges[0] + edges[-1]) / 2
    axes.annotate(
        median_text,
        (np.median(values), 1),
        (5 if left else -5, 2),
        xycoords=axes.get_xaxis_transform(),
        textcoords="offset points",
        ha="left" if left else "right",
        va="bottom",
    )
    axes.grid(axis="x", visible=False)
    axes.yaxis.set_major_locator(MaxNLocator(5, integer=True))
