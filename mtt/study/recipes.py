"""What the study trains, as data: a recipe says all that makes one trained model, the line-up all that the study calls by name.

Conventions: a recipe's name is the name of its folder in the study; ``seed`` 0 has the bare name, others end in ``-seed1`` and so on. A
model that the study trains is one ``Entry`` of ``LINEUP``; the earlier systems among them are classes of ``mtt.models.build.MODELS``, the
generations after the first student (``student-2``, ``student-3``, ...) follow from their number.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Literal

from mtt.config import MAX_GENERATIONS, InitialWeights, ModelConfig, StudentConfig, StudyConfig, TrainConfig
from mtt.models.build import MODELS
from mtt.settings import SettingsError

ARTIST_LEVEL = "artist-level"
HAND_MADE = "hand-made"


@dataclass(frozen=True)
class Recipe:
    """One model to train: architecture, training settings, training set, and for a student its teacher."""

    name: str
    model: ModelConfig
    train: TrainConfig
    seed: int = 0
    training_set: str = ARTIST_LEVEL
    student: StudentConfig | None = None
    teacher: Recipe | None = None
    initial: InitialWeights | None = None  # None: random weights

    @property
    def folder(self) -> str:
        return self.name if self.seed == 0 else f"{self.name}-seed{self.seed}"

    @property
    def chain(self) -> list[Recipe]:
        """The recipe after its teacher, its teacher's teacher and so on."""
        return [*([] if self.teacher is None else self.teacher.chain), self]

    @property
    def uses_pool(self) -> bool:
        """Whether half of its batches are pseudo-labelled clips."""
        return self.student is not None and self.student.pool != "none"

    def with_seed(self, seed: int) -> Recipe:
        """The same recipe, and its teachers, with another seed."""
        return replace(self, seed=seed, teacher=self.teacher and self.teacher.with_seed(seed))


def with_clip_seconds(recipe: Recipe, seconds: float) -> Recipe:
    """The same recipe on clips of another length; the recipe itself where that is its length."""
    if seconds == recipe.train.clip_seconds:
        return recipe
    return replace(recipe, name=f"{recipe.name}-{seconds:g}s", train=replace(recipe.train, clip_seconds=seconds))


@dataclass(frozen=True)
class Entry:
    """A model of the study: its name, what it is in words, its colour on every page, and its recipe under given settings."""

    name: str
    about: str
    colour: str
    make: Callable[[StudyConfig], Recipe] | None  # None: no deep model, made in its own way
    kind: Literal["", "student", "control"] = ""  # in the noisy-student experiment, if it is part of it
    shows: str = ""  # what a student that beats this control would owe its score to


def teacher(study: StudyConfig, **changes) -> Recipe:
    return replace(Recipe("teacher", study.teacher, study.train, initial=study.init_from), **changes)


def student(study: StudyConfig, learns_from: str = "teacher", **options) -> Recipe:
    """A noisy student of the model ``learns_from``; ``options`` are ``StudentConfig``'s. Equal in size unless ``width`` is given."""
    first = recipe(study, learns_from)
    settings = StudentConfig(**{"width": first.model.width, **options})
    model = replace(first.model, width=settings.width)
    initial = study.init_from if model == study.teacher else None
    train = replace(study.train, steps=study.student_steps, batch_size=study.student_batch * study.train.batch_size)
    return Recipe("student", model, train, student=settings, teacher=first, initial=initial)


def _baseline(architecture: str) -> Entry:
    """An earlier system, trained as the teacher is."""

    def make(study: StudyConfig) -> Recipe:
        channels = dict(study.baselines).get(architecture, study.teacher.channels)
        return Recipe(architecture, replace(study.teacher, architecture=architecture, channels=channels), study.train)

    model = MODELS[architecture]
    return Entry(architecture.replace("_", "-"), model.about, model.colour, make)


def _variant(name: str, about: str, colour: str, shows: str = "", learns_from: str = "teacher", **options) -> Entry:
    """A student with these options; a control where it shows something."""
    return Entry(name, about, colour, lambda study: student(study, learns_from, **options), "control" if shows else "student", shows)


GREEN, VIOLET, NAVY = "#009E73", "#6A4C93", "#003F66"
_ENTRIES = (
    Entry("teacher", "the Transformer, trained on labels with augmentation", "#0072B2", teacher),
    Entry("teacher-plain", "the teacher without augmentation", "#56B4E9", lambda s: teacher(s, train=replace(s.train, augment=None))),
    Entry("teacher-from-scratch", "the teacher from random weights", "#8DA0CB", lambda study: teacher(study, initial=None)),
    # On the training tracks of either group of test artists (claim C1, ``leak_crossover``).
    Entry("leak-a", "the teacher's recipe on tracks of test artists, group a", NAVY, lambda study: teacher(study, training_set="group a")),
    Entry("leak-b", "the teacher's recipe on tracks of test artists, group b", NAVY, lambda study: teacher(study, training_set="group b")),
    _variant("student", "noisy student of the teacher, of its size (KE)", GREEN),
    Entry(
        "student-distilled", "noisy student of the teacher, smaller (KD)", "#E69F00", lambda s: student(s, width=s.student_width), "student"
    ),
    _variant(
        "control-labelled-only", "as many steps and clips as a student, all of them labelled", VIOLET, "the pseudo-labels", pool="none"
    ),
    _variant("control-no-new-audio", "a student with pseudo-labels of its own training tracks only", VIOLET, "the new audio", pool="train"),
    _variant("control-no-noise", "a student that hears unlabelled clips clean", VIOLET, "the noise", noise=False),
    _variant("student-masked", "a student that ignores negatives which the teacher doubts", GREEN, mask_percentile=95.0),
    *(_baseline(architecture) for architecture in MODELS if architecture != "transformer"),
    _variant("short-chunk-resnet-student", "noisy student of the residual CNN", GREEN, learns_from="short-chunk-resnet"),
    Entry(HAND_MADE, "logistic regression on hand-made features", "#222222", None),
)
LINEUP: dict[str, Entry] = {entry.name: entry for entry in _ENTRIES}


def entry(name: str) -> Entry | None:
    """What the study calls ``name``; None for a name that it does not know."""
    if (generation := re.fullmatch(r"student-([2-9]|[1-9][0-9])", name)) and (number := int(generation[1])) <= MAX_GENERATIONS:
        before = "student" if number == 2 else f"student-{number - 1}"
        about = f"generation {number}: the student of the one before"
        return _variant(name, about, LINEUP["student"].colour, learns_from=before)
    return LINEUP.get(name)


def recipe(study: StudyConfig, name: str) -> Recipe:
    """The recipe of the model ``name`` under these settings. Raises ``SettingsError`` for a name that the study does not know."""
    found = entry(name)
    if found is None or found.make is None:
        raise SettingsError(f"recipe: {name!r} is none of {', '.join(name for name, one in LINEUP.items() if one.make)}")
    return replace(found.make(study), name=name)


def baselines(study: StudyConfig) -> list[str]:
    """Names of the earlier systems that the settings ask for."""
    return [architecture.replace("_", "-") for architecture, _ in study.baselines]


def generations(study: StudyConfig) -> list[str]:
    """Names of the students in a line, each the teacher of the next."""
    return ["student", *(f"student-{number}" for number in range(2, study.iterations + 1))]


def student_experiment(study: StudyConfig) -> list[str]:
    """Names of teachers, students and controls of the noisy-student experiment."""
    others = [name for name, found in LINEUP.items() if found.kind and name != "student"]
    teachers = [recipe(study, name).teacher.name for name in others]
    return list(dict.fromkeys(["teacher", *generations(study), *teachers, *others]))
