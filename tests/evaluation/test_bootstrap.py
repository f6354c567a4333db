"""The artist-clustered paired bootstrap: against a plain re-implementation, its coverage, and what it must not do."""

import math
import warnings

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import average_precision_score, roc_auc_score

from mtt.evaluation.bootstrap import (
    Bootstrap,
    Difference,
    design_power,
    estimate,
    expected_half_width,
    interval,
    paired_contrast,
    paired_difference,
    paired_slope_difference,
    tag_intervals,
)
from mtt.evaluation.metrics import macro

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


@pytest.fixture(scope="module")
def data():
    return simulate(np.random.default_rng(0), 40)


def test_equals_resampling_the_rows_themselves(data):
    labels, artists, scores, _ = data
    boot = Bootstrap(labels, artists, resamples=40, seed=3)
    assert boot.weights.shape == (40, 40) and (boot.weights.sum(axis=0) == 40).all()
    expected = np.empty((2, 40))
    for r in range(40):
        rows = np.repeat(np.arange(len(labels)), boot.weights[artists, r])
        expected[0, r] = roc_auc_score(labels[rows], scores[rows])
        expected[1, r] = average_precision_score(labels[rows], scores[rows], average="macro")
    np.testing.assert_allclose(boot.distribution(scores), expected[0], rtol=0, atol=1e-12)
    np.testing.assert_allclose(boot.distribution(scores, "pr_auc"), expected[1], rtol=0, atol=1e-12)


def test_value_is_the_macro_metric_of_the_whole_set(data):
    labels, artists, scores, other = data
    boot = Bootstrap(labels, artists, resamples=50)
    for metric in ("roc_auc", "pr_auc"):
        assert boot.value(scores, metric) == pytest.approx(macro(labels, scores)[metric], abs=1e-15)
        found = estimate(boot, scores, metric)
        assert found.value == boot.value(scores, metric) and found.lo < found.value < found.hi
        difference = paired_difference(boot, scores, other, metric)
        assert difference.effect == boot.value(scores, metric) - boot.value(other, metric)
        assert difference.metric == metric


def test_artists_are_drawn_whole_with_replacement(data):
    labels, artists, _, _ = data
    weights = Bootstrap(labels, artists, resamples=2000, seed=1).weights
    assert weights.mean() == 1.0
    assert weights.var() == pytest.approx(1 - 1 / 40, abs=0.02)  # of a binomial with 40 draws of probability 1/40
    assert (weights == 0).mean() == pytest.approx((1 - 1 / 40) ** 40, abs=0.01)


def test_same_seed_same_bits_and_another_seed_other_draws(data):
    labels, artists, scores, other = data
    first = paired_difference(Bootstrap(labels, artists, 100, seed=5), scores, other)
    again = paired_difference(Bootstrap(labels, artists, 100, seed=5), scores, other)
    different = paired_difference(Bootstrap(labels, artists, 100, seed=6), scores, other)
    np.testing.assert_array_equal(first.values, again.values)
    assert first == again and first.lo != different.lo and first.effect == different.effect


def test_order_of_rows_and_names_of_artists_do_not_matter(data):
    labels, artists, scores, _ = data
    order = np.random.default_rng(7).permutation(len(labels))
    expected = Bootstrap(labels, artists, 60).distribution(scores)
    names = np.array([f"artist {number:03d}" for number in artists])
    shuffled = Bootstrap(labels[order], pd.Series(names[order]), 60)
    np.testing.assert_array_equal(shuffled.distribution(scores[order]), expected)


def test_identical_models_differ_by_exactly_nothing(data):
    labels, artists, scores, _ = data
    boot = Bootstrap(labels, artists, 100)
    difference = paired_difference(boot, scores, scores.copy())
    assert (difference.effect, difference.lo, difference.hi) == (0.0, 0.0, 0.0)
    same_ranking = paired_difference(boot, scores, 1 / (1 + np.exp(-scores)), "pr_auc")
    assert (same_ranking.effect, same_ranking.lo, same_ranking.hi) == (0.0, 0.0, 0.0)


def test_swapped_models_give_the_mirrored_interval(data):
    labels, artists, a, b = data
    boot = Bootstrap(labels, artists, 200)
    forth, back = paired_difference(boot, a, b), paired_difference(boot, b, a)
    assert (back.effect, back.lo, back.hi) == pytest.approx((-forth.effect, -forth.hi, -forth.lo), abs=1e-15)


def test_pairing_narrows_the_interval(data):
    labels, artists, a, b = data
    boot, independent = Bootstrap(labels, artists, 500, seed=0), Bootstrap(labels, artists, 500, seed=1)
    unpaired = np.std(boot.distribution(a) - independent.distribution(b), ddof=1)
    assert paired_difference(boot, a, b).standard_error < 0.75 * unpaired


def test_clustering_widens_the_interval_where_artists_matter():
    labels, artists, scores, _ = simulate(np.random.default_rng(2), 40, per_artist=10, artist_sd=1.5, shared_sd=0.3)
    by_artist = estimate(Bootstrap(labels, artists, 500), scores)
    by_track = estimate(Bootstrap(labels, np.arange(len(labels)), 500), scores)
    assert by_artist.hi - by_artist.lo > 1.5 * (by_track.hi - by_track.lo)


def test_clustering_changes_little_where_artists_do_not_matter():
    generator = np.random.default_rng(3)
    labels = (generator.random((400, 3)) < 0.3).astype(int)
    scores = labels + generator.normal(size=labels.shape)
    by_artist = estimate(Bootstrap(labels, np.repeat(np.arange(80), 5), 1000), scores)
    by_track = estimate(Bootstrap(labels, np.arange(400), 1000), scores)
    assert (by_artist.hi - by_artist.lo) / (by_track.hi - by_track.lo) == pytest.approx(1, abs=0.25)


def test_interval_covers_the_true_difference_about_as_often_as_it_says():
    generator, truth = np.random.default_rng(4), true_difference()
    covered = 0
    for run in range(150):
        labels, artists, a, b = simulate(generator, 40)
        difference = paired_difference(Bootstrap(labels, artists, 300, seed=run), a, b)
        covered += difference.lo <= truth <= difference.hi
    assert 0.88 <= covered / 150 <= 0.99


def test_seeds_are_averaged_within_each_resample(data):
    labels, artists, a, b = data
    boot = Bootstrap(labels, artists, 80)
    both = np.stack([a, b])
    expected = (boot.distribution(a) + boot.distribution(b)) / 2
    np.testing.assert_allclose(boot.distribution(both), expected, rtol=0, atol=1e-15)
    assert boot.value(both) == pytest.approx((boot.value(a) + boot.value(b)) / 2, abs=1e-15)
    np.testing.assert_array_equal(boot.distribution(a[np.newaxis]), boot.distribution(a))
    assert paired_difference(boot, both, b).effect == pytest.approx((boot.value(a) - boot.value(b)) / 2, abs=1e-15)


def test_the_effect_of_each_seed_stands_beside_the_mean(data):
    labels, artists, a, b = data
    boot = Bootstrap(labels, artists, 80)
    difference = paired_difference(boot, np.stack([a, b, a]), np.stack([b, b, a]))
    assert difference.by_seed == (boot.value(a) - boot.value(b), 0.0, 0.0)
    assert difference.effect == pytest.approx(np.mean(difference.by_seed), abs=1e-15)
    for single in ((a, b), (a[np.newaxis], b[np.newaxis]), (np.stack([a, b]), b)):  # one seed, or not the same seeds
        assert paired_difference(boot, *single).by_seed == ()


def test_a_tag_that_a_resample_lacks_is_left_out_of_both_models_alike(data):
    labels, artists, a, b = data
    labels = labels.copy()
    labels[:, 1] = artists == 0  # one artist owns the tag: about a third of the resamples lack it
    boot = Bootstrap(labels, artists, 200)
    lacking = boot.weights[0] == 0
    assert 0.2 < lacking.mean() < 0.5
    for scores in (a, b):
        per_tag = boot.per_tag(scores)
        np.testing.assert_array_equal(np.isnan(per_tag[:, 1]), lacking)
        np.testing.assert_allclose(boot.distribution(scores)[lacking], per_tag[lacking][:, [0, 2]].mean(axis=1), atol=1e-15)
    difference = paired_difference(boot, a, b)
    both = (boot.per_tag(a) - boot.per_tag(b))[lacking]
    np.testing.assert_allclose(difference.values[lacking], both[:, [0, 2]].mean(axis=1), rtol=0, atol=1e-15)


def test_a_resample_without_any_defined_tag_is_drawn_again():
    labels, artists = np.array([[1], [1], [0], [0]]), ["a", "a", "b", "b"]  # half of the draws hold one artist only
    with warnings.catch_warnings():
        warnings.simplefilter("error")
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
    assert boot.value(scores) == pytest.approx(table["value"].mean(), abs=1e-15)


def test_contrast_is_the_weighted_sum(data):
    labels, artists, a, b = data
    boot = Bootstrap(labels, artists, 100)
    contrast = paired_contrast(boot, [a, b, a + b], [-0.5, 0.0, 0.5])
    half = paired_difference(boot, a + b, a)
    assert contrast.effect == pytest.approx(half.effect / 2, abs=1e-15)
    np.testing.assert_allclose(contrast.values, half.values / 2, rtol=0, atol=1e-15)
    assert contrast.standard_error == pytest.approx(np.std(contrast.values, ddof=1), abs=1e-15)


def test_slope_difference_equals_fitted_lines(data):
    labels, artists, a, b = data
    boot, seconds = Bootstrap(labels, artists, 30), [3.0, 6.0, 12.0, 27.0]
    generator = np.random.default_rng(8)
    up = [a + (1 - i / 4) * generator.normal(size=a.shape) for i in range(4)]
    down = [b + i / 4 * generator.normal(size=b.shape) for i in range(4)]
    difference = paired_slope_difference(boot, seconds, up, down)

    def slope(values):
        return np.polyfit(np.log2(seconds), values, 1)[0]

    expected = slope([boot.value(one) for one in up]) - slope([boot.value(one) for one in down])
    assert difference.effect == pytest.approx(expected, abs=1e-12) and difference.effect > 0
    lines = slope(np.stack([boot.distribution(one) for one in up]))
    lines -= slope(np.stack([boot.distribution(one) for one in down]))
    np.testing.assert_allclose(difference.values, lines, rtol=0, atol=1e-12)


def test_interval_is_the_central_share():
    values = np.arange(1001) / 1000
    assert interval(values) == pytest.approx((0.025, 0.975), abs=1e-12)
    assert interval(values, 0.5) == pytest.approx((0.25, 0.75), abs=1e-12)


def test_half_width_shrinks_with_the_root_of_the_artists():
    difference = Difference(0.02, 0.01, 0.05, 0.01, "roc_auc", np.zeros(2))
    assert expected_half_width(difference, 50, 200) == pytest.approx(0.01, abs=1e-15)
    assert expected_half_width(difference, 50, 50) == difference.half_width == 0.02


def test_design_power_follows_its_formula():
    difference = Difference(0.02, 0.0, 0.04, 0.01, "roc_auc", np.zeros(2))
    found = design_power(difference, 50, 200)
    assert found.artists == 200 and found.half_width == pytest.approx(0.01, abs=1e-15)
    assert found.standard_error == pytest.approx(0.005, abs=1e-15)
    assert found.detectable == pytest.approx((1.959964 + 0.841621) * 0.005, abs=1e-8)
    assert found.power == pytest.approx(0.979327, abs=1e-5)  # Phi(4 - 1.959964)
    assert design_power(difference, 50, 200, margin=0.02).power == pytest.approx(0.025, abs=1e-9)
    nothing = Difference(0.0, 0.0, 0.0, 0.0, "roc_auc", np.zeros(2))
    assert design_power(nothing, 50, 200).power == 0.0
    assert design_power(nothing, 50, 200, margin=-0.005).power == 1.0


def test_design_power_predicts_the_width_on_a_larger_set():
    generator = np.random.default_rng(9)
    predicted, found = [], []
    for run in range(12):
        labels, artists, a, b = simulate(generator, 50)
        pilot = paired_difference(Bootstrap(labels, artists, 300, seed=run), a, b)
        predicted.append(design_power(pilot, 50, 200).half_width)
        labels, artists, a, b = simulate(generator, 200)
        found.append(paired_difference(Bootstrap(labels, artists, 300, seed=run), a, b).half_width)
    assert np.mean(predicted) == pytest.approx(np.mean(found), rel=0.12)


def test_bad_input_is_named(data):
    labels, artists, scores, _ = data
    with pytest.raises(ValueError, match=r"artists have shape \(3,\), labels 160 rows"):
        Bootstrap(labels, artists[:3])
    with pytest.raises(ValueError, match="row 1 has no artist"):
        Bootstrap(labels[:3], ["a", None, "b"])
    with pytest.raises(ValueError, match="all tracks are by artist 'a'; resampling artists needs at least two"):
        Bootstrap(labels[:2], ["a", "a"])
    with pytest.raises(ValueError, match="resamples is 1"):
        Bootstrap(labels, artists, resamples=1)
    with pytest.raises(ValueError, match="no tag has both positive and negative tracks"):
        Bootstrap(np.ones((2, 1)), ["a", "b"])
    boot = Bootstrap(labels, artists, 10)
    with pytest.raises(ValueError, match="metric 'f1' is unknown; choose one of roc_auc, pr_auc"):
        boot.distribution(scores, "f1")
    with pytest.raises(ValueError, match=r"scores have shape \(5, 3\), labels \(160, 3\)"):
        boot.distribution(scores[:5])
    with pytest.raises(ValueError, match="no seed at all"):
        boot.value(np.zeros((0, 160, 3)))
    with pytest.raises(ValueError, match="2 tags are named but labels have 3 columns"):
        tag_intervals(boot, scores, TAGS[:2])


def test_bad_contrasts_slopes_and_intervals_are_named(data):
    labels, artists, a, b = data
    boot = Bootstrap(labels, artists, 10)
    with pytest.raises(ValueError, match="2 score arrays and 3 weights"):
        paired_contrast(boot, [a, b], [1, 0, -1])
    with pytest.raises(ValueError, match="2 lengths, 1 and 2 score arrays"):
        paired_slope_difference(boot, [5, 10], [a], [a, b])
    with pytest.raises(ValueError, match="input lengths of 5, 5 s give no slope"):
        paired_slope_difference(boot, [5, 5], [a, b], [a, b])
    with pytest.raises(ValueError, match=r"values have shape \(3,\), 1 are NaN"):
        interval([0.1, np.nan, 0.2])
    with pytest.raises(ValueError, match="level is 95"):
        interval([0.1, 0.2], level=95)
    difference = paired_difference(boot, a, b)
    with pytest.raises(ValueError, match="artists now 0, then 10"):
        expected_half_width(difference, 0, 10)
    with pytest.raises(ValueError, match="target power is 80"):
        design_power(difference, 10, 10, target=80)
