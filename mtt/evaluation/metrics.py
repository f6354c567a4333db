"""ROC-AUC and PR-AUC of multi-label predictions, per tag and averaged over tags, and the calibration of probabilities.

Conventions: ``labels`` is (n_tracks, n_tags) of 0 and 1; ``scores`` has the same shape, finite, and a higher score means a likelier tag.
Only the order of scores within a tag matters, so logits and probabilities give the same result. Anything else is a ValueError. *ROC-AUC*
and *PR-AUC* (average precision, without interpolation) equal scikit-learn's ``roc_auc_score`` and ``average_precision_score``, tied scores
included. A tag without a positive or without a negative track is *undefined*: its metrics are NaN, and the *macro* average is over the
others. A whole-number weight stands for so many copies of a track. That is how the bootstrap resamples: each tag is sorted once, then
swept with the weights of many resamples side by side.
"""

import math
from concurrent.futures import ThreadPoolExecutor

import numba
import numpy as np
import pandas as pd

METRICS = ("roc_auc", "pr_auc")
BLOCK = 125  # weightings swept side by side: enough for vector instructions, few enough for the processor's cache
BINS = 10  # of probabilities, in ``calibration``


# error_model="numpy" because the check of Python's division for zero would keep the inner loops from being vectorised.
@numba.njit(nogil=True, error_model="numpy")
def _sweep(positive, cluster, ends, weights, roc, precision):
    """Lower the threshold through one tag's tracks, under every weighting at once.

    positive, cluster: (n_tracks,) in order of falling score; ends: where each run of tied scores ends; weights: (n_clusters, width); roc,
    precision: (width,), written. Sums of whole numbers are exact in float64, so no result depends on the order of tied tracks.
    """
    width = weights.shape[1]
    hits, misses = np.zeros(width), np.zeros(width)  # weight of the positives and negatives above the threshold
    tied_hits, tied_misses = np.zeros(width), np.zeros(width)
    area, gain = np.zeros(width), np.zeros(width)
    start = 0
    for end in ends:
        alone = cluster[start]
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
        elif positive[start]:  # alone, as most tracks are: several times faster
            for k in range(width):
                hits[k] += weights[alone, k]
                gain[k] += weights[alone, k] * hits[k] / max(hits[k] + misses[k], 1.0)
        else:
            for k in range(width):
                area[k] += weights[alone, k] * hits[k]
                misses[k] += weights[alone, k]
        start = end
    for k in range(width):
        defined = hits[k] > 0.0 and misses[k] > 0.0
        roc[k] = area[k] / (hits[k] * misses[k]) if defined else np.nan
        precision[k] = gain[k] / hits[k] if defined else np.nan


def reweighted(labels: np.ndarray, scores: np.ndarray, cluster: np.ndarray, weights: np.ndarray) -> dict[str, np.ndarray]:
    """Each of METRICS of every tag under several weightings of the tracks, (n_weightings, n_tags); NaN where a tag is undefined.

    ``cluster`` (n_tracks,) is a track's row (its artist, in the bootstrap) of ``weights`` (n_clusters, n_weightings), of whole numbers.
    """
    labels, scores = checked_labels(labels), np.asarray(scores, dtype=np.float64)
    if scores.shape != labels.shape or not np.isfinite(scores).all():
        raise ValueError(f"scores: expected finite numbers of the labels' shape {labels.shape}, got shape {scores.shape}")
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
    return dict(zip(METRICS, (roc.T, precision.T), strict=True))


def checked_labels(labels: np.ndarray) -> np.ndarray:
    """``labels`` as an array; ValueError unless it is (n_tracks, n_tags) of 0 and 1."""
    labels = np.asarray(labels)
    if labels.ndim != 2 or not labels.size or not ((labels == 0) | (labels == 1)).all():
        raise ValueError(f"labels: expected (n_tracks, n_tags) of 0 and 1, got {labels.dtype} of shape {labels.shape}")
    return labels


def tag_scores(labels: np.ndarray, scores: np.ndarray) -> pd.DataFrame:
    """One row per tag, by its column: ``roc_auc`` and ``pr_auc``, NaN where undefined, and ``positives`` (tracks)."""
    found = reweighted(labels, scores, np.arange(len(labels)), np.ones((len(labels), 1), np.uint8))
    table = pd.DataFrame({name: values[0] for name, values in found.items()})
    return table.assign(positives=np.asarray(labels).sum(axis=0, dtype=np.int64)).rename_axis("tag")


def roc_auc(labels: np.ndarray, scores: np.ndarray) -> np.ndarray:
    """ROC-AUC of each tag, (n_tags,); NaN where undefined."""
    return tag_scores(labels, scores)["roc_auc"].to_numpy()


def macro(labels: np.ndarray, scores: np.ndarray) -> dict:
    """``roc_auc`` and ``pr_auc`` averaged over the defined tags, each counting alike (NaN where none is), and the ``undefined`` columns."""
    table = tag_scores(labels, scores)
    means = {name: float(table[name].dropna().to_numpy().mean()) if table[name].notna().any() else math.nan for name in METRICS}
    return {**means, "undefined": table.index[table["roc_auc"].isna()].tolist()}


def calibration(labels: np.ndarray, probabilities: np.ndarray) -> pd.DataFrame:
    """How often a tag is present where a model gives it a certain probability (a reliability diagram's data).

    All (track, tag) pairs are pooled into BINS equal intervals of [0, 1], each holding its lower edge, the last also 1: ``lower``,
    ``upper`` (edges), ``probability`` (mean given), ``share`` (observed positives), ``count``; an empty bin has NaN.
    """
    labels, probabilities = checked_labels(labels), np.asarray(probabilities)
    if probabilities.shape != labels.shape or not ((probabilities >= 0) & (probabilities <= 1)).all():
        raise ValueError(f"probabilities: expected {labels.shape}, as the labels, from 0 to 1; pass logits through a sigmoid first")
    edges = np.linspace(0.0, 1.0, BINS + 1)
    which = np.clip(np.searchsorted(edges, probabilities.ravel(), side="right") - 1, 0, BINS - 1)
    count = np.bincount(which, minlength=BINS)
    filled = np.where(count > 0, count, np.nan)
    means = {name: np.bincount(which, of.ravel(), BINS) / filled for name, of in (("probability", probabilities), ("share", labels))}
    return pd.DataFrame({"lower": edges[:-1], "upper": edges[1:], **means, "count": count})


def expected_calibration_error(table: pd.DataFrame) -> float:
    """Mean distance of probability and share over the bins of a ``calibration`` table, by their count (Guo et al. 2017, equation 3)."""
    distance = (table["probability"] - table["share"]).abs().fillna(0.0)
    return float((distance * table["count"]).sum() / table["count"].sum())
