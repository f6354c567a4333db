"""What stands beside a verdict follows from the numbers."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from mtt.config import DEMO, PAPER
from mtt.evaluation.bootstrap import Difference
from mtt.reporting.pages import words as notes


def difference(effect, lo, hi):
    return Difference(effect, lo, hi, (hi - lo) / 4, "roc_auc", np.array([lo, hi]))


LOWER, UNSURE, HIGHER = difference(-0.017, -0.020, -0.014), difference(0.001, -0.002, 0.004), difference(0.009, 0.007, 0.011)


@pytest.mark.parametrize(
    ("found", "said"),
    [
        ((LOWER, UNSURE, LOWER), "So it is not shown that the pseudo-labels, the new audio or the noise help here."),
        ((LOWER, HIGHER, UNSURE), "So the new audio helps here; it is not shown that the pseudo-labels or the noise help."),
        ((HIGHER, HIGHER, HIGHER), "So the pseudo-labels, the new audio and the noise help here."),
    ],
)
def test_controls_say_what_the_student_owes_to_what(found, said):
    differences = {f"student minus {name}": one for name, one in zip(notes.CONTROLS, found, strict=True)}
    text = notes.controls(differences, HIGHER)
    assert text.endswith(said) and "below the 0.005" not in text
    assert notes.controls(differences, difference(0.0038, 0.002, 0.005)).startswith(
        "The difference is below the 0.005 that C6 calls little."
    )
    if found[0] is LOWER:
        assert "−0.017 [−0.020, −0.014] (as many steps and clips, all of them labelled)" in text


def test_a_leak_is_told_beside_that_of_random_tracks():
    assert "in a split of random tracks 52% of the test tracks" in notes.leak(0.523)


def test_slopes_and_trained_lengths_are_quoted():
    table = pd.DataFrame(
        {"ROC-AUC per doubling": [-0.004, 0.0], "low": [-0.005, -0.001], "high": [-0.003, 0.001]}, index=["teacher", "fcn"]
    )
    assert notes.slopes(table) == ("Change per doubling of the length: teacher −0.0040 [−0.0050, −0.0030], fcn 0.0000 [−0.0010, +0.0010].")
    curve = pd.DataFrame({"seconds": [1.0, 4.0], "estimate": [0.8, 0.9], "low": [0.7, 0.8], "high": [0.9, 1.0]})
    assert notes.trained_lengths({"a": curve, "b": curve}).startswith(
        "Trained anew at each length, a goes from 0.800 at 1 s to 0.900 at 4 s and b"
    )
    assert notes.trained_lengths({}) == ""


def test_models_without_time_to_work_on_are_named():
    short = notes.time_steps(DEMO)
    assert short.loc["teacher", "steps in time"] == (1 + 44_100 // DEMO.teacher.hop) // 4
    assert short.loc["crnn", "steps in time"] == 1 and "recurrence then has nothing to follow" in notes.time_steps_sentence(short)
    paper = notes.time_steps(replace(PAPER, teacher=replace(PAPER.teacher, layers=1)))
    assert paper.loc["crnn", "steps in time"] == 7 and "recurrence" not in notes.time_steps_sentence(paper)
    assert notes.time_steps_sentence(short.assign(**{"steps in time": 3})) == ""
