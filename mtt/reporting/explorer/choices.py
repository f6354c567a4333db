"""Which tracks are shown, and why: rules that look at labels and scores alone.

Conventions: ``scores`` are song-level probabilities (tracks, tags) of the tracks ``ids``, in the order of the corpus's tags. A rule gives
its choices best first.
"""

from collections.abc import Iterator, Mapping, Sequence
from itertools import zip_longest
from operator import itemgetter
from typing import NamedTuple

import numpy as np
import pandas as pd
from torch import nn

from mtt.data.corpus import Corpus
from mtt.explain.curves import tag_curves
from mtt.reporting.explorer.scenes import Scene, corpus_track, scene_of
from mtt.study.replicates import Replicate
from mtt.study.workspace import Result

LATE = 1 / 3  # of a track, after which an entry counts as late
CANDIDATES = 8  # late entries whose curves are computed
FAILURES = 6  # errors to choose from, misses and false alarms


class Choice(NamedTuple):
    """A track and why it is shown: what stands before the colon of ``note`` names the rule, ``about`` the tags it speaks of."""

    track_id: str
    note: str
    about: tuple[str, ...] = ()


def scenes_of(replicate: Replicate, choices: Sequence[Choice], results: Mapping[str, Result]) -> list[Scene]:
    """The scenes of chosen tracks of the first replicate."""
    models = first_models(results)
    return [scene_of(corpus_track(replicate.corpus, *choice), models) for choice in choices]


def first_models(results: Mapping[str, Result]) -> dict[str, nn.Module]:
    """The model of each result in the first replicate."""
    return {name: result.first.load_model() for name, result in results.items()}


def choose_tracks(replicate: Replicate, results: Mapping[str, Result], count: int = 8) -> list[Choice]:
    """At most ``count`` test tracks that show what the models do, each of its own artist; else the one with the most tags.

    ``results`` by name, the teacher (where there is one) first and the student last. The rules take turns.
    """
    corpus, ids = replicate.corpus, replicate.ids("test")
    scores = {name: result.first.scores("test") for name, result in results.items()}
    student = list(scores)[-1]
    model = results[student].first.load_model()
    rules = [
        _successes(corpus, ids, scores[student]),
        _recovered(corpus, ids, scores),
        _late_entries(corpus, ids, scores[student], model),
        _failures(corpus, ids, student, scores[student]),
    ]
    richest = ids[int(corpus.true_labels(ids).sum(axis=1).argmax())]
    return _in_turn(rules, corpus.artists, count) or [Choice(richest, "The test track with the most tags.")]


def liveliest(choices: Sequence[Choice], scenes: Sequence[Scene]) -> Choice:
    """The choice in whose scene the last model's curves move most."""
    moved = [list(scene.heard.values())[-1].curves.probabilities.std(axis=0).mean() for scene in scenes]
    return choices[int(np.argmax(moved))]


def worst_errors(labels: np.ndarray, scores: np.ndarray, count: int = 4) -> list[tuple[int, int, bool]]:
    """The most confident errors as (row, tag, whether it is a miss), one a track and a tag: misses and as many false alarms in turn.

    A miss is a true tag that scores low among the tracks that have it, a false alarm a wrong tag that scores high among those that do not.
    """
    labels, wrong = labels.astype(bool), np.zeros(scores.shape)
    for column, has, score in zip(wrong.T, labels.T, scores.T, strict=True):
        if has.any() and not has.all():
            above = 1 - np.searchsorted(np.sort(score[~has]), score) / (~has).sum()
            below = np.searchsorted(np.sort(score[has]), score) / has.sum()
            column[:] = np.where(has, above, below)
    sides: dict[bool, list[tuple[int, int, bool]]] = {True: [], False: []}
    for missed, side in sides.items():
        places, degree = np.argwhere(labels == missed), wrong[labels == missed]
        for row, tag in places[np.argsort(-degree, kind="stable")].tolist():
            if len(side) < count // 2 and not any(row == other[0] or tag == other[1] for other in sides[True] + sides[False]):
                side.append((row, tag, missed))
    return [error for turn in zip_longest(*sides.values()) for error in turn if error is not None]


def _in_turn(rules: Sequence[Iterator[Choice]], artists: pd.Series, count: int) -> list[Choice]:
    """The first choice of each rule, then the second, ...; grouped by rule. An artist who has been chosen is passed over."""
    taken: set[str] = set()

    def fresh(rule: Iterator[Choice]) -> Iterator[Choice]:
        for choice in rule:
            if artists.at[choice.track_id] not in taken:
                taken.add(artists.at[choice.track_id])
                yield choice

    turns = zip_longest(*map(fresh, rules))  # which asks each rule once a turn
    chosen = [(place, choice) for turn in turns for place, choice in enumerate(turn) if choice is not None]
    return [choice for _, choice in sorted(chosen[:count], key=itemgetter(0))]


def _best_of_each_tag(found: pd.DataFrame, by: str) -> pd.DataFrame:
    """Rows by falling ``by``, but the best of each tag before the second of any, and so on."""
    ranked = found.sort_values(by, ascending=False, kind="stable")
    return ranked.iloc[ranked.groupby("tag").cumcount().argsort(kind="stable")]


def _successes(corpus: Corpus, ids: Sequence[str], scores: np.ndarray) -> Iterator[Choice]:
    """Tracks whose true tags, three at least, are all scored above all others, the widest gap first."""
    labels = corpus.true_labels(ids).astype(bool)
    several = (labels.sum(axis=1) >= 3) & ~labels.all(axis=1)
    gap = np.where(labels, scores, np.inf).min(axis=1) - np.where(labels, -np.inf, scores).max(axis=1)
    for row in np.argsort(-np.where(several, gap, -np.inf), kind="stable"):
        if several[row] and gap[row] > 0:
            yield Choice(ids[row], f"A clear success: all {labels[row].sum()} true tags are scored above all others.")


def _recovered(corpus: Corpus, ids: Sequence[str], scores: Mapping[str, np.ndarray]) -> Iterator[Choice]:
    """True tags that the labels lack and the student scores above one half and above the teacher, the largest gain first."""
    teacher, student = list(scores)[0], list(scores)[-1]
    labels, before, after = corpus.labels[corpus.rows(ids)], scores[teacher], scores[student]
    gain = after - before if len(scores) > 1 else after
    missing = (corpus.true_labels(ids) > labels) & labels.any(axis=1, keepdims=True)
    places = np.argwhere(missing & (after > 0.5) & (gain > 0))
    found = pd.DataFrame(places, columns=["row", "tag"]).assign(gain=gain[tuple(places.T)])
    for row, column in _best_of_each_tag(found, "gain")[["row", "tag"]].itertuples(index=False):
        tag, versus = corpus.tags[column], f", the {teacher} {before[row, column]:.2f}" if len(scores) > 1 else ""
        yield Choice(ids[row], f"A missing label recovered: {tag}. The {student} gives it {after[row, column]:.2f}{versus}.", (tag,))


def _late_entries(corpus: Corpus, ids: Sequence[str], scores: np.ndarray, model: nn.Module) -> Iterator[Choice]:
    """Of the likeliest late entries of an instrument, if there is a timeline: the one first at which its curve rises most."""
    if corpus.timeline is None:
        return
    played = corpus.timeline.rename(columns={"instrument": "tag"})
    played = played[played["track_id"].isin(ids) & played["tag"].isin(corpus.tags)]
    entries = played.groupby(["track_id", "tag"], as_index=False)["start"].min()
    entries = entries[entries["start"].to_numpy() > LATE * corpus.tracks.loc[entries["track_id"], "seconds"].to_numpy()]
    columns = [corpus.tags.index(tag) for tag in entries["tag"]]
    entries = entries.assign(score=scores[pd.Index(ids).get_indexer(entries["track_id"]), columns])
    likeliest = _best_of_each_tag(entries, "score").head(CANDIDATES)
    rises = []
    for entry in likeliest.itertuples():
        curves = tag_curves(model, corpus.read(entry.track_id))
        curve, late = curves.curve(entry.tag), curves.times >= entry.start
        rises.append(curve[late].mean() - curve[~late].mean() if late.any() and not late.all() else 0.0)
    risen = likeliest.assign(rise=np.array(rises, float))
    for entry in _best_of_each_tag(risen[risen["rise"] > 0], "rise").itertuples():
        yield Choice(entry.track_id, f"An instrument that enters late: {entry.tag}, at {entry.start:.0f} s.", (entry.tag,))


def _failures(corpus: Corpus, ids: Sequence[str], student: str, scores: np.ndarray) -> Iterator[Choice]:
    """The most confident misses below one half and false alarms above it."""
    for row, column, missed in worst_errors(corpus.true_labels(ids), scores, FAILURES):
        tag, score = corpus.tags[column], scores[row, column]
        if missed == (score < 0.5):  # ranked wrongly, and wrong to the eye as well
            there = "is there" if missed else "is not there"
            yield Choice(ids[row], f"A failure: {tag} {there}, but the {student} gives it {score:.2f}.", (tag,))
