"""Figures over time, each under the spectrogram of its sound: tag curves and attention. A player can lay its cursor over them.

Conventions: x is time in seconds from the start of the waveform; probabilities lie in 0–1; a truth is a list of (start, end) in seconds.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from mtt.reporting.figures.draw import DASHED, Picture, canvas, figure, name_rows, time_axis
from mtt.reporting.figures.sound import draw_mel, mel_power
from mtt.reporting.figures.style import BLUE, INK, ORANGE
from mtt.reporting.numbers import listed

Segments = Sequence[tuple[float, float]]
NOTE = {"x": 0.01, "fontsize": 8.5, "color": "#666666"}  # the look of what explains a panel


@figure
def tag_curves(
    times: np.ndarray,
    probabilities: np.ndarray,
    tags: Sequence[str],
    truth: Mapping[str, Segments],
    waveform: np.ndarray,
    sample_rate: int,
    title: str,
) -> Picture:
    """One row a tag: its probability as a curve, and a bar underneath where the tag truly sounds.

    ``times`` (points,) seconds, the centre of each window; ``probabilities`` (points, tags), those of ``tags``. ``truth``: for the tags
    whose truth is known, their segments (an empty list: it never sounds); these tags stand first, then those with the highest peaks.
    """
    peaks = dict(zip(tags, probabilities.max(axis=0), strict=True))
    order = sorted(tags, key=lambda tag: (tag not in truth, -peaks[tag], tag))
    sheet, panel = _under_spectrogram(title, 0.42 * len(order), waveform, sample_rate)
    parts = []
    for row, tag in enumerate(order):
        curve = probabilities[:, list(tags).index(tag)]
        _curve_row(panel, row, times, curve, truth.get(tag, ()))
        known = f", truly {_spans(truth[tag])}" if tag in truth else ""
        parts.append(f"{tag} {peaks[tag]:.2f} at {times[curve.argmax()]:.1f} s{known}")
    name_rows(panel, order)
    panel.set_ylim(len(order) - 0.5, -0.5)
    panel.annotate("peak", (1.01, 1), (0, 1), xycoords="axes fraction", textcoords="offset points", fontsize=8.5, va="bottom")
    panel.set_title(f"blue: probability, from 0 to 1 in the grey band{'; orange: where it truly sounds' if truth else ''}", **NOTE)
    return Picture(sheet, f"Tag curves over {np.size(waveform) / sample_rate:.1f} s, {title}. Peaks: {listed(parts)}.")


def _curve_row(panel: Axes, row: int, times: np.ndarray, probability: np.ndarray, truth: Segments) -> None:
    """A probability in a grey band that spans 0–1, with the truth as bars right under it."""
    floor, height = row + 0.24, 0.64
    panel.axhspan(floor - height, floor, color="#F3F3F3", linewidth=0, zorder=0)
    panel.fill_between(times, floor, floor - height * probability, color=BLUE, alpha=0.3, linewidth=0)
    panel.plot(times, floor - height * probability, color=BLUE, linewidth=1.4)
    for start, stop in truth:
        panel.fill_between([start, stop], floor + 0.03, floor + 0.17, color=ORANGE, linewidth=0)
    place = {"xycoords": panel.get_yaxis_transform(), "va": "center", "fontsize": 8.5}
    panel.annotate(f"{probability.max():.2f}", (1.01, row), **place)


def _spans(segments: Segments) -> str:
    return ", ".join(f"{start:.1f}–{stop:.1f} s" for start, stop in segments) or "never"


def _under_spectrogram(title: str, height: float, waveform: np.ndarray, sample_rate: int) -> tuple[Figure, Axes]:
    """A panel of about ``height`` inches over time, below the spectrogram of ``waveform``."""
    sheet, axes = canvas(title, 2.9 + height, rows=2, sharex=True, height_ratios=[1.3, max(height, 0.8)])
    power = mel_power(waveform, sample_rate)
    draw_mel(axes[0, 0], power, sample_rate, max(power.max(), 1e-10))
    for panel in axes[:, 0]:
        time_axis(panel, np.size(waveform) / sample_rate)
    return sheet, axes[1, 0]


@figure
def attention_over_time(
    times: np.ndarray, weights: Mapping[str, np.ndarray], waveform: np.ndarray, sample_rate: int, title: str
) -> Picture:
    """Attention to each moment, relative to uniform attention (dashed, 1): a row for each name in ``weights``, all on one scale."""
    relative = {name: row / row.mean() for name, row in weights.items()}
    top = 1.05 * max(row.max() for row in relative.values())
    sheet, panel = _under_spectrogram(title, 0.5 * len(relative), waveform, sample_rate)
    for place, row in enumerate(relative.values()):
        floor, scale = place + 0.45, -0.85 / top
        panel.axhline(floor + scale, color=INK, linewidth=0.8, linestyle=DASHED)
        panel.fill_between(times, floor, floor + scale * row, step="mid", color=BLUE, alpha=0.3, linewidth=0)
        panel.step(times, floor + scale * row, where="mid", color=BLUE, linewidth=1.2)
    name_rows(panel, list(relative))
    panel.set_ylim(len(relative) - 0.45, -0.55)
    panel.set_title(f"attention relative to uniform (dashed); all rows to {top:.1f}", **NOTE)
    parts = listed(f"{name} most at {times[row.argmax()]:.1f} s ({row.max():.1f} times uniform)" for name, row in relative.items())
    return Picture(sheet, f"Attention over {np.size(waveform) / sample_rate:.1f} s, {title}: {parts}.")
