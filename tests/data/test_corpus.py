from dataclasses import replace

import numpy as np
import pytest


def test_rows_labels_and_audio_belong_together(tiny_corpus):
    track = tiny_corpus.tracks.index[5]
    tags = tiny_corpus.tracks.at[track, "tags"].split("|")
    assert sorted(np.array(tiny_corpus.tags)[tiny_corpus.labels[5].astype(bool)]) == sorted(tags)
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
    kept = tiny_corpus.keep_tracks(ids).keep_tags(tiny_corpus.tags[::-1])
    assert list(kept.tracks.index) == ids
    np.testing.assert_array_equal(kept.labels, tiny_corpus.labels[[7, 2]][:, ::-1])


def test_unknown_tracks_and_wrong_shapes_are_named(tiny_corpus):
    with pytest.raises(KeyError, match="no track 'nobody'"):
        tiny_corpus.rows(["nobody"])
    with pytest.raises(ValueError, match="labels has shape"):
        replace(tiny_corpus, labels=tiny_corpus.labels[:-1])


def test_truth_is_preferred_to_observed_labels(tiny_corpus):
    truth = 1 - tiny_corpus.labels
    ids = tiny_corpus.tracks.index[:4]
    np.testing.assert_array_equal(replace(tiny_corpus, truth=truth).true_labels(ids), truth[:4])
    np.testing.assert_array_equal(tiny_corpus.true_labels(ids), tiny_corpus.labels[:4])
