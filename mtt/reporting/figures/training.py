"""Figures of training: loss curves, and the score from one student generation to the next.

Conventions: a history is a table with ``step``, ``train_loss`` (empty where it was not measured), ``valid_loss`` and ``kept`` (true in the
one row whose weights are kept).
"""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd
from matplotlib.ticker import MaxNLocator

from mtt.reporting.figures.draw import Picture, canvas, dots, figure, label_ends, lines, told
from mtt.reporting.figures.style import INK, model_colour
from mtt.reporting.numbers import listed


@figure
def learning_curves(histories: Mapping[str, pd.DataFrame]) -> Picture:
    """Validation loss above, training loss below, against optimiser steps; a ring marks the weights that each run keeps.

    Each panel has its own scale: a student's training loss is the sum of two, its validation loss is not.
    """
    title, rings = "Loss while training", []
    sheet, axes = canvas(title, 4.9, rows=2, sharex=True)
    headings = {"valid_loss": "validation (ring: weights that are kept)", "train_loss": "training"}
    for panel, (column, heading) in zip(axes[:, 0], headings.items(), strict=True):
        panel.set_title(heading, color=INK)
        panel.set_ylabel("loss (BCE)")
        lines(panel, histories, "step", column, 1.5)
    for name, history in histories.items():
        kept = history.loc[history["kept"].idxmax()]
        ring = {"color": "white", "markeredgecolor": model_colour(name), "markeredgewidth": 2, "markersize": 8}
        axes[0, 0].plot(kept["step"], kept["valid_loss"], "o", **ring)
        rings.append(f"{name} {kept['valid_loss']:.4f} at step {kept['step']:,.0f} of {history['step'].iloc[-1]:,.0f}")
    axes[1, 0].set_xlabel("optimiser steps")
    axes[1, 0].xaxis.set_major_locator(MaxNLocator(6, integer=True))
    told_rings = f"Validation loss of the weights that are kept: {listed(rings)}"
    return Picture(sheet, f"Line chart of training and validation loss, {title}. {told_rings}.")


@figure
def iterations(scores: pd.DataFrame) -> Picture:
    """ROC-AUC of the teacher (iteration 0) and of each student generation, one line an architecture.

    ``scores`` has columns ``architecture``, ``iteration``, ``estimate``, ``low``, ``high``.
    """
    title = "ROC-AUC from teacher to student to student"
    sheet, axes = canvas(title, 3.4)
    panel, ends, parts = axes[0, 0], [], []
    groups = list(scores.groupby("architecture", sort=False))
    for place, (name, group) in enumerate(groups):
        group, colour = group.sort_values("iteration"), model_colour(name)
        x = group["iteration"] + 0.06 * (place - (len(groups) - 1) / 2)  # side by side, so that intervals do not hide each other
        panel.plot(x, group["estimate"], color=colour, linewidth=1.4)
        dots(panel, group, x, colour, upright=True)
        ends.append((x.iloc[-1], group["estimate"].iloc[-1], name, colour))
        parts.append(f"{name}: {told(group.set_index('iteration').rename(index='iteration {:.0f}'.format))}")
    steps = sorted(set(scores["iteration"].astype(int)))
    panel.set_xticks(steps, ["teacher" if step == 0 else f"student {step}" for step in steps])
    panel.set_xlim(steps[0] - 0.3, steps[-1] + 0.3)
    panel.grid(axis="x", visible=False)
    panel.set_ylabel("ROC-AUC (95% interval)")
    label_ends(panel, ends, 2.6)
    return Picture(sheet, f"Line chart with 95% intervals, {title}. {'. '.join(parts)}.")
