"""A made-up study: models are their scores, told replicate by replicate."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pandas as pd

from mtt.config import FULL
from mtt.findings.judge import Judge
from mtt.study import recipes
from mtt.study.workspace import Result

TRACKS = [f"track {number:02d}" for number in range(24)]
LABELS = np.random.default_rng(0).integers(0, 2, (24, 3))
GROUPS = {name: TRACKS[:12] for name in ("labelled", "labelled-12", "labelled-96")} | {"pool": TRACKS[12:]}


def judge(scores: dict, valid: dict | None = None, again: dict | None = None, kind: str = "composed", **config) -> Judge:
    """Of models with these macro ROC-AUC on the test tracks and on validation (as on the test tracks, where not said).

    ``again`` are scores of second trainings. ``kind``: "composed", "splits" of one collection, or "published" split. ``config`` differs
    from the full run's.
    """
    n = len(next(iter(scores.values())))
    settings = replace(FULL, replicates=n, resamples=50, collection="synthetic" if kind == "composed" else "music.csv", **config)
    corpus = SimpleNamespace(
        tags=["rock", "piano", "build-up"], tag_kinds={"rock": "genre", "piano": "instrument", "build-up": "form"}, truth=LABELS,
        artists=pd.Series([f"artist {number // 2}" for number in range(24)], TRACKS), true_labels=lambda ids: LABELS[rows(ids)],
        tracks=pd.DataFrame({"style": ["home", "studio"] * 12}, TRACKS),
    )  # fmt: skip
    replicate = SimpleNamespace(
        corpus=corpus, ids=lambda name: TRACKS, groups=GROUPS, is_composed=kind == "composed",
        collection=SimpleNamespace(has_split=kind == "published"),
    )  # fmt: skip
    lineup, results = recipes.lineup(settings), {}
    for place, (name, values) in enumerate(scores.items()):
        tracks = LABELS + np.random.default_rng(place).normal(size=LABELS.shape)
        cells = [_cell(*both, tracks) for both in zip(values, (valid or {}).get(name, values), strict=True)]
        results[name] = Result(lineup[name], cells, [_cell(one, one, tracks) for one in (again or {}).get(name, ())])
    return Judge(SimpleNamespace(config=settings, replicates=[replicate] * n, first=replicate, results=results, lineup=lineup, budgets=[]))


def rows(ids) -> list[int]:
    return [TRACKS.index(one) for one in ids]


def _cell(test: float, valid: float, tracks: np.ndarray) -> SimpleNamespace:
    metrics = {"test": {"roc_auc": test, "pr_auc": test / 2}, "valid": {"roc_auc": valid}, "parameters": 9, "training_seconds": 2.0}
    return SimpleNamespace(metrics=metrics, scores=lambda sets: tracks)
