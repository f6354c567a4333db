"""Every setting of the study, and the four profiles.

Conventions: durations are in seconds, rates in Hz, sizes in tracks, clips or units as named. Settings travel with a trained model. Names
that a registry owns (architectures, augmentation effects) are judged by their registry.
"""

from __future__ import annotations

import dataclasses
from dataclasses import field
from typing import Annotated, Literal

import pydantic
from pydantic import Field

from mtt.settings import setting, within

SAMPLE_RATE = 22_050  # Hz, of all audio inside the program
MAX_GENERATIONS = 20  # of students, each the teacher of the next
BATCH_HOURS = 10  # of audio in one batch, at most


def _whole(ratios: tuple[float, ...]) -> tuple[float, ...]:
    if abs(sum(ratios) - 1.0) > 1e-6:
        raise ValueError(f"must sum to 1, not to {sum(ratios):g}")
    return ratios


Count = Annotated[int, within(int, 0, 10**9)]
Size = Annotated[int, within(int, 1, 10**9)]
Few = Annotated[int, within(int, 1, 1000)]
Width = Annotated[int, within(int, 1, 16_384)]  # channels, units, bands
Window = Annotated[int, within(int, 16, 65_536)]  # samples
Copies = Annotated[int, within(int, 0, 10_000)]
Seconds = Annotated[float, within(float, 0.1, 3600.0)]  # of a clip
Weight = Annotated[float, within(float, 0.0, 1000.0)]
Share = Annotated[float, within(float, 0.0, 1.0)]
BelowOne = Annotated[float, within(float, 0.0, 0.99)]
Ratios = Annotated[tuple[Share, Share, Share], pydantic.AfterValidator(_whole)]  # of train, valid and test


@setting
class SyntheticConfig:
    """The embedded corpus: how many artists and tracks, how long, how imperfect its labels. The defaults are those of *demo* and *full*."""

    seed: Count = 100
    labelled_artists: Annotated[int, within(int, 1, 100_000)] = 277
    unlabelled_artists: Annotated[int, within(int, 0, 100_000)] = 400
    tracks_per_artist: Annotated[int, within(int, 1, 100)] = 3  # mean; artists differ by one
    seconds: Annotated[float, within(float, 3.0, 600.0)] = 24.0
    missing_labels: BelowOne = 0.2  # mean share of the true labels that the observed tags lack; tags and annotators differ
    brief_parts: Share = 0.35  # of the parts that a genre can do without: they sound for 10 to 20 % of the track
    exact_duplicates: Copies = 8
    near_duplicates: Copies = 8
    unusable_files: Copies = 6  # silent, truncated or not audio at all


@setting
class ModelConfig:
    """What is needed to rebuild a model; stored beside its weights in ``model.json``."""

    architecture: str = "transformer"  # a name in ``mtt.models.build.MODELS``, whose class judges the other settings
    channels: Width = 128  # of the convolutional front end (base width of the CNNs)
    width: Width = 256  # attention_ndim of the Transformer, hidden units of the CRNN's GRU
    heads: Width = 8
    layers: Annotated[int, within(int, 1, 256)] = 4
    max_positions: Width = 512
    dropout: BelowOne = 0.1
    n_fft: Window = 1024
    hop: Window = 512
    n_mels: Annotated[int, within(int, 1, 1024)] = 128
    sample_rate: Annotated[int, within(int, 1000, 384_000)] = SAMPLE_RATE


@setting
class AugmentConfig:
    """The augmentation chain; what is not named here is as its effect has it (``mtt.data.augment.EFFECTS``, the authors' values)."""

    clip_share: Share = 1.0  # share of clips that go through the chain at all
    probability: dict[str, Share] = field(default_factory=dict)  # of an effect, by its name
    ranges: dict[str, tuple[float, float]] = field(default_factory=dict)  # of an effect's parameter, by its name


@setting
class TrainConfig:
    """One call of ``fit``."""

    steps: Size = 1000
    batch_size: Annotated[int, within(int, 2, 65_536)] = 16  # one clip has no batch statistics, and no half for a student
    clip_seconds: Seconds = 10.0
    learning_rate: Annotated[float, within(float, 1e-12, 10.0)] = 1e-4
    schedule: Literal["constant", "cosine"] = "constant"  # keeps the best weights; cosine (after a linear warm-up, to zero) the last
    warmup_steps: Count = 0
    weight_decay: Weight = 0.0  # AdamW's; 0 is Adam
    evaluate_every: Size = 200  # steps
    patience: Count = 40  # evaluations without a better validation loss before a constant schedule stops
    precision: Literal["auto", "float32", "bfloat16"] = "auto"  # auto: bfloat16 where the processor has it
    augment: AugmentConfig | None = field(default_factory=AugmentConfig)

    def __post_init__(self) -> None:
        if (hours := self.batch_size * self.clip_seconds / 3600) > BATCH_HOURS:
            raise ValueError(
                f"batch_size: {self.batch_size} clips of {self.clip_seconds:g} s are {hours:,.0f} hours of audio in a batch; "
                f"at most {BATCH_HOURS}"
            )


@setting
class StudentConfig:
    """What a noisy student adds to its teacher's recipe (paper, section 3.3)."""

    width: Width = 256  # attention_ndim; smaller than the teacher's = distillation, equal = expansion
    unlabelled_weight: Weight = 1.0  # weight of the pseudo-label loss beside the labelled loss
    noise: bool = True  # augment the student's clips (the teacher always hears them clean)
    pool: Literal["unlabelled", "train", "none"] = "unlabelled"  # audio that gets pseudo-labels; train: no new audio
    # Per-tag percentile of the teacher's scores on negatives above which they are ignored.
    mask_percentile: Annotated[float, within(float, 0.001, 100.0)] | None = None


@setting
class InitialWeights:
    """A model folder that training starts from: the authors' weights, or those of an earlier study."""

    folder: str
    weights_sha256: str  # a study is one of these weights, whatever stands in the folder later


@setting
class SplitConfig:
    """How a collection is split where nothing else is done with it."""

    ratios: Ratios = (0.7, 0.15, 0.15)
    seed: Count = 0


@setting
class StudyConfig:
    """One run of all notebooks."""

    profile: str = "demo"
    collection: str = "synthetic"
    corpus: SyntheticConfig = field(default_factory=SyntheticConfig)
    ratios: Ratios = (0.7, 0.15, 0.15)
    seeds: Annotated[tuple[Count, ...], Field(min_length=1, max_length=1000)] = (0,)
    teacher: ModelConfig = field(default_factory=ModelConfig)
    init_from: InitialWeights | None = None  # of the teacher, and of every model of its shape
    train: TrainConfig = field(default_factory=TrainConfig)
    student_width: Width = 64  # of the distilled student
    student_steps: Size = 1000  # every student, and the control on labelled data alone
    student_batch: Few = 1  # of these, in batches of the teacher; at 2, a student's labelled half is a batch of the teacher
    iterations: Annotated[int, within(int, 1, MAX_GENERATIONS)] = 2  # student generations
    baselines: tuple[tuple[str, Width], ...] = (  # architecture and its channels
        ("sample_cnn", 128),  # the slowest first, so that the others train beside it
        ("short_chunk_resnet", 128),
        ("crnn", 128),
        ("fcn", 128),
    )
    chunks: Few = 8  # clips a song-level score is averaged over
    pool_slots: Few = 10  # places in a track from which a student's unlabelled clips are drawn
    minimum_positives: Size = 5  # per set; tags with fewer are listed and left out
    lengths: Annotated[tuple[Seconds, ...], Field(min_length=2)] = (1.0, 2.0, 3.0, 5.0, 10.0, 20.0, 30.0)  # seconds, of the sweep
    train_lengths: tuple[Seconds, ...] = ()  # seconds, of the train-length sweep; empty = none
    explained_artists: Size = 120  # one track each, on which explanations are tested
    resamples: Annotated[int, within(int, 2, 10**6)] = 1000  # artist-clustered bootstrap

    def __post_init__(self) -> None:
        if not all(self.ratios):
            raise ValueError(f"ratios: train, valid and test need a share each, not {self.ratios}")
        model, shortest = self.teacher, min((self.train.clip_seconds, *self.train_lengths))
        needed = max(3 * model.hop, model.n_fft // 2 + 1) / model.sample_rate
        if shortest < needed:
            about = f"hop {model.hop} and n_fft {model.n_fft}"
            raise ValueError(f"train.clip_seconds: {shortest:g} s are too short for {about}; at least {needed:.2f}")


SMOKE = StudyConfig(
    profile="smoke",
    corpus=SyntheticConfig(
        labelled_artists=24,
        unlabelled_artists=8,
        tracks_per_artist=4,
        seconds=6.0,
        exact_duplicates=2,
        near_duplicates=2,
        unusable_files=3,
    ),
    ratios=(0.4, 0.2, 0.4),
    teacher=ModelConfig(channels=4, width=16, heads=2, layers=1, n_mels=64),
    train=TrainConfig(
        steps=6,
        batch_size=4,
        clip_seconds=1.0,
        learning_rate=1e-3,
        schedule="cosine",
        warmup_steps=2,
        evaluate_every=3,
        augment=AugmentConfig(clip_share=0.7),
    ),
    student_width=8,
    student_steps=6,
    baselines=(("sample_cnn", 4), ("short_chunk_resnet", 4), ("crnn", 4), ("fcn", 4)),
    chunks=2,
    pool_slots=2,
    minimum_positives=1,
    lengths=(1.0, 2.0, 4.0),
    resamples=50,
)

# Chosen on validation tracks alone, at equal cost in processor time: hop 1024 rather than 512, clips of 2 s rather than 3 s (more steps), a
# learning rate of 3e-3 (of 1, 2, 3 and 4e-3). On validation tracks too, at a fifth more cost: students' batches of 16 + 16 clips rather
# than 8 + 8.
DEMO = StudyConfig(
    profile="demo",
    ratios=(0.15, 0.10, 0.75),
    teacher=ModelConfig(channels=16, width=64, heads=4, layers=2, n_fft=2048, hop=1024, n_mels=64),
    train=TrainConfig(
        steps=900,
        batch_size=16,
        clip_seconds=2.0,
        learning_rate=3e-3,
        schedule="cosine",
        warmup_steps=100,
        weight_decay=0.01,
        evaluate_every=150,
        augment=AugmentConfig(clip_share=0.7),
    ),
    student_width=32,
    student_steps=800,
    student_batch=2,
    baselines=(("sample_cnn", 16), ("short_chunk_resnet", 16), ("crnn", 64), ("fcn", 64)),
    lengths=(1.0, 2.0, 4.0, 10.0, 30.0),
)

FULL = dataclasses.replace(  # the demo's models, each trained three times, and more comparisons
    DEMO,
    profile="full",
    seeds=(0, 1, 2),
    iterations=3,
    lengths=(1.0, 2.0, 3.0, 5.0, 10.0, 20.0, 30.0),
    train_lengths=(1.0, 2.0, 4.0),
    resamples=2000,
)

PAPER = StudyConfig(  # the authors' settings: 200 epochs at most of the 163 504 labelled tracks, patience of 40 epochs
    profile="paper",
    teacher=ModelConfig(),
    train=TrainConfig(steps=200 * (163_504 // 32), batch_size=32, clip_seconds=10.0, evaluate_every=163_504 // 32),
    student_steps=200 * (163_504 // 16),
)

PROFILES = {profile.profile: profile for profile in (SMOKE, DEMO, FULL, PAPER)}
