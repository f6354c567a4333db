"""Every setting of the study, and the four profiles.

Conventions: durations are in seconds, rates in Hz, sizes in tracks, clips or units as named. Settings travel with a trained model. Names
that a registry owns (architectures, augmentation effects) are judged by their registry.
"""

import dataclasses
from dataclasses import field
from typing import Annotated, Literal

import pydantic
from pydantic import Field

from mtt.settings import setting, within

SAMPLE_RATE = 22_050  # Hz, of all audio inside the program
TUNING = 900  # number of the first corpus that serves to choose settings: no result comes from it or a later one
MAX_GENERATIONS = 20  # of students, each the teacher of the next
BATCH_HOURS = 10  # of audio in one batch, at most
# The 50 tags of CALS, in the order of the columns of the binaries and of the outputs of the authors' checkpoints.
CALS_TAGS = tuple(
    "rock,pop,indie,alternative,electronic,hip-hop,metal,jazz,punk,folk,alternative rock,indie rock,dance,"
    "hard rock,00s,soul,hardcore,80s,country,classic rock,punk rock,blues,chillout,experimental,heavy metal,"
    "death metal,90s,reggae,progressive rock,ambient,acoustic,beautiful,british,rnb,funk,metalcore,mellow,"
    "world,guitar,trance,indie pop,christian,house,spanish,latin,psychedelic,electro,piano,70s,"
    "progressive metal".split(",")
)


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
    longest_step: Width | None = None  # frames that a step in time of a CNN may span; None: as published, for long clips
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
    patience: Count = 40  # evaluations without a better validation score before a constant schedule stops
    precision: Literal["auto", "float32", "bfloat16"] = "auto"  # auto: bfloat16 where the processor has it
    prepared: Annotated[int, within(int, 0, 100)] = 0  # augmented variants of a track, made once; 0: clips are augmented afresh
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
    unlabelled_weight: Weight = 1.0  # weight of the loss on the pool beside the labelled loss
    noise: bool = True  # augment the student's clips of the pool (the teacher always hears them clean)
    pool: str = "pool"  # training set (``Replicate.groups``) of the tracks that it learns from without their labels
    # Of the pool it is told its teacher's scores; or those of another track, which must not help; or the labels, for an oracle.
    told: Literal["pseudo-labels", "permuted", "labels"] = "pseudo-labels"
    # Per-tag percentile of the teacher's scores on negatives above which they are ignored.
    mask_percentile: Annotated[float, within(float, 0.001, 100.0)] | None = None


@setting
class InitialWeights:
    """A model folder that a study builds on: published weights, or those of an earlier study."""

    folder: str
    weights_sha256: str  # a study is one of these weights, whatever stands in the folder later


@setting
class SplitConfig:
    """How a collection is split where nothing else is done with it."""

    ratios: Ratios = (0.7, 0.15, 0.15)
    seed: Count = 0


@setting
class StudyConfig:
    """One run of all notebooks. *Exposure* is the number of labelled clips that a model sees in training."""

    profile: str = "demo"
    collection: str = "synthetic"
    corpus: SyntheticConfig = field(default_factory=SyntheticConfig)  # seed and number of artists follow from the fields below
    replicates: Few = 2  # corpora, or splits of one collection, each with one training of every model
    first_replicate: Count = 100  # their numbers follow one another
    retrained: Count = 0  # replicates whose models are trained twice, to tell what training itself varies by
    ratios: Ratios = (0.7, 0.15, 0.15)  # of a collection
    held_out: tuple[Size, Size] = (40, 120)  # artists of the embedded corpus in valid and test
    labelled_artists: Size | None = 48  # that teach where models are compared; None: all training artists
    scarcity: tuple[Size, ...] = ()  # further numbers of labelled artists at which supervised model, student and oracle are compared
    pool_artists: Size | None = 300  # unlabelled; None: all
    pools: tuple[Size, ...] = ()  # further sizes of the pool, in artists
    # At ``labelled_artists``; of others in proportion, but no less than half. None: to the plateau of validation (``mtt.study.budget``).
    exposure: Size | None = 28_000
    undertrained: tuple[Share, ...] = ()  # shares of the exposure after which a teacher stops early
    teacher: ModelConfig = field(default_factory=ModelConfig)
    init_from: InitialWeights | None = None  # of the teacher, and of every model of its shape
    features_from: InitialWeights | None = None  # a trained model whose features are a baseline, by logistic regression
    train: TrainConfig = field(default_factory=TrainConfig)  # its steps follow from the exposure
    student_widths: Annotated[tuple[Width, ...], Field(min_length=1)] = (64,)  # of the distilled students
    student_batch: Few = 2  # of a student, in batches of the teacher; half of it is labelled
    iterations: Annotated[int, within(int, 1, MAX_GENERATIONS)] = 2  # student generations
    baselines: tuple[tuple[str, Width], ...] = (  # architecture and its channels
        ("sample_cnn", 128),  # the slowest first, so that the others train beside it
        ("short_chunk_resnet", 128),
        ("crnn", 128),
        ("fcn", 128),
    )
    left_out: tuple[str, ...] = ()  # models of the line-up that are not made, for time
    chunks: Few = 8  # clips a song-level score is averaged over
    pool_slots: Few = 6  # places in a track from which a student's unlabelled clips are drawn
    minimum_positives: Size = 3  # per set; tags with fewer are listed and left out
    lengths: Annotated[tuple[Seconds, ...], Field(min_length=2)] = (1.0, 2.0, 4.0, 8.0, 24.0)  # seconds, at which a trained model is tested
    train_lengths: Annotated[tuple[Seconds, ...], Field(min_length=2)] = (2.0, 4.0)  # seconds, at which models are trained and tested
    explained_artists: Size = 120  # one track each, on which explanations are tested
    resamples: Annotated[int, within(int, 2, 10**6)] = 1000  # artist-clustered bootstrap

    def __post_init__(self) -> None:
        if not all(self.ratios):
            raise ValueError(f"ratios: train, valid and test need a share each, not {self.ratios}")
        if self.collection == "synthetic" and self.first_replicate < TUNING < self.first_replicate + self.replicates:
            raise ValueError(f"replicates: {self.replicates} from {self.first_replicate} on reach {TUNING}, where corpora for tuning begin")
        model, shortest = self.teacher, min((self.train.clip_seconds, *self.train_lengths))
        needed = max(3 * model.hop, model.n_fft // 2 + 1) / model.sample_rate
        if shortest < needed:
            about = f"hop {model.hop} and n_fft {model.n_fft}"
            raise ValueError(f"train.clip_seconds: {shortest:g} s are too short for {about}; at least {needed:.2f}")


SMOKE = StudyConfig(
    profile="smoke",
    corpus=SyntheticConfig(tracks_per_artist=4, seconds=6.0, exact_duplicates=2, near_duplicates=2, unusable_files=3),
    ratios=(0.4, 0.2, 0.4),
    held_out=(5, 10),
    labelled_artists=6,
    scarcity=(9,),
    pool_artists=8,
    pools=(4,),
    exposure=24,
    undertrained=(0.5,),
    teacher=ModelConfig(channels=4, width=16, heads=2, layers=1, n_mels=64, longest_step=16),
    train=TrainConfig(
        batch_size=4,
        clip_seconds=1.0,
        learning_rate=1e-3,
        schedule="cosine",
        warmup_steps=2,
        evaluate_every=3,
        prepared=2,
        augment=AugmentConfig(clip_share=0.7),
    ),
    student_widths=(8,),
    baselines=(("sample_cnn", 4), ("short_chunk_resnet", 4), ("crnn", 4), ("fcn", 4)),
    chunks=2,
    pool_slots=2,
    minimum_positives=1,
    lengths=(1.0, 2.0, 4.0),
    train_lengths=(0.5, 1.0),
    resamples=50,
)

FULL = StudyConfig(
    profile="full",
    replicates=5,
    retrained=2,
    scarcity=(12, 24, 96, 192),
    pools=(50, 100),
    undertrained=(1 / 12, 0.25, 0.5),
    teacher=ModelConfig(channels=16, width=64, heads=4, layers=2, dropout=0.2, n_fft=2048, hop=2048, n_mels=48, longest_step=8),
    train=TrainConfig(
        batch_size=16,
        clip_seconds=4.0,
        learning_rate=3e-3,
        schedule="cosine",
        warmup_steps=100,
        weight_decay=0.05,
        evaluate_every=1000,
        prepared=4,
        augment=AugmentConfig(clip_share=0.7),
    ),
    student_widths=(32, 16),
    iterations=3,
    baselines=(("sample_cnn", 16), ("short_chunk_resnet", 16), ("crnn", 64), ("fcn", 64)),
    train_lengths=(2.0, 4.0, 8.0),
    resamples=1000,
)

YARDSTICKS = ("oracle", "student-permuted")  # which the demo leaves to the reference run; a collection has none

DEMO = dataclasses.replace(  # the full run's models on two smaller corpora, and of its cells those that give each claim an effect
    FULL,
    profile="demo",
    replicates=2,
    retrained=0,
    scarcity=(),
    pool_artists=100,
    pools=(),
    undertrained=(),
    student_widths=(32,),
    iterations=2,
    baselines=FULL.baselines[1::2],  # one with short filters and the best
    train_lengths=(2.0, 4.0),
    left_out=("student-clean", "supervised-w32", "fcn-2s", "teacher-fresh", *YARDSTICKS),
)

ANCHOR = dataclasses.replace(  # models of nearly the published size on one larger corpus, for a GPU (``mtt.findings.anchor``)
    FULL,
    profile="anchor",
    replicates=1,
    retrained=0,
    held_out=(60, 150),
    labelled_artists=1000,
    scarcity=(),
    pool_artists=1000,
    pools=(),
    undertrained=(),
    teacher=ModelConfig(n_fft=2048, hop=1024),
    train=dataclasses.replace(FULL.train, batch_size=64, clip_seconds=10.0, learning_rate=1e-3, warmup_steps=200, evaluate_every=500),
    student_widths=(64,),
    baselines=(("fcn", 128),),
    train_lengths=(5.0, 10.0),
)

PAPER = StudyConfig(  # the authors' settings: 200 epochs at most of the 163 504 labelled tracks, patience of 40 epochs
    profile="paper",
    replicates=1,
    labelled_artists=None,
    pool_artists=None,
    exposure=200 * 163_504,
    teacher=ModelConfig(),
    train=TrainConfig(batch_size=32, clip_seconds=10.0, evaluate_every=163_504 // 32),
    student_batch=1,
    train_lengths=(5.0, 10.0),
)

PROFILES = {profile.profile: profile for profile in (SMOKE, DEMO, FULL, PAPER)}
