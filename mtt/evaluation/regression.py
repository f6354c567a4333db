"""Tags by logistic regression on features of tracks, made by hand or by a model that was trained elsewhere.

Conventions: features are (n_tracks, n), labels (n_tracks, n_tags) of 0 and 1. One L2-regularised regression per tag on standardised
features, scikit-learn's; how strongly it is regularised, validation chooses for all tags together.
"""

from dataclasses import dataclass

import lazy_loader
import numpy as np
import scipy

from mtt.evaluation.metrics import macro

sklearn = lazy_loader.load("sklearn")  # takes most of a second, of every process that trains
PENALTIES = (0.001, 0.01, 0.1, 1.0, 10.0)  # scikit-learn's C: the smaller, the stronger
CERTAIN = 6.0  # logit of a tag that all tracks have, or none


@dataclass(frozen=True)
class Linear:
    """``weights`` (n_tags, n) and ``biases`` (n_tags,) of logits; ``penalty``, how it was regularised."""

    weights: np.ndarray
    biases: np.ndarray
    penalty: float

    def probabilities(self, features: np.ndarray) -> np.ndarray:
        """(n_tracks, n_tags) float32."""
        return scipy.special.expit(features @ self.weights.T + self.biases).astype(np.float32)


def fit_linear(features: np.ndarray, labels: np.ndarray, penalty: float) -> Linear:
    """The regression of each tag, for features as they are: what they are standardised by is in its numbers."""
    scaler = sklearn.preprocessing.StandardScaler().fit(features)
    scaled, weights = scaler.transform(features), np.zeros((labels.shape[1], features.shape[1]))
    biases = np.where(labels.all(axis=0), CERTAIN, -CERTAIN)
    for tag in np.flatnonzero(labels.any(axis=0) & ~labels.all(axis=0)):
        fitted = sklearn.linear_model.LogisticRegression(C=penalty, max_iter=1000).fit(scaled, labels[:, tag])
        weights[tag] = fitted.coef_[0] / scaler.scale_
        biases[tag] = fitted.intercept_[0] - weights[tag] @ scaler.mean_
    return Linear(weights, biases, penalty)


def choose_linear(train: np.ndarray, labels: np.ndarray, valid: np.ndarray, valid_labels: np.ndarray) -> Linear:
    """The regression on ``train`` with that of PENALTIES that scores best on ``valid``."""
    found = [fit_linear(train, labels, penalty) for penalty in PENALTIES]
    return max(found, key=lambda one: macro(valid_labels, one.probabilities(valid))["roc_auc"])
