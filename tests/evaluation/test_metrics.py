"""Per-tag and macro metrics against scikit-learn, undefined tags, weights, calibration, and refused input."""

import hypothesis.extra.numpy as hnp
import numpy as np
import pandas as pd
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from sklearn.calibration import calibration_curve
from sklearn.metrics import average_precision_score, roc_auc_score

from mtt.evaluation.metrics import (
    average_precision,
    calibration,
    expected_calibration_error,
    macro,
    reweighted,
    roc_auc,
    tag_scores,
)

TAGS = ["rock", "jazz", "piano", "metal"]


def example(n_tracks=60, n_tags=4, seed=0):
    generator = np.random.default_rng(seed)
    labels = (generator.random((n_tracks, n_tags)) < 0.3).astype(np.uint8)
    return labels, (labels + generator.normal(size=labels.shape)).round(1)  # rounding makes ties


@given(st.data(), st.integers(2, 30))
@settings(max_examples=80, deadline=None)
def test_equal_to_scikit_learn_with_ties(data, n_tracks):
    labels = data.draw(hnp.arrays(np.uint8, (n_tracks, 1), elements=st.integers(0, 1)))
    scores = data.draw(hnp.arrays(np.float64, (n_tracks, 1), elements=st.integers(-3, 3)))  # few values: many ties
    assume(0 < labels.sum() < n_tracks)
    assert roc_auc(labels, scores)[0] == pytest.approx(roc_auc_score(labels, scores), abs=1e-12)
    assert average_precision(labels, scores)[0] == pytest.approx(average_precision_score(labels, scores), abs=1e-12)


@given(st.data(), st.integers(2, 30))
@settings(max_examples=60, deadline=None)
def test_equal_to_scikit_learn_with_any_float_scores(data, n_tracks):
    labels = data.draw(hnp.arrays(np.uint8, (n_tracks, 1), elements=st.integers(0, 1)))
    scores = data.draw(hnp.arrays(np.float32, (n_tracks, 1), elements=st.floats(-1e6, 1e6, width=32)))
    assume(0 < labels.sum() < n_tracks)
    assert roc_auc(labels, scores)[0] == pytest.approx(roc_auc_score(labels, scores), abs=1e-12)
    assert average_precision(labels, scores)[0] == pytest.approx(average_precision_score(labels, scores), abs=1e-12)


@given(st.data(), st.integers(2, 20))
@settings(max_examples=60, deadline=None)
def test_a_weight_stands_for_copies_of_a_track(data, n_tracks):
    labels = data.draw(hnp.arrays(np.uint8, (n_tracks, 2), elements=st.integers(0, 1)))
    scores = data.draw(hnp.arrays(np.float64, (n_tracks, 2), elements=st.integers(0, 5)))
    weights = data.draw(hnp.arrays(np.int64, n_tracks, elements=st.integers(0, 3)))
    assume(weights.sum() > 0)
    copies = np.repeat(np.arange(n_tracks), weights)
    np.testing.assert_array_equal(roc_auc(labels, scores, weights), roc_auc(labels[copies], scores[copies]))
    np.testing.assert_allclose(
        average_precision(labels, scores, weights),
        average_precision(labels[copies], scores[copies]),
        rtol=0,
        atol=1e-12,
    )


def test_weights_beyond_a_byte_equal_scikit_learn():
    labels, scores = example()
    weights = np.random.default_rng(1).integers(0, 100_000, len(labels))
    expected = roc_auc_score(labels, scores, average=None, sample_weight=weights)
    np.testing.assert_allclose(roc_auc(labels, scores, weights), expected, rtol=0, atol=1e-12)


def test_blocks_of_weightings_agree_with_single_weightings():
    labels, scores = example()
    generator = np.random.default_rng(2)
    cluster, weights = generator.integers(0, 9, len(labels)), generator.integers(0, 4, (9, 300))  # three blocks
    roc, precision = reweighted(labels, scores, cluster, weights)
    assert roc.shape == precision.shape == (300, 4)
    for column in (0, 124, 125, 299):
        np.testing.assert_array_equal(roc[column], roc_auc(labels, scores, weights[cluster, column]))
        np.testing.assert_array_equal(precision[column], average_precision(labels, scores, weights[cluster, column]))


def test_order_of_tied_tracks_does_not_change_a_bit():
    labels, scores = example(200)
    order = np.random.default_rng(3).permutation(200)
    np.testing.assert_array_equal(roc_auc(labels, scores), roc_auc(labels[order], scores[order]))
    np.testing.assert_array_equal(average_precision(labels, scores), average_precision(labels[order], scores[order]))


def test_known_values():
    labels = np.array([[1], [0], [1], [0]])
    assert roc_auc(labels, [[4], [3], [2], [1]])[0] == 0.75
    assert average_precision(labels, [[4], [3], [2], [1]])[0] == pytest.approx((1 + 2 / 3) / 2, abs=1e-15)
    assert roc_auc(labels, np.ones((4, 1)))[0] == 0.5  # all tied: chance
    assert average_precision(labels, np.ones((4, 1)))[0] == 0.5  # all tied: prevalence


def test_undefined_tags_are_nan_and_named():
    labels, scores = example()
    labels[:, 1], labels[:, 3] = 0, 1
    table = tag_scores(labels, scores, TAGS)
    assert table["undefined"].to_dict() == {"rock": False, "jazz": True, "piano": False, "metal": True}
    assert np.isnan(table.loc[["jazz", "metal"], ["roc_auc", "pr_auc"]].to_numpy()).all()
    result = macro(labels, scores, TAGS)
    assert result["undefined"] == ["jazz", "metal"]
    assert macro(labels, scores)["undefined"] == [1, 3]
    assert result["roc_auc"] == pytest.approx(roc_auc_score(labels[:, ::2], scores[:, ::2]), abs=1e-12)
    assert result["pr_auc"] == pytest.approx(average_precision_score(labels[:, ::2], scores[:, ::2]), abs=1e-12)


def test_macro_without_any_defined_tag_is_nan():
    result = macro(np.zeros((3, 2)), np.zeros((3, 2)), ["rock", "jazz"])
    assert np.isnan(result["roc_auc"]) and np.isnan(result["pr_auc"])
    assert result["undefined"] == ["rock", "jazz"]


def test_tag_scores_keep_order_and_count_positives():
    labels, scores = example()
    table = tag_scores(labels, scores, TAGS)
    assert list(table.index) == TAGS and table.index.name == "tag"
    assert table["positives"].tolist() == labels.sum(axis=0).tolist()
    np.testing.assert_allclose(table["prevalence"], labels.mean(axis=0), rtol=0, atol=1e-15)
    np.testing.assert_array_equal(table["roc_auc"], roc_auc(labels, scores))


@pytest.mark.parametrize(
    ("labels", "scores", "message"),
    [
        (np.zeros(3), np.zeros(3), r"labels have shape \(3,\)"),
        (np.zeros((0, 2)), np.zeros((0, 2)), r"labels have shape \(0, 2\)"),
        (np.full((3, 2), 2), np.zeros((3, 2)), "labels hold 2 at row 0, column 0"),
        (np.array([[0, 1], [np.nan, 1]]), np.zeros((2, 2)), "labels hold nan at row 1, column 0"),
        (np.zeros((3, 2)), np.zeros((2, 3)), r"scores have shape \(2, 3\), labels \(3, 2\)"),
        (np.zeros((1, 2)), np.array([[0.0, np.nan]]), "scores hold nan at row 0, column 1"),
        (np.zeros((1, 2)), np.array([[np.inf, 0.0]]), "scores hold inf at row 0, column 0"),
    ],
)
def test_bad_input_is_named(labels, scores, message):
    for function in (roc_auc, average_precision, macro, calibration):
        with pytest.raises(ValueError, match=message):
            function(labels, scores)


@pytest.mark.parametrize("weights", [np.ones(3, int), np.full(60, 0.5), np.full(60, -1)])
def test_bad_weights_are_refused(weights):
    with pytest.raises(ValueError, match="give 60 whole numbers of at least 0"):
        roc_auc(*example(), weights)


def test_tags_must_name_each_column():
    with pytest.raises(ValueError, match="3 tags are named but labels have 4 columns"):
        macro(*example(), TAGS[:3])
    with pytest.raises(ValueError, match="5 tags are named but labels have 4 columns"):
        tag_scores(*example(), [*TAGS, "folk"])


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
    table = calibration(np.array([[0], [1], [1]]), np.array([[0.25], [0.5], [1.0]]), bins=4)
    assert table["count"].tolist() == [0, 1, 1, 1]
    assert table["share"].tolist()[1:] == [0.0, 1.0, 1.0] and np.isnan(table["share"][0])
    assert expected_calibration_error(table) == pytest.approx((0.25 + 0.5 + 0.0) / 3, abs=1e-15)


def test_calibration_error_separates_calibrated_from_overconfident():
    generator = np.random.default_rng(5)
    probabilities = generator.random((20_000, 1))
    labels = (generator.random((20_000, 1)) < probabilities).astype(int)
    overconfident = (probabilities > 0.5).astype(float)
    assert expected_calibration_error(calibration(labels, probabilities)) < 0.015
    assert expected_calibration_error(calibration(labels, overconfident)) == pytest.approx(0.25, abs=0.01)


def test_calibration_refuses_logits_and_no_bins():
    with pytest.raises(ValueError, match="probabilities range from -2 to 3; pass logits through a sigmoid first"):
        calibration(np.array([[0], [1]]), np.array([[-2.0], [3.0]]))
    with pytest.raises(ValueError, match="bins is 0"):
        calibration(np.array([[0], [1]]), np.array([[0.2], [0.3]]), bins=0)


def test_data_frames_are_accepted():
    labels, scores = example()
    np.testing.assert_array_equal(roc_auc(pd.DataFrame(labels), pd.DataFrame(scores)), roc_auc(labels, scores))
