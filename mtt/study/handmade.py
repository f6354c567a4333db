"""The stage of the baseline without deep learning, in the same kind of folder as the trained models'.

Its folder holds ``config.json``, ``scores.npz`` and ``metrics.json``; there is no model folder, since the classifier is refitted in a
second from the features.
"""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np

from mtt.evaluation.metrics import macro
from mtt.files import fingerprint, write_arrays, write_json
from mtt.models.features import describe_tracks, fit_logistic_regression
from mtt.study.cells import Stage, TrainingData, finished_folder

NAME = "hand-made"
VERSION = 3


def make_handmade_stage(root: Path, data: TrainingData, progress: bool = True) -> Stage:
    """Fit hand-made features + logistic regression on the training tracks and score valid and test."""
    folder = root / NAME
    mark = fingerprint([VERSION, data.digest])
    if (stage := finished_folder(folder, mark)) is not None:
        return stage
    started = time.perf_counter()
    ids = {name: data.ids(name) for name in ("train", "valid", "test")}
    features = describe_tracks(data.corpus, sum(ids.values(), []), progress=progress)
    train, valid, test = np.split(features, np.cumsum([len(i) for i in ids.values()])[:-1])
    classifier = fit_logistic_regression(train, data.corpus.labels[data.corpus.rows(ids["train"])])
    scores = {name: classifier.predict_proba(x).astype(np.float32) for name, x in (("valid", valid), ("test", test))}
    write_json(folder / "config.json", {"fingerprint": mark, "recipe": {"name": NAME}, "data": data.digest})
    write_arrays(folder / "scores.npz", **scores)
    metrics = {name: macro(data.corpus.true_labels(ids[name]), scores[name]) for name in scores}
    parameters = (features.shape[1] + 1) * len(data.corpus.tags)
    seconds = round(time.perf_counter() - started, 1)
    write_json(folder / "metrics.json", {**metrics, "parameters": parameters, "training_seconds": seconds})
    return Stage(folder)
