from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from mtt.study import pseudo_labels
from mtt.study.pseudo_labels import PseudoLabels


@pytest.fixture
def labels(tiny_corpus):
    """Observed labels lack the first tag of the first three training tracks that have it; the teacher knows."""
    truth = tiny_corpus.labels.copy()
    train = list(tiny_corpus.tracks.index[:20])
    hidden = np.flatnonzero(truth[:20, 0])[:3]
    observed = truth.copy()
    observed[hidden, 0] = 0
    corpus = replace(tiny_corpus, labels=observed, truth=truth)
    scores = np.where(truth == 1, 0.7, 0.1)
    scores[hidden, 0] = [0.9, 0.8, 0.05]  # the teacher finds two of three
    pool = list(corpus.tracks.index[24:])
    return PseudoLabels(corpus, pool, np.where(truth[24:] == 1, 0.7, 0.1), train, scores[:20]), [train[row] for row in hidden]


def test_missing_labels_are_told_from_true_negatives(labels):
    found, _ = labels
    missing, negatives = found.missing_against_negatives()
    assert sorted(missing) == [0.05, 0.8, 0.9]
    assert set(negatives) == {0.1}


def test_mask_quality_counts_what_is_really_missing(labels):
    found, _ = labels
    negatives = int((found.corpus.labels[:20, 0] == 0).sum())
    percentile = 100 * (1 - 2 / negatives)  # the two highest negatives of a tag
    table = found.mask_quality([percentile])
    assert table["recall"].iloc[0] == pytest.approx(2 / 3)
    assert table["precision"].iloc[0] == pytest.approx(1.0)


def test_recovered_are_the_highest_missing_labels(labels):
    found, hidden = labels
    tracks, tags, scores = found.recovered(4)
    assert tracks == hidden[:1] and tags == [found.corpus.tags[0]] and scores == [0.9]  # one a tag


def test_reliability_and_sentence_quote_the_pool(labels):
    found, _ = labels
    table = found.reliability()
    assert set(table.columns) >= {"predicted", "observed", "count"}
    assert table["count"].sum() == found.pool_scores.size
    assert f"On {len(found.pool_ids)} unlabelled tracks" in found.sentence() and "Of the 3 labels missing" in found.sentence()


def test_without_a_known_truth_nothing_is_said_of_missing_labels(labels):
    found, _ = labels
    unknown = replace(found, corpus=replace(found.corpus, truth=None), where="validation")
    assert found.knows_missing and not unknown.knows_missing
    assert f"On {len(found.pool_ids)} validation tracks" in unknown.sentence() and "their labels" in unknown.sentence()
    assert "missing" not in unknown.sentence()
    tracks, tags, scores = unknown.recovered(2)
    assert scores == [0.9, 0.1] and tags[0] == found.corpus.tags[0]  # the highest scores of absent labels


@pytest.mark.parametrize("case", ["hidden", "unlabelled", "none"])
def test_pseudo_labels_are_checked_where_labels_are(tiny_corpus, monkeypatch, case):
    ids = list(tiny_corpus.tracks.index)
    pool = {"hidden": ids[:4], "unlabelled": ids[24:], "none": []}[case]
    sets = {"unlabelled": pool, "train": ids[4:12], "valid": ids[12:16]}
    study = SimpleNamespace(corpus=tiny_corpus, data=None, ids=sets.get, config=SimpleNamespace(train=SimpleNamespace(clip_seconds=1.0)))
    monkeypatch.setattr(pseudo_labels, "teacher_scores", lambda folder, data, ids, seconds: np.full((len(ids), 2, 3), 0.5))
    found = PseudoLabels.of(study, SimpleNamespace(stages=[SimpleNamespace(folder=None)]))
    assert (found.pool_ids, found.where) == ((ids[:4], "unlabelled") if case == "hidden" else (ids[12:16], "validation"))
    assert len(found.reliability())
