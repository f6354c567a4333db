"""``Picture`` and ``@figure``, and what figures are made of: canvases, rows of dots, lines, labels, axes of time.

Conventions: sizes are in inches, text in points. An estimate is a table row with ``estimate``, ``low`` and ``high`` (a 95% interval). An
axes whose x is time in seconds carries the gid ``TIME_AXIS``: there a player puts its cursor. The same figure gives the same bytes.
"""

import base64
import html
import io
import re
import textwrap
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import matplotlib
import numpy as np
import pandas as pd
import scipy
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullFormatter
from PIL import Image

from mtt.reporting.figures.style import DPI, EDGE, INK, PAGE_COLOURS, STYLE, WIDTH, model_colour, text_colour
from mtt.reporting.numbers import listed, signed, with_interval

TIME_AXIS = "time"
DASHED = (0, (4, 2))
DISPLAY_WIDTH = 900  # CSS pixels, at most
# A figure narrower than this would be too small to read, so it scrolls; a layout of several figures sets the variable.
LEAST_WIDTH = "var(--mtt-figure,500px)"
LARGEST_SVG = 120_000  # characters
PAGE_VARIABLES = {colour.lower(): f"var({name},{colour})" for colour, name in PAGE_COLOURS.items()}

FIGURES: dict[str, Callable[..., "Picture"]] = {}


def figure(draw: Callable[..., "Picture"]) -> Callable[..., "Picture"]:
    """Decorates a function that draws: it gets the house style, and its name becomes that of one of ``FIGURES``."""
    FIGURES[draw.__name__] = matplotlib.rc_context(STYLE)(draw)
    return FIGURES[draw.__name__]


@dataclass(frozen=True)
class Picture:
    """A matplotlib figure with the text that stands for it. Jupyter shows it without a request or a script."""

    figure: Figure
    alt: str

    def png(self, dpi: int = DPI) -> bytes:
        """The whole canvas (never cropped, so that places on it hold), 1200 pixels wide, in 256 colours: no figure has more that count."""
        return _in_palette(_saved(self.figure, "png", dpi=dpi, metadata={"Software": None}))

    def svg(self, css_class: str = "figure", least: str = "0", dpi: int = DPI) -> str:
        """An ``<svg>`` element for a page, at ``least`` so wide: text stays text, and colours follow the page's theme where it has one.

        What is drawn as dots all the same, a spectrogram say, has ``dpi`` of them an inch.
        """
        width, height = self.figure.get_size_inches()
        nothing = dict.fromkeys(("Date", "Creator", "Format", "Type"))
        text = _saved(self.figure, "svg", metadata=nothing, salt=f"{width} {self.alt}", dpi=dpi).decode()
        inside = text[text.index(">", text.index("<svg ")) + 1 :]
        inside = re.sub(r'<g id="[^"]*"', "<g", inside).replace("'DejaVu Sans'", "var(--sans,'DejaVu Sans',sans-serif)")
        inside = re.sub(r"(?<=: )#[0-9a-f]{6}(?=[;\"])", lambda found: PAGE_VARIABLES.get(found[0], found[0]), inside)
        inside = re.sub(r"(<text[^>]*fill: )(#[0-9a-f]{6})", rf"\1color-mix(in srgb,\2,var(--ink,{INK}) var(--lift,0%))", inside)
        inside = re.sub(r"(?<=data:image/png;base64,)[^\"]+", lambda found: _base64(_in_palette(base64.b64decode(found[0]))), inside)
        size = f'viewBox="0 0 {72 * width:g} {72 * height:g}" style="min-width:{least};max-width:{120 * width:g}px"'
        return f'<svg class="{css_class}" role="img" aria-label="{html.escape(self.alt)}" {size}>{inside.strip()}'

    def image(self, dpi: int = DPI) -> str:
        """An ``<img>`` with the PNG inside it, as wide as its frame."""
        png = self.png(dpi)
        width, height = Image.open(io.BytesIO(png)).size
        style = f"display:block;width:100%;min-width:{LEAST_WIDTH};max-width:none;height:auto"
        source = f"data:image/png;base64,{_base64(png)}"
        return f'<img alt="{html.escape(self.alt)}" width="{width}" height="{height}" style="{style}" src="{source}">'

    def _repr_html_(self) -> str:
        """As SVG, which follows the page's theme; as PNG where that is smaller: a picture of very many points."""
        drawn = self.svg(least=LEAST_WIDTH)
        shown = drawn if len(drawn) < LARGEST_SVG else self.image()
        return f'<figure style="margin:1em 0;max-width:{DISPLAY_WIDTH}px;overflow-x:auto">{shown}</figure>'


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode("ascii")


def _in_palette(png: bytes) -> bytes:
    """A PNG in 256 colours; one that lets the page shine through as it is."""
    image, buffer = Image.open(io.BytesIO(png)), io.BytesIO()
    if "A" in image.getbands() and image.getextrema()[-1][0] < 255:
        return png
    image = image.convert("RGB").quantize(256, Image.Quantize.MAXCOVERAGE, kmeans=2, dither=Image.Dither.NONE)
    image.save(buffer, format="PNG", optimize=True)
    return buffer.getvalue()


def _saved(figure: Figure, kind: str, salt: str | None = None, **options) -> bytes:
    """The figure, laid out once and for all: each pass of matplotlib's engine would move things by a little more."""
    buffer = io.BytesIO()
    with matplotlib.rc_context(STYLE | {"svg.hashsalt": salt}):
        if (engine := figure.get_layout_engine()) is not None:
            for _ in range(2):
                engine.execute(figure)
            figure.set_layout_engine("none")
        figure.savefig(buffer, format=kind, **options)
    return buffer.getvalue()


def canvas(title: str, height: float, rows: int = 1, columns: int = 1, width: float = WIDTH, **subplots) -> tuple[Figure, np.ndarray]:
    """A titled figure and an array of its axes, shape (rows, columns)."""
    figure = Figure(figsize=(width, height), dpi=DPI, layout="constrained")
    figure.suptitle(textwrap.fill(title, round(84 * width / WIDTH)), x=0.09 / width, ha="left")
    return figure, figure.subplots(rows, columns, squeeze=False, **subplots)


def row_canvas(title: str, names: Sequence[str], per_row: float, extra: float = 1.15, width: float = WIDTH) -> tuple[Figure, Axes]:
    """A canvas with a named row for each of ``names``, the first at the top, ``per_row`` inches high."""
    figure, axes = canvas(title, extra + per_row * max(len(names), 2), width=width)
    name_rows(axes[0, 0], names)
    return figure, axes[0, 0]


def name_rows(axes: Axes, names: Sequence[str]) -> None:
    """Put ``names`` at rows 0, 1, 2, … from the top, without tick marks or grid; long ones are folded."""
    axes.set_yticks(range(len(names)), [textwrap.fill(str(name), 30) for name in names])
    axes.set_ylim(len(names) - 0.4, -0.6)
    axes.tick_params(axis="y", length=0)
    axes.grid(axis="y", visible=False)


def dots(
    axes: Axes, table: pd.DataFrame, places: Sequence[float], colour: str, marker: str = "o", *,
    size: float = 7, hollow: bool = False, label: str | None = None,
) -> None:  # fmt: skip
    """Each row's estimate as a dot at the height of its place, and its interval, if any, as a bar."""
    if "low" in table:
        axes.hlines(places, table["low"], table["high"], color=colour, linewidth=2.2, alpha=0.8)
    look = (
        {"color": "white", "markeredgecolor": colour, "markeredgewidth": 1.2} if hollow else {"color": colour, "markeredgecolor": "white"}
    )
    axes.plot(table["estimate"], places, marker, markersize=size, label=label, **{"markeredgewidth": 0.8, **look})


def beside(axes: Axes, row: float, text: str, colour: str = INK, rise: float = 0, **font) -> None:
    """Write beside the axes, ``rise`` points above the middle of the row."""
    place = {"xycoords": axes.get_yaxis_transform(), "xytext": (0, rise), "textcoords": "offset points", "va": "center"}
    axes.annotate(text, (1.015, row), fontsize=8.5, color=text_colour(colour), **place, **font)


def told(table: pd.DataFrame, digits: int = 3, sign: bool = False) -> str:
    """Each row's name, ``estimate`` and, where it has one, interval as text: what a dot plot shows, for its ``alt``."""
    rows = table.reindex(columns=["estimate", "low", "high"]).itertuples()
    return listed(f"{name} {with_interval(*numbers, digits, sign)}" for name, *numbers in rows)


def signed_axis(axes: Axes) -> None:
    """Make x of ``axes`` a difference: a line at zero, signed numbers."""
    axes.axvline(0, color=INK, linewidth=1, zorder=1)
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: signed(value, None)))


def log_axis(axis: Axis, room: float) -> None:
    """Plain numbers on a logarithmic ``axis`` whose data are drawn: the fewer decades, the more of each; ``room``: for how many."""
    low, high = axis.get_data_interval()
    decades = LogLocator(subs=(1, 2, 5) if high < low * 10**room else (1,))
    axis.set_major_locator(MaxNLocator(5) if high < low * 4 else decades)
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.9g}"))
    axis.set_minor_formatter(NullFormatter())


def legend(axes: Axes) -> None:
    """Name what has a label in one line above ``axes``."""
    axes.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=3, borderaxespad=0.2, handletextpad=0.2)


def lines(axes: Axes, tables: Mapping[str, pd.DataFrame], x: str, y: str, height: float, **look) -> None:
    """A line in its model's colour for each table, named at its end; a band where the table has a ``low`` and a ``high``.

    The scale of y must be set before; its limits are final afterwards. ``height``: of the axes, in inches, about.
    """
    ends = []
    for name, table in tables.items():
        table, colour = table.dropna(subset=[y]).sort_values(x), model_colour(name)
        if "low" in table:
            axes.fill_between(table[x], table["low"], table["high"], color=colour, alpha=0.18, linewidth=0)
        axes.plot(table[x], table[y], color=colour, **look)
        ends += [(row[x], row[y], name, colour) for _, row in table.tail(1).iterrows()]
    label_ends(axes, ends, height)


def label_ends(axes: Axes, ends: Sequence[tuple[float, float, str, str]], height: float) -> None:
    """Write the text of each of ``ends`` (x, y, text, colour) to the right of the axes, pushed apart; arguments as in ``lines``."""
    axes.set_ylim(axes.get_ylim())
    to_fraction = axes.transData + axes.transAxes.inverted()
    ends = sorted(ends, key=lambda end: end[1])
    wanted = [float(to_fraction.transform((x, y))[1]) for x, y, _, _ in ends]
    for (x, y, text, colour), place in zip(ends, spread(wanted, 0.19 / height, 0.0, 1.0), strict=True):
        # Grey and dotted: a leader is no curve.
        arrow = {"arrowstyle": "-", "color": EDGE, "linewidth": 0.8, "linestyle": (0, (1, 2)), "shrinkA": 1, "shrinkB": 3}
        where = {"xytext": (1.03, place), "textcoords": "axes fraction", "va": "center"}
        axes.annotate(text, (x, y), color=text_colour(colour), arrowprops=arrow, **where)


def spread(places: Sequence[float], gap: float, low: float, high: float) -> np.ndarray:
    """Ascending ``places`` moved to lie ``gap`` apart (blocks keep their centre) and, as there is room, between ``low`` and ``high``."""
    steps = gap * np.arange(len(places))
    moved = np.maximum(scipy.optimize.isotonic_regression(places - steps).x, low) + steps
    return np.minimum(moved, high - steps[::-1])


def time_axis(axes: Axes, seconds: float) -> None:
    """Make x of ``axes`` time, from 0 to ``seconds``, and mark it for the player's cursor."""
    axes.set(xlim=(0, seconds), xlabel="time (s)", gid=TIME_AXIS)
    axes.label_outer()  # of axes on top of each other, the lowest has the numbers
