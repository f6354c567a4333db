"""Tracks chosen by what they show, as players: examples, effects, a model's errors, labels that a teacher found.

Conventions: excerpts are in seconds from the start of a track; a player's title names the track, its description says what to hear.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
import torch

from mtt.config import SAMPLE_RATE
from mtt.data.augment import EFFECTS, apply_effect
from mtt.data.corpus import Corpus
from mtt.reporting import figures
from mtt.reporting.explorer.player import Player

EXCERPT_SECONDS = 8.0


def track_player(corpus: Corpus, track_id: str, description: str, start: float = 0.0, seconds: float = EXCERPT_SECONDS) -> Player:
    """A track's excerpt with its mel spectrogram."""
    wave = corpus.read(track_id, start, seconds)
    track = corpus.tracks.loc[track_id]
    title = " – ".join(part for part in (track["artist"], track["title"] or str(track_id)) if part)
    picture = figures.mel_spectrogram(wave, SAMPLE_RATE, title="Mel spectrogram")
    return Player(wave, SAMPLE_RATE, picture, title=title, description=description)


def examples(corpus: Corpus, tags: Sequence[str], seconds: float = EXCERPT_SECONDS) -> list[Player]:
    """One track for each tag: the first, in order of id, of an artist not heard yet."""
    heard: set[str] = set()
    players = []
    for tag in tags:
        rows = np.flatnonzero(corpus.labels[:, corpus.tags.index(tag)])
        candidates = corpus.tracks.iloc[rows].sort_index()
        fresh = candidates[~candidates["artist"].isin(heard)]
        track_id = (fresh if len(fresh) else candidates).index[0]
        heard.add(corpus.tracks.at[track_id, "artist"])
        start = max(0.0, (corpus.tracks.at[track_id, "seconds"] - seconds) / 2)
        players.append(track_player(corpus, track_id, "Tags: " + ", ".join(corpus.tags_of(track_id)), start, seconds))
    return players


def typical_track(corpus: Corpus) -> str:
    """The labelled track of median level that has the most tags: enough going on for an effect to be heard."""
    labelled = corpus.tracks[corpus.is_labelled].sort_index()
    tags = corpus.labels[corpus.rows(labelled.index)].sum(axis=1)
    rich = labelled[tags >= np.quantile(tags, 0.8)]
    return rich.index[int(np.argmin(np.abs(rich["level_db"] - rich["level_db"].median())))]


def effects(corpus: Corpus, track_id: str, seconds: float = 5.0, seed: int = 0) -> list[Player]:
    """The clean excerpt, then each augmentation effect alone."""
    start = max(0.0, (corpus.tracks.at[track_id, "seconds"] - seconds) / 2)
    clean = corpus.read(track_id, start, seconds)
    players = [Player(clean, SAMPLE_RATE, figures.mel_spectrogram(clean, SAMPLE_RATE, title="Clean"), title="clean")]
    for name in EFFECTS:
        wave = apply_effect(name, torch.from_numpy(clean)[None], seed=seed)[0].numpy()
        picture = figures.before_after(clean, wave, SAMPLE_RATE, name)
        players.append(Player(wave, SAMPLE_RATE, picture, title=name))
    return players


def worst_errors(corpus: Corpus, track_ids: Sequence[str], scores: np.ndarray, count: int = 4) -> pd.DataFrame:
    """The most confident errors, at most one a track and a tag, misses and false alarms in turn.

    ``scores`` is (n_tracks, n_tags). A miss is a true tag that scores low among the tracks that have it; a false alarm a wrong tag that
    scores high among those that do not: both as the share of the other side's tracks that they are wrongly ranked against.
    """
    labels = corpus.true_labels(track_ids).astype(bool)
    wrong = np.zeros(scores.shape)
    for tag in range(scores.shape[1]):
        positives, negatives = np.sort(scores[labels[:, tag], tag]), np.sort(scores[~labels[:, tag], tag])
        if len(positives) and len(negatives):
            above = 1 - np.searchsorted(negatives, scores[:, tag]) / len(negatives)
            below = np.searchsorted(positives, scores[:, tag]) / len(positives)
            wrong[:, tag] = np.where(labels[:, tag], above, below)
    rows, used = [], set()
    for kind, mask in (("miss", labels), ("false alarm", ~labels)):
        order = np.argsort(-np.where(mask, wrong, -1), axis=None, kind="stable")
        found = 0
        for row, tag in zip(*np.unravel_index(order, scores.shape), strict=True):
            if found == count // 2:
                break
            if ("row", row) in used or ("tag", tag) in used:
                continue
            used |= {("row", row), ("tag", tag)}
            found += 1
            rows.append({"track_id": track_ids[row], "error": kind, "tag": corpus.tags[tag], "score": float(scores[row, tag])})
    return pd.DataFrame(rows)


def error_players(corpus: Corpus, track_ids: Sequence[str], scores: np.ndarray, count: int = 4) -> list[Player]:
    """The tracks of ``worst_errors`` to hear, with what the model said and what is true."""
    index = {track_id: row for row, track_id in enumerate(track_ids)}
    players = []
    for error in worst_errors(corpus, track_ids, scores, count).itertuples():
        row = index[error.track_id]
        best = [corpus.tags[tag] for tag in np.argsort(-scores[row])[:5]]
        truth = [tag for tag, on in zip(corpus.tags, corpus.true_labels([error.track_id])[0], strict=True) if on]
        said = f"The model says: {', '.join(best)}. True tags: {', '.join(truth)}."
        text = f"{error.error.capitalize()}: {error.tag} ({error.score:.2f}). {said}"
        players.append(track_player(corpus, error.track_id, text, start=corpus.tracks.at[error.track_id, "seconds"] / 3))
    return players


def recovered_players(corpus: Corpus, track_ids: Sequence[str], tags: Sequence[str], scores: Sequence[float]) -> list[Player]:
    """Tracks whose labels lack a true tag, with the teacher's score for it."""
    players = []
    for track_id, tag, score in zip(track_ids, tags, scores, strict=True):
        text = f"Not in its labels: {tag} (teacher: {score:.2f}). Labels: {', '.join(corpus.tags_of(track_id)) or 'none'}."
        players.append(track_player(corpus, track_id, text, start=corpus.tracks.at[track_id, "seconds"] / 3))
    return players
