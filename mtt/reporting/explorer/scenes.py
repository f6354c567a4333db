"""Scenes: a track with what is known of it, and what models hear in it and attend to.

Conventions: time is in seconds from the start of a track's waveform. A point of a tag curve stands for the window around it. Attention is
relative to uniform attention (1), mean over overlapping windows.
"""

from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from torch import nn

from mtt.data.corpus import Corpus
from mtt.explain.attention import AttentionCurves, curves_with_attention
from mtt.explain.curves import TagCurves, tag_curves
from mtt.explain.recording import Recording
from mtt.models.transformer import MusicTaggingTransformer
from mtt.reporting.explorer.song import Song

HOP = 0.5  # seconds between the points of a curve


@dataclass(frozen=True)
class Track:
    """A recording and what is known of it: ``labels`` are observed, ``true_labels`` known to be right (None where they are not known).

    ``truth`` holds when a tag sounds, for the tags of which that is known; ``about`` are the tags that ``note`` speaks of; ``mp3`` is the
    sound where somebody codes it already.
    """

    recording: Recording
    title: str
    artist: str = ""
    note: str = ""
    about: Sequence[str] = ()
    labels: Sequence[str] = ()
    true_labels: Sequence[str] | None = None
    truth: Mapping[str, Sequence[tuple[float, float]]] = field(default_factory=dict)
    mp3: Future[bytes] | None = None

    @property
    def wave(self) -> np.ndarray:
        """(samples,)"""
        return self.recording.read()

    @property
    def name(self) -> str:
        return full_title(self.artist, self.title)


class Heard(NamedTuple):
    """What one model hears in a track and where it attends, if it does."""

    curves: TagCurves
    attention: AttentionCurves | None = None


@dataclass(frozen=True)
class Scene:
    """A track and what models hear in it, by their names; the last one is drawn most strongly."""

    track: Track
    heard: Mapping[str, Heard]

    @property
    def tags(self) -> list[str]:
        """Tags of all models, the likeliest first (by the peak of any curve)."""
        peaks: dict[str, float] = {}
        for curves, _ in self.heard.values():
            for tag, peak in zip(curves.tags, curves.probabilities.max(axis=0).tolist(), strict=True):
                peaks[tag] = max(peaks.get(tag, 0.0), peak)
        return sorted(peaks, key=lambda tag: (-peaks[tag], tag))


def full_title(artist: str, title: str) -> str:
    return " – ".join(filter(None, (artist, title)))


def corpus_track(corpus: Corpus, track_id: str, note: str = "", about: Sequence[str] = ()) -> Track:
    """A track with what its corpus knows of it."""
    row, truth = corpus.tracks.loc[track_id], {}
    if corpus.timeline is not None:
        own = corpus.timeline[corpus.timeline["track_id"] == track_id]
        spans = {tag: list(part[["start", "end"]].itertuples(index=False, name=None)) for tag, part in own.groupby("instrument")}
        truth = dict.fromkeys(corpus.timeline["instrument"].unique(), ()) | spans
    true = None if corpus.truth is None else corpus.tags_of(track_id, true=True)
    known = {"note": note, "about": about, "labels": corpus.tags_of(track_id), "true_labels": true, "truth": truth}
    return Track(Recording(corpus.read(track_id)), row["title"] or str(track_id), row["artist"], **known)


def song_track(song: Song) -> Track:
    """What is known of a reader's own song."""
    return Track(Recording(song.wave), song.name, note=song.note, mp3=song.mp3)


def scene_of(track: Track, models: Mapping[str, nn.Module]) -> Scene:
    """The scene of a track as ``models`` see it, in windows of their own clip lengths."""
    return Scene(track, {name: heard_by(model, track.recording) for name, model in models.items()})


def heard_by(model: nn.Module, recording: Recording, window: float | None = None) -> Heard:
    """What a model hears in a recording; ``window`` as in ``tag_curves``."""
    if isinstance(model, MusicTaggingTransformer):
        return Heard(*curves_with_attention(model, recording, window, HOP))
    return Heard(tag_curves(model, recording, window, HOP))
