"""The artist-clustered paired bootstrap: against a plain re-implementation, its coverage, and what it must not do."""

import math
from functools import partial

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import roc_auc_score

from mtt.evaluation.bootstrap import (
    Bootstrap,
    Estimate,
    interval,
    slope_weights,
    tag_intervals,
)
from mtt.evaluation.metrics import macro
from mtt.files import MttError

TAGS = ["rock", "jazz", "piano"]


def simulate(generator, n_artists, per_artist=4, n_tags=3, skill=(1.2, 0.9), artist_sd=0.7, shared_sd=0.7):
    """Labels, artists and the scores of two models whose errors share a part by artist and a part by track."""
    artists = np.repeat(np.arange(n_artists), per_artist)
    taste = generator.random((n_artists, n_tags))  # an artist's tracks carry alike tags
    labels = (generator.random((artists.size, n_tags)) < 0.8 * taste[artists] ** 2 + 0.05).astype(np.uint8)
    noise = generator.normal(size=(3, artists.size, n_tags))
    by_artist = generator.normal(size=(3, n_artists, n_tags))[:, artists]
    shared = shared_sd * noise[0] + artist_sd * by_artist[0]
    models = [skill[i] * labels + shared + 0.5 * noise[1 + i] + 0.5 * artist_sd * by_artist[1 + i] for i in (0, 1)]
    return labels, artists, *models


def true_difference(skill=(1.2, 0.9), artist_sd=0.7, shared_sd=0.7):
    """Of the population that ``simulate`` draws from: positives and negatives are normal, skill apart."""
    spread = math.sqrt(2 * (shared_sd**2 + artist_sd**2 + 0.25 + 0.25 * artist_sd**2))
    areas = [0.5 * (1 + math.erf(value / spread / math.sqrt(2))) for value in skill]
    return areas[0] - areas[1]


def value(boot, scores):
    return macro(boot.labels, scores)["roc_auc"]


def estimate(boot, scores):
    return Estimate(value(boot, scores), *interval(boot.distribution(scores)))


def paired_difference(boot, a, b):
    """Of two models on the same resamples."""
    return Estimate(value(boot, a) - value(boot, b), *interval(boot.distribution(a) - boot.distribution(b)))


@pytest.fixture(scope="module")
def data():
    return simulate(np.random.default_rng(0), 40)


@pytest.fixture(scope="module")
def boot(data):
    return Bootstrap(*data[:2], resamples=100, seed=3)


def test_equals_resampling_the_rows_themselves(data, boot):
    labels, artists, scores, other = data
    assert boot.weights.shape == (40, 100) and (boot.weights.sum(axis=0) == 40).all()
    resamples = [np.repeat(np.arange(len(labels)), drawn) for drawn in boot.weights[artists].T]
    expected = [roc_auc_score(labels[rows], scores[rows]) for rows in resamples]
    np.testing.assert_allclose(boot.distribution(scores), expected, rtol=0, atol=1e-12)
    found = estimate(boot, scores)
    assert found.lo < found.value < found.hi


def test_artists_are_drawn_whole_with_replacement(data):
    labels, artists, _, _ = data
    weights = Bootstrap(labels, artists, resamples=2000, seed=1).weights
    assert weights.mean() == 1.0
    assert weights.var() == pytest.approx(1 - 1 / 40, abs=0.02)  # of a binomial with 40 draws of probability 1/40
    assert (weights == 0).mean() == pytest.approx((1 - 1 / 40) ** 40, abs=0.01)


def test_the_draws_depend_on_the_seed_and_not_on_the_order_of_rows_or_names_of_artists(data):
    labels, artists, scores, other = data
    first, again, different = (paired_difference(Bootstrap(labels, artists, 60, seed=seed), scores, other) for seed in (5, 5, 6))
    assert first == again and first.lo != different.lo and first.value == different.value
    order = np.random.default_rng(7).permutation(len(labels))
    names = pd.Series([f"artist {number:03d}" for number in artists[order]])
    assert paired_difference(Bootstrap(labels[order], names, 60, seed=5), scores[order], other[order]) == first


def test_identical_models_differ_by_exactly_nothing_and_swapped_ones_by_the_mirrored_interval(data, boot):
    _, _, a, b = data
    for same in (a.copy(), 1 / (1 + np.exp(-a))):  # or with the same ranking
        assert paired_difference(boot, a, same) == Estimate(0.0, 0.0, 0.0)
    forth, back = paired_difference(boot, a, b), paired_difference(boot, b, a)
    assert (back.value, back.lo, back.hi) == pytest.approx((-forth.value, -forth.hi, -forth.lo), abs=1e-15)


def test_interval_covers_the_true_difference_about_as_often_as_it_says():
    generator, truth = np.random.default_rng(4), true_difference()
    covered = 0
    for run in range(150):
        labels, artists, a, b = simulate(generator, 40)
        difference = paired_difference(Bootstrap(labels, artists, 300, seed=run), a, b)
        covered += difference.lo <= truth <= difference.hi
    assert 0.88 <= covered / 150 <= 0.99


def test_intervals_of_one_model_cover_too():
    generator = np.random.default_rng(9)
    labels, _, scores, _ = simulate(generator, 20_000)
    truth, covered = macro(labels, scores)["roc_auc"], []
    for run in range(200):
        labels, artists, scores, _ = simulate(generator, 60)
        found = estimate(Bootstrap(labels, artists, 300, seed=run), scores)
        covered.append(found.lo <= truth <= found.hi)
    assert 0.88 <= np.mean(covered) <= 0.98


def test_a_tag_that_a_resample_lacks_is_left_out_of_both_models_alike(data):
    labels, artists, a, b = data
    labels = labels.copy()
    labels[:, 1] = artists == 0  # one artist owns the tag: about a third of the resamples lack it
    boot = Bootstrap(labels, artists, 200)
    lacking = boot.weights[0] == 0
    assert 0.2 < lacking.mean() < 0.5
    for scores in (a, b):
        np.testing.assert_array_equal(np.isnan(boot.per_tag(scores)[:, 1]), lacking)
    both = (boot.per_tag(a) - boot.per_tag(b))[lacking]
    differences = (boot.distribution(a) - boot.distribution(b))[lacking]
    np.testing.assert_allclose(differences, both[:, [0, 2]].mean(axis=1), rtol=0, atol=1e-15)


def test_a_resample_without_any_defined_tag_is_drawn_again():
    labels, artists = np.array([[1], [1], [0], [0]]), ["a", "a", "b", "b"]  # half of the draws hold one artist only
    boot = Bootstrap(labels, artists, 50)
    assert (boot.weights == 1).all()
    assert (boot.distribution(np.array([[4.0], [2.0], [3.0], [1.0]])) == 0.75).all()


def test_an_undefined_tag_is_reported_per_tag_and_left_out_of_the_macro(data):
    labels, artists, scores, _ = data
    labels = labels.copy()
    labels[:, 2] = 0
    boot = Bootstrap(labels, artists, 100)
    table = tag_intervals(boot, scores, TAGS)
    assert table["resamples"].tolist() == [100, 100, 0]
    assert table.loc["piano", ["value", "lo", "hi"]].isna().all()
    assert (table["lo"] < table["value"]).tolist() == [True, True, False]
    assert value(boot, scores) == pytest.approx(table["value"].mean(), abs=1e-15)


def test_slopes_equal_fitted_lines(data, boot):
    _, _, a, b = data
    seconds, generator = [3.0, 6.0, 12.0, 27.0], np.random.default_rng(8)
    up = [a + (1 - i / 4) * generator.normal(size=a.shape) for i in range(4)]
    down = [b + i / 4 * generator.normal(size=b.shape) for i in range(4)]
    weights = slope_weights(seconds)

    def slope(metric):
        rising, falling = (np.polyfit(np.log2(seconds), np.stack([metric(one) for one in curve]), 1)[0] for curve in (up, down))
        return rising - falling

    for metric in (partial(value, boot), boot.distribution):
        rising, falling = (weights @ np.stack([metric(one) for one in curve]) for curve in (up, down))
        np.testing.assert_allclose(rising - falling, slope(metric), rtol=0, atol=1e-12)
    assert slope(partial(value, boot)) > 0


def test_interval_is_the_central_share():
    assert interval(np.arange(1001) / 1000) == pytest.approx((0.025, 0.975), abs=1e-12)


@pytest.mark.parametrize(
    ("labels", "artists", "error", "message"),
    [
        (np.eye(3), ["a", "b"], ValueError, r"artists have shape \(2,\), labels 3 rows"),
        (np.eye(3), ["a", "a", "a"], MttError, "all tracks are by artist 'a'; resampling artists needs at least two"),
        (np.ones((2, 1)), ["a", "b"], MttError, "no tag has both positive and negative tracks"),
    ],
)
def test_test_sets_on_which_nothing_can_be_said(labels, artists, error, message):
    with pytest.raises(error, match=message):
        Bootstrap(labels, artists)
