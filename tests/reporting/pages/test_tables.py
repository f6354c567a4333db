"""Sentences and rows that pages quote: each says what its numbers say."""

import numpy as np

from mtt.config import DEMO, SMOKE
from mtt.evaluation.bootstrap import Difference
from mtt.reporting.pages import tables
from mtt.study.claims import assess


def difference(effect, lo, hi, by_seed=()):
    return Difference(effect, lo, hi, (hi - lo) / 4, "roc_auc", np.array([lo, hi]), by_seed)


def test_the_batches_of_a_student_follow_from_the_settings():
    text = tables.student_batches(DEMO)
    ours = DEMO.student_batch * DEMO.train.batch_size
    assert f"one of a student holds {ours}, of which {ours // 2} are labelled" in text
    assert f"takes {DEMO.student_steps:,} steps, the teacher took {DEMO.train.steps:,}" in text
    assert f"holds {SMOKE.train.batch_size}, of which {SMOKE.train.batch_size // 2}" in tables.student_batches(SMOKE)


def test_rows_of_claims_carry_margins_and_single_trainings():
    several = [
        assess("C1", difference(0.02, 0.01, 0.03, (0.01, 0.03)), 540, 90, 2),
        assess("C5", difference(0.02, 0.01, 0.03), 540, 90, 1),
        assess("C6", difference(0.001, 0.0, 0.002), 540, 90, 1),
    ]
    rows = tables.claims(several).reset_index(drop=True)
    assert list(rows["by_seed"]) == [[0.01, 0.03], [], []]
    np.testing.assert_array_equal(rows[["margin_low", "margin_high"]], [[np.nan, np.nan], [-0.005, np.nan], [-0.005, 0.005]])
