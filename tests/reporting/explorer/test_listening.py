import numpy as np
import pytest

from mtt.reporting.explorer.listening import error_players, examples, recovered_players, typical_track, worst_errors


def test_worst_errors_are_the_most_wrongly_ranked_tracks_one_a_track_and_tag(tiny_corpus):
    ids = list(tiny_corpus.tracks.index[:12])
    labels = tiny_corpus.true_labels(ids)
    scores = np.where(labels == 1, 0.8, 0.2) + np.linspace(0, 0.01, labels.size).reshape(labels.shape)
    miss = (int(np.flatnonzero(labels[:, 0])[0]), 0)
    alarm = (int(np.flatnonzero(labels[:, 1] == 0)[-1]), 1)
    scores[miss], scores[alarm] = 0.01, 0.99
    found = worst_errors(tiny_corpus, ids, scores, count=2)
    assert found["error"].tolist() == ["miss", "false alarm"]
    assert found["track_id"].tolist() == [ids[miss[0]], ids[alarm[0]]]
    assert found["tag"].tolist() == [tiny_corpus.tags[0], tiny_corpus.tags[1]]


def test_players_say_what_was_wrong(tiny_corpus):
    ids = list(tiny_corpus.tracks.index[:12])
    scores = np.random.default_rng(0).random((12, 3))
    players = error_players(tiny_corpus, ids, scores, count=2)
    html = players[0]._repr_html_()
    assert "Miss: " in html and "The model says: " in html and "data:audio" in html


def test_recovered_labels_are_named_with_their_score(tiny_corpus):
    (player,) = recovered_players(tiny_corpus, [tiny_corpus.tracks.index[0]], ["jazz"], [0.731])
    assert "Not in its labels: jazz (teacher: 0.73)" in player._repr_html_()


def test_examples_are_by_different_artists_and_carry_the_tag(tiny_corpus):
    players = examples(tiny_corpus, tiny_corpus.tags)
    assert len(players) == 3
    for player, tag in zip(players, tiny_corpus.tags, strict=True):
        assert tag in player._repr_html_()
    with pytest.raises(ValueError, match="jazz"):
        examples(tiny_corpus, ["jazz"])


def test_the_typical_track_is_labelled(tiny_corpus):
    assert tiny_corpus.is_labelled[typical_track(tiny_corpus)]
