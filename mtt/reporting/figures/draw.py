"""What the plot modules share: canvases, labels, axes of time, and checks of the tables they are given.

Conventions: sizes are in inches, text in points. An estimate is a table row with ``estimate``, ``low`` and ``high``
(a 95% interval). An axes whose x is time in seconds carries the gid ``TIME_AXIS``, which is where a player puts its
cursor.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from mtt.reporting.figures.style import DPI, WIDTH, text_colour

TIME_AXIS = "time"


def canvas(title: str, height: float, rows: int = 1, columns: int = 1, **subplots) -> tuple[Figure, np.ndarray]:
    """A titled figure of the house width and an array of its axes, shape (rows, columns)."""
    figure = Figure(figsize=(WIDTH, height), dpi=DPI, layout="constrained")
    figure.suptitle(textwrap.fill(title, 84), x=0.012, ha="left")
    return figure, figure.subplots(rows, columns, squeeze=False, **subplots)


def row_canvas(title: str, rows: int, per_row: float = 0.25, extra: float = 1.15) -> tuple[Figure, Axes]:
    """A canvas whose height follows the number of rows; the first row is drawn at the top."""
    figure, axes = canvas(title, extra + per_row * max(rows, 2))
    axes[0, 0].set_ylim(rows - 0.4, -0.6)
    axes[0, 0].grid(axis="y", visible=False)
    return figure, axes[0, 0]


def name_rows(axes: Axes, names: Sequence[str]) -> None:
    """Put ``names`` at rows 0, 1, 2, … without tick marks; long ones are folded."""
    axes.set_yticks(range(len(names)), [textwrap.fill(str(name), 30) for name in names])
    axes.tick_params(axis="y", length=0)


def label_ends(axes: Axes, ends: Sequence[tuple[float, float, str, str]], height: float) -> None:
    """Write each line's name beside its last point, to the right of the axes, pushed apart where names would collide.

    ``ends`` holds (x, y, text, colour) in data units; ``height`` is the approximate height of the axes in inches. The
    limits of the axes must be final.
    """
    to_fraction = axes.transData + axes.transAxes.inverted()
    ends = sorted(ends, key=lambda end: end[1])
    wanted = [float(to_fraction.transform((x, y))[1]) for x, y, _, _ in ends]
    for (x, y, text, colour), place in zip(ends, spread(wanted, 0.19 / height, 0.0, 1.0), strict=True):
        axes.annotate(
            text,
            (x, y),
            xytext=(1.03, place),
            textcoords="axes fraction",
            va="center",
            color=text_colour(colour),
            arrowprops={"arrowstyle": "-", "color": colour, "linewidth": 0.7, "shrinkA": 1, "shrinkB": 3},
        )


def spread(places: Sequence[float], gap: float, low: float = -np.inf, high: float = np.inf) -> list[float]:
    """Ascending ``places``, moved as little as needed to lie at least ``gap`` apart (blocks keep their centre) and, as
    far as there is room, between ``low`` and ``high``.
    """
    blocks: list[list[float]] = []  # each: sum of (place - its rank * gap), number of members
    for place in places:
        blocks.append([place, 1])
        while len(blocks) > 1 and _block_end(blocks[-2], gap) + gap > _block_start(blocks[-1], gap):
            total, count = blocks.pop()
            blocks[-1][0] += total - count * blocks[-1][1] * gap
            blocks[-1][1] += count
    moved = [block[0] / block[1] + rank * gap for block in blocks for rank in range(int(block[1]))]
    moved = [max(place, low + rank * gap) for rank, place in enumerate(moved)]
    return [min(place, high - rank * gap) for rank, place in zip(reversed(range(len(moved))), moved, strict=True)]


def _block_start(block: Sequence[float], gap: float) -> float:
    return block[0] / block[1]


def _block_end(block: Sequence[float], gap: float) -> float:
    return block[0] / block[1] + (block[1] - 1) * gap


def time_axis(axes: Axes, start: float, end: float, label: bool = True) -> None:
    """Make x of ``axes`` time in seconds, from ``start`` to ``end``, and mark it for the player's cursor."""
    axes.set_xlim(start, end)
    axes.set_gid(TIME_AXIS)
    if label:
        axes.set_xlabel("time (s)")


def checked(frame: pd.DataFrame, columns: Sequence[str], what: str) -> pd.DataFrame:
    """``frame`` if it has rows and these columns filled with finite numbers.

    Raises:
        ValueError: naming the first missing column or the first row without a finite number.
    """
    if len(frame) == 0:
        raise ValueError(f"{what}: the table is empty; give at least one row")
    for column in columns:
        if column not in frame.columns:
            raise ValueError(f"{what}: column {column!r} is missing (there are {list(frame.columns)}); rename or add it")
        finite = np.isfinite(frame[column].to_numpy(dtype=float))
        if not finite.all():
            row = frame.index[int(np.argmin(finite))]
            raise ValueError(f"{what}: row {row!r} of column {column!r} is not a finite number; drop or fill it")
    return frame


def estimates(frame: pd.DataFrame, what: str, extra: Sequence[str] = ()) -> pd.DataFrame:
    """``frame`` if it holds estimates: columns ``estimate``, ``low``, ``high``, the interval not upside down."""
    checked(frame, ["estimate", "low", "high", *extra], what)
    reversed_rows = frame.index[frame["low"].to_numpy() > frame["high"].to_numpy()]
    if len(reversed_rows):
        raise ValueError(f"{what}: row {reversed_rows[0]!r} has low above high; exchange them")
    return frame


def named(mapping: Mapping, what: str) -> Mapping:
    """``mapping`` if it holds something to draw."""
    if len(mapping) == 0:
        raise ValueError(f"{what}: nothing to draw; give at least one named entry")
    return mapping


def with_interval(row, digits: int = 3, sign: bool = False) -> str:
    """ "0.912 [0.905, 0.919]" of a row with estimate, low and high."""
    style = f"{'+' if sign else ''}.{digits}f"
    return f"{row['estimate']:{style}} [{row['low']:{style}}, {row['high']:{style}}]".replace("-", "−")


def listed(items: Iterable[str], most: int = 12) -> str:
    """Items as one text, "a; b; c", shortened to ``most`` with the number left out."""
    items = list(items)
    rest = f"; and {len(items) - most} more" if len(items) > most else ""
    return "; ".join(items[:most]) + rest


def signed(value: float, _=None) -> str:
    """ "+0.02", "0" or "−0.02": tick labels of a difference."""
    return "0" if abs(value) < 1e-12 else f"{value:+g}".replace("-", "−")
