"""A corpus: tracks, tags, labels and audio behind one interface, whatever collection they came from.

Conventions: ``tracks`` is indexed by track_id and holds ``path, artist, title, album, seconds, level_db, digest`` (of the samples), for the
embedded corpus also the production ``style``; ``labels`` and ``truth`` are (n_tracks, n_tags) uint8 in the order of ``tracks`` and
``tags``. ``labels`` is what an annotator wrote down; ``truth``, known for the embedded corpus only, is what the audio holds. A track whose
row in ``labels`` is empty is unlabelled, unless the collection is ``complete``. The tags of a track as text are joined by ``|``. Two names
are one artist if their ``artist_keys`` are equal.
"""

from __future__ import annotations

import os
import unicodedata
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path

import lazy_loader
import numpy as np
import pandas as pd

from mtt.config import SAMPLE_RATE
from mtt.data.audio import read_audio

torch = lazy_loader.load("torch")  # whoever looks after files alone is spared its second

PROBLEM_COLUMNS = ["track_id", "path", "problem", "detail"]
TAG_SEPARATOR = "|"
TAGGED = ", tagged by "  # in the name of a corpus whose labels are a model's
HYPHENS, QUOTES = "‐‑‒–—―−﹘﹣－", '"`´‘’‚‛“”„‟′″ʹʻʼʽ«»‹›＂＇'  # written for one another in the names of artists
_ONE_SIGN = str.maketrans(dict.fromkeys(HYPHENS, "-") | dict.fromkeys(QUOTES, "'"))


def split_tags(text: str) -> list[str]:
    """``"rock| 80s|"`` -> ``["rock", "80s"]``."""
    return [tag.strip() for tag in text.split(TAG_SEPARATOR) if tag.strip()]


def label_matrix(texts: Sequence[str], tags: Sequence[str]) -> np.ndarray:
    """(n_tracks, n_tags) uint8 from texts such as ``"rock|80s"``; names outside ``tags`` are ignored."""
    column = {tag: number for number, tag in enumerate(tags)}
    matrix = np.zeros((len(texts), len(tags)), dtype=np.uint8)
    for row, text in enumerate(texts):
        matrix[row, [column[tag] for tag in split_tags(text) if tag in column]] = 1
    return matrix


def tag_texts(labels: np.ndarray, tags: Sequence[str]) -> list[str]:
    """Each row of ``labels`` (n_tracks, n_tags) as ``"rock|80s"``."""
    return [TAG_SEPARATOR.join(tags[column] for column in np.flatnonzero(row)) for row in labels]


def artist_keys(names: Iterable[object]) -> pd.Series:
    """The normal form of each name of an artist; ``""`` for a missing or blank one. A Series keeps its index.

    Names that differ in case, spaces, kinds of hyphen or quotation mark, or Unicode's compatible forms (NFKC) are one artist.
    """
    names = pd.Series(names)
    codes, different = pd.factorize(names)  # missing values get -1
    keys = [" ".join(_one_form(_one_form(str(name)).casefold()).split()) for name in different]
    return pd.Series(np.array([*keys, ""], dtype=object)[codes], index=names.index, name="artist", dtype=str)


def _one_form(text: str) -> str:
    return unicodedata.normalize("NFKC", text.translate(_ONE_SIGN))


@dataclass(frozen=True)
class Corpus:
    """Tracks with their tags; see the module's conventions. Made by ``load_corpus``."""

    name: str
    root: Path
    tracks: pd.DataFrame
    tags: list[str]
    labels: np.ndarray
    truth: np.ndarray | None = None
    withheld: np.ndarray | None = None  # as labels, with those kept from training: of the embedded corpus's unlabelled tracks
    timeline: pd.DataFrame | None = None  # track_id, instrument, start, end (seconds)
    tag_kinds: dict[str, str] = field(default_factory=dict)
    problems: pd.DataFrame = field(default_factory=lambda: pd.DataFrame(columns=PROBLEM_COLUMNS))  # tracks left out, and why
    planted: pd.DataFrame | None = None  # flaws that the embedded corpus was given on purpose
    fingerprints: dict[str, np.ndarray] = field(default_factory=dict)  # of ``mtt.collections.duplicates``, by track_id
    digest: str = ""  # identifies audio and labels
    split_name: str = ""  # of a split that was published with the data set, and that ``tracks`` has as column ``split``
    complete: bool = False  # a track without tags has none of them; otherwise it is unlabelled
    packed: Callable[[str, float, float | None], np.ndarray] | None = None  # reads tracks of a packed collection, as ``read`` does

    def __len__(self) -> int:
        return len(self.tracks)

    @cached_property
    def artists(self) -> pd.Series:
        """track_id -> key of its artist (``artist_keys``); the name as it was written is ``tracks["artist"]``."""
        return artist_keys(self.tracks["artist"])

    @property
    def has_split(self) -> bool:
        """Whether the collection says which track belongs in which set."""
        return "split" in self.tracks and bool((self.tracks["split"] != "").any())

    @property
    def is_labelled(self) -> pd.Series:
        """track_id -> whether it is known which tags the track has."""
        return pd.Series(self.labels.any(axis=1) | self.complete, index=self.tracks.index)

    @property
    def tag_texts(self) -> pd.Series:
        """track_id -> its observed tags, joined by ``|`` as in a collection's CSV."""
        return pd.Series(tag_texts(self.labels, self.tags), index=self.tracks.index, dtype=object)

    def tags_of(self, track_id: str, true: bool = False) -> list[str]:
        """The observed tags of a track, or those of ``true_labels``."""
        row = self.true_labels([track_id]) if true else self.labels[self.rows([track_id])]
        return [self.tags[column] for column in np.flatnonzero(row)]

    @cached_property
    def _paths(self) -> dict[str, str]:
        """A table answers slower than a file is read."""
        return {track_id: os.path.join(self.root, path) for track_id, path in self.tracks["path"].items()}

    def path(self, track_id: str) -> Path:
        return Path(self._paths[track_id])

    def read(self, track_id: str, start: float = 0.0, seconds: float | None = None) -> np.ndarray:
        """Mono float32 samples at 22 050 Hz from ``start`` for ``seconds`` (both in seconds). Raises ``AudioError``."""
        if self.packed is not None:
            return self.packed(track_id, start, seconds)
        return read_audio(self._paths[track_id], start, seconds)

    def seconds(self, track_ids: Sequence[str]) -> np.ndarray:
        """Length of each track, (n_tracks,)."""
        return self.tracks["seconds"].loc[list(track_ids)].to_numpy()

    def clips(
        self, track_ids: Sequence[str], starts: Sequence[float], seconds: float, draws: Sequence[float] | None = None
    ) -> torch.Tensor:
        """Waveforms (n, samples) of exactly ``seconds``; what a short track lacks is silence at the end. There are no variants to draw."""
        samples = round(seconds * SAMPLE_RATE)
        waves = (self.read(track_id, start, seconds) for track_id, start in zip(track_ids, starts, strict=True))
        return torch.from_numpy(np.stack([np.pad(wave, (0, samples - len(wave))) for wave in waves]))

    def rows(self, track_ids: Iterable[str]) -> np.ndarray:
        """Row numbers of tracks in ``labels``. Raises ``KeyError`` naming the first unknown track."""
        rows = self.tracks.index.get_indexer(list(track_ids))
        if (rows < 0).any():
            raise KeyError(f"{self.name} has no track {list(track_ids)[int(np.argmax(rows < 0))]!r}")
        return rows

    def true_labels(self, track_ids: Iterable[str]) -> np.ndarray:
        """The cleanest labels there are: the truth where it is known, the observed labels elsewhere."""
        return (self.labels if self.truth is None else self.truth)[self.rows(track_ids)]

    def keep(self, track_ids: Iterable[str] | None = None, tags: Sequence[str] | None = None) -> Corpus:
        """The corpus of these tracks and tags alone, in this order; None is all."""
        rows = np.arange(len(self)) if track_ids is None else self.rows(track_ids)
        tags = self.tags if tags is None else list(tags)
        cells = np.ix_(rows, [self.tags.index(tag) for tag in tags])
        known = {name: getattr(self, name) for name in ("labels", "truth", "withheld")}
        cut = {name: None if matrix is None else matrix[cells] for name, matrix in known.items()}
        return replace(self, tracks=self.tracks.iloc[rows], tags=tags, **cut)
