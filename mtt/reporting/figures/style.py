"""Colours and matplotlib settings of every figure.

Conventions: a figure is 7.5 inches wide and shown at up to 900 CSS pixels, so that 9 points show as 15 pixels; one drawn for a phone is
narrower and shown at its own size. A model keeps its colour on every page.
Colours: Okabe and Ito's colour-blind-safe set ("Color Universal Design", 2008).
"""

import re

import numpy as np
from PIL.ImageColor import getrgb

from mtt.config import FULL
from mtt.study.recipes import lineup

WIDTH, HALF = 7.5, 4.2  # inches; HALF: of a picture beside another
DPI = 160  # 1200 pixels wide

BLUE, ORANGE, GREEN, VERMILLION = "#0072B2", "#E69F00", "#009E73", "#D55E00"
PURPLE, SKY, GREY, INK, FAINT = "#CC79A7", "#56B4E9", "#7A7A7A", "#222222", "#D9D9D9"
EDGE, GRID = "#9A9A9A", "#E6E6E6"
APART = (BLUE, ORANGE, GREEN, PURPLE, VERMILLION, SKY)  # of things that have no colour of their own

STYLE = {
    "font.family": "DejaVu Sans",  # ships with matplotlib: the same letters on every machine
    "font.size": 9.5,
    "text.color": INK,
    "text.parse_math": False,  # a dollar sign in a name is a dollar sign
    "axes.labelsize": 9.5,
    "axes.labelcolor": INK,
    "axes.edgecolor": EDGE,
    "axes.linewidth": 0.8,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "axes.grid": True,
    "axes.titlesize": 10,
    "axes.titlelocation": "left",
    "grid.color": GRID,
    "grid.linewidth": 0.7,
    **{f"{axis}tick.{name}": value for axis in "xy" for name, value in {"labelsize": 9, "color": EDGE, "labelcolor": INK}.items()},
    "legend.frameon": False,
    "legend.fontsize": 9,
    "lines.linewidth": 1.8,
    "lines.markersize": 6,
    "figure.titlesize": 11,
    "figure.titleweight": "bold",
    "figure.facecolor": "white",
    "svg.fonttype": "none",  # text stays text
}


def _plain(name: str) -> str:
    return re.sub(r"\d", "", name.lower()).replace("_", "-").replace(" ", "-")


LABELS = {entry.name: entry.label for entry in lineup(FULL).values()}
MODEL_COLOURS = {_plain(known): entry.colour for entry in lineup(FULL).values() for known in (entry.name, entry.label)}


def model_colour(name: str) -> str:
    """The colour that a model has on every page: that of the longest known name or label that ``name`` begins with ("teacher on
    unlabelled tracks", "student-2"), letter case, spaces and underscores aside; grey for an unknown model.
    """
    known = [one for one in MODEL_COLOURS if _plain(name).startswith(one)]
    return MODEL_COLOURS[max(known, key=len)] if known else GREY


def text_colour(colour: str) -> str:
    """``colour``, darkened until text in it has a contrast of 4.5 on white (WCAG 2.2, success criterion 1.4.3)."""
    red_green_blue = np.array(getrgb(colour)) / 255
    while 1.05 / (_luminance(red_green_blue) + 0.05) < 4.5:
        red_green_blue = red_green_blue * 0.95
    return "#{:02x}{:02x}{:02x}".format(*np.rint(255 * red_green_blue).astype(int))


def _luminance(red_green_blue: np.ndarray) -> float:
    linear = np.where(red_green_blue <= 0.04045, red_green_blue / 12.92, ((red_green_blue + 0.055) / 1.055) ** 2.4)
    return float(linear @ [0.2126, 0.7152, 0.0722])


# What a page's style sheet calls a colour; there it has a value for the light theme and one for the dark.
PAGE_COLOURS = {
    INK: "--ink",
    BLUE: "--blue",
    GREEN: "--green",
    ORANGE: "--orange",
    VERMILLION: "--vermillion",
    PURPLE: "--purple",
    GREY: "--grey",
    EDGE: "--strong-line",
    GRID: "--line",
    "#FFFFFF": "--paper",
    text_colour(VERMILLION): "--error",
    text_colour(GREY): "--muted",
    text_colour(GREEN): "--green",
    text_colour(ORANGE): "--error",
}
