"""Fixtures that tests of every room share."""

from pathlib import Path

import pytest

from mtt.collections.load import load_corpus
from mtt.data.corpus import Corpus
from mtt.study.cells import TrainingData
from tests.tiny import N_ARTISTS, write_collection


@pytest.fixture(scope="session")
def tiny_table(tmp_path_factory) -> Path:
    return write_collection(tmp_path_factory.mktemp("collection"))


@pytest.fixture(scope="session")
def tiny_corpus(tiny_table, tmp_path_factory) -> Corpus:
    return load_corpus(str(tiny_table), cache=tmp_path_factory.mktemp("cache"), progress=False)


@pytest.fixture(scope="session")
def tiny_data(tiny_corpus) -> TrainingData:
    sets = {
        artist: name
        for artist, name in zip(range(N_ARTISTS), ["train"] * 4 + ["valid"] * 2 + ["test"] * 2 + ["unlabelled"] * 4, strict=True)
    }
    split = tiny_corpus.artists.map(lambda artist: sets[int(artist.split()[1])]).rename("split")
    return TrainingData(tiny_corpus, split, {"group a": list(split.index[split == "test"][:3])}, song_clips=2, pool_slots=3)
