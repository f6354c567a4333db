import math
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from mtt.config import PROFILES, SMOKE, ModelConfig, StudyConfig
from mtt.files import MttError, read_json
from mtt.findings.claims import Judge
from mtt.models import CheckpointError, build_model, save_model
from mtt.settings import read_settings, to_dict
from mtt.study import parameters, recipes
from mtt.study.parameters import PARAMETERS, ParameterError
from mtt.study.workspace import Study, configure, notebook_study, open_study
from tests.tiny import write_collection

STEPS = ("many", True, 2.5, 1e3, 0, -1, 10**10, math.inf)


@pytest.fixture
def study(tiny_table, tmp_path, monkeypatch):
    monkeypatch.setenv("MTT_HOME", str(tmp_path))
    monkeypatch.setattr(parameters, "OWN_RATIOS", (0.4, 0.2, 0.4))
    return open_study(profile="smoke", collection=str(tiny_table), progress=False)


@pytest.mark.parametrize("profile", PROFILES)
def test_every_profile_has_its_settings_and_comes_back_from_json_as_it_was(profile):
    nothing = dict.fromkeys(PARAMETERS) | {"profile": profile}
    assert configure(nothing) == PROFILES[profile] == read_settings(StudyConfig, to_dict(PROFILES[profile]))


@pytest.mark.parametrize(
    ("name", "value", "where"),
    [
        ("steps", 4, lambda c: c.train.steps),
        ("student_steps", 5, lambda c: c.student_steps),
        ("clip_seconds", 1.5, lambda c: c.train.clip_seconds),
        ("teacher_width", 32, lambda c: c.teacher.width),
        ("corpus_seed", 1, lambda c: c.corpus.seed),
        ("student_width", 4, lambda c: c.student_width),
        ("iterations", 3, lambda c: c.iterations),
        ("seeds", 2, lambda c: len(c.seeds)),
    ],
)
def test_a_parameter_changes_exactly_what_it_says(name, value, where):
    changed = configure({"profile": "smoke", name: value})
    assert where(changed) == value != where(SMOKE)
    restored = replace(changed, train=SMOKE.train, teacher=SMOKE.teacher, seeds=SMOKE.seeds, corpus=SMOKE.corpus)
    restored = replace(restored, student_steps=SMOKE.student_steps, student_width=SMOKE.student_width, iterations=SMOKE.iterations)
    assert restored == SMOKE


def test_other_settings_get_another_folder_and_nothing_is_written_over(tiny_table, tmp_path, monkeypatch):
    monkeypatch.setenv("MTT_HOME", str(tmp_path))
    monkeypatch.setattr(parameters, "OWN_RATIOS", (0.4, 0.2, 0.4))
    own = {"profile": "smoke", "collection": str(tiny_table), "progress": False}
    one, other = open_study(**own), open_study(**own, steps=9)
    assert other.folder.name == f"{one.folder.name}-steps9" and open_study(**own, steps=9).folder == other.folder
    monkeypatch.setattr(parameters, "OWN_RATIOS", (0.5, 0.2, 0.3))  # the same name, another study: as when files were added
    before = (one.folder / "study.json").read_bytes()
    marked = open_study(**own)
    assert marked.folder.name == f"{one.folder.name}-{read_json(marked.folder / 'study.json')['mark']}" != one.folder.name
    assert (one.folder / "study.json").read_bytes() == before
    named = open_study(**own, study="mine")
    assert named.folder.name == "mine"
    with pytest.raises(MttError, match="mine: holds a study of other settings or another collection: name another with -p study NAME"):
        _ = open_study(**own, study="mine", steps=9).folder


def test_parameters_reach_the_recipes():
    config = configure({"profile": "smoke", "student_width": 4, "iterations": 3, "student_steps": 9})
    line = {name: recipes.recipe(config, name) for name in recipes.student_experiment(config)}
    assert line["student-distilled"].model.width == 4 and line["student"].model.width == SMOKE.teacher.width
    assert [line[name].teacher.name for name in recipes.generations(config)] == ["teacher", "student", "student-2"]
    assert {recipe.train.steps for name, recipe in line.items() if "student" in name or "control" in name} == {9}


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"student_widht": 3}, "unknown parameter 'student_widht'; the parameters are profile, collection"),
        *(({"steps": value}, f"'steps': must be a whole number from 1 to 1,000,000,000, not {value!r}") for value in STEPS),
        ({"steps": {1, 2}}, "'steps': must be plain text and numbers"),
        ({"iterations": 10**6}, "'iterations': must be a whole number from 1 to 20"),
        ({"teacher_width": 10**9}, "'teacher_width': must be a whole number from 1 to 16,384"),
        (
            {"teacher_width": 16_384, "profile": "paper"},
            "'teacher_width': .*width 16384, .* numbers to learn; at most 1,000,000,000",
        ),
        ({"clip_seconds": 0.01}, "'clip_seconds': must be a number from 0.1 to 3600, not 0.01"),
        ({"clip_seconds": 1e9}, "'clip_seconds': must be a number from 0.1 to 3600, not 1000000000.0"),
        ({"clip_seconds": math.nan}, "'clip_seconds': must be a number from 0.1 to 3600, not nan"),
        ({"clip_seconds": 0.1}, "'clip_seconds': 0.1 s are too short for hop 1024 and n_fft 2048; at least 0.14"),
        ({"clip_seconds": 3600}, "'clip_seconds': .*16 clips of 3600 s are 16 hours of audio in a batch; at most 10"),
        *(({"study": name}, "'study': .* is no plain folder name") for name in ("", "..", "a/b", "a\nb", "a\0", "x" * 300)),
        ({"seeds": 0}, "'seeds': must be a whole number from 1 to 1000, not 0"),
        ({"profile": 3}, "'profile': must be text, not 3"),
        ({"collection": 3}, "'collection': must be .*string, not 3"),
        ({"corpus_seed": 1, "collection": "my.csv"}, "'corpus_seed': is of the embedded corpus"),
        ({"profile": "huge"}, "'profile': 'huge' is none of smoke"),
        ({"study": "../elsewhere"}, "'study': '../elsewhere' is no plain folder name"),
        ({"profile": "smoke", "student_width": 3}, "'student_width': must be a multiple of the 2 attention heads, not 3"),
        ({"profile": "smoke", "teacher_width": 15}, "'teacher_width': must be a multiple of the 2 attention heads, not 15"),
    ],
)
def test_unknown_and_impossible_parameters_are_refused_by_name(given, message):
    with pytest.raises(ParameterError, match=message):
        configure(given)


def test_a_study_that_starts_from_weights_has_their_shape_and_a_control_without_them(tmp_path):
    shape = ModelConfig(channels=4, width=24, heads=2, layers=2, n_mels=32)
    folder = save_model(build_model(shape, 2, seed=0), tmp_path / "model", ["rock", "jazz"])
    config = configure({"profile": "smoke", "init_from": str(folder)})
    assert config.teacher == shape and config.init_from.folder == str(folder)
    line = {name: recipes.recipe(config, name) for name in recipes.student_experiment(config)}
    assert {name for name, recipe in line.items() if recipe.initial} == {name for name, recipe in line.items() if recipe.model == shape}
    assert line["student-distilled"].initial is None and line["short-chunk-resnet"].initial is None
    scratch = recipes.recipe(config, "teacher-from-scratch")
    assert scratch.initial is None and scratch.model == line["teacher"].model and scratch.train == line["teacher"].train
    with pytest.raises(ParameterError, match="'teacher_width': cannot be given with init_from"):
        configure({"profile": "smoke", "init_from": str(folder), "teacher_width": 16})
    with pytest.raises(CheckpointError, match="a model folder holds"):
        configure({"profile": "smoke", "init_from": str(tmp_path)})


def test_a_students_batch_is_counted_in_batches_of_its_teacher():
    for factor in (1, 2):
        config = replace(SMOKE, student_batch=factor)
        sizes = {name: recipes.recipe(config, name).train.batch_size for name in recipes.student_experiment(config)}
        assert sizes.pop("teacher") == sizes.pop("short-chunk-resnet") == SMOKE.train.batch_size
        assert set(sizes.values()) == {factor * SMOKE.train.batch_size}  # students and controls alike


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"tags": ""}, "no track has a tag; fill the column tags"),
        ({"tags": "rock"}, "all 6 tagged tracks have the same, 'rock', so that nothing tells them apart"),
        ({"tags": ["rock|pop", ""] * 3}, "all 3 tagged tracks have the same, 'pop' and 'rock'"),
        ({"artist": ""}, "no tracks for train and valid and test: of 6 tracks 6 have tags, by 0 named artists"),
        (
            {"artist": ["a", "b"] * 3},
            "of 6 tracks 6 have tags, by 2 named artists, and each set needs artists of its own; name artists and tag",
        ),
        ({"split": ["train", "test"] * 3}, "no tracks for valid: .*; name tagged tracks for it in the column split"),
        ({"split": ["train", "test", "valid"] * 2, "tags": ["rock", "pop", ""] * 2}, "no tracks for valid: of 6 tracks 4 have tags"),
        (
            {"split": ["train", "test", "valid"] * 2, "tags": ["rock", "pop", "jazz"] * 2},
            "no tag has 1 positives in each .*nearest, 'jazz', has 0 in train, 2",
        ),
        (
            {"split": ["train", "test", "valid"] * 2, "tags": ["rock"] * 5 + ["rock|pop"]},
            "no tag has .* and a track without it .the nearest, 'rock', has 2",
        ),
        ({"path": [f"gone{number}.wav" for number in range(6)]}, "none of the 6 files can be used; the first, gone0.wav, is unreadable"),
    ],
)
def test_a_study_that_cannot_work_says_so_before_anything_is_trained(tmp_path, monkeypatch, columns, message):
    monkeypatch.setenv("MTT_HOME", str(tmp_path))
    table = write_collection(tmp_path / "music", 6, 1)
    rows = pd.read_csv(table).assign(tags=["low", "high"] * 3)
    rows.assign(**columns).to_csv(table, index=False)
    config = replace(configure({"profile": "smoke", "collection": str(table)}), minimum_positives=1)
    with pytest.raises(MttError, match=f"tracks.*: {message}") as caught:
        _ = Study(config, tmp_path / "runs" / "mine", progress=False).corpus
    assert "\n" not in str(caught.value)


def test_artists_of_one_track_each_make_a_study_without_the_experiment_on_leakage(tmp_path, monkeypatch):
    monkeypatch.setenv("MTT_HOME", str(tmp_path))
    table = write_collection(tmp_path / "music", 12, 1)
    pd.read_csv(table).assign(tags=["low", "high|low", "high"] * 4).to_csv(table, index=False)
    config = replace(configure({"profile": "smoke", "collection": str(table)}), minimum_positives=1, ratios=(0.5, 0.25, 0.25))
    study = Study(config, tmp_path / "runs" / "mine", progress=False)
    assert len(study.corpus) and study.crossover.empty and [claim["id"] for claim in Judge(study).claims("02_split_stratification")] == []


def test_a_notebook_refuses_a_name_that_papermill_injected_but_nobody_knows():
    injected = '# Parameters\nprofile = "smoke"\nitertions = 3\n'
    with pytest.raises(ParameterError, match="unknown parameter 'itertions'"):
        notebook_study({"profile": "smoke", "In": ["", "profile = None", injected]})


def test_a_notebook_ignores_names_that_a_reader_defined(tmp_path, monkeypatch):
    monkeypatch.setenv("MTT_HOME", str(tmp_path))
    study = notebook_study({"profile": "smoke", "steps": 3, "my_own": 1, "In": ["", "my_own = 1"]})
    assert study.config.train.steps == 3


def test_own_collection_is_split_by_artist_and_rare_tags_are_left_out(study):
    corpus = study.corpus
    artists = {name: set(corpus.artists[study.ids(name)]) for name in ("train", "valid", "test", "unlabelled")}
    assert not (artists["train"] & artists["test"]) and not (artists["unlabelled"] & (artists["valid"] | artists["test"]))
    assert (study.folder / "split.csv").exists()
    strict = Study(replace(study.config, minimum_positives=4), study.folder.with_name("strict"), progress=False)
    counts = strict.tag_counts
    assert not counts["kept"].all()
    assert (counts.loc[~counts["kept"], ["train", "valid", "test"]].min(axis=1) < 4).all()
    hopeless = Study(replace(study.config, minimum_positives=1000), study.folder.with_name("hopeless"), progress=False)
    with pytest.raises(MttError, match="no tag has 1000 positives in each of train, valid and test"):
        _ = hopeless.corpus


def test_a_split_in_the_collection_is_used_and_a_leaking_one_refused(tiny_table, tmp_path, monkeypatch):
    monkeypatch.setenv("MTT_HOME", str(tmp_path))
    lines = tiny_table.read_text().splitlines()
    sets = ["train"] * 12 + ["valid"] * 6 + ["test"] * 6 + ["unlabelled"] * 12

    def table(name, column):
        path = tiny_table.with_name(name)
        path.write_text("\n".join(f"{line},{value}" for line, value in zip(lines, ["split", *column], strict=True)) + "\n")
        return str(path)

    given = open_study(profile="smoke", collection=table("given.csv", sets), progress=False)
    assert list(given.split) == sets
    leaking = open_study(profile="smoke", collection=table("leaking.csv", ["test", *sets[1:]]), progress=False)
    with pytest.raises(MttError, match="share artists.*artist 0"):
        _ = leaking.split


def test_every_evaluation_track_is_scored_by_the_arm_that_heard_its_artist_and_by_the_other(tmp_path, monkeypatch):
    monkeypatch.setenv("MTT_HOME", str(tmp_path))
    monkeypatch.setattr(parameters, "OWN_RATIOS", (0.2, 0.2, 0.6))
    table = write_collection(tmp_path / "music", n_artists=18, tracks_each=2)
    study = open_study(profile="smoke", collection=str(table), progress=False)

    class Scored:
        def __init__(self, value):
            self.value = value

        def scores(self):
            return np.full((1, len(study.ids("test")), len(study.corpus.tags)), self.value)

    boot, heard, unheard = Judge(study).leak_arms(Scored(0.1), Scored(0.9))
    evaluated = study.crossover[study.crossover["role"] == "evaluation"]
    np.testing.assert_array_equal(heard[0, :, 0] == 0.1, evaluated["group"] == "a")
    np.testing.assert_array_equal(heard + unheard, np.ones_like(heard))
    assert boot.n_tracks == len(evaluated)
    for name in "ab":
        own = set(study.corpus.artists[study.data.groups[f"group {name}"]])
        assert own == set(evaluated.loc[evaluated["group"] == name, "artist"])


def test_what_pages_record_is_read_back_in_order(study):
    study.record("02_b", claims=[{"id": "C2"}], finding="b")
    study.record("01_a", claims=[{"id": "C1"}])
    assert list(study.recorded()) == ["01_a", "02_b"] and study.recorded()["02_b"]["finding"] == "b"


def test_a_toy_student_variant_is_one_entry(monkeypatch):
    """One object in the line-up, and it is trained, drawn and explained like the others."""
    toy = recipes.Entry("student-toy", "a toy", "#123456", lambda study: recipes.student(study, unlabelled_weight=0.5), "student")
    monkeypatch.setitem(recipes.LINEUP, toy.name, toy)
    assert "student-toy" in recipes.student_experiment(SMOKE)
    made = recipes.recipe(SMOKE, "student-toy")
    assert made.name == "student-toy" and made.student.unlabelled_weight == 0.5 and made.teacher.name == "teacher"
