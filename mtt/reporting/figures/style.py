"""Colours, markers and matplotlib settings of every figure.

Conventions: a figure is 7.5 inches wide and shown at up to 900 CSS pixels, so that 9 points show as 15 pixels. A
model keeps its colour, and a set its shade and marker, on every page.
Colours: Okabe and Ito's colour-blind-safe set ("Color Universal Design", 2008).
"""

from __future__ import annotations

import re
from collections.abc import Iterable

import matplotlib
import numpy as np
from matplotlib.colors import to_hex, to_rgb

WIDTH = 7.5  # inches
DPI = 160  # 1200 pixels wide

BLUE, ORANGE, GREEN, VERMILLION = "#0072B2", "#E69F00", "#009E73", "#D55E00"
PURPLE, SKY, GREY, INK, FAINT = "#CC79A7", "#56B4E9", "#7A7A7A", "#222222", "#D9D9D9"

MODEL_COLOURS = {
    "teacher": BLUE,
    "transformer": BLUE,
    "teacher without augmentation": SKY,
    "teacher on shared artists": "#003F66",
    "student KE": GREEN,
    "student KD": ORANGE,
    "control": "#6A4C93",
    "short_chunk_resnet": VERMILLION,
    "fcn": PURPLE,
    "crnn": GREY,
    "sample_cnn": "#8A6D1B",
    "hand-made features": INK,
}
# Words in a model's name, most telling first, for names that the table above does not hold ("KE student, iteration 2").
_MODEL_WORDS = (
    (r"^control", "control"),
    (r"\bke\b|ke\d|expansion", "student KE"),
    (r"\bkd\b|kd\d|distil|compact", "student KD"),
    (r"(without|no) augment|unaugmented|clean|plain", "teacher without augmentation"),
    (r"shared|leak", "teacher on shared artists"),
    (r"resnet|short chunk", "short_chunk_resnet"),
    (r"\bfcn\b", "fcn"),
    (r"\bcrnn\b", "crnn"),
    (r"sample", "sample_cnn"),
    (r"hand|mfcc|feature|logistic", "hand-made features"),
    (r"student", "student KE"),
    (r"teacher|transformer|\bmtt\b", "teacher"),
)
SET_STYLES = {  # (shade, marker)
    "train": ("#22313F", "o"),
    "valid": ("#5F7D95", "s"),
    "test": ("#9DB4C4", "D"),
    "unlabelled": ("#D5DDE3", "^"),
    "excluded": ("#EFEFEF", "v"),
}
KIND_COLOURS = {
    "genre": BLUE,
    "instrument": ORANGE,
    "mood": GREEN,
    "production": PURPLE,
    "voice": VERMILLION,
    "other": GREY,
}

STYLE = {
    "font.family": "DejaVu Sans",  # ships with matplotlib: the same letters on every machine
    "font.size": 9.5,
    "text.color": INK,
    "axes.labelsize": 9.5,
    "axes.labelcolor": INK,
    "axes.edgecolor": "#9A9A9A",
    "axes.linewidth": 0.8,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "axes.grid": True,
    "axes.titlesize": 10,
    "axes.titlelocation": "left",
    "axes.unicode_minus": True,
    "grid.color": "#E6E6E6",
    "grid.linewidth": 0.7,
    "xtick.labelsize": 9,
    "ytick.labelsize": 9,
    "xtick.color": "#9A9A9A",
    "ytick.color": "#9A9A9A",
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "legend.frameon": False,
    "legend.fontsize": 9,
    "lines.linewidth": 1.8,
    "lines.markersize": 6,
    "figure.titlesize": 11,
    "figure.titleweight": "bold",
    "figure.facecolor": "white",
    "svg.hashsalt": "mtt",
}
styled = matplotlib.rc_context(STYLE)  # decorates every function that makes a figure


def model_colour(name: str) -> str:
    """The colour that this model has on every page; grey for a name that says nothing known."""
    if name in MODEL_COLOURS:
        return MODEL_COLOURS[name]
    words = name.lower().replace("_", " ").replace("-", " ")
    for pattern, known in _MODEL_WORDS:
        if re.search(pattern, words):
            return MODEL_COLOURS[known]
    return GREY


def kind_colours(kinds: Iterable[str]) -> dict[str, str]:
    """A colour for each kind of tag: the known kinds keep theirs, others take what is left, in alphabetical order."""
    kinds = sorted(set(kinds))
    colours = {kind: KIND_COLOURS[kind] for kind in kinds if kind in KIND_COLOURS}
    spare = [colour for colour in (*KIND_COLOURS.values(), SKY, INK) if colour not in colours.values()]
    for kind in kinds:
        if kind not in colours:
            colours[kind] = spare.pop(0) if spare else GREY
    return colours


def text_colour(colour: str, contrast: float = 4.5) -> str:
    """``colour``, darkened until text in it reaches ``contrast`` on white (WCAG 2.2, success criterion 1.4.3)."""
    red_green_blue = np.array(to_rgb(colour))
    while 1.05 / (_luminance(red_green_blue) + 0.05) < contrast:
        red_green_blue = red_green_blue * 0.95
    return to_hex(red_green_blue)


def _luminance(red_green_blue: np.ndarray) -> float:
    linear = np.where(red_green_blue <= 0.04045, red_green_blue / 12.92, ((red_green_blue + 0.055) / 1.055) ** 2.4)
    return float(linear @ [0.2126, 0.7152, 0.0722])
