from dataclasses import replace

import pytest

from mtt.config import SMOKE
from mtt.study import budget
from mtt.study.budget import CHANGE, enough
from mtt.study.parameters import apply_parameters
from mtt.study.workspace import Study


def rows(*scores: float) -> list[dict]:
    return [{"exposure": 100 * 2**place, "valid": score} for place, score in enumerate(scores)]


@pytest.mark.parametrize(
    "scores, expected",
    [((0.7, 0.7), 100), ((0.7, 0.7 + 2 * CHANGE, 0.7 + 2.5 * CHANGE), 200), ((0.6, 0.7, 0.8), 400), ((0.7, 0.6, 0.9), 100)],
)
def test_the_smallest_budget_is_taken_that_twice_as_much_does_not_improve_on(scores, expected):
    assert enough(rows(*scores)) == expected


def test_a_collection_is_studied_with_all_its_labels_and_to_the_plateau_and_the_embedded_corpus_as_the_profile_says():
    own = apply_parameters({"profile": "demo", "collection": "tracks.csv"})
    assert (own.labelled_artists, own.pool_artists, own.exposure) == (None, None, None)
    assert apply_parameters({"profile": "demo", "collection": "tracks.csv", "exposure": 500}).exposure == 500
    assert apply_parameters({"profile": "demo"}).exposure == 28_000


@pytest.mark.slow
def test_budgets_double_until_validation_stops_rising_and_are_read_back(tiny_table, tmp_path, monkeypatch):
    monkeypatch.setenv("MTT_HOME", str(tmp_path / "home"))
    monkeypatch.setattr(budget, "FIRST", 1)
    monkeypatch.setattr(budget, "MOST", 2)
    asked = replace(SMOKE, collection=str(tiny_table), exposure=None, labelled_artists=None, pool_artists=None, scarcity=(), pools=())
    asked = replace(asked, ratios=(0.5, 0.25, 0.25), minimum_positives=1)
    study = Study(asked, tmp_path / "study", progress=False)
    tracks = len(study.first.groups["labelled"])
    assert [row["exposure"] for row in study.budgets] == [tracks, 2 * tracks]
    assert study.config.exposure == enough(study.budgets)
    monkeypatch.setattr(budget, "make_cells", lambda jobs, progress: [job.cell for job in jobs])  # they are there
    assert Study(asked, tmp_path / "study", progress=False).budgets == study.budgets
