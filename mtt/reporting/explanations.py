"""The opening page's section on explanations: how well curves and attention point, and whether attention is faithful.

Conventions: made from ``explanations`` of results.json alone (entries of ``mtt.explain.evidence.records``), any of which may be partial;
localisation is shown with three decimals, drops with four.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from mtt.reporting.forest import interval, number, signed

POINTING = ("tag curve", "CLS attention", "attention rollout")  # columns of the table
SPOKEN = ("tag curve", "CLS attention")  # explanations that get a sentence; rollout stands in the table


def explanation_section(records: Sequence[Mapping]) -> dict | None:
    """``columns`` and ``rows`` of the table, a row a model; ``sentences``; which tests there are, and ``n_artists``. None without any."""
    known = [entry for entry in records if entry.get("model") and number(entry.get("effect")) is not None]
    if not known:
        return None
    columns = [
        name for name in POINTING if any(entry.get("explanation") == name and entry.get("test") == "localisation" for entry in known)
    ]
    deletion = any(entry.get("test") == "deletion" for entry in known)
    rows = [_row(model, known, columns, deletion) for model in dict.fromkeys(str(entry["model"]) for entry in known)]
    spoken = [entry for entry in known if entry.get("explanation") in SPOKEN and entry.get("sentence")]
    spoken.sort(key=lambda entry: entry.get("test") == "deletion")  # a stable sort: localisation first
    return {
        "columns": [*columns, *(["beyond random frames", "beyond as many elsewhere"] if deletion else [])],
        "localisation": bool(columns),
        "deletion": deletion,
        "rows": rows,
        "sentences": [str(entry["sentence"]) for entry in spoken],
        "n_artists": max((int(number(entry.get("n_artists")) or 0) for entry in known), default=0),
    }


def _row(model: str, records: Sequence[Mapping], columns: Sequence[str], deletion: bool) -> dict:
    own = [entry for entry in records if entry["model"] == model]
    pointing = {str(entry.get("explanation")): entry for entry in own if entry.get("test") == "localisation"}
    cells = [_cell(pointing[name], "effect", "interval", "{:.3f}".format) if name in pointing else ("–", "") for name in columns]
    if deletion:
        taken = next((entry for entry in own if entry.get("test") == "deletion"), {})
        cells += [_cell(taken, "effect", "interval", signed), _cell(taken, "elsewhere", "elsewhere_interval", signed)]
    return {"model": model, "cells": cells}


def _cell(entry: Mapping, value: str, bounds: str, written) -> tuple[str, str]:
    """A number and its interval as texts; a dash where there is none."""
    shown, borders = number(entry.get(value)), interval(entry.get(bounds))
    return "–" if shown is None else written(shown), f"[{written(borders[0])}, {written(borders[1])}]" if borders else ""
