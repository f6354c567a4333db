"""Figures of explanations: how well curves and attention point, what taking frames away does, and attention head by head.

Conventions: localisation is ROC-AUC within a track, chance 0.5, with 95% intervals over artists; a drop is of the probability of the true
tags; attention is relative to uniform attention (1).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from matplotlib.ticker import FuncFormatter, MaxNLocator

from mtt.reporting.figures.draw import canvas, listed, name_rows, named, row_canvas, signed, with_interval
from mtt.reporting.figures.picture import Picture
from mtt.reporting.figures.style import FAINT, INK, model_colour, styled, text_colour

CHANCE = 0.5
PANELS = {"curve": "tag curve", "attention": "CLS attention", "rollout": "attention rollout"}
MASKS = {"attended": "o", "random": "D", "shifted": "s"}
WORDS = {"attended": "most attended", "random": "random", "shifted": "as many elsewhere"}


@styled
def localisation(
    tables: Mapping[str, pd.DataFrame], title: str = "Do curves and attention point at who plays when?", caption: str = ""
) -> Picture:
    """Per tag and model a dot and its interval, in a panel for the curve, one for CLS attention and one for rollout.

    ``tables`` by model: index tag, the last row their mean; columns ``artists`` (how many count, written beside the tag), ``curve``,
    ``attention``, ``rollout``, each of these with ``…_lo`` and ``…_hi``, NaN where there is none. The dashed line is chance.
    """
    first = next(iter(named(tables, "localisation").values()))
    mean = first.index[-1]
    order = [mean, *first.index[:-1]]
    order += sorted({tag for table in tables.values() for tag in table.index} - set(order))
    panels = [name for name in PANELS if any(table[name].notna().any() for table in tables.values())]
    figure, axes = canvas(title, 1.5 + 0.075 * len(order) * (len(tables) + 1.4), columns=len(panels), sharex=True, sharey=True)
    for panel, name in zip(axes[0], panels, strict=True):
        panel.axvline(CHANCE, color=INK, linewidth=1, linestyle=(0, (4, 2)))
        panel.axhline(0.5, color=FAINT, linewidth=1)
        for place, (model, table) in enumerate(tables.items()):
            if table[name].notna().any():
                offset = (place - (len(tables) - 1) / 2) * 0.7 / len(tables)
                _dots(panel, table.reindex(order), name, offset, model)
        panel.set_title(PANELS[name], fontsize=9.5, loc="left")
        panel.xaxis.set_major_locator(MaxNLocator(4))
        panel.grid(axis="y", visible=False)
    axes[0, 0].set_ylim(len(order) - 0.4, -0.6)
    artists = pd.concat([table["artists"] for table in tables.values()]).groupby(level=0).max()
    name_rows(axes[0, 0], [f"{tag} ({artists[tag]:.0f})" for tag in order])
    axes[0, len(panels) // 2].set_xlabel("ROC-AUC within a track (95% interval); dashed: chance; in brackets: artists")
    handles = [axes[0, 0].plot([], [], "o", color=model_colour(model), label=model)[0] for model in tables]
    figure.legend(handles=handles, loc="outside lower left", ncols=len(handles), handletextpad=0.2)
    parts = (
        f"{PANELS[name]} of the {model} {table.at[table.index[-1], name]:.3f}"
        for name in panels
        for model, table in tables.items()
        if np.isfinite(table.at[table.index[-1], name])
    )
    best = f"; best tag of the {next(iter(tables))}'s curve: {first.index[0]} {first['curve'].iloc[0]:.3f}"
    return Picture(figure, f"Dot plot with 95% intervals, {title} Mean over {len(order) - 1} tags: {listed(parts, 20)}{best}.", caption)


def _dots(panel, table: pd.DataFrame, name: str, offset: float, model: str) -> None:
    rows = np.arange(len(table)) + offset
    colour = model_colour(model)
    panel.hlines(rows, table[f"{name}_lo"], table[f"{name}_hi"], color=colour, linewidth=1.8, alpha=0.8)
    panel.plot(table[name], rows, "o", color=colour, markersize=5, markeredgecolor="white", markeredgewidth=0.6)


@styled
def deletion(
    summaries: Mapping[str, pd.DataFrame],
    share: float,
    title: str = "What taking frames away costs the true tags",
    caption: str = "",
) -> Picture:
    """For each model the drop in probability without its most attended frames, without random ones, and without as many elsewhere.

    ``summaries`` by model: index ``attended``, ``random``, ``shifted``; columns ``drop``, ``lo``, ``hi``. ``share``: of the frames.
    """
    named(summaries, "deletion")
    rows = [(model, mask) for model in summaries for mask in MASKS]
    figure, panel = row_canvas(title, len(rows), per_row=0.27)
    panel.axvline(0, color=INK, linewidth=1)
    for row, (model, mask) in enumerate(rows):
        values, colour = summaries[model].loc[mask], model_colour(model)
        panel.plot([values["lo"], values["hi"]], [row, row], color=colour, linewidth=2.2, alpha=0.8)
        filled = {"color": colour, "markeredgecolor": "white"} if mask == "attended" else {"color": "white", "markeredgecolor": colour}
        panel.plot(values["drop"], row, MASKS[mask], markersize=7, **filled)
        place = {"xycoords": panel.get_yaxis_transform(), "va": "center", "fontsize": 8.5, "color": text_colour(colour)}
        panel.annotate(_drop(values), (1.015, row), **place)
        if row % len(MASKS) == 0 and row:
            panel.axhline(row - 0.5, color=FAINT, linewidth=1)
    name_rows(panel, [f"{model}: {WORDS[mask]}" for model, mask in rows])
    panel.margins(x=0.08)
    panel.xaxis.set_major_formatter(FuncFormatter(signed))
    panel.xaxis.set_major_locator(MaxNLocator(6))
    panel.set_xlabel(f"drop in probability without {share:.0%} of the frames (95% interval)")
    numbers = listed((f"{model}, {WORDS[mask]} {_drop(summaries[model].loc[mask])}" for model, mask in rows), 30)
    return Picture(figure, f"Dot plot with 95% intervals, {title}: {numbers}.", caption)


def _drop(values: pd.Series) -> str:
    return with_interval(values.rename({"drop": "estimate", "lo": "low", "hi": "high"}), 4, sign=True)


@styled
def attention_heads(
    maps: np.ndarray, times: Sequence[float], title: str = "Which moment looks at which, head by head", caption: str = ""
) -> Picture:
    """A small map (row: the moment that looks, column: the moment looked at) for each layer and head.

    ``maps`` (layers, heads, frames, frames); ``times`` (frames,) seconds. All maps share one scale.
    """
    maps, times = np.asarray(maps, float), np.asarray(times, float)
    layers, heads, frames = maps.shape[:3]
    if maps.shape != (layers, heads, times.size, times.size) or times.size < 2 or not np.isfinite(maps).all() or maps.min() < 0:
        raise ValueError(f"attention_heads: maps {maps.shape} for {times.size} times; give non-negative (layers, heads, times, times)")
    columns = min(heads, 4)
    per_layer = -(-heads // columns)
    figure, axes = canvas(title, 0.9 + 6.6 / columns * layers * per_layer, layers * per_layer, columns, sharex=True, sharey=True)
    relative = maps * frames
    limit = float(np.percentile(relative, 99.5)) or 1.0
    span = (times[0], times[-1], times[-1], times[0])
    for number, panel in enumerate(axes.flat):
        layer, head = number // (per_layer * columns), number % (per_layer * columns)
        if head >= heads:
            panel.set_visible(False)
            continue
        image = panel.imshow(relative[layer, head], cmap="viridis", extent=span, vmin=0, vmax=limit, interpolation="nearest")
        panel.set_title(f"layer {layer + 1}, head {head + 1}", fontsize=8.5, loc="left")
        panel.grid(visible=False)
    figure.supxlabel("moment looked at: time (s)", fontsize=9.5)
    figure.supylabel("moment that looks (s)", fontsize=9.5)
    figure.colorbar(image, ax=axes, shrink=0.6, pad=0.02, extend="max").set_label("attention (1: uniform)")
    near = np.abs(np.subtract.outer(times, times)) <= 0.5
    within = (
        f"layer {layer + 1} head {head + 1} {maps[layer, head][near].sum() / max(maps[layer, head].sum(), 1e-12):.0%}"
        for layer in range(layers)
        for head in range(heads)
    )
    alt = f"Heatmaps, {title}: {layers} layers of {heads} heads over {times[-1]:.1f} s. Within half a second: {listed(within, 32)}."
    return Picture(figure, alt, caption)
