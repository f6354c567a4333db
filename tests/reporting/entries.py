"""Made-up results of a study: claims' entries, curves and models, as results.json holds them."""

from __future__ import annotations

import numpy as np

from mtt.config import FULL
from mtt.evaluation.replicates import Spread, over_replicates, prediction, ratio, smallest_effect
from mtt.findings.claims import CLAIMS, METRIC
from mtt.findings.judge import told
from mtt.findings.reference import convergence

SD = 0.003
STYLES = ("home", "studio")
EFFECTS = {"C1": 0.021, "C2": 0.048, "C3": 0.007, "C4a": 0.016, "C4b": 0.009, "C5": -0.003, "C6": 0.001, "C7": -0.006}


def around(effect: float, n: int = 5, sd: float = SD, seed: int = 0) -> np.ndarray:
    """n replicates whose mean is exactly ``effect`` and whose standard deviation is exactly ``sd``."""
    values = np.random.default_rng(seed).normal(size=n)
    return effect + (sd * (values - values.mean()) / values.std(ddof=1) if n > 1 else 0 * values)


def effect(value: float, n: int = 5, sd: float = SD, seed: int = 0) -> dict:
    return told(over_replicates(around(value, n, sd, seed)))


def entry(name: str, values, controls=None, beside=None, reference=None, **changes) -> dict:
    """What the judge makes of claim ``name`` with these values, of a study of independent corpora; ``reference``: its values there."""
    claim, spread = CLAIMS[name], over_replicates(values)
    controls, beside = ({label: over_replicates(one) for label, one in (found or {}).items()} for found in (controls, beside))
    known = None
    if reference is not None:
        there = over_replicates(reference)
        low, high = prediction(there)
        agrees = [bool(low <= value <= high) for value in spread.values]
        known = {**told(there), "verdict": claim.verdict(there.lo, there.hi), "prediction": [low, high], "agrees": agrees}
    versus = {"C2": "ResNet (the strongest baseline on validation)", "C7": "ResNet"}.get(name, "")
    return {part: getattr(claim, part) for part in ("id", "contrast", "rule", "margin", "unit", "paper")} | {
        "claim": claim.statement, "metric": METRIC, **told(spread), "verdict": claim.verdict(spread.lo, spread.hi, list(controls.values())),
        "versus": versus, "controls": {label: told(one) for label, one in controls.items()},
        "beside": {label: told(one) for label, one in beside.items()}, "variance": budget(spread), "reference": known, "facts": {},
        "smallest_effect": smallest_effect(spread.sd, spread.n) if spread.n > 1 else None,
        "replicates": spread.n, "n_tracks": 180, "n_artists": 60,
    } | changes  # fmt: skip


def budget(spread: Spread) -> dict | None:
    return (
        None if spread.n < 2 else {"artists": 0.4 * spread.sd, "training": 0.6 * spread.sd, "corpus": 0.7 * spread.sd, "total": spread.sd}
    )


def entries(n: int = 5, sd: float = SD, reference: bool = False, **changed: float) -> list[dict]:
    """Every claim with n replicates; the reference, where wanted, has five around EFFECTS."""
    found = []
    for place, (name, value) in enumerate((EFFECTS | changed).items()):
        values = around(value, n, sd, place)
        about: dict = {"reference": around(EFFECTS[name], 5, SD, place + 50) if reference else None}
        if name == "C1":
            about["facts"] = {"heard": {"none": 0.871, "half": 0.884, "all": 0.892}}
        if name == "C2":
            about["beside"] = {"FCN": values + 0.03, "CRNN": values + 0.02, "hand-made features": values + 0.05}
        if name == "C4a":
            about["controls"] = {"labels alone": values - 0.007, "permuted pseudo-labels": values + 0.03}
        if name == "C4b":
            room = values + 0.025
            about["controls"] = {"permuted pseudo-labels": values + 0.02}
            about["beside"] = {"teacher": values, "student that hears the pool clean": values - 0.008}
            about["facts"] = {
                "chosen": ["teacher"] * n, "oracle": told(over_replicates(room)), "recovered": told(ratio(values, room)),
            }  # fmt: skip
        if name == "C5":
            about["beside"] = {"width 32, minus labels alone": values + 0.008}
        if name == "C7":
            about["beside"] = {"teacher": values + 0.02, "Short-chunk ResNet": values + 0.026}
        found.append(entry(name, values, **about))
    return found


def scarcity(sizes=(12, 24, 48, 96, 192), n: int = 5) -> list[dict]:
    rows = []
    for place, artists in enumerate(sizes):
        supervised = around(0.74 + 0.055 * np.log2(artists / 12), n, 0.008, place)
        gain = around(0.034 * (12 / artists) ** 0.7, n, 0.004, place + 9)
        room = around(0.12 * (12 / artists) ** 0.6, n, 0.006, place + 19)
        scores = {"supervised": supervised, "student": supervised + gain, "oracle": supervised + room, "gain": gain}
        about = {"artists": artists, "tracks": 3.0 * artists, "exposure": 8000, "converged": True}
        rows.append(about | {name: told(over_replicates(one)) for name, one in scores.items()} | {"recovered": told(ratio(gain, room))})
    return rows


def trap(n: int = 5) -> list[dict]:
    rows = []
    for share, over_teacher, over_control in ((1 / 12, 0.071, -0.012), (0.25, 0.038, 0.001), (0.5, 0.021, 0.006), (1.0, 0.012, 0.009)):
        values = {"teacher": 0.85, "student": 0.86, "over_teacher": over_teacher, "over_control": over_control}
        rows.append({"share": share, "exposure": 16_000} | {name: effect(value, n) for name, value in values.items()})
    return rows


def curves(n: int = 5) -> dict:
    """All curves of a full run."""
    rng = np.random.default_rng(3)
    kinds = {
        "genre": ("rock", "jazz", "house", "folk"),
        "instrument": ("piano", "electric guitar", "strings"),
        "form": ("build-up", "key change"),
    }
    tags = [{"tag": tag, "kind": kind} for kind, names in kinds.items() for tag in names]
    numbers = rng.random((len(tags), 3))
    lengths = [
        {"model": label.lower(), "label": label, "seconds": seconds, "roc_auc": effect(score + 0.015 * np.log2(seconds), n)}
        for label, score in (("Transformer", 0.83), ("Short-chunk ResNet", 0.80), ("FCN", 0.79))
        for seconds in (2.0, 4.0, 8.0)
    ]
    return {
        "scarcity": scarcity(n=n), "trap": trap(n), "lengths": lengths,
        "pools": [{"artists": size, "gain": effect(gain, n)} for size, gain in ((50, 0.004), (100, 0.007), (400, 0.012))],
        "styles": [{"pool": a, "tested": b, "gain": effect(0.01 * (1 + (a == b)), n)} for a in STYLES for b in STYLES],
        "tags": [
            tag | {"teacher": 0.6 + 0.39 * a, "gain": 0.08 * (b - 0.4), "missing": c / 2}
            for tag, (a, b, c) in zip(tags, numbers, strict=True)
        ],
    }  # fmt: skip


def models(n: int = 5) -> list[dict]:
    known = [
        ("teacher", "teacher", "supervised", 310_000, 118.0, 0.871), ("student", "student", "student", 310_000, 246.0, 0.883),
        ("generation-2", "generation 2", "student", 310_000, 251.0, 0.884), ("oracle", "oracle", "oracle", 310_000, 240.0, 0.917),
        ("supervised-long", "labels alone, as long", "control", 310_000, 230.0, 0.869), ("fcn", "FCN", "baseline", 450_000, 61.0, 0.812),
        ("student-clean", "without noise", "control", 310_000, 210.0, 0.875), ("crnn", "CRNN", "baseline", 98_000, 70.0, 0.803),
        ("short-chunk-resnet", "Short-chunk ResNet", "baseline", 820_000, 190.0, 0.843),
        ("student-w32", "student, width 32", "student", 120_000, 190.0, 0.879),
        ("hand-made", "hand-made features", "baseline", 9_876, 4.2, 0.781),
    ]  # fmt: skip
    rows = []
    for place, (name, label, kind, parameters, seconds, score) in enumerate(known):
        row = {"name": name, "label": label, "kind": kind, "parameters": parameters, "exposure": 16_000, "seconds": seconds, "valid": score}
        for metric, value in (("roc_auc", score), ("pr_auc", score - 0.25)):
            one = effect(value, n, 0.006, place)
            row |= {metric: one["effect"], f"{metric}_interval": one["interval"], f"{metric}_by_replicate": one["by_replicate"]}
        rows.append(row)
    return rows


def results(found: list[dict], made: dict, collection: str = "synthetic", profile: str = "full", sentence=str) -> dict:
    """The content of results.json; ``sentence`` words an entry."""
    n = found[0]["replicates"]
    study = {
        "profile": profile,
        "collection": collection,
        "replicates": list(range(100, 100 + n)),
        "commit": "0123456789ab",
        "seconds": 7542.0,
    }
    return {
        "study": study, "claims": [one | {"sentence": sentence(one), "note": ""} for one in found], "models": models(n), "curves": made,
        "variance": [{"id": one["id"], **one["variance"]} for one in found if one["variance"]], "explanations": [],
        "convergence": convergence(FULL),
        "findings": {"01_data_exploration": "There are 26 tags. And more."},
    }  # fmt: skip
