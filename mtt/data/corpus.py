"""A corpus: tracks, tags, labels and audio behind one interface, whatever collection they came from.

Conventions: ``tracks`` is indexed by track_id and holds ``path, artist, title, album,
seconds, level_db, digest`` (of the samples); ``labels`` and ``truth`` are
(n_tracks, n_tags) uint8 in the order of ``tracks`` and ``tags``. ``labels`` is what an annotator wrote down; ``truth``, known for the
embedded corpus only, is what the audio holds. A track whose row in ``labels`` is empty is unlabelled.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Protocol

import numpy as np
import pandas as pd

from mtt.data.audio import read_audio

PROBLEM_COLUMNS = ["track_id", "path", "problem", "detail"]


def no_problems() -> pd.DataFrame:
    """An empty table of problems, one row per problem: track_id, path, problem, detail."""
    return pd.DataFrame(columns=PROBLEM_COLUMNS)


class TrackReader(Protocol):
    """What reads tracks by their id, as ``read_audio`` reads files (``mtt.collections.packed``)."""

    def read(self, track_id: str, start: float = 0.0, seconds: float | None = None) -> np.ndarray: ...


@dataclass(frozen=True)
class Corpus:
    """Tracks with their tags; see the module's conventions. Made by ``load_corpus``."""

    name: str
    root: Path
    tracks: pd.DataFrame
    tags: list[str]
    labels: np.ndarray
    truth: np.ndarray | None = None
    timeline: pd.DataFrame | None = None  # track_id, instrument, start, end (seconds)
    tag_kinds: dict[str, str] = field(default_factory=dict)
    problems: pd.DataFrame = field(default_factory=no_problems)  # tracks left out, and why
    planted: pd.DataFrame | None = None  # flaws that the embedded corpus was given on purpose
    fingerprints: dict[str, np.ndarray] = field(default_factory=dict)  # of ``mtt.collections.duplicates``, by track_id
    digest: str = ""  # identifies audio and labels
    split_name: str = ""  # of a split that was published with the data set, and that ``tracks`` has as column ``split``
    packed: TrackReader | None = None  # reads the tracks of a packed collection, instead of their files

    def __post_init__(self) -> None:
        shape = (len(self.tracks), len(self.tags))
        for name in ("labels", "truth"):
            matrix = getattr(self, name)
            if matrix is not None and matrix.shape != shape:
                raise ValueError(f"{self.name}: {name} has shape {matrix.shape}, but there are {shape[0]} tracks and {shape[1]} tags")
        if not self.tracks.index.is_unique:
            raise ValueError(f"{self.name}: track_id {self.tracks.index[self.tracks.index.duplicated()][0]!r} stands twice")

    def __len__(self) -> int:
        return len(self.tracks)

    @property
    def artists(self) -> pd.Series:
        return self.tracks["artist"]

    @property
    def has_split(self) -> bool:
        """Whether the collection says which track belongs in which set."""
        return "split" in self.tracks and bool((self.tracks["split"] != "").any())

    @property
    def is_labelled(self) -> pd.Series:
        """track_id -> whether the track has any observed tag."""
        return pd.Series(self.labels.any(axis=1), index=self.tracks.index)

    @property
    def tag_texts(self) -> pd.Series:
        """track_id -> its observed tags, joined by ``|`` as in a collection's CSV."""
        names = np.array(self.tags, dtype=object)
        return pd.Series(["|".join(names[row.astype(bool)]) for row in self.labels], index=self.tracks.index, dtype=object)

    @cached_property
    def _paths(self) -> dict[str, str]:
        """A table answers slower than a file is read."""
        return {track_id: os.path.join(self.root, path) for track_id, path in self.tracks["path"].items()}

    def path(self, track_id: str) -> Path:
        return Path(self._paths[track_id])

    def read(self, track_id: str, start: float = 0.0, seconds: float | None = None) -> np.ndarray:
        """Mono float32 samples at 22 050 Hz from ``start`` for ``seconds`` (both in seconds). Raises ``AudioError``."""
        if self.packed is not None:
            return self.packed.read(track_id, start, seconds)
        return read_audio(self._paths[track_id], start, seconds)

    def rows(self, track_ids: Iterable[str]) -> np.ndarray:
        """Row numbers of tracks in ``labels``. Raises ``KeyError`` naming the first unknown track."""
        rows = self.tracks.index.get_indexer(list(track_ids))
        if (rows < 0).any():
            raise KeyError(f"{self.name} has no track {list(track_ids)[int(np.argmax(rows < 0))]!r}")
        return rows

    def true_labels(self, track_ids: Iterable[str]) -> np.ndarray:
        """The cleanest labels there are: the truth where it is known, the observed labels elsewhere."""
        return (self.labels if self.truth is None else self.truth)[self.rows(track_ids)]

    def tags_of(self, track_id: str, true: bool = False) -> list[str]:
        """The observed tags of a track, or by the cleanest labels there are (``true``)."""
        row = self.true_labels([track_id])[0] if true else self.labels[self.rows([track_id])[0]]
        return [tag for tag, on in zip(self.tags, row, strict=True) if on]

    def keep_tracks(self, track_ids: Iterable[str]) -> Corpus:
        """The corpus of these tracks alone, in this order."""
        ids = list(track_ids)
        rows = self.rows(ids)
        truth = None if self.truth is None else self.truth[rows]
        return replace(self, tracks=self.tracks.iloc[rows], labels=self.labels[rows], truth=truth)

    def keep_tags(self, tags: Iterable[str]) -> Corpus:
        """The corpus with these tags alone, in this order."""
        tags = list(tags)
        columns = [self.tags.index(tag) for tag in tags]
        truth = None if self.truth is None else self.truth[:, columns]
        return replace(self, tags=tags, labels=self.labels[:, columns], truth=truth)
