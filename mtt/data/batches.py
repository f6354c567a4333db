"""Batches of random clips for training, and evenly spaced clips for evaluation.

Conventions: clips are waveforms (clips, samples) float32 at 22 050 Hz, or mel spectrograms (clips, n_mels, frames), as their ``Source`` has
it. A training batch depends on (seed, step) alone, never on what was drawn before, so training that stops and goes on sees exactly what it
would have seen.
"""

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import lru_cache
from typing import Protocol, TypeVar

import numpy as np
import torch
from torch import Tensor

READ_AHEAD = 4  # batches
BATCH_SECONDS = 96.0  # of audio in a batch, whatever the length of a clip, overlaps counted
Job, Result = TypeVar("Job"), TypeVar("Result")


class Source(Protocol):
    """Where clips come from: a ``Corpus`` or its ``Mels``."""

    def seconds(self, track_ids: Sequence[str]) -> np.ndarray:
        """Length of each track, (n_tracks,)."""

    def clips(self, track_ids: Sequence[str], starts: Sequence[float], seconds: float, draws: Sequence[float] | None = None) -> Tensor:
        """A clip of each track. A number of ``draws``, from 0 to 1, chooses among prepared variants; without, the clean one is given."""


@dataclass(frozen=True)
class Batch:
    """``clips``; ``rows`` (clips,) into the batches' tracks; ``slots`` (clips,) which crop of it; ``track_ids`` (clips,)."""

    clips: Tensor
    rows: np.ndarray
    slots: np.ndarray
    track_ids: Sequence[str] = ()


@dataclass(eq=False)
class ClipBatches:
    """Random crops of tracks; ``ValueError`` where there are none.

    ``slots`` is the number of evenly spaced places in a track where a crop may start (None = anywhere); with slots, a teacher's
    predictions can be made once for all crops that will ever be drawn. With ``varied``, clips are of prepared variants where there are
    some. ``part`` (i, n) gives the i-th of n equal parts of each batch.
    """

    source: Source
    track_ids: Sequence[str]
    batch_size: int
    clip_seconds: float
    seed: int
    slots: int | None = None
    part: tuple[int, int] = (0, 1)
    varied: bool = True

    def __post_init__(self) -> None:
        if not len(self.track_ids):
            raise ValueError("no tracks to draw batches from; check the split")
        self.track_ids = list(self.track_ids)
        self._seconds = self.source.seconds(self.track_ids)
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
        rows, slots, starts, draws = (values[self.part[0] :: self.part[1]] for values in (rows, slots, starts, random.random(len(rows))))
        ids = [self.track_ids[row] for row in rows]
        clips = self.source.clips(ids, starts, self.clip_seconds, draws if self.varied else None)
        return Batch(clips.pin_memory() if torch.cuda.is_available() else clips, rows, slots, ids)  # a GPU fetches pinned memory by itself

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


def batch_of(clip_seconds: float) -> int:
    """Clips in a batch of BATCH_SECONDS."""
    return max(1, int(BATCH_SECONDS / clip_seconds))


def evaluation_clips(
    source: Source, track_ids: Sequence[str], clip_seconds: float, slots: int
) -> Iterator[tuple[np.ndarray, np.ndarray, Tensor]]:
    """Every evenly spaced clip of every track, in batches: (row of the track, slot, clips). Read ahead in a thread."""
    size = batch_of(clip_seconds)
    starts = np.array([slot_starts(length, clip_seconds, slots) for length in source.seconds(track_ids)]).ravel()
    rows, places = np.divmod(np.arange(len(starts)), slots)

    def read(part: slice) -> tuple[np.ndarray, np.ndarray, Tensor]:
        return rows[part], places[part], source.clips([track_ids[row] for row in rows[part]], starts[part], clip_seconds)

    return read_ahead(read, [slice(first, first + size) for first in range(0, len(starts), size)])
