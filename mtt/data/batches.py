"""Batches of random clips for training, and evenly spaced clips for evaluation.

Conventions: waveforms are (clips, samples) float32 at 22 050 Hz. A training batch depends on (seed, step) alone, never on what was drawn
before, so training that stops and goes on sees exactly what it would have seen.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import lru_cache
from typing import TypeVar

import numpy as np
import torch
from torch import Tensor

from mtt.config import SAMPLE_RATE
from mtt.data.corpus import Corpus

READ_AHEAD = 4  # batches
Job, Result = TypeVar("Job"), TypeVar("Result")


@dataclass(frozen=True)
class Batch:
    """``waveforms`` (clips, samples); ``rows`` (clips,) into the batches' track_ids; ``slots`` (clips,) which crop of the track it is."""

    waveforms: Tensor
    rows: np.ndarray
    slots: np.ndarray


@dataclass(eq=False)
class ClipBatches:
    """Random crops of tracks; ``ValueError`` where there are none.

    ``slots`` is the number of evenly spaced places in a track where a crop may start (None = anywhere); with slots, a teacher's
    predictions can be made once for all crops that will ever be drawn. ``part`` (i, n) gives the i-th of n equal parts of each batch.
    """

    corpus: Corpus
    track_ids: Sequence[str]
    batch_size: int
    clip_seconds: float
    seed: int
    slots: int | None = None
    part: tuple[int, int] = (0, 1)

    def __post_init__(self) -> None:
        if not len(self.track_ids):
            raise ValueError(f"{self.corpus.name}: no tracks to draw batches from; check the split")
        self.track_ids = list(self.track_ids)
        self._seconds = self.corpus.tracks["seconds"].loc[self.track_ids].to_numpy()
        # A batch may lie in two epochs; to draw them anew takes longer than a step.
        self._order = lru_cache(2)(lambda epoch: np.random.default_rng([self.seed, 0, epoch]).permutation(len(self.track_ids)))

    def batch(self, step: int) -> Batch:
        """The batch of a step (0-based). Each epoch visits every track once, in its own order."""
        drawn = np.arange(step * self.batch_size, (step + 1) * self.batch_size)
        rows = np.array([self._order(epoch)[place] for epoch, place in zip(*np.divmod(drawn, len(self.track_ids)), strict=True)])
        random = np.random.default_rng([self.seed, 1, step])
        if self.slots is None:
            slots = np.full(len(rows), -1)
            starts = random.random(len(rows)) * np.maximum(0.0, self._seconds[rows] - self.clip_seconds)
        else:
            slots = random.integers(self.slots, size=len(rows))
            starts = np.array([slot_starts(self._seconds[r], self.clip_seconds, self.slots)[s] for r, s in zip(rows, slots, strict=True)])
        rows, slots, starts = (values[self.part[0] :: self.part[1]] for values in (rows, slots, starts))
        return Batch(_read_clips(self.corpus, [self.track_ids[row] for row in rows], starts, self.clip_seconds), rows, slots)

    def iterate(self, first: int, last: int) -> Iterator[Batch]:
        """Batches of the steps first…last-1, read ahead in a thread."""
        return read_ahead(self.batch, range(first, last))


def read_ahead(function: Callable[[Job], Result], jobs: Iterable[Job]) -> Iterator[Result]:
    """``function`` of each job, in order; a thread makes the next ``READ_AHEAD`` while one is used."""
    waiting: deque = deque()
    with ThreadPoolExecutor(1) as pool:
        for job in jobs:
            waiting.append(pool.submit(function, job))
            if len(waiting) > READ_AHEAD:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()


def slot_starts(track_seconds: float, clip_seconds: float, slots: int) -> np.ndarray:
    """Starts (seconds) of ``slots`` clips spread evenly over a track, the first at 0 and the last at its end."""
    last = max(0.0, track_seconds - clip_seconds)
    return np.linspace(0.0, last, slots) if slots > 1 else np.array([last / 2])


def read_clip(corpus: Corpus, track_id: str, start: float, clip_seconds: float) -> np.ndarray:
    """A clip of exactly ``clip_seconds``; what a short track lacks is silence at the end."""
    samples = round(clip_seconds * SAMPLE_RATE)
    wave = corpus.read(track_id, start, clip_seconds)
    return wave if len(wave) == samples else np.pad(wave, (0, samples - len(wave)))


def _read_clips(corpus: Corpus, track_ids: Iterable[str], starts: Iterable[float], clip_seconds: float) -> Tensor:
    clips = [read_clip(corpus, track_id, start, clip_seconds) for track_id, start in zip(track_ids, starts, strict=True)]
    return torch.from_numpy(np.stack(clips))


def evaluation_clips(
    corpus: Corpus, track_ids: Sequence[str], clip_seconds: float, slots: int, batch_size: int = 32
) -> Iterator[tuple[np.ndarray, np.ndarray, Tensor]]:
    """Every evenly spaced clip of every track, in batches: (row of the track, slot, waveforms). Read ahead in a thread."""
    seconds = corpus.tracks["seconds"].loc[list(track_ids)]
    starts = np.array([slot_starts(length, clip_seconds, slots) for length in seconds]).ravel()
    rows, places = np.divmod(np.arange(len(starts)), slots)

    def read(part: slice) -> tuple[np.ndarray, np.ndarray, Tensor]:
        return rows[part], places[part], _read_clips(corpus, [track_ids[row] for row in rows[part]], starts[part], clip_seconds)

    return read_ahead(read, [slice(first, first + batch_size) for first in range(0, len(starts), batch_size)])
