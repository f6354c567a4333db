"""Figures of what a model hears in a sound: spectrograms, tag curves and attention, and what the tests of these found.

Conventions: x is time in seconds from the start of the waveform. Spectrograms are those of ``mtt.explain.spectrogram``; levels are in dB
relative to the loudest point of the figure. Probabilities lie in 0–1; a truth is a list of (start, end) in seconds; attention is relative
to uniform attention (1). Localisation is ROC-AUC within a track, with 95% intervals over artists.
"""

import itertools
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.image import AxesImage
from matplotlib.ticker import MaxNLocator

from mtt.config import SAMPLE_RATE, ModelConfig
from mtt.explain.spectrogram import MEL_TICKS, RANGE_DB, decibels, mel_power
from mtt.findings.evidence import CHANCE, NAMES
from mtt.reporting.figures.draw import DASHED, Picture, beside, canvas, dots, figure, name_rows, row_canvas, signed_axis, time_axis, told
from mtt.reporting.figures.style import APART, BLUE, GREY, GRID, INK, LABELS, ORANGE, WIDTH, model_colour, text_colour
from mtt.reporting.numbers import listed, number, with_interval

NOTE = {"x": 0.01, "fontsize": 8.5, "color": text_colour(GREY)}  # the look of what explains a panel
Segments = Sequence[tuple[float, float]]


@figure
def mel_spectrogram(waveform: np.ndarray, title: str, loudest: float = 0.0, width: float = WIDTH) -> Picture:
    """A waveform as a model sees it; ``loudest``: the power that levels are relative to, where figures share one and it is more than any
    here.
    """
    power, seconds = mel_power(waveform), waveform.size / SAMPLE_RATE
    loudest = max(loudest, power.max(), 1e-10)
    sheet, ((axes,),) = canvas(title, 0.45 + 0.35 * width, width=width)
    image = draw_mel(axes, power, loudest)
    time_axis(axes, seconds)
    sheet.colorbar(image, ax=axes, aspect=14, pad=0.015, shrink=0.9).set_label("dB (loudest: 0)")
    level = number(10 * np.log10(max(power.mean() / loudest, 1e-10)), 0)
    return Picture(sheet, f"Mel spectrogram over {seconds:.1f} s, {title}: mean {level} dB, relative to the loudest.")


def draw_mel(axes: Axes, power: np.ndarray, loudest: float) -> AxesImage:
    """``power`` (mels, frames) as a picture in ``axes``, in dB relative to ``loudest``."""
    (mels, frames), hop = power.shape, ModelConfig().hop / SAMPLE_RATE
    extent = (-hop / 2, (frames - 0.5) * hop, 0, mels)  # frame k is centred on k hops
    look = {"origin": "lower", "aspect": "auto", "cmap": "magma", "vmin": -RANGE_DB, "vmax": 0, "interpolation": "nearest"}
    image = axes.imshow(decibels(power, loudest), extent=extent, **look)
    axes.set_yticks([mels * share for share in MEL_TICKS.values()], [f"{hertz / 1000:g}" for hertz in MEL_TICKS])
    axes.set_ylabel("kHz (mel)")
    axes.grid(visible=False)
    return image


@figure
def tag_curves(
    times: np.ndarray, probabilities: np.ndarray, tags: Sequence[str], truth: Mapping[str, Segments], waveform: np.ndarray,
    title: str,
) -> Picture:  # fmt: skip
    """One row a tag: its probability as a curve, and a bar underneath where the tag truly sounds.

    ``times`` (points,) seconds, the centre of each window; ``probabilities`` (points, tags), those of ``tags``. ``truth``: for the tags
    whose truth is known, their segments (an empty list: it never sounds); these tags stand first, then those with the highest peaks.
    """
    peaks = dict(zip(tags, probabilities.max(axis=0), strict=True))
    order = sorted(tags, key=lambda tag: (tag not in truth, -peaks[tag], tag))
    sheet, panel = _under_spectrogram(title, 0.42 * len(order), waveform)
    parts = []
    for row, tag in enumerate(order):
        curve = probabilities[:, list(tags).index(tag)]
        floor, height = row + 0.24, 0.64  # of the grey band, which spans 0–1; the truth is a bar right under it
        panel.axhspan(floor - height, floor, color=GRID, alpha=0.5, linewidth=0, zorder=0)
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
    return Picture(sheet, f"Tag curves over {np.size(waveform) / SAMPLE_RATE:.1f} s, {title}. Peaks: {listed(parts)}.")


@figure
def timeline(truth: Mapping[str, Segments], waveform: np.ndarray, title: str, width: float = WIDTH) -> Picture:
    """When each instrument of ``truth`` sounds, as bars under the spectrogram, the first to enter on top."""
    order = sorted(truth, key=lambda tag: (min((start for start, _ in truth[tag]), default=np.inf), tag))
    sheet, panel = _under_spectrogram(title, 0.24 * max(len(order), 3), waveform, width)
    for row, tag in enumerate(order):
        panel.barh(
            [row] * len(truth[tag]), [stop - start for start, stop in truth[tag]], 0.5, [start for start, _ in truth[tag]], color=ORANGE
        )
    name_rows(panel, order)
    seconds = np.size(waveform) / SAMPLE_RATE
    shares = listed(f"{tag} {sum(stop - start for start, stop in truth[tag]) / seconds:.0%}" for tag in order)
    return Picture(sheet, f"Mel spectrogram over {seconds:.1f} s and bars of who plays when, {title}. Sounding: {shares}.")


@figure
def notes(parts: Mapping[str, np.ndarray], start: float, end: float, title: str, width: float = WIDTH) -> Picture:
    """A piano roll from ``start`` to ``end``, seconds: of each instrument its notes, (n, 4) with onset, duration and pitch first."""
    sheet, ((axes,),) = canvas(title, 0.45 + 0.35 * width, width=width)
    for (name, played), colour in zip(parts.items(), itertools.cycle(APART)):
        within = played[(played[:, 0] < end) & (played[:, :2].sum(axis=1) > start)]
        axes.hlines(within[:, 2], within[:, 0] - start, within[:, :2].sum(axis=1) - start, color=colour, linewidth=3, label=name)
    time_axis(axes, end - start)
    axes.set_ylabel("pitch (MIDI)")
    sheet.legend(loc="outside lower center", ncols=3, fontsize=8)
    told = listed(f"{name}, {len(played)} notes" for name, played in parts.items())
    return Picture(sheet, f"Piano roll over {end - start:.1f} s, {title}: {told}.")


def _under_spectrogram(title: str, height: float, waveform: np.ndarray, width: float = WIDTH) -> tuple[Figure, Axes]:
    """A panel of about ``height`` inches over time, below the spectrogram of ``waveform``."""
    heights = [0.6 + 0.093 * width, max(height, 0.8)]
    sheet, axes = canvas(title, 1.1 + 0.24 * width + height, rows=2, width=width, sharex=True, height_ratios=heights)
    power = mel_power(waveform)
    draw_mel(axes[0, 0], power, power.max())
    for panel in axes[:, 0]:
        time_axis(panel, np.size(waveform) / SAMPLE_RATE)
    return sheet, axes[1, 0]


@figure
def attention_heads(maps: np.ndarray, times: Sequence[float], title: str) -> Picture:
    """A small map (row: the moment that looks, column: the moment looked at) for each layer and head, all on one scale.

    ``maps`` (layers, heads, frames, frames); ``times`` (frames,) seconds.
    """
    layers, heads, frames = maps.shape[:3]
    columns = min(heads, 4)
    per_layer = -(-heads // columns)
    sheet, axes = canvas(title, 0.9 + 6.6 / columns * layers * per_layer, layers * per_layer, columns, sharex=True, sharey=True)
    relative = maps * frames
    limit = float(np.percentile(relative, 99.5)) or 1.0
    look = {"cmap": "viridis", "extent": (times[0], times[-1], times[-1], times[0]), "vmin": 0, "vmax": limit, "interpolation": "nearest"}
    near = np.abs(np.subtract.outer(times, times)) <= 0.5
    panels, parts = axes.reshape(layers, -1), []
    for panel in panels[:, heads:].flat:
        panel.set_visible(False)
    for layer, head in np.ndindex(layers, heads):
        image = panels[layer, head].imshow(relative[layer, head], **look)
        panels[layer, head].set_title(f"layer {layer + 1}, head {head + 1}", fontsize=8.5)
        panels[layer, head].grid(visible=False)
        own = maps[layer, head]
        parts.append(f"layer {layer + 1} head {head + 1} {own[near].sum() / max(own.sum(), 1e-12):.0%}")
    sheet.supxlabel("moment looked at: time (s)", fontsize=9.5)
    sheet.supylabel("moment that looks (s)", fontsize=9.5)
    sheet.colorbar(image, ax=axes, shrink=0.6, pad=0.02, extend="max").set_label("attention (1: uniform)")
    size = f"{layers} layers of {heads} heads over {times[-1]:.1f} s"
    return Picture(sheet, f"Heatmaps, {title}: {size}. Within half a second: {listed(parts)}.")


@figure
def explanations(entries: Sequence[Mapping], test: str) -> Picture:
    """Entries of ``evidence.records`` on one test: each explanation's localisation beside chance, or what is lost beyond each control."""
    local, rows = test == "localisation", {}
    title = "Do curves and attention point at who plays when?" if local else "Do the tags rest on what is attended to most?"
    for one in (entry for entry in entries if entry["test"] == test):
        what = NAMES[one["explanation"]] if local else "beside random frames"
        rows[one["model"], what] = (one["effect"], *(one["interval"] or (np.nan, np.nan)))
        if not local:
            rows[one["model"], "beside as many elsewhere"] = (one["elsewhere"], *one["elsewhere_interval"])
    names, look = [f"{LABELS.get(model, model)}: {what}" for model, what in rows], {"digits": 3 if local else 4, "sign": not local}
    table = pd.DataFrame(list(rows.values()), names, ["estimate", "low", "high"])
    sheet, axes = row_canvas(title, names, per_row=0.27)
    if local:
        axes.axvline(CHANCE, color=INK, linewidth=1, linestyle=DASHED)
    else:
        signed_axis(axes)
    for row, (model, _) in enumerate(rows):
        dots(axes, table.iloc[[row]], [row], model_colour(model))
        beside(axes, row, with_interval(*table.iloc[row], **look), model_colour(model))
    axes.margins(x=0.08)
    axes.xaxis.set_major_locator(MaxNLocator(6))
    what = "ROC-AUC within a track; dashed: chance" if local else "probability of the true tags lost, more than by the control"
    axes.set_xlabel(f"{what} (95% interval)")
    return Picture(sheet, f"Dot plot with 95% intervals, {title} {told(table, **look)}.")
