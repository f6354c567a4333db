"""One track on its way from artist to labels: what is told and heard of it is what the corpus has."""

from __future__ import annotations

import base64
import io
from dataclasses import replace

import numpy as np
import pytest
import soundfile

from mtt.config import SAMPLE_RATE, SMOKE, StudyConfig
from mtt.reporting.explorer import making
from mtt.study.replicates import Replicate


@pytest.fixture(scope="module")
def replicate(tmp_path_factory):
    held_out = {"held_out": (2, 2), "labelled_artists": 4, "scarcity": (), "pool_artists": 1, "pools": ()}
    folder = tmp_path_factory.mktemp("made")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MTT_HOME", str(folder))
        made = Replicate(replace(SMOKE, **held_out), 100, folder / "100", progress=False)
        _ = made.collection
        yield made


def heard(player):
    return soundfile.read(io.BytesIO(base64.b64decode(player.sound)), dtype="float32")[0]


def test_the_production_that_is_heard_is_the_file_of_the_corpus(replicate):
    made = making._example(replicate)
    _, _, produced, other = (heard(player) for player in making.sounds(replicate))
    published = replicate.collection.read(made.release.track_id, (SMOKE.corpus.seconds - making.SECONDS) / 2, making.SECONDS)
    assert len(produced) == len(published) == making.SECONDS * SAMPLE_RATE
    assert np.corrcoef(produced, published)[0, 1] > 0.98 > np.corrcoef(other, published)[0, 1]  # MP3 is not exact


def test_what_was_written_down_are_the_labels_of_the_track(replicate):
    made, corpus = making._example(replicate), replicate.collection
    picture = making.picture(replicate)
    labels, true = corpus.tags_of(made.release.track_id), corpus.tags_of(made.release.track_id, true=True)
    assert f"{len(true)} tags are true {len(labels)} were written down" in picture.alt
    assert made.artist.name in picture.alt.replace("\n", " ") and made.artist.style != made.other.style


def test_recorded_music_is_not_made(replicate):
    recorded = Replicate(replace(StudyConfig(), collection="tracks.csv"), 100, replicate.folder)
    assert making.picture(recorded) is None and making.sounds(recorded) == []
