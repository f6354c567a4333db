"""Per-tag and macro metrics against scikit-learn, undefined tags, weights, calibration, and refused input."""

import hypothesis.extra.numpy as hnp
import numpy as np
import pandas as pd
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from sklearn.calibration import calibration_curve
from sklearn.metrics import average_precision_score, roc_auc_score

from mtt.evaluation.metrics import calibration, expected_calibration_error, macro, reweighted, roc_auc, tag_scores

TAGS = ["rock", "jazz", "piano", "metal"]
SCIKIT_LEARN = {"roc_auc": roc_auc_score, "pr_auc": average_precision_score}


def example(n_tracks=60, n_tags=4, seed=0):
    generator = np.random.default_rng(seed)
    labels = (generator.random((n_tracks, n_tags)) < 0.3).astype(np.uint8)
    return labels, (labels + generator.normal(size=labels.shape)).round(1)  # rounding makes ties


@given(st.data(), st.integers(2, 30), st.booleans())
@settings(max_examples=120, deadline=None)
def test_equal_to_scikit_learn(data, n_tracks, tied):
    labels = data.draw(hnp.arrays(np.uint8, (n_tracks, 1), elements=st.integers(0, 1)))
    if tied:  # few values, of a type whose negation wraps around
        scores = data.draw(hnp.arrays(np.uint8, (n_tracks, 1), elements=st.integers(0, 6)))
    else:
        scores = data.draw(hnp.arrays(np.float32, (n_tracks, 1), elements=st.floats(-1e6, 1e6, width=32)))
    assume(0 < labels.sum() < n_tracks)
    for metric, reference in SCIKIT_LEARN.items():
        assert macro(labels, scores)[metric] == pytest.approx(reference(labels, scores), abs=1e-12)


def test_many_weightings_of_clusters_at_once():
    labels, scores = example()
    generator = np.random.default_rng(2)
    cluster, weights = generator.integers(0, 9, len(labels)), generator.integers(0, 100_000, (9, 300))  # three blocks, beyond a byte
    for metric, values in reweighted(labels, scores, cluster, weights).items():
        assert values.shape == (300, 4)
        for column in (0, 124, 125, 299):
            expected = SCIKIT_LEARN[metric](labels, scores, average=None, sample_weight=weights[cluster, column])
            np.testing.assert_allclose(values[column], expected, rtol=0, atol=1e-12)


def test_order_of_tied_tracks_does_not_change_a_bit():
    labels, scores = example(200)
    order = np.random.default_rng(3).permutation(200)
    pd.testing.assert_frame_equal(tag_scores(labels, scores), tag_scores(labels[order], scores[order]), check_exact=True)


def test_known_values():
    labels = np.array([[1], [0], [1], [0]])
    assert macro(labels, [[4], [3], [2], [1]]) == {"roc_auc": 0.75, "pr_auc": pytest.approx((1 + 2 / 3) / 2, abs=1e-15), "undefined": []}
    assert macro(labels, np.ones((4, 1))) == {"roc_auc": 0.5, "pr_auc": 0.5, "undefined": []}  # all tied: chance, prevalence


def test_undefined_tags_are_nan_and_named():
    labels, scores = example()
    labels[:, 1], labels[:, 3] = 0, 1
    table = tag_scores(pd.DataFrame(labels), pd.DataFrame(scores)).set_axis(TAGS)
    assert list(table.index) == TAGS and table["positives"].tolist() == labels.sum(axis=0).tolist()
    assert table.isna().any(axis=1).tolist() == [False, True, False, True]
    np.testing.assert_array_equal(table["roc_auc"], roc_auc(labels, scores))
    result = macro(labels, scores)
    assert result["undefined"] == [1, 3]
    for metric, reference in SCIKIT_LEARN.items():
        assert result[metric] == pytest.approx(reference(labels[:, ::2], scores[:, ::2]), abs=1e-12)
    nothing = macro(np.zeros((3, 2)), np.zeros((3, 2)))
    assert np.isnan([nothing["roc_auc"], nothing["pr_auc"]]).all() and nothing["undefined"] == [0, 1]


@pytest.mark.parametrize(
    ("labels", "scores", "message"),
    [
        (np.zeros(3), np.zeros(3), r"labels: expected .* shape \(3,\)"),
        (np.array([[0, 1], [np.nan, 1]]), np.zeros((2, 2)), "labels: expected .* of 0 and 1"),
        (np.zeros((3, 2)), np.zeros((2, 3)), r"expected .*\(3, 2\)"),
        (np.zeros((1, 2)), np.array([[np.inf, 0.0]]), "scores: expected finite|probabilities: expected"),
    ],
)
def test_bad_input_is_named(labels, scores, message):
    for function in (roc_auc, macro, calibration):
        with pytest.raises(ValueError, match=message):
            function(labels, scores)


def test_calibration_equals_scikit_learn():
    generator = np.random.default_rng(4)
    probabilities = generator.random((300, 5))
    labels = (generator.random((300, 5)) < probabilities**2).astype(int)
    table = calibration(labels, probabilities)
    share, mean = calibration_curve(labels.ravel(), probabilities.ravel(), n_bins=10)
    np.testing.assert_allclose(table["share"], share, rtol=0, atol=1e-12)
    np.testing.assert_allclose(table["probability"], mean, rtol=0, atol=1e-12)
    assert table["count"].sum() == 1500


def test_calibration_bins_hold_their_lower_edge_and_the_last_also_one():
    table = calibration(np.array([[0], [1], [1]]), np.array([[0.25], [0.5], [1.0]]))
    assert table["count"].tolist() == [0, 0, 1, 0, 0, 1, 0, 0, 0, 1]
    assert table["share"].dropna().tolist() == [0.0, 1.0, 1.0]
    assert expected_calibration_error(table) == pytest.approx((0.25 + 0.5 + 0.0) / 3, abs=1e-15)
    with pytest.raises(ValueError, match="pass logits through a sigmoid first"):
        calibration(np.array([[0], [1]]), np.array([[-2.0], [3.0]]))
