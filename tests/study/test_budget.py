from dataclasses import replace

import numpy as np
import pytest

from mtt.config import DEMO, SMOKE
from mtt.files import MttError, write_json
from mtt.findings.claims import page_claims
from mtt.findings.judge import Judge
from mtt.reporting.pages import remarks
from mtt.settings import to_dict
from mtt.study import budget, workspace
from mtt.study.budget import CHANGE, enough, fitted_clips, heard
from mtt.study.cells import cell_fingerprint
from mtt.study.parameters import apply_parameters
from mtt.study.recipes import by_need, lineup
from mtt.study.workspace import Study, open_study
from tests.tiny import write_collection


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


@pytest.fixture
def asked(tiny_table, tmp_path, monkeypatch):
    monkeypatch.setenv("MTT_HOME", str(tmp_path / "home"))
    asked = replace(SMOKE, collection=str(tiny_table), labelled_artists=None, pool_artists=None, scarcity=(), pools=(), exposure=8)
    asked = replace(asked, ratios=(0.5, 0.25, 0.25), baselines=(("fcn", 4),), undertrained=())
    return replace(asked, train=replace(asked.train, prepared=0))


@pytest.fixture
def paced(monkeypatch):
    """A machine that takes a second for a second of sound, one model at a time; its cells have no weights. The names that it trained."""
    trained: list[str] = []

    def train(jobs, progress):
        for job in (part for one in jobs for part in (*one.teachers, one)):
            if job.cell is not None:
                continue
            recipe = to_dict(job.recipe)
            write_json(job.place / "config.json", {"fingerprint": cell_fingerprint(job.recipe, job.data), "recipe": recipe})
            scores = {name: {"roc_auc": 0.7, "pr_auc": 0.5} for name in ("valid", "test")}
            write_json(job.place / "metrics.json", {"training_seconds": heard(recipe), "parameters": 1, **scores})
            trained.append(job.recipe.name)
        return [job.cell for job in jobs]

    monkeypatch.setattr(budget, "clips_per_second", lambda replicate: 1.0)
    monkeypatch.setattr(budget, "side_by_side", lambda: 1)
    for module in (budget, workspace):
        monkeypatch.setattr(module, "make_cells", train)
    return trained


def minutes(study: Study, names: list[str]) -> float:
    """That these take in one replicate."""
    return sum(heard(to_dict(study.lineup[name].recipe)) for name in names if study.lineup[name].recipe) / 60


def test_a_study_makes_what_its_minutes_suffice_for_and_with_more_it_goes_on(asked, paced, tmp_path):
    full = Study(asked, tmp_path / "study", progress=False)
    order = [name for name in by_need(asked) if name in full.lineup]
    few = Study(asked, tmp_path / "study", progress=False, minutes=minutes(full, order[:3]) + 0.01)
    assert set(few.lineup) == {*order[:3], "hand-made"} and len(few.replicates) == 1 and paced == ["teacher", "student", "supervised-long"]
    judge = Judge(few)
    judge.results = few.make_named(["teacher", "student", "supervised-long"])
    told = [page_claims(judge, page) for page in ("02_split_stratification", "03_teacher_training", "04_noisy_student")]
    assert [[entry["id"] for entry in entries] for entries in told] == [[], [], ["C4a", "C4b"]]
    (said,) = remarks.left_out(few)
    assert said.startswith(f"{few.minutes:g} minutes of training left out 1 replicate; ") and " more. Run again with more: " in said
    assert "left out 1 replicate; FCN. Run again" in remarks.left_out(few, ["teacher", "fcn"])[0]
    again = Study(asked, tmp_path / "study", progress=False, minutes=few.minutes)  # as a notebook opens it
    assert again.config == few.config and len(paced) == 3
    more = Study(asked, tmp_path / "study", progress=False, minutes=2 * minutes(full, order) + 0.01)
    assert more.folder == few.folder and more.config == full.config and remarks.left_out(more) == []
    assert sorted(paced) == sorted(order * 2)  # each once in each replicate
    assert all(job.cell for job in (full.first.job(full.lineup["student"].recipe), full.replicates[1].job(full.lineup["fcn"].recipe)))


def test_another_replicate_is_begun_only_where_there_is_time_for_the_whole(asked, paced, tmp_path):
    full = Study(asked, tmp_path / "study", progress=False)
    some = Study(asked, tmp_path / "study", progress=False, minutes=1.9 * minutes(full, list(full.lineup)))
    assert list(some.lineup) == list(full.lineup) and len(some.replicates) == 1 and len(paced) == len(set(paced))
    assert "training left out 1 replicate. Run again" in remarks.left_out(some)[0]


def test_minutes_that_do_not_suffice_for_a_teacher_and_a_student_are_refused_with_those_that_do(asked, paced, tmp_path):
    least = minutes(Study(asked, tmp_path / "study", progress=False), ["teacher", "student"])
    with pytest.raises(MttError, match=r"minutes: 0.1 are too few, for a teacher and its student take about 0.\d+; give as many") as caught:
        _ = Study(asked, tmp_path / "study", progress=False, minutes=0.1).config
    enough = float(str(caught.value).split("about ")[1].split(";")[0])
    assert least <= enough <= 1.1 * least and paced == []
    assert {"teacher", "student"} <= set(Study(asked, tmp_path / "study", progress=False, minutes=enough).lineup)


def test_the_search_for_a_budget_counts_as_training(asked, paced, tmp_path):
    asked = replace(asked, exposure=None)
    with pytest.raises(
        MttError, match=r"to look for the budget of a collection .* takes about \d+; give as many, or a budget: -p exposure"
    ):
        _ = Study(asked, tmp_path / "study", progress=False, minutes=0.1).config
    clips = 25 * len(Study(asked, tmp_path / "study", progress=False).first.groups["labelled"])
    least = (clips + 2 * clips + clips + 2 * clips) / 60  # two budgets, the teacher, its student
    study = Study(asked, tmp_path / "study", progress=False, minutes=1.02 * least)
    assert set(study.lineup) == {"teacher", "student", "hand-made"} and study.config.exposure == clips
    assert paced == [f"budget-{clips}", f"budget-{2 * clips}", "teacher", "student"]


def test_minutes_are_no_part_of_what_a_study_is(tiny_table, tmp_path, monkeypatch):
    monkeypatch.setenv("MTT_HOME", str(tmp_path))
    one, other = (open_study(profile="smoke", collection=str(tiny_table), progress=False, **more) for more in ({}, {"minutes": 5}))
    assert one.folder == other.folder and one.asked == other.asked and other.minutes == 5


def test_clips_are_halved_until_half_of_the_tracks_fill_them():
    config = replace(DEMO, collection="tracks.csv")
    assert fitted_clips(config, np.array([2.0, 30.0, 30.0])) == config
    short = fitted_clips(config, np.array([2.0, 2.5, 30.0]))
    assert (short.train.clip_seconds, short.train_lengths) == (2.0, (1.0, 2.0))
    assert set(lineup(short)) == {name.replace("-2s", "-1s") for name in lineup(config)}
    assert fitted_clips(config, np.array([0.1])).train.clip_seconds == 1.0  # what the models need


def test_a_clip_length_that_is_asked_for_is_kept_and_the_page_says_what_was_chosen(tmp_path, monkeypatch):
    monkeypatch.setenv("MTT_HOME", str(tmp_path))
    table = str(write_collection(tmp_path / "music"))  # of 2 s
    study = open_study(profile="demo", collection=table, exposure=8, progress=False)
    assert study.config.train.clip_seconds == 2.0 == study.first.config.train.clip_seconds
    assert "shorter than the profile's clips of 4 s, so clips of 2 s" in remarks.clip_length(study.asked, study.config)
    kept = open_study(profile="demo", collection=table, exposure=8, clip_seconds=4.0, progress=False)
    assert kept.config.train.clip_seconds == 4.0 and remarks.clip_length(kept.asked, kept.config) == ""
