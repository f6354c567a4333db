"""Every setting of the study, as frozen dataclasses, and the four profiles.

Conventions: durations are in seconds, rates in Hz, sizes in tracks, clips or units as named. A configuration is plain data: it can be
written as JSON, hashed, and rebuilt from that JSON, so it travels with a trained model and identifies a stage of the study.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
from dataclasses import dataclass, field
from pathlib import Path

SAMPLE_RATE = 22_050  # Hz, of all audio inside the program
ARCHITECTURES = ("transformer", "short_chunk_resnet", "fcn", "crnn", "sample_cnn")


@dataclass(frozen=True)
class SyntheticConfig:
    """The embedded corpus: how many artists and tracks, how long, how imperfect its labels."""

    seed: int = 0
    labelled_artists: int = 150
    unlabelled_artists: int = 150
    tracks_per_artist: int = 7  # mean; artists differ
    seconds: float = 30.0
    missing_labels: float = 0.2  # share of the positive labels that the observed tags lack
    exact_duplicates: int = 8
    near_duplicates: int = 8
    unusable_files: int = 6  # silent, truncated or not audio at all


@dataclass(frozen=True)
class ModelConfig:
    """What is needed to rebuild a model; stored beside its weights in ``model.json``."""

    architecture: str = "transformer"
    channels: int = 128  # of the convolutional front end (base width of the CNNs)
    width: int = 256  # attention_ndim of the Transformer, hidden units of the CRNN's GRU
    heads: int = 8
    layers: int = 4
    max_positions: int = 512
    dropout: float = 0.1
    n_fft: int = 1024
    hop: int = 512
    n_mels: int = 128
    sample_rate: int = SAMPLE_RATE


@dataclass(frozen=True)
class AugmentConfig:
    """Probability and range of each effect, in the order they are applied (the authors' chain)."""

    clip_share: float = 1.0  # share of clips that go through the chain at all
    polarity: float = 0.8
    noise: float = 0.3
    noise_ratio: tuple[float, float] = (0.3, 0.5)  # noise std / signal std
    gain: float = 0.2
    gain_db: tuple[float, float] = (-20.0, -1.0)
    filter: float = 0.8
    low_pass_hz: tuple[float, float] = (2200.0, 4000.0)
    high_pass_hz: tuple[float, float] = (200.0, 1200.0)
    delay: float = 0.5
    delay_ms: tuple[float, float] = (200.0, 450.0)
    pitch: float = 0.4
    pitch_cents: tuple[float, float] = (-700.0, 700.0)
    reverb: float = 0.3
    reverb_seconds: tuple[float, float] = (0.2, 1.2)  # RT60


@dataclass(frozen=True)
class TrainConfig:
    """One call of ``fit``."""

    steps: int = 1000
    batch_size: int = 16
    clip_seconds: float = 10.0
    learning_rate: float = 1e-4
    schedule: str = "constant"  # keeps the best weights; or "cosine" (linear warm-up, then cosine to zero), which keeps the last
    warmup_steps: int = 0
    weight_decay: float = 0.0  # AdamW's; 0 is Adam
    evaluate_every: int = 200  # steps
    patience: int = 40  # evaluations without a better validation loss before a constant schedule stops
    precision: str = "auto"  # "auto" (bf16 where the processor has it), "float32" or "bfloat16"
    augment: AugmentConfig | None = field(default_factory=AugmentConfig)


@dataclass(frozen=True)
class StudentConfig:
    """What a noisy student adds to its teacher's recipe (paper, section 3.3)."""

    width: int = 256  # attention_ndim; smaller than the teacher's = distillation, equal = expansion
    unlabelled_weight: float = 1.0  # weight of the pseudo-label loss beside the labelled loss
    noise: bool = True  # augment the student's clips (the teacher always hears them clean)
    pool: str = "unlabelled"  # audio that gets pseudo-labels: "unlabelled", "train" (no new audio) or "none"
    mask_percentile: float | None = None  # per-tag percentile of the teacher's scores on negatives above which they are ignored


@dataclass(frozen=True)
class InitialWeights:
    """A model folder that training starts from: the authors' weights, or those of an earlier study."""

    folder: str
    weights_sha256: str  # a study is one of these weights, whatever stands in the folder later


@dataclass(frozen=True)
class StudyConfig:
    """One run of all notebooks."""

    profile: str = "demo"
    collection: str = "synthetic"
    corpus: SyntheticConfig = field(default_factory=SyntheticConfig)
    ratios: tuple[float, float, float] = (0.7, 0.15, 0.15)
    seeds: tuple[int, ...] = (0,)
    teacher: ModelConfig = field(default_factory=ModelConfig)
    init_from: InitialWeights | None = None  # of the teacher, and of every model of its shape
    train: TrainConfig = field(default_factory=TrainConfig)
    student_width: int = 64  # of the distilled student
    student_steps: int = 1000  # every student, and the control on labelled data alone
    student_batch: int = 1  # of these, in batches of the teacher; at 2, a student's labelled half is a batch of the teacher
    iterations: int = 2  # student generations
    baselines: tuple[tuple[str, int], ...] = (  # architecture and its channels
        ("sample_cnn", 128),  # the slowest first, so that the others train beside it
        ("short_chunk_resnet", 128),
        ("crnn", 128),
        ("fcn", 128),
    )
    chunks: int = 8  # clips a song-level score is averaged over
    pool_slots: int = 10  # places in a track from which a student's unlabelled clips are drawn
    minimum_positives: int = 5  # per set; tags with fewer are listed and left out
    lengths: tuple[float, ...] = (1.0, 2.0, 3.0, 5.0, 10.0, 20.0, 30.0)  # seconds, of the test-length sweep
    train_lengths: tuple[float, ...] = ()  # seconds, of the train-length sweep; empty = none
    explained_artists: int = 120  # one track each, on which explanations are tested
    resamples: int = 1000  # artist-clustered bootstrap


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
    corpus=SyntheticConfig(labelled_artists=300, unlabelled_artists=180, tracks_per_artist=5),
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


def home() -> Path:
    """The folder that holds ``runs/`` and ``cache/``: ``$MTT_HOME``, else the checkout, else the current folder."""
    if os.environ.get("MTT_HOME"):
        return Path(os.environ["MTT_HOME"])
    checkout = Path(__file__).resolve().parents[1]
    return checkout if (checkout / "run_all.sh").exists() else Path.cwd()


def to_dict(config) -> dict:
    """The configuration as plain JSON types."""
    return json.loads(json.dumps(dataclasses.asdict(config)))


def fingerprint(value) -> str:
    """Twelve hexadecimal digits that identify ``value`` (JSON types or a configuration) across runs and machines."""
    if dataclasses.is_dataclass(value):
        value = to_dict(value)
    text = json.dumps(value, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:12]
