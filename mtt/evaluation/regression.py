"""Tags by logistic regression on features of tracks, made by hand or by a model that was trained elsewhere.

Conventions: features are (n_tracks, n), labels (n_tracks, n_tags) of 0 and 1. One L2-regularised regression per tag on standardised
features, scikit-learn's; how strongly it is regularised, validation chooses for all tags together.
"""

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.multiclass import OneVsRestClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from mtt.evaluation.metrics import macro

PENALTIES = (0.001, 0.01, 0.1, 1.0, 10.0)  # scikit-learn's C: the smaller, the stronger


def regress(train: np.ndarray, labels: np.ndarray, valid: np.ndarray, valid_labels: np.ndarray, test: np.ndarray) -> list[np.ndarray]:
    """Probabilities (n_tracks, n_tags) of the ``valid`` and the ``test`` tracks, by regressions on ``train``.

    Of PENALTIES, the one that scores best on ``valid`` is taken.
    """

    def scores(penalty: float) -> list[np.ndarray]:
        fitted = make_pipeline(StandardScaler(), OneVsRestClassifier(LogisticRegression(C=penalty, max_iter=1000))).fit(train, labels)
        # Of a single tag scikit-learn gives the probability of its absence too, first.
        return [fitted.predict_proba(features)[:, -labels.shape[1] :].astype(np.float32) for features in (valid, test)]

    return max(map(scores, PENALTIES), key=lambda found: macro(valid_labels, found[0])["roc_auc"])
