"""Mel spectrograms: of one sound, and of a sound before and after an effect.

Conventions: x is time in seconds from the start of the waveform. The bands are the model's own (128 HTK mels without norm, n_fft 1024, hop
512), so that the picture shows what the model sees; levels are in dB relative to the loudest point of the figure.
"""

from __future__ import annotations

from collections.abc import Mapping

import librosa
import numpy as np
from matplotlib.axes import Axes
from matplotlib.image import AxesImage

from mtt.config import ModelConfig
from mtt.reporting.figures.draw import Picture, canvas, figure, time_axis
from mtt.reporting.figures.style import INK
from mtt.reporting.numbers import listed, number

RANGE_DB = 80.0  # shown below the loudest point
FREQUENCIES = (500, 1000, 2000, 4000, 8000, 16000)  # Hz, ticks of the mel axis


@figure
def mel_spectrogram(waveform: np.ndarray, sample_rate: int, title: str) -> Picture:
    """The mel spectrogram of one waveform, over seconds and kHz."""
    return _spectrograms({"waveform": waveform}, sample_rate, title)


@figure
def before_after(before: np.ndarray, after: np.ndarray, sample_rate: int, effect: str) -> Picture:
    """What an effect does to a sound: two spectrograms on the same colour scale."""
    return _spectrograms({"before": before, f"after: {effect}": after}, sample_rate, f"What {effect} does")


def _spectrograms(waveforms: Mapping[str, np.ndarray], sample_rate: int, title: str) -> Picture:
    """One above the other, all on one colour scale and one time axis."""
    powers = {name: mel_power(wave, sample_rate) for name, wave in waveforms.items()}
    seconds = max(wave.size for wave in waveforms.values()) / sample_rate
    loudest = max(max(power.max() for power in powers.values()), 1e-10)
    sheet, axes = canvas(title, 0.85 + (2.2 if len(powers) == 1 else 1.75 * len(powers)), rows=len(powers), sharex=True)
    for panel, (name, power) in zip(axes[:, 0], powers.items(), strict=True):
        image = draw_mel(panel, power, sample_rate, loudest)
        time_axis(panel, seconds)
        if len(powers) > 1:
            panel.set_title(name, color=INK)
    bar = sheet.colorbar(image, ax=list(axes[:, 0]), aspect=14 * len(powers), pad=0.015, shrink=0.9)
    bar.set_label("dB relative to the loudest")
    levels = {name: 10 * np.log10(max(power.mean() / loudest, 1e-10)) for name, power in powers.items()}
    parts = listed(
        f"{name} mean {number(levels[name], 0)} dB, brightness {_centroid(wave, sample_rate):.0f} Hz" for name, wave in waveforms.items()
    )
    return Picture(sheet, f"Mel spectrograms over {seconds:.1f} s on one colour scale, {title}: {parts}.")


def mel_power(waveform: np.ndarray, sample_rate: int) -> np.ndarray:
    """(mels, frames) of power of a waveform (samples,) by the model's own front end."""
    model, waveform = ModelConfig(), np.asarray(waveform, dtype=np.float32)
    return librosa.feature.melspectrogram(
        y=waveform, sr=sample_rate, n_fft=model.n_fft, hop_length=model.hop, n_mels=model.n_mels, htk=True, norm=None, pad_mode="constant"
    )


def draw_mel(axes: Axes, power: np.ndarray, sample_rate: int, loudest: float) -> AxesImage:
    """``power`` (mels, frames) as a picture in ``axes``, in dB relative to ``loudest``."""
    mels, frames = power.shape
    hop, nyquist = ModelConfig().hop / sample_rate, sample_rate / 2
    level = 10 * np.log10(np.maximum(power / loudest, 10 ** (-RANGE_DB / 10)))
    extent = (-hop / 2, (frames - 0.5) * hop, 0, mels)  # frame k is centred on k hops
    look = {"origin": "lower", "aspect": "auto", "cmap": "magma", "vmin": -RANGE_DB, "vmax": 0, "interpolation": "nearest"}
    image = axes.imshow(level, extent=extent, **look)
    shown = [hertz for hertz in FREQUENCIES if hertz < nyquist]
    places = librosa.hz_to_mel(shown, htk=True) / librosa.hz_to_mel(nyquist, htk=True) * mels
    axes.set_yticks(places, [f"{hertz / 1000:g}" for hertz in shown])
    axes.set_ylabel("kHz (mel)")
    axes.grid(visible=False)
    return image


def _centroid(waveform: np.ndarray, sample_rate: int) -> float:
    spectrum = np.abs(np.fft.rfft(np.asarray(waveform, dtype=np.float64)))
    frequencies = np.fft.rfftfreq(np.size(waveform), 1 / sample_rate)
    return float(spectrum @ frequencies / max(spectrum.sum(), 1e-12))
