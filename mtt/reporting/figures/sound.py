"""Figures of a sound over time: mel spectrograms, and tag curves and attention under them. A player can lay its cursor over each.

Conventions: x is time in seconds from the start of the waveform. The bands are the model's own (128 HTK mels without norm, n_fft 1024, hop
512), so that the picture shows what the model sees; levels are in dB relative to the loudest point of the figure. Probabilities lie in 0–1;
a truth is a list of (start, end) in seconds.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import librosa
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.image import AxesImage

from mtt.config import ModelConfig
from mtt.reporting.figures.draw import DASHED, Picture, canvas, figure, name_rows, time_axis
from mtt.reporting.figures.style import BLUE, INK, ORANGE
from mtt.reporting.numbers import listed, number

RANGE_DB = 80.0  # shown below the loudest point
FREQUENCIES = (500, 1000, 2000, 4000, 8000, 16000)  # Hz, ticks of the mel axis
NOTE = {"x": 0.01, "fontsize": 8.5, "color": "#666666"}  # the look of what explains a panel
Segments = Sequence[tuple[float, float]]


@figure
def mel_spectrograms(waveforms: Mapping[str, np.ndarray], sample_rate: int, title: str) -> Picture:
    """Named waveforms, one above the other, all on one colour scale and one time axis; one alone goes without its name."""
    powers = {name: mel_power(wave, sample_rate) for name, wave in waveforms.items()}
    seconds = max(wave.size for wave in waveforms.values()) / sample_rate
    loudest = max(max(power.max() for power in powers.values()), 1e-10)
    sheet, axes = canvas(title, 0.85 + (2.2 if len(powers) == 1 else 1.75 * len(powers)), rows=len(powers), sharex=True)
    parts = []
    for panel, (name, power) in zip(axes[:, 0], powers.items(), strict=True):
        image = draw_mel(panel, power, sample_rate, loudest)
        time_axis(panel, seconds)
        if len(powers) > 1:
            panel.set_title(name, color=INK)
        level = number(10 * np.log10(max(power.mean() / loudest, 1e-10)), 0)
        parts.append(f"{name} mean {level} dB, brightness {_centroid(waveforms[name], sample_rate):.0f} Hz")
    bar = sheet.colorbar(image, ax=list(axes[:, 0]), aspect=14 * len(powers), pad=0.015, shrink=0.9)
    bar.set_label("dB relative to the loudest")
    return Picture(sheet, f"Mel spectrograms over {seconds:.1f} s on one colour scale, {title}: {listed(parts)}.")


def mel_power(waveform: np.ndarray, sample_rate: int) -> np.ndarray:
    """(mels, frames) of power of a waveform (samples,) by the model's own front end."""
    model, waveform = ModelConfig(), np.asarray(waveform, dtype=np.float32)
    return librosa.feature.melspectrogram(
        y=waveform, sr=sample_rate, n_fft=model.n_fft, hop_length=model.hop, n_mels=model.n_mels, htk=True, norm=None, pad_mode="constant"
    )


def decibels(power: np.ndarray, loudest: float) -> np.ndarray:
    """``power`` in dB relative to ``loudest``, from −``RANGE_DB`` up."""
    return 10 * np.log10(np.maximum(power / max(loudest, 1e-10), 10 ** (-RANGE_DB / 10)))


def mel_ticks(sample_rate: int) -> dict[int, float]:
    """The share of the mel axis that lies below each of the ``FREQUENCIES`` on it."""
    shares = librosa.hz_to_mel(FREQUENCIES, htk=True) / librosa.hz_to_mel(sample_rate / 2, htk=True)
    return {hertz: share for hertz, share in zip(FREQUENCIES, shares.tolist(), strict=True) if share < 1}


def draw_mel(axes: Axes, power: np.ndarray, sample_rate: int, loudest: float) -> AxesImage:
    """``power`` (mels, frames) as a picture in ``axes``, in dB relative to ``loudest``."""
    (mels, frames), hop, ticks = power.shape, ModelConfig().hop / sample_rate, mel_ticks(sample_rate)
    extent = (-hop / 2, (frames - 0.5) * hop, 0, mels)  # frame k is centred on k hops
    look = {"origin": "lower", "aspect": "auto", "cmap": "magma", "vmin": -RANGE_DB, "vmax": 0, "interpolation": "nearest"}
    image = axes.imshow(decibels(power, loudest), extent=extent, **look)
    axes.set_yticks([mels * share for share in ticks.values()], [f"{hertz / 1000:g}" for hertz in ticks])
    axes.set_ylabel("kHz (mel)")
    axes.grid(visible=False)
    return image


def _centroid(waveform: np.ndarray, sample_rate: int) -> float:
    spectrum = np.abs(np.fft.rfft(np.asarray(waveform, dtype=np.float64)))
    frequencies = np.fft.rfftfreq(np.size(waveform), 1 / sample_rate)
    return float(spectrum @ frequencies / max(spectrum.sum(), 1e-12))


@figure
def tag_curves(
    times: np.ndarray, probabilities: np.ndarray, tags: Sequence[str], truth: Mapping[str, Segments], waveform: np.ndarray,
    sample_rate: int, title: str,
) -> Picture:  # fmt: skip
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
        floor, height = row + 0.24, 0.64  # of the grey band, which spans 0–1; the truth is a bar right under it
        panel.axhspan(floor - height, floor, color="#F3F3F3", linewidth=0, zorder=0)
        panel.fill_between(times, floor, floor - height * curve, color=BLUE, alpha=0.3, linewidth=0)
        panel.plot(times, floor - height * curve, color=BLUE, linewidth=1.4)
        for start, stop in truth.get(tag, ()):
            panel.fill_between([start, stop], floor + 0.03, floor + 0.17, color=ORANGE, linewidth=0)
        panel.annotate(f"{peaks[tag]:.2f}", (1.01, row), xycoords=panel.get_yaxis_transform(), va="center", fontsize=8.5)
        parts.append(f"{tag} {peaks[tag]:.2f} at {times[curve.argmax()]:.1f} s")
        if tag in truth:
            parts[-1] += ", truly " + (", ".join(f"{start:.1f}–{stop:.1f} s" for start, stop in truth[tag]) or "never")
    name_rows(panel, order)
    panel.set_ylim(len(order) - 0.5, -0.5)
    panel.annotate("peak", (1.01, 1), (0, 1), xycoords="axes fraction", textcoords="offset points", fontsize=8.5, va="bottom")
    panel.set_title(f"blue: probability, from 0 to 1 in the grey band{'; orange: where it truly sounds' if truth else ''}", **NOTE)
    return Picture(sheet, f"Tag curves over {np.size(waveform) / sample_rate:.1f} s, {title}. Peaks: {listed(parts)}.")


def _under_spectrogram(title: str, height: float, waveform: np.ndarray, sample_rate: int) -> tuple[Figure, Axes]:
    """A panel of about ``height`` inches over time, below the spectrogram of ``waveform``."""
    sheet, axes = canvas(title, 2.9 + height, rows=2, sharex=True, height_ratios=[1.3, max(height, 0.8)])
    power = mel_power(waveform, sample_rate)
    draw_mel(axes[0, 0], power, sample_rate, power.max())
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
