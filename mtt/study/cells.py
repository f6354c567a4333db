"""Cells: trained models in folders, made when missing, resumed when unfinished, read back when done.

Conventions: a cell's folder holds ``config.json`` (recipe, precision and fingerprint), ``history.csv``, ``model.safetensors``,
``model.json``, ``scores.npz`` (song-level probabilities on valid and test) and, written last, ``metrics.json``. Its fingerprint covers
what it effectively computes (``effective``) and the data; a folder with another fingerprint is never written into.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from torch import nn

from mtt.config import AugmentConfig, TrainConfig
from mtt.data.augment import EFFECTS, stream_seed
from mtt.data.batches import ClipBatches
from mtt.data.corpus import Corpus
from mtt.evaluation.metrics import macro
from mtt.evaluation.predict import effective_precision, pick_device, predict_clips
from mtt.files import MttError, alone, fingerprint, kept_arrays, read_arrays, read_json, write_arrays, write_json, write_whole
from mtt.models import build_model, load_model, save_model, start_from
from mtt.models.handmade import describe_tracks, fit_logistic_regression
from mtt.settings import identity, to_dict
from mtt.splits.check import check_split
from mtt.study.recipes import ARTIST_LEVEL, HAND_MADE, Recipe
from mtt.training.fit import ALONE, STATE_FILE, Objective, Supervised, fit
from mtt.training.ranks import Ranks
from mtt.training.student import MissingLabelMask, NoisyStudent

CELL_VERSION = 4  # raise when the same recipe would give another result
HAND_MADE_VERSION = 3
VALIDATION_CLIPS = 3  # per track
THREADS = 1  # of a training on the CPU: several train side by side, and the count must not vary or results would
SETS = ("valid", "test")  # that a cell is scored on


@dataclass(frozen=True)
class TrainingData:
    """The corpus and its split; ``groups`` are training sets other than the split's, by name."""

    corpus: Corpus
    split: pd.Series
    groups: dict[str, list[str]] = field(default_factory=dict)
    song_clips: int = 8
    pool_slots: int = 10

    def ids(self, name: str) -> list[str]:
        return list(self.split.index[self.split == name])

    def train_ids(self, recipe: Recipe) -> list[str]:
        return self.ids("train") if recipe.training_set == ARTIST_LEVEL else self.groups[recipe.training_set]

    @property
    def digest(self) -> str:
        split = [list(self.split.index), list(self.split), self.groups]
        return fingerprint([self.corpus.digest, self.corpus.tags, split, self.song_clips, self.pool_slots])


@dataclass(frozen=True)
class Cell:
    """A finished cell, read from its folder."""

    folder: Path

    @property
    def history(self) -> pd.DataFrame:
        return pd.read_csv(self.folder / "history.csv")

    @property
    def metrics(self) -> dict:
        return read_json(self.folder / "metrics.json")

    @property
    def config(self) -> dict:
        return read_json(self.folder / "config.json")

    @property
    def fingerprint(self) -> str:
        return self.config["fingerprint"]

    def load_model(self) -> nn.Module:
        return load_model(self.folder, device=pick_device())

    def scores(self, name: str) -> np.ndarray:
        """Song-level probabilities (n_tracks, n_tags) on ``"valid"`` or ``"test"``, in the order of the split."""
        return read_arrays(self.folder / "scores.npz")[name]

    def predict_clips(self, data: TrainingData, track_ids: list[str], clip_seconds: float, clips: int) -> np.ndarray:
        """Probabilities (n_tracks, clips, n_tags) of evenly spaced clean clips, in the precision that the model was trained in."""
        return predict_clips(self.load_model(), data.corpus, track_ids, clip_seconds, clips, precision=self.config["precision"])

    def pseudo_labels(self, data: TrainingData, track_ids: list[str], clip_seconds: float) -> np.ndarray:
        """Its probabilities (n_tracks, slots, n_tags) for the clips that a student draws from; made once and kept in its folder."""

        def make() -> dict[str, np.ndarray]:
            return {"scores": self.predict_clips(data, track_ids, clip_seconds, data.pool_slots)}

        return kept_arrays(self.folder, "pseudo-labels", [self.fingerprint, track_ids, clip_seconds, data.pool_slots], make)["scores"]


def effective(recipe: Recipe) -> dict:
    """What a recipe computes on this machine, as JSON types: no names, no defaults, the precision that is used, the effects that apply."""
    train, teacher = _resolved(recipe.train), recipe.teacher
    return {
        "model": identity(recipe.model),
        "train": identity(replace(train, augment=None)),
        "augment": _chain(train.augment),
        "seed": recipe.seed,
        "set": recipe.training_set,
        "student": identity(recipe.student),
        "initial": recipe.initial and recipe.initial.weights_sha256,
        "teacher": teacher and effective(teacher),
    }


def _resolved(train: TrainConfig) -> TrainConfig:
    return replace(train, precision=effective_precision(train.precision, pick_device()))


def _chain(given: AugmentConfig | None) -> list | None:
    """The effects that can apply, with their probabilities and ranges: one that is added with probability 0 changes nothing."""
    if given is None:
        return None
    parts = [
        [name, chosen, {part: list(given.ranges.get(part, limits)) for part, limits in effect.ranges.items()}]
        for name, effect in EFFECTS.items()
        if (chosen := given.probability.get(name, effect.probability))
    ]
    return [given.clip_share, parts]


def cell_fingerprint(recipe: Recipe, data: TrainingData) -> str:
    return fingerprint([CELL_VERSION, effective(recipe), data.digest])


def finished_cell(root: Path, recipe: Recipe, data: TrainingData) -> Cell | None:
    """The cell of a recipe if it is done. Raises ``MttError`` where its folder holds another."""
    return _finished(root / recipe.folder, cell_fingerprint(recipe, data))


def _finished(folder: Path, mark: str) -> Cell | None:
    found = read_json(folder / "config.json")
    if found is not None and found.get("fingerprint") != mark:
        remedy = "which is kept: name another study, or move the folder away"
        raise MttError(f"{folder}: holds a model of other settings, data or version, {remedy}")
    if found is None or not (folder / "metrics.json").exists():
        return None
    (folder / STATE_FILE).unlink(missing_ok=True)  # it has served
    return Cell(folder)


def make_cell(root: Path, recipe: Recipe, data: TrainingData, on_step: Callable[[int], None] | None = None, ranks: Ranks = ALONE) -> Cell:
    """Train, evaluate and write one cell, or go on where that stopped; its teacher must be there. All of several ``ranks`` call this."""
    recipe, folder = replace(recipe, train=_resolved(recipe.train)), root / recipe.folder
    folder.mkdir(parents=True, exist_ok=True)
    with threads(THREADS), alone(folder.with_name(f".{folder.name}.lock")) if ranks.first else nullcontext():
        if ranks.agree(ranks.first and _begin(root, recipe, data)):
            model = build_model(recipe.model, len(data.corpus.tags), seed=recipe.seed)
            if recipe.initial is not None:
                start_from(model, recipe.initial, data.corpus.tags)
            model.to(pick_device())
            objective, validation = _objective(root, recipe, data, ranks), _validation(data, recipe.train)
            history = fit(model, objective, validation, recipe.train, folder, recipe.seed, on_step, ranks)
            if ranks.first:
                _finish(folder, recipe, data, model, history)
            ranks.agree(None)
    return Cell(folder)


def _begin(root: Path, recipe: Recipe, data: TrainingData) -> bool:
    """Whether there is something to do; then ``config.json`` is written and the teacher's scores are made, which other ranks read."""
    if finished_cell(root, recipe, data) is not None:
        return False
    about = {"recipe": to_dict(recipe), "precision": recipe.train.precision, "data": data.digest}
    write_json(root / recipe.folder / "config.json", {"fingerprint": cell_fingerprint(recipe, data), **about})
    _objective(root, recipe, data)
    return True


def _finish(folder: Path, recipe: Recipe, data: TrainingData, model: nn.Module, history: pd.DataFrame) -> None:
    """Write the trained model and what it scores."""
    write_whole(folder / "history.csv", history.to_csv(index=False))
    clip_seconds, precision = recipe.train.clip_seconds, recipe.train.precision
    save_model(model, folder, data.corpus.tags, {"recipe": to_dict(recipe), "clip_seconds": clip_seconds, "data": data.digest})
    clips = {name: predict_clips(model, data.corpus, data.ids(name), clip_seconds, data.song_clips, precision) for name in SETS}
    scores = {name: clips[name].mean(axis=1) for name in SETS}
    _write_scores(folder, data, scores, sum(p.numel() for p in model.parameters()), float(history["seconds"].sum()))
    (folder / STATE_FILE).unlink(missing_ok=True)


def make_handmade(root: Path, data: TrainingData, progress: bool = True) -> Cell:
    """The baseline without deep learning: hand-made features + logistic regression. No model is kept: it is refitted in a second."""
    folder, mark = root / HAND_MADE, fingerprint([HAND_MADE_VERSION, data.digest])
    if (cell := _finished(folder, mark)) is not None:
        return cell
    started = time.perf_counter()
    ids = {name: data.ids(name) for name in ("train", *SETS)}
    features = describe_tracks(data.corpus, sum(ids.values(), []), progress=progress)
    train, *others = np.split(features, np.cumsum([len(part) for part in ids.values()])[:-1])
    classifier = fit_logistic_regression(train, data.corpus.labels[data.corpus.rows(ids["train"])])
    scores = {name: classifier.predict_proba(part).astype(np.float32) for name, part in zip(SETS, others, strict=True)}
    write_json(folder / "config.json", {"fingerprint": mark, "recipe": {"name": HAND_MADE}, "data": data.digest})
    _write_scores(folder, data, scores, (features.shape[1] + 1) * len(data.corpus.tags), time.perf_counter() - started)
    return Cell(folder)


def _write_scores(folder: Path, data: TrainingData, scores: dict[str, np.ndarray], parameters: int, seconds: float) -> None:
    write_arrays(folder / "scores.npz", **scores)
    metrics = {name: macro(data.corpus.true_labels(data.ids(name)), scores[name]) for name in SETS}
    write_json(folder / "metrics.json", {**metrics, "parameters": parameters, "training_seconds": round(seconds, 1)})


@contextmanager
def threads(count: int) -> Iterator[None]:
    """Compute with this many threads, whatever the process is set to: results differ in the last bits with their number."""
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _validation(data: TrainingData, train: TrainConfig) -> Callable[[nn.Module], float]:
    """Loss of a model on fixed clips of the validation tracks, against the cleanest labels there are."""
    ids = data.ids("valid")
    labels = data.corpus.true_labels(ids).astype(np.float64)[:, None, :]

    def loss(model: nn.Module) -> float:
        scores = predict_clips(model, data.corpus, ids, train.clip_seconds, VALIDATION_CLIPS, precision=train.precision)
        scores = np.clip(scores.astype(np.float64), 1e-7, 1 - 1e-7)
        return float(-np.mean(labels * np.log(scores) + (1 - labels) * np.log1p(-scores)))

    return loss


def _objective(root: Path, recipe: Recipe, data: TrainingData, ranks: Ranks = ALONE) -> Objective:
    """What the recipe is trained on: labelled clips, and beside them, for most students, clips with their teacher's pseudo-labels."""
    corpus, train, options, train_ids = data.corpus, recipe.train, recipe.student, data.train_ids(recipe)
    labels, noise_seed = corpus.labels[corpus.rows(train_ids)], ranks.own_seed(recipe.seed)
    labelled_batch = train.batch_size // 2 if recipe.uses_pool else train.batch_size  # with a pool, as many clips are not labelled

    def batches(ids: list[str], seed: int, slots: int | None = None) -> ClipBatches:
        return ClipBatches(corpus, ids, labelled_batch, train.clip_seconds, seed, slots, (ranks.rank, ranks.world))

    if not recipe.uses_pool:
        return Supervised(batches(train_ids, recipe.seed), labels, train.augment, noise_seed)
    if not corpus.split_name:  # a published split is taken as it is: page 2 says what it shares
        check_split(data.split, corpus.tracks["artist"])
    teacher, mask = Cell(root / recipe.teacher.folder), None
    if options.mask_percentile is not None:
        mask = MissingLabelMask(teacher.pseudo_labels(data, train_ids, train.clip_seconds), labels, options.mask_percentile)
    pool_ids = (data.ids("unlabelled") if options.pool == "unlabelled" else []) or train_ids
    labelled = batches(train_ids, recipe.seed, None if mask is None else data.pool_slots)  # a mask needs scores of the same clips
    pool = batches(pool_ids, stream_seed(recipe.seed, 0, "batches of the pool"), data.pool_slots)
    scores = teacher.pseudo_labels(data, pool_ids, train.clip_seconds)
    pool_noise = train.augment if options.noise else None
    return NoisyStudent(labelled, labels, pool, scores, train.augment, pool_noise, noise_seed, options.unlabelled_weight, mask)
