import dataclasses

import numpy as np
import pandas as pd
import pytest

from mtt.explain.localisation import MEAN, clustered_means, summarise_localisation, track_localisation
from mtt.models import build_model
from tests.explain.planted import TAGS, Attends, Level, bursts
from tests.tiny import TINY_MODEL


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    return bursts(tmp_path_factory.mktemp("bursts"), start=2.0, seconds=1.5)


def rows(model, corpus, **changes) -> pd.DataFrame:
    return track_localisation(model, dataclasses.replace(corpus, **changes), list(corpus.tracks.index))


def test_a_curve_that_is_right_scores_1_and_one_that_is_wrong_0(corpus):
    found = rows(Level(), corpus)
    assert len(found) == 16 and set(found["tag"]) == set(TAGS)
    assert found["share"].between(0.2, 0.3).all()
    assert found.loc[found["tag"] == "loud", "curve"].eq(1).all() and found.loc[found["tag"] == "quiet", "curve"].eq(0).all()
    assert found[["attention", "rollout"]].isna().all(axis=None)


def test_attention_to_what_sounds_scores_high_and_to_what_does_not_low(corpus):
    models = Attends(3.0), Attends(-3.0)
    for model in models:
        model.clip_seconds = 1.0
    right, wrong = (summarise_localisation(rows(model, corpus), resamples=20) for model in models)
    assert right.notna().all(axis=None) and right["rollout"].gt(0.9).all() and (right["curve_lo"] <= right["curve_hi"]).all()
    assert right.at["loud", "attention"] > 0.9 and wrong.at["loud", "attention"] < 0.1
    assert right.at["loud", "curve"] > 0.9 and right.at["quiet", "curve"] < 0.1
    # Attention is the same for all tags, and both tags have the same timeline.
    assert right.at["loud", "attention"] == right.at["quiet", "attention"]
    assert right.at[MEAN, "curve"] == pytest.approx(right["curve"].iloc[:2].mean())


def test_only_tracks_where_it_sounds_part_of_the_time_count(corpus):
    timeline = corpus.timeline[corpus.timeline["track_id"] != "t3"].copy()
    timeline.loc[timeline["track_id"] == "t5", ["start", "end"]] = [0.0, 6.0]
    assert sorted(rows(Level(), corpus, timeline=timeline)["track_id"].unique()) == ["t0", "t1", "t2", "t4", "t6", "t7"]


def test_summary_is_the_mean_by_tag_with_intervals_over_artists():
    six = {"track_id": [f"t{i}" for i in range(6)], "artist": [f"a{i % 3}" for i in range(6)], "attention": np.nan, "rollout": np.nan}
    scores = np.array([0.5, 0.6, 0.7] * 2)
    lone = {"track_id": ["t9"], "artist": ["a0"], "tag": "lone", "curve": 0.9}
    found = pd.concat(map(pd.DataFrame, (six | {"tag": "x", "curve": scores}, six | {"tag": "y", "curve": scores + 0.2}, lone)))
    table = summarise_localisation(found, resamples=400)
    assert list(table.index) == ["lone", "y", "x", MEAN]
    assert table.loc["x", ["tracks", "artists"]].tolist() == [6, 3] and table.loc[MEAN, ["tracks", "artists"]].tolist() == [7, 3]
    assert table.at["x", "curve"] == pytest.approx(0.6) and table.at[MEAN, "curve"] == pytest.approx((0.6 + 0.8 + 0.9) / 3)
    # Three artists: a resample of one alone has probability 1/27 > 2.5%, so the interval reaches both ends.
    assert table.loc["x", ["curve_lo", "curve_hi"]].tolist() == pytest.approx([0.5, 0.7])
    assert table.loc["lone", ["curve_lo", "curve_hi"]].isna().all()
    assert table.loc[MEAN, ["attention", "attention_lo"]].isna().all()
    assert table.equals(summarise_localisation(found, resamples=400))


def test_clustered_means_resample_artists_not_tracks():
    random = np.random.default_rng(0)
    artists = np.repeat(np.arange(40), 5)
    values = np.repeat(random.standard_normal(40), 5)[:, None] * [1, 2] + [0, 3]
    means, *drawn = clustered_means(values, artists, 4000)
    np.testing.assert_allclose(means, values.mean(axis=0))
    # Five equal tracks of an artist are one observation: the standard error is that of 40 values, not of 200.
    np.testing.assert_allclose(np.std(drawn, axis=0), values.std(axis=0) / np.sqrt(40), rtol=0.05)
    np.testing.assert_allclose(np.array(drawn)[:, 1], 2 * np.array(drawn)[:, 0] + 3)  # the same artists for every column


def test_what_cannot_be_localised(corpus):
    for model, changes in ((Level(), {"timeline": None}), (build_model(TINY_MODEL, 3, seed=0), {})):
        with pytest.raises(ValueError, match="bursts: has no timeline of when a tag of the model sounds; its tags are"):
            rows(model, corpus, **changes)
    assert rows(Level(), corpus, timeline=corpus.timeline.assign(start=0.0, end=6.0)).empty
