"""The model to take home: what a study found best, trained once more on all labels that there are.

Conventions: *best* is the highest validation score, as a mean over replicates; the test set has no say in it. What the model is expected to
score is what its recipe scored in the study, from fewer labels; nobody is left to test it on. Its folder tells that in its provenance.
"""

from __future__ import annotations

from dataclasses import replace
from functools import cached_property, partial
from pathlib import Path

import numpy as np
import torch
from torch import nn

from mtt.evaluation.predict import over_tracks
from mtt.evaluation.regression import fit_linear
from mtt.files import MttError, read_json
from mtt.models import build_model, load_model, save_model
from mtt.study.cells import folder_features
from mtt.study.recipes import FEATURES, LABELLED, Recipe, described_by
from mtt.study.replicates import Replicate
from mtt.study.schedule import make_cells
from mtt.study.workspace import Result, Study

KINDS = ("supervised", "student", "baseline")  # of models that can be taken home


class Everything(Replicate):
    """The first replicate with all labelled tracks to train on; its pool has those that nobody labelled."""

    @cached_property
    def groups(self) -> dict[str, list[str]]:
        labelled = self.corpus.is_labelled & (self.corpus.artists != "")
        everyone, rest = list(labelled.index[labelled]), self.ids("unlabelled")
        return {LABELLED: everyone, "pool": [track_id for track_id in rest if not labelled[track_id]] or everyone}


def best(study: Study) -> Result:
    """The model of the study with the highest validation score, of those whose recipe needs nothing but labels and the pool."""
    groups = (LABELLED, "pool")
    able = [
        result
        for result in study.results.values()
        if result.entry.kind in KINDS
        and (result.name == FEATURES if result.entry.recipe is None else {*_sets(result.entry.recipe)} <= {*groups})
    ]
    return max(able, key=lambda one: one.values("roc_auc", "valid").mean())


def _sets(recipe: Recipe) -> list[str]:
    return [name for part in recipe.chain for name in (part.training_set, part.student.pool if part.student else LABELLED)]


def take_home(study: Study, out: str | Path, name: str | None = None) -> dict:
    """Train the model ``name`` of the study (None: the best) on all labels, write it to the folder ``out`` and return its provenance.

    Raises ``MttError`` for a model that the study does not have or that is made of other things than labels and the pool.
    """
    if name is None:
        result = best(study)
    else:
        if name not in study.lineup or (study.lineup[name].recipe is None and name != FEATURES):
            raise MttError(f"{name}: no model of this study that can be trained on all labels; there are {', '.join(study.lineup)}")
        (result,) = study.make(name)
    whole = Everything(study.config, study.first.number, study.folder / "final", study.progress)
    model = _regression(study, whole, result) if result.entry.recipe is None else _trained(study, whole, result.entry.recipe)
    about = {
        "model": f"{result.entry.label}: {result.entry.about}",
        "collection": whole.collection.name,
        "tracks": len(whole.groups[LABELLED]),
        "artists": int(whole.corpus.artists[whole.groups[LABELLED]].nunique()),
        "expected": {metric: round(float(result.values(metric).mean()), 4) for metric in ("roc_auc", "pr_auc")},
        "expected_from": f"the same recipe on {len(study.first.groups[LABELLED])} labelled tracks, tested on artists that it never heard",
        "clip_seconds": model.clip_seconds,
    }
    save_model(model, out, whole.corpus.tags, about)
    return about


def _trained(study: Study, whole: Replicate, recipe: Recipe) -> nn.Module:
    """The recipe, and its teachers, with as many passes over all labelled tracks as it had over fewer."""
    share = len(whole.groups[LABELLED]) / len(study.first.groups[LABELLED])

    def longer(one: Recipe | None) -> Recipe | None:
        return one and replace(one, train=replace(one.train, steps=round(one.train.steps * share)), teacher=longer(one.teacher))

    whole.prepare()
    (cell,) = make_cells([whole.job(longer(recipe))], study.progress)
    return load_model(cell.folder)


def _regression(study: Study, whole: Replicate, result: Result) -> nn.Module:
    """The model whose features were given, with the regression on all labels for a last layer."""
    folder, ids = described_by(study.config).folder, whole.groups[LABELLED]
    corpus = replace(whole.corpus, fingerprints={})
    features = over_tracks(partial(folder_features, folder, corpus), ids, FEATURES, study.progress)
    linear = fit_linear(features, whole.data.labels(ids), read_json(result.first.folder / "config.json")["penalty"])
    given = load_model(folder)
    model = build_model(given.config, len(corpus.tags), seed=0).eval()
    weights = given.state_dict()
    last = f"head.{len(given.head) - 1}"
    for part, values in (("weight", linear.weights), ("bias", linear.biases)):
        weights[f"{last}.{part}"] = torch.from_numpy(values.astype(np.float32))
    model.load_state_dict(weights)
    model.clip_seconds = given.clip_seconds
    return model
