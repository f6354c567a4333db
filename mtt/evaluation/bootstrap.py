"""Intervals and paired differences from an artist-clustered bootstrap.

Conventions
-----------
- A *resample* draws as many artists as there are, with replacement, and takes all tracks of each: tracks of one
  artist sound alike, so they are not independent observations and resampling single tracks would give intervals that
  are too narrow (Davison and Hinkley 1997, section 3.8).
- Every model is scored on the *same* resamples, so a difference between two is *paired*: what makes a resample easy
  or hard for both cancels.
- A resample's macro metric is over the tags that have positives and negatives in it. That depends on its tracks
  alone, so both sides of a difference always leave out the same tags. A resample in which no tag has both is drawn
  again.
- Scores may come from several training seeds, (n_seeds, n_tracks, n_tags): the metric is then the mean over seeds
  within each resample. The interval speaks of the choice of test artists; it does not widen for the choice of
  training seeds.
- Intervals are percentile intervals, 95% unless said otherwise; an effect is the value on the whole test set, not the
  mean over resamples. In simulations with 20 to 100 artists the 95% interval covered the truth in 92 to 94%.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from statistics import NormalDist

import numpy as np
import pandas as pd

from mtt.data.corpus import artist_keys
from mtt.evaluation.metrics import METRICS, reweighted, validate_labels, validate_scores, validate_tags

LEVEL = 0.95
REDRAWS = 1000  # attempts to replace a resample without any defined tag


@dataclass(frozen=True)
class Estimate:
    """A metric's value on the whole test set and the borders of its interval."""

    value: float
    lo: float
    hi: float


@dataclass(frozen=True)
class Difference:
    """An effect (a difference, a change per iteration, a difference of slopes) and the borders of its interval.

    ``values`` holds the effect in each resample; ``standard_error`` is their standard deviation. ``by_seed`` holds the effect of each
    training seed on the whole test set, where all models come from the same number of several seeds; it is empty otherwise.
    """

    effect: float
    lo: float
    hi: float
    standard_error: float
    metric: str
    values: np.ndarray = field(repr=False, compare=False)
    by_seed: tuple[float, ...] = ()

    @property
    def half_width(self) -> float:
        return (self.hi - self.lo) / 2


class Bootstrap:
    """The resamples of one test set, drawn once and used for every model.

    Parameters
    ----------
    labels : (n_tracks, n_tags) of 0 and 1
    artists : (n_tracks,) the artist of each track (names or numbers; none missing)
    resamples : number of resamples
    seed : of the draws; they depend on it and on the sorted artists, not on the order of the tracks

    Raises
    ------
    ValueError : labels that are not 0 or 1, artists that are missing or of another number than the tracks, fewer than
        two artists, or no tag that has both positives and negatives
    """

    def __init__(self, labels: np.ndarray, artists: Sequence, resamples: int = 1000, seed: int = 0):
        self.labels = validate_labels(labels)
        artists = np.asarray(artists)
        if artists.shape != (len(self.labels),):
            raise ValueError(f"artists have shape {artists.shape}, labels {len(self.labels)} rows; give one artist for each track")
        missing = np.flatnonzero(pd.isna(artists))
        if missing.size:
            raise ValueError(f"row {missing[0]} has no artist; give a track of unknown artist an artist of its own")
        if resamples < 2:
            raise ValueError(f"resamples is {resamples}; at least 2 are needed, and some 1000 for a 95% interval")
        names, self.cluster = np.unique(artists if artists.dtype.kind in "iu" else artist_keys(artists), return_inverse=True)
        if names.size < 2:
            raise ValueError(f"all tracks are by artist {str(names[0])!r}; resampling artists needs at least two")
        self.n_tracks, self.n_artists, self.resamples = len(self.labels), names.size, resamples
        self._tracks = np.bincount(self.cluster)  # (n_artists,)
        self._positives = np.stack([np.bincount(self.cluster, tag) for tag in self.labels.T], axis=1)
        # (n_artists, resamples): how often each artist was drawn
        self.weights = self._draw(np.random.default_rng(seed))

    def _draw(self, generator: np.random.Generator) -> np.ndarray:
        ones = np.ones(self.n_artists, np.int64)
        if not self._defined(ones[np.newaxis]).any():
            raise ValueError("no tag has both positive and negative tracks; nothing can be scored on this test set")
        weights = np.zeros((self.resamples, self.n_artists), np.int64)
        pending = np.arange(self.resamples)
        for _ in range(REDRAWS):
            picks = generator.integers(self.n_artists, size=(pending.size, self.n_artists))
            picks += self.n_artists * np.arange(pending.size)[:, np.newaxis]
            weights[pending] = np.bincount(picks.ravel(), minlength=picks.size).reshape(picks.shape)
            pending = pending[~self._defined(weights[pending]).any(axis=1)]
            if not pending.size:
                return np.ascontiguousarray(weights.T, dtype=np.min_scalar_type(weights.max()))
        raise ValueError(f"{self.n_artists} artists are too few: resamples of them hold no tag with both positives and negatives")

    def _defined(self, weights: np.ndarray) -> np.ndarray:
        """Whether a tag has positives and negatives, (n_weightings, n_tags); weights are (n_weightings, n_artists)."""
        drawn = weights.astype(np.float64)
        hits, tracks = drawn @ self._positives, drawn @ self._tracks
        return (hits > 0) & (hits < tracks[:, np.newaxis])

    def _metrics(self, scores: np.ndarray, metric: str, weights: np.ndarray) -> np.ndarray:
        """Metric of each tag under each weighting, mean over seeds: (n_weightings, n_tags)."""
        if metric not in METRICS:
            raise ValueError(f"metric {metric!r} is unknown; choose one of {', '.join(METRICS)}")
        scores = np.asarray(scores)
        seeds = scores if scores.ndim == 3 else scores[np.newaxis]
        if not len(seeds):
            raise ValueError(f"scores have shape {scores.shape}: no seed at all; give at least one")
        checked = [validate_scores(one, self.labels.shape) for one in seeds]
        which = METRICS.index(metric)
        return sum(reweighted(self.labels, one, self.cluster, weights)[which] for one in checked) / len(checked)

    def per_tag(self, scores: np.ndarray, metric: str = "roc_auc") -> np.ndarray:
        """Metric of each tag in each resample, (resamples, n_tags); NaN where a resample leaves the tag undefined.

        ``scores`` is (n_tracks, n_tags) or (n_seeds, n_tracks, n_tags); ``metric`` is ``"roc_auc"`` or ``"pr_auc"``.
        """
        return self._metrics(scores, metric, self.weights)

    def distribution(self, scores: np.ndarray, metric: str = "roc_auc") -> np.ndarray:
        """Macro metric in each resample, (resamples,), mean over seeds; arguments as in :meth:`per_tag`."""
        return np.nanmean(self.per_tag(scores, metric), axis=1)

    def tag_values(self, scores: np.ndarray, metric: str = "roc_auc") -> np.ndarray:
        """Metric of each tag on the whole test set, (n_tags,), mean over seeds; NaN for an undefined tag."""
        return self._metrics(scores, metric, np.ones((self.n_artists, 1), np.uint8))[0]

    def value(self, scores: np.ndarray, metric: str = "roc_auc") -> float:
        """Macro metric on the whole test set, mean over seeds."""
        return float(np.nanmean(self.tag_values(scores, metric)))


def interval(values: np.ndarray, level: float = LEVEL) -> tuple[float, float]:
    """Percentile interval: the central ``level`` of the resampled ``values`` (resamples,); ValueError if one is NaN."""
    values = np.asarray(values, dtype=np.float64)
    if values.ndim != 1 or values.size < 2 or not np.isfinite(values).all():
        raise ValueError(f"values have shape {values.shape}, {np.isnan(values).sum()} are NaN; give a row of two or more finite ones")
    if not 0 < level < 1:
        raise ValueError(f"level is {level}; give a share between 0 and 1, such as 0.95")
    lo, hi = np.quantile(values, [(1 - level) / 2, (1 + level) / 2])
    return float(lo), float(hi)


def estimate(boot: Bootstrap, scores: np.ndarray, metric: str = "roc_auc") -> Estimate:
    """A model's macro metric with its interval."""
    return Estimate(boot.value(scores, metric), *interval(boot.distribution(scores, metric)))


def tag_intervals(boot: Bootstrap, scores: np.ndarray, tags: Sequence[str], metric: str = "roc_auc") -> pd.DataFrame:
    """Each tag's ``value``, ``lo``, ``hi`` (NaN if undefined) and ``resamples`` (those that define it), by ``tag``."""
    validate_tags(tags, boot.labels.shape[1])
    rows = []
    for point, values in zip(boot.tag_values(scores, metric), boot.per_tag(scores, metric).T, strict=True):
        kept = values[np.isfinite(values)]
        rows.append((point, *(interval(kept) if kept.size > 1 else (math.nan, math.nan)), kept.size))
    return pd.DataFrame(rows, columns=["value", "lo", "hi", "resamples"], index=pd.Index(list(tags), name="tag"))


# --- Paired effects ---


def paired_contrast(boot: Bootstrap, scores: Sequence[np.ndarray], weights: Sequence[float], metric: str = "roc_auc") -> Difference:
    """The weighted sum of several models' macro metrics on the same resamples.

    Weights (1, -1) give the difference of two models; (-1, 0, 1) / 2 the mean change per iteration over two
    iterations; (1, -1/3, -1/3, -1/3) one model against the mean of three. Each entry of ``scores`` is (n_tracks,
    n_tags) or (n_seeds, n_tracks, n_tags), and their numbers of seeds may differ.
    """
    if len(scores) != len(weights) or len(scores) < 2:
        raise ValueError(f"{len(scores)} score arrays and {len(weights)} weights; give at least two models and one weight for each")
    effect = sum(weight * boot.value(one, metric) for one, weight in zip(scores, weights, strict=True))
    values = sum(weight * boot.distribution(one, metric) for one, weight in zip(scores, weights, strict=True))
    by_seed = _contrast_by_seed(boot, scores, weights, metric)
    return Difference(float(effect), *interval(values), float(np.std(values, ddof=1)), metric, values, by_seed)


def _contrast_by_seed(boot: Bootstrap, scores: Sequence[np.ndarray], weights: Sequence[float], metric: str) -> tuple[float, ...]:
    """The contrast on the whole test set for each seed, where all models have as many and more than one."""
    counts = {len(one) if np.ndim(one) == 3 else 1 for one in scores}
    count = counts.pop()
    if counts or count == 1:
        return ()
    return tuple(sum(weight * boot.value(one[seed], metric) for one, weight in zip(scores, weights, strict=True)) for seed in range(count))


def paired_difference(boot: Bootstrap, scores_a: np.ndarray, scores_b: np.ndarray, metric: str = "roc_auc") -> Difference:
    """Macro metric of model a minus that of model b, on the same resamples; identical scores give exactly (0, 0, 0)."""
    return paired_contrast(boot, (scores_a, scores_b), (1.0, -1.0), metric)


def paired_slope_difference(
    boot: Bootstrap,
    seconds: Sequence[float],
    scores_a: Sequence[np.ndarray],
    scores_b: Sequence[np.ndarray],
    metric: str = "roc_auc",
) -> Difference:
    """Slope of model a minus slope of model b, in metric per doubling of the input length.

    A slope is that of the least-squares line of the macro metric over log2(``seconds``), which is a weighted sum of
    the metrics and so a contrast. ``scores_a[i]`` and ``scores_b[i]`` are the models' scores at input length
    ``seconds[i]``.
    """
    if not len(seconds) == len(scores_a) == len(scores_b):
        raise ValueError(f"{len(seconds)} lengths, {len(scores_a)} and {len(scores_b)} score arrays; give one per model and length")
    if len(set(seconds)) < 2 or min(seconds) <= 0:
        listed = ", ".join(f"{length:g}" for length in seconds)
        raise ValueError(f"input lengths of {listed} s give no slope; give at least two different ones above 0")
    doublings = np.log2(np.asarray(seconds, dtype=np.float64))
    centred = doublings - doublings.mean()
    slope = centred / (centred @ centred)
    return paired_contrast(boot, [*scores_a, *scores_b], [*slope, *-slope], metric)


# --- Power ---


@dataclass(frozen=True)
class Power:
    """What a test set of ``artists`` artists could show, predicted from a pilot (see :func:`design_power`)."""

    artists: int
    half_width: float
    standard_error: float
    detectable: float
    power: float


def expected_half_width(difference: Difference, n_artists_now: int, n_artists_then: int) -> float:
    """Half-width of the 95% interval with ``n_artists_then`` artists: it shrinks with the root of their number."""
    if n_artists_now < 1 or n_artists_then < 1:
        raise ValueError(f"artists now {n_artists_now}, then {n_artists_then}; both must be at least 1")
    return difference.half_width * math.sqrt(n_artists_now / n_artists_then)


def design_power(difference: Difference, n_artists_now: int, n_artists_then: int, margin: float = 0.0, target: float = 0.8) -> Power:
    """What a test set would show, predicted from a paired difference on the validation set.

    With s the difference's standard error on ``n_artists_now`` artists and s' = s sqrt(now / then):

    - ``half_width`` = (hi - lo) / 2 * sqrt(now / then), of the 95% interval;
    - ``detectable`` = (z(0.975) + z(target)) s', the distance between true effect and margin at which the interval lies
      above the margin with probability ``target``, under a normal approximation;
    - ``power`` = Phi((effect - margin) / s' - z(0.975)), that probability if the true effect is the one observed.

    Both sets must be alike in all but size: tags, tracks per artist, models.
    """
    if not 0 < target < 1:
        raise ValueError(f"target power is {target}; give a probability between 0 and 1, such as 0.8")
    half_width = expected_half_width(difference, n_artists_now, n_artists_then)
    error = difference.standard_error * math.sqrt(n_artists_now / n_artists_then)
    normal, border = NormalDist(), NormalDist().inv_cdf((1 + LEVEL) / 2)
    distance = difference.effect - margin
    power = normal.cdf(distance / error - border) if error > 0 else float(distance > 0)
    return Power(n_artists_then, half_width, error, (border + normal.inv_cdf(target)) * error, power)
