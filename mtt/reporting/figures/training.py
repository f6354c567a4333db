"""Figures of training and of input length: loss and validation scores, and the score of one model at other lengths.

Conventions: a history is a table with ``step``, ``train_loss`` (empty where it was not measured), ``valid_roc_auc`` and ``kept`` (true in
the one row whose weights are kept). Input length is in seconds and doubles from tick to tick.
"""

from collections.abc import Mapping

import pandas as pd
from matplotlib.ticker import MaxNLocator, NullLocator

from mtt.reporting.figures.draw import DASHED, Picture, canvas, figure, lines
from mtt.reporting.figures.style import GREY, INK, model_colour, text_colour
from mtt.reporting.numbers import listed


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


@figure
def scores_by_length(curves: Mapping[str, pd.DataFrame], trained_on: float | None = None) -> Picture:
    """ROC-AUC as a line with its interval band for each model; ``trained_on``, in seconds, marks the training length."""
    title = "ROC-AUC against input length"
    sheet, ((panel,),) = canvas(title, 3.8)
    seconds = sorted({float(value) for table in curves.values() for value in table["seconds"]})
    panel.set_xscale("log", base=2)
    panel.set_xticks(seconds, [f"{value:g}" for value in seconds])
    panel.xaxis.set_minor_locator(NullLocator())
    panel.set_xlabel("input length (s)")
    lines(panel, curves, "seconds", "estimate", 2.9, marker="o", markersize=5)
    panel.set_ylabel("ROC-AUC (band: 95% interval)")
    if trained_on is not None:
        panel.axvline(trained_on, color=GREY, linewidth=1, linestyle=DASHED)
        place = {"xycoords": panel.get_xaxis_transform(), "textcoords": "offset points", "ha": "center", "va": "bottom"}
        panel.annotate("trained on", (trained_on, 1), (0, 2), color=text_colour(GREY), fontsize=8.5, **place)
    points = {name: ", ".join(f"{row.estimate:.3f} at {row.seconds:g} s" for row in table.itertuples()) for name, table in curves.items()}
    return Picture(sheet, f"Line chart with 95% interval bands, {title}. {listed(map(': '.join, points.items()))}.")
