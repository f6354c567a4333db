import math
from dataclasses import replace

import pandas as pd
import pytest

from mtt.config import PROFILES, SMOKE, ModelConfig, StudentConfig, StudyConfig
from mtt.files import MttError, read_json
from mtt.findings.judge import Judge, leak_effects
from mtt.models import CheckpointError, build_model, save_model
from mtt.settings import SettingsError, read_settings, to_dict
from mtt.study import parameters, recipes
from mtt.study.parameters import PARAMETERS, ParameterError
from mtt.study.replicates import Replicate
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
        ("replicates", 3, lambda c: c.replicates),
        ("first_replicate", 7, lambda c: c.first_replicate),
        ("labelled_artists", 4, lambda c: c.labelled_artists),
        ("pool_artists", 5, lambda c: c.pool_artists),
        ("exposure", 9, lambda c: c.exposure),
        ("clip_seconds", 1.5, lambda c: c.train.clip_seconds),
        ("teacher_width", 32, lambda c: c.teacher.width),
        ("student_width", 4, lambda c: c.student_widths[0]),
        ("iterations", 3, lambda c: c.iterations),
    ],
)
def test_a_parameter_changes_exactly_what_it_says(name, value, where):
    changed = configure({"profile": "smoke", name: value})
    assert where(changed) == value != where(SMOKE)
    fields = [(place or "student_widths").split(".")[0] for place in PARAMETERS.values() if place]
    assert replace(changed, **{name: getattr(SMOKE, name) for name in fields}) == SMOKE


def test_other_settings_get_another_folder_and_nothing_is_written_over(tiny_table, tmp_path, monkeypatch):
    monkeypatch.setenv("MTT_HOME", str(tmp_path))
    monkeypatch.setattr(parameters, "OWN_RATIOS", (0.4, 0.2, 0.4))
    own = {"profile": "smoke", "collection": str(tiny_table), "progress": False}
    one, other = open_study(**own), open_study(**own, exposure=9)
    assert other.folder.name == f"{one.folder.name}-exposure9" and open_study(**own, exposure=9).folder == other.folder
    monkeypatch.setattr(parameters, "OWN_RATIOS", (0.5, 0.2, 0.3))  # the same name, another study: as when files were added
    before = (one.folder / "study.json").read_bytes()
    marked = open_study(**own)
    assert marked.folder.name == f"{one.folder.name}-{read_json(marked.folder / 'study.json')['mark']}" != one.folder.name
    assert (one.folder / "study.json").read_bytes() == before
    named = open_study(**own, study="mine")
    assert named.folder.name == "mine"
    with pytest.raises(MttError, match="mine: holds a study of other settings or another collection: name another with -p study NAME"):
        _ = open_study(**own, study="mine", exposure=9).folder


def test_parameters_reach_the_recipes():
    config = configure({"profile": "smoke", "student_width": 4, "iterations": 3, "exposure": 40})
    line = {name: entry.recipe for name, entry in recipes.lineup(config).items()}
    assert line["student-w4"].model.width == 4 and line["student"].model.width == SMOKE.teacher.width
    assert [line[name].teacher.name for name in recipes.generations(config)] == ["teacher", "student", "generation-2"]
    assert {line[name].exposure for name in ("teacher", "student", "oracle", "generation-3", "fcn")} == {40}
    assert line["supervised-long"].exposure == 80  # as many as a student hears in all


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"student_widht": 3}, "unknown parameter 'student_widht'; the parameters are profile, collection"),
        *(({"exposure": value}, f"'exposure': must be a whole number from 1 to 1,000,000,000, not {value!r}") for value in STEPS),
        ({"exposure": {1, 2}}, "'exposure': must be plain text and numbers"),
        ({"iterations": 10**6}, "'iterations': must be a whole number from 1 to 20"),
        ({"teacher_width": 10**9}, "'teacher_width': must be a whole number from 1 to 16,384"),
        (
            {"teacher_width": 16_384, "profile": "paper"},
            "'teacher_width': .*width 16384, .* numbers to learn; at most 1,000,000,000",
        ),
        ({"clip_seconds": 0.01}, "'clip_seconds': must be a number from 0.1 to 3600, not 0.01"),
        ({"clip_seconds": 1e9}, "'clip_seconds': must be a number from 0.1 to 3600, not 1000000000.0"),
        ({"clip_seconds": math.nan}, "'clip_seconds': must be a number from 0.1 to 3600, not nan"),
        ({"clip_seconds": 0.1}, "'clip_seconds': 0.1 s are too short for hop 2048 and n_fft 2048; at least 0.28"),
        ({"clip_seconds": 3600}, "'clip_seconds': .*16 clips of 3600 s are 16 hours of audio in a batch; at most 10"),
        *(({"study": name}, "'study': .* is no plain folder name") for name in ("", "..", "a/b", "a\nb", "a\0", "x" * 300)),
        ({"replicates": 0}, "'replicates': must be a whole number from 1 to 1,000, not 0"),
        *(({"minutes": value}, "'minutes': must be a number above 0, not ") for value in (0, -1, math.inf, math.nan, True, "5")),
        ({"profile": 3}, "'profile': must be text, not 3"),
        ({"collection": 3}, "'collection': must be .*string, not 3"),
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
    entries = recipes.lineup(config)
    assert entries["teacher"].label == "teacher, fine-tuned" and entries["features"].label == "features of model"
    assert recipes.described_by(replace(config, features_from=replace(config.init_from, folder="other"))).folder == "other"
    line = {name: entry.recipe for name, entry in entries.items() if entry.recipe}
    scratch = line.pop("teacher-from-scratch")
    assert {name for name, recipe in line.items() if recipe.initial} == {name for name, recipe in line.items() if recipe.model == shape}
    assert line["student-w8"].initial is None and line["short-chunk-resnet"].initial is None
    assert scratch.initial is None and scratch.model == line["teacher"].model and scratch.train == line["teacher"].train
    with pytest.raises(ParameterError, match="'teacher_width': cannot be given with init_from"):
        configure({"profile": "smoke", "init_from": str(folder), "teacher_width": 16})
    with pytest.raises(CheckpointError, match="a model folder holds"):
        configure({"profile": "smoke", "init_from": str(tmp_path)})


def test_a_students_batch_is_counted_in_batches_of_its_teacher():
    for factor in (1, 2):
        config = replace(SMOKE, student_batch=factor)
        sizes = {name: entry.recipe.train.batch_size for name, entry in recipes.lineup(config).items() if entry.recipe}
        assert sizes["teacher"] == sizes["short-chunk-resnet"] == SMOKE.train.batch_size
        students = {size for name, size in sizes.items() if name.startswith(("student", "oracle", "generation"))}
        assert students == {factor * SMOKE.train.batch_size} == {sizes["supervised-long"]}


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
        _ = Study(config, tmp_path / "runs" / "mine", progress=False).first.corpus
    assert "\n" not in str(caught.value)


def test_artists_of_one_track_each_make_a_study_without_the_experiment_on_leakage(tmp_path, monkeypatch):
    monkeypatch.setenv("MTT_HOME", str(tmp_path))
    table = write_collection(tmp_path / "music", 12, 1)
    pd.read_csv(table).assign(tags=["low", "high|low", "high"] * 4).to_csv(table, index=False)
    config = replace(configure({"profile": "smoke", "collection": str(table)}), minimum_positives=1, ratios=(0.5, 0.25, 0.25))
    study = Study(config, tmp_path / "runs" / "mine", progress=False)
    assert len(study.first.corpus) and study.first.crossover.empty and leak_effects(Judge(study)) is None


def test_a_notebook_refuses_a_name_that_papermill_injected_but_nobody_knows():
    injected = '# Parameters\nprofile = "smoke"\nitertions = 3\n'
    with pytest.raises(ParameterError, match="unknown parameter 'itertions'"):
        notebook_study({"profile": "smoke", "In": ["", "profile = None", injected]})


def test_a_notebook_ignores_names_that_a_reader_defined(tmp_path, monkeypatch):
    monkeypatch.setenv("MTT_HOME", str(tmp_path))
    study = notebook_study({"profile": "smoke", "exposure": 3, "my_own": 1, "In": ["", "my_own = 1"]})
    assert study.config.exposure == 3


def test_own_collection_is_split_by_artist_and_rare_tags_are_left_out(study):
    corpus, first = study.first.corpus, study.first
    artists = {name: set(corpus.artists[first.ids(name)]) for name in ("train", "valid", "test", "unlabelled")}
    assert not (artists["train"] & artists["test"]) and not (artists["unlabelled"] & (artists["valid"] | artists["test"]))
    assert (first.folder / "split.csv").exists()
    strict = Study(replace(study.config, minimum_positives=4), study.folder.with_name("strict"), progress=False)
    counts = strict.first.tag_counts
    assert not counts["kept"].all()
    assert (counts.loc[~counts["kept"], ["train", "valid", "test"]].min(axis=1) < 4).all()
    hopeless = Study(replace(study.config, minimum_positives=1000), study.folder.with_name("hopeless"), progress=False)
    with pytest.raises(MttError, match="no tag has 1000 positives in each of train, valid and test"):
        _ = hopeless.first.corpus


def test_a_split_in_the_collection_is_used_and_a_leaking_one_refused(tiny_table, tmp_path, monkeypatch):
    monkeypatch.setenv("MTT_HOME", str(tmp_path))
    lines = tiny_table.read_text().splitlines()
    sets = ["train"] * 12 + ["valid"] * 6 + ["test"] * 6 + ["unlabelled"] * 12

    def table(name, column):
        path = tiny_table.with_name(name)
        path.write_text("\n".join(f"{line},{value}" for line, value in zip(lines, ["split", *column], strict=True)) + "\n")
        return str(path)

    given = open_study(profile="smoke", collection=table("given.csv", sets), progress=False)
    assert list(given.first.split) == sets
    leaking = open_study(profile="smoke", collection=table("leaking.csv", ["test", *sets[1:]]), progress=False)
    with pytest.raises(MttError, match="share artists.*artist 0"):
        _ = leaking.first.split


def test_either_half_of_the_leak_experiment_adds_the_artists_that_it_evaluates(tmp_path, monkeypatch):
    monkeypatch.setenv("MTT_HOME", str(tmp_path))
    monkeypatch.setattr(parameters, "OWN_RATIOS", (0.2, 0.2, 0.6))
    table = write_collection(tmp_path / "music", n_artists=18, tracks_each=2)
    first = open_study(profile="smoke", collection=str(table), progress=False).first
    evaluated, artists = first.crossover[first.crossover["role"] == "evaluation"], first.corpus.artists
    for name in "ab":
        added = set(artists[first.groups[f"group {name}"]]) - set(artists[first.groups["labelled"]])
        assert added == set(evaluated.loc[evaluated["group"] == name, "artist"])
        assert not set(first.groups[f"group {name}"]) & set(evaluated.index)


def test_replicates_are_other_splits_of_one_collection_and_training_sets_lie_within_each_other(study):
    one, other = study.replicates
    assert (one.number, other.number) == (100, 101) and one.folder.parent == other.folder.parent == study.folder
    assert list(one.collection.tracks.index) == list(other.collection.tracks.index)
    others = [Replicate(study.config, number, study.folder / str(number), progress=False).split for number in range(101, 106)]
    assert any(list(split) != list(one.split) for split in others)
    assert one.job(study.lineup["teacher"].recipe).recipe.seed == 100
    with pytest.raises(SettingsError, match="pool: 'everything' is no set of tracks; there are labelled"):
        one.job(replace(study.lineup["student"].recipe, student=StudentConfig(pool="everything")))
    strict = Study(replace(study.config, labelled_artists=2, scarcity=(1,)), study.folder.with_name("few"), progress=False).first
    assert set(strict.groups["labelled-1"]) < set(strict.groups["labelled-2"]) == set(strict.groups["labelled"])


def test_what_pages_record_is_read_back_in_order(study):
    study.record("02_b", claims=[{"id": "C2"}], finding="b")
    study.record("01_a", claims=[{"id": "C1"}])
    assert list(study.recorded()) == ["01_a", "02_b"] and study.recorded()["02_b"]["finding"] == "b"
