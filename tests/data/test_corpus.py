from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mtt.data.corpus import artist_keys, label_matrix, split_tags, tag_texts


def test_rows_labels_and_audio_belong_together(tiny_corpus):
    track = tiny_corpus.tracks.index[5]
    tags = split_tags(tiny_corpus.tracks.at[track, "tags"])
    assert sorted(tiny_corpus.tags_of(track)) == sorted(tags)
    wave = tiny_corpus.read(track, start=0.5, seconds=1.0)
    spectrum = np.abs(np.fft.rfft(wave)) / len(wave)
    loud = {
        tag
        for tag, hertz in {"low": 110, "middle": 440, "high": 1760}.items()
        if spectrum[int(hertz * 0.98) : int(hertz * 1.15)].max() > 0.03
    }
    assert loud == set(tags)


def test_keeping_tracks_and_tags_keeps_rows_and_columns_together(tiny_corpus):
    ids = list(tiny_corpus.tracks.index[[7, 2]])
    kept = tiny_corpus.keep(ids, tiny_corpus.tags[::-1])
    assert list(kept.tracks.index) == list(kept.artists.index) == ids
    np.testing.assert_array_equal(kept.labels, tiny_corpus.labels[[7, 2]][:, ::-1])


def test_unknown_tracks_are_named(tiny_corpus):
    with pytest.raises(KeyError, match="no track 'nobody'"):
        tiny_corpus.rows(["nobody"])


def test_truth_is_preferred_to_observed_labels(tiny_corpus):
    told = replace(tiny_corpus, truth=1 - tiny_corpus.labels)
    ids = tiny_corpus.tracks.index[:4]
    np.testing.assert_array_equal(told.true_labels(ids), told.truth[:4])
    np.testing.assert_array_equal(tiny_corpus.true_labels(ids), tiny_corpus.labels[:4])
    assert sorted(told.tags_of(ids[0]) + told.tags_of(ids[0], true=True)) == sorted(told.tags)
    assert tiny_corpus.tags_of(ids[0], true=True) == tiny_corpus.tags_of(ids[0])


def test_tags_as_text_and_as_labels_say_the_same():
    tags, texts = ["rock", "80s", "jazz"], ["rock| 80s|", "", "foreign|jazz"]
    labels = label_matrix(pd.Series(texts), tags)
    assert labels.tolist() == [[1, 1, 0], [0, 0, 0], [0, 0, 1]] and labels.dtype == np.uint8
    assert tag_texts(labels, tags) == ["rock|80s", "", "jazz"]
    assert split_tags("|".join(tags)) == tags


def test_a_track_without_tags_is_unlabelled_unless_the_collection_is_complete(tiny_corpus):
    assert not tiny_corpus.is_labelled.all() and (tiny_corpus.is_labelled == (tiny_corpus.tag_texts != "")).all()
    assert replace(tiny_corpus, complete=True).is_labelled.all()


@pytest.mark.parametrize(
    "spellings",
    [
        ["The Band", "the band", "  THE\u00a0 Band "],
        ["Guns N\u2019 Roses", "guns n' roses", "Guns N\u00b4 Roses", "Guns N\u2018 Roses"],
        ["A-ha", "A\u2010ha", "a\u2013ha", "A\u2011HA"],
        ["Beyonc\u00e9", "Beyonce\u0301", "\uff22\uff25\uff39\uff2f\uff2e\uff23\u00c9"],
        ["\u201cWeird Al\u201d Yankovic", '"Weird Al" Yankovic'],
        [None, float("nan"), "", " \t"],
    ],
)
def test_spellings_of_an_artist_have_one_key(spellings):
    keys = artist_keys(pd.Series(spellings, index=list("abcd"[: len(spellings)]), dtype=object))
    assert keys.nunique() == 1 and list(keys.index) == list("abcd"[: len(spellings)])
    assert (keys == "").all() == (spellings[0] is None)


def test_different_artists_have_different_keys():
    assert artist_keys(["Queen", "Queens", "the queen", "Qu\u00e9en", "qu een", "1", 2]).nunique() == 7


@given(st.lists(st.text()))
def test_a_key_is_its_own_key(names):
    keys = artist_keys(names)
    assert artist_keys(keys).tolist() == keys.tolist()


def test_artists_of_a_corpus_are_keys_and_their_names_stay(tiny_corpus):
    names = tiny_corpus.tracks["artist"].str.upper()
    corpus = replace(tiny_corpus, tracks=tiny_corpus.tracks.assign(artist=names))
    assert corpus.artists.equals(tiny_corpus.artists) and corpus.tracks["artist"].iloc[0] == "ARTIST 0"
