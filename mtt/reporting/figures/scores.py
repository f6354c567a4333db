"""Figures of scores: models, tags, differences, calibration, and what a missing-label mask finds.

Conventions: an estimate is a row with ``estimate``, ``low`` and ``high`` (a 95% interval). Scores lie in 0–1; a
difference is "first − second" of paired scores on the same tracks.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import FixedLocator, FuncFormatter, MaxNLocator

from mtt.reporting.figures.draw import (
    canvas,
    checked,
    estimates,
    label_ends,
    listed,
    name_rows,
    named,
    row_canvas,
    signed,
    with_interval,
)
from mtt.reporting.figures.picture import Picture
from mtt.reporting.figures.style import BLUE, FAINT, GREY, INK, ORANGE, VERMILLION, model_colour, styled, text_colour

VERDICT_COLOURS = {
    "supported": BLUE,
    "higher": BLUE,
    "contradicted": VERMILLION,
    "lower": VERMILLION,
    "inconclusive": GREY,
    "no difference shown": GREY,
}
VERDICT_MARKERS = {"contradicted": "D", "lower": "D"}
TAG_MARKERS = ("o", "D", "s")


def _interval(axes: Axes, row: float, values: pd.Series, colour: str, marker: str = "o", size: float = 7) -> None:
    axes.plot([values["low"], values["high"]], [row, row], color=colour, linewidth=2.2, solid_capstyle="butt", alpha=0.8)
    axes.plot(values["estimate"], row, marker, color=colour, markersize=size, markeredgecolor="white", markeredgewidth=0.8)


def _at_right(axes: Axes, row: float, text: str, colour: str = INK, rise: float = 0, **font) -> None:
    """Write beside the axes, ``rise`` points above the middle of the row."""
    place = {"xycoords": axes.get_yaxis_transform(), "xytext": (0, rise), "textcoords": "offset points", "va": "center"}
    axes.annotate(text, (1.015, row), fontsize=8.5, color=text_colour(colour), **place, **font)


@styled
def model_scores(
    scores: pd.DataFrame,
    metric: str = "ROC-AUC",
    reference: str | None = None,
    title: str | None = None,
    caption: str = "",
) -> Picture:
    """A dot and its interval for each model (``scores``: index model; estimate, low, high), the best first.

    A thin line continues ``reference``'s estimate through all rows, for reading the others against it.
    """
    estimates(scores, "model_scores")
    if reference is not None and reference not in scores.index:
        raise ValueError(f"model_scores: reference {reference!r} is not among {list(scores.index)}; name one of them")
    ranked = scores.sort_values("estimate", ascending=False, kind="stable")
    title = title or f"{metric} of each model"
    figure, axes = row_canvas(title, len(ranked), per_row=0.33)
    if reference is not None:
        axes.axvline(scores.loc[reference, "estimate"], color=model_colour(reference), linewidth=1, linestyle=(0, (4, 2)))
    for row, (name, values) in enumerate(ranked.iterrows()):
        _interval(axes, row, values, model_colour(str(name)), size=8)
        _at_right(axes, row, with_interval(values))
    name_rows(axes, list(ranked.index))
    axes.set_xlabel(f"{metric} (95% interval)")
    axes.margins(x=0.06)
    axes.xaxis.set_major_locator(MaxNLocator(6))
    numbers = listed((f"{name} {with_interval(values)}" for name, values in ranked.iterrows()), 30)
    return Picture(figure, f"Dot plot with 95% intervals, {title}, best first: {numbers}.", caption)


@styled
def tag_scores(
    scores: Mapping[str, pd.DataFrame],
    metric: str = "ROC-AUC",
    top: int | None = None,
    title: str | None = None,
    caption: str = "",
) -> Picture:
    """Per-tag dots and intervals of one to three models (each table: index tag; estimate, low, high), the first
    model's best tag first.

    ``top`` keeps only that many of the best and as many of the worst tags.
    """
    tables = {name: estimates(table, f"tag_scores of {name}") for name, table in named(scores, "tag_scores").items()}
    if len(tables) > len(TAG_MARKERS):
        raise ValueError(f"tag_scores: {len(tables)} models in one figure; draw at most {len(TAG_MARKERS)}")
    first = next(iter(tables.values()))
    for name, table in tables.items():
        if set(table.index) != set(first.index):
            raise ValueError(f"tag_scores: the tags of {name!r} differ from the first model's; score the same tags")
    ranked = list(first.sort_values("estimate", ascending=False, kind="stable").index)
    order = ranked if top is None or 2 * top >= len(ranked) else ranked[:top] + ranked[-top:]
    some = "" if len(order) == len(ranked) else f" (the best and the worst {top} of {len(ranked)})"
    title = title or f"{metric} of each tag{some}"
    figure, axes = row_canvas(title, len(order), per_row=0.235 if len(tables) == 1 else 0.2 + 0.1 * len(tables), extra=1.45)
    offsets = (np.arange(len(tables)) - (len(tables) - 1) / 2) * 0.3
    for (name, table), offset, marker in zip(tables.items(), offsets, TAG_MARKERS, strict=False):
        colour = model_colour(str(name))
        axes.plot([], [], marker, color=colour, label=name)
        for row, tag in enumerate(order):
            _interval(axes, row + offset, table.loc[tag], colour, marker, 5.5)
    if some:
        axes.axhline(top - 0.5, color="#9A9A9A", linewidth=0.8, linestyle=(0, (2, 2)))
    for row in range(len(order)):
        axes.axhline(row, color=FAINT, linewidth=0.5, zorder=0)
    if min(table["low"].min() for table in tables.values()) < 0:  # a difference
        axes.axvline(0, color=INK, linewidth=1, zorder=1)
        axes.xaxis.set_major_formatter(FuncFormatter(signed))
    axes.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=3, borderaxespad=0.2, handletextpad=0.2)
    name_rows(axes, order)
    axes.set_xlabel(f"{metric} (95% interval)")
    parts = (
        f"{name}: {listed([f'{tag} {value:.3f}' for tag, value in table.loc[order, 'estimate'].items()], 60)}."
        for name, table in tables.items()
    )
    numbers = " ".join(parts)
    return Picture(figure, f"Dot plot with 95% intervals, {title}, best first. {numbers}", caption)


@styled
def paired_differences(
    differences: pd.DataFrame,
    metric: str = "ROC-AUC",
    title: str | None = None,
    caption: str = "",
) -> Picture:
    """Forest plot of paired differences, in the given order (index: claim; estimate, low, high, verdict).

    Optional columns ``margin_low`` and ``margin_high`` (empty where there is none) are drawn as dashed lines, which the
    verdict compares with instead of 0; the effects in ``by_seed`` are short strokes under the interval.
    """
    estimates(differences, "paired_differences")
    if "verdict" not in differences.columns:
        raise ValueError("paired_differences: column 'verdict' is missing; give supported, contradicted or inconclusive")
    title = title or f"Paired differences in {metric}"
    figure, axes = row_canvas(title, len(differences), per_row=0.48, extra=1.3)
    axes.axvline(0, color=INK, linewidth=1)
    for row, (_, values) in enumerate(differences.iterrows()):
        colour = VERDICT_COLOURS.get(values["verdict"], BLUE)
        _margins(axes, row, values)
        _interval(axes, row, values, colour, VERDICT_MARKERS.get(values["verdict"], "o"), size=6)
        for effect in values.get("by_seed", ()):
            axes.plot([effect, effect], [row + 0.2, row + 0.36], color=INK, linewidth=1.2)
        _at_right(axes, row, values["verdict"], colour, rise=7, fontweight="bold")
        _at_right(axes, row, with_interval(values, sign=True), rise=-7)
    name_rows(axes, list(differences.index))
    axes.margins(x=0.08)
    axes.xaxis.set_major_formatter(FuncFormatter(signed))
    axes.xaxis.set_major_locator(MaxNLocator(6))
    margins = differences.reindex(columns=["margin_low", "margin_high"]).notna().to_numpy().any()
    seeds = "by_seed" in differences.columns and differences["by_seed"].map(len).any()
    notes = ["95% interval", *["dashed: margin fixed in advance"] * bool(margins), *["strokes: single trainings"] * bool(seeds)]
    axes.set_xlabel(f"difference in {metric} ({'; '.join(notes)})")
    numbers = listed(
        (f"{name}: {with_interval(values, sign=True)}, {values['verdict']}" for name, values in differences.iterrows()),
        30,
    )
    return Picture(figure, f"Forest plot with 95% intervals, {title}. {numbers}.", caption)


def _margins(axes: Axes, row: float, values: pd.Series) -> None:
    """A dashed line at each margin of one row."""
    for margin in (values.get(name, np.nan) for name in ("margin_low", "margin_high")):
        if np.isfinite(margin):
            axes.plot([margin, margin], [row - 0.36, row + 0.36], color=INK, linewidth=1.2, linestyle=(0, (2.5, 1.5)))


@styled
def reliability(
    curves: Mapping[str, pd.DataFrame],
    title: str = "Calibration: predicted probability against observed share",
    caption: str = "",
) -> Picture:
    """Calibration curves over bars of how many predictions each bin holds.

    Each table has a row per bin: ``predicted`` (mean probability), ``observed`` (share of positives), ``count``, and
    optionally ``low`` and ``high`` of the observed share.
    """
    for name, table in named(curves, "reliability").items():
        checked(table, ["predicted", "observed", "count"], f"reliability of {name}")
    figure, axes = canvas(title, 5.2, rows=2, sharex=True, height_ratios=[3.2, 1])
    upper, lower = axes[:, 0]
    upper.plot([0, 1], [0, 1], color=GREY, linewidth=1, linestyle=(0, (4, 2)))
    upper.set(xlim=(0, 1), ylim=(0, 1), ylabel="share that have the tag")
    ends, errors = [], {}
    for name, table in curves.items():
        colour = model_colour(str(name))
        if {"low", "high"} <= set(table.columns):
            upper.fill_between(table["predicted"], table["low"], table["high"], color=colour, alpha=0.18, linewidth=0)
        upper.plot(table["predicted"], table["observed"], "o-", color=colour, markersize=5)
        lower.plot(table["predicted"], table["count"], "o-", color=colour, markersize=3.5, linewidth=1.2)
        ends.append((table["predicted"].iloc[-1], table["observed"].iloc[-1], str(name), colour))
        errors[name] = float(np.average(np.abs(table["predicted"] - table["observed"]), weights=table["count"]))
    label_ends(upper, ends, 3.2)
    lower.set_yscale("log")
    lower.set(xlabel="predicted probability (dashed: perfectly calibrated)", ylabel="predictions")
    numbers = listed(f"{name} {error:.3f}" for name, error in errors.items())
    return Picture(figure, f"Calibration curves, {title}. Mean distance from the diagonal, weighted by count: {numbers}.", caption)


@styled
def missing_labels(
    missing: Sequence[float],
    negatives: Sequence[float],
    threshold: float | None = None,
    title: str = "Scores of negatives that are really missing labels",
    caption: str = "",
) -> Picture:
    """The teacher's scores of truly negative labels and of positives that the observed labels lack: each as share of
    its own kind.
    """
    rows = {"missing labels": np.asarray(missing, float), "true negatives": np.asarray(negatives, float)}
    for name, scores in rows.items():
        if scores.size == 0 or not np.isfinite(scores).all() or scores.min() < 0 or scores.max() > 1:
            raise ValueError(f"missing_labels: the scores of {name} must be one or more probabilities; apply the sigmoid first")
    figure, axes = canvas(title, 3.9, rows=2, sharex=True, sharey=True)
    parts = []
    for panel, (name, scores), colour in zip(axes[:, 0], rows.items(), (ORANGE, BLUE), strict=True):
        weights = np.full(scores.size, 100 / scores.size)
        panel.hist(scores, bins=np.linspace(0, 1, 41), weights=weights, color=colour, edgecolor="white", linewidth=0.4)
        text = f"{name} (n = {scores.size:,}): median {np.median(scores):.3f}"
        if threshold is not None:
            text += f", {np.mean(scores >= threshold):.1%} masked"
            panel.axvline(threshold, color=INK, linewidth=1.2, linestyle=(0, (4, 2)))
        panel.set_title(text, color=text_colour(colour))
        panel.set(ylabel="share (%)", xlim=(0, 1))
        parts.append(text)
    axes[0, 0].set_yscale("function", functions=(lambda share: np.sqrt(np.maximum(share, 0)), np.square))  # shows bars of 1% beside 40%
    axes[0, 0].yaxis.set_major_locator(FixedLocator([0, 1, 5, 10, 20, 40, 60, 100]))
    axes[1, 0].set_xlabel("the teacher's probability" + (f" (dashed: masked from {threshold:.3g})" if threshold is not None else ""))
    return Picture(figure, f"Two histograms, {title}: {'; '.join(parts)}.", caption)


@styled
def precision_recall(
    points: pd.DataFrame,
    title: str = "Precision and recall",
    caption: str = "",
) -> Picture:
    """Precision and recall of each row, in the given order (index: name; precision, recall; optionally each with _low
    and _high).
    """
    checked(points, ["precision", "recall"], "precision_recall")
    figure, axes = row_canvas(title, len(points), per_row=0.36, extra=1.4)
    for measure, colour, marker in (("precision", BLUE, "o"), ("recall", ORANGE, "D")):
        axes.plot([], [], marker, color=colour, label=measure)
        for row, (_, values) in enumerate(points.iterrows()):
            ends = (values.get(f"{measure}_{side}", np.nan) for side in ("low", "high"))
            low, high = (values[measure] if np.isnan(end) else end for end in ends)
            _interval(axes, row, pd.Series({"estimate": values[measure], "low": low, "high": high}), colour, marker)
    for row, (_, values) in enumerate(points.iterrows()):
        axes.plot([values["precision"], values["recall"]], [row, row], color=FAINT, linewidth=1, zorder=0)
        _at_right(axes, row, f"P {values['precision']:.2f}  R {values['recall']:.2f}")
    axes.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=2, borderaxespad=0.2, handletextpad=0.2)
    name_rows(axes, list(points.index))
    axes.set(xlim=(-0.02, 1.02), xlabel="precision, recall")
    rows = listed((f"{name}: precision {row['precision']:.3f}, recall {row['recall']:.3f}" for name, row in points.iterrows()), 30)
    return Picture(figure, f"Dot plot, {title}. {rows}.", caption)
