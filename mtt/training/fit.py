"""The training loop: one for teachers, students and baselines.

Conventions: a *step* is one batch and one update, counted from 0. Everything random in a step (crops, augmentation, dropout) follows from
(seed, step), so training killed at any moment goes on from its last evaluation and ends bit-identical to training left alone.
"""

import copy
import io
import math
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Protocol

import numpy as np
import pandas as pd
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from mtt.config import AugmentConfig, TrainConfig
from mtt.data.augment import augmented, stream_seed
from mtt.data.batches import Batch, ClipBatches
from mtt.evaluation.predict import effective_precision
from mtt.files import MttError, write_whole
from mtt.training.ranks import Ranks

STATE_FILE = "training.pt"
WARM, TIMED = 5, 10  # steps
ALONE = Ranks()
HISTORY_COLUMNS = ["step", "train_loss", "valid_roc_auc", "learning_rate", "seconds"]  # and ``kept``: the row whose weights are


class Objective(Protocol):
    """What a model is trained on: draws the batches of a range of steps, names their tracks and turns each into a loss."""

    def draw(self, first: int, last: int) -> Iterator[object]: ...

    def tracks(self, drawn: object) -> list[str]: ...

    def loss(self, model: nn.Module, step: int, drawn: object) -> Tensor: ...


class Supervised:
    """Binary cross-entropy of labelled clips against their labels, (n_tracks, n_tags) in the order of ``batches``.

    Waveforms are augmented; mel spectrograms were, where their batches draw variants.
    """

    def __init__(self, batches: ClipBatches, labels: np.ndarray, augmentation: AugmentConfig | None, seed: int) -> None:
        self.batches, self.augmentation, self.seed = batches, augmentation, seed
        self.labels = torch.as_tensor(labels, dtype=torch.float32)

    def draw(self, first: int, last: int) -> Iterator[Batch]:
        return self.batches.iterate(first, last)

    def tracks(self, drawn: Batch) -> list[str]:
        return list(drawn.track_ids)

    def loss(self, model: nn.Module, step: int, drawn: Batch) -> Tensor:
        device = next(model.parameters()).device
        clips = augmented(drawn.clips.to(device, non_blocking=True), self.augmentation, stream_seed(self.seed, step, "augmentation"))
        return F.binary_cross_entropy_with_logits(model(clips).float(), self.targets(drawn).to(device))

    def targets(self, drawn: Batch) -> Tensor:
        """What each clip is to be told, (clips, n_tags)."""
        return self.labels[drawn.rows]


def fit(
    model: nn.Module,
    objective: Objective,
    validate: Callable[[nn.Module], float],
    config: TrainConfig,
    folder: Path,
    seed: int,
    on_step: Callable[[int], None] | None = None,
    ranks: Ranks = ALONE,
) -> pd.DataFrame:
    """Train ``model`` in place and return the history, one row an evaluation.

    At a constant learning rate the weights of the best validation score are kept, and ``config.patience`` ends training (the paper's
    way). On a cosine schedule the last weights are: those before them were taken while the rate was still high.

    ``validate`` returns a score (higher is better). The state is written to ``folder`` at each evaluation and read back if training was
    stopped before. ``on_step`` is told the number of steps done after each. Of several ``ranks``, the first validates and writes.
    Raises ``MttError`` when the loss is no longer a number, with the step and its tracks; the state of the last evaluation stays.
    """
    model.to(memory_format=torch.channels_last).train()
    optimizer = torch.optim.AdamW(model.parameters(), lr=config.learning_rate, weight_decay=config.weight_decay, fused=True)
    run = _Run(model, optimizer, folder / STATE_FILE, keeps_best=config.schedule == "constant", writes=ranks.first)
    shared = ranks.wrap(model)
    while run.step < config.steps and not run.should_stop(config.patience):
        last = min(config.steps, (run.step // config.evaluate_every + 1) * config.evaluate_every)
        started = time.perf_counter()
        losses = []
        for loss in _train_steps(shared, objective, optimizer, config, seed, run.step, last, ranks):
            losses.append(loss)
            if on_step is not None:
                on_step(run.step + len(losses))
        means = ranks.mean(torch.stack(losses))  # read here: a GPU that is asked for a number waits at every step
        for step in run.step + np.flatnonzero(~np.isfinite(means))[:1]:
            tracks = objective.tracks(next(iter(objective.draw(step, step + 1))))
            named = ", ".join(tracks[:8]) + (f" and {len(tracks) - 8} more" if len(tracks) > 8 else "")
            raise _diverged(f"training loss is {means[step - run.step]} at step {step} (tracks {named})", config, run)
        score = ranks.agree(validate(model) if ranks.first else None)
        if not math.isfinite(score):
            raise _diverged(f"validation score is {score} after step {last - 1}", config, run)
        model.train()
        run.record([last, float(np.mean(means)), float(score), learning_rate(config, last - 1), time.perf_counter() - started])
    return run.finish()


def seconds_a_step(model: nn.Module, objective: Objective, config: TrainConfig, seed: int) -> float:
    """What a step takes on this machine, reading and all; ``model`` stays as it is."""
    model = copy.deepcopy(model).to(memory_format=torch.channels_last).train()
    optimizer = torch.optim.AdamW(model.parameters(), lr=config.learning_rate, fused=True)
    for first, last in ((0, WARM), (WARM, WARM + TIMED)):
        started = time.perf_counter()
        losses = list(_train_steps(model, objective, optimizer, config, seed, first, last, ALONE))
        losses[-1].item()  # a GPU has done all steps by then
    return (time.perf_counter() - started) / TIMED


def learning_rate(config: TrainConfig, step: int) -> float:
    """The rate of a step: constant, or a linear warm-up followed by half a cosine down to zero."""
    if step < config.warmup_steps:
        return config.learning_rate * (step + 1) / config.warmup_steps
    if config.schedule == "constant":
        return config.learning_rate
    done = (step - config.warmup_steps) / max(1, config.steps - config.warmup_steps)
    return config.learning_rate * 0.5 * (1.0 + math.cos(math.pi * done))


def _train_steps(
    model: nn.Module,
    objective: Objective,
    optimizer: torch.optim.Optimizer,
    config: TrainConfig,
    seed: int,
    first: int,
    last: int,
    ranks: Ranks,
) -> Iterator[Tensor]:
    """Yield the loss after each update."""
    device = next(model.parameters()).device
    use_bfloat16 = effective_precision(config.precision, device) == "bfloat16"
    for step, drawn in enumerate(objective.draw(first, last), start=first):
        for group in optimizer.param_groups:
            group["lr"] = learning_rate(config, step)
        with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
            torch.manual_seed(stream_seed(ranks.own_seed(seed), step, "dropout"))
            with torch.autocast(device.type, torch.bfloat16, enabled=use_bfloat16):
                loss = objective.loss(model, step, drawn)
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
        optimizer.step()
        yield loss.detach()


def _diverged(what: str, config: TrainConfig, run: "_Run") -> MttError:
    kept = f"the state after {run.step} steps is kept in {run.path}" if run.step else "nothing is kept"
    return MttError(f"the {what}; {kept}: lower the learning rate ({config.learning_rate:g}), or leave faulty tracks out")


class _Run:
    """Progress of one training: step, best weights so far where they are kept, history; read back, and written whole at each evaluation."""

    def __init__(self, model: nn.Module, optimizer: torch.optim.Optimizer, path: Path, keeps_best: bool, writes: bool) -> None:
        self.model, self.optimizer, self.path, self.keeps_best, self.writes = model, optimizer, path, keeps_best, writes
        self.step, self.rows, self.best = 0, [], None
        if path.exists():
            state = torch.load(path, weights_only=True, map_location=next(model.parameters()).device)
            model.load_state_dict(state["model"])
            optimizer.load_state_dict(state["optimizer"])
            self.step, self.rows, self.best = state["step"], state["rows"], state["best"]

    def should_stop(self, patience: int) -> bool:
        return self.keeps_best and bool(self.rows) and len(self.rows) - 1 - self._best_row() >= patience

    def record(self, row: list[float]) -> None:
        self.step = int(row[0])
        self.rows.append(row)
        if self.keeps_best and self._best_row() == len(self.rows) - 1:
            self.best = {name: value.detach().clone() for name, value in self.model.state_dict().items()}
        if self.writes:
            buffer, state = io.BytesIO(), {"model": self.model.state_dict(), "optimizer": self.optimizer.state_dict()}
            torch.save({**state, "step": self.step, "rows": self.rows, "best": self.best}, buffer)
            write_whole(self.path, buffer.getvalue())

    def finish(self) -> pd.DataFrame:
        """Give the model the weights that are kept; the history."""
        if self.best is not None:
            self.model.load_state_dict(self.best)
        self.model.eval()
        table = pd.DataFrame(self.rows, columns=HISTORY_COLUMNS).astype({"step": int})
        kept = self._best_row() if self.keeps_best else len(table) - 1
        return table.assign(kept=[row == kept for row in range(len(table))])

    def _best_row(self) -> int:
        return int(np.argmax([row[2] for row in self.rows]))
