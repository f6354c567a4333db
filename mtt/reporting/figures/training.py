"""Figures of training: loss curves, and the score from one student generation to the next.

Conventions: a history is a table with ``step``, ``train_loss`` (may be empty in some rows), ``valid_loss`` and ``kept`` (true in the
one row whose weights are kept).
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
from matplotlib.ticker import MaxNLocator

from mtt.reporting.figures.draw import canvas, checked, estimates, label_ends, listed, named, with_interval
from mtt.reporting.figures.picture import Picture
from mtt.reporting.figures.style import INK, model_colour, styled


@styled
def learning_curves(
    histories: Mapping[str, pd.DataFrame],
    title: str = "Loss while training",
    caption: str = "",
) -> Picture:
    """Validation loss above, training loss below, against optimiser steps; a ring marks the weights that each run keeps.

    Each panel has its own scale: a student's training loss is the sum of two, its validation loss is not.
    """
    for name, history in named(histories, "learning_curves").items():
        checked(history, ["step", "valid_loss", "kept"], f"learning_curves of {name}")
        if "train_loss" not in history.columns:
            raise ValueError(f"learning_curves of {name}: column 'train_loss' is missing; add it (empty where not measured)")
    figure, axes = canvas(title, 4.9, rows=2, sharex=True)
    rings, ends = [], {"valid_loss": [], "train_loss": []}
    for name, history in histories.items():
        colour = model_colour(str(name))
        kept = history.loc[history["kept"].idxmax()]
        for panel, column in zip(axes[:, 0], ends, strict=True):
            measured = history[["step", column]].dropna()
            panel.plot(measured["step"], measured[column], color=colour)
            if len(measured):
                ends[column].append((measured["step"].iloc[-1], measured[column].iloc[-1], str(name), colour))
        axes[0, 0].plot(
            kept["step"],
            kept["valid_loss"],
            "o",
            color="white",
            markeredgecolor=colour,
            markeredgewidth=2,
            markersize=8,
        )
        rings.append(f"{name} {kept['valid_loss']:.4f} at step {kept['step']:,.0f} of {history['step'].iloc[-1]:,.0f}")
    for panel, column, heading in zip(axes[:, 0], ends, ("validation (ring: weights that are kept)", "training"), strict=True):
        panel.set_title(heading, color=INK)
        panel.set_ylabel("loss (BCE)")
        panel.set_ylim(panel.get_ylim())
        label_ends(panel, ends[column], 1.5)
    axes[1, 0].set_xlabel("optimiser steps")
    axes[1, 0].xaxis.set_major_locator(MaxNLocator(6, integer=True))
    return Picture(
        figure,
        f"Line chart of training and validation loss, {title}. Validation loss of the weights that are kept: {listed(rings, 20)}.",
        caption,
    )


@styled
def iterations(
    scores: pd.DataFrame,
    metric: str = "ROC-AUC",
    title: str | None = None,
    caption: str = "",
) -> Picture:
    """Score of the teacher (iteration 0) and of each student generation, one line an architecture.

    ``scores`` has columns ``architecture``, ``iteration``, ``estimate``, ``low``, ``high``.
    """
    estimates(scores, "iterations", ["iteration"])
    if "architecture" not in scores.columns:
        raise ValueError("iterations: column 'architecture' is missing; say which line each row belongs to")
    title = title or f"{metric} from teacher to student to student"
    figure, axes = canvas(title, 3.4)
    panel, ends, parts = axes[0, 0], [], []
    groups = list(scores.groupby("architecture", sort=False))
    for place, (name, group) in enumerate(groups):
        group, colour = group.sort_values("iteration"), model_colour(str(name))
        x = group["iteration"] + 0.06 * (place - (len(groups) - 1) / 2)  # side by side, so that intervals do not hide each other
        panel.vlines(x, group["low"], group["high"], color=colour, linewidth=2.2, alpha=0.8)
        panel.plot(x, group["estimate"], "o-", color=colour, markersize=7, markeredgecolor="white", linewidth=1.4)
        ends.append((x.iloc[-1], group["estimate"].iloc[-1], str(name), colour))
        rows = "; ".join(f"iteration {row['iteration']:.0f} {with_interval(row)}" for _, row in group.iterrows())
        parts.append(f"{name}: {rows}")
    steps = np.unique(scores["iteration"].astype(int))
    panel.set_xticks(steps, ["teacher" if step == 0 else f"student {step}" for step in steps])
    panel.set_xlim(steps[0] - 0.3, steps[-1] + 0.3)
    panel.set_ylim(panel.get_ylim())
    panel.grid(axis="x", visible=False)
    panel.set_ylabel(f"{metric} (95% interval)")
    label_ends(panel, ends, 2.6)
    return Picture(figure, f"Line chart with 95% intervals, {title}. {'. '.join(parts)}.", caption)
