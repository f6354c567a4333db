import numpy as np
import pytest

from mtt.evaluation import regression
from mtt.evaluation.metrics import macro
from mtt.evaluation.regression import PENALTIES, regress


@pytest.mark.parametrize("tags", [1, 3])
def test_validation_chooses_how_strongly_features_are_regularised(tags, monkeypatch):
    random = np.random.default_rng(0)
    features = random.standard_normal((140, 40))
    labels = (features[:, :tags] + 0.5 * random.standard_normal((140, tags)) > 0).astype(int)
    train, valid, test = slice(0, 40), slice(40, 90), slice(90, 140)
    given = features[train], labels[train], features[valid], labels[valid], features[test]
    chosen = regress(*given)
    assert [one.shape for one in chosen] == [(50, tags)] * 2
    assert macro(labels[test], chosen[1])["roc_auc"] > 0.6
    best = macro(labels[valid], chosen[0])["roc_auc"]
    for penalty in PENALTIES:
        monkeypatch.setattr(regression, "PENALTIES", (penalty,))
        assert macro(labels[valid], regress(*given)[0])["roc_auc"] <= best
