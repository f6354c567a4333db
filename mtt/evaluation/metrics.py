"""ROC-AUC and PR-AUC of multi-label predictions, per tag and averaged over tags, and the calibration of probabilities.

Conventions
-----------
- ``labels`` is (n_tracks, n_tags) of 0 and 1; ``scores`` has the same shape, finite, and a higher score means a
  likelier tag. Only the order of scores within a tag matters, so logits and probabilities give the same result.
- *ROC-AUC* is the probability that a random positive track scores above a random negative one, ties counting one
  half. *PR-AUC* is the average precision, the sum over thresholds of (recall gained) x (precision), without
  interpolation. Both equal scikit-learn's ``roc_auc_score`` and ``average_precision_score``, tied scores included.
- A tag without a positive or without a negative track has no ranking to judge: it is *undefined*. Its two metrics are
  NaN, the *macro* average is over the other tags, and the undefined ones are named beside it.
- A whole-number weight stands for so many copies of a track. That is how the bootstrap resamples: each tag is sorted
  once, then swept with the weights of many resamples side by side.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import numba
import numpy as np
import pandas as pd

METRICS = ("roc_auc", "pr_auc")
BLOCK = 125  # weightings swept side by side: enough for vector instructions, few enough for the processor's cache


# --- The sweep ---


# error_model="numpy" because the check of Python's division for zero would keep the inner loops from being vectorised.
@numba.njit(nogil=True, error_model="numpy")
def _sweep(positive, cluster, ends, weights, roc, precision):
    """Lower the threshold through one tag's tracks, under every weighting at once.

    positive, cluster: (n_tracks,) in order of falling score; ends: where each run of tied scores ends; weights:
    (n_clusters, width); roc, precision: (width,), written. Sums of whole numbers are exact in float64, so no result
    depends on the order of tied tracks.
    """
    width = weights.shape[1]
    hits, misses = np.zeros(width), np.zeros(width)  # weight of the positives and negatives above the threshold
    tied_hits, tied_misses = np.zeros(width), np.zeros(width)
    area, gain = np.zeros(width), np.zeros(width)
    start = 0
    for end in ends:
        if end - start > 1:  # tied tracks pass the threshold together
            tied_hits[:] = 0.0
            tied_misses[:] = 0.0
            for i in range(start, end):
                tied = tied_hits if positive[i] else tied_misses
                for k in range(width):
                    tied[k] += weights[cluster[i], k]
            for k in range(width):
                area[k] += tied_misses[k] * (hits[k] + 0.5 * tied_hits[k])
                hits[k] += tied_hits[k]
                misses[k] += tied_misses[k]
                gain[k] += tied_hits[k] * hits[k] / max(hits[k] + misses[k], 1.0)
        else:
            c = cluster[start]
            if positive[start]:
                for k in range(width):
                    hits[k] += weights[c, k]
                    gain[k] += weights[c, k] * hits[k] / max(hits[k] + misses[k], 1.0)
            else:
                for k in range(width):
                    area[k] += weights[c, k] * hits[k]
                    misses[k] += weights[c, k]
        start = end
    for k in range(width):
        defined = hits[k] > 0.0 and misses[k] > 0.0
        roc[k] = area[k] / (hits[k] * misses[k]) if defined else np.nan
        precision[k] = gain[k] / hits[k] if defined else np.nan


def reweighted(labels: np.ndarray, scores: np.ndarray, cluster: np.ndarray, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """ROC-AUC and PR-AUC of every tag under several weightings of the tracks.

    Parameters
    ----------
    labels, scores : (n_tracks, n_tags), already validated
    cluster : (n_tracks,) of int, the row of ``weights`` that holds a track's weights (its artist, in the bootstrap)
    weights : (n_clusters, n_weightings) of whole numbers

    Returns
    -------
    roc_auc, pr_auc : (n_weightings, n_tags); NaN where the weighted tracks hold no positive or no negative. A tag is
        computed by one thread, so the number of threads does not change a bit of the result.
    """
    smallest = np.min_scalar_type(weights.max(initial=0))  # bytes, as a rule: the sweep is bound by memory
    blocks = [
        (slice(begin, begin + BLOCK), np.ascontiguousarray(weights[:, begin : begin + BLOCK], dtype=smallest))
        for begin in range(0, weights.shape[1], BLOCK)
    ]
    roc, precision = np.empty((2, labels.shape[1], weights.shape[1]))

    def sweep_tag(tag: int) -> None:
        order = np.argsort(-scores[:, tag], kind="stable")
        ranked = scores[order, tag]
        ends = np.append(np.flatnonzero(ranked[1:] != ranked[:-1]) + 1, ranked.size)
        positive, owner = labels[order, tag] == 1, cluster[order]
        for columns, block in blocks:
            _sweep(positive, owner, ends, block, roc[tag, columns], precision[tag, columns])

    with ThreadPoolExecutor(numba.config.NUMBA_NUM_THREADS) as threads:
        list(threads.map(sweep_tag, range(labels.shape[1])))
    return roc.T, precision.T


# --- Checks ---


def validate_labels(labels: np.ndarray) -> np.ndarray:
    """``labels`` as an array, or a ValueError that names what is wrong: shape, or a value that is neither 0 nor 1."""
    labels = np.asarray(labels)
    if labels.ndim != 2 or 0 in labels.shape:
        raise ValueError(f"labels have shape {labels.shape}; give (n_tracks, n_tags), neither empty")
    wrong = np.argwhere((labels != 0) & (labels != 1))
    if wrong.size:
        row, column = wrong[0]
        raise ValueError(f"labels hold {labels[row, column]} at row {row}, column {column}; only 0 and 1 are labels")
    return labels


def validate_scores(scores: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """``scores`` as an array of floats, or a ValueError that names what is wrong: its shape, a NaN or an infinity."""
    scores = np.asarray(scores)
    if scores.shape != shape:
        raise ValueError(f"scores have shape {scores.shape}, labels {shape}; give one score for each track and tag")
    if scores.dtype.kind != "f":
        scores = scores.astype(np.float64)
    wrong = np.argwhere(~np.isfinite(scores))
    if wrong.size:
        row, column = wrong[0]
        raise ValueError(f"scores hold {scores[row, column]} at row {row}, column {column}; scores must be finite")
    return scores


def _validate_weights(weights: np.ndarray | None, n_tracks: int) -> np.ndarray:
    if weights is None:
        return np.ones(n_tracks, np.uint8)
    weights = np.asarray(weights)
    if weights.shape != (n_tracks,) or weights.dtype.kind not in "iu" or weights.min() < 0:
        raise ValueError(f"weights are {weights.dtype} of shape {weights.shape}; give {n_tracks} whole numbers of at least 0")
    return weights


# --- Metrics ---


def _both(labels: np.ndarray, scores: np.ndarray, weights: np.ndarray | None = None) -> tuple[np.ndarray, np.ndarray]:
    """ROC-AUC and PR-AUC of each tag, both (n_tags,): every track is its own cluster, under a single weighting."""
    labels = validate_labels(labels)
    scores = validate_scores(scores, labels.shape)
    weights = _validate_weights(weights, len(labels))
    roc, precision = reweighted(labels, scores, np.arange(len(labels)), weights[:, np.newaxis])
    return roc[0], precision[0]


def roc_auc(labels: np.ndarray, scores: np.ndarray, weights: np.ndarray | None = None) -> np.ndarray:
    """Area under the ROC curve of each tag.

    Parameters
    ----------
    labels, scores : (n_tracks, n_tags)
    weights : (n_tracks,) of whole numbers, optional

    Returns
    -------
    (n_tags,), NaN for a tag without positives or without negatives

    Raises
    ------
    ValueError : shapes that differ, labels other than 0 and 1, scores that are not finite, weights that are negative
        or not whole
    """
    return _both(labels, scores, weights)[0]


def average_precision(labels: np.ndarray, scores: np.ndarray, weights: np.ndarray | None = None) -> np.ndarray:
    """Average precision of each tag, (n_tags,); arguments, NaN and errors as in :func:`roc_auc`."""
    return _both(labels, scores, weights)[1]


def tag_scores(labels: np.ndarray, scores: np.ndarray, tags: Sequence[str]) -> pd.DataFrame:
    """One row per tag, in the order of ``tags``.

    Returns
    -------
    DataFrame indexed by ``tag``: ``roc_auc``, ``pr_auc``, ``positives`` (tracks), ``prevalence`` (share of tracks;
        the PR-AUC of a random ranking) and ``undefined`` (True where the tag lacks positives or negatives and its
        metrics are NaN)
    """
    roc, precision = _both(labels, scores)
    positives = np.asarray(labels).sum(axis=0, dtype=np.int64)
    validate_tags(tags, positives.size)
    columns = {
        "roc_auc": roc,
        "pr_auc": precision,
        "positives": positives,
        "prevalence": positives / len(labels),
        "undefined": np.isnan(roc),
    }
    return pd.DataFrame(columns, index=pd.Index(list(tags), name="tag"))


def macro(labels: np.ndarray, scores: np.ndarray, tags: Sequence[str] | None = None) -> dict:
    """Metrics averaged over the defined tags, each tag counting alike.

    Returns
    -------
    dict of ``roc_auc``, ``pr_auc`` (floats; NaN when no tag is defined) and ``undefined`` (the tags left out: names
        if ``tags`` is given, else column numbers)
    """
    roc, precision = _both(labels, scores)
    names = range(roc.size) if tags is None else tags
    validate_tags(names, roc.size)
    defined = ~np.isnan(roc)
    return {
        "roc_auc": float(roc[defined].mean()) if defined.any() else float("nan"),
        "pr_auc": float(precision[defined].mean()) if defined.any() else float("nan"),
        "undefined": [name for name, kept in zip(names, defined, strict=True) if not kept],
    }


def validate_tags(tags: Sequence, n_tags: int) -> None:
    """ValueError unless ``tags`` names each of the ``n_tags`` columns."""
    if len(tags) != n_tags:
        raise ValueError(f"{len(tags)} tags are named but labels have {n_tags} columns; name each column once")


# --- Calibration ---


def calibration(labels: np.ndarray, probabilities: np.ndarray, bins: int = 10) -> pd.DataFrame:
    """How often a tag is present where a model gives it a certain probability (a reliability diagram's data).

    All (track, tag) pairs are pooled into ``bins`` equal intervals of [0, 1], each holding its lower edge, the last
    also 1. Meant for pseudo-labels, whose value as training targets depends on their being probabilities and not only
    a ranking.

    Parameters
    ----------
    labels, probabilities : (n_tracks, n_tags)

    Returns
    -------
    DataFrame of ``lower``, ``upper`` (edges), ``probability`` (mean given), ``share`` (observed positives),
        ``count``; an empty bin has NaN

    Raises
    ------
    ValueError : as :func:`roc_auc`, and for probabilities outside [0, 1] or fewer than one bin
    """
    labels = validate_labels(labels)
    probabilities = validate_scores(probabilities, labels.shape)
    if bins < 1:
        raise ValueError(f"bins is {bins}; at least one is needed")
    if probabilities.min() < 0 or probabilities.max() > 1:
        span = f"{probabilities.min():.4g} to {probabilities.max():.4g}"
        raise ValueError(f"probabilities range from {span}; pass logits through a sigmoid first")
    edges = np.linspace(0.0, 1.0, bins + 1)
    which = np.clip(np.searchsorted(edges, probabilities.ravel(), side="right") - 1, 0, bins - 1)
    count = np.bincount(which, minlength=bins)
    filled = np.where(count > 0, count, np.nan)
    return pd.DataFrame(
        {
            "lower": edges[:-1],
            "upper": edges[1:],
            "probability": np.bincount(which, probabilities.ravel(), minlength=bins) / filled,
            "share": np.bincount(which, labels.ravel(), minlength=bins) / filled,
            "count": count,
        }
    )


def expected_calibration_error(table: pd.DataFrame) -> float:
    """Mean distance between given probability and observed share, over the bins of a :func:`calibration` table.

    Bins weigh by their count (Guo et al. 2017, "On calibration of modern neural networks", equation 3).
    """
    distance = (table["probability"] - table["share"]).abs().fillna(0.0)
    return float((distance * table["count"]).sum() / table["count"].sum())
