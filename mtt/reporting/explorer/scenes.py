"""Scenes of the explorer: a track with everything that is shown of it, and the rules by which tracks are chosen.

Conventions: time is in seconds from the start of a scene's waveform. A point of a tag curve stands for the window around it. Attention is
relative to uniform attention (1), mean over overlapping windows.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import zip_longest
from pathlib import Path
from typing import TypeVar

import numpy as np
from torch import nn

from mtt.config import SAMPLE_RATE
from mtt.data.corpus import Corpus
from mtt.explain.attention import AttentionCurves, attention_curves
from mtt.explain.curves import TagCurves, tag_curves
from mtt.explain.recording import Recording
from mtt.models.transformer import MusicTaggingTransformer
from mtt.reporting.explorer.listening import worst_errors
from mtt.study.workspace import Result, Study

T = TypeVar("T")
Segments = Sequence[tuple[float, float]]
LATE = 1 / 3  # of a track, after which an entry counts as late
CANDIDATES = 8  # late entries whose curves are computed
FAILURES = 6  # errors to choose from, misses and false alarms


@dataclass(frozen=True)
class Scene:
    """A track and what is shown of it; made by ``scene_of``.

    ``wave`` (samples,) at ``sample_rate``; ``curves`` by model, the last drawn most strongly; ``attention`` by model, where it has any.
    ``labels`` are observed, ``true_labels`` known to be right; None where that is not known. ``truth`` holds when a tag sounds, for the
    tags of which that is known. ``about`` are the tags that ``note`` speaks of.
    """

    title: str
    artist: str
    note: str
    wave: np.ndarray
    sample_rate: int
    curves: Mapping[str, TagCurves]
    attention: Mapping[str, AttentionCurves] = field(default_factory=dict)
    labels: Sequence[str] | None = None
    true_labels: Sequence[str] | None = None
    truth: Mapping[str, Segments] | None = None
    about: Sequence[str] = ()

    @property
    def seconds(self) -> float:
        return len(self.wave) / self.sample_rate

    @property
    def tags(self) -> list[str]:
        """Tags of all models, the likeliest first (by the peak of any curve)."""
        peaks: dict[str, float] = {}
        for curves in self.curves.values():
            for tag, peak in zip(curves.tags, curves.probabilities.max(axis=0).tolist(), strict=True):
                peaks[tag] = max(peaks.get(tag, 0.0), peak)
        return sorted(peaks, key=lambda tag: (-peaks[tag], tag))


# --- Scenes ---


def scene_of(
    models: Mapping[str, nn.Module],
    audio: str | Path | np.ndarray,
    title: str,
    artist: str = "",
    note: str = "",
    window: float | None = None,
    hop: float = 0.5,
    **known,
) -> Scene:
    """The scene of a file or of samples (samples,) at 22 050 Hz, as ``models`` see it.

    ``window`` and ``hop`` are those of ``tag_curves``; ``known`` goes to ``Scene``: ``labels``, ``true_labels``, ``truth``, ``about``.
    Raises ``AudioError`` for a file that cannot be read, ``ValueError`` where there is no model.
    """
    if not models:
        raise ValueError("scene: no models; give at least one")
    wave = Recording(audio).read()
    heard = Recording(wave)
    curves = {name: tag_curves(model, heard, window, hop) for name, model in models.items()}
    attention = {
        name: attention_curves(model, heard, window, hop) for name, model in models.items() if isinstance(model, MusicTaggingTransformer)
    }
    return Scene(title, artist, note, wave, SAMPLE_RATE, curves, attention, **known)


Choice = tuple[str, str, list[str]]  # track_id, why it is shown, the tags that this is about


def choose_scenes(study: Study, results: Mapping[str, Result], count: int = 8) -> list[Scene]:
    """The scenes of ``choose_tracks``, by the first seed's models. Raises ``ValueError`` where no rule finds a track."""
    models = {name: result.stages[0].load_model() for name, result in results.items()}
    chosen = choose_tracks(study, results, count)
    if not chosen:
        raise ValueError(f"{study.corpus.name}: none of the {len(study.ids('test'))} test tracks shows anything; give a larger test set")
    return [corpus_scene(study.corpus, track_id, models, note, about) for track_id, note, about in chosen]


def choose_tracks(study: Study, results: Mapping[str, Result], count: int = 8) -> list[Choice]:
    """At most ``count`` test tracks that show what the models do, each of its own artist.

    ``results`` by name, the teacher first and the student last; the first seed's model and song-level scores are used. In turn until there
    are enough, by rules that look at nothing else:

    - *a clear success*: at least three true tags, all scored above all others; the widest gap between them first;
    - *a missing label recovered*: a true tag that the labels lack; the student's score is above one half and above the teacher's (where
      there is one); the largest gain first, another tag each time as far as there are any. Needs a corpus whose truth is known;
    - *an instrument that enters late*: after a third of the track. Of the eight most probable such entries, of different tags as far as
      there are any, the one whose curve rises most from before the entry to after it first. Needs a timeline;
    - *a failure*: the most confident misses below one half and false alarms above it, in turn (``listening.worst_errors``).
    """
    corpus, ids = study.corpus, study.ids("test")
    models = {name: result.stages[0].load_model() for name, result in results.items()}
    scores = {name: result.stages[0].scores("test") for name, result in results.items()}
    rules = [
        _successes(corpus, ids, scores),
        _recovered(corpus, ids, scores),
        _late_entries(corpus, ids, scores, models),
        _failures(corpus, ids, scores),
    ]
    return _in_turn(rules, corpus, count)


def corpus_scene(corpus: Corpus, track_id: str, models: Mapping[str, nn.Module], note: str = "", about: Sequence[str] = ()) -> Scene:
    """The scene of a track, with what its corpus knows of it."""
    return scene_of(models, corpus.read(track_id), **known_of(corpus, track_id, note, about))


def known_of(corpus: Corpus, track_id: str, note: str = "", about: Sequence[str] = ()) -> dict:
    """What a corpus knows of a track, as fields of a scene."""
    track = corpus.tracks.loc[track_id]
    known: dict = {"title": track["title"] or str(track_id), "artist": track["artist"], "note": note, "about": about}
    known["labels"] = corpus.tags_of(track_id)
    if corpus.truth is not None:
        known["true_labels"] = corpus.tags_of(track_id, true=True)
    if corpus.timeline is not None:
        own = corpus.timeline[corpus.timeline["track_id"] == track_id]
        spans = {tag: list(part[["start", "end"]].itertuples(index=False, name=None)) for tag, part in own.groupby("instrument")}
        known["truth"] = dict.fromkeys(corpus.timeline["instrument"].unique(), ()) | spans
    return known


def _in_turn(rules: Sequence[Iterator[Choice]], corpus: Corpus, count: int) -> list[Choice]:
    """The first of each rule, then the second, ...; grouped by rule. A track or artist that has been chosen is passed over."""
    taken: set[str] = set()
    chosen: list[list[Choice]] = [[] for _ in rules]

    def fresh(rule: Iterator[Choice]) -> Iterator[Choice]:
        for choice in rule:
            if corpus.artists.at[choice[0]] not in taken:
                taken.add(corpus.artists.at[choice[0]])
                yield choice

    found = 0
    for turn in zip_longest(*map(fresh, rules)):  # zip_longest asks each rule once a turn
        for place, choice in enumerate(turn):
            if choice is not None and found < count:
                chosen[place].append(choice)
                found += 1
        if found >= count:
            break
    return [choice for part in chosen for choice in part]


def _successes(corpus: Corpus, ids: Sequence[str], scores: Mapping[str, np.ndarray]) -> Iterator[Choice]:
    labels, last = corpus.true_labels(ids).astype(bool), list(scores.values())[-1]
    lowest = np.where(labels, last, np.inf).min(axis=1)
    highest = np.where(labels, -np.inf, last).max(axis=1)
    gap = np.where((labels.sum(axis=1) >= 3) & (labels.sum(axis=1) < labels.shape[1]), lowest - highest, -np.inf)
    for row in np.argsort(-gap, kind="stable"):
        if gap[row] <= 0:
            return
        yield ids[row], f"A clear success: all {labels[row].sum()} true tags are scored above all others.", []


def _recovered(corpus: Corpus, ids: Sequence[str], scores: Mapping[str, np.ndarray]) -> Iterator[Choice]:
    if corpus.truth is None:
        return
    rows = corpus.rows(ids)
    observed = corpus.labels[rows].astype(bool)
    missing = corpus.truth[rows].astype(bool) & ~observed & observed.any(axis=1, keepdims=True)
    names, (first, last) = list(scores), (list(scores.values())[place] for place in (0, -1))
    gain = last - first if len(scores) > 1 else last
    found = np.argwhere(missing & (last > 0.5) & (gain > 0)).tolist()
    for row, tag in _each_tag_once((place[1], place) for place in sorted(found, key=lambda place: -gain[tuple(place)])):
        versus = f", the {names[0]} {first[row, tag]:.2f}" if len(scores) > 1 else ""
        note = f"A missing label recovered: {corpus.tags[tag]}. The {names[-1]} gives it {last[row, tag]:.2f}{versus}."
        yield ids[row], note, [corpus.tags[tag]]


def _each_tag_once(entries: Iterable[tuple[object, T]]) -> list[T]:
    """Entries (tag, what is kept) in their order, but the first of each tag before the second of any, and so on."""
    turns: dict[object, int] = {}
    numbered = []
    for tag, entry in entries:
        turns[tag] = turns.get(tag, 0) + 1
        numbered.append((turns[tag], entry))
    return [entry for _, entry in sorted(numbered, key=lambda pair: pair[0])]


def _late_entries(
    corpus: Corpus, ids: Sequence[str], scores: Mapping[str, np.ndarray], models: Mapping[str, nn.Module]
) -> Iterator[Choice]:
    if corpus.timeline is None:
        return
    last, model = list(scores.values())[-1], list(models.values())[-1]
    spans = corpus.timeline[corpus.timeline["track_id"].isin(ids) & corpus.timeline["instrument"].isin(corpus.tags)]
    first = spans.groupby(["track_id", "instrument"], sort=True)["start"].min()
    places = {track_id: row for row, track_id in enumerate(ids)}
    late = [
        (last[places[track_id], corpus.tags.index(tag)], track_id, tag, start)
        for (track_id, tag), start in first.items()
        if start > LATE * corpus.tracks.at[track_id, "seconds"]
    ]
    risen = []
    likeliest = _each_tag_once((entry[2], entry) for entry in sorted(late, key=lambda entry: -entry[0]))
    for _, track_id, tag, start in likeliest[:CANDIDATES]:
        curves = tag_curves(model, corpus.read(track_id))
        probability = curves.probabilities[:, corpus.tags.index(tag)]
        before, after = probability[curves.times < start], probability[curves.times >= start]
        if len(before) and len(after) and after.mean() > before.mean():
            risen.append((after.mean() - before.mean(), track_id, tag, start))
    for _, track_id, tag, start in _each_tag_once((entry[2], entry) for entry in sorted(risen, key=lambda entry: -entry[0])):
        yield track_id, f"An instrument that enters late: {tag}, at {start:.0f} s.", [tag]


def _failures(corpus: Corpus, ids: Sequence[str], scores: Mapping[str, np.ndarray]) -> Iterator[Choice]:
    name, last = list(scores.items())[-1]
    found = worst_errors(corpus, ids, last, FAILURES)
    parts = [found[found["error"] == kind].itertuples() for kind in ("miss", "false alarm")] if len(found) else []
    for error in (error for turn in zip_longest(*parts) for error in turn if error is not None):
        missed = error.error == "miss"
        if missed == (error.score < 0.5):  # ranked wrongly, and wrong to the eye as well
            there = "is there" if missed else "is not there"
            yield error.track_id, f"A failure: {error.tag} {there}, but the {name} gives it {error.score:.2f}.", [error.tag]
