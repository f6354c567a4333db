import json

import numpy as np
import pandas as pd
import pytest

from mtt.collections.load import load_corpus
from mtt.files import MttError
from mtt.models import load_model
from mtt.study import distill as module
from mtt.study.distill import agreement, distill, held_out_sets
from tests.tiny import write_collection


@pytest.fixture
def quick(monkeypatch, tmp_path):
    monkeypatch.setenv("MTT_HOME", str(tmp_path / "home"))
    monkeypatch.setattr(module, "PASSES", 1)
    monkeypatch.setattr(module, "EVALUATIONS", 3)


def test_held_out_artists_are_heard_by_nobody_in_training(tiny_corpus):
    sets = held_out_sets(tiny_corpus)
    assert sorted(sum(sets.values(), [])) == sorted(tiny_corpus.tracks.index)
    artists = {name: set(tiny_corpus.artists[ids]) for name, ids in sets.items()}
    assert len(artists["valid"]) == len(artists["test"]) == 1
    assert not artists["train"] & (artists["valid"] | artists["test"]) and not artists["valid"] & artists["test"]


def test_two_artists_are_too_few(tmp_path):
    corpus = load_corpus(write_collection(tmp_path, n_artists=2), cache=tmp_path / "cache", progress=False)
    with pytest.raises(MttError, match="2 artists; distilling needs three"):
        held_out_sets(corpus)


def test_agreement_is_one_with_oneself_and_none_with_a_constant():
    teacher = np.random.default_rng(0).random((50, 3))
    same = agreement(teacher, teacher, ["a", "b", "c"])
    assert same[["correlation", "logit_correlation"]].to_numpy() == pytest.approx(1.0) and (same["difference"] == 0).all()
    assert (agreement(np.full((50, 3), 0.5), teacher)["correlation"] == 0).all()
    moved = agreement(np.clip(teacher + 0.1, 0, 1), teacher)["difference"]
    assert (moved < 0.11).all() and (moved > 0.08).all()


@pytest.mark.slow
def test_a_student_has_the_teachers_tags_and_goes_on_where_it_was_stopped(
    golden_model, tiny_table, tmp_path, quick, killed_once, monkeypatch
):
    with pytest.raises(KeyboardInterrupt):
        distill(tiny_table, golden_model, tmp_path / "mine", minutes=1, progress=False)
    assert not (tmp_path / "mine").exists()
    killed_once()
    found = distill(tiny_table, golden_model, tmp_path / "mine", minutes=1, progress=False)
    student, teacher = load_model(tmp_path / "mine"), load_model(golden_model)
    assert student.tags == teacher.tags == list(found.agreement.index)
    assert sum(one.numel() for one in student.parameters()) < 300_000
    about = json.loads((tmp_path / "mine" / "model.json").read_text())["provenance"]
    assert about["collection"]["tracks"] == found.tracks and about["agreement"]["correlation"] == pytest.approx(
        found.agreement["correlation"].mean(), abs=1e-4
    )
    monkeypatch.setenv("MTT_HOME", str(tmp_path / "another home"))
    whole = distill(tiny_table, golden_model, tmp_path / "whole", minutes=1, progress=False)
    pd.testing.assert_frame_equal(whole.agreement, found.agreement)


def test_labels_are_used_where_the_collection_knows_the_teachers_tags(tiny_corpus):
    ids = list(tiny_corpus.tracks.index)
    truth = tiny_corpus.labels[:, tiny_corpus.tags.index("low")].astype(float)
    scores = np.stack([truth, 1 - truth], axis=1)
    table = module._against_labels(tiny_corpus, ids, ["Low", "unknown"], scores, scores[:, ::-1])
    labelled = tiny_corpus.is_labelled.to_numpy()
    assert list(table.index) == ["Low"] and table.at["Low", "positives"] == truth[labelled].sum()
    assert (table.at["Low", "student"], table.at["Low", "teacher"]) == (1.0, 0.0)
