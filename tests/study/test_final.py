import json
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from mtt.config import SMOKE
from mtt.evaluation.predict import track_features
from mtt.files import MttError
from mtt.models import load_model
from mtt.models.checkpoint import identify
from mtt.study import recipes
from mtt.study.final import Everything, best, take_home
from mtt.study.recipes import FEATURES, lineup
from mtt.study.workspace import Study


@pytest.fixture
def study(tiny_table, golden_model, tmp_path, monkeypatch):
    monkeypatch.setenv("MTT_HOME", str(tmp_path / "home"))
    asked = replace(SMOKE, collection=str(tiny_table), labelled_artists=None, pool_artists=None, scarcity=(), pools=(), exposure=8)
    asked = replace(asked, ratios=(0.5, 0.25, 0.25), replicates=1, features_from=identify(golden_model))
    return Study(asked, tmp_path / "study", progress=False)


@pytest.mark.slow
def test_a_recipe_is_trained_on_every_label_for_as_many_passes(study, tmp_path):
    about = take_home(study, tmp_path / "mine", "student")
    model, whole = load_model(tmp_path / "mine"), Everything(study.config, study.first.number, study.folder / "final", False)
    assert model.tags == study.first.corpus.tags and about["tracks"] == len(whole.groups["labelled"]) == 24
    assert set(whole.groups["labelled"]) > set(study.first.groups["labelled"])
    assert not set(whole.groups["pool"]) & set(whole.groups["labelled"])
    recipe = json.loads((study.folder / "final" / "student" / "config.json").read_text())["recipe"]
    ours = study.lineup["student"].recipe
    assert recipe["train"]["steps"] == round(ours.train.steps * 24 / len(study.first.groups["labelled"]))
    assert recipe["teacher"]["training_set"] == "labelled" and (study.folder / "final" / "teacher" / "metrics.json").exists()
    assert json.loads((tmp_path / "mine" / "model.json").read_text())["provenance"]["expected"] == about["expected"]


@pytest.mark.slow
def test_a_regression_becomes_the_last_layer_of_the_model_whose_features_it_was_given(study, golden_model, tmp_path):
    take_home(study, tmp_path / "mine", FEATURES)
    mine, given = load_model(tmp_path / "mine"), load_model(golden_model)
    corpus, ids = study.first.corpus, list(study.first.corpus.tracks.index[:3])
    assert np.allclose(track_features(mine, corpus, ids), track_features(given, corpus, ids), atol=1e-5)
    clips = corpus.clips(ids, [0.0] * 3, 1.0)
    with torch.inference_mode():
        ours, theirs = mine(clips), given(clips)
    assert ours.shape == (3, len(corpus.tags)) and theirs.shape[1] != ours.shape[1]


@pytest.mark.slow
def test_a_model_to_start_from_is_tried_with_its_head_alone_too(study):
    """The regression on its features is that of the same model given for its features."""
    given = study.asked.features_from
    tuned = Study(replace(study.asked, features_from=None, init_from=given), study.folder.with_name("tuned"), progress=False)
    (alone,), (asked,) = tuned.make(FEATURES), study.make(FEATURES)
    assert np.array_equal(alone.first.scores("test"), asked.first.scores("test"))


def test_what_no_study_has_is_refused(study, tmp_path):
    for name in ("nonsense", recipes.HAND_MADE):
        with pytest.raises(MttError, match=f"{name}: no model of this study"):
            take_home(study, tmp_path / "mine", name)


def test_the_best_is_chosen_on_validation_among_what_labels_and_pool_can_make():
    entries = lineup(replace(SMOKE, features_from=None))
    valid = dict.fromkeys(entries, 0.5) | {"student": 0.7, "oracle": 0.9, "leak-a": 0.95, "hand-made": 0.99, "teacher-9": 0.8}
    results = {
        name: SimpleNamespace(name=name, entry=entry, values=lambda metric, sets, value=valid[name]: np.array([value]))
        for name, entry in entries.items()
    }
    assert best(SimpleNamespace(results=results)).name == "student"
