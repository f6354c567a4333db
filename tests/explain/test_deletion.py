import dataclasses

import numpy as np
import pandas as pd
import pytest

from mtt.explain import deletion
from mtt.explain.deletion import MASKS, summarise_deletion, track_deletion
from mtt.models import build_model
from tests.explain.planted import Attends, bursts
from tests.tiny import TINY_MODEL


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    """A burst of 5 of the 32 frames of the middle clip: 20% of them hold it all."""
    return bursts(tmp_path_factory.mktemp("bursts"), start=2.7, seconds=0.4)


@pytest.fixture(autouse=True)
def middle_clip(monkeypatch):
    monkeypatch.setattr(deletion, "CLIPS", 1)


def rows(corpus, model=None, **changes) -> pd.DataFrame:
    return track_deletion(model or Attends(), dataclasses.replace(corpus, **changes), list(corpus.tracks.index))


def test_attention_that_carries_the_tag_is_found_faithful(corpus):
    found = summarise_deletion(rows(corpus))
    # With the burst the probability is above 0.95, without it below 0.1; other frames matter little.
    assert found.summary.at["attended", "drop"] > 0.8
    assert found.summary.loc[["random", "shifted"], "drop"].abs().max() < 0.3
    assert found.versus_random.lo > 0.6 and found.versus_shifted.lo > 0.6
    assert found.versus_random.value == pytest.approx(found.summary.at["attended", "drop"] - found.summary.at["random", "drop"])
    assert list(found.drops.columns) == ["track_id", "artist", *MASKS] and list(found.drops["track_id"]) == list(corpus.tracks.index)


def test_what_speaks_against_the_tag_is_not_and_a_model_that_hears_nothing_loses_nothing(corpus):
    assert summarise_deletion(rows(corpus, labels=corpus.labels[:, ::-1])).versus_random.hi < -0.6
    found = summarise_deletion(rows(corpus, Attends(weight=0.0)), resamples=20)
    assert found.drops[MASKS].eq(0).all(axis=None) and (found.versus_random.lo, found.versus_random.hi) == (0, 0)


def test_only_true_tags_count_and_tracks_without_one_are_left_out(corpus):
    labels = corpus.labels * (np.arange(8) != 2)[:, None]
    kept, every = rows(corpus, labels=labels), rows(corpus)
    assert list(kept["track_id"]) == [i for i in corpus.tracks.index if i != "t2"]
    assert kept.iloc[0].equals(every.iloc[0])
    assert rows(corpus, labels=np.ones_like(labels))[MASKS].abs().max(axis=None) < 1e-6  # what "loud" loses, "quiet" gains


def test_the_same_comes_out_again_and_of_other_clips_something_else(corpus, monkeypatch):
    model = build_model(TINY_MODEL, 2, seed=0)
    model.tags, model.clip_seconds = corpus.tags, 1.0
    one = rows(corpus, model)
    pd.testing.assert_frame_equal(one, rows(corpus, model), check_exact=True)
    monkeypatch.setattr(deletion, "CLIPS", 3)
    assert not np.isclose(one["attended"], rows(corpus, model)["attended"]).any()


def test_masks_hold_the_most_attended_frames_as_many_random_ones_and_the_same_runs_elsewhere():
    attention = np.random.default_rng(0).random((3, 20))
    masks = deletion._masks(attention, [np.random.default_rng(i) for i in range(3)])
    assert masks.shape == (11, 3, 20) and (masks.sum(axis=2) == 4).all()
    for clip, mask in enumerate(masks[0]):
        assert attention[clip][mask].min() > attention[clip][~mask].max()
        rolled = [np.roll(mask, i).tolist() for i in range(1, 20)]
        assert all(moved.tolist() in rolled for moved in masks[6:, clip])


def test_what_cannot_be_tested(corpus):
    with pytest.raises(ValueError, match="give tracks of two or more, with a tag that the model knows"):
        summarise_deletion(rows(corpus)[:2])
