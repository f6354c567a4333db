import json
from dataclasses import replace

import numpy as np
import pytest

from mtt.config import PAPER, SMOKE
from mtt.models import load_model
from mtt.study.job import JobError, read_job, run_job


def job_file(folder, text: str, name: str = "mine.toml"):
    (folder / name).write_text(text)
    return folder / name


def test_settings_replace_the_profiles_and_nothing_else(tmp_path, monkeypatch):
    monkeypatch.setenv("MTT_HOME", str(tmp_path))
    text = """
    collection = "tracks.csv"
    profile = "paper"
    recipe = "student-distilled"
    seed = 3
    ratios = [0.8, 0.1, 0.1]
    [model]
    width = 128
    [train]
    batch_size = 64
    learning_rate = 1
    [train.augment]
    gain_db = [-30, -2.5]
    [student]
    width = 32
    mask_percentile = 95
    """
    job = read_job(job_file(tmp_path, text))
    assert job.folder == tmp_path / "runs" / "job-mine" and job.config.seeds == (3,)
    assert job.config.teacher == replace(PAPER.teacher, width=128)
    augment = replace(PAPER.train.augment, gain_db=(-30.0, -2.5))
    assert job.config.train == replace(PAPER.train, batch_size=64, learning_rate=1.0, augment=augment)
    assert isinstance(job.config.train.learning_rate, float) and job.config.ratios == (0.8, 0.1, 0.1)
    assert job.recipe.model.width == job.recipe.student.width == 32 and job.recipe.student.mask_percentile == 95.0
    assert job.recipe.teacher.model.width == 128
    same = read_job(job_file(tmp_path, json.dumps({"profile": "smoke", "train": {"augment": None}}), "other.json"))
    assert same.recipe.train == replace(SMOKE.train, augment=None)
    assert read_job(job_file(tmp_path, "[train]\naugment = false")).recipe.train.augment is None


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("colection = 'x'", r"unknown key 'colection'; the keys are collection, recipe"),
        ("[train]\nstep = 3", r"unknown key 'train\.step'; the keys are steps"),
        ("[train.augment]\nvolume = 3", r"unknown key 'train\.augment\.volume'"),
        ("[model]\nwidth = 'wide'", r"model\.width: must be a whole number, not 'wide'"),
        ("[model]\nwidth = 2.5", r"model\.width: must be a whole number, not 2\.5"),
        ("[model]\nwidth = true", r"model\.width: must be a whole number, not True"),
        ("[train]\nlearning_rate = nan", r"train\.learning_rate: must be a number, not nan"),
        ("[train]\nsteps = 0", r"train\.steps: must be above 0, not 0"),
        ("[train]\nwarmup_steps = -1", r"train\.warmup_steps: must be 0 or more, not -1"),
        ("[train.augment]\ngain_db = [1]", r"train\.augment\.gain_db: must be a list of 2, not \[1\]"),
        ("[train.augment]\ngain_db = ['a', 2]", r"train\.augment\.gain_db\.\[0\]: must be a number"),
        ("train = 3", r"train: must be a section, not 3"),
        ("seed = '1'", r"seed: must be a whole number"),
        ("profile = 'huge'", r"profile: 'huge' is none of smoke, demo"),
        ("recipe = 'genius'", r"recipe: 'genius' is none of teacher, student"),
        ("[student]\nwidth = 8", r"student: recipe 'teacher' is no student"),
        ("init_from = 'models/x'\n[model]\nwidth = 8", r"model: cannot be given with init_from"),
        ("recipe = 'student'\n[student]\npol = 'train'", r"unknown key 'student\.pol'"),
        ("study = '../elsewhere'", r"study: '\.\./elsewhere' is no plain folder name"),
        ("[model]\nsample_rate = 16000", r"model\.sample_rate: must be 22050"),
        ("collection = ", r"mine\.toml: .*write it as TOML"),
    ],
)
def test_a_faulty_file_is_refused_by_the_name_of_its_key(tmp_path, text, message):
    with pytest.raises(JobError, match=rf"mine\.toml: .*{message}" if "mine" not in message else message) as caught:
        read_job(job_file(tmp_path, text))
    assert "\n" not in str(caught.value)


def test_a_file_that_is_not_there_is_named(tmp_path):
    with pytest.raises(JobError, match="gone.toml: No such file"):
        read_job(tmp_path / "gone.toml")


def test_a_job_makes_a_model_folder_and_is_read_back(tiny_table, tmp_path, monkeypatch):
    monkeypatch.setenv("MTT_HOME", str(tmp_path))
    text = f"collection = {json.dumps(str(tiny_table))}\nprofile = 'smoke'\nstudy = 'labs'\nratios = [0.4, 0.3, 0.3]\n"
    job = read_job(job_file(tmp_path, text + "[model]\nn_mels = 32\n[train]\nsteps = 4\nevaluate_every = 2\n"))
    stage = run_job(job, progress=False)
    assert stage.folder == tmp_path / "runs" / "labs" / "teacher"
    model = load_model(stage.folder)
    assert model.config.n_mels == 32 and list(stage.history["step"]) == [2, 4]
    assert np.isfinite(stage.scores("test")).all()
    further = read_job(job_file(tmp_path, f"init_from = {json.dumps(str(stage.folder))}\nprofile = 'smoke'\nrecipe = 'student'\n"))
    assert further.config.teacher == model.config and further.recipe.teacher.initial == further.recipe.initial
    assert further.recipe.initial.folder == str(stage.folder) and len(further.recipe.initial.weights_sha256) == 64
    before = (stage.folder / "model.safetensors").stat().st_mtime_ns
    assert (run_job(job, progress=False).folder / "model.safetensors").stat().st_mtime_ns == before
