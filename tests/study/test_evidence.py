"""What is said of a study's explanations follows their intervals, and where nothing can be tested the reason is given."""

import dataclasses
import json
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from mtt.config import SMOKE
from mtt.explain.deletion import MASKS, summarise_deletion
from mtt.explain.localisation import summarise_localisation
from mtt.study import evidence
from mtt.study.workspace import Result
from tests.explain.planted import Attends, Level, bursts


def localisation_table(curve, attention):
    """Four tracks of four artists; of the CNN's kind where ``attention`` is NaN."""
    near = np.array([-0.01, 0.01, -0.02, 0.02])
    rows = {"track_id": list("abcd"), "artist": list("ABCD"), "tag": ["piano"] * 4, "share": 0.5}
    return summarise_localisation(
        pd.DataFrame({**rows, "curve": curve + near, "attention": attention + near, "rollout": attention + near}), 100
    )


def deletion(attended, random, shifted):
    near = np.array([[-0.01], [0.01], [-0.02], [0.02]]) * [[1.0, 0.5, 0.2]]
    drops = pd.DataFrame(np.array([attended, random, shifted]) + near, columns=MASKS, index=pd.Index(list("abcd"), name="track_id"))
    return summarise_deletion(drops.assign(artist=list("ABCD"))[["artist", *MASKS]], 100)


@pytest.mark.parametrize(
    ("score", "words"),
    [
        (0.9, "points at the moments"),
        (0.55, "points weakly at"),
        (0.5, "is not shown to point at"),
        (0.45, "points weakly away from"),
        (0.3, "points away from"),
    ],
)
def test_the_words_on_localisation_follow_the_interval(score, words):
    found = evidence.Evidence({"student": localisation_table(score, 1 - score)})
    curve, attention, _ = evidence.records(found)
    assert f"The tag curve of the student {words} the moments".replace("moments the moments", "moments") in curve["sentence"]
    assert f"ROC-AUC {score:.3f} [" in curve["sentence"] and curve["interval"][0] <= score <= curve["interval"][1]
    assert (curve["n_tracks"], curve["n_artists"], curve["n_tags"]) == (4, 4, 1)
    assert attention["effect"] == pytest.approx(1 - score) and attention["sentence"].startswith("The CLS attention of the student")


def test_tags_of_few_artists_do_not_count_where_others_have_more():
    rows = pd.DataFrame({"tag": ["bass"] * 6 + ["flute"] * 4, "artist": [*"abcdef", *"abcd"]})
    assert set(evidence.with_enough_artists(rows)["tag"]) == {"bass"}
    assert evidence.with_enough_artists(rows[rows["tag"] == "flute"])["tag"].tolist() == ["flute"] * 4


@pytest.mark.parametrize(
    ("drops", "words"),
    [
        ((0.3, 0.1, 0.1), "so in this test the tags do rest on what it attends to"),
        ((0.1, 0.3, 0.05), "so in this test its attention is not faithful"),
        ((0.3, 0.1, 0.4), "so in this test its attention is not faithful"),
        ((0.2, 0.1, 0.2), "so it is not shown that its attention is faithful"),
    ],
)
def test_the_words_on_deletion_follow_both_controls(drops, words):
    (entry,) = evidence.records(evidence.Evidence(deletion={"student": deletion(*drops)}))
    assert words in entry["sentence"]
    relation = "more" if drops[0] > drops[1] else "less"
    assert f"lose {drops[0]:.4f} of probability. That is {abs(drops[0] - drops[1]):.4f} {relation} than without random" in entry["sentence"]
    assert entry["effect"] == pytest.approx(drops[0] - drops[1]) and entry["elsewhere"] == pytest.approx(drops[0] - drops[2])
    assert set(entry["drops"]) == set(MASKS)


def test_records_are_json_and_a_model_without_attention_has_its_curve_alone():
    found = evidence.Evidence(
        {"fcn": localisation_table(0.8, np.nan), "student": localisation_table(0.8, 0.5)}, missing={"deletion": "Why."}
    )
    entries = json.loads(json.dumps(evidence.records(found), allow_nan=False))
    assert [entry["explanation"] for entry in entries if entry["model"] == "fcn"] == ["tag curve"]
    told = evidence.finding(found, "student")
    assert told.count("The tag curve") == told.count("The CLS attention") == 1 and "rollout" not in told and told.endswith("Why.")


class PlantedStage:
    """A stage whose model is known; counts how often it was loaded."""

    fingerprint = "planted"

    def __init__(self, folder, model):
        self.folder, self.model, self.loaded = folder, model, 0

    def load_model(self):
        self.loaded += 1
        return self.model


@pytest.fixture
def study(tmp_path):
    """A study of planted recordings whose test set is all there is."""
    corpus = bursts(tmp_path, start=2.7, seconds=1.2, artists=5)
    ids = list(corpus.tracks.index)
    return SimpleNamespace(corpus=corpus, config=SMOKE, progress=False, ids=lambda name: ids)


def test_tracks_are_one_of_each_artist_and_do_not_depend_on_the_order(study):
    drawn = evidence.evidence_tracks(study)
    assert study.corpus.artists.loc[drawn].is_unique and len(drawn) == 5
    study.ids = lambda name: list(study.corpus.tracks.index)[::-1]
    assert evidence.evidence_tracks(study) == drawn
    study.config = dataclasses.replace(SMOKE, explained_artists=2)
    assert evidence.evidence_tracks(study) == drawn[:2]


def test_planted_models_are_found_out_and_rows_are_read_back(study, tmp_path):
    stages = {"student": PlantedStage(tmp_path / "a", Attends()), "fcn": PlantedStage(tmp_path / "b", Level())}
    results = [Result(name, [stage]) for name, stage in stages.items()]
    found = evidence.gather(study, results)
    assert found.missing == {} and list(found.deletion) == ["student"]
    assert found.deletion["student"].versus_random.lo > 0 and found.deletion["student"].versus_shifted.lo > 0
    assert found.localisation["fcn"].at["loud", "curve"] == 1.0 and found.localisation["fcn"].at["quiet", "curve"] == 0.0
    assert found.localisation["student"].at["loud", "attention"] > 0.9
    before = {name: stage.loaded for name, stage in stages.items()}
    again = evidence.gather(study, results)
    assert {name: stage.loaded - before[name] for name, stage in stages.items()} == {"student": 1, "fcn": 1}  # no test was made again
    pd.testing.assert_frame_equal(again.localisation["fcn"], found.localisation["fcn"])
    assert evidence.records(again) == evidence.records(found)


def test_a_collection_without_timeline_or_artists_gets_the_reason_instead(study, tmp_path):
    results = [Result("student", [PlantedStage(tmp_path / "a", Attends())])]
    study.corpus = dataclasses.replace(study.corpus, timeline=None)
    found = evidence.gather(study, results)
    assert found.localisation == {} and "Nobody wrote down who plays when" in found.missing["localisation"]
    assert found.deletion["student"].versus_random.lo > 0 and "Nobody wrote down" in evidence.finding(found, "student")
    study.corpus = dataclasses.replace(study.corpus, tracks=study.corpus.tracks.assign(artist="one"))
    found = evidence.gather(study, results)
    assert evidence.records(found) == [] and "fewer than two test artists" in found.missing["deletion"]
