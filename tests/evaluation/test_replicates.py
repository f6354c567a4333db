"""Intervals over replicates: known formulas, simulated coverage, error rates of several comparisons, power, and the null of a leak."""

import math

import numpy as np
import pytest
from scipy import stats

from mtt.evaluation.metrics import roc_auc
from mtt.evaluation.replicates import (
    Spread,
    components,
    holm,
    over_replicates,
    over_seeds,
    prediction,
    ratio,
    replicates_needed,
    smallest_effect,
    within_groups,
)
from mtt.files import MttError

RUNS = 3000  # of each simulation: a share of .95 then has a Monte-Carlo standard error of .004
VALUES, OTHERS = [0.013, 0.019, 0.005, 0.008], [0.09, 0.06, 0.05, 0.07]


def share(hits):
    return float(np.mean(list(hits)))


def covers(interval, truth):
    lo, hi = (interval.lo, interval.hi) if isinstance(interval, Spread) else interval
    return lo <= truth <= hi


def about_95(hits):
    """Within three Monte-Carlo standard errors."""
    return share(hits) == pytest.approx(0.95, abs=3 * math.sqrt(0.95 * 0.05 / RUNS))


def draws(seed, *shape):
    return np.random.default_rng(seed).normal(size=(RUNS, *shape))


def test_the_interval_is_that_of_the_t_test_and_one_replicate_says_nothing_of_others():
    found, expected = over_replicates(VALUES), stats.ttest_1samp(VALUES, 0).confidence_interval()
    assert (found.lo, found.hi) == pytest.approx(tuple(expected), abs=1e-15)
    assert (found.effect, found.n, found.df, found.values) == (pytest.approx(0.01125), 4, 3, tuple(VALUES))
    assert (found.sd, found.standard_error) == pytest.approx((np.std(VALUES, ddof=1), stats.sem(VALUES)))
    wider = over_replicates(VALUES, overlap=0.25)  # 1/4 + 1/4
    assert wider.half_width == pytest.approx(math.sqrt(2) * found.half_width)
    for one in (over_replicates([0.01]), over_replicates([0.01], overlap=0.2), over_seeds([0.01], [0.002], 60), ratio([0.01], [0.02])):
        assert (one.lo, one.hi, one.half_width, one.n) == (-math.inf, math.inf, math.inf, 1) and math.isnan(one.sd)
        assert prediction(one) == (-math.inf, math.inf) and holm([one])[0].lo == -math.inf
    for bad in ([], [0.1, math.nan], [[0.1]]):
        with pytest.raises(ValueError, match="one finite number for each replicate"):
            over_replicates(bad)


@pytest.mark.parametrize("n", [2, 5])
def test_intervals_cover_the_true_effect_and_predictions_a_new_replicate(n):
    sample = 0.004 + 0.01 * draws(1, n + 1)
    spreads = [over_replicates(values) for values in sample[:, 1:]]
    assert about_95(covers(spread, 0.004) for spread in spreads)
    assert about_95(covers(prediction(spread), new) for spread, new in zip(spreads, sample[:, 0], strict=True))
    assert share(covers(spread, new) for spread, new in zip(spreads, sample[:, 0], strict=True)) < 0.93  # no prediction interval


def test_splits_of_one_collection_need_the_corrected_interval():
    generator, covered = np.random.default_rng(2), {(weight, overlap): [] for weight in (0, 0.5) for overlap in (0, 12 / 48)}
    for collection in draws(3, 60):  # ten splits: 12 tracks to test on, 48 to train on, which count as the weight says
        splits = [generator.permuted(collection) for _ in range(10)]
        for (weight, overlap), hits in covered.items():
            values = [split[:12].mean() + weight * split[12:].mean() for split in splits]
            hits.append(covers(over_replicates(values, overlap=overlap), 0))
    assert about_95(covered[0, 0.25]) and share(covered[0, 0]) < 0.8
    assert share(covered[0.5, 0]) + 0.2 < share(covered[0.5, 0.25]) < 0.9  # better, though not as good as it says


def test_seeds_on_one_split_are_welchs_t_test():
    artists = np.array([0.3, -0.1, 0.2, -0.5, 0.1])
    found, expected = over_seeds(VALUES, [stats.sem(artists)] * 4, 5), stats.ttest_ind(VALUES, artists, equal_var=False)
    assert (found.df, found.standard_error) == pytest.approx((expected.df, np.hypot(stats.sem(VALUES), stats.sem(artists))))
    assert found.half_width == pytest.approx(np.diff(expected.confidence_interval())[0] / 2)
    same = over_seeds([0.0, 0.0], [0.0, 0.0], 5)
    assert (same.lo, same.hi) == (0, 0)


@pytest.mark.parametrize("seed_sd", [0.2, 1.0])
def test_intervals_over_seeds_cover_the_effect_in_all_artists_and_trainings(seed_sd):
    artists, seeds = draws(4, 12), seed_sd * draws(5, 3)
    found, seeds_alone, artists_alone = [], [], []
    for by_artist, by_seed, error in zip(artists, seeds, stats.sem(artists, axis=1), strict=True):
        values, errors = by_artist.mean() + by_seed, [error] * 3
        found.append(covers(over_seeds(values, errors, 12), 0))
        seeds_alone.append(covers(over_replicates(values), 0))
        artists_alone.append(abs(values.mean()) < stats.t.isf(0.025, 11) * errors[0])
    assert share(found) == pytest.approx(0.95, abs=0.02)  # Satterthwaite's degrees of freedom are an approximation
    assert min(share(seeds_alone), share(artists_alone)) < 0.85


def with_p(p, df=4):
    effect = float(stats.t.isf(p / 2, df))
    return Spread(effect, *(effect + np.array([-1, 1]) * stats.t.isf(0.025, df)), 2.0, 5, df, 1.0, ())


def test_holm_equals_a_known_example_and_its_intervals_never_contradict_it():
    found = holm([with_p(p) for p in (0.01, 0.04, 0.03, 0.005)])
    assert [one.lo > 0 for one in found] == [True, False, False, True]  # adjusted, p is .03, .06, .06 and .02
    reach = [stats.t.isf(0.025 / left, 4) for left in (3, 2, 2, 4)]  # the second, though alone it is below .05, does not leave 0 out
    assert [one.half_width for one in found] == pytest.approx(reach)
    exact = holm([over_replicates([0.25, 0.25]), over_replicates([0.0, 0.0])])
    assert holm([over_replicates(VALUES)]) == [over_replicates(VALUES)] and [one.lo for one in exact] == [0.25, 0.0]
    with pytest.raises(ValueError, match="a ratio has no t statistic"):
        holm([ratio(VALUES, OTHERS)])


def test_holm_errs_in_one_family_of_twenty_and_sees_more_than_bonferroni():
    wrong, seen, bonferroni = [], [], []
    for values in (draws(7, 5, 4) + draws(8, 5, 1))[:1000]:  # four baselines share a Transformer
        null, mixed = (holm([over_replicates(one) for one in both.T]) for both in (values, values + [0, 4, 4, 4]))
        wrong.append(any(one.lo > 0 or one.hi < 0 for one in null))
        seen.append(sum(one.lo > 0 for one in mixed[1:]))
        bonferroni.append(sum(stats.ttest_1samp(values + [0, 4, 4, 4], 0).pvalue[1:] <= 0.05 / 4))
    assert 0.02 < share(wrong) <= 0.05 + 3 * math.sqrt(0.05 * 0.95 / 1000)
    assert share(seen) > share(bonferroni) + 0.1


def test_a_ratio_has_fiellers_interval():
    found = ratio(VALUES, OTHERS)
    assert found.effect == pytest.approx(sum(VALUES) / sum(OTHERS)) and found.values == pytest.approx(np.divide(VALUES, OTHERS))
    for border in (found.lo, found.hi):  # what it is: the ratios at which a paired t test is at its border
        assert stats.ttest_1samp(np.array(VALUES) - border * np.array(OTHERS), 0).pvalue == pytest.approx(0.05)
    constant = ratio(VALUES, [0.02] * 4)
    assert (constant.lo, constant.hi) == pytest.approx((over_replicates(VALUES).lo / 0.02, over_replicates(VALUES).hi / 0.02))
    assert constant.sd == pytest.approx(np.std(VALUES, ddof=1) / 0.02)
    negative = ratio(VALUES, np.negative(OTHERS))
    assert (negative.lo, negative.hi, negative.sd) == pytest.approx((-found.hi, -found.lo, found.sd))
    for nothing in ([0.02, -0.01, 0.01, 0.0], [0.01, -0.01, 0.0, 0.0]):
        assert (ratio(VALUES, nothing).lo, ratio(VALUES, nothing).hi) == (-math.inf, math.inf)


@pytest.mark.parametrize("headroom", [0.04, 0.01])
def test_fiellers_interval_covers_the_true_ratio(headroom):
    shared, own = 0.005 * draws(9, 5), 0.005 * draws(10, 2, 5)
    spreads = [ratio(0.25 * headroom + s + a, headroom + s + b) for s, (a, b) in zip(shared, own, strict=True)]
    bounded = share(math.isfinite(spread.lo) for spread in spreads)
    if headroom == 0.04:
        assert bounded > 0.99 and about_95(covers(spread, 0.25) for spread in spreads)
    else:
        assert 0.2 < bounded < 0.8 and share(covers(spread, 0.25) for spread in spreads) >= 0.94


def test_power_equals_published_numbers_and_a_simulation():
    assert [replicates_needed(1, effect) for effect in (0.2, 0.5, 0.8)] == [199, 34, 15]  # G*Power: one sample or pairs, two tails
    assert replicates_needed(0.02, -0.01) == 34 and replicates_needed(1, 1e-6) == 10**6 and smallest_effect(0.01, 1) == math.inf
    for n in (2, 5, 40):
        effect = smallest_effect(0.01, n)
        assert replicates_needed(0.01, 1.0001 * effect) == n
        seen = [over_replicates(values).lo > 0 for values in effect + 0.01 * draws(11, n)]
        assert share(seen) == pytest.approx(0.8, abs=3 * math.sqrt(0.16 / RUNS))


def test_components_find_what_a_simulation_was_made_of():
    n, (artists, training, corpus) = 5000, (0.9, 0.4, 1.6)
    generator = np.random.default_rng(12)
    by_corpus = math.sqrt(corpus + artists) * generator.normal(size=(n, 1))
    trained = by_corpus + math.sqrt(training) * generator.normal(size=(n, 2))
    errors = np.sqrt(artists * generator.chisquare(30, n) / 30)
    found = components(trained[:, 0], errors, trained)
    assert (found.artists, found.training, found.corpus) == pytest.approx((artists, training, corpus), rel=0.12)
    assert found.total == pytest.approx(np.var(trained[:, 0], ddof=1)) == found.artists + found.training + found.corpus
    once = components(trained[:, 0], errors)
    assert math.isnan(once.training) and once.corpus == pytest.approx(found.corpus + found.training)
    assert components([0.1, 0.1], [0.02, 0.04], [(0.1, 0.2), (0.1, 0.1)]).corpus == 0


def test_a_leak_is_measured_within_groups_since_pooled_scores_show_one_where_there_is_none():
    generator, within, pooled = np.random.default_rng(13), [], []
    for _ in range(150):
        groups, artists = np.repeat([0, 1], 60), np.repeat(np.arange(40), 3)
        labels = (generator.random((40, 4)) < 0.4)[artists].astype(int)  # every track of an artist has the same tags
        prior = np.stack([labels[groups == group].mean(axis=0) for group in (0, 1)])  # all that a model keeps of those it heard
        sound = 1.5 * labels + generator.normal(size=labels.shape)
        models = [sound + 2 * prior[group] + 0.3 * generator.normal(size=labels.shape) for group in (0, 1)]
        heard = np.where(groups[:, None] == 0, models[0], models[1])
        unheard = np.where(groups[:, None] == 0, models[1], models[0])
        within.append(within_groups(labels, heard, unheard, groups))
        pooled.append(np.nanmean(roc_auc(labels, heard)) - np.nanmean(roc_auc(labels, unheard)))
    assert abs(np.mean(within)) < 3 * stats.sem(within) and stats.sem(within) < 0.001
    assert np.mean(pooled) > 0.005 and np.mean(pooled) > 10 * stats.sem(pooled)
    assert within_groups(labels, heard + labels, unheard, np.where(groups == 0, "a", "b")) > 0.02  # what truly leaks is seen
    labels[groups == 1] = 1
    with pytest.raises(MttError, match="group 1 has no tag with both positive and negative tracks"):
        within_groups(labels, heard, unheard, groups)
