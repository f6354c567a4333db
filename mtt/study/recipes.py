"""What the study trains, as data: a recipe says everything that makes one trained model.

Conventions: a recipe's name is the name of its folder in the study; ``seed`` 0 has the bare name, others end in ``-seed1`` and so on.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from mtt.config import InitialWeights, ModelConfig, StudentConfig, StudyConfig, TrainConfig

ARTIST_LEVEL = "artist-level"
ABOUT: dict[str, str] = {  # what a name of the study stands for
    "teacher": "the Transformer, trained on labels with augmentation",
    "teacher-plain": "the teacher without augmentation",
    "teacher-from-scratch": "the teacher from random weights",
    "student": "noisy student of the teacher, of its size (KE)",
    "student-distilled": "noisy student of the teacher, smaller (KD)",
    "student-masked": "a student that ignores negatives which the teacher doubts",
    "control-labelled-only": "as many steps and clips as a student, all labelled",
    "control-no-new-audio": "a student with pseudo-labels of training tracks only",
    "control-no-noise": "a student that hears unlabelled clips clean",
    "short-chunk-resnet": "residual CNN (Won 2020)",
    "short-chunk-resnet-student": "noisy student of the residual CNN",
    "fcn": "fully convolutional network (Choi 2016)",
    "crnn": "convolutional recurrent network (Choi 2017)",
    "sample-cnn": "CNN on the raw waveform (Lee 2017)",
    "hand-made": "logistic regression on hand-made features",
}


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

    def with_seed(self, seed: int) -> Recipe:
        """The same recipe, and its teachers, with another seed."""
        return replace(self, seed=seed, teacher=self.teacher and self.teacher.with_seed(seed))


def teacher(study: StudyConfig) -> Recipe:
    return Recipe("teacher", study.teacher, study.train, initial=study.init_from)


def teacher_without_augmentation(study: StudyConfig) -> Recipe:
    return replace(teacher(study), name="teacher-plain", train=replace(study.train, augment=None))


def teacher_from_scratch(study: StudyConfig) -> Recipe:
    """The control of a study that starts from given weights: the same teacher from random ones."""
    return replace(teacher(study), name="teacher-from-scratch", initial=None)


def crossover(study: StudyConfig) -> tuple[Recipe, Recipe]:
    """The teacher's recipe on the training tracks of either group of test artists (claim C1, ``leak_crossover``)."""
    first, second = (replace(teacher(study), name=f"leak-{group}", training_set=f"group {group}") for group in "ab")
    return first, second


def baseline(study: StudyConfig, architecture: str) -> Recipe:
    """An earlier system (Sample-level CNN, FCN, CRNN, Short-chunk ResNet), trained as the teacher is."""
    model = replace(study.teacher, architecture=architecture, channels=dict(study.baselines)[architecture])
    return Recipe(architecture.replace("_", "-"), model, study.train)


def with_clip_seconds(recipe: Recipe, seconds: float) -> Recipe:
    """The same recipe on clips of another length; the recipe itself where that is its length."""
    if seconds == recipe.train.clip_seconds:
        return recipe
    return replace(recipe, name=f"{recipe.name}-{seconds:g}s", train=replace(recipe.train, clip_seconds=seconds))


def student(study: StudyConfig, teacher: Recipe, name: str = "student", **options) -> Recipe:
    """A noisy student of ``teacher``; ``options`` are ``StudentConfig``'s. Equal in size unless ``width`` is given."""
    settings = StudentConfig(**{"width": teacher.model.width, **options})
    model = replace(teacher.model, width=settings.width)
    initial = study.init_from if model == study.teacher else None
    train = replace(study.train, steps=study.student_steps, batch_size=study.student_batch * study.train.batch_size)
    return Recipe(name, model, train, student=settings, teacher=teacher, initial=initial)


def generations(study: StudyConfig, first: Recipe, name: str, count: int, **options) -> list[Recipe]:
    """``count`` students, each the teacher of the next: ``name``, ``name-2``, ``name-3``, ..."""
    line: list[Recipe] = []
    for number in range(1, count + 1):
        line.append(student(study, line[-1] if line else first, name if number == 1 else f"{name}-{number}", **options))
    return line


def generation_names(study: StudyConfig) -> list[str]:
    return [recipe.name for recipe in generations(study, teacher(study), "student", study.iterations)]


def lineup(study: StudyConfig) -> dict[str, Recipe]:
    """Teacher, students and controls of the noisy-student experiment, by name.

    The controls: as many steps on labelled data alone, pseudo-labels for the training tracks only (no new audio), and no noise.
    """
    first, resnet = teacher(study), baseline(study, "short_chunk_resnet")
    recipes = [
        first,
        *generations(study, first, "student", study.iterations),
        student(study, first, "student-distilled", width=study.student_width),
        student(study, first, "control-labelled-only", pool="none"),
        student(study, first, "control-no-new-audio", pool="train"),
        student(study, first, "control-no-noise", noise=False),
        student(study, first, "student-masked", mask_percentile=95.0),
        resnet,
        student(study, resnet, "short-chunk-resnet-student"),
    ]
    return {recipe.name: recipe for recipe in recipes}
