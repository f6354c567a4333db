"""Figures of explanations: how well curves and attention point, what taking frames away does, and attention head by head.

Conventions: localisation is ROC-AUC within a track, with 95% intervals over artists; a drop is of the probability of the true tags;
attention is relative to uniform attention (1).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from matplotlib.ticker import MaxNLocator

from mtt.explain.localisation import MEAN
from mtt.reporting.figures.draw import DASHED, Picture, beside, canvas, dots, figure, name_rows, row_canvas, signed_axis, told
from mtt.reporting.figures.style import FAINT, INK, model_colour
from mtt.reporting.numbers import listed, with_interval
from mtt.study.evidence import CHANCE, NAMES

MASKS = {"attended": ("most attended", "o"), "random": ("random", "D"), "shifted": ("as many elsewhere", "s")}  # words, marker


@figure
def localisation(tables: Mapping[str, pd.DataFrame]) -> Picture:
    """Per tag and model a dot and its interval, in a panel for the curve, one for CLS attention and one for rollout.

    ``tables`` by model are those of ``mtt.explain.localisation``: index tag, the last row their mean; columns ``artists`` (how many count,
    written beside the tag), ``curve``, ``attention``, ``rollout``, each of these with ``…_lo`` and ``…_hi``, NaN where there is none.
    """
    title, first = "Do curves and attention point at who plays when?", next(iter(tables))
    order = list(dict.fromkeys([MEAN, *tables[first].index, *sorted({tag for table in tables.values() for tag in table.index})]))
    kinds = [kind for kind in NAMES if any(table[kind].notna().any() for table in tables.values())]
    sheet, axes = canvas(title, 1.5 + 0.075 * len(order) * (len(tables) + 1.4), columns=len(kinds), sharex=True, sharey=True)
    artists = pd.concat([table["artists"] for table in tables.values()]).groupby(level=0).max()
    parts = []
    for panel, kind in zip(axes[0], kinds, strict=True):
        panel.axvline(CHANCE, color=INK, linewidth=1, linestyle=DASHED)
        panel.axhline(0.5, color=FAINT, linewidth=1)
        panel.set_title(NAMES[kind], fontsize=9.5)
        panel.xaxis.set_major_locator(MaxNLocator(4))
        name_rows(panel, [f"{tag} ({artists[tag]:.0f})" for tag in order])
        for place, (model, table) in enumerate(tables.items()):
            if table[kind].notna().any():
                found = table.reindex(order)[[kind, f"{kind}_lo", f"{kind}_hi"]].set_axis(["estimate", "low", "high"], axis=1)
                heights = np.arange(len(order)) + (place - (len(tables) - 1) / 2) * 0.7 / len(tables)
                dots(panel, found, heights, model_colour(model), size=5)
                parts.append(f"{NAMES[kind]} of the {model} {table.at[MEAN, kind]:.3f}")
    axes[0, len(kinds) // 2].set_xlabel("ROC-AUC within a track (95% interval); dashed: chance; in brackets: artists")
    handles = [axes[0, 0].plot([], [], "o", color=model_colour(model), label=model)[0] for model in tables]
    sheet.legend(handles=handles, loc="outside lower left", ncols=len(handles), handletextpad=0.2)
    best = f"best tag of the {first}'s curve: {tables[first].index[0]} {tables[first]['curve'].iloc[0]:.3f}"
    return Picture(sheet, f"Dot plot with 95% intervals, {title} Mean over {len(order) - 1} tags: {listed(parts)}; {best}.")


@figure
def deletion(summaries: Mapping[str, pd.DataFrame], share: float) -> Picture:
    """For each model the drop in probability without its most attended frames, without random ones, and without as many elsewhere.

    ``summaries`` by model: index ``attended``, ``random``, ``shifted``; columns ``drop``, ``lo``, ``hi``. ``share``: of the frames.
    """
    title = "What taking frames away costs the true tags"
    rows = pd.concat(summaries).rename(columns={"drop": "estimate", "lo": "low", "hi": "high"})
    names = [f"{model}: {MASKS[mask][0]}" for model, mask in rows.index]
    sheet, axes = row_canvas(title, names, per_row=0.27)
    signed_axis(axes)
    for row, (model, mask) in enumerate(rows.index):
        colour = model_colour(model)
        dots(axes, rows.iloc[[row]], [row], colour, MASKS[mask][1], hollow=mask != "attended")
        beside(axes, row, with_interval(*rows.iloc[row][["estimate", "low", "high"]], 4, sign=True), colour)
        if mask == "attended" and row:
            axes.axhline(row - 0.5, color=FAINT, linewidth=1)
    axes.margins(x=0.08)
    axes.xaxis.set_major_locator(MaxNLocator(6))
    axes.set_xlabel(f"drop in probability without {share:.0%} of the frames (95% interval)")
    return Picture(sheet, f"Dot plot with 95% intervals, {title}. {told(rows.set_axis(names), 4, sign=True)}.")


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
