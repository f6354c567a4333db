"""Figures of training and of input length: loss, scores from one student generation to the next, score and cost of longer clips.

Conventions: a history is a table with ``step``, ``train_loss`` (empty where it was not measured), ``valid_roc_auc`` and ``kept`` (true in
the one row whose weights are kept). Input length is in seconds and doubles from tick to tick; time is in milliseconds and memory in MB
(10^6 bytes) for one clip.
"""

from collections.abc import Mapping

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator, NullLocator

from mtt.reporting.figures.draw import DASHED, Picture, canvas, figure, lines, log_axis
from mtt.reporting.figures.style import GREY, INK, model_colour, text_colour
from mtt.reporting.numbers import listed

COSTS = {"milliseconds": ("time for one clip (ms)", "ms"), "megabytes": ("kept for the backward pass (MB)", "MB")}  # heading, unit


@figure
def learning_curves(histories: Mapping[str, pd.DataFrame]) -> Picture:
    """Validation ROC-AUC above, training loss below, against optimiser steps; a ring marks the weights that each run keeps."""
    title, rings = "What is learned in training", []
    sheet, axes = canvas(title, 4.9, rows=2, sharex=True)
    headings = {
        "valid_roc_auc": ("validation, higher is better (ring: weights that are kept)", "ROC-AUC"),
        "train_loss": ("training, lower is better", "loss (BCE)"),
    }
    for panel, (column, (heading, unit)) in zip(axes[:, 0], headings.items(), strict=True):
        panel.set_title(heading, color=INK)
        panel.set_ylabel(unit)
        lines(panel, histories, "step", column, 1.5)
    for name, history in histories.items():
        kept = history.loc[history["kept"].idxmax()]
        ring = {"color": "white", "markeredgecolor": model_colour(name), "markeredgewidth": 2, "markersize": 8}
        axes[0, 0].plot(kept["step"], kept["valid_roc_auc"], "o", **ring)
        rings.append(f"{name} {kept['valid_roc_auc']:.3f} at step {kept['step']:,.0f} of {history['step'].iloc[-1]:,.0f}")
    axes[1, 0].set_xlabel("optimiser steps")
    axes[1, 0].xaxis.set_major_locator(MaxNLocator(6, integer=True))
    text = (
        f"Line charts of validation ROC-AUC and training loss, {title}. Validation ROC-AUC of the weights that are kept: {listed(rings)}."
    )
    return Picture(sheet, text)


def _length_axis(axes: Axes, tables: Mapping[str, pd.DataFrame]) -> None:
    seconds = sorted({float(value) for table in tables.values() for value in table["seconds"]})
    axes.set_xscale("log", base=2)
    axes.set_xticks(seconds, [f"{value:g}" for value in seconds])
    axes.xaxis.set_minor_locator(NullLocator())
    axes.set_xlabel("input length (s)")


@figure
def scores_by_length(curves: Mapping[str, pd.DataFrame], trained_on: float | None = None) -> Picture:
    """ROC-AUC as a line with its interval band for each model; ``trained_on``, in seconds, marks the training length."""
    title = "ROC-AUC against input length"
    sheet, ((panel,),) = canvas(title, 3.8)
    _length_axis(panel, curves)
    lines(panel, curves, "seconds", "estimate", 2.9, marker="o", markersize=5)
    panel.set_ylabel("ROC-AUC (band: 95% interval)")
    if trained_on is not None:
        panel.axvline(trained_on, color=GREY, linewidth=1, linestyle=DASHED)
        place = {"xycoords": panel.get_xaxis_transform(), "textcoords": "offset points", "ha": "center", "va": "bottom"}
        panel.annotate("trained on", (trained_on, 1), (0, 2), color=text_colour(GREY), fontsize=8.5, **place)
    points = {name: ", ".join(f"{row.estimate:.3f} at {row.seconds:g} s" for row in table.itertuples()) for name, table in curves.items()}
    return Picture(sheet, f"Line chart with 95% interval bands, {title}. {listed(map(': '.join, points.items()))}.")


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
    parts = []
    for name, table in costs.items():
        longest = table.loc[table["seconds"].idxmax()]
        figures = (f"{longest[column]:.3g} {unit} at {longest['seconds']:g} s" for column, (_, unit) in COSTS.items())
        parts.append(f"{name} {', '.join(figures)}")
    return Picture(sheet, f"Line charts, {title}: {listed(parts)}.")
