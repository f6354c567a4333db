"""Figures of scores: models, tags, differences, calibration, and what a missing-label mask finds.

Conventions: scores lie in 0–1 and are ROC-AUC where nothing else is said; a difference is "first − second" of paired scores on the same
tracks.
"""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from matplotlib.ticker import FixedLocator

from mtt.reporting.figures.draw import DASHED, Picture, canvas, dots, figure, legend, lines, log_axis, row_canvas, signed_axis, told
from mtt.reporting.figures.style import BLUE, FAINT, GREY, ORANGE, model_colour, text_colour
from mtt.reporting.numbers import listed

TAG_MARKERS = ("o", "D", "s")


@figure
def tag_scores(scores: Mapping[str, pd.DataFrame], metric: str = "ROC-AUC") -> Picture:
    """Per-tag dots and intervals of one to three models (each table: index tag; estimate, low, high), the first model's best tag first."""
    title = f"{metric} of each tag"
    order = list(next(iter(scores.values())).sort_values("estimate", ascending=False, kind="stable").index)
    tables = {name: table.reindex(order) for name, table in scores.items()}
    sheet, axes = row_canvas(title, order, per_row=0.235 if len(tables) == 1 else 0.2 + 0.1 * len(tables), extra=1.45)
    axes.grid(axis="y", visible=True, color=FAINT)
    for place, (name, table) in enumerate(tables.items()):
        heights = np.arange(len(order)) + 0.3 * (place - (len(tables) - 1) / 2)
        dots(axes, table, heights, model_colour(name), TAG_MARKERS[place], size=5.5, label=name)
    difference = min(table["low"].min() for table in tables.values()) < 0
    if difference:
        signed_axis(axes)
    legend(axes)
    axes.set_xlabel(f"{metric} (95% interval)")
    numbers = " ".join(f"{name}: {told(table[['estimate']], sign=difference)}." for name, table in tables.items())
    return Picture(sheet, f"Dot plot with 95% intervals, {title}, best first. {numbers}")


@figure
def reliability(curves: Mapping[str, pd.DataFrame]) -> Picture:
    """Calibration curves; each table has a row per bin: ``predicted`` (mean probability), ``observed`` (share of positives), ``count``."""
    title = "Calibration: predicted probability against observed share"
    sheet, axes = canvas(title, 5.2, rows=2, sharex=True, height_ratios=[3.2, 1])
    upper, lower = axes[:, 0]
    upper.plot([0, 1], [0, 1], color=GREY, linewidth=1, linestyle=DASHED)
    upper.set(xlim=(0, 1), ylim=(0, 1), ylabel="share that have the tag")
    lines(upper, curves, "predicted", "observed", 3.2, marker="o", markersize=5)
    lower.set_yscale("log")
    for name, table in curves.items():
        lower.plot(table["predicted"], table["count"], "o-", color=model_colour(name), markersize=3.5, linewidth=1.2)
    log_axis(lower.yaxis, room=1.5)
    lower.set(xlabel="predicted probability (dashed: perfectly calibrated)", ylabel="predictions")
    errors = {name: np.average(np.abs(table["predicted"] - table["observed"]), weights=table["count"]) for name, table in curves.items()}
    numbers = listed(f"{name} {error:.3f}" for name, error in errors.items())
    return Picture(sheet, f"Calibration curves, {title}. Mean distance from the diagonal, weighted by count: {numbers}.")


@figure
def missing_labels(missing: Sequence[float], negatives: Sequence[float]) -> Picture:
    """The teacher's scores of truly negative labels and of positives that the observed labels lack: each as share of its own kind."""
    title, parts = "Scores of negatives that are really missing labels", []
    sheet, axes = canvas(title, 3.9, rows=2, sharex=True, sharey=True)
    kinds = (("missing labels", np.asarray(missing), ORANGE), ("true negatives", np.asarray(negatives), BLUE))
    for panel, (name, scores, colour) in zip(axes[:, 0], kinds, strict=True):
        weights = np.full(scores.size, 100 / scores.size)
        panel.hist(scores, bins=np.linspace(0, 1, 41), weights=weights, color=colour, edgecolor="white", linewidth=0.4)
        parts.append(f"{name} (n = {scores.size:,}): median {np.median(scores):.3f}")
        panel.set_title(parts[-1], color=text_colour(colour))
        panel.set(ylabel="share (%)", xlim=(0, 1))
    axes[0, 0].set_yscale("function", functions=(lambda share: np.sqrt(np.maximum(share, 0)), np.square))  # shows bars of 1% beside 40%
    axes[0, 0].yaxis.set_major_locator(FixedLocator([0, 1, 5, 10, 20, 40, 60, 100]))
    axes[1, 0].set_xlabel("the teacher's probability (heights grow with the square root of the share)")
    return Picture(sheet, f"Two histograms, {title}: {'; '.join(parts)}.")
