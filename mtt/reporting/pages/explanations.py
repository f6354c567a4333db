"""The opening page's section on explanations: how well curves and attention point, and whether attention is faithful.

Conventions: made from ``explanations`` of results.json alone (entries of ``mtt.study.evidence.records``), any of which may be partial;
localisation is shown with three decimals, drops with four.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from mtt.reporting.pages.forest import interval, number, signed

POINTING = ("tag curve", "CLS attention", "attention rollout")  # columns of the first table
SPOKEN = ("tag curve", "CLS attention")  # explanations that get a sentence; rollout stands in the table
FOREMOST = "student"  # the model whose sentences stand first
CAPTIONS = {
    "localisation": "Localisation: ROC-AUC of a curve within a track against the moments when an instrument plays, mean over tags; "
    "chance is 0.5.",
    "deletion": "Deletion: what taking away the frames that a model attends to most costs the true tags in probability, and how much more "
    "that is than for random frames, and for as many frames elsewhere.",
}


def explanation_section(records: Sequence[Mapping]) -> dict | None:
    """``sentences`` on the foremost model, those on the ``others``, and ``tables``; None where nothing was tested."""
    known = [entry for entry in records if entry.get("model") and number(entry.get("effect")) is not None]
    if not known:
        return None
    spoken = [entry for entry in known if entry.get("explanation") in SPOKEN and entry.get("sentence")]
    names = {str(entry["model"]) for entry in spoken}
    foremost = FOREMOST if FOREMOST in names else next((str(entry["model"]) for entry in spoken), "")
    return {
        "sentences": [str(entry["sentence"]) for entry in spoken if entry["model"] == foremost],
        "others": [str(entry["sentence"]) for entry in spoken if entry["model"] != foremost],
        "tables": [table for make in (_localisation, _deletion) if (table := make(known))["rows"]],
    }


def _localisation(records: Sequence[Mapping]) -> dict:
    found = [entry for entry in records if entry.get("test") == "localisation"]
    columns = [name for name in POINTING if any(entry.get("explanation") == name for entry in found)]
    models = dict.fromkeys(str(entry["model"]) for entry in found)
    rows = []
    for model in models:
        own = {entry.get("explanation"): entry for entry in found if entry["model"] == model}
        rows.append((model, [_cell(own.get(name, {}), "effect", "interval", "{:.3f}".format) for name in columns]))
    return {"columns": columns, "rows": rows, "caption": _caption("localisation", found)}


def _deletion(records: Sequence[Mapping]) -> dict:
    found = [entry for entry in records if entry.get("test") == "deletion"]
    rows = []
    for entry in found:
        drops = entry.get("drops")
        attended = drops.get("attended") if isinstance(drops, Mapping) else None
        cells = [_cell(attended if isinstance(attended, Mapping) else {}, "drop", "interval", signed)]
        cells += [_cell(entry, "effect", "interval", signed), _cell(entry, "elsewhere", "elsewhere_interval", signed)]
        rows.append((str(entry["model"]), cells))
    return {"columns": ["drop", "beyond random", "beyond elsewhere"], "rows": rows, "caption": _caption("deletion", found)}


def _caption(test: str, records: Sequence[Mapping]) -> str:
    artists = max((number(entry.get("n_artists")) or 0 for entry in records), default=0)
    return f"{CAPTIONS[test]} 95\u00a0% intervals over {artists:.0f} test artists."


def _cell(entry: Mapping, value: str, bounds: str, written: Callable[[float], str]) -> tuple[str, str]:
    """A number and its interval as texts; a dash where there is none."""
    shown, borders = number(entry.get(value)), interval(entry.get(bounds))
    return "–" if shown is None else written(shown), f"[{written(borders[0])}, {written(borders[1])}]" if borders else ""
