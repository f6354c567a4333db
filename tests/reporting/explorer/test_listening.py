"""Tracks that are chosen by rules, and what is said of them."""

from __future__ import annotations

import dataclasses
import re
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from mtt.data.augment import EFFECTS
from mtt.data.corpus import Corpus
from mtt.explain.curves import TagCurves
from mtt.reporting.explorer.choices import Choice, choose_tracks, liveliest, scenes_of, worst_errors
from mtt.reporting.explorer.listening import effects, error_players, examples, peculiar, recovered_players
from tests.reporting.explorer.made import noise, scene, scene_of_curves
from tests.tiny import write_audio

TAGS = ["rock", "piano", "drums", "sad"]


# --- Excerpts ---


def test_worst_errors_are_the_most_wrongly_ranked_one_a_track_and_tag(tiny_corpus):
    labels = tiny_corpus.true_labels(tiny_corpus.tracks.index[:12])
    scores = np.where(labels == 1, 0.8, 0.2) + np.linspace(0, 0.01, labels.size).reshape(labels.shape)
    miss = (int(np.flatnonzero(labels[:, 0])[0]), 0)
    alarm = (int(np.flatnonzero(labels[:, 1] == 0)[-1]), 1)
    scores[miss], scores[alarm] = 0.01, 0.99
    assert worst_errors(labels, scores, count=2) == [(*miss, True), (*alarm, False)]


def test_what_is_not_there_is_not_missed():
    """Where there are fewer true tags than misses asked for, no other cell fills the place."""
    found = worst_errors(np.array([[1, 0, 0], [0, 0, 0], [0, 0, 0]]), np.array([[0.1, 0.5, 0.9], [0.2, 0.1, 0.3], [0.3, 0.2, 0.1]]), 4)
    assert [error[:2] for error in found if error[2]] == [(0, 0)]


def test_players_say_what_was_wrong(tiny_corpus):
    ids = list(tiny_corpus.tracks.index[:12])
    players = error_players(tiny_corpus, ids, np.random.default_rng(0).random((12, 3)), count=2)
    assert [player.description.split(":")[0] for player in players] == ["Miss", "False alarm"]
    assert "The model says: " in players[0].description and "True tags: " in players[0].description


def test_recovered_labels_are_named_with_their_score(tiny_corpus):
    (player,) = recovered_players(tiny_corpus, pd.DataFrame([(tiny_corpus.tracks.index[0], "jazz", 0.731)]))
    assert "Not in its labels: jazz (teacher: 0.73). Labels: " in player.description


def test_examples_are_by_different_artists_and_carry_the_tag(tiny_corpus):
    players = examples(tiny_corpus, tiny_corpus.tags)
    assert all(tag in player.description for player, tag in zip(players, tiny_corpus.tags, strict=True))
    assert len({player.title.split(" – ")[0] for player in players}) == 3


def test_every_effect_is_heard_and_told(tiny_corpus):
    clean, *changed = effects(tiny_corpus, tiny_corpus.tracks.index[0]).players
    assert [player.title for player in changed] == list(EFFECTS) and len({player.sound for player in [clean, *changed]}) == len(EFFECTS) + 1
    assert all(effect.about[1:] in player.description for player, effect in zip(changed, EFFECTS.values(), strict=True))
    told = {player.title: player.description.partition(" Here: ")[2] for player in changed}
    assert re.fullmatch(r"gain −\d+(\.\d+)? dB\.", told["gain"]) and re.fullmatch(r"(low|high)-pass [\d,]+ Hz\.", told["filter"])
    assert told["polarity"] == ""


def test_effects_are_chosen_and_switched_at_the_same_moment(tiny_corpus, visit):
    seen = visit(effects(tiny_corpus, tiny_corpus.tracks.index[0])._repr_html_())
    page = seen.page
    shown = "[...document.querySelectorAll('.mtt-player')].filter(e => !e.hidden).map(e => e.getAttribute('aria-label'))"
    at = "[...document.querySelectorAll('.mtt-player')].find(e => !e.hidden).querySelector('audio').currentTime"
    assert page.evaluate(shown) == ["polarity"] and page.locator(".bar button").all_inner_texts() == [*EFFECTS, "without"]
    page.get_by_role("button", name="reverb").click()
    page.evaluate("document.querySelector('[aria-label=reverb] audio').currentTime = 0.5")
    page.get_by_role("button", name="without").click()
    assert page.evaluate(shown) == ["without"] and page.evaluate(at) == pytest.approx(0.5)
    pressed = page.locator(".bar [aria-pressed=true]").all_inner_texts()
    page.get_by_role("button", name="without").click()
    assert pressed == ["reverb", "without"] and page.evaluate(shown) == ["reverb"] and seen.quiet


def test_what_a_corpus_was_given_on_purpose_is_found_and_by_different_artists(tmp_path):
    """Of five artists: a brief drum, a return that is labelled, labels that lack two tags."""
    tags = ["rock", "drums", "piano", "return"]
    truth = np.array([[1, 1, 1, 0], [1, 0, 1, 1], [1, 0, 1, 1], [1, 1, 1, 0], [1, 0, 0, 0]], np.uint8)
    labels = truth.copy()
    labels[1, 3], labels[3, 1:3] = 0, 0
    ids = [f"t{row}" for row in range(5)]
    for row, track_id in enumerate(ids):
        write_audio(tmp_path / f"{track_id}.wav", noise(3, row))
    tracks = pd.DataFrame({"path": [f"{i}.wav" for i in ids], "artist": ids, "title": "", "seconds": 3.0}, index=ids)
    played = [("t0", "drums", 1.0, 1.4), *((track_id, "piano", 0.0, 3.0) for track_id in ids[:4]), ("t3", "drums", 0.0, 2.0)]
    timeline = pd.DataFrame(played, columns=["track_id", "instrument", "start", "end"])
    corpus = Corpus("made-up", tmp_path, tracks, tags, labels, truth, None, timeline, {"return": "form"})
    players = peculiar(corpus)
    assert [player.title.split(" – ")[0] for player in players] == ["t0", "t2", "t3"]
    brief, form, missing = (player.description for player in players)
    assert brief.startswith("Brief: drums, which plays for a short stretch") and form.startswith("Return: the opening comes back")
    assert missing == "Missing labels: true, but not written down: drums, piano. Labels: rock."
    assert peculiar(dataclasses.replace(corpus, truth=None)) == []


# --- The rules of the explorer ---


@pytest.fixture
def replicate(tmp_path):
    """Eight tracks of as many artists, four tags; labels lack "piano" in track 2, where it enters at 2 of 3 s."""
    truth = np.array(
        [[1, 1, 1, 0], [1, 0, 0, 0], [1, 1, 0, 0], [0, 0, 1, 1], [0, 1, 0, 0], [1, 0, 1, 0], [0, 0, 0, 1], [1, 0, 0, 1]], np.uint8
    )
    labels = truth.copy()
    labels[2, 1] = 0
    ids = [f"t{row}" for row in range(8)]
    for row, track_id in enumerate(ids):
        write_audio(tmp_path / f"{track_id}.wav", noise(3, row))
    tracks = pd.DataFrame({"path": [f"{i}.wav" for i in ids], "artist": ids, "title": "", "seconds": 3.0}, index=ids)
    entries = {"track_id": ["t2", "t4", "t5"], "instrument": ["piano", "piano", "drums"], "start": [0.0, 2.0, 0.5], "end": 3.0}
    corpus = Corpus("made-up", tmp_path, tracks, TAGS, labels, truth, None, pd.DataFrame(entries))
    return SimpleNamespace(corpus=corpus, ids=lambda name: ids)


class Rising:
    """Stands for a model whose curves are known: every tag's rises."""

    clip_seconds = 1.0


def result(scores):
    return SimpleNamespace(first=SimpleNamespace(scores=lambda name: scores, load_model=Rising))


@pytest.fixture(autouse=True)
def curves(monkeypatch):
    times = np.arange(0.5, 3, 0.5)
    made = TagCurves(times, np.repeat(times[:, None] / 3, 4, axis=1), TAGS, 1.0, 0.5)
    for module in ("choices", "scenes"):
        monkeypatch.setattr(f"mtt.reporting.explorer.{module}.tag_curves", lambda *arguments: made)


def test_tracks_are_chosen_by_the_rules(replicate):
    truth = replicate.corpus.truth
    teacher = np.where(truth, 0.6, 0.4).astype(float)
    student = np.where(truth, 0.8, 0.2).astype(float)
    teacher[2, 1], student[2, 1] = 0.3, 0.9
    student[1, 0], student[4, 1], student[6, 3], student[7, 2] = 0.05, 0.06, 0.07, 0.99  # three misses and a false alarm
    results = {"teacher": result(teacher), "student": result(student)}
    chosen = choose_tracks(replicate, results, count=5)
    assert chosen == [
        ("t0", "A clear success: all 3 true tags are scored above all others.", ()),
        ("t2", "A missing label recovered: piano. The student gives it 0.90, the teacher 0.30.", ("piano",)),
        ("t4", "An instrument that enters late: piano, at 2 s.", ("piano",)),
        ("t1", "A failure: rock is there, but the student gives it 0.05.", ("rock",)),
        ("t7", "A failure: drums is not there, but the student gives it 0.99.", ("drums",)),
    ]
    recovered = scenes_of(replicate, chosen, results)[1]
    assert list(recovered.heard) == ["teacher", "student"]
    assert (recovered.track.labels, recovered.track.true_labels) == (["rock"], ["rock", "piano"])
    assert recovered.track.truth == {"piano": [(0.0, 3.0)], "drums": ()}
    assert len(choose_tracks(replicate, {"student": result(student)}, count=1)) == 1


def test_rules_that_need_the_truth_are_silent_without_it_and_some_track_is_always_shown(replicate):
    for kept, note in ([1, 1, 1, 1], "A clear success: all 3"), ([1, 0, 0, 0], "The test track with the most tags."):
        replicate.corpus = dataclasses.replace(replicate.corpus, truth=None, timeline=None, labels=replicate.corpus.labels * kept)
        (choice,) = choose_tracks(replicate, {"student": result(np.where(replicate.corpus.labels, 0.8, 0.2))})
        assert choice.track_id == "t0" and choice.note.startswith(note)


def test_the_liveliest_track_is_that_whose_curves_move_most():
    choices, scenes = [Choice("still", ""), Choice("moving", "")], [scene_of_curves({"student": {"piano": 0.9}}), scene()]
    assert liveliest(choices, scenes).track_id == "moving" and liveliest(choices[:1], scenes[:1]).track_id == "still"
