import dataclasses

import numpy as np
import pandas as pd
import pytest

from mtt.explain.localisation import MEAN, clustered_means, localisation_scores, summarise_localisation, track_localisation
from mtt.models import build_model
from tests.explain.planted import TAGS, Attends, Level, bursts
from tests.tiny import TINY_MODEL


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    return bursts(tmp_path_factory.mktemp("bursts"), start=2.0, seconds=1.5)


def test_a_curve_that_is_right_scores_1_and_one_that_is_wrong_0(corpus):
    found = track_localisation(Level(), corpus, list(corpus.tracks.index), window=0.1, hop=0.1)
    assert len(found) == 16 and set(found["tag"]) == set(TAGS)
    assert found["share"].between(0.2, 0.3).all()
    # Perfect, but for one pair of points: the windows that the two borders of the burst cut in half.
    pair = 1 / (0.2 * 0.8 * 59**2)
    assert found.loc[found["tag"] == "loud", "curve"].min() > 1 - 1.5 * pair
    assert found.loc[found["tag"] == "quiet", "curve"].max() < 1.5 * pair
    assert found[["attention", "rollout"]].isna().all(axis=None)


def test_attention_to_what_sounds_scores_high_and_to_what_does_not_low(corpus):
    ids = list(corpus.tracks.index)
    right, wrong = (localisation_scores(Attends(gain), corpus, ids, window=1.0, hop=0.1, resamples=20) for gain in (3.0, -3.0))
    assert right.at["loud", "attention"] > 0.9 and wrong.at["loud", "attention"] < 0.1
    assert right.at["loud", "curve"] > 0.9 and right.at["quiet", "curve"] < 0.1
    # Attention is the same for all tags, and both tags have the same timeline.
    assert right.at["loud", "attention"] == right.at["quiet", "attention"]
    assert right.at[MEAN, "curve"] == pytest.approx(right["curve"].iloc[:2].mean())


def test_only_tracks_where_it_sounds_part_of_the_time_count(corpus):
    timeline = corpus.timeline[corpus.timeline["track_id"] != "t3"].copy()
    always = timeline["track_id"] == "t5"
    timeline.loc[always, "start"], timeline.loc[always, "end"] = 0.0, 6.0
    found = track_localisation(Level(), dataclasses.replace(corpus, timeline=timeline), list(corpus.tracks.index), 0.5, 0.25)
    assert sorted(found["track_id"].unique()) == ["t0", "t1", "t2", "t4", "t6", "t7"]


def test_summary_is_the_mean_by_tag_with_intervals_over_artists():
    rows = [(f"t{i}", f"a{i % 3}", tag, 0.5, value, np.nan, np.nan) for tag, shift in (("x", 0.0), ("y", 0.2)) for i, value in
            enumerate([0.5 + shift, 0.6 + shift, 0.7 + shift] * 2)]  # fmt: skip
    rows.append(("t9", "a0", "lone", 0.5, 0.9, np.nan, np.nan))
    found = pd.DataFrame(rows, columns=["track_id", "artist", "tag", "share", "curve", "attention", "rollout"])
    table = summarise_localisation(found, resamples=400, seed=1)
    assert list(table.index) == ["lone", "y", "x", MEAN]
    assert table.loc["x", ["tracks", "artists"]].tolist() == [6, 3] and table.loc[MEAN, ["tracks", "artists"]].tolist() == [7, 3]
    assert table.at["x", "curve"] == pytest.approx(0.6) and table.at[MEAN, "curve"] == pytest.approx((0.6 + 0.8 + 0.9) / 3)
    # Three artists: a resample of one alone has probability 1/27 > 2.5%, so the interval reaches both ends.
    assert table.loc["x", ["curve_lo", "curve_hi"]].tolist() == pytest.approx([0.5, 0.7])
    assert table.loc["lone", ["curve_lo", "curve_hi"]].isna().all()
    assert table.loc[MEAN, ["attention", "attention_lo"]].isna().all()
    assert table.equals(summarise_localisation(found, resamples=400, seed=1))


def test_clustered_means_resample_artists_not_tracks():
    random = np.random.default_rng(0)
    artists = np.repeat(np.arange(40), 5)
    values = np.repeat(random.standard_normal(40), 5)[:, None] * [1, 2] + [0, 3]
    means, drawn = clustered_means(values, artists, 4000, seed=0)
    np.testing.assert_allclose(means, values.mean(axis=0))
    # Five equal tracks of an artist are one observation: the standard error is that of 40 values, not of 200.
    np.testing.assert_allclose(drawn.std(axis=0), values.std(axis=0) / np.sqrt(40), rtol=0.05)
    np.testing.assert_allclose(drawn[:, 1], 2 * drawn[:, 0] + 3)  # the same artists for every column


def test_clustered_means_leave_out_what_is_missing():
    values = np.array([[1.0, np.nan], [2.0, np.nan], [np.nan, 5.0]])
    means, drawn = clustered_means(values, np.array(["a", "b", "b"]), 50, seed=0)
    np.testing.assert_allclose(means, [1.5, 5.0])
    assert set(np.unique(drawn[:, 0])) == {1.0, 1.5, 2.0}
    assert set(drawn[np.isfinite(drawn[:, 1]), 1]) == {5.0} and np.isnan(drawn[:, 1]).any()


def test_a_random_transformer_has_every_score(corpus):
    model = build_model(TINY_MODEL, 2, seed=0)  # without tags: the corpus's
    table = localisation_scores(model, corpus, list(corpus.tracks.index[:4]), window=0.5, hop=0.5, resamples=20)
    assert table.notna().all(axis=None)
    for name in ("curve", "attention", "rollout"):
        assert table[name].between(0, 1).all() and (table[f"{name}_lo"] <= table[f"{name}_hi"]).all()


def test_what_cannot_be_localised(corpus):
    ids = list(corpus.tracks.index)
    with pytest.raises(ValueError, match="bursts: has no timeline of who plays when"):
        localisation_scores(Level(), dataclasses.replace(corpus, timeline=None), ids)
    with pytest.raises(ValueError, match="bursts: none of the timeline's instruments is a tag of the model; its tags are tag 0"):
        localisation_scores(build_model(TINY_MODEL, 3, seed=0), corpus, ids)
    with pytest.raises(ValueError, match="bursts: no instrument sounds part of the time in the 8 tracks"):
        localisation_scores(Level(), dataclasses.replace(corpus, timeline=corpus.timeline.assign(start=0.0, end=6.0)), ids)
