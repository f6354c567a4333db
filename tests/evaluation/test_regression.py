import numpy as np
import pytest

from mtt.evaluation import regression
from mtt.evaluation.metrics import macro
from mtt.evaluation.regression import PENALTIES, choose_linear, fit_linear


@pytest.mark.parametrize("tags", [1, 3])
def test_validation_chooses_how_strongly_features_are_regularised(tags, monkeypatch):
    random = np.random.default_rng(0)
    features = 5.0 + 3.0 * random.standard_normal((140, 40))
    labels = (features[:, :tags] - 5.0 + random.standard_normal((140, tags)) > 0).astype(int)
    train, valid, test = slice(0, 40), slice(40, 90), slice(90, 140)
    given = features[train], labels[train], features[valid], labels[valid]
    chosen = choose_linear(*given)
    assert macro(labels[test], chosen.probabilities(features[test]))["roc_auc"] > 0.6
    best = macro(labels[valid], chosen.probabilities(features[valid]))["roc_auc"]
    for penalty in PENALTIES:
        monkeypatch.setattr(regression, "PENALTIES", (penalty,))
        assert macro(labels[valid], choose_linear(*given).probabilities(features[valid]))["roc_auc"] <= best


def test_a_tag_that_all_tracks_have_or_none_is_certain():
    features = np.random.default_rng(0).standard_normal((20, 4))
    labels = np.stack([np.ones(20), np.zeros(20), features[:, 0] > 0], axis=1).astype(int)
    found = fit_linear(features, labels, 1.0).probabilities(features)
    assert (found[:, 0] > 0.99).all() and (found[:, 1] < 0.01).all() and 0.2 < found[:, 2].mean() < 0.8
