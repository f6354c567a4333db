"""Figures of scores: models, tags, differences, calibration, and what a missing-label mask finds.

Conventions: scores lie in 0–1 and are ROC-AUC where nothing else is said; a difference is "first − second" of paired scores on the same
tracks.
"""

import textwrap
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import FixedLocator, MaxNLocator

from mtt.reporting.figures.draw import DASHED, Picture, beside, canvas, dots, figure, legend, lines, log_axis, row_canvas, signed_axis, told
from mtt.reporting.figures.style import BLUE, FAINT, GREY, INK, ORANGE, VERMILLION, WIDTH, model_colour, text_colour
from mtt.reporting.numbers import listed, with_interval

FOR, AGAINST, OPEN = (BLUE, "o", False), (VERMILLION, "D", False), (GREY, "o", True)  # colour, marker, hollow
VERDICTS = {"supported": FOR, "higher": FOR, "contradicted": AGAINST, "lower": AGAINST}  # any other is open
TAG_MARKERS = ("o", "D", "s")


@figure
def model_scores(scores: pd.DataFrame, reference: str) -> Picture:
    """A dot and its interval for each model (``scores``: index model), the best first, and a line at the ``reference``'s estimate."""
    title, ranked = "ROC-AUC of each model", scores.sort_values("estimate", ascending=False, kind="stable")
    sheet, axes = row_canvas(title, list(ranked.index), per_row=0.33)
    axes.axvline(ranked.at[reference, "estimate"], color=model_colour(reference), linewidth=1, linestyle=DASHED)
    for row, name in enumerate(ranked.index):
        dots(axes, ranked.iloc[[row]], [row], model_colour(name), size=8)
        beside(axes, row, with_interval(*ranked.loc[name, ["estimate", "low", "high"]]))
    axes.set_xlabel("ROC-AUC (95% interval)")
    axes.margins(x=0.06)
    axes.xaxis.set_major_locator(MaxNLocator(6))
    return Picture(sheet, f"Dot plot with 95% intervals, {title}, best first: {told(ranked)}.")


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
def paired_differences(differences: pd.DataFrame, title: str = "Paired differences in ROC-AUC", width: float = WIDTH) -> Picture:
    """Forest plot of paired differences, in the given order (index: claim; estimate, low, high, verdict).

    Optional columns ``margin_low`` and ``margin_high`` (empty where there is none) are drawn as dashed lines, which the verdict compares
    with instead of 0; the effects in ``by_seed`` are short strokes under the interval. A row without an interval has NaN for its bounds.
    Narrower than WIDTH, as on a phone, names and numbers stand above the bars.
    """
    narrow = width < WIDTH
    names = [textwrap.fill(str(name), 42) for name in differences.index]
    per_row = 0.85 + 0.16 * max(name.count("\n") for name in names) if narrow else 0.48
    sheet, axes = row_canvas(title, [""] * len(names) if narrow else list(differences.index), per_row, extra=1.3, width=width)
    signed_axis(axes)
    reach = 0.17 / per_row  # of margins to either side of a bar, in rows
    notes, parts = {"95% interval": True}, []
    for row, (_, values) in enumerate(differences.iterrows()):
        colour, marker, hollow = VERDICTS.get(values["verdict"], OPEN)
        for margin in values.reindex(["margin_low", "margin_high"]).dropna():
            axes.plot([margin] * 2, [row - reach, row + reach], color=INK, linewidth=1.2, linestyle=(0, (2.5, 1.5)))
            notes["dashed: margin fixed in advance"] = True
        dots(axes, differences.iloc[[row]], [row], colour, marker, size=6, hollow=hollow)
        for effect in values.get("by_seed", ()):
            axes.plot([effect] * 2, [row + 0.56 * reach, row + reach], color=INK, linewidth=1.2)
            notes["strokes: single trainings"] = True
        number = with_interval(*values[["estimate", "low", "high"]], sign=True)
        parts.append(f"{differences.index[row]}: {number}, {values['verdict']}")
        if narrow:
            _above(axes, row, names[row], values["verdict"], number, colour)
        else:
            beside(axes, row, values["verdict"], colour, rise=7, fontweight="bold")
            beside(axes, row, number, rise=-7)
    axes.margins(x=0.08)
    if narrow:
        axes.set_ylim(len(names) - 0.4, -0.7)
        axes.spines["left"].set_visible(False)
    axes.xaxis.set_major_locator(MaxNLocator(round(width / 1.2)))
    axes.set_xlabel(textwrap.fill(f"difference in ROC-AUC ({'; '.join(notes)})", round(14 * width)))
    return Picture(sheet, f"Forest plot with 95% intervals, {title}. {listed(parts)}.")


def _above(axes: Axes, row: int, name: str, verdict: str, number: str, colour: str) -> None:
    """Name, verdict and number of a row on lines of their own above its bar."""
    for text, x, rise, font in (
        (name, 0, 27, {}),
        (verdict, 0, 13, {"color": text_colour(colour), "fontweight": "bold"}),
        (number, 1, 13, {"ha": "right"}),
    ):
        place = {"xycoords": axes.get_yaxis_transform(), "xytext": (0, rise), "textcoords": "offset points", "va": "bottom"}
        axes.annotate(text, (x, row), fontsize=9, bbox={"facecolor": "white", "edgecolor": "none", "pad": 0.5}, **place, **font)


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
def precision_recall(points: pd.DataFrame, title: str) -> Picture:
    """Precision and recall of each row, in the given order (index: name; precision, recall)."""
    sheet, axes = row_canvas(title, list(points.index), per_row=0.36, extra=1.4)
    axes.hlines(range(len(points)), points["precision"], points["recall"], color=FAINT, linewidth=1, zorder=0)
    for measure, colour, marker in (("precision", BLUE, "o"), ("recall", ORANGE, "D")):
        dots(axes, points[[measure]].set_axis(["estimate"], axis=1), range(len(points)), colour, marker, label=measure)
    for place, row in enumerate(points.itertuples()):
        beside(axes, place, f"P {row.precision:.2f}  R {row.recall:.2f}")
    legend(axes)
    axes.set(xlim=(-0.02, 1.02), xlabel="precision, recall")
    rows = listed(f"{row.Index}: precision {row.precision:.3f}, recall {row.recall:.3f}" for row in points.itertuples())
    return Picture(sheet, f"Dot plot, {title}. {rows}.")
