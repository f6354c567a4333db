"""Cells: trained models in folders, made when missing, resumed when unfinished, read back when done.

Conventions: a cell's folder holds ``config.json`` (recipe, precision and fingerprint), ``history.csv``, ``model.safetensors``,
``model.json``, ``scores.npz`` (song-level probabilities on valid and test) and, written last, ``metrics.json``. Its fingerprint covers
what it effectively computes (``effective``) and the data; a folder with another fingerprint is never written into.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, replace
from functools import cached_property, partial
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from torch import nn

from mtt.config import AugmentConfig, TrainConfig
from mtt.data.augment import EFFECTS, stream_seed
from mtt.data.batches import ClipBatches, Source
from mtt.data.corpus import Corpus
from mtt.evaluation.metrics import macro
from mtt.evaluation.predict import clips_to_cover, effective_precision, over_tracks, pick_device, predict_clips, track_features
from mtt.evaluation.regression import choose_linear
from mtt.files import MttError, alone, fingerprint, kept_arrays, read_arrays, read_json, write_arrays, write_json, write_whole
from mtt.models import build_model, load_model, save_model, start_from
from mtt.models.checkpoint import loaded
from mtt.models.mels import Mels
from mtt.settings import identity, to_dict
from mtt.splits.check import check_split
from mtt.study.recipes import LABELLED, Recipe
from mtt.training.fit import ALONE, STATE_FILE, Objective, Supervised, fit
from mtt.training.ranks import Ranks
from mtt.training.student import MissingLabelMask, NoisyStudent

CELL_VERSION = 5  # raise when the same recipe would give another result
REGRESSION_VERSION = 5
VALIDATION_CLIPS = 3  # per track
THREADS = 1  # of a training on the CPU: several train side by side, and the count must not vary or results would
SETS = ("valid", "test")  # that a cell is scored on


@dataclass(frozen=True)
class TrainingData:
    """The corpus, its split, and the sets of tracks to train on by name. ``mels`` are prepared spectrograms of all of them."""

    corpus: Corpus
    split: pd.Series
    groups: dict[str, list[str]]
    song_clips: int = 8
    pool_slots: int = 10
    mels: Mels | None = None

    def ids(self, name: str) -> list[str]:
        return list(self.split.index[self.split == name])

    def source(self, recipe: Recipe) -> Source:
        """Where a recipe's clips come from: prepared spectrograms where it is trained on them, else the sound itself."""
        return self.mels if self.mels and recipe.train.prepared else self.corpus

    def labels(self, track_ids: list[str]) -> np.ndarray:
        """What annotators wrote down, of tracks of the pool too: (n_tracks, n_tags)."""
        known = self.corpus.labels if self.corpus.withheld is None else self.corpus.withheld
        return known[self.corpus.rows(track_ids)]

    @cached_property
    def digest(self) -> str:
        """Of all that every cell depends on, whatever it is trained on."""
        tested = [self.ids(name) for name in SETS]
        return fingerprint([self.corpus.digest, self.corpus.tags, tested, self.song_clips, self.pool_slots])


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

    def pseudo_labels(self, data: TrainingData, track_ids: list[str], source: Source, clip_seconds: float) -> np.ndarray:
        """Its probabilities (n_tracks, slots, n_tags) for the clips that a student draws from; made once and kept in its folder."""

        def make() -> dict[str, np.ndarray]:
            model, precision = self.load_model(), self.config["precision"]
            return {"scores": predict_clips(model, source, track_ids, clip_seconds, data.pool_slots, precision)}

        kind = type(source).__name__
        mark = [self.fingerprint, track_ids, clip_seconds, data.pool_slots, kind]
        name = f"pseudo-labels-{fingerprint([track_ids, kind])}"
        with alone(self.folder / f".{name}.lock"):  # students of one teacher start together
            return kept_arrays(self.folder, name, mark, make)["scores"]


def effective(recipe: Recipe, data: TrainingData) -> dict:
    """What a recipe computes on this machine, as JSON types: no names, no defaults, the precision that is used, the effects that apply."""
    train, teacher, options = _resolved(recipe.train), recipe.teacher, recipe.student
    return {
        "model": identity(recipe.model),
        "train": identity(replace(train, augment=None)),
        "augment": _chain(train.augment),
        "seed": recipe.seed,
        "set": data.groups[recipe.training_set],
        "student": options and identity(replace(options, pool="pool")),
        "pool": options and data.groups[options.pool],
        "initial": recipe.initial and recipe.initial.weights_sha256,
        "teacher": teacher and effective(teacher, data),
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
    return fingerprint([CELL_VERSION, effective(recipe, data), data.digest])


def finished_cell(root: Path, recipe: Recipe, data: TrainingData) -> Cell | None:
    """The cell of a recipe if it is done. Raises ``MttError`` where its folder holds another."""
    return _finished(root / recipe.name, cell_fingerprint(recipe, data))


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
    recipe, folder = replace(recipe, train=_resolved(recipe.train)), root / recipe.name
    folder.mkdir(parents=True, exist_ok=True)
    with threads(THREADS), alone(folder.with_name(f".{folder.name}.lock")) if ranks.first else nullcontext():
        if ranks.agree(ranks.first and _begin(root, recipe, data)):
            model = build_model(recipe.model, len(data.corpus.tags), seed=recipe.seed)
            if recipe.initial is not None:
                start_from(model, recipe.initial, data.corpus.tags)
            model.to(pick_device())
            objective, validation = _objective(root, recipe, data, ranks), _validation(data, recipe)
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
    write_json(root / recipe.name / "config.json", {"fingerprint": cell_fingerprint(recipe, data), **about})
    _objective(root, recipe, data)
    return True


def _finish(folder: Path, recipe: Recipe, data: TrainingData, model: nn.Module, history: pd.DataFrame) -> None:
    """Write the trained model and what it scores."""
    write_whole(folder / "history.csv", history.to_csv(index=False))
    clip_seconds, precision = recipe.train.clip_seconds, recipe.train.precision
    save_model(model, folder, data.corpus.tags, {"recipe": to_dict(recipe), "clip_seconds": clip_seconds, "data": data.digest})
    source, scores = data.source(recipe), {}
    for name in SETS:
        ids = data.ids(name)
        clips = max(data.song_clips, clips_to_cover(float(source.seconds(ids).max()), clip_seconds))
        scores[name] = predict_clips(model, source, ids, clip_seconds, clips, precision).mean(axis=1)
    _write_scores(folder, data, scores, sum(p.numel() for p in model.parameters()), float(history["seconds"].sum()))
    (folder / STATE_FILE).unlink(missing_ok=True)


def make_regression(
    root: Path, name: str, describe: Callable[[Corpus, list[str]], np.ndarray], about: list, data: TrainingData, progress: bool = True
) -> Cell:
    """A baseline without training of its own: logistic regression on what ``describe`` makes of tracks, (n_tracks, n).

    ``about`` (of JSON types) identifies it. No model is kept: it is refitted in a second.
    """
    folder, mark = root / name, fingerprint([REGRESSION_VERSION, about, data.digest, data.groups[LABELLED]])
    if (cell := _finished(folder, mark)) is not None:
        return cell
    started = time.perf_counter()
    ids = {"train": data.groups[LABELLED]} | {part: data.ids(part) for part in SETS}
    features = over_tracks(partial(describe, replace(data.corpus, fingerprints={})), sum(ids.values(), []), name, progress)
    train, valid, test = np.split(features, np.cumsum([len(part) for part in ids.values()])[:-1])
    linear = choose_linear(train, data.labels(ids["train"]), valid, data.labels(ids["valid"]))
    scores = {"valid": linear.probabilities(valid), "test": linear.probabilities(test)}
    write_json(folder / "config.json", {"fingerprint": mark, "recipe": {"name": name}, "penalty": linear.penalty, "data": data.digest})
    _write_scores(folder, data, scores, (features.shape[1] + 1) * len(data.corpus.tags), time.perf_counter() - started)
    return Cell(folder)


def folder_features(folder: str, corpus: Corpus, track_ids: list[str]) -> np.ndarray:
    """What the model of a folder makes of tracks, (n_tracks, n)."""
    return track_features(loaded(folder), corpus, track_ids)


def _write_scores(folder: Path, data: TrainingData, scores: dict[str, np.ndarray], parameters: int, seconds: float) -> None:
    write_arrays(folder / "scores.npz", **scores)
    labels = {"valid": data.labels(data.ids("valid")), "test": data.corpus.true_labels(data.ids("test"))}  # choices rest on the first
    metrics = {name: macro(labels[name], scores[name]) for name in SETS}
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


def _validation(data: TrainingData, recipe: Recipe) -> Callable[[nn.Module], float]:
    """Macro ROC-AUC of a model on fixed clips of the validation tracks, against the labels that annotators wrote down."""
    ids, train, source = data.ids("valid"), recipe.train, data.source(recipe)
    labels = data.labels(ids)

    def score(model: nn.Module) -> float:
        clips = predict_clips(model, source, ids, train.clip_seconds, VALIDATION_CLIPS, precision=train.precision)
        return macro(labels, clips.mean(axis=1))["roc_auc"] if np.isfinite(clips).all() else math.nan

    return score


def _objective(root: Path, recipe: Recipe, data: TrainingData, ranks: Ranks = ALONE) -> Objective:
    """What the recipe is trained on: labelled clips, and for a student beside them clips of the pool with what it is told of them."""
    corpus, train, options = data.corpus, recipe.train, recipe.student
    train_ids, source, noise_seed = data.groups[recipe.training_set], data.source(recipe), ranks.own_seed(recipe.seed)
    labels, noisy = data.labels(train_ids), train.augment is not None
    labelled_batch = train.batch_size if options is None else train.batch_size // 2  # as many clips are of the pool

    def batches(ids: list[str], seed: int, slots: int | None, varied: bool) -> ClipBatches:
        return ClipBatches(source, ids, labelled_batch, train.clip_seconds, seed, slots, (ranks.rank, ranks.world), varied)

    if options is None:
        return Supervised(batches(train_ids, recipe.seed, None, noisy), labels, train.augment, noise_seed)
    if not corpus.split_name:  # a published split is taken as it is: page 2 says what it shares
        check_split(data.split, corpus.tracks["artist"])
    teacher, pool_ids = Cell(root / recipe.teacher.name), data.groups[options.pool]
    mask = None
    if options.mask_percentile is not None:
        mask = MissingLabelMask(teacher.pseudo_labels(data, train_ids, source, train.clip_seconds), labels, options.mask_percentile)
    if options.told == "labels":
        scores = np.repeat(data.labels(pool_ids)[:, None].astype(np.float32), data.pool_slots, axis=1)
    else:
        scores = teacher.pseudo_labels(data, pool_ids, source, train.clip_seconds)
    if options.told == "permuted":
        scores = scores[np.random.default_rng([recipe.seed, len(pool_ids)]).permutation(len(pool_ids))]
    labelled = batches(train_ids, recipe.seed, None if mask is None else data.pool_slots, noisy)  # a mask needs scores of the same clips
    pool_seed = stream_seed(recipe.seed, 0, "batches of the pool")
    pool = batches(pool_ids, pool_seed, data.pool_slots, noisy and options.noise)
    pool_noise = train.augment if options.noise else None
    return NoisyStudent(labelled, labels, pool, scores, train.augment, pool_noise, noise_seed, options.unlabelled_weight, mask)
