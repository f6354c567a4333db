"""Figures against input length: score, score of each tag, time and memory.

Conventions: input length is in seconds and doubles from tick to tick; time is in milliseconds and memory in MB (10^6
bytes) for one clip.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
import seaborn
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter, NullLocator

from mtt.reporting.figures.draw import canvas, checked, estimates, label_ends, listed, named
from mtt.reporting.figures.picture import Picture
from mtt.reporting.figures.style import GREY, INK, model_colour, styled, text_colour


def _length_axis(axes: Axes, seconds: Sequence[float], label: bool = True) -> None:
    axes.set_xscale("log", base=2)
    axes.set_xticks(sorted(set(seconds)), [f"{value:g}" for value in sorted(set(seconds))])
    axes.xaxis.set_minor_locator(NullLocator())
    if label:
        axes.set_xlabel("input length (s)")


def _seconds(tables: Mapping[str, pd.DataFrame], what: str) -> list[float]:
    values = sorted({float(value) for table in tables.values() for value in table["seconds"]})
    if values[0] <= 0:
        raise ValueError(f"{what}: an input length of {values[0]:g} s; lengths must be positive")
    return values


@styled
def scores_by_length(
    curves: Mapping[str, pd.DataFrame],
    metric: str = "ROC-AUC",
    trained_on: float | None = None,
    title: str | None = None,
    caption: str = "",
) -> Picture:
    """A line with its interval band for each model (tables: seconds, estimate, low, high); ``trained_on`` marks the
    training length.
    """
    for name, table in named(curves, "scores_by_length").items():
        estimates(table, f"scores_by_length of {name}", ["seconds"])
    seconds = _seconds(curves, "scores_by_length")
    title = title or f"{metric} against input length"
    figure, axes = canvas(title, 3.8)
    panel, ends, parts = axes[0, 0], [], []
    for name, table in curves.items():
        table, colour = table.sort_values("seconds"), model_colour(str(name))
        panel.fill_between(table["seconds"], table["low"], table["high"], color=colour, alpha=0.18, linewidth=0)
        panel.plot(table["seconds"], table["estimate"], "o-", color=colour, markersize=5)
        ends.append((table["seconds"].iloc[-1], table["estimate"].iloc[-1], str(name), colour))
        parts.append(f"{name}: " + ", ".join(f"{row.estimate:.3f} at {row.seconds:g} s" for row in table.itertuples()))
    _length_axis(panel, seconds)
    panel.set_ylabel(f"{metric} (band: 95% interval)")
    panel.set_ylim(panel.get_ylim())
    if trained_on is not None:
        panel.axvline(trained_on, color=GREY, linewidth=1, linestyle=(0, (4, 2)))
        place = {"xycoords": panel.get_xaxis_transform(), "textcoords": "offset points", "ha": "center", "va": "bottom"}
        panel.annotate("trained on", (trained_on, 1), (0, 2), color=text_colour(GREY), fontsize=8.5, **place)
    label_ends(panel, ends, 2.9)
    return Picture(figure, f"Line chart with 95% interval bands, {title}. {'; '.join(parts)}.", caption)


@styled
def tags_by_length(
    scores: pd.DataFrame,
    metric: str = "ROC-AUC",
    title: str | None = None,
    caption: str = "",
) -> Picture:
    """Heatmap of each tag's change in score from the shortest input (``scores``: index tag, columns seconds); the
    largest gain first.
    """
    if scores.shape[0] == 0 or scores.shape[1] < 2:
        raise ValueError(f"tags_by_length: scores of shape {scores.shape}; give tags as rows and at least two lengths as columns")
    scores = scores.sort_index(axis=1)
    checked(scores, list(scores.columns), "tags_by_length")
    change = scores.sub(scores.iloc[:, 0], axis=0)
    change = change.loc[change.iloc[:, -1].sort_values(ascending=False, kind="stable").index]
    names = [f"{value:g}" for value in scores.columns]
    title = title or f"What longer input does to the {metric} of each tag"
    figure, axes = canvas(title, 1.7 + 0.215 * max(len(change), 4))
    numbers = change.map(lambda value: f"{round(value, 3) + 0.0:+.3f}".replace("-", "−"))
    numbers.iloc[:, 0] = [f"{value:.3f}" for value in scores.loc[change.index].iloc[:, 0]]
    limit = max(float(np.abs(change.to_numpy()).max()), 1e-6)
    seaborn.heatmap(
        change.set_axis(names, axis=1),
        ax=axes[0, 0],
        annot=numbers.to_numpy() if len(names) <= 9 else None,
        fmt="",
        annot_kws={"fontsize": 8},
        cmap="PuOr_r",
        vmin=-limit,
        vmax=limit,
        linewidths=0.5,
        linecolor="white",
        yticklabels=True,
        cbar_kws={
            "label": f"change in {metric} from {names[0]} s",
            "orientation": "horizontal",
            "shrink": 0.6,
            "aspect": 36,
            "pad": 0.02,
        },
    )
    axes[0, 0].set(xlabel=f"input length (s); first column: {metric} at {names[0]} s", ylabel="")
    axes[0, 0].tick_params(length=0, rotation=0)
    changes = listed((f"{tag} {numbers.loc[tag].iloc[-1]}" for tag in change.index), 60)
    span = f"change from {names[0]} s to {names[-1]} s input for {len(change)} tags, largest gain first"
    alt = f"Heatmap, {title}: {span}. {changes}."
    return Picture(figure, alt, caption)


@styled
def cost_by_length(
    costs: Mapping[str, pd.DataFrame],
    title: str = "What longer input costs",
    caption: str = "",
) -> Picture:
    """Time of one clip and memory kept for its backward pass, on doubling axes.

    Tables: seconds, milliseconds, and optionally megabytes.
    """
    for name, table in named(costs, "cost_by_length").items():
        checked(table, ["seconds", "milliseconds"], f"cost_by_length of {name}")
    seconds = _seconds(costs, "cost_by_length")
    measures = {"milliseconds": "time for one clip (ms)"}
    if all("megabytes" in table.columns for table in costs.values()):
        measures["megabytes"] = "kept for the backward pass (MB)"
    figure, axes = canvas(title, 0.8 + 2.3 * len(measures), rows=len(measures), sharex=True)
    for panel, (column, label) in zip(axes[:, 0], measures.items(), strict=True):
        ends = []
        for name, table in costs.items():
            table, colour = table.sort_values("seconds"), model_colour(str(name))
            panel.plot(table["seconds"], table[column], "o-", color=colour, markersize=5)
            ends.append((table["seconds"].iloc[-1], table[column].iloc[-1], str(name), colour))
        panel.set_yscale("log")
        panel.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        panel.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        panel.yaxis.set_minor_formatter(NullFormatter())
        panel.set_title(label, color=INK)
        panel.set_ylabel({"milliseconds": "ms", "megabytes": "MB"}[column])
        panel.set_ylim(panel.get_ylim())
        _length_axis(panel, seconds, label=panel is axes[-1, 0])
        label_ends(panel, ends, 1.7)
    parts = (
        f"{name} "
        + ", ".join(
            f"{table[column].iloc[-1]:.3g} {unit} at {table['seconds'].iloc[-1]:g} s"
            for column, unit in (("milliseconds", "ms"), ("megabytes", "MB"))
            if column in measures
        )
        for name, table in ((name, table.sort_values("seconds")) for name, table in costs.items())
    )
    return Picture(figure, f"Line charts, {title}: {listed(parts, 20)}.", caption)
