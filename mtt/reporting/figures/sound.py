"""Mel spectrograms: of one sound, of several on one scale, and of a sound before and after an effect.

Conventions: x is time in seconds from the start of the waveform. The bands are the model's own (128 HTK mels without
norm, n_fft 1024, hop 512), so that the picture shows what the model sees; levels are in dB below the loudest point of
the figure.
"""

from __future__ import annotations

from collections.abc import Mapping

import librosa
import numpy as np
from matplotlib.axes import Axes
from matplotlib.image import AxesImage

from mtt.config import ModelConfig
from mtt.reporting.figures.draw import canvas, listed, named, time_axis
from mtt.reporting.figures.picture import Picture
from mtt.reporting.figures.style import INK, styled

RANGE_DB = 80.0  # shown below the loudest point
FREQUENCIES = (500, 1000, 2000, 4000, 8000, 16000)  # Hz, ticks of the mel axis


@styled
def mel_spectrograms(
    waveforms: Mapping[str, np.ndarray],
    sample_rate: int,
    title: str = "Mel spectrogram",
    caption: str = "",
) -> Picture:
    """The mel spectrogram of each waveform, stacked, all on one colour scale and one time axis."""
    levels = {name: mel_power(wave, sample_rate, str(name)) for name, wave in named(waveforms, "mel_spectrograms").items()}
    seconds = max(np.size(wave) for wave in waveforms.values()) / sample_rate
    loudest = max(max(power.max() for power in levels.values()), 1e-10)
    figure, axes = canvas(title, 0.85 + (2.2 if len(levels) == 1 else 1.75 * len(levels)), rows=len(levels), sharex=True)
    for place, (panel, (name, power)) in enumerate(zip(axes[:, 0], levels.items(), strict=True)):
        image = draw_mel(panel, power, sample_rate, loudest)
        time_axis(panel, 0, seconds, label=place == len(levels) - 1)
        if len(levels) > 1:
            panel.set_title(str(name), color=INK)
    bar = figure.colorbar(image, ax=list(axes[:, 0]), aspect=14 * len(levels), pad=0.015, shrink=0.9)
    bar.set_label("dB below the loudest")
    parts = listed(
        f"{name} mean {_mean_level(power, loudest):.0f} dB, brightness {_centroid(wave, sample_rate):.0f} Hz"
        for (name, power), wave in zip(levels.items(), waveforms.values(), strict=True)
    )
    return Picture(figure, f"Mel spectrograms over {seconds:.1f} s on one colour scale, {title}: {parts}.", caption)


def mel_spectrogram(waveform: np.ndarray, sample_rate: int, title: str = "Mel spectrogram", caption: str = "") -> Picture:
    """The mel spectrogram of one waveform, over seconds and kHz."""
    return mel_spectrograms({"waveform": waveform}, sample_rate, title, caption)


def before_after(
    before: np.ndarray, after: np.ndarray, sample_rate: int, effect: str, title: str | None = None, caption: str = ""
) -> Picture:
    """What an effect does to a sound: two spectrograms on the same colour scale."""
    return mel_spectrograms({"before": before, f"after: {effect}": after}, sample_rate, title or f"What {effect} does", caption)


def mel_power(waveform: np.ndarray, sample_rate: int, name: str) -> np.ndarray:
    """(mels, frames) of power; the model's own front end, so that the picture shows what the model sees."""
    waveform = np.asarray(waveform, dtype=np.float32)
    if waveform.ndim != 1 or waveform.size < 2 or not np.isfinite(waveform).all():
        raise ValueError(f"waveform {name!r}: need finite mono (samples,), not {waveform.shape}; mix down or clean it first")
    model = ModelConfig()
    return librosa.feature.melspectrogram(
        y=waveform,
        sr=sample_rate,
        n_fft=model.n_fft,
        hop_length=model.hop,
        n_mels=model.n_mels,
        htk=True,
        norm=None,
        pad_mode="constant",
    )


def draw_mel(axes: Axes, power: np.ndarray, sample_rate: int, loudest: float) -> AxesImage:
    mels, frames = power.shape
    hop = ModelConfig().hop / sample_rate
    level = 10 * np.log10(np.maximum(power / loudest, 10 ** (-RANGE_DB / 10)))
    extent = (-hop / 2, (frames - 0.5) * hop, 0, mels)  # frame k is centred on k hops
    image = axes.imshow(
        level,
        origin="lower",
        aspect="auto",
        extent=extent,
        cmap="magma",
        vmin=-RANGE_DB,
        vmax=0,
        interpolation="nearest",
    )
    nyquist = sample_rate / 2
    shown = [hertz for hertz in FREQUENCIES if hertz < nyquist]
    places = librosa.hz_to_mel(shown, htk=True) / librosa.hz_to_mel(nyquist, htk=True) * mels
    axes.set_yticks(places, [f"{hertz / 1000:g}" for hertz in shown])
    axes.set_ylabel("kHz (mel)")
    axes.grid(visible=False)
    return image


def _mean_level(power: np.ndarray, loudest: float) -> float:
    return float(10 * np.log10(max(power.mean() / loudest, 1e-10)))


def _centroid(waveform: np.ndarray, sample_rate: int) -> float:
    spectrum = np.abs(np.fft.rfft(np.asarray(waveform, dtype=np.float64)))
    frequencies = np.fft.rfftfreq(np.size(waveform), 1 / sample_rate)
    return float(spectrum @ frequencies / max(spectrum.sum(), 1e-12))
