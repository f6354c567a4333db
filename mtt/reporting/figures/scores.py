"""Figures of scores: of tags, of training, of input length; calibration; scores of missing labels.

Conventions: scores lie in 0–1 and are ROC-AUC where nothing else is said; a difference is "first − second" of paired scores on the same
tracks. A history is a table with ``step``, ``train_loss`` (empty where it was not measured), ``valid_roc_auc`` and ``kept`` (true in the
one row whose weights are kept). Input length is in seconds.
"""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from matplotlib.ticker import FixedLocator, MaxNLocator, NullLocator

from mtt.findings.reference import CONVERGED, GAINING
from mtt.reporting.figures.draw import DASHED, Picture, beside, canvas, dots, figure, legend, lines, log_axis, row_canvas, signed_axis, told
from mtt.reporting.figures.style import BLUE, FAINT, GREY, INK, ORANGE, VERMILLION, model_colour, text_colour
from mtt.reporting.numbers import listed, signed

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


@figure
def longer_training(rows: Sequence[Mapping]) -> Picture:
    """What twice the clips change (``mtt.findings.reference.convergence``), model by model."""
    title = "What twice as many clips would change, by model (and labelled artists)"
    models = [(row["model"].removesuffix(f"-{row['artists']}"), row["artists"]) for row in rows]
    names = [f"{model} ({artists})" for model, artists in models]
    sheet, axes = row_canvas(title, names, per_row=0.25)
    signed_axis(axes)
    for edge in {sign * row["margin"] for row in rows for sign in (-1, 1)}:
        axes.axvline(edge, color=GREY, linewidth=1, linestyle=DASHED)
    for place, row in enumerate(rows):
        colour = {CONVERGED: GREY, GAINING: VERMILLION}.get(row["state"], BLUE)
        dots(axes, pd.DataFrame({"estimate": [row["change"]]}), [place], colour)
        corpora = np.subtract(row["doubled"], row["valid"])
        axes.plot(corpora, [place] * len(corpora), "o", color=INK, markersize=2.8)
        beside(axes, place, row["state"], colour)
    axes.set_xlabel("change of the validation ROC-AUC (small dots: each corpus; dashed: what counts)")
    parts = listed(f"{name} {signed(row['change'])}, {row['state']}" for name, row in zip(names, rows, strict=True))
    return Picture(sheet, f"Dot plot, {title}: {parts}.")


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
    axes[1, 0].xaxis.set_major_formatter("{x:,.0f}")
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
