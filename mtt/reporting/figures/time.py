"""Figures over time: tag curves, attention, and who plays when. A player can lay its cursor over each of them.

Conventions: x is time in seconds from the start of the waveform; probabilities lie in 0–1; a truth is a list of
(start, end) in seconds.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from mtt.reporting.figures.draw import TIME_AXIS, canvas, checked, listed, name_rows, named, row_canvas, time_axis
from mtt.reporting.figures.picture import Picture
from mtt.reporting.figures.sound import draw_mel, mel_power
from mtt.reporting.figures.style import BLUE, FAINT, INK, ORANGE, styled, text_colour

Segments = Sequence[tuple[float, float]]


@styled
def tag_curves(
    times: Sequence[float],
    probabilities: np.ndarray,
    tags: Sequence[str],
    truth: Mapping[str, Segments] | None = None,
    top: int = 8,
    waveform: np.ndarray | None = None,
    sample_rate: int | None = None,
    title: str = "Tags over time",
    caption: str = "",
) -> Picture:
    """One row a tag: its probability as a curve, and a bar underneath where the tag truly sounds.

    Args:
        times: (points,) seconds, the centre of each window.
        probabilities: (points, tags) in 0–1.
        tags: names of the columns.
        truth: for the tags whose truth is known, the segments in seconds (an empty list: it never sounds).
        top: rows to show: the tags with the highest peaks, after those with a truth.
        waveform, sample_rate: when given, the spectrogram stands above the curves, on the same time axis.
    """
    times, probabilities, truth = np.asarray(times, float), np.asarray(probabilities, float), dict(truth or {})
    _check_curves(times, probabilities, tags, truth)
    order = sorted(range(len(tags)), key=lambda tag: (tags[tag] not in truth, -probabilities[:, tag].max(), tags[tag]))[:top]
    end = max([times.max(), *(stop for bars in truth.values() for _, stop in bars)])
    figure, panel = _with_spectrogram(title, 0.42 * len(order), waveform, sample_rate, end)
    for row, tag in enumerate(order):
        _curve_row(panel, row, times, probabilities[:, tag], truth.get(tags[tag], ()))
    panel.set_ylim(len(order) - 0.5, -0.5)
    panel.grid(axis="y", visible=False)
    name_rows(panel, [tags[tag] for tag in order])
    panel.annotate("peak", (1.01, 1), (0, 1), xycoords="axes fraction", textcoords="offset points", fontsize=8.5, va="bottom")
    bars = "; orange: where it truly sounds" if truth else ""
    panel.set_title(f"blue: probability, from 0 to 1 in the grey band{bars}", x=0.01, fontsize=8.5, color=text_colour("#666666"))
    peaks = (
        f"{tags[tag]} {probabilities[:, tag].max():.2f} at {times[probabilities[:, tag].argmax()]:.1f} s"
        + (f", truly {_spans(truth[tags[tag]])}" if tags[tag] in truth else "")
        for tag in order
    )
    return Picture(figure, f"Tag curves over {end:.1f} s, {title}. Peaks: {listed(peaks, 20)}.", caption)


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


def _check_curves(times: np.ndarray, probabilities: np.ndarray, tags: Sequence[str], truth: Mapping[str, Segments]) -> None:
    if probabilities.shape != (times.size, len(tags)) or probabilities.size == 0:
        raise ValueError(f"tag_curves: probabilities {probabilities.shape} for {times.size} times, {len(tags)} tags; transpose it")
    if not (np.isfinite(probabilities).all() and probabilities.min() >= 0 and probabilities.max() <= 1):
        raise ValueError("tag_curves: probabilities must be finite and lie in 0–1; apply the sigmoid first")
    unknown = sorted(set(truth) - set(tags))
    if unknown:
        raise ValueError(f"tag_curves: truth for {unknown[0]!r}, which is not among the tags; drop or rename it")


def _spans(segments: Segments) -> str:
    return ", ".join(f"{start:.1f}–{stop:.1f} s" for start, stop in segments) or "never"


def _with_spectrogram(title: str, height: float, waveform, sample_rate: int | None, end: float):
    """A panel over time, below the spectrogram of ``waveform`` where there is one."""
    if waveform is None:
        figure, axes = canvas(title, 1.35 + height)
        time_axis(axes[0, 0], 0, end)
        return figure, axes[0, 0]
    if sample_rate is None:
        raise ValueError("a waveform without its sample rate; give sample_rate in Hz too")
    figure, axes = canvas(title, 2.9 + height, rows=2, sharex=True, height_ratios=[1.3, max(height, 0.8)])
    power = mel_power(waveform, sample_rate, "waveform")
    draw_mel(axes[0, 0], power, sample_rate, max(power.max(), 1e-10))
    end = np.size(waveform) / sample_rate
    time_axis(axes[0, 0], 0, end, label=False)
    time_axis(axes[1, 0], 0, end)
    return figure, axes[1, 0]


@styled
def attention_over_time(
    times: Sequence[float],
    weights: np.ndarray | Mapping[str, np.ndarray],
    waveform: np.ndarray | None = None,
    sample_rate: int | None = None,
    title: str = "Where the model looks",
    caption: str = "",
) -> Picture:
    """Attention to each moment, relative to uniform attention (dashed, 1): one curve, or one row for each name in
    ``weights``.
    """
    rows = {str(name): np.asarray(row, float) for name, row in (weights if isinstance(weights, Mapping) else {"": weights}).items()}
    times = np.asarray(times, float)
    for name, row in named(rows, "attention_over_time").items():
        if row.shape != times.shape or row.size == 0 or not np.isfinite(row).all() or row.min() < 0 or row.sum() == 0:
            raise ValueError(f"attention_over_time: weights {name!r} {row.shape} must be {times.size} numbers of 0 or more")
    relative = {name: row / row.mean() for name, row in rows.items()}
    top = 1.05 * max(row.max() for row in relative.values())
    figure, panel = _with_spectrogram(title, 1.5 if len(rows) == 1 else 0.5 * len(rows), waveform, sample_rate, times.max())
    for place, row in enumerate(relative.values()):
        floor, scale = (0.0, 1.0) if len(rows) == 1 else (place + 0.45, -0.85 / top)
        panel.axhline(floor + scale, color=INK, linewidth=0.8, linestyle=(0, (4, 2)))
        panel.fill_between(times, floor, floor + scale * row, step="mid", color=BLUE, alpha=0.3, linewidth=0)
        panel.step(times, floor + scale * row, where="mid", color=BLUE, linewidth=1.2)
    if len(rows) == 1:
        panel.set_ylim(0, top)
        panel.set_ylabel("attention\n(1: uniform)")
    else:
        panel.set_ylim(len(rows) - 0.45, -0.55)
        name_rows(panel, list(rows))
        panel.grid(axis="y", visible=False)
        panel.set_title(
            f"attention relative to uniform (dashed); all rows to {top:.1f}", x=0.01, fontsize=8.5, color=text_colour("#666666")
        )
    parts = listed(
        f"{name or 'attention'} most at {times[row.argmax()]:.1f} s ({row.max():.1f} times uniform)" for name, row in relative.items()
    )
    return Picture(figure, f"Attention over {times.max():.1f} s, {title}: {parts}.", caption)


@styled
def attention_map(
    weights: np.ndarray,
    times: Sequence[float],
    title: str = "Which moment looks at which",
    caption: str = "",
) -> Picture:
    """Heatmap of attention between frames: row = the moment that looks, column = the moment looked at (each row sums
    to about 1).
    """
    weights, times = np.asarray(weights, float), np.asarray(times, float)
    if weights.shape != (times.size, times.size) or times.size < 2 or not np.isfinite(weights).all() or weights.min() < 0:
        raise ValueError(f"attention_map: weights {weights.shape} for {times.size} times; give non-negative (times, times)")
    half = np.diff(times).mean() / 2
    span = (times[0] - half, times[-1] + half)
    figure, axes = canvas(title, 5.6)
    relative = weights * times.size
    limit = float(np.percentile(relative, 99.5)) or 1.0
    image = axes[0, 0].imshow(relative, cmap="viridis", extent=(*span, span[1], span[0]), vmin=0, vmax=limit, interpolation="nearest")
    axes[0, 0].set(aspect="equal", xlabel="moment looked at: time (s)", ylabel="moment that looks (s)")
    axes[0, 0].set_gid(TIME_AXIS)
    axes[0, 0].grid(visible=False)
    figure.colorbar(image, ax=axes[0, 0], shrink=0.8, pad=0.02, extend="max").set_label("attention (1: uniform)")
    row, column = np.unravel_index(weights.argmax(), weights.shape)
    near = np.abs(np.subtract.outer(times, times)) <= 1.0
    share = float(weights[near].sum() / max(weights.sum(), 1e-12))
    alt = (
        f"Heatmap, {title}: attention of {times.size} by {times.size} moments over {times[-1]:.1f} s; "
        f"{share:.0%} of it stays within 1 s; "
        f"the strongest, {relative.max():.1f} times uniform, from {times[row]:.1f} s to {times[column]:.1f} s."
    )
    return Picture(figure, alt, caption)


@styled
def timeline(
    segments: pd.DataFrame,
    seconds: float | None = None,
    title: str = "Who plays when",
    caption: str = "",
) -> Picture:
    """Bars from ``start`` to ``end`` (s) for each ``name``; who enters first stands at the top."""
    if "name" not in segments.columns:
        raise ValueError("timeline: column 'name' is missing; name the part that each segment belongs to")
    checked(segments, ["start", "end"], "timeline")
    reversed_rows = segments.index[segments["end"] <= segments["start"]]
    if len(reversed_rows):
        raise ValueError(f"timeline: segment {reversed_rows[0]!r} does not end after its start; drop or exchange them")
    first = segments.groupby("name", sort=True)["start"].min().sort_values(kind="stable")
    figure, panel = row_canvas(title, len(first), per_row=0.34)
    for row, name in enumerate(first.index):
        own = segments[segments["name"] == name]
        panel.axhline(row, color=FAINT, linewidth=0.8, zorder=0)
        panel.barh([row] * len(own), own["end"] - own["start"], left=own["start"], height=0.6, color=BLUE, edgecolor="white")
    name_rows(panel, list(first.index))
    time_axis(panel, 0, seconds or float(segments["end"].max()))
    parts = (
        f"{name} {_spans(list(own[['start', 'end']].itertuples(index=False)))}"
        for name, own in ((name, segments[segments["name"] == name].sort_values("start")) for name in first.index)
    )
    return Picture(figure, f"Timeline, {title}: {listed(parts, 20)}.", caption)
