import json
from dataclasses import replace

import numpy as np
import pytest

from mtt.config import PAPER, SMOKE
from mtt.models import load_model
from mtt.settings import SettingsError
from mtt.study.job import read_job, run_job


def job_file(folder, text: str, name: str = "mine.toml"):
    (folder / name).write_text(text)
    return folder / name


def test_settings_replace_the_profiles_and_nothing_else(tmp_path, monkeypatch):
    monkeypatch.setenv("MTT_HOME", str(tmp_path))
    text = """
    collection = "tracks.csv"
    profile = "paper"
    recipe = "student-w64"
    seed = 3
    ratios = [0.8, 0.1, 0.1]
    [model]
    width = 128
    [train]
    batch_size = 64
    learning_rate = 1
    [train.augment]
    probability = {pitch = 0.0}
    [train.augment.ranges]
    gain_db = [-30, -2.5]
    [student]
    width = 32
    mask_percentile = 95
    """
    job = read_job(job_file(tmp_path, text))
    assert job.place == tmp_path / "runs" / "job-mine" and (job.config.first_replicate, job.config.replicates) == (3, 1)
    assert job.config.teacher == replace(PAPER.teacher, width=128)
    augment = replace(PAPER.train.augment, probability={"pitch": 0.0}, ranges={"gain_db": (-30.0, -2.5)})
    assert job.config.train == replace(PAPER.train, batch_size=64, learning_rate=1.0, augment=augment)
    assert isinstance(job.config.train.learning_rate, float) and job.config.ratios == (0.8, 0.1, 0.1)
    assert job.recipe.model.width == job.recipe.student.width == 32 and job.recipe.student.mask_percentile == 95.0
    assert job.recipe.teacher.model.width == 128
    same = read_job(job_file(tmp_path, json.dumps({"profile": "smoke", "train": {"augment": None}}), "other.json"))
    assert same.recipe.train.augment is None and same.config.train == replace(SMOKE.train, augment=None)
    assert read_job(job_file(tmp_path, "[train]\naugment = false")).recipe.train.augment is None


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("colection = 'x'", r"colection: no such setting"),
        ("[train]\nstep = 3", r"train\.step: no such setting"),
        ("[train.augment]\nvolume = 3", r"train\.augment\.volume: no such setting"),
        ("[train.augment]\nprobability = {volume = 0.3}", r"augment: 'volume' is no effect; there are polarity, noise"),
        ("[train.augment]\nranges = {gain_db = [1]}", r"train\.augment\.ranges\.gain_db\.1: field required"),
        ("[train.augment]\nranges = {gain_db = ['a', 2]}", r"train\.augment\.ranges\.gain_db\.0: must be .*number, not 'a'"),
        ("[train.augment]\nranges = {gain_db = [2, 1]}", r"augment\.ranges\.gain_db: must be \(lowest, highest\)"),
        ("[model]\nwidth = 'wide'", r"model\.width: must be a whole number from .*, not 'wide'"),
        ("[model]\nwidth = 2.5", r"model\.width: must be a whole number from .*, not 2\.5"),
        ("[model]\nwidth = true", r"model\.width: must be a whole number from .*, not True"),
        ("[model]\narchitecture = 'magic'", r"architecture: 'magic' is unknown"),
        ("[train]\nlearning_rate = nan", r"train\.learning_rate: must be a number from 1e-12 to 10, not nan"),
        ("[train]\nsteps = 9", r"train\.steps: follows from exposure, the number of labelled clips"),
        ("[train]\nprecision = 'bf16'", r"train\.precision: must be 'auto', 'float32' or 'bfloat16', not 'bf16'"),
        ("[train]\nwarmup_steps = -1", r"train\.warmup_steps: must be a whole number from 0 to 1,000,000,000, not -1"),
        ("train = 3", r"train: must be .*, not 3"),
        ("seed = '1'", r"seed: must be a whole number from .*, not '1'"),
        ("profile = 'huge'", r"profile: 'huge' is none of smoke, demo"),
        ("recipe = 'genius'", r"recipe: 'genius' is none of teacher, student, generation-2"),
        ("recipe = 'student-1'", r"recipe: 'student-1' is none of teacher, student"),
        ("[student]\nwidth = 8", r"student: recipe 'teacher' is no student"),
        ("init_from = 'models/x'\n[model]\nwidth = 8", r"model: cannot be given with init_from"),
        ("recipe = 'student'\n[student]\npol = 'train'", r"student\.pol: no such setting"),
        ("recipe = 'student'\n[student]\ntold = 'lies'", r"student\.told: must be 'pseudo-labels', 'permuted' or 'labels', not 'lies'"),
        ("[train]\nbatch_size = 1", r"train\.batch_size: must be a whole number from 2 to 65,536, not 1"),
        ("[train]\nbatch_size = 65536", r"train: batch_size: 65536 clips of 4 s are 73 hours of audio in a batch; at most 10"),
        ("[train]\nlearning_rate = 0", r"train\.learning_rate: must be a number from 1e-12 to 10, not 0"),
        ("[train]\nlearning_rate = inf", r"train\.learning_rate: must be a number from 1e-12 to 10, not inf"),
        ("[model]\nhop = 4096", r"hop: 4096 samples are more than a window of n_fft, 2048"),
        ("[model]\nwidth = 10", r"heads: 4 does not divide width 10"),
        ("[model]\nwidth = 16384\nlayers = 256", r"width 16384, layers 256, .*together .* numbers to learn"),
        ("recipe = 'student'\n[student]\nwidth = 10", r"heads: 4 does not divide width 10"),
        ("recipe = 'fcn'\nbaselines = [['fcn', 3]]", r"channels: expected an even number"),
        ("recipe = 'student-0'", r"recipe: 'student-0' is none of"),
        ("recipe = 'student-99999'", r"recipe: 'student-99999' is none of"),
        ("ratios = [0.7, 0.3]", r"ratios\.2: field required"),
        ("ratios = [0.7, 0.3, 0.3]", r"ratios: must sum to 1, not to 1\.3"),
        ("ratios = [0.9, 0.2, -0.1]", r"ratios\.2: must be a number from 0 to 1, not -0\.1"),
        ("ratios = [0.8, 0.2, 0]", r"ratios: train, valid and test need a share each"),
        ("seed = -1", r"seed: must be a whole number from 0 to 1,000,000,000, not -1"),
        ("seed = 2020-01-01", r"must be plain text and numbers"),
        ("replicates = 2", r"replicates: no such setting of a job; give seed"),
        ("teacher = {width = 8}", r"teacher: no such setting of a job; give \[model\]"),
        ("iterations = 1000", r"iterations: must be a whole number from 1 to 20, not 1000"),
        ("a = " + "[" * 100_000, r"write it as TOML"),
        ("study = ''", r"study: '' is no plain folder name"),
        ("study = '../elsewhere'", r"study: '\.\./elsewhere' is no plain folder name"),
        ("[model]\nsample_rate = 16000", r"model\.sample_rate: must be 22050"),
        ("collection = ", r"mine\.toml: .*write it as TOML"),
    ],
)
def test_a_faulty_file_is_refused_by_the_name_of_its_key(tmp_path, text, message):
    with pytest.raises(SettingsError, match=rf"mine\.toml: .*{message}" if "mine" not in message else message) as caught:
        read_job(job_file(tmp_path, text))
    assert "\n" not in str(caught.value)


def test_a_file_that_is_not_there_is_named(tmp_path):
    with pytest.raises(SettingsError, match="gone.toml: No such file"):
        read_job(tmp_path / "gone.toml")


def test_a_job_makes_a_model_folder_and_is_read_back(tiny_table, tmp_path, monkeypatch):
    monkeypatch.setenv("MTT_HOME", str(tmp_path))
    text = f"collection = {json.dumps(str(tiny_table))}\nprofile = 'smoke'\nstudy = 'labs'\nratios = [0.4, 0.3, 0.3]\n"
    job = read_job(job_file(tmp_path, text + "exposure = 16\n[model]\nn_mels = 32\n[train]\nevaluate_every = 2\n"))
    cell = run_job(job, progress=False)
    assert cell.folder == tmp_path / "runs" / "labs" / "0" / "teacher"
    model = load_model(cell.folder)
    assert model.config.n_mels == 32 and list(cell.history["step"]) == [2, 4]
    assert np.isfinite(cell.scores("test")).all()
    further = read_job(job_file(tmp_path, f"init_from = {json.dumps(str(cell.folder))}\nprofile = 'smoke'\nrecipe = 'student'\n"))
    assert further.config.teacher == model.config and further.recipe.teacher.initial == further.recipe.initial
    assert further.recipe.initial.folder == str(cell.folder) and len(further.recipe.initial.weights_sha256) == 64
    before = (cell.folder / "model.safetensors").stat().st_mtime_ns
    assert (run_job(job, progress=False).folder / "model.safetensors").stat().st_mtime_ns == before
