from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from mtt.config import SMOKE
from mtt.findings.pseudo_labels import PseudoLabels
from mtt.study import recipes
from mtt.study.workspace import Result


@pytest.fixture
def labels(tiny_corpus):
    """Observed labels lack the first tag of the first three training tracks that have it; the teacher knows."""
    truth, ids = tiny_corpus.labels, list(tiny_corpus.tracks.index)
    hidden = np.flatnonzero(truth[:16, 0])[:3]
    observed = truth.copy()
    observed[hidden, 0] = 0
    scores = np.where(truth == 1, 0.7, 0.1)
    scores[hidden, 0] = [0.9, 0.8, 0.05]  # the teacher finds two of three
    clips = scores[:, None] * np.array([[1.01], [1.0], [0.99]]) ** (scores > 0.5)[:, None]  # a track's score is the mean of its clips
    corpus = replace(tiny_corpus, labels=observed, truth=truth)
    return PseudoLabels(corpus, ids[16:24], clips[16:24], ids[:16], clips[:16]), [ids[row] for row in hidden]


def test_missing_labels_are_told_from_true_negatives(labels):
    missing, negatives = labels[0].missing_against_negatives()
    assert sorted(missing) == pytest.approx([0.05, 0.8, 0.9]) and negatives == pytest.approx(0.1)


def test_recovered_are_the_highest_missing_labels(labels):
    found, hidden = labels
    assert found.recovered(4).to_numpy().tolist() == [[hidden[0], found.corpus.tags[0], pytest.approx(0.9)]]  # one a tag


def test_quality_and_reliability_are_those_of_the_pool(labels):
    found, _ = labels
    table, quality = found.reliability(), found.quality()
    assert table["count"].sum() == len(found.pool_ids) * len(found.corpus.tags)
    assert table[["predicted", "observed"]].round(6).to_numpy().tolist() == [[0.1, 0.0], [0.7, 1.0]]
    assert (quality["tracks"], quality["roc_auc"], quality["missing"]) == (len(found.pool_ids), 1.0, 3)
    assert 0.1 < quality["calibration_error"] < 0.3  # 0.1 where it is never, 0.7 where it is always
    assert quality["separation"] == pytest.approx(2 / 3)  # two of three missing labels score above all true negatives


def test_without_a_known_truth_nothing_is_said_of_missing_labels(labels):
    found, _ = labels
    unknown = replace(found, corpus=replace(found.corpus, truth=None))
    assert found.knows_missing and not unknown.knows_missing
    assert {"missing", "separation"} == set(found.quality()) - set(unknown.quality())
    table = unknown.recovered(2)
    assert list(table["score"]) == pytest.approx([0.9, 0.1]) and table["tag"][0] == found.corpus.tags[0]  # of absent labels


@pytest.mark.parametrize(("case", "where"), [("hidden", "unlabelled"), ("unlabelled", "validation"), ("none", "validation")])
def test_pseudo_labels_are_checked_where_labels_are(tiny_corpus, case, where):
    ids = list(tiny_corpus.tracks.index)
    pool = {"hidden": ids[:4], "unlabelled": ids[24:], "none": []}[case]
    train, valid = ids[4:12], ids[12:16]
    data = SimpleNamespace(source=lambda recipe: tiny_corpus)
    groups = {"labelled": train, "pool": pool or train}
    replicate = SimpleNamespace(corpus=tiny_corpus, data=data, groups=groups, ids={"valid": valid}.get, prepare=lambda: None)
    cell = SimpleNamespace(pseudo_labels=lambda data, ids, source, seconds: np.full((len(ids), 2, 3), 0.5))
    found = PseudoLabels.of(replicate, Result(SimpleNamespace(recipe=recipes.supervised(SMOKE)), [cell]))
    assert found.where == where and found.pool_ids == (pool if where == "unlabelled" else valid)
    assert found.reliability()["count"].sum() == len(found.pool_ids) * 3 and found.train_scores.shape == (8, 2, 3)
