"""What is found of a study's explanations is measured once and recorded, and where nothing can be tested the reason is given."""

import dataclasses
import json
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from mtt.config import SMOKE
from mtt.explain.deletion import MASKS, summarise_deletion
from mtt.explain.localisation import summarise_localisation
from mtt.findings import evidence
from mtt.study.workspace import Result
from tests.explain.planted import Attends, Level, bursts

NEAR = np.array([[-0.01], [0.01], [-0.02], [0.02]])  # what four tracks of four artists add to the mean


def localisation(curve, attention):
    """Of a piano; of the CNN's kind where ``attention`` is NaN."""
    rows = {"track_id": list("abcd"), "artist": list("ABCD"), "tag": ["piano"] * 4, "share": 0.5}
    scores = pd.DataFrame([curve, attention, attention] + NEAR, columns=list(evidence.EXPLANATIONS))
    return summarise_localisation(pd.DataFrame(rows).join(scores), 100)


def deletion(*drops):
    rows = pd.DataFrame(drops + NEAR * [[1.0, 0.5, 0.2]], columns=MASKS, index=pd.Index(list("abcd"), name="track_id"))
    rows.insert(0, "artist", list("ABCD"))
    return summarise_deletion(rows, 100)


def test_records_hold_the_numbers_of_the_tests_as_json():
    found = evidence.Evidence({"fcn": localisation(0.8, np.nan), "student": localisation(0.8, 0.3)}, {"student": deletion(0.3, 0.1, 0.4)})
    *located, deleted = json.loads(json.dumps(evidence.records(found), allow_nan=False))
    about = [(entry["model"], entry["explanation"], round(entry["effect"], 9)) for entry in located]
    assert about == [("fcn", "curve", 0.8), ("student", "curve", 0.8), ("student", "attention", 0.3), ("student", "rollout", 0.3)]
    for entry in located:
        assert entry["interval"][0] < entry["effect"] < entry["interval"][1] and entry["chance"] == 0.5
        assert (entry["n_tracks"], entry["n_artists"], entry["n_tags"]) == (4, 4, 1)
    assert deleted["effect"] == pytest.approx(0.2) and deleted["elsewhere"] == pytest.approx(-0.1)
    assert deleted["interval"][0] > 0 > deleted["elsewhere_interval"][1] and set(deleted["drops"]) == set(MASKS)
    assert deleted["drops"]["attended"]["drop"] == pytest.approx(0.3) and (deleted["n_tracks"], deleted["n_artists"]) == (4, 4)


def test_tags_of_few_artists_do_not_count_where_others_have_more():
    rows = pd.DataFrame({"tag": ["bass"] * 6 + ["flute"] * 4, "artist": [*"abcdef", *"abcd"]})
    assert set(evidence.with_enough_artists(rows)["tag"]) == {"bass"}
    assert evidence.with_enough_artists(rows[rows["tag"] == "flute"])["tag"].tolist() == ["flute"] * 4


class PlantedCell:
    """A cell whose model is known; counts how often it was loaded."""

    fingerprint = "planted"

    def __init__(self, folder, model):
        self.folder, self.model, self.loaded = folder, model, 0

    def load_model(self):
        self.loaded += 1
        return self.model


@pytest.fixture
def replicate(tmp_path):
    """A replicate of planted recordings whose test set is all there is."""
    corpus = bursts(tmp_path, start=2.7, seconds=1.2, artists=5)
    ids = list(corpus.tracks.index)
    return SimpleNamespace(corpus=corpus, config=SMOKE, progress=False, ids=lambda name: ids)


def test_tracks_are_one_of_each_artist_and_do_not_depend_on_the_order(replicate):
    drawn = evidence.evidence_tracks(replicate)
    assert replicate.corpus.artists.loc[drawn].is_unique and len(drawn) == 5
    replicate.ids = lambda name: list(replicate.corpus.tracks.index)[::-1]
    assert evidence.evidence_tracks(replicate) == drawn
    replicate.config = dataclasses.replace(SMOKE, explained_artists=2)
    assert evidence.evidence_tracks(replicate) == drawn[:2]


def test_planted_models_are_found_out_and_rows_are_read_back(replicate, tmp_path):
    cells = {"student": PlantedCell(tmp_path / "a", Attends()), "fcn": PlantedCell(tmp_path / "b", Level())}
    results = [Result(SimpleNamespace(name=name), [cell]) for name, cell in cells.items()]
    found = evidence.gather(replicate, results)
    assert found.missing == {} and list(found.deletion) == ["student"]
    assert found.deletion["student"].versus_random.lo > 0 and found.localisation["fcn"].at["loud", "curve"] == 1.0
    before = {name: cell.loaded for name, cell in cells.items()}
    assert evidence.records(evidence.gather(replicate, results)) == evidence.records(found)
    assert {name: cell.loaded - before[name] for name, cell in cells.items()} == {"student": 1, "fcn": 1}  # no test was made again


def test_a_collection_without_timeline_or_artists_gets_the_reason_instead(replicate, tmp_path):
    results = [Result(SimpleNamespace(name="student"), [PlantedCell(tmp_path / "a", Attends())])]
    replicate.corpus = dataclasses.replace(replicate.corpus, timeline=None)
    found = evidence.gather(replicate, results)
    assert found.localisation == {} and "Nobody wrote down who plays when" in found.missing["localisation"]
    assert found.deletion["student"].versus_random.lo > 0
    replicate.corpus = dataclasses.replace(replicate.corpus, tracks=replicate.corpus.tracks.assign(artist="one"))
    found = evidence.gather(replicate, results)
    assert evidence.records(found) == [] and "fewer than two test artists" in found.missing["deletion"]
