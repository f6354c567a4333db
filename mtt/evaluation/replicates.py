"""Effects over replicates: intervals, comparisons of several, ratios, power, and where an effect's variance comes from.

Conventions: a *replicate* is one corpus, its split and one training of every model; an *effect* (a difference of macro ROC-AUC, say) has
one value in each. Intervals are two-sided, of 95%, from Student's t, whose simulated coverage the tests hold to that: they take the values
as drawn from a normal distribution. One replicate says nothing about others: its interval is (-inf, inf), its ``sd`` NaN. Values that are
missing or not finite are a ValueError. Variances are those of a sample, with n - 1 below.
"""

import math
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import scipy

from mtt.evaluation.metrics import macro
from mtt.files import MttError

ALPHA = 0.05  # an interval misses the truth this often; tests are two-sided at this level
POWER = 0.8  # how often an effect is to be seen
MOST = 10**6  # replicates that ``replicates_needed`` looks at


@dataclass(frozen=True)
class Spread:
    """An effect's mean over ``n`` replicates, the borders of its interval, and what the replicates were."""

    effect: float
    lo: float
    hi: float
    sd: float  # between replicates
    n: int
    df: float  # degrees of freedom of ``standard_error``
    standard_error: float  # of ``effect``; NaN where unknown, and of a ratio
    values: tuple[float, ...]  # one a replicate

    @property
    def half_width(self) -> float:
        return (self.hi - self.lo) / 2


@dataclass(frozen=True)
class Components:
    """Variances of one replicate's effect by source; ``training`` is NaN where no corpus was trained on twice."""

    artists: float
    training: float
    corpus: float
    total: float


def _finite(values: Sequence[float]) -> np.ndarray:
    values = np.asarray(values, dtype=np.float64)
    if values.ndim != 1 or not values.size or not np.isfinite(values).all():
        raise ValueError(f"expected one finite number for each replicate, got {values}")
    return values


def _sd(values: np.ndarray) -> float:
    return float(np.std(values, ddof=1)) if values.size > 1 else math.nan


def _around(centre: float, error: float, df: float, alpha: float = ALPHA) -> tuple[float, float]:
    """The t interval; unbounded where the error is unknown (NaN)."""
    reach = math.inf if math.isnan(error) else float(scipy.stats.t.isf(alpha / 2, df)) * error
    return centre - reach, centre + reach


def _spread(values: np.ndarray, error: float, df: float) -> Spread:
    centre = float(values.mean())
    return Spread(centre, *_around(centre, error, df), _sd(values), values.size, df, error, tuple(values.tolist()))


def over_replicates(values: Sequence[float], *, overlap: float = 0.0) -> Spread:
    """Mean of one value a replicate, (n,), with its t interval.

    ``overlap`` is 0 for independent corpora. For repeated splits of one collection it is n_test / n_train, the corrected resampled t of
    Nadeau and Bengio (2003, "Inference for the generalization error", section 5): splits share tracks, so their values correlate, and
    their mean varies by sd² (1/n + n_test / n_train). That correlation is what shared test tracks cause. Where training tracks matter too
    the interval stays too narrow, but less so: in a simulation it covered 83%, the uncorrected one 55%.
    """
    values = _finite(values)
    return _spread(values, _sd(values) * math.sqrt(1 / values.size + overlap), values.size - 1)


def over_seeds(values: Sequence[float], artist_errors: Sequence[float], artists: int) -> Spread:
    """Mean over trainings that differ by their seed alone, on one published split.

    values: (n,), one a training; artist_errors: (n,), the standard error of each over test artists;
    ``artists``: how many there are. All trainings share the test artists, so the artist variance does not shrink with n: the variance of
    the mean is mean(artist_errors²) + sd²/n, with Satterthwaite's (1946) degrees of freedom from artists - 1 and n - 1, as in Welch's t.
    What differs by artist between two trainings is in both terms, which widens the interval. From three trainings on it covered 94 to 96%
    in simulations; with two 91% where trainings differ by twice the artist error, so take three.
    """
    values = _finite(values)
    by_artist, by_seed = float(np.mean(_finite(artist_errors) ** 2)), _sd(values) ** 2 / values.size
    both = by_artist + by_seed
    if not both > 0:  # one training, or models that are the same
        return _spread(values, math.sqrt(both), values.size - 1)
    df = both**2 / (by_artist**2 / (artists - 1) + by_seed**2 / (values.size - 1))
    return _spread(values, math.sqrt(both), df)


def prediction(spread: Spread) -> tuple[float, float]:
    """Interval for the effect in one new replicate: effect ± t sd √(1 + 1/n), with n - 1 degrees of freedom.

    It holds for a new replicate of the same kind: a new corpus, another split of the same collection, or another seed on the same split.
    What old and new share then moves both alike, so neither ``overlap`` nor the artist variance enters.
    """
    return _around(spread.effect, spread.sd * math.sqrt(1 + 1 / spread.n), spread.n - 1)


def holm(spreads: Sequence[Spread]) -> list[Spread]:
    """Several effects compared with 0 by Holm's (1979) step-down procedure, in the order given, each with the interval of its comparison.

    From the smallest p on, a comparison is decided at ALPHA / k while k are left; the first that fails ends it for all the rest, which
    share its k. Each interval is the t interval at the level 1 - ALPHA / k of its decision: so it leaves out 0 exactly where the effect is
    found, as Bonferroni's intervals, all at ALPHA / n, would not. They hold one by one for any true effect (95% or more) and jointly for
    "none that is 0 is taken for another" (95%); that all hold their true effects at once is promised less often. ValueError for a
    ``ratio``, which has no t statistic.
    """
    if any(math.isnan(spread.standard_error) and spread.n > 1 for spread in spreads):
        raise ValueError("a ratio has no t statistic: compare its numerators with 0")
    p = np.array([_against_zero(spread) for spread in spreads])
    order, left = np.argsort(p, kind="stable"), np.arange(len(p), 0, -1)
    failed = np.maximum.accumulate(p[order] * left) > ALPHA
    alpha = (ALPHA / np.where(failed, left[np.argmax(failed)], left))[np.argsort(order)]
    borders = [_around(one.effect, one.standard_error, one.df, level) for one, level in zip(spreads, alpha, strict=True)]
    return [replace(one, lo=lo, hi=hi) for one, (lo, hi) in zip(spreads, borders, strict=True)]


def _against_zero(spread: Spread) -> float:
    """Two-sided p; 1 where nothing is known or the effect is exactly 0."""
    if math.isnan(spread.standard_error) or spread.effect == 0:
        return 1.0
    return 2 * float(scipy.stats.t.sf(abs(spread.effect) / spread.standard_error, spread.df)) if spread.standard_error else 0.0


def ratio(numerators: Sequence[float], denominators: Sequence[float]) -> Spread:
    """Ratio of two means over the same replicates, both (n,): recovered headroom, say. ``values`` are the single ratios.

    The interval is Fieller's (1954) for paired values: the ratios r at which a t test of numerator - r denominator does not reject 0. It
    is (-inf, inf) where the mean denominator is not separated from 0. ``sd`` is that of numerator - effect denominator over the mean
    denominator: a single ratio has no variance when its denominator may be 0.
    """
    above, below = _finite(numerators), _finite(denominators)
    n, top, bottom = above.size, above.mean(), below.mean()
    with np.errstate(divide="ignore", invalid="ignore"):
        effect, values = top / bottom, above / below
        sd = _sd(above - effect * below) / abs(bottom)
    lo, hi = -math.inf, math.inf
    if n > 1:
        width = scipy.stats.t.isf(ALPHA / 2, n - 1) ** 2 / n * np.cov(above, below)
        square = bottom**2 - width[1, 1]  # the test accepts r where square r² - 2 middle r + (top² - width[0, 0]) <= 0
        middle = top * bottom - width[0, 1]
        if square > 0:
            root = math.sqrt(max(middle**2 - square * (top**2 - width[0, 0]), 0.0))
            lo, hi = float((middle - root) / square), float((middle + root) / square)
    return Spread(float(effect), lo, hi, float(sd), n, n - 1, math.nan, tuple(values.tolist()))


def _power(separation: float, n: int) -> float:
    """How often a t test of n replicates sees an effect of so many (> 0) standard errors: t² is noncentral F, both sides at once."""
    return float(scipy.stats.ncf.sf(scipy.stats.f.isf(ALPHA, 1, n - 1), 1, n - 1, separation**2))


def smallest_effect(sd: float, n: int) -> float:
    """The smallest true effect that n independent replicates with this ``sd`` show as often as POWER; inf for one replicate."""
    if n < 2:
        return math.inf
    return scipy.optimize.brentq(lambda separation: _power(separation, n) - POWER, 1e-3, 1e3) * sd / math.sqrt(n)


def replicates_needed(sd: float, effect: float) -> int:
    """How many independent replicates with this ``sd`` (> 0) show a true ``effect`` (not 0) as often as POWER; at most MOST."""
    return 2 + bisect_left(range(2, MOST), POWER, key=lambda n: _power(effect / sd * math.sqrt(n), n))


def components(effects: Sequence[float], artist_errors: Sequence[float], training_pairs: Sequence[Sequence[float]] = ()) -> Components:
    """The variance budget of an effect, as variances of one replicate.

    effects, artist_errors: (n,), each replicate's effect and its standard error over test artists; training_pairs: (n_pairs, 2), the
    effects of two trainings on the same corpus. ``total`` is the variance over replicates; ``artists`` the mean squared standard error;
    ``training`` half the mean squared difference of a pair; ``corpus`` what remains of the total, not below 0, and with the training in
    it where there is no pair. It takes the three as independent and as adding up: what differs by artist between two trainings counts
    under both, and corpus comes out too small. With few replicates all are rough.
    """
    total, artists = _sd(_finite(effects)) ** 2, float(np.mean(_finite(artist_errors) ** 2))
    pairs = np.asarray(training_pairs, dtype=np.float64).reshape(-1, 2)
    training = float(np.mean(np.diff(pairs) ** 2)) / 2 if len(pairs) else math.nan
    known = artists + (training if len(pairs) else 0.0)
    return Components(artists, training, max(total - known, 0.0) if len(effects) > 1 else math.nan, total)


def within_groups(labels: np.ndarray, scores_heard: np.ndarray, scores_unheard: np.ndarray, groups: Sequence) -> float:
    """Macro ROC-AUC of the model that heard a group's artists minus that of the one that did not, averaged over ``groups`` (n_tracks,).

    labels, scores: (n_tracks, n_tags); within a group, all ``scores_heard`` are one model's, and all ``scores_unheard`` another's. No
    ROC-AUC ranks two models' scores together: a model scores tags that are frequent among its own artists higher on any track, so pooled
    scores seem better where a group is scored by the model that heard it, whether or not anything leaks. Raises ``MttError`` where a
    group has no tag with positives and negatives.
    """
    groups, differences = np.asarray(groups), []
    for group in np.unique(groups):
        own = groups == group
        heard, unheard = (macro(np.asarray(labels)[own], np.asarray(scores)[own])["roc_auc"] for scores in (scores_heard, scores_unheard))
        if math.isnan(heard):
            raise MttError(f"group {group!s} has no tag with both positive and negative tracks: test on more tracks of its artists")
        differences.append(heard - unheard)
    return float(np.mean(differences))
