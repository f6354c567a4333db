"""Figures of the experiment: claims over replicates, labels against scarcity, the trap, variances, tags, and what models cost.

Conventions: an estimate is what ``mtt.findings.claims.told`` makes: ``effect``, ``interval`` (None: unbounded) and ``by_replicate``, all
in macro ROC-AUC. Lines have the 95% interval over replicates as a band, or, where that is unbounded, the range of the replicates. Rows
are those of ``mtt.findings.curves``. Figures of the opening page take a ``width``: on a phone, panels and names stand above each other.
"""

from __future__ import annotations

import math
import textwrap
from collections.abc import Iterable, Iterator, Mapping, Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator, NullLocator

from mtt.evaluation.replicates import replicates_needed
from mtt.findings.claims import CLAIMS
from mtt.findings.curves import equal_artists
from mtt.findings.reference import standing
from mtt.reporting.figures.draw import DASHED, Picture, beside, canvas, dots, figure, label_ends, legend, log_axis, row_canvas, signed_axis
from mtt.reporting.figures.style import BLUE, EDGE, GREEN, GREY, GRID, INK, ORANGE, PURPLE, SKY, VERMILLION, WIDTH, text_colour
from mtt.reporting.numbers import listed, number, signed, with_interval

FOR, AGAINST, OPEN = (BLUE, "o", False), (VERMILLION, "D", False), (GREY, "o", True)  # colour, marker, hollow
STANDING = {"supported": FOR, "agrees": FOR, "contradicted": AGAINST, "differs": AGAINST}  # any other is open
KINDS = {"supervised": BLUE, "student": GREEN, "oracle": ORANGE, "control": PURPLE, "baseline": GREY, "leak": SKY}
LIMIT = 0.005  # an effect worth seeing
FEW = 2  # claims at most whose controls have rows of their own
BEYOND = 0.5  # of what points span: how far a wide interval is followed before it ends in an arrow
ROUND = (1, 2, 5, 10)  # steps from tick to tick


def _bounds(one: Mapping) -> tuple[float, float]:
    return tuple(one["interval"] or (-math.inf, math.inf))


def _text(one: Mapping, digits: int = 3, sign: bool = True) -> str:
    return with_interval(one["effect"], *(one["interval"] or (math.nan, math.nan)), digits, sign)


def _table(rows: Iterable[Mapping], x: str, what: str) -> pd.DataFrame:
    """A row for each that has ``what``: ``x``, estimate, low and high, which without an interval are the range of the replicates."""
    kept = [row for row in rows if row.get(what)]
    bands = [row[what]["interval"] or (min(row[what]["by_replicate"]), max(row[what]["by_replicate"])) for row in kept]
    columns = {x: [row[x] for row in kept], "estimate": [row[what]["effect"] for row in kept]}
    return pd.DataFrame(columns | {"low": [low for low, _ in bands], "high": [high for _, high in bands]})


def _replicates(axes: Axes, x: float, one: Mapping, colour: str) -> None:
    """Every replicate as a small dot above ``x``."""
    axes.plot([x] * len(one["by_replicate"]), one["by_replicate"], "o", color=colour, markersize=2.6, alpha=0.6, markeredgewidth=0)


def _curve(axes: Axes, table: pd.DataFrame, x: str, colour: str, **look) -> None:
    axes.fill_between(table[x], table["low"], table["high"], color=colour, alpha=0.16, linewidth=0)
    axes.plot(table[x], table["estimate"], color=colour, **{"marker": "o", "markersize": 5, **look})


def _panels(title: str, width: float, height: float) -> tuple[Figure, Sequence[Axes]]:
    """Two panels side by side, or on a phone one above the other."""
    narrow = width < WIDTH
    shape = {"rows": 2, "height_ratios": [1.35, 1]} if narrow else {"columns": 2, "width_ratios": [1.35, 1]}
    sheet, axes = canvas(title, height * (1.75 if narrow else 1), width=width, **shape)
    return sheet, axes.ravel()


def _numbers_axis(axes: Axes, values: Iterable[float], name: str, text: str = "{:,g}") -> None:
    """A logarithmic x with a tick at each of ``values``."""
    ticks = sorted(set(values))
    axes.set_xscale("log")
    axes.set_xticks(ticks, [text.format(value) for value in ticks])
    axes.xaxis.set_minor_locator(NullLocator())
    axes.set_xlabel(name)
    axes.margins(x=0.08)


def _gain_axis(axes: Axes) -> None:
    axes.axhline(0, color=INK, linewidth=1, zorder=1)
    axes.yaxis.set_major_locator(MaxNLocator(6, steps=ROUND))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: signed(value, None)))


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
        _bar(axes, place, one, (low, high), colour)
        point = pd.DataFrame({"estimate": [one["effect"]]})
        dots(axes, point, [place], colour, marker, size=7 if entry else 5, hollow=hollow)
        heights = [place + 0.07 / per_row] * len(one["by_replicate"])
        axes.plot(one["by_replicate"], heights, "o", color=INK if entry else GREY, markersize=2.8, markeredgewidth=0)
        verdict, text = standing(entry) if entry else "", _text(one)
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
    texts = [f"{name} {_text(one)}" for name, one in (*entry["controls"].items(), *entry["beside"].items())]
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


def _bar(axes: Axes, place: float, one: Mapping, limits: tuple[float, float], colour: str) -> None:
    """The interval of ``one``; an end beyond the ``limits`` is an arrow, an unbounded interval a dotted line from side to side."""
    ends = np.clip(_bounds(one), *limits)
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
def scarcity(rows: Sequence[Mapping], reference: Sequence[Mapping] | None = None, width: float = WIDTH) -> Picture:
    """Score and gain against labelled artists; of a run with one number of them its points over the ``reference``'s curves.

    Left: supervised model, student, oracle, and how many labelled artists the pool is worth where it is worth most. Right: the student's
    gain, and the share of the headroom (oracle minus supervised) that it recovers, in brackets where its interval is unbounded.
    """
    title = "Score and gain against labelled artists"
    own = len(rows) > 1 or not reference
    drawn = list(rows if own else reference)
    sheet, (left, right) = _panels(title, width, 3.7)
    for kind in ("supervised", "student", "oracle"):
        table = _table(drawn, "artists", kind)
        if len(table):
            _curve(left, table, "artists", KINDS[kind], label=kind, **({} if own else {"markersize": 0, "alpha": 0.7}))
        for row in drawn if own else ():
            _replicates(left, row["artists"], row.get(kind, {"by_replicate": []}), KINDS[kind])
    gains = _table(drawn, "artists", "gain")
    _curve(right, gains, "artists", GREEN, **({} if own else {"markersize": 0, "alpha": 0.7}))
    for row in rows if not own else ():
        for panel, kind in ((left, "supervised"), (left, "student"), (left, "oracle"), (right, "gain")):
            if kind in row:
                colour = KINDS.get(kind, GREEN)
                _replicates(panel, row["artists"], row[kind], colour)
                panel.plot(row["artists"], row[kind]["effect"], "D", color=colour, markersize=6, markeredgecolor="white")
    for row in drawn if own else ():
        _replicates(right, row["artists"], row["gain"], GREEN)
    for panel, name in ((left, "ROC-AUC"), (right, "student minus supervised")):
        _numbers_axis(panel, [row["artists"] for row in (*drawn, *rows)], "labelled artists")
        panel.set_ylabel(name)
    _gain_axis(right)
    _recovered(right, drawn)
    legend(left)
    worth = _worth(left, drawn)
    parts = [
        f"{row['artists']:,} artists: " + ", ".join(f"{kind} {number(row[kind]['effect'])}" for kind in KINDS if kind in row)
        + f", gain {_text(row['gain'])}{_share(row)}"
        for row in drawn
    ]  # fmt: skip
    whose = "" if own else " Curves are the reference run's, points this run's."
    return Picture(sheet, f"Line charts with bands over replicates, {title}.{whose} {listed(parts)}.{worth}")


def _share(row: Mapping) -> str:
    return f", {row['recovered']['effect']:.0%} of the headroom".replace("-", "−") if row.get("recovered") else ""


def _recovered(axes: Axes, rows: Sequence[Mapping]) -> None:
    """The recovered headroom along the top of the gains."""
    shares = {row["artists"]: row["recovered"] for row in rows if row.get("recovered")}
    for artists, one in shares.items():
        text = f"{100 * one['effect']:.0f}%".replace("-", "−")
        place = {"xycoords": axes.get_xaxis_transform(), "xytext": (0, 3), "textcoords": "offset points", "ha": "center", "va": "bottom"}
        axes.annotate(text if one["interval"] else f"({text})", (artists, 1), fontsize=8.5, color=text_colour(GREEN), **place)
    if shares:
        axes.set_title("headroom recovered", fontsize=9, color=text_colour(GREEN), pad=17)


def _worth(axes: Axes, rows: Sequence[Mapping]) -> str:
    """Draws where the supervised curve reaches the student's score, at the size at which the pool is worth most; the same in words."""
    found = [(equal / row["artists"], equal, row) for row, equal in zip(rows, equal_artists(rows), strict=True) if math.isfinite(equal)]
    if not found or max(found, key=lambda one: one[0])[0] <= 1:
        return ""
    _, equal, row = max(found, key=lambda one: one[0])
    score = row["student"]["effect"]
    axes.plot([row["artists"], equal], [score, score], color=INK, linewidth=1.1, linestyle=DASHED)
    axes.plot(equal, score, "|", color=INK, markersize=9)
    text = f"{row['artists']:,} labelled artists + pool:\nas good as {equal:,.0f} labelled artists"
    axes.annotate(text, (0.97, 0.04), xycoords="axes fraction", ha="right", va="bottom", fontsize=8.5)
    return f" With {row['artists']:,} labelled artists the pool is worth labels of {equal - row['artists']:,.0f} more."


@figure
def trap(rows: Sequence[Mapping], width: float = WIDTH) -> Picture:
    """The student's gain over its teacher, and over the control that is fully trained, against the teacher's share of its exposure."""
    title = "The trap: a gain over a teacher that was not trained to the end"
    narrow = width < WIDTH
    sheet, ((axes,),) = canvas(title, 4.1 if narrow else 3.4, width=width)
    sides = {
        "over_teacher": (VERMILLION, "minus its own teacher", "s"),
        "over_control": (GREEN, "minus the teacher trained to the end", "o"),
    }
    for what, (colour, name, marker) in sides.items():
        _curve(axes, _table(rows, "share", what), "share", colour, label=name, marker=marker)
        for row in rows:
            _replicates(axes, row["share"], row[what], colour)
    _numbers_axis(axes, [row["share"] for row in rows], "share of its exposure that the teacher had", "{:.0%}")
    _gain_axis(axes)
    axes.set_ylabel("student's ROC-AUC …")
    axes.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=1 if narrow else 2, borderaxespad=0.2, handletextpad=0.4)
    parts = [f"{row['share']:.0%}: " + ", ".join(f"{sides[what][1]} {_text(row[what])}" for what in sides) for row in rows]
    return Picture(sheet, f"Line chart with bands over replicates, {title}. By the teacher's share of its exposure: {listed(parts)}.")


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
def tag_gains(rows: Sequence[Mapping]) -> Picture:
    """Each tag's gain against how well the teacher truly knows it on the pool; larger: more of its labels are missing."""
    title = "What each tag gains, against what the teacher knows of it"
    sheet, ((axes,),) = canvas(title, 4.4)
    table = pd.DataFrame(rows)
    for colour, (kind, part) in zip((BLUE, VERMILLION, GREEN, PURPLE, ORANGE, GREY) * 3, table.groupby("kind", sort=False), strict=False):
        sizes = 18 + 320 * part["missing"].clip(0, 1)
        axes.scatter(part["teacher"], part["gain"], sizes, color=colour, alpha=0.75, edgecolor="white", linewidth=0.8)
        axes.plot([], [], "o", color=colour, label=kind)
    _gain_axis(axes)
    axes.margins(x=0.06, y=0.1)
    axes.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=5, borderaxespad=0.2, handletextpad=0.1)
    axes.set(
        ylabel="student minus labels alone (ROC-AUC)", xlabel="the teacher's true ROC-AUC on the pool (larger dot: more labels missing)"
    )
    ranked = table.sort_values("gain", ascending=False, kind="stable")
    few = pd.concat([ranked.head(3), ranked.tail(3)]).drop_duplicates("tag")
    label_ends(axes, [(row.teacher, row.gain, row.tag, GREY) for row in few.itertuples()], 3.4)
    parts = listed((f"{row.tag} {signed(row.gain, 3)} (teacher {number(row.teacher)})" for row in ranked.itertuples()), 10)
    return Picture(sheet, f"Scatter plot, {title}: {len(table)} tags, largest gain first: {parts}.")


@figure
def pools(rows: Sequence[Mapping]) -> Picture:
    """The student's gain over labels alone against the artists in its pool."""
    title = "What a larger pool of unlabelled music is worth"
    sheet, ((axes,),) = canvas(title, 2.9)
    _curve(axes, _table(rows, "artists", "gain"), "artists", GREEN)
    for row in rows:
        _replicates(axes, row["artists"], row["gain"], GREEN)
    _numbers_axis(axes, [row["artists"] for row in rows], "artists in the pool")
    _gain_axis(axes)
    axes.set_ylabel("student minus\nlabels alone")
    parts = listed(f"{row['artists']:,} artists {_text(row['gain'])}" for row in rows)
    return Picture(sheet, f"Line chart with a band over replicates, {title}: {parts}.")


@figure
def styles(rows: Sequence[Mapping]) -> Picture:
    """Labels of studio recordings alone: what a pool of either style adds on test tracks of either."""
    title = "Labels from the studio: what a pool of either style adds"
    names = [f"{row['pool']} pool, tested on {row['tested']}" for row in rows]
    sheet, axes = row_canvas(title, names, per_row=0.42)
    signed_axis(axes)
    points = [value for row in rows for value in row["gain"]["by_replicate"]]
    room = max(max(points) - min(points), LIMIT)
    limits = min(0.0, *points) - room, max(0.0, *points) + room
    for place, row in enumerate(rows):
        colour = GREEN if row["pool"] != "studio" else BLUE
        _bar(axes, place, row["gain"], limits, colour)
        dots(axes, pd.DataFrame({"estimate": [row["gain"]["effect"]]}), [place], colour)
        axes.plot(row["gain"]["by_replicate"], [place + 0.22] * len(row["gain"]["by_replicate"]), "o", color=INK, markersize=2.8)
        beside(axes, place, _text(row["gain"]))
    axes.set_xlim(*limits)
    axes.set_xlabel("student minus its teacher (ROC-AUC, 95% interval over replicates)")
    parts = listed(f"{name} {_text(row['gain'])}" for name, row in zip(names, rows, strict=True))
    return Picture(sheet, f"Dot plot with 95% intervals, {title}: {parts}.")


@figure
def trained_lengths(rows: Sequence[Mapping]) -> Picture:
    """ROC-AUC of models that are trained and tested at each clip length."""
    title = "Models trained and tested at each clip length"
    sheet, ((axes,),) = canvas(title, 3.2)
    labels, ends = list(dict.fromkeys(row["label"] for row in rows)), []
    for colour, label in zip((BLUE, VERMILLION, GREEN, PURPLE), labels, strict=False):
        own = [row for row in rows if row["label"] == label]
        _curve(axes, _table(own, "seconds", "roc_auc"), "seconds", colour)
        for row in own:
            _replicates(axes, row["seconds"], row["roc_auc"], colour)
        ends.append((own[-1]["seconds"], own[-1]["roc_auc"]["effect"], label, colour))
    _numbers_axis(axes, [row["seconds"] for row in rows], "clip length in training and test (s)")
    axes.set_ylabel("ROC-AUC")
    label_ends(axes, ends, 2.3)
    parts = listed(f"{row['label']} {number(row['roc_auc']['effect'])} at {row['seconds']:g} s" for row in rows)
    return Picture(sheet, f"Line chart with bands over replicates, {title}: {parts}.")


@figure
def models_plot(rows: Sequence[Mapping], width: float = WIDTH) -> Picture:
    """ROC-AUC of the models of results.json against the time that training one takes; of many only the best of each kind is named."""
    title, narrow = "Models: score against training time", width < WIDTH
    sheet, ((axes,),) = canvas(title, 4.0, width=width)
    ranked = sorted(rows, key=lambda row: -row["roc_auc"])
    best = {row["kind"]: row for row in reversed(ranked)}.values()
    for kind, colour in KINDS.items():
        own = [row for row in ranked if row["kind"] == kind]
        for row in own:
            bounds = row["roc_auc_interval"] or (min(row["roc_auc_by_replicate"]), max(row["roc_auc_by_replicate"]))
            axes.vlines(max(row["seconds"], 0.1), *bounds, color=colour, linewidth=1.4, alpha=0.35)
            axes.plot(max(row["seconds"], 0.1), row["roc_auc"], "o", color=colour, markersize=6.5, markeredgecolor="white")
        if own:
            axes.plot([], [], "o", color=colour, label=kind)
    scores = [row["roc_auc"] for row in rows]
    room = max(max(scores) - min(scores), 0.01)
    axes.set_ylim(max(0.0, min(scores) - 0.25 * room), min(1.0, max(scores) + 0.25 * room))
    axes.set_xscale("log")
    axes.margins(x=0.08)
    log_axis(axes.xaxis, room=2.2)
    axes.set(xlabel="time to train one (s)", ylabel="ROC-AUC")
    named = [(max(row["seconds"], 0.1), row["roc_auc"], row["label"], KINDS[row["kind"]]) for row in (ranked if len(ranked) <= 9 else best)]
    axes.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=3 if narrow else 6, borderaxespad=0.2, handletextpad=0.1, columnspacing=1)
    if not narrow:
        label_ends(axes, named, 3.0)
    parts = listed((f"{row['label']} {number(row['roc_auc'])}" for row in ranked), 12)
    return Picture(sheet, f"Scatter plot, {title}: {len(ranked)} models, best first: {parts}.")
