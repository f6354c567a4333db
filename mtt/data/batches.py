"""Batches of random clips for training, and evenly spaced clips for evaluation.

Conventions: waveforms are (clips, samples) float32 at 22 050 Hz. A training batch depends on (seed, step) alone, never on what was drawn
before, so training that stops and goes on sees exactly what it would have seen.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from mtt.config import SAMPLE_RATE
from mtt.data.corpus import Corpus

READ_AHEAD = 4  # batches


@dataclass(frozen=True)
class Batch:
    """``waveforms`` (clips, samples); ``rows`` (clips,) into the batches' track_ids; ``slots`` (clips,) which crop of the track it is."""

    waveforms: Tensor
    rows: np.ndarray
    slots: np.ndarray


class ClipBatches:
    """Random crops of tracks.

    ``slots`` is the number of evenly spaced places in a track where a crop may start (None = anywhere); with slots, a teacher's
    predictions can be made once for all crops that will ever be drawn. ``part`` (i, n) gives the i-th of n equal parts of each batch.
    """

    def __init__(
        self,
        corpus: Corpus,
        track_ids: Sequence[str],
        batch_size: int,
        clip_seconds: float,
        seed: int,
        slots: int | None = None,
        part: tuple[int, int] = (0, 1),
    ) -> None:
        if not len(track_ids):
            raise ValueError(f"{corpus.name}: no tracks to draw batches from; check the split")
        self.corpus, self.track_ids = corpus, list(track_ids)
        self.batch_size, self.clip_seconds, self.seed, self.slots = batch_size, clip_seconds, seed, slots
        self.part = part
        self._seconds = corpus.tracks["seconds"].loc[self.track_ids].to_numpy()

    def batch(self, step: int) -> Batch:
        """The batch of a step (0-based). Each epoch visits every track once, in its own order."""
        rows = self._rows(step)
        random = np.random.default_rng([self.seed, 1, step])
        if self.slots is None:
            slots = np.full(len(rows), -1)
            starts = random.random(len(rows)) * np.maximum(0.0, self._seconds[rows] - self.clip_seconds)
        else:
            slots = random.integers(self.slots, size=len(rows))
            starts = np.array([slot_starts(self._seconds[r], self.clip_seconds, self.slots)[s] for r, s in zip(rows, slots, strict=True)])
        rows, slots, starts = (values[self.part[0] :: self.part[1]] for values in (rows, slots, starts))
        clips = [read_clip(self.corpus, self.track_ids[r], t, self.clip_seconds) for r, t in zip(rows, starts, strict=True)]
        return Batch(torch.from_numpy(np.stack(clips)), rows, slots)

    def iterate(self, first: int, last: int) -> Iterator[Batch]:
        """Batches of the steps first…last-1, read ahead in a thread."""
        with ThreadPoolExecutor(1) as pool:
            waiting = [pool.submit(self.batch, step) for step in range(first, min(first + READ_AHEAD, last))]
            for step in range(first, last):
                if step + READ_AHEAD < last:
                    waiting.append(pool.submit(self.batch, step + READ_AHEAD))
                yield waiting.pop(0).result()

    def _rows(self, step: int) -> np.ndarray:
        n = len(self.track_ids)
        places = np.arange(step * self.batch_size, (step + 1) * self.batch_size)
        orders = {epoch: np.random.default_rng([self.seed, 0, epoch]).permutation(n) for epoch in np.unique(places // n).tolist()}
        return np.array([orders[place // n][place % n] for place in places.tolist()])


def slot_starts(track_seconds: float, clip_seconds: float, slots: int) -> np.ndarray:
    """Starts (seconds) of ``slots`` clips spread evenly over a track, the first at 0 and the last at its end."""
    last = max(0.0, track_seconds - clip_seconds)
    return np.linspace(0.0, last, slots) if slots > 1 else np.array([last / 2])


def read_clip(corpus: Corpus, track_id: str, start: float, clip_seconds: float) -> np.ndarray:
    """A clip of exactly ``clip_seconds``; what a short track lacks is silence at the end."""
    samples = round(clip_seconds * SAMPLE_RATE)
    wave = corpus.read(track_id, start, clip_seconds)
    return wave if len(wave) == samples else np.pad(wave, (0, samples - len(wave)))


def evaluation_clips(
    corpus: Corpus, track_ids: Sequence[str], clip_seconds: float, slots: int, batch_size: int = 32
) -> Iterator[tuple[np.ndarray, np.ndarray, Tensor]]:
    """Every evenly spaced clip of every track, in batches: (row of the track, slot, waveforms). Read ahead in a thread."""
    seconds = corpus.tracks["seconds"].loc[list(track_ids)].to_numpy()
    jobs = [(row, slot, start) for row, length in enumerate(seconds) for slot, start in enumerate(slot_starts(length, clip_seconds, slots))]

    def read(part: list[tuple[int, int, float]]) -> tuple[np.ndarray, np.ndarray, Tensor]:
        clips = [read_clip(corpus, track_ids[row], start, clip_seconds) for row, _, start in part]
        return np.array([j[0] for j in part]), np.array([j[1] for j in part]), torch.from_numpy(np.stack(clips))

    parts = [jobs[i : i + batch_size] for i in range(0, len(jobs), batch_size)]
    with ThreadPoolExecutor(1) as pool:
        waiting = [pool.submit(read, part) for part in parts[:READ_AHEAD]]
        for i in range(len(parts)):
            if i + READ_AHEAD < len(parts):
                waiting.append(pool.submit(read, parts[i + READ_AHEAD]))
            yield waiting.pop(0).result()
