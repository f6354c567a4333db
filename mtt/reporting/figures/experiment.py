"""Figures of the experiment's results: claims over replicates, what effects vary by, and what models cost.

Conventions: an estimate is what ``mtt.findings.judge.told`` makes: ``effect``, ``interval`` (None: unbounded) and ``by_replicate``, all
in macro ROC-AUC. Figures of the opening page take a ``width``: on a phone, panels and names stand above each other.
"""

import math
import textwrap
from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from mtt.evaluation.replicates import replicates_needed
from mtt.findings.claims import CLAIMS
from mtt.findings.reference import standing
from mtt.reporting.figures.draw import Picture, beside, canvas, dots, figure, label_ends, legend, log_axis, row_canvas, signed_axis
from mtt.reporting.figures.style import BLUE, EDGE, GREEN, GREY, GRID, INK, ORANGE, PURPLE, SKY, VERMILLION, WIDTH, text_colour
from mtt.reporting.numbers import listed, number, with_interval

FOR, AGAINST, OPEN = (BLUE, "o", False), (VERMILLION, "D", False), (GREY, "o", True)  # colour, marker, hollow
STANDING = {"supported": FOR, "agrees": FOR, "contradicted": AGAINST, "differs": AGAINST}  # any other is open
KINDS = {"supervised": BLUE, "student": GREEN, "oracle": ORANGE, "control": PURPLE, "baseline": GREY, "leak": SKY}
LIMIT = 0.005  # an effect worth seeing
FEW = 2  # claims at most whose controls have rows of their own
BEYOND = 0.5  # of what points span: how far a wide interval is followed before it ends in an arrow
ROUND = (1, 2, 5, 10)  # steps from tick to tick


def interval_text(one: Mapping) -> str:
    return with_interval(one["effect"], *(one["interval"] or (math.nan, math.nan)), digits=3, sign=True)


@figure
def claims_plot(entries: Sequence[Mapping], title: str = "The claims, tested", width: float = WIDTH) -> Picture:
    """Forest plot of claims' entries in results.json: effect, interval and replicates of each, what stands beside it, and its verdict.

    Where an entry has a reference, a band behind it is where that expects a replicate, with its mean, and the verdict is whether this run
    agrees. One or two claims show controls and comparisons in rows of their own, more as marks below the effect. Narrower than WIDTH, as
    on a phone, names and numbers stand above the bars.
    """
    narrow, rows = width < WIDTH, list(_claim_rows(entries, apart=len(entries) <= FEW))
    names = [textwrap.fill(name, 42) for name, _, _ in rows]
    per_row = 0.85 + 0.16 * max(name.count("\n") for name in names) if narrow else 0.36 if len(rows) > len(entries) else 0.52
    sheet, axes = row_canvas(title, [""] * len(rows) if narrow else [name for name, _, _ in rows], per_row, extra=1.5, width=width)
    signed_axis(axes)
    low, high = _reach(entries)
    axes.set_xlim(low, high)
    notes, parts = {"bar: 95% interval over replicates": True, "small dots: replicates": True}, []
    for place, (name, one, entry) in enumerate(rows):
        colour, marker, hollow = STANDING.get(standing(entry), OPEN) if entry else (GREY, "o", False)
        if entry:
            notes |= _behind(axes, place, entry, 0.17 / per_row) | _marks(axes, place, entry, 0.13 / per_row, len(rows) == len(entries))
        interval_bar(axes, place, one, (low, high), colour)
        point = pd.DataFrame({"estimate": [one["effect"]]})
        dots(axes, point, [place], colour, marker, size=7 if entry else 5, hollow=hollow)
        heights = [place + 0.07 / per_row] * len(one["by_replicate"])
        axes.plot(one["by_replicate"], heights, "o", color=INK if entry else GREY, markersize=2.8, markeredgewidth=0)
        verdict, text = standing(entry) if entry else "", interval_text(one)
        parts.append(f"{name}: {text}{', ' if verdict else ''}{verdict}{_aside(entry) if entry and len(rows) == len(entries) else ''}")
        if narrow:
            _above(axes, place, names[place], verdict, text, colour)
        else:
            beside(axes, place, verdict, colour, rise=7, fontweight="bold")
            beside(axes, place, text, INK if entry else GREY, rise=-7 if verdict else 0)
    if narrow:
        axes.set_ylim(len(names) - 0.4, -0.7)
        axes.spines["left"].set_visible(False)
    axes.xaxis.set_major_locator(MaxNLocator(round(width / 1.2), steps=ROUND))
    axes.set_xlabel(textwrap.fill(f"difference in ROC-AUC ({'; '.join(notes)})", round(13 * width)))
    return Picture(sheet, f"Forest plot with 95% intervals, {title}. {listed(parts)}.")


def _claim_rows(entries: Sequence[Mapping], apart: bool) -> Iterator[tuple[str, Mapping, Mapping | None]]:
    """Name, estimate and entry of each row; None for the entry of what only stands beside a claim."""
    for entry in entries:
        yield f"{entry['id']} {CLAIMS[entry['id']].label}", entry, entry
        if apart:
            yield from ((f"control: {name}", one, None) for name, one in entry["controls"].items())
            yield from ((name, one, None) for name, one in entry["beside"].items())


def _aside(entry: Mapping) -> str:
    texts = [f"{name} {interval_text(one)}" for name, one in (*entry["controls"].items(), *entry["beside"].items())]
    return f" (beside it: {', '.join(texts)})" if texts else ""


def _reach(entries: Sequence[Mapping]) -> tuple[float, float]:
    """Limits of x: all points, and of the intervals as much as leaves the points apart."""
    points, ends = [0.0], []
    for entry in entries:
        for one in (entry, *entry["controls"].values(), *entry["beside"].values()):
            points += [one["effect"], *one["by_replicate"]]
            ends += one["interval"] or ()
        points += CLAIMS[entry["id"]].borders
        points += entry["reference"]["prediction"] if entry["reference"] else ()
    low, high = min(points), max(points)
    room = max(high - low, LIMIT)
    ends = [min(max(end, low - BEYOND * room), high + BEYOND * room) for end in ends]
    low, high = min([low, *ends]), max([high, *ends])
    return low - 0.06 * (high - low), high + 0.06 * (high - low)


def interval_bar(axes: Axes, place: float, one: Mapping, limits: tuple[float, float], colour: str) -> None:
    """The interval of ``one``; an end beyond the ``limits`` is an arrow, an unbounded interval a dotted line from side to side."""
    ends = np.clip(tuple(one["interval"] or (-math.inf, math.inf)), *limits)
    axes.hlines(place, *ends, color=colour, linewidth=2.2, alpha=0.8, linestyle="-" if one["interval"] else (0, (1, 1.5)))
    for end, limit, marker in zip(ends, limits, ("<", ">"), strict=True):
        if end == limit:
            axes.plot(end, place, marker, color=colour, markersize=5, clip_on=False)


def _behind(axes: Axes, place: float, entry: Mapping, reach: float) -> dict[str, bool]:
    """The margins of a claim and what the reference expects; what of it there is, for the axis."""
    claim, known, notes = CLAIMS[entry["id"]], entry["reference"], {}
    if known:
        low, high = known["prediction"]
        axes.barh(place, high - low, 2.4 * reach, low, color=GRID, zorder=0)
        axes.plot([known["effect"]] * 2, [place - 1.2 * reach, place + 1.2 * reach], color=EDGE, linewidth=1.6, zorder=1)
        notes["band: where the reference run expects a replicate, with its mean"] = True
    for margin in claim.borders if claim.margin else ():
        axes.plot([margin] * 2, [place - reach, place + reach], color=INK, linewidth=1.2, linestyle=(0, (2.5, 1.5)))
        notes["dashed: margin"] = True
    return notes


def _marks(axes: Axes, place: float, entry: Mapping, drop: float, wanted: bool) -> dict[str, bool]:
    """Controls and comparisons as grey marks below a claim's effect; which of them there are, for the axis."""
    notes = {}
    for part, marker, note in (("controls", "x", "×: controls"), ("beside", "|", "strokes: comparisons")):
        values = [one["effect"] for one in entry[part].values()] if wanted else []
        if values:
            axes.plot(values, [place + drop] * len(values), marker, color=GREY, markersize=5, markeredgewidth=1.3, linestyle="none")
            notes[note] = True
    return notes


def _above(axes: Axes, row: int, name: str, verdict: str, text: str, colour: str) -> None:
    """Name, verdict and number of a row on lines of their own above its bar."""
    for words, x, rise, font in (
        (name, 0, 27, {}),
        (verdict, 0, 13, {"color": text_colour(colour), "fontweight": "bold"}),
        (text, 1, 13, {"ha": "right"}),
    ):
        place = {"xycoords": axes.get_yaxis_transform(), "xytext": (0, rise), "textcoords": "offset points", "va": "bottom"}
        axes.annotate(words, (x, row), fontsize=9, bbox={"facecolor": "white", "edgecolor": "none", "pad": 0.5}, **place, **font)


@figure
def variance_budget(rows: Sequence[Mapping], width: float = WIDTH) -> Picture:
    """What each claim's effect varies by from replicate to replicate: standard deviation from artists, training and corpus.

    Beside it the replicates that would show an effect of LIMIT four times of five.
    """
    title = "What an effect varies by, and how many replicates would show one of 0.005"
    names = [row["id"] if width < WIDTH else f"{row['id']} {CLAIMS[row['id']].label}" for row in rows]
    sheet, axes = row_canvas(title, names, per_row=0.42, extra=1.6, width=width)
    parts = []
    sources = {"artists": (BLUE, "o"), "training": (ORANGE, "D"), "corpus": (GREEN, "s")}
    for place, row in enumerate(rows):
        known = {name: row[name] for name in sources if row[name] is not None}
        axes.hlines(place, 0, row["total"] or 0, color=EDGE, linewidth=5, alpha=0.45)
        for name, value in known.items():
            axes.plot(value, place, sources[name][1], color=sources[name][0], markersize=7, markeredgecolor="white")
        needed = f"{replicates_needed(row['total'], LIMIT):,}" if row["total"] else "–"
        beside(axes, place, f"{needed} replicates" if width >= WIDTH else f"n = {needed}")
        told = ", ".join(f"{name} {number(value, 4)}" for name, value in known.items())
        parts.append(f"{row['id']}: {told}, together {number(row['total'] or 0, 4)}, {needed} replicates")
    for name, (colour, marker) in sources.items():
        axes.plot([], [], marker, color=colour, markersize=7, markeredgecolor="white", label=name)
    legend(axes)
    axes.set_xlim(left=0)
    axes.xaxis.set_major_locator(MaxNLocator(5, steps=ROUND))
    axes.set_xlabel(textwrap.fill("standard deviation of one replicate's effect (ROC-AUC; bar: all sources together)", round(11 * width)))
    return Picture(sheet, f"Dot plot of standard deviations by source, {title}. {listed(parts)}.")


@figure
def models_plot(rows: Sequence[Mapping], width: float = WIDTH) -> Picture:
    """ROC-AUC of the models of results.json against their size and the time that training one takes; of many only the best of each kind is
    named.
    """
    title, narrow = "Models: score against size and training time", width < WIDTH
    sheet, axes = canvas(title, 6.6 if narrow else 4.0, rows=1 + narrow, columns=2 - narrow, width=width, sharey=True)
    ranked = sorted(rows, key=lambda row: -row["roc_auc"])
    best = {row["kind"]: row for row in reversed(ranked)}.values()
    costs = {"parameters": 1, "seconds": 0.1}  # field -> the least that is shown
    for panel, (field, least) in zip(axes.flat, costs.items(), strict=True):
        for row in ranked:
            bounds = row["roc_auc_interval"] or (min(row["roc_auc_by_replicate"]), max(row["roc_auc_by_replicate"]))
            panel.vlines(max(row[field], least), *bounds, color=KINDS[row["kind"]], linewidth=1.4, alpha=0.35)
            panel.plot(max(row[field], least), row["roc_auc"], "o", color=KINDS[row["kind"]], markersize=6.5, markeredgecolor="white")
        panel.set_xscale("log")
        panel.margins(x=0.08)
        log_axis(panel.xaxis, room=1.1)
        panel.set_ylabel("ROC-AUC")
    scores = [row["roc_auc"] for row in rows]
    room = max(max(scores) - min(scores), 0.01)
    first, last = axes.flat
    first.set_ylim(max(0.0, min(scores) - 0.25 * room), min(1.0, max(scores) + 0.25 * room))
    first.set_xlabel("parameters")
    last.set_xlabel("time to train one (s)")
    if not narrow:
        last.set_ylabel("")
        named = ranked if len(ranked) <= 9 else best
        label_ends(last, [(max(row["seconds"], costs["seconds"]), row["roc_auc"], row["label"], KINDS[row["kind"]]) for row in named], 3.0)
    for kind in [kind for kind in KINDS if any(row["kind"] == kind for row in rows)]:
        first.plot([], [], "o", color=KINDS[kind], label=kind)
    sheet.legend(loc="outside lower left", ncols=3 if narrow else 6, handletextpad=0.1, columnspacing=1)
    parts = listed((f"{row['label']} {number(row['roc_auc'])}, {number(row['parameters'], 0)} parameters" for row in ranked), 12)
    return Picture(sheet, f"Scatter plots, {title}: {len(ranked)} models, best first: {parts}.")
