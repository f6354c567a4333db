"""A job: one model trained from a file of settings, in the study's way and into the same kind of folder.

Conventions: the file is TOML or JSON. ``KEYS`` may stand in it, and the sections ``[model]`` (ModelConfig), ``[train]`` (TrainConfig, with
``[train.augment]``, or ``augment = false``), ``[student]`` (StudentConfig, for a student) and ``[corpus]`` (SyntheticConfig). What is not
given is the profile's; ``study``, the folder in runs/, is job-FILE. Paths start from the current folder. A student's teacher is trained
first, with the same settings.

    collection = "packed"       # what load_corpus takes
    recipe = "teacher"          # or student, student-distilled, short-chunk-resnet, crnn, ...
    profile = "paper"
    init_from = "models/teacher"  # folder of a Transformer that the teacher starts from; its shape stands for [model]
    [train]
    batch_size = 64
"""

from __future__ import annotations

import dataclasses
import json
import math
import tomllib
import types
import typing
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from tqdm import tqdm

from mtt.config import PROFILES, SAMPLE_RATE, StudyConfig, home
from mtt.files import MttError
from mtt.models import read_initial_weights
from mtt.study import recipes
from mtt.study.cells import Stage, make_stage, with_teachers
from mtt.study.recipes import Recipe
from mtt.study.workspace import OWN_RATIOS, Study
from mtt.training.ranks import joined

KEYS = {"collection": str, "recipe": str, "profile": str, "study": str, "seed": int, "init_from": str}
SETTINGS = (  # of StudyConfig
    *("ratios", "chunks", "pool_slots", "minimum_positives"),
    *("student_width", "student_steps", "student_batch", "iterations"),
)
SECTIONS = {"model": "teacher", "train": "train", "corpus": "corpus"}  # section -> field of StudyConfig
MAY_BE_ZERO = {  # other single numbers are sizes, rates or durations
    *("seed", "warmup_steps", "weight_decay", "dropout", "patience", "missing_labels", "unlabelled_weight"),
    *("exact_duplicates", "near_duplicates", "unusable_files", "unlabelled_artists", "iterations"),
    *("clip_share", "polarity", "noise", "gain", "filter", "delay", "pitch", "reverb"),
}


class JobError(MttError):
    """A file of settings that cannot be used; the message names the file, the key and what it should be."""


@dataclass(frozen=True)
class Job:
    """What to train, with what settings, and where."""

    config: StudyConfig
    recipe: Recipe
    folder: Path  # of the study; the model's folder lies in it


def read_job(path: str | Path) -> Job:
    """The job of a TOML or JSON file. Raises ``JobError`` for a key that does not exist or a value that it cannot have."""
    path = Path(path)
    try:
        text = path.read_text(encoding="utf-8")
        given = json.loads(text) if path.suffix == ".json" else tomllib.loads(text)
    except OSError as error:
        raise JobError(f"{path}: {error.strerror}; give a file of settings in TOML or JSON") from error
    except ValueError as error:
        raise JobError(f"{path}: {' '.join(str(error).split())}; write it as {'JSON' if path.suffix == '.json' else 'TOML'}") from error
    try:
        return _job(given, path.stem)
    except JobError as error:
        raise JobError(f"{path}: {error}") from error


def run_job(job: Job, progress: bool = True) -> Stage:
    """Train what the job names, or read it back where it is done; goes on where it was stopped. Under torchrun all ranks train it.

    Raises ``SettingsError`` for a batch that they cannot share.
    """
    with joined() as ranks:
        if ranks.world == 1:
            return Study(job.config, job.folder, progress).make(job.recipe)[0].stages[0]
        for recipe in (chain := with_teachers(job.recipe.with_seed(job.config.seeds[0]))):
            ranks.check(recipe.train.batch_size // (1 if recipe.student is None or recipe.student.pool == "none" else 2))
        data = ranks.agree(Study(job.config, job.folder, progress).data if ranks.first else None)
        total = sum(recipe.train.steps for recipe in chain)
        with tqdm(total=total, desc=f"training on {ranks.world} ranks", unit="step", disable=not (progress and ranks.first)) as bar:
            stages = [make_stage(job.folder, recipe, data, lambda _: bar.update(), ranks) for recipe in chain]
        return stages[-1]


def _job(given: object, stem: str) -> Job:
    if not isinstance(given, dict):
        raise JobError("is no table of settings; write key = value")
    _refuse_unknown(given, [*KEYS, *SETTINGS, *SECTIONS, "student"], "")
    plain = {name: _fitting(kind, None, given[name], name) for name, kind in KEYS.items() if name in given}
    profile, name, study = plain.get("profile", "demo"), plain.get("recipe", "teacher"), plain.get("study", f"job-{stem}")
    if profile not in PROFILES:
        raise JobError(f"profile: {profile!r} is none of {', '.join(PROFILES)}")
    if Path(study).name != study:
        raise JobError(f"study: {study!r} is no plain folder name")
    config = replace(PROFILES[profile], collection=plain.get("collection", "synthetic"), seeds=(plain.get("seed", 0),))
    if config.collection != "synthetic":
        config = replace(config, ratios=OWN_RATIOS)
    if "init_from" in plain:
        if "model" in given:
            raise JobError("model: cannot be given with init_from, whose folder's model has its own shape")
        shape, initial = read_initial_weights(plain["init_from"])
        config = replace(config, teacher=shape, init_from=initial)
    changes = {SECTIONS.get(key, key): given[key] for key in (*SETTINGS, *SECTIONS) if key in given}
    config = _merged(config, changes, {field: section for section, field in SECTIONS.items()})
    if config.teacher.sample_rate != SAMPLE_RATE:
        raise JobError(f"model.sample_rate: must be {SAMPLE_RATE}, the rate of all audio inside the program")
    return Job(config, _recipe(config, name, given.get("student")), home() / "runs" / study)


def _recipe(config: StudyConfig, name: str, options: object) -> Recipe:
    plain = recipes.teacher_without_augmentation(config)
    earlier = [recipes.baseline(config, architecture) for architecture, _ in config.baselines]
    known = recipes.lineup(config) | {recipe.name: recipe for recipe in [plain, *earlier]}
    if name not in known:
        raise JobError(f"recipe: {name!r} is none of {', '.join(known)}")
    recipe = known[name]
    if options is None:
        return recipe
    if recipe.student is None:
        raise JobError(f"student: recipe {name!r} is no student; leave the section out")
    settings = _fitting(type(recipe.student), recipe.student, options, "student")
    return replace(recipe, student=settings, model=replace(recipe.model, width=settings.width))


def _refuse_unknown(given: Mapping, names: list[str], where: str) -> None:
    for name in given:
        if name not in names:
            raise JobError(f"unknown key {where + name!r}; the keys are {', '.join(names)}")


def _merged(default, given: Mapping, shown: Mapping[str, str] | None = None, where: str = ""):
    """``default``, a dataclass, with the values of ``given``; ``shown`` gives fields the names that they have in the file."""
    kinds = typing.get_type_hints(type(default))
    _refuse_unknown(given, list(kinds), where)
    named = {name: where + (shown or {}).get(name, name) for name in given}
    return replace(default, **{name: _fitting(kinds[name], getattr(default, name), value, named[name]) for name, value in given.items()})


def _fitting(kind, default, value: object, where: str):
    """``value`` as a ``kind``: a type, a dataclass, ``X | None`` or a tuple. Raises ``JobError`` where it is something else."""
    if isinstance(kind, types.UnionType):
        if value is None or value is False:  # TOML has no null
            return None
        kind = next(part for part in typing.get_args(kind) if part is not type(None))
    if dataclasses.is_dataclass(kind):
        if not isinstance(value, dict):
            raise JobError(f"{where}: must be a section, not {value!r}")
        return _merged(kind() if default is None else default, value, where=f"{where}.")
    if typing.get_origin(kind) is tuple:
        return _tuple(typing.get_args(kind), value, where)
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    fits = {
        bool: isinstance(value, bool),
        str: isinstance(value, str),
        int: is_number and isinstance(value, int),
        float: is_number and math.isfinite(value),
    }[kind]
    if not fits:
        words = {bool: "true or false", str: "text", int: "a whole number", float: "a number"}
        raise JobError(f"{where}: must be {words[kind]}, not {value!r}")
    name = where.rpartition(".")[2]
    if is_number and not name.startswith("[") and (value < 0 or (value == 0 and name not in MAY_BE_ZERO)):
        raise JobError(f"{where}: must be {'0 or more' if name in MAY_BE_ZERO else 'above 0'}, not {value!r}")
    return kind(value)


def _tuple(kinds: tuple, value: object, where: str) -> tuple:
    wanted = len(kinds) if kinds[-1] is not Ellipsis else None
    if not isinstance(value, list) or (wanted is not None and len(value) != wanted):
        raise JobError(f"{where}: must be a list{'' if wanted is None else f' of {wanted}'}, not {value!r}")
    parts = kinds if wanted is not None else kinds[:1] * len(value)
    return tuple(_fitting(kind, None, item, f"{where}.[{place}]") for place, (kind, item) in enumerate(zip(parts, value, strict=True)))
