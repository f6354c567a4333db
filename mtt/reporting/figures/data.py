"""Figures of a collection: artists per set; tracks per tag, written down and true, and which tags come together."""

from collections.abc import Mapping, Sequence
from itertools import cycle

import numpy as np
import pandas as pd
import seaborn
from matplotlib.ticker import MaxNLocator

from mtt.reporting.figures.draw import Picture, canvas, figure, row_canvas
from mtt.reporting.figures.style import BLUE, EDGE, GREEN, GREY, ORANGE, PURPLE, SKY, VERMILLION, text_colour
from mtt.reporting.numbers import listed

SET_COLOURS = {"train": BLUE, "valid": SKY, "test": ORANGE, "unlabelled": GREEN}
KIND_COLOURS = (BLUE, ORANGE, GREEN, PURPLE, VERMILLION, GREY)


@figure
def split_sets(counts: pd.DataFrame) -> Picture:
    """How many artists each set has, and beside the bar its tracks and labels; ``counts`` has a row a set."""
    sheet, axes = row_canvas("Artists in each set", counts.index, per_row=0.34)
    axes.barh(range(len(counts)), counts["artists"], height=0.62, color=[SET_COLOURS.get(name, EDGE) for name in counts.index])
    texts = [f"{row.artists:,} artists, {row.tracks:,} tracks, {row.labels:,} labels" for row in counts.itertuples()]
    for row, text in enumerate(texts):
        axes.annotate(text, (counts["artists"].iloc[row], row), (4, 0), textcoords="offset points", va="center", fontsize=8.5)
    axes.set_xlim(0, counts["artists"].max() * 1.7)
    axes.set_xlabel("artists")
    axes.xaxis.set_major_locator(MaxNLocator(6, integer=True))
    told = listed(f"{name} {text}" for name, text in zip(counts.index, texts, strict=True))
    return Picture(sheet, f"Bar chart of the artists of each set: {told}.")


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
    """Heatmap of the percentage of the row tag's tracks that have the column tag; tags that nothing has are left out."""
    chosen = np.flatnonzero(labels.any(axis=0))
    names = [str(tags[column]) for column in chosen]
    together = labels[:, chosen].astype(np.float64).T @ labels[:, chosen]
    share = 100 * together / np.diag(together)[:, None]
    shown = pd.DataFrame(share, names, names).where(~np.eye(len(names), dtype=bool))
    sheet, ((axes,),) = canvas("Which tags come with which", 1.6 + 0.2 * max(len(names), 12))
    bar = {"label": "tracks of the row's tag that have the column's tag (%)", "orientation": "horizontal", "shrink": 0.6, "pad": 0.02}
    seaborn.heatmap(shown, ax=axes, cmap="Blues", vmin=0, linewidths=0.5, xticklabels=True, yticklabels=True, cbar_kws=bar)
    axes.tick_params(axis="x", rotation=90)
    axes.tick_params(axis="y", rotation=0)
    for one in sheet.axes:
        one.grid(visible=False)
    pairs = shown.stack().sort_values(ascending=False, kind="stable")
    strongest = listed((f"{a} with {b} {value:.0f}%" for (a, b), value in pairs.items()), 8)
    return Picture(sheet, f"Heatmap of {len(names)} tags: tracks of the row's tag that have the column's. Strongest: {strongest}.")
