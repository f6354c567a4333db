"""Figures against input length: score, score of each tag, time and memory.

Conventions: input length is in seconds and doubles from tick to tick; time is in milliseconds and memory in MB (10^6 bytes) for one clip.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import NullLocator

from mtt.reporting.figures.draw import DASHED, Picture, canvas, figure, heatmap, lines, log_axis
from mtt.reporting.figures.style import GREY, INK, text_colour
from mtt.reporting.numbers import listed, signed

COSTS = {"milliseconds": ("time for one clip (ms)", "ms"), "megabytes": ("kept for the backward pass (MB)", "MB")}  # heading, unit


def _length_axis(axes: Axes, tables: Mapping[str, pd.DataFrame]) -> None:
    seconds = sorted({float(value) for table in tables.values() for value in table["seconds"]})
    axes.set_xscale("log", base=2)
    axes.set_xticks(seconds, [f"{value:g}" for value in seconds])
    axes.xaxis.set_minor_locator(NullLocator())
    axes.set_xlabel("input length (s)")


@figure
def scores_by_length(curves: Mapping[str, pd.DataFrame], trained_on: float | None = None) -> Picture:
    """ROC-AUC as a line with its interval band for each model (tables: seconds, estimate, low, high); ``trained_on``, in seconds, marks
    the training length.
    """
    title = "ROC-AUC against input length"
    sheet, axes = canvas(title, 3.8)
    panel = axes[0, 0]
    _length_axis(panel, curves)
    lines(panel, curves, "seconds", "estimate", 2.9, marker="o", markersize=5)
    panel.set_ylabel("ROC-AUC (band: 95% interval)")
    if trained_on is not None:
        panel.axvline(trained_on, color=GREY, linewidth=1, linestyle=DASHED)
        place = {"xycoords": panel.get_xaxis_transform(), "textcoords": "offset points", "ha": "center", "va": "bottom"}
        panel.annotate("trained on", (trained_on, 1), (0, 2), color=text_colour(GREY), fontsize=8.5, **place)
    parts = (
        f"{name}: {', '.join(f'{row.estimate:.3f} at {row.seconds:g} s' for row in table.itertuples())}" for name, table in curves.items()
    )
    return Picture(sheet, f"Line chart with 95% interval bands, {title}. {listed(parts)}.")


@figure
def tags_by_length(scores: pd.DataFrame) -> Picture:
    """Heatmap of each tag's change in ROC-AUC from the shortest input (``scores``: index tag, columns seconds); the largest gain first."""
    title, scores = "What longer input does to the ROC-AUC of each tag", scores.sort_index(axis=1)
    change = scores.sub(scores.iloc[:, 0], axis=0)
    change = change.loc[change.iloc[:, -1].sort_values(ascending=False, kind="stable").index]
    change.columns = names = [f"{value:g}" for value in scores.columns]
    texts = change.map(lambda value: signed(value, 3))
    texts[names[0]] = scores.iloc[:, 0].loc[change.index].map("{:.3f}".format)
    limit = max(float(np.abs(change.to_numpy()).max()), 1e-6)
    sheet, axes = canvas(title, 1.7 + 0.215 * max(len(change), 4))
    label, annotated = f"change in ROC-AUC from {names[0]} s", texts if len(names) <= 9 else None
    heatmap(sheet, axes[0, 0], change, annotated, label, cmap="PuOr_r", vmin=-limit, vmax=limit)
    axes[0, 0].set(xlabel=f"input length (s); first column: ROC-AUC at {names[0]} s", ylabel="")
    axes[0, 0].tick_params(rotation=0)
    span = f"change from {names[0]} s to {names[-1]} s input for {len(change)} tags, largest gain first"
    return Picture(sheet, f"Heatmap, {title}: {span}. {listed(f'{tag} {text}' for tag, text in texts[names[-1]].items())}.")


@figure
def cost_by_length(costs: Mapping[str, pd.DataFrame]) -> Picture:
    """Time of one clip and memory kept for its backward pass, on doubling axes; tables: seconds, milliseconds, megabytes."""
    title = "What longer input costs"
    sheet, axes = canvas(title, 5.4, rows=2, sharex=True)
    for panel, (column, (heading, unit)) in zip(axes[:, 0], COSTS.items(), strict=True):
        _length_axis(panel, costs)
        panel.label_outer()
        panel.set_yscale("log")
        panel.set_title(heading, color=INK)
        panel.set_ylabel(unit)
        lines(panel, costs, "seconds", column, 1.7, marker="o", markersize=5)
        log_axis(panel.yaxis, room=3.5)
    longest = {name: table.loc[table["seconds"].idxmax()] for name, table in costs.items()}
    parts = (
        f"{name} " + ", ".join(f"{row[column]:.3g} {unit} at {row['seconds']:g} s" for column, (_, unit) in COSTS.items())
        for name, row in longest.items()
    )
    return Picture(sheet, f"Line charts, {title}: {listed(parts)}.")
