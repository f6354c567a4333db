"""A job: one model trained from a file of settings, in the study's way and into the same kind of folder.

Conventions: the file is TOML or JSON. In it may stand ``KEYS``, the fields of StudyConfig that are no section, and the sections ``[model]``
(ModelConfig), ``[train]`` (TrainConfig, with ``[train.augment]``, or ``augment = false``), ``[student]`` (StudentConfig, for a student) and
``[corpus]`` (SyntheticConfig). What is not given is the profile's; ``study``, the folder in runs/, is job-FILE. Paths start from the folder
one is in. A student's teacher is trained first, with the same settings.

    collection = "packed"         # what load_corpus takes
    recipe = "teacher"            # or student, student-distilled, short-chunk-resnet, crnn, ...
    profile = "paper"
    init_from = "models/teacher"  # folder of a Transformer that the teacher starts from; its shape stands for [model]
    [train]
    batch_size = 64
"""

from __future__ import annotations

import json
import tomllib
from dataclasses import dataclass, replace
from pathlib import Path

from tqdm import tqdm

from mtt.config import PROFILES, StudentConfig, StudyConfig
from mtt.files import home, one_line
from mtt.models.build import check_config as check_model
from mtt.settings import SettingsError, read_settings
from mtt.study import recipes
from mtt.study.cells import Cell, make_cell
from mtt.study.parameters import settings_of
from mtt.study.recipes import Recipe
from mtt.study.schedule import make_cells
from mtt.study.workspace import Study, check_study, started_from
from mtt.training.ranks import joined

KEYS = ("profile", "recipe", "study", "seed", "init_from")  # beside the fields of StudyConfig
SECTIONS = {"model": "teacher"}  # section -> the field of StudyConfig, where it has another name
INSTEAD = {
    "replicates": "seed: a job trains one model",
    "first_replicate": "seed",
    "teacher": "[model]",
}  # of fields of StudyConfig that a job words in its own way


@dataclass(frozen=True)
class Job:
    """What to train, with what settings, and where."""

    config: StudyConfig
    recipe: Recipe
    place: Path  # of the study's folder


def read_job(path: str | Path) -> Job:
    """The job of a TOML or JSON file. Raises ``SettingsError`` for a key that does not exist or a value that it cannot have."""
    path = Path(path)
    kind = "JSON" if path.suffix == ".json" else "TOML"
    try:
        text = path.read_text(encoding="utf-8")
        given = json.loads(text) if kind == "JSON" else tomllib.loads(text)
    except OSError as error:
        raise SettingsError(f"{path}: {error.strerror}; give a file of settings in TOML or JSON") from error
    except (ValueError, RecursionError) as error:
        raise SettingsError(f"{path}: {one_line(error)}; write it as {kind}") from error
    try:
        if not isinstance(given, dict):
            raise SettingsError("is no table of settings; write key = value")
        return _job(given, path.stem)
    except SettingsError as error:
        raise SettingsError(f"{path}: {error}") from error


def _job(given: dict, stem: str) -> Job:
    for name in INSTEAD.keys() & given.keys():
        raise SettingsError(f"{name}: no such setting of a job; give {INSTEAD[name]}")
    given = {"seed": 0, "study": f"job-{stem}"} | given
    changes = {SECTIONS.get(name, name): value for name, value in given.items() if name not in (*KEYS, "student")}
    if isinstance(train := given.get("train"), dict) and "steps" in train:
        raise SettingsError("train.steps: follows from exposure, the number of labelled clips that a model sees; give that")
    one = {"first_replicate": given["seed"], "replicates": 1}
    usual = {"exposure": PROFILES[given.get("profile", "demo")].exposure} if given.get("profile", "demo") in [*PROFILES] else {}
    config = settings_of(given, usual | changes | one, {"teacher": "model", "first_replicate": "seed"})
    config = started_from(config, given.get("init_from"))
    check_study(config)
    recipe = _recipe(config, given.get("recipe", "teacher"), given.get("student"))
    for one in recipe.chain:
        check_model(one.model)
    return Job(config, recipe, home() / "runs" / given["study"])


def _recipe(config: StudyConfig, name: str, options: object) -> Recipe:
    recipe = recipes.recipe(config, name)
    if options is None:
        return recipe
    if recipe.student is None:
        raise SettingsError(f"student: recipe {name!r} is no student; leave the section out")
    try:
        settings = read_settings(StudentConfig, options, recipe.student)
    except SettingsError as error:
        raise SettingsError(f"student.{error}") from error
    return replace(recipe, student=settings, model=replace(recipe.model, width=settings.width))


def run_job(job: Job, progress: bool = True) -> Cell:
    """Train what the job names, go on where that was stopped, or read it back. Under torchrun all ranks train it. Raises ``MttError``."""
    with joined() as ranks:
        study = Study(job.config, job.place, progress)
        if ranks.first:
            study.first.prepare()
        if ranks.world == 1:
            return make_cells([study.first.job(job.recipe)], progress)[0]
        chain = job.recipe.with_seed(job.config.first_replicate).chain
        for recipe in chain:
            ranks.check(recipe.train.batch_size, 2 if recipe.student else 1)
        folder, data = ranks.agree((study.first.folder, study.first.data) if ranks.first else None)
        total = sum(recipe.train.steps for recipe in chain)
        with tqdm(total=total, desc=f"training on {ranks.world} ranks", unit="step", disable=not (progress and ranks.first)) as bar:
            cells = [make_cell(folder, recipe, data, lambda _: bar.update(), ranks) for recipe in chain]
        return cells[-1]
