"""Figures of the experiment's curves: labels against scarcity, the trap, the pool and its styles, clip lengths, and tags.

Conventions: rows are those of ``mtt.findings.curves``, estimates as in ``experiment``. Lines have the 95% interval over replicates as a
band; where there are too few replicates for it to tell anything, their range.
"""

import math
from collections.abc import Iterable, Mapping, Sequence

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator, NullLocator

from mtt.findings.claims import LEAST
from mtt.findings.curves import equal_artists, settled
from mtt.reporting.figures.draw import DASHED, Picture, beside, canvas, dots, figure, label_ends, legend, row_canvas, signed_axis
from mtt.reporting.figures.experiment import KINDS, LIMIT, ROUND, interval_bar, interval_text
from mtt.reporting.figures.style import BLUE, GREEN, GREY, INK, ORANGE, PURPLE, VERMILLION, WIDTH, text_colour
from mtt.reporting.numbers import listed, number, signed


def _curve(axes: Axes, rows: Iterable[Mapping], x: str, what: str, colour: str, single: bool = True, **look) -> None:
    """The means of ``what`` over ``x`` with their band, and as small dots the ``single`` replicates; of rows that have it."""
    kept = [(row[x], row[what]) for row in rows if row.get(what)]
    if not kept:
        return
    at, found = zip(*kept, strict=True)
    low, high = zip(*map(_band, found), strict=True)
    axes.fill_between(at, low, high, color=colour, alpha=0.16, linewidth=0)
    axes.plot(at, [one["effect"] for one in found], color=colour, **{"marker": "o", "markersize": 5, **look})
    for place, one in kept if single else ():
        _replicates(axes, place, one, colour)


def _band(one: Mapping) -> Sequence[float]:
    values = one["by_replicate"]
    return one["interval"] if one["interval"] and len(values) >= LEAST else (min(values), max(values))


def _replicates(axes: Axes, x: float, one: Mapping, colour: str) -> None:
    axes.plot([x] * len(one["by_replicate"]), one["by_replicate"], "o", color=colour, markersize=2.6, alpha=0.6, markeredgewidth=0)


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


def _gain_axis(axes: Axes, name: str) -> None:
    axes.axhline(0, color=INK, linewidth=1, zorder=1)
    axes.yaxis.set_major_locator(MaxNLocator(6, steps=ROUND))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: signed(value, None)))
    axes.set_ylabel(name)


@figure
def scarcity(rows: Sequence[Mapping], reference: Sequence[Mapping] | None = None, width: float = WIDTH) -> Picture:
    """Score and gain against labelled artists; of a run with one number of them its points over the ``reference``'s curves.

    Left: supervised model, student, oracle, and how many labelled artists the pool is worth where it is worth most. Right: the student's
    gain, and the share of the headroom (oracle minus supervised) that it recovers, in brackets where its interval is unbounded; crossed
    out where models are not converged.
    """
    title = "Score and gain against labelled artists"
    own = len(rows) > 1 or not reference
    drawn, look = (rows, {}) if own else (reference, {"markersize": 0, "alpha": 0.7})
    sheet, (left, right) = _panels(title, width, 3.7)
    lines = [(left, kind, KINDS[kind]) for kind in ("supervised", "student", "oracle")] + [(right, "gain", GREEN)]
    for panel, what, colour in lines:
        _curve(panel, drawn, "artists", what, colour, single=own, label=what, **look)
        for row in rows if not own else ():
            if what in row:
                _replicates(panel, row["artists"], row[what], colour)
                panel.plot(row["artists"], row[what]["effect"], "D", color=colour, markersize=6, markeredgecolor="white")
    for panel in (left, right):
        _numbers_axis(panel, [row["artists"] for row in (*drawn, *rows)], "labelled artists")
    left.set_ylabel("ROC-AUC")
    _gain_axis(right, "student minus supervised")
    _recovered(right, drawn)
    legend(left)
    worth = _worth(left, settled(drawn))
    parts = [
        f"{row['artists']:,} artists: " + ", ".join(f"{kind} {number(row[kind]['effect'])}" for kind in KINDS if kind in row)
        + f", gain {interval_text(row['gain'])}"
        + (f", {row['recovered']['effect']:.0%} of the headroom".replace("-", "−") if row.get("recovered") else "")
        + ("" if row["converged"] else ", not converged")
        for row in drawn
    ]  # fmt: skip
    whose = "" if own else " Curves are the reference run's, points this run's."
    return Picture(sheet, f"Line charts with bands over replicates, {title}.{whose} {listed(parts)}.{worth}")


def _recovered(axes: Axes, rows: Sequence[Mapping]) -> None:
    """The recovered headroom along the top of the gains, crosses where models are not converged."""
    shares = {row["artists"]: row["recovered"] for row in settled(rows) if row.get("recovered")}
    crossed = [(row["artists"], row["gain"]["effect"]) for row in rows if not row["converged"]]
    for place in crossed:
        axes.plot(*place, "x", color=INK, markersize=10, markeredgewidth=1.6)
    for artists, one in shares.items():
        text = f"{100 * one['effect']:.0f}%".replace("-", "−")
        place = {"xycoords": axes.get_xaxis_transform(), "xytext": (0, 3), "textcoords": "offset points", "ha": "center", "va": "bottom"}
        axes.annotate(text if one["interval"] else f"({text})", (artists, 1), fontsize=8.5, color=text_colour(GREEN), **place)
    if shares:
        axes.set_title(f"headroom recovered{' (×: not converged)' if crossed else ''}", fontsize=9, color=text_colour(GREEN), pad=17)


def _worth(axes: Axes, rows: Sequence[Mapping]) -> str:
    """Draws where the supervised curve reaches the student's score, at the size at which the pool is worth most; the same in words."""
    found = [(equal / row["artists"], equal, row) for row, equal in zip(rows, equal_artists(rows), strict=True) if math.isfinite(equal)]
    factor, equal, row = max(found, key=lambda one: one[0], default=(0, 0, {}))
    if factor <= 1:
        return ""
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
        "over_teacher": (VERMILLION, "student minus its own teacher", "s"),
        "over_control": (GREEN, "student minus the teacher trained to the end", "o"),
    }
    for what, (colour, name, marker) in sides.items():
        _curve(axes, rows, "share", what, colour, label=name, marker=marker)
    _numbers_axis(axes, [row["share"] for row in rows], "share of its exposure that the teacher had", "{:.0%}")
    _gain_axis(axes, "difference in ROC-AUC")
    axes.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=1 if narrow else 2, borderaxespad=0.2, handletextpad=0.4)
    parts = [f"{row['share']:.0%}: " + ", ".join(f"{sides[what][1]} {interval_text(row[what])}" for what in sides) for row in rows]
    return Picture(sheet, f"Line chart with bands over replicates, {title}. By the teacher's share of its exposure: {listed(parts)}.")


@figure
def pools(rows: Sequence[Mapping]) -> Picture:
    """The student's gain over labels alone against the artists in its pool."""
    title = "What a larger pool of unlabelled music is worth"
    sheet, ((axes,),) = canvas(title, 2.9)
    _curve(axes, rows, "artists", "gain", GREEN)
    _numbers_axis(axes, [row["artists"] for row in rows], "artists in the pool")
    _gain_axis(axes, "student minus\nlabels alone")
    parts = listed(f"{row['artists']:,} artists {interval_text(row['gain'])}" for row in rows)
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
        interval_bar(axes, place, row["gain"], limits, colour)
        dots(axes, pd.DataFrame({"estimate": [row["gain"]["effect"]]}), [place], colour)
        axes.plot(row["gain"]["by_replicate"], [place + 0.22] * len(row["gain"]["by_replicate"]), "o", color=INK, markersize=2.8)
        beside(axes, place, interval_text(row["gain"]))
    axes.set_xlim(*limits)
    axes.set_xlabel("student minus its teacher (ROC-AUC, 95% interval over replicates)")
    parts = listed(f"{name} {interval_text(row['gain'])}" for name, row in zip(names, rows, strict=True))
    return Picture(sheet, f"Dot plot with 95% intervals, {title}: {parts}.")


@figure
def trained_lengths(rows: Sequence[Mapping]) -> Picture:
    """ROC-AUC of models that are trained and tested at each clip length."""
    title = "Models trained and tested at each clip length"
    sheet, ((axes,),) = canvas(title, 3.2)
    labels, ends = list(dict.fromkeys(row["label"] for row in rows)), []
    for colour, label in zip((BLUE, VERMILLION, GREEN, PURPLE), labels, strict=False):
        own = [row for row in rows if row["label"] == label]
        _curve(axes, own, "seconds", "roc_auc", colour)
        ends.append((own[-1]["seconds"], own[-1]["roc_auc"]["effect"], label, colour))
    _numbers_axis(axes, [row["seconds"] for row in rows], "clip length in training and test (s)")
    axes.set_ylabel("ROC-AUC")
    label_ends(axes, ends, 2.3)
    parts = listed(f"{row['label']} {number(row['roc_auc']['effect'])} at {row['seconds']:g} s" for row in rows)
    return Picture(sheet, f"Line chart with bands over replicates, {title}: {parts}.")


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
    _gain_axis(axes, "student minus labels alone (ROC-AUC)")
    axes.margins(x=0.06, y=0.1)
    axes.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=5, borderaxespad=0.2, handletextpad=0.1)
    axes.set_xlabel("the teacher's true ROC-AUC on the pool (larger dot: more labels missing)")
    ranked = table.sort_values("gain", ascending=False, kind="stable")
    few = pd.concat([ranked.head(3), ranked.tail(3)]).drop_duplicates("tag")
    label_ends(axes, [(row.teacher, row.gain, row.tag, GREY) for row in few.itertuples()], 3.4)
    parts = listed((f"{row.tag} {signed(row.gain, 3)} (teacher {number(row.teacher)})" for row in ranked.itertuples()), 10)
    return Picture(sheet, f"Scatter plot, {title}: {len(table)} tags, largest gain first: {parts}.")
