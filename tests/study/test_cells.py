import json
import os
import pickle  # of our own object, between our own processes
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from mtt.config import StudentConfig
from mtt.data import augment
from mtt.files import MttError
from mtt.models import load_model, read_initial_weights
from mtt.models.frontend import TaggingModel
from mtt.study.cells import Cell, cell_fingerprint, effective, finished_cell, make_cell
from mtt.study.recipes import Recipe
from mtt.study.schedule import Job, make_cells
from tests.tiny import TINY_MODEL, TINY_TRAIN

TEACHER = Recipe("teacher", TINY_MODEL, TINY_TRAIN)
STUDENT = Recipe("student", TINY_MODEL, TINY_TRAIN, student=StudentConfig(width=16), teacher=TEACHER)


def make_all(root: Path, recipes: list[Recipe], data) -> list[Cell]:
    return make_cells([Job(root, recipe, data) for recipe in recipes], progress=False)


def stamps(folder: Path) -> dict[str, int]:
    return {str(path): path.stat().st_mtime_ns for path in folder.rglob("*") if path.is_file() and path.suffix != ".lock"}


def final_numbers(cell: Cell) -> list:
    weights = load_model(cell.folder).state_dict()
    history = cell.history.drop(columns="seconds")
    return [cell.scores("test"), cell.scores("valid"), history.to_numpy(), *[value.numpy() for value in weights.values()]]


def assert_same(one: list, two: list) -> None:
    for a, b in zip(one, two, strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.fixture(scope="module")
def made(tiny_data, tmp_path_factory):
    root = tmp_path_factory.mktemp("study")
    return root, make_all(root, [TEACHER, STUDENT], tiny_data)


def test_a_cell_holds_what_the_contract_says(made, tiny_data):
    root, (teacher, student) = made
    for cell in (teacher, student):
        names = {path.name for path in cell.folder.iterdir()}
        assert {"config.json", "history.csv", "model.safetensors", "model.json", "scores.npz", "metrics.json"} <= names
        assert "training.pt" not in names
    assert teacher.scores("test").shape == (len(tiny_data.ids("test")), 3)
    assert set(teacher.metrics) == {"valid", "test", "parameters", "training_seconds"}
    assert load_model(teacher.folder).tags == tiny_data.corpus.tags
    assert load_model(teacher.folder).clip_seconds == TINY_TRAIN.clip_seconds


def test_a_finished_cell_is_read_back_and_nothing_else_is_written_over_it(made, tiny_data):
    root, _ = made
    before = stamps(root / "teacher")
    make_all(root, [TEACHER], tiny_data)
    moved = tiny_data.split.copy()
    moved[tiny_data.ids("test")[0]] = "excluded"
    for recipe, data in [
        (replace(TEACHER, train=replace(TINY_TRAIN, learning_rate=1e-2)), tiny_data),
        (TEACHER, replace(tiny_data, split=moved)),
    ]:
        for make in (finished_cell, make_cell):
            with pytest.raises(MttError, match="teacher: holds a model of other settings, data or version.*move the folder away"):
                make(root, recipe, data)
    assert stamps(root / "teacher") == before


def test_a_cell_is_known_by_what_it_computes(tiny_data, monkeypatch):
    def same(one: Recipe, two: Recipe) -> bool:
        return cell_fingerprint(one, tiny_data) == cell_fingerprint(two, tiny_data)

    assert same(TEACHER, replace(TEACHER, name="another name"))
    used = effective(TEACHER, tiny_data)["train"].get("precision", "auto")
    other = {"float32": "bfloat16", "bfloat16": "float32"}[used]
    assert same(TEACHER, replace(TEACHER, train=replace(TINY_TRAIN, precision=used)))  # what "auto" means on this machine
    assert not same(TEACHER, replace(TEACHER, train=replace(TINY_TRAIN, precision=other)))
    assert not same(STUDENT, replace(STUDENT, teacher=replace(TEACHER, seed=1)))
    before = cell_fingerprint(TEACHER, tiny_data)
    monkeypatch.setitem(augment.EFFECTS, "toy", replace(augment.EFFECTS["gain"], name="toy", probability=0.0, ranges={}))
    assert cell_fingerprint(TEACHER, tiny_data) == before  # an effect that never applies changes nothing
    monkeypatch.setitem(augment.EFFECTS, "toy", replace(augment.EFFECTS["toy"], probability=0.5))
    assert cell_fingerprint(TEACHER, tiny_data) != before


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_training_validation_scores_and_pseudo_labels_obey_the_precision(tiny_data, tmp_path, precision):
    seen = set()

    def spy(module, _):
        if isinstance(module, TaggingModel):
            seen.add(torch.get_autocast_dtype("cpu") if torch.is_autocast_enabled("cpu") else torch.float32)

    recipe = replace(TEACHER, train=replace(TINY_TRAIN, precision=precision, steps=2))
    hook = nn.modules.module.register_module_forward_pre_hook(spy)
    try:
        cell = make_cell(tmp_path, recipe, tiny_data)
        cell.pseudo_labels(tiny_data, tiny_data.groups["pool"], tiny_data.corpus, 1.0)
    finally:
        hook.remove()
    assert seen == {getattr(torch, precision)} and cell.config["precision"] == precision


def test_training_starts_from_the_weights_it_is_given(made, tiny_data, tmp_path):
    _, initial = read_initial_weights(made[0] / "teacher")
    still = replace(TEACHER, seed=5, train=replace(TINY_TRAIN, steps=1, learning_rate=1e-12))
    given, fresh = (make_cell(tmp_path, replace(still, name=n, initial=i), tiny_data) for n, i in (("given", initial), ("fresh", None)))
    source, same, other = (load_model(f).positions for f in (made[0] / "teacher", given.folder, fresh.folder))
    torch.testing.assert_close(same, source, rtol=0, atol=1e-6)
    assert (other - source).abs().max() > 0.1 and given.fingerprint != fresh.fingerprint


def test_a_cell_made_alone_equals_one_made_side_by_side(made, tiny_data, tmp_path):
    root, (teacher, student) = made
    make_cell(tmp_path, TEACHER, tiny_data)
    assert_same(final_numbers(make_cell(tmp_path, STUDENT, tiny_data)), final_numbers(student))


def test_a_recipe_trains_on_the_set_it_names(tiny_data):
    assert effective(TEACHER, tiny_data)["set"] == tiny_data.ids("train")
    assert effective(replace(TEACHER, training_set="group a"), tiny_data)["set"] == tiny_data.groups["group a"]
    assert effective(STUDENT, tiny_data)["pool"] == tiny_data.ids("unlabelled") and effective(TEACHER, tiny_data)["pool"] is None


def test_a_pool_that_shares_an_artist_with_the_test_set_is_refused(made, tiny_data):
    root, _ = made
    split = tiny_data.split.copy()
    test_artist = tiny_data.corpus.artists[tiny_data.ids("test")[0]]
    same = [i for i in tiny_data.ids("test") if tiny_data.corpus.artists[i] == test_artist]
    split[same[-1]] = "unlabelled"
    with pytest.raises(ValueError, match=rf"share artists.*{test_artist}"):
        make_cell(root, replace(STUDENT, name="cheat"), replace(tiny_data, split=split))


def test_a_published_split_may_share_artists(made, tiny_data):
    root, _ = made
    published = replace(tiny_data, corpus=replace(tiny_data.corpus, split_name="the usual split"))
    shared = published.split.copy()
    shared[shared.index[shared == "test"][0]] = "train"
    assert len(make_all(root / "shared", [STUDENT], replace(published, split=shared))) == 1


def test_pseudo_labels_are_made_once_and_belong_to_their_teacher(made, tiny_data):
    root, (teacher, _) = made
    pool, source = tiny_data.groups["pool"], tiny_data.corpus
    found = teacher.pseudo_labels(tiny_data, pool, source, TINY_TRAIN.clip_seconds)
    assert found.shape == (len(pool), tiny_data.pool_slots, 3)
    before = stamps(teacher.folder)
    teacher.pseudo_labels(tiny_data, pool, source, TINY_TRAIN.clip_seconds)
    assert stamps(teacher.folder) == before


def test_controls_differ_from_the_student_in_what_they_say(made, tiny_data):
    root, (_, student) = made
    options = {"quiet": {"noise": False}, "own": {"pool": "labelled"}, "masked": {"mask_percentile": 60.0}}
    options |= {told: {"told": told} for told in ("permuted", "labels")}
    for name, option in options.items():
        recipe = replace(STUDENT, name=name, student=StudentConfig(width=16, **option))
        cell = make_cell(root, recipe, tiny_data)
        assert not np.array_equal(cell.scores("test"), student.scores("test")), name


SCRIPT = """
import pickle, sys
from pathlib import Path
from tests.study.test_cells import STUDENT, TEACHER, make_all
from dataclasses import replace

if __name__ == "__main__":
    data = pickle.loads(Path(sys.argv[1]).read_bytes())
    train = replace(TEACHER.train, steps=24, evaluate_every=4)
    teacher = replace(TEACHER, train=train)
    make_all(Path(sys.argv[2]), [replace(STUDENT, train=train, teacher=teacher)], data)
"""


@pytest.fixture
def start(tiny_data, tmp_path):
    """Starts the script on a folder, in a process group of its own."""
    (tmp_path / "data.pickle").write_bytes(pickle.dumps(tiny_data))
    (tmp_path / "script.py").write_text(SCRIPT)

    def start(root: Path, until: str = "") -> subprocess.Popen:
        command = [sys.executable, str(tmp_path / "script.py"), str(tmp_path / "data.pickle"), str(root)]
        process = subprocess.Popen(command, start_new_session=True, env={**os.environ, "PYTHONPATH": os.getcwd()})
        while until and process.poll() is None and not (root / until).exists():
            time.sleep(0.01)
        return process

    return start


@pytest.mark.slow
def test_a_killed_study_leaves_no_process_behind(start, tmp_path):
    process = start(tmp_path / "study", until="teacher/training.pt")
    process.kill()  # the parent alone: its workers must notice
    process.wait()
    for _ in range(100):
        try:
            os.killpg(process.pid, 0)  # asks whether the group still has a member
        except ProcessLookupError:
            return
        time.sleep(0.1)
    os.killpg(process.pid, signal.SIGKILL)
    pytest.fail("workers outlived the study by 10 s")


def test_an_unreadable_config_is_an_unfinished_cell(made, tiny_data, tmp_path):
    cell = make_cell(tmp_path, TEACHER, tiny_data)
    (cell.folder / "config.json").write_text("{")
    assert finished_cell(tmp_path, TEACHER, tiny_data) is None
    assert json.loads((make_cell(tmp_path, TEACHER, tiny_data).folder / "config.json").read_text())["fingerprint"]
