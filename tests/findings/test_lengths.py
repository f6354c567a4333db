"""Slopes over lengths, of models that are tested at other lengths and of models that are trained at each."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from mtt.config import SMOKE
from mtt.evaluation.replicates import over_replicates
from mtt.findings import lengths
from mtt.study.recipes import recipe

LABELS = np.array([[1, 1], [1, 0], [0, 1], [0, 0]])
RIGHT, HALF = LABELS.astype(float), np.zeros(LABELS.shape)  # ROC-AUC 1 and 0.5


@pytest.fixture
def judge():
    """Of two replicates; the teacher tells the tag "return" from clips of 1 s on, and "rock" from any."""
    corpus = SimpleNamespace(
        tags=["return", "rock"],
        tag_kinds={"return": "form", "rock": "genre"},
        true_labels=lambda ids: LABELS,
        seconds=lambda ids: np.array([4.0]),
    )
    replicate = SimpleNamespace(corpus=corpus, ids=lambda name: ["a", "b", "c", "d"])
    config = replace(SMOKE, train_lengths=(0.5, 1.0))
    study = SimpleNamespace(config=config, replicates=[replicate, replicate], first=replicate)

    def result(name, scores):
        entry = SimpleNamespace(name=name, label=name.upper(), recipe=recipe(config, "teacher"))
        return SimpleNamespace(name=name, entry=entry, cells=[SimpleNamespace(scores=lambda sets: scores)] * 2)

    short = np.stack([HALF[:, 0], RIGHT[:, 1]], axis=1)
    results = {"teacher": result("teacher", RIGHT), "teacher-0.5s": result("teacher-0.5s", short), "fcn": result("fcn", HALF)}
    return SimpleNamespace(study=study, results=results, spread=over_replicates, bootstrap=None)


def test_kinds_of_tags_gain_where_long_clips_tell_them(judge):
    table, slopes = lengths.by_kind(judge)
    assert table.loc["form"].tolist() == [0.5, 1.0] and table.loc["genre"].tolist() == [1.0, 1.0]
    assert (slopes["form"].effect, slopes["genre"].effect) == (pytest.approx(0.5), pytest.approx(0.0))


def test_a_slope_is_taken_from_the_training_length_upwards(judge):
    assert lengths.study_lengths(judge.study) == [1.0, 2.0, 4.0]
    risen = np.stack([HALF, np.stack([RIGHT[:, 0], HALF[:, 1]], axis=1), RIGHT])  # 0.5, 0.75, 1 at 1, 2 and 4 s
    found = lengths.slopes(judge, {"teacher": [risen, risen], "fcn": [np.stack([HALF] * 3)] * 2})
    assert list(found) == ["TEACHER", "FCN", "TEACHER minus FCN"]
    assert [one.effect for one in found.values()] == [pytest.approx(0.25), 0.0, pytest.approx(0.25)]
