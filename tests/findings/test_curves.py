"""Curves over replicates, from scores that are known."""

from types import SimpleNamespace

import numpy as np
import pytest

from mtt.findings import curves
from tests.findings.made import LABELS, judge, rows

CONTROL = {"teacher": [0.80, 0.82], "supervised-long": [0.81, 0.81]}  # the better one: the second, then the first
STUDENT = {"student": [0.83, 0.84], "student-permuted": [0.8, 0.8]}


def effects(found, name):
    return [row[name]["effect"] for row in found]


def test_scarcity_compares_at_every_number_of_artists_and_with_the_better_control_at_the_studys():
    few = {"teacher-12": [0.70, 0.72], "student-12": [0.75, 0.75], "oracle-12": [0.80, 0.82]}
    made = judge(few | CONTROL | STUDENT | {"teacher-96": [0.9, 0.9]}, scarcity=(12, 96))
    found = curves.scarcity(made)
    assert [row["artists"] for row in found] == [12, 48] and found[0]["tracks"] == 12  # no student of 96
    assert effects(found, "supervised") == pytest.approx([0.71, 0.815]) and effects(found, "gain") == pytest.approx([0.04, 0.02])
    assert found[1]["gain"]["by_replicate"] == pytest.approx([0.02, 0.02])
    assert found[0]["recovered"]["effect"] == pytest.approx(0.4) and "oracle" not in found[1] and "recovered" not in found[1]
    assert [row["exposure"] for row in found] == [made.results[name].entry.recipe.exposure for name in ("teacher-12", "teacher")]


def test_equal_artists_are_read_off_the_supervised_curve_which_never_falls():
    def row(artists, supervised, student):
        return {"artists": artists, "supervised": {"effect": supervised}, "student": {"effect": student}}

    found = [row(10, 0.7, 0.75), row(40, 0.8, 0.79), row(160, 0.79, 0.81), row(640, 0.9, 0.6)]
    np.testing.assert_allclose(curves.equal_artists(found), [20, 10 * 4**0.9, 160 * 4**0.1, 10])
    assert curves.equal_artists([row(10, 0.7, 0.71)]) == [np.inf] and curves.equal_artists([]) == []


def test_the_trap_is_a_gain_over_a_teacher_that_was_stopped_early():
    early = {"teacher-25pc": [0.70, 0.71], "student-25pc": [0.79, 0.80]}
    found = curves.trap(judge(early | CONTROL | STUDENT, undertrained=(0.25, 0.5)))
    assert [row["share"] for row in found] == [0.25, 1.0]
    assert effects(found, "over_teacher") == pytest.approx([0.09, 0.025])
    assert effects(found, "over_control") == pytest.approx([-0.015, 0.025])  # the same teacher, trained to the end
    assert curves.trap(judge(CONTROL | STUDENT)) == []


def test_pools_are_compared_with_the_same_control():
    small = {"student-pool-50": [0.82, 0.83]}
    found = curves.pools(judge(small | CONTROL | STUDENT, pools=(50, 100), pool_artists=300))
    assert [row["artists"] for row in found] == [50, 300] and effects(found, "gain") == pytest.approx([0.01, 0.02])


def test_lengths_are_rows_of_the_models_that_are_trained_at_them():
    found = curves.trained_lengths(judge({"teacher-2s": [0.7, 0.8], "teacher": [0.8, 0.9], "fcn": [0.6, 0.6]}))
    assert [(row["model"], row["label"], row["seconds"]) for row in found] == [
        ("teacher", "teacher", 2.0), ("teacher", "teacher", 4.0), ("fcn", "FCN", 4.0)
    ]  # fmt: skip
    assert effects(found, "roc_auc") == pytest.approx([0.75, 0.85, 0.6])


def test_styles_are_tested_apart():
    made = judge({"teacher-studio": [0.8], "student-studio-home": [0.8], "student-studio-studio": [0.8]}, scarcity=(12,))
    home = np.arange(24)[:, None] % 2 == 0
    right, wrong = LABELS + 0.0, np.zeros(LABELS.shape)
    scores = {"teacher-studio": wrong, "student-studio-home": np.where(home, right, wrong), "student-studio-studio": right}
    for name, own in scores.items():
        made.results[name].cells[0].scores = lambda sets, own=own: own
    found = curves.styles(made)
    assert [(row["pool"], row["tested"]) for row in found] == [(a, b) for a in ("home", "studio") for b in ("home", "studio")]
    assert effects(found, "gain") == pytest.approx([0.5, 0.0, 0.5, 0.5])
    assert curves.styles(judge(CONTROL)) == []


def test_a_tags_gain_stands_beside_what_its_teacher_knows_and_how_many_labels_are_missing():
    made = judge({name: values[:1] for name, values in (CONTROL | STUDENT).items()})  # the control is supervised-long
    observed = LABELS.copy()
    hidden = np.flatnonzero(LABELS[:12, 0])[:2]
    observed[hidden, 0] = 0
    replicate = made.study.first
    replicate.data = SimpleNamespace(source=lambda recipe: None, labels=lambda ids: observed[rows(ids)])
    known = np.where([True, True, False], LABELS, 0.5)  # the teacher does not know the last tag
    made.results["teacher"].cells[0].pseudo_labels = lambda data, pool, source, clip: known[rows(pool)][:, None]
    made.results["student"].cells[0].scores = lambda sets: LABELS + 0.0
    made.results["supervised-long"].cells[0].scores = lambda sets: np.where([False, True, True], LABELS, 0.5)
    found = {row["tag"]: row for row in curves.tags(made)}
    assert [(row["kind"], row["teacher"], row["gain"]) for row in found.values()] == [
        ("genre", 1.0, 0.5), ("instrument", 1.0, 0.0), ("form", 0.5, 0.0)
    ]  # fmt: skip
    assert found["rock"]["missing"] == pytest.approx(2 / LABELS[:12, 0].sum()) and found["piano"]["missing"] == 0
    replicate.corpus.truth = None
    assert curves.tags(made) == []


def test_the_variance_of_claims_that_have_one():
    assert curves.variance([{"id": "C1", "variance": None}, {"id": "C2", "variance": {"total": 0.1}}]) == [{"id": "C2", "total": 0.1}]
