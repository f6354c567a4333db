"""Fixtures that tests of every room share."""

import os
import shlex
import shutil
import signal
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from mtt import __main__ as command_line
from mtt.collections.load import load_corpus
from mtt.data.corpus import Corpus
from mtt.files import keep_freed_memory
from mtt.models import import_official
from mtt.models.handmade import load_librosa
from mtt.study.cells import TrainingData
from mtt.training import fit as training
from tests.tiny import GOLDEN, N_ARTISTS, write_audio, write_collection

keep_freed_memory()
load_librosa()  # is compiled before tests start processes that would do so in other places
signal.signal(signal.SIGINT, signal.default_int_handler)  # ignored where a shell started the tests in the background
if "PYTEST_XDIST_WORKER" in os.environ:  # a core each: more threads than cores wait for one another
    os.environ["OMP_NUM_THREADS"] = "1"  # of the processes that tests start
    torch.set_num_threads(1)


def pytest_collection_modifyitems(items):
    for item in items:
        if item.get_closest_marker("cuda") and not torch.cuda.is_available():
            item.add_marker(pytest.mark.skip(reason="needs a GPU"))


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
    sets = {"labelled": "train", "pool": "unlabelled"}
    groups = {group: list(split.index[split == name]) for group, name in sets.items()}
    return TrainingData(tiny_corpus, split, groups | {"group a": list(split.index[split == "test"][:3])}, song_clips=2, pool_slots=3)


@pytest.fixture(scope="session")
def golden_model(tmp_path_factory) -> Path:
    """A model folder made of a small checkpoint of the authors' code."""
    folder = tmp_path_factory.mktemp("golden") / "model"
    import_official(GOLDEN, folder)
    return folder


@pytest.fixture
def killed_once(monkeypatch):
    """The first training that comes to an evaluation is killed there; a function that lets the next ones go on."""
    record = training._Run.record

    def killed(run, row):
        record(run, row)
        raise KeyboardInterrupt

    monkeypatch.setattr(training._Run, "record", killed)
    return lambda: monkeypatch.setattr(training._Run, "record", record)


@pytest.fixture
def mtt(capfd, tmp_path, monkeypatch):
    """Runs a command in ``tmp_path``; gives its exit code, what it printed, and its lines on standard error."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MTT_HOME", str(tmp_path / "home"))

    def run(text: str) -> tuple[int, str, list[str]]:
        with pytest.raises(SystemExit) as end:
            command_line.main(shlex.split(text))
        out, errors = capfd.readouterr()
        return end.value.code, out, errors.strip().splitlines()

    return run


@pytest.fixture
def model(golden_model, tmp_path) -> str:
    """Its name in ``tmp_path``."""
    shutil.copytree(golden_model, tmp_path / "model")
    return "model"


@pytest.fixture
def music(tmp_path) -> Path:
    """A folder of two noises and a text that calls itself a sound, with their table."""
    random, folder = np.random.default_rng(0), tmp_path / "music"
    folder.mkdir()
    for name in ("a.mp3", "b.flac"):
        write_audio(folder / name, (0.1 * random.standard_normal(22050 * 3)).astype(np.float32))
    (folder / "text.wav").write_text("no music")
    rows = [{"path": name, "artist": name, "tags": "noise"} for name in ("a.mp3", "b.flac", "text.wav")]
    pd.DataFrame(rows).to_csv(folder / "tracks.csv", index=False)
    return folder
