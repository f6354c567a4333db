"""Commands on a Dask cluster of two worker processes, one of which is killed at its work: what it was to do is done by the other."""

import os
import signal
from pathlib import Path

import pytest

from tests.faults.child import ROOT
from tests.faults.test_kills import contents
from tests.tiny import N_ARTISTS, TRACKS_EACH, write_collection

distributed = pytest.importorskip("distributed", reason="needs the packages of mtt[cluster]")
COMMANDS = ("audit tracks.csv --out audit.csv", "pack tracks.csv packed", "tag audio --model model --format wide --out tags.csv")


@pytest.fixture
def cluster(tmp_path, monkeypatch):
    """Two workers in a folder of their own, each made anew when it dies, and a client."""
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    monkeypatch.setenv("PYTHONPATH", f"{ROOT}:{os.environ.get('PYTHONPATH', '')}")
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    with distributed.LocalCluster(2, threads_per_worker=1, dashboard_address=None, local_directory=str(tmp_path / "dask")) as made:
        with distributed.Client(made) as client:
            yield client


def die_while_reading() -> None:
    """In a worker: it is killed when it opens its next audio file."""
    real = os.open

    def opened(path, *given, **named):
        if Path(os.fsdecode(path)).suffix in (".wav", ".mp3", ".flac", ".ogg"):
            os.kill(os.getpid(), signal.SIGKILL)
        return real(path, *given, **named)

    os.open = opened


@pytest.mark.slow
def test_commands_on_a_cluster_that_loses_a_worker_give_what_they_give_alone(cluster, mtt, model, tmp_path, monkeypatch):
    write_collection(tmp_path)
    results = ("*.csv", "packed/**/*")

    def made() -> dict[str, object]:
        return {path: value for pattern in results for path, value in contents(tmp_path, pattern).items()}

    monkeypatch.setenv("LOKY_MAX_CPU_COUNT", "1")
    assert [mtt(command)[0] for command in COMMANDS] == [0, 0, 0]
    alone = made()
    for path in alone:
        if path != "tracks.csv":
            (tmp_path / path).unlink()
    monkeypatch.delenv("LOKY_MAX_CPU_COUNT")
    monkeypatch.setenv("MTT_HOME", str(tmp_path / "other home"))
    monkeypatch.setenv("MTT_DASK", cluster.scheduler.address)
    audit, pack, tag = COMMANDS
    assert mtt(audit)[0] == 0
    workers = cluster.run(os.getpid)
    cluster.run(die_while_reading, workers=[min(workers)])
    assert mtt(pack)[0] == mtt(tag)[0] == 0
    assert workers[min(workers)] not in cluster.run(os.getpid).values()  # it did die
    assert made() == alone and sum(path.endswith(".i16") for path in alone) == N_ARTISTS * TRACKS_EACH


@pytest.mark.parametrize("address", ["tcp://127.0.0.1:1", "nowhere"])
def test_a_cluster_that_is_not_there_is_named(mtt, monkeypatch, address):
    monkeypatch.setenv("MTT_DASK", address)
    code, out, (error,) = mtt("collections")
    assert (code, out) == (2, "") and error.startswith(f"mtt: MTT_DASK={address}: ") and "install mtt[cluster]" in error
