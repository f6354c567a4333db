"""Stages: trained models in folders, made when missing, resumed when unfinished, read back when done.

Conventions: a stage's folder holds ``config.json`` (recipe and fingerprint), ``history.csv``, ``model.safetensors``, ``model.json``,
``scores.npz`` (song-level probabilities on valid and test) and, written last, ``metrics.json``. Its fingerprint covers its recipe, its
teacher's recipe and the data; a folder with another fingerprint is made anew.
"""

from __future__ import annotations

import fcntl
import io
import json
import multiprocessing
import os
import shutil
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import dataclass, field
from multiprocessing.managers import SyncManager
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from torch import nn
from tqdm import tqdm

from mtt.config import to_dict
from mtt.data.augment import stream_seed
from mtt.data.batches import ClipBatches
from mtt.data.corpus import Corpus
from mtt.evaluation.metrics import macro
from mtt.evaluation.predict import pick_device, predict_clips, predict_tracks
from mtt.files import fingerprint, write_arrays, write_json, write_whole
from mtt.models import build_model, load_model, save_model, start_from
from mtt.splits.check import check_split
from mtt.study.recipes import ARTIST_LEVEL, Recipe
from mtt.training.fit import ALONE, STATE_FILE, Objective, Supervised, fit
from mtt.training.ranks import Ranks
from mtt.training.student import MissingLabelMask, NoisyStudent

STAGE_VERSION = 4  # raise when the same recipe would give another result
VALIDATION_CLIPS = 3  # per track
THREADS = 1  # of a training on the CPU: several train side by side, and the count must not vary or results would


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
class Stage:
    """A finished stage, read from its folder."""

    folder: Path

    @property
    def history(self) -> pd.DataFrame:
        return pd.read_csv(self.folder / "history.csv")

    @property
    def metrics(self) -> dict:
        return json.loads((self.folder / "metrics.json").read_text())

    @property
    def fingerprint(self) -> str:
        return json.loads((self.folder / "config.json").read_text())["fingerprint"]

    def load_model(self) -> nn.Module:
        return load_model(self.folder, device=pick_device())

    def scores(self, name: str) -> np.ndarray:
        """Song-level probabilities (n_tracks, n_tags) on ``"valid"`` or ``"test"``, in the order of the split."""
        with np.load(self.folder / "scores.npz", allow_pickle=False) as data:
            return data[name]


def stage_fingerprint(recipe: Recipe, data: TrainingData) -> str:
    return fingerprint([STAGE_VERSION, to_dict(recipe), data.digest])


def finished_stage(root: Path, recipe: Recipe, data: TrainingData) -> Stage | None:
    """The stage of a recipe if it is done and still answers to its recipe and data."""
    return finished_folder(root / recipe.folder, stage_fingerprint(recipe, data))


def finished_folder(folder: Path, mark: str) -> Stage | None:
    """The stage in ``folder`` if it is done and its fingerprint is ``mark``."""
    return Stage(folder) if _has_fingerprint(folder, mark) and (folder / "metrics.json").exists() else None


def _has_fingerprint(folder: Path, mark: str) -> bool:
    try:
        return json.loads((folder / "config.json").read_text()).get("fingerprint") == mark
    except (OSError, ValueError):
        return False


def make_stages(
    root: Path, recipes: Sequence[Recipe], data: TrainingData, workers: int | None = None, progress: bool = True
) -> list[Stage]:
    """Make what is missing of ``recipes`` (teachers before students, several side by side) and return their stages in order."""
    wanted = {r.folder: r for recipe in recipes for r in with_teachers(recipe)}
    missing = {name: r for name, r in wanted.items() if finished_stage(root, r, data) is None}
    if missing:
        total = sum(recipe.train.steps for recipe in missing.values())
        with tqdm(total=total, desc=f"training {len(missing)} models", unit="step", disable=not progress, mininterval=1) as bar:
            _run_in_order(root, missing, data, workers, bar)
    return [finished_stage(root, recipe, data) for recipe in recipes]


def with_teachers(recipe: Recipe) -> list[Recipe]:
    """The recipe after its teacher, its teacher's teacher and so on."""
    return ([] if recipe.teacher is None else with_teachers(recipe.teacher)) + [recipe]


def _run_in_order(root: Path, missing: dict[str, Recipe], data: TrainingData, workers: int | None, bar: tqdm) -> None:
    """Start each stage as soon as its teacher is there; longest chain first."""
    workers = workers or (1 if torch.cuda.is_available() else os.cpu_count() or 1)
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([__name__])  # packages are imported once, not by every worker of every call
    manager = SyncManager(ctx=context)
    manager.start(_watch_parent)
    queue = manager.Queue()
    waiting = dict(sorted(missing.items(), key=lambda item: -_depth(item[1], missing)))
    running: dict[Future, str] = {}
    shown: dict[str, int] = {}
    with manager, ProcessPoolExecutor(min(workers, len(missing)), context, _watch_parent) as pool:
        try:
            while waiting or running:
                unmade = {*waiting, *running.values()}
                for name, recipe in list(waiting.items()):
                    if len(running) < workers and (recipe.teacher is None or recipe.teacher.folder not in unmade):
                        running[pool.submit(_make_stage, root, waiting.pop(name), data, queue)] = name
                done, _ = wait(running, timeout=0.5, return_when=FIRST_COMPLETED)
                _show(queue, bar, shown, list(running.values()))
                for future in done:
                    future.result()
                    running.pop(future)
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            for process in list((getattr(pool, "_processes", None) or {}).values()):
                process.terminate()
            raise


def _depth(recipe: Recipe, missing: dict[str, Recipe]) -> int:
    """How many trainings in a row start with this one."""
    followers = [r for r in missing.values() if r.teacher is not None and r.teacher.folder == recipe.folder]
    return 1 + max((_depth(r, missing) for r in followers), default=0)


def _show(queue: object, bar: tqdm, shown: dict[str, int], names: list[str]) -> None:
    while not queue.empty():
        name, step = queue.get()
        bar.update(step - shown.get(name, 0))
        shown[name] = step
    bar.set_postfix_str(", ".join(names), refresh=False)


def _watch_parent() -> None:
    """End this process when the one that started it dies: a killed study leaves nothing running."""

    def watch() -> None:
        multiprocessing.parent_process().join()
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def _make_stage(root: Path, recipe: Recipe, data: TrainingData, queue: object) -> None:
    """In a process of its own: train a stage and report its steps."""
    last_report = [0.0]

    def on_step(step: int) -> None:
        if time.monotonic() - last_report[0] > 0.5 or step == recipe.train.steps:
            last_report[0] = time.monotonic()
            queue.put((recipe.folder, step))

    make_stage(root, recipe, data, on_step)


def make_stage(root: Path, recipe: Recipe, data: TrainingData, on_step: Callable[[int], None] | None = None, ranks: Ranks = ALONE) -> Stage:
    """Train, evaluate and write one stage; its teacher must be there. Goes on where an earlier attempt stopped.

    With several ``ranks``, each calls this; the first one's stage is there when all return.
    """
    folder = root / recipe.folder
    if not ranks.first:
        with _threads(THREADS):
            if ranks.agree(None):  # whether there is something to do; the folder is ready then
                _fit(root, recipe, data, on_step, ranks)
                ranks.agree(None)
            return Stage(folder)
    folder.mkdir(parents=True, exist_ok=True)
    with _locked(folder.with_name(f".{folder.name}.lock")), _threads(THREADS):
        if (stage := finished_stage(root, recipe, data)) is not None:
            ranks.agree(False)
            return stage
        _prepare_folder(folder, recipe, data)
        _objective(root, recipe, data)  # makes the teacher's scores, which the other ranks read
        ranks.agree(True)
        model, history = _fit(root, recipe, data, on_step, ranks)
        write_whole(folder / "history.csv", history.to_csv(index=False).encode())
        provenance = {"recipe": to_dict(recipe), "clip_seconds": recipe.train.clip_seconds, "data": data.digest}
        save_model(model, folder, data.corpus.tags, provenance)
        _evaluate(model, folder, recipe, data, float(history["seconds"].sum()))
        (folder / STATE_FILE).unlink(missing_ok=True)
        ranks.agree(True)
        return Stage(folder)


def _fit(
    root: Path, recipe: Recipe, data: TrainingData, on_step: Callable[[int], None] | None, ranks: Ranks
) -> tuple[nn.Module, pd.DataFrame]:
    model = build_model(recipe.model, len(data.corpus.tags), seed=recipe.seed)
    if recipe.initial is not None:
        start_from(model, recipe.initial, data.corpus.tags)
    model.to(pick_device())
    objective = _objective(root, recipe, data, ranks)
    return model, fit(model, objective, Validation(data, recipe), recipe.train, root / recipe.folder, recipe.seed, on_step, ranks)


def _prepare_folder(folder: Path, recipe: Recipe, data: TrainingData) -> None:
    """Empty the folder unless it holds an earlier attempt at exactly this stage."""
    mark = stage_fingerprint(recipe, data)
    if not _has_fingerprint(folder, mark):
        shutil.rmtree(folder)
        write_json(folder / "config.json", {"fingerprint": mark, "recipe": to_dict(recipe), "data": data.digest})


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Hold a lock that ends with the process, so that two runs never train the same stage at once."""
    with open(path, "w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


@contextmanager
def _threads(count: int) -> Iterator[None]:
    """Compute with this many threads, whatever the process is set to: results differ in the last bits with their number."""
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)


class Validation:
    """Loss on fixed clips of the validation tracks, against the cleanest labels there are."""

    def __init__(self, data: TrainingData, recipe: Recipe) -> None:
        self.corpus, self.ids = data.corpus, data.ids("valid")
        self.labels = data.corpus.true_labels(self.ids).astype(np.float64)[:, None, :]
        self.clip_seconds = recipe.train.clip_seconds

    def __call__(self, model: nn.Module) -> float:
        scores = predict_clips(model, self.corpus, self.ids, self.clip_seconds, VALIDATION_CLIPS).astype(np.float64)
        scores = np.clip(scores, 1e-7, 1 - 1e-7)
        return float(-np.mean(self.labels * np.log(scores) + (1 - self.labels) * np.log1p(-scores)))


def _objective(root: Path, recipe: Recipe, data: TrainingData, ranks: Ranks = ALONE) -> Objective:
    corpus, train, train_ids = data.corpus, recipe.train, data.train_ids(recipe)
    part, noise_seed = (ranks.rank, ranks.world), ranks.own_seed(recipe.seed)
    labels = corpus.labels[corpus.rows(train_ids)]
    options = recipe.student
    if options is None or options.pool == "none":
        ranks.check(train.batch_size)
        batches = ClipBatches(corpus, train_ids, train.batch_size, train.clip_seconds, recipe.seed, part=part)
        return Supervised(batches, labels, train.augment, noise_seed)
    if not corpus.split_name:  # a published split is taken as it is: page 2 says what it shares
        check_split(data.split, corpus.tracks["artist"])
    slots, half = data.pool_slots, train.batch_size // 2
    ranks.check(half)
    pool_ids = (data.ids("unlabelled") if options.pool == "unlabelled" else []) or train_ids
    labelled_slots = None if options.mask_percentile is None else slots  # a mask needs the teacher's scores of the same clips
    labelled = ClipBatches(corpus, train_ids, half, train.clip_seconds, recipe.seed, labelled_slots, part)
    pool = ClipBatches(corpus, pool_ids, half, train.clip_seconds, stream_seed(recipe.seed, 0, "batches of the pool"), slots, part)
    teacher, mask = root / recipe.teacher.folder, None
    if options.mask_percentile is not None:
        mask = MissingLabelMask(teacher_scores(teacher, data, train_ids, train.clip_seconds), labels, options.mask_percentile)
    scores = teacher_scores(teacher, data, pool_ids, train.clip_seconds)
    pool_noise = train.augment if options.noise else None
    return NoisyStudent(labelled, labels, pool, scores, train.augment, pool_noise, noise_seed, options.unlabelled_weight, mask)


def teacher_scores(folder: Path, data: TrainingData, track_ids: list[str], clip_seconds: float) -> np.ndarray:
    """The stage's pseudo-labels (n_tracks, slots, n_tags) for clean clips, made once and kept in its folder."""
    mark = fingerprint([Stage(folder).fingerprint, track_ids, clip_seconds, data.pool_slots])
    store = folder / f"pseudo-labels-{mark}.npy"
    if not store.exists():
        model = load_model(folder, device=pick_device())
        buffer = io.BytesIO()
        np.save(buffer, predict_clips(model, data.corpus, track_ids, clip_seconds, data.pool_slots))
        write_whole(store, buffer.getvalue())
    return np.load(store, mmap_mode="r", allow_pickle=False)


def _evaluate(model: nn.Module, folder: Path, recipe: Recipe, data: TrainingData, seconds: float) -> None:
    names = ("valid", "test")
    scores = {n: predict_tracks(model, data.corpus, data.ids(n), recipe.train.clip_seconds, data.song_clips) for n in names}
    write_arrays(folder / "scores.npz", **scores)
    metrics = {name: macro(data.corpus.true_labels(data.ids(name)), scores[name]) for name in names}
    parameters = sum(p.numel() for p in model.parameters())
    write_json(folder / "metrics.json", {**metrics, "parameters": parameters, "training_seconds": round(float(seconds), 1)})
