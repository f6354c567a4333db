"""What the study trains, as data: a recipe says all that makes one trained model, the line-up all that the study calls by name.

Conventions: a recipe's name is the name of its folder in a replicate. Training sets are named groups of tracks (``Replicate.groups``):
``labelled`` is the one that models are compared on, ``labelled-24`` that of 24 artists, ``pool`` the unlabelled tracks. *Exposure* is the
number of labelled clips that a model sees: a student sees as many as its teacher and its supervised control, and clips of the pool beside
them. A model of the study is one ``Entry`` of ``lineup``; the earlier systems among them are classes of ``mtt.models.frontend.MODELS``.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from mtt.config import InitialWeights, ModelConfig, StudentConfig, StudyConfig, TrainConfig
from mtt.models.frontend import MODELS, MelTaggingModel
from mtt.settings import SettingsError

LABELLED = "labelled"
HAND_MADE, FEATURES = "hand-made", "features"  # with logistic regression
AGAIN = "-again"  # the second training of a model
SECOND_SEED = 10_000  # what it adds to the seed of the first


@dataclass(frozen=True)
class Recipe:
    """One model to train: architecture, training settings, training set, and for a student its teacher."""

    name: str
    model: ModelConfig
    train: TrainConfig
    seed: int = 0
    training_set: str = LABELLED
    student: StudentConfig | None = None
    teacher: Recipe | None = None
    initial: InitialWeights | None = None  # None: random weights

    @property
    def chain(self) -> list[Recipe]:
        """The recipe after its teacher, its teacher's teacher and so on."""
        return [*([] if self.teacher is None else self.teacher.chain), self]

    @property
    def exposure(self) -> int:
        """Labelled clips that it sees."""
        return self.train.steps * self.train.batch_size // (1 if self.student is None else 2)

    def with_seed(self, seed: int) -> Recipe:
        """The same recipe, and its teachers, with another seed."""
        return replace(self, seed=seed, teacher=self.teacher and self.teacher.with_seed(seed))

    def again(self) -> Recipe:
        """The same recipe, and its teachers, trained a second time."""
        teacher = self.teacher and self.teacher.again()
        return replace(self, name=self.name + AGAIN, seed=self.seed + SECOND_SEED, teacher=teacher)


Kind = Literal["supervised", "student", "oracle", "control", "baseline", "leak"]


@dataclass(frozen=True)
class Entry:
    """A model of the study: what readers see of it, and its recipe (None: no deep model, made in its own way)."""

    name: str
    label: str  # on a plot
    about: str  # in a line
    colour: str  # on every page
    kind: Kind
    recipe: Recipe | None


BLUE, SKY, GREEN, VIOLET, ORANGE, BLACK = "#0072B2", "#56B4E9", "#009E73", "#6A4C93", "#E69F00", "#222222"
COLOURS: dict[str, str] = {"supervised": BLUE, "student": GREEN, "oracle": ORANGE, "control": VIOLET, "leak": SKY}


@dataclass(frozen=True)
class Variant:
    """A student of the teacher, like the first one but for these ``StudentConfig`` options."""

    label: str
    about: str
    options: dict
    kind: Kind = "student"
    colour: str = ""


VARIANTS = {
    "oracle": Variant("oracle", "the student, if the pool's own labels were there", {"told": "labels"}, "oracle"),
    "student-clean": Variant("without noise", "a student that hears the pool clean", {"noise": False}, "control"),
    "student-permuted": Variant(
        "permuted pseudo-labels", "a student of pseudo-labels that belong to other tracks", {"told": "permuted"}, "control"
    ),
}


def exposure(study: StudyConfig, artists: int | None) -> int:
    """Labelled clips for a training set of so many artists: in proportion to them, but no less than half of the study's."""
    relative = 1.0 if artists is None or study.labelled_artists is None else artists / study.labelled_artists
    return round(study.exposure * max(0.5, relative))


def supervised(study: StudyConfig, name: str = "teacher", artists: int | None = None, share: float = 1.0, **changes) -> Recipe:
    """A model trained on labels alone; ``share`` is of the exposure. ``changes`` are of the recipe."""
    model = Recipe(name, study.teacher, study.train, initial=study.init_from)
    if artists is not None:
        model = replace(model, training_set=f"{LABELLED}-{artists}")
    model = replace(model, **changes)
    train = model.train
    steps = max(1, round(share * exposure(study, artists) / train.batch_size))
    warmup = min(train.warmup_steps, steps // 5)
    return replace(model, train=replace(train, steps=steps, warmup_steps=warmup, evaluate_every=min(train.evaluate_every, steps)))


def student(study: StudyConfig, name: str, teacher: Recipe, full: Recipe | None = None, **options) -> Recipe:
    """A student of ``teacher`` that sees as many labelled clips as the recipe ``full`` (default: the teacher), and as many of the pool."""
    full, settings = full or teacher, StudentConfig(**{"width": teacher.model.width, **options})
    model = replace(teacher.model, width=settings.width)
    batch = study.student_batch * study.train.batch_size
    steps = max(1, round(full.exposure / (batch // 2)))
    train = replace(full.train, batch_size=batch, steps=steps, evaluate_every=min(full.train.evaluate_every, steps))
    initial = study.init_from if model == study.teacher else None
    return Recipe(name, model, train, teacher.seed, teacher.training_set, settings, teacher, initial)


def lineup(study: StudyConfig) -> dict[str, Entry]:
    """All models of the study, by name."""
    parts = (_students, _sizes, _undertrained, _pools, _models, _leak)
    return {entry.name: entry for part in parts for entry in part(study) if entry.name not in study.left_out}


def _entry(recipe: Recipe, kind: Kind, label: str, about: str, colour: str = "") -> Entry:
    return Entry(recipe.name, label, about, colour or COLOURS[kind], kind, recipe)


def _students(study: StudyConfig) -> Iterator[Entry]:
    """Teacher, generations of students, and what they are compared with."""
    teacher = supervised(study)
    label, what = ("teacher, fine-tuned", "all layers of the given model") if study.init_from else ("teacher", "the Transformer")
    yield _entry(teacher, "supervised", label, f"{what}, trained on labels with augmentation")
    first = last = student(study, "student", teacher)
    yield _entry(first, "student", "student", "noisy student of the teacher, of its size (KE)")
    for number in range(2, study.iterations + 1):
        last = student(study, f"generation-{number}", last)
        yield _entry(last, "student", f"generation {number}", f"generation {number}: the student of the one before")
    for name, variant in VARIANTS.items():
        yield _entry(student(study, name, teacher, **variant.options), variant.kind, variant.label, variant.about, variant.colour)
    long = replace(teacher.train, batch_size=study.student_batch * study.train.batch_size)
    yield _entry(
        supervised(study, "supervised-long", share=study.student_batch, train=long), "control", "labels alone, as long",
        "trained on labels alone, with as many clips as a student in all",
    )  # fmt: skip
    for width in study.student_widths:
        small = student(study, f"student-w{width}", teacher, width=width)
        yield _entry(small, "student", f"student, width {width}", f"noisy student of the teacher, of width {width} (KD)", "#CC79A7")
        alone = supervised(study, f"supervised-w{width}", model=replace(study.teacher, width=width), initial=None)
        yield _entry(alone, "control", f"labels alone, width {width}", f"a model of width {width}, trained on labels alone")


def _sizes(study: StudyConfig) -> Iterator[Entry]:
    for n in study.scarcity:
        teacher = supervised(study, f"teacher-{n}", n)
        yield _entry(teacher, "supervised", f"teacher, {n} artists", f"the teacher, on labels of {n} artists")
        yield _entry(
            student(study, f"student-{n}", teacher), "student", f"student, {n} artists", f"its noisy student, on labels of {n} artists"
        )
        oracle = student(study, f"oracle-{n}", teacher, told="labels")
        yield _entry(oracle, "oracle", f"oracle, {n} artists", f"the same, if the pool's own labels were there, {n} artists")


def _undertrained(study: StudyConfig) -> Iterator[Entry]:
    full = supervised(study)
    for share in study.undertrained:
        part = f"{share:.0%}".rstrip("%")
        teacher = supervised(study, f"teacher-{part}pc", share=share)
        yield _entry(teacher, "control", f"teacher, {part} % trained", f"the teacher after {part} % of its exposure", BLUE)
        yield _entry(
            student(study, f"student-{part}pc", teacher, full),
            "control",
            f"student of the {part} % teacher",
            "its student, fully trained",
            GREEN,
        )


def _pools(study: StudyConfig) -> Iterator[Entry]:
    teacher = supervised(study)
    for n in study.pools:
        small = student(study, f"student-pool-{n}", teacher, pool=f"pool-{n}")
        yield _entry(small, "student", f"student, pool of {n}", f"noisy student with a pool of {n} artists")
    if study.collection == "synthetic" and study.scarcity:  # production styles are known there
        studio = supervised(study, "teacher-studio", training_set=f"{LABELLED}-studio")
        yield _entry(studio, "supervised", "teacher, studio only", "the teacher, on labels of studio recordings alone")
        for style in ("studio", "home"):
            about = f"its student, with a pool of {style} recordings alone"
            yield _entry(
                student(study, f"student-studio-{style}", studio, pool=f"pool-{style}"), "student", f"student, {style} pool", about
            )


def _models(study: StudyConfig) -> Iterator[Entry]:
    """Earlier systems, other clip lengths, and models without augmentation."""
    longer = {"teacher": (supervised(study), BLUE)}
    for architecture, channels in study.baselines:
        kind, name = MODELS[architecture], architecture.replace("_", "-")
        own = replace(study.train, prepared=study.train.prepared if issubclass(kind, MelTaggingModel) else 0)  # others hear waveforms
        model = supervised(study, name, model=replace(study.teacher, architecture=architecture, channels=channels), train=own, initial=None)
        yield _entry(model, "baseline", kind.label, kind.about, kind.colour)
        longer[name] = model, kind.colour
    yield Entry(HAND_MADE, "hand-made features", "logistic regression on hand-made features", BLACK, "baseline", None)
    if given := described_by(study):
        about = "logistic regression on what the given model makes of a track before its last layer"
        yield Entry(FEATURES, f"features of {Path(given.folder).name}", about, VIOLET, "baseline", None)
    for name in (one for one in LENGTH_MODELS if one in longer):
        recipe, colour = longer[name]
        for seconds in (one for one in study.train_lengths if one != study.train.clip_seconds):
            other = replace(recipe, name=f"{name}-{seconds:g}s", train=replace(recipe.train, clip_seconds=seconds))
            yield _entry(other, "control", f"{name}, {seconds:g} s", f"{name}, trained and tested on clips of {seconds:g} s", colour)
    plain = replace(study.train, augment=None)
    yield _entry(supervised(study, "teacher-plain", train=plain), "control", "no augmentation", "the teacher without augmentation", SKY)
    if study.train.prepared and study.train.augment is not None:
        fresh = supervised(study, "teacher-fresh", train=replace(study.train, prepared=0))
        yield _entry(fresh, "supervised", "fresh augmentation", "the teacher, every clip of which is augmented afresh", BLUE)
    if study.scarcity:
        most = max(study.scarcity)
        model = supervised(study, f"teacher-plain-{most}", most, train=plain)
        yield _entry(model, "control", f"no augmentation, {most} artists", f"the teacher on {most} artists without augmentation", SKY)
    if study.init_from:
        yield _entry(supervised(study, "teacher-from-scratch", initial=None), "control", "from scratch", "the teacher from random weights")


def described_by(study: StudyConfig) -> InitialWeights | None:
    """The model whose features are a baseline: the one given for it, else that which the teacher starts from (its head trained alone)."""
    return study.features_from or study.init_from


def _leak(study: StudyConfig) -> Iterator[Entry]:
    for group in "ab":  # claim C1, ``leak_crossover``
        about = f"the teacher's recipe, with tracks of half of the test artists (group {group}) beside its own"
        yield _entry(supervised(study, f"leak-{group}", training_set=f"group {group}"), "leak", f"heard group {group}", about)


LENGTH_MODELS = ("teacher", "short-chunk-resnet", "fcn")  # that are trained at several clip lengths


def recipe(study: StudyConfig, name: str) -> Recipe:
    """The recipe of the model ``name`` under these settings. Raises ``SettingsError`` for a name that the study does not know."""
    found = {name: entry.recipe for name, entry in lineup(study).items() if entry.recipe}
    if name not in found:
        raise SettingsError(f"recipe: {name!r} is none of {', '.join(found)}")
    return found[name]


def with_clip_seconds(study: StudyConfig, name: str, seconds: float) -> str:
    """The name of the model that is like ``name`` but trained on clips of this length."""
    return name if seconds == study.train.clip_seconds else f"{name}-{seconds:g}s"


def baselines(study: StudyConfig) -> list[str]:
    """Names of the earlier systems that the settings ask for."""
    return [architecture.replace("_", "-") for architecture, _ in study.baselines]


def generations(study: StudyConfig) -> list[str]:
    """Names of the students in a line, each the teacher of the next."""
    return ["student", *(f"generation-{number}" for number in range(2, study.iterations + 1))]


def by_need(study: StudyConfig) -> list[str]:
    """Names of the models to train, in the order in which they are needed: for what is asked first, for the other claims, the rest."""
    known = [name for name, entry in lineup(study).items() if entry.recipe]
    first = ("teacher", "student", "teacher-from-scratch", "supervised-long", "student-permuted")
    return list(dict.fromkeys(name for name in (*first, *core(study), "leak-a", "leak-b", *known) if name in known))


def lengths(study: StudyConfig) -> list[str]:
    """Names of the models that are compared at the lengths that they are trained on."""
    return [with_clip_seconds(study, name, seconds) for name in LENGTH_MODELS[:2] for seconds in study.train_lengths]


def core(study: StudyConfig) -> list[str]:
    """The models whose differences the claims are about: those that are trained a second time where the study asks for it."""
    widest = max(study.student_widths)
    others = ["oracle", "supervised-long", f"student-w{widest}", "teacher-plain", *baselines(study)]
    return list(dict.fromkeys(["teacher", *generations(study), *others, *lengths(study)]))
