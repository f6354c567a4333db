"""Two real processes on the CPU (gloo), started by torchrun, train one model together."""

import json
import os
import pickle  # of our own object, between our own processes
import subprocess
import sys
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from torch import nn

from mtt.data.batches import ClipBatches
from mtt.models import load_model
from mtt.settings import SettingsError
from mtt.training.fit import STATE_FILE, Supervised, fit
from mtt.training.ranks import Ranks
from tests.tiny import TINY_TRAIN

TRAIN = replace(TINY_TRAIN, steps=6, batch_size=4, evaluate_every=2, augment=None, precision="float32", learning_rate=1e-2)

SCRIPT = """
import pickle, sys
from pathlib import Path
import torch
from mtt.training.ranks import joined
from tests.training.test_ranks import train_linear

data = pickle.loads(Path(sys.argv[1]).read_bytes())
with joined() as ranks:
    folder = Path(sys.argv[2]) / f"rank{ranks.rank}"
    model, history, seen = train_linear(data, folder, ranks)
    rows = history.drop(columns="seconds").to_numpy().tolist()
    torch.save({"weights": model.state_dict(), "history": rows, "seen": seen}, f"{folder}.pt")
threads = {task.read_text() for task in Path("/proc/self/task").glob("*/comm")}
assert not any("gloo" in name for name in threads), threads  # one that outlives the group can abort a process that ends
"""


# Of two ranks the second is killed, once, after the first evaluation; each tells at which step it begins.
KILL = """
import os, signal, sys, time
from pathlib import Path
if "train" in sys.orig_argv and "LOCAL_RANK" in os.environ:
    from mtt.training.fit import _Run
    notes, rank, record, begin = Path(os.environ["NOTES"]), os.environ["LOCAL_RANK"], _Run.record, _Run.__init__

    def killed(run, row):
        record(run, row)
        if rank == "1" and not (notes / "killed").exists():
            while not run.path.exists():  # which the first rank writes
                time.sleep(0.01)
            (notes / "killed").touch()
            os.kill(os.getpid(), signal.SIGKILL)

    def told(run, *given, **named):
        begin(run, *given, **named)
        with open(notes / "begun", "a") as file:
            file.write(f"{rank}{run.step}\\n")

    _Run.record, _Run.__init__ = killed, told
"""


def torchrun(*arguments: object, folder: Path, ends: bool = True, **more: str) -> None:
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", *map(str, arguments)]
    one = dict.fromkeys(("OMP_NUM_THREADS", "LOKY_MAX_CPU_COUNT"), "1")
    environment = {**os.environ, **one, "PYTHONPATH": os.getcwd(), "MTT_HOME": str(folder), "CUDA_VISIBLE_DEVICES": "", **more}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=900)
    assert (done.returncode == 0) == ends, done.stderr[-3000:]


def train_linear(data, folder: Path, ranks: Ranks):
    """A model without noise and batch statistics, for which the number of ranks must not matter."""
    torch.manual_seed(0)
    model = nn.Sequential(nn.AvgPool1d(50), nn.Linear(441, 3))
    ids, seen = data.ids("train"), []
    batches = ClipBatches(data.corpus, ids, TRAIN.batch_size, TRAIN.clip_seconds, 0, part=(ranks.rank, ranks.world))
    objective = Supervised(batches, data.corpus.labels[data.corpus.rows(ids)], None, 0)
    draw = objective.draw
    objective.draw = lambda first, last: (seen.append(batch.rows.tolist()) or batch for batch in draw(first, last))

    def validate(model) -> float:
        assert ranks.first, "only the first rank validates"
        return float(sum(parameter.square().sum() for parameter in model.parameters()).detach())

    folder.mkdir()
    return model, fit(model, objective, validate, TRAIN, folder, 0, ranks=ranks), seen


@pytest.mark.slow
def test_two_ranks_learn_what_one_does(tiny_data, tmp_path):
    (tmp_path / "data.pickle").write_bytes(pickle.dumps(tiny_data))
    (tmp_path / "script.py").write_text(SCRIPT)
    torchrun(tmp_path / "script.py", tmp_path / "data.pickle", tmp_path, folder=tmp_path)
    model, history, seen = train_linear(tiny_data, tmp_path / "alone", Ranks())
    ranks = [torch.load(tmp_path / f"rank{rank}.pt", weights_only=True) for rank in (0, 1)]
    for name, value in model.state_dict().items():
        assert torch.equal(ranks[0]["weights"][name], ranks[1]["weights"][name])
        torch.testing.assert_close(ranks[0]["weights"][name], value, rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(ranks[0]["history"], history.drop(columns="seconds").astype(float), rtol=1e-5)
    assert ranks[0]["history"] == ranks[1]["history"]
    assert [rows[0::2] for rows in seen] == ranks[0]["seen"] and [rows[1::2] for rows in seen] == ranks[1]["seen"]
    assert (tmp_path / "rank0" / STATE_FILE).exists() and not (tmp_path / "rank1" / STATE_FILE).exists()


@pytest.mark.slow
def test_a_job_under_torchrun_makes_the_same_folder_also_after_a_rank_was_killed(tiny_table, tmp_path):
    """A student and its teacher: with augmentation, dropout and batch normalisation."""
    lines = [f"collection = {json.dumps(str(tiny_table))}", "profile = 'smoke'", "recipe = 'student'", "ratios = [0.4, 0.3, 0.3]"]
    (tmp_path / "job.toml").write_text("\n".join([*lines, "exposure = 16", "[train]", "evaluate_every = 2"]))
    (tmp_path / "hook").mkdir()
    (tmp_path / "hook" / "sitecustomize.py").write_text(KILL)
    hooked = {"PYTHONPATH": f"{tmp_path / 'hook'}:{os.getcwd()}", "NOTES": str(tmp_path / "hook")}
    command = ("-m", "mtt", "train", "--config", tmp_path / "job.toml")
    torchrun(*command, folder=tmp_path / "one")
    torchrun(*command, folder=tmp_path / "two", ends=False, **hooked)
    torchrun(*command, folder=tmp_path / "two", **hooked)
    begun = Counter((tmp_path / "hook" / "begun").read_text().split())
    assert begun == {"00": 2, "10": 2, "02": 1, "12": 1}  # rank and step: of teacher and student, and of the teacher once more
    folders = [tmp_path / home / "runs" / "job-job" / "0" for home in ("one", "two")]
    for name in ("teacher", "student"):
        one, two = (load_model(folder / name).state_dict() for folder in folders)
        assert all(torch.equal(one[key], two[key]) for key in one)
        assert {"config.json", "history.csv", "scores.npz", "metrics.json"} <= {path.name for path in (folders[0] / name).iterdir()}
        assert list(pd.read_csv(folders[0] / name / "history.csv")["step"]) == [2, 4]
        assert not (folders[0] / name / STATE_FILE).exists()


def test_a_batch_that_cannot_be_dealt_out_evenly_is_refused():
    Ranks(1, 2).check(4, 1)
    with pytest.raises(SettingsError, match="5 clips cannot be dealt out to 2 ranks evenly"):
        Ranks(1, 2).check(5, 1)
    with pytest.raises(SettingsError, match="2 clips cannot be dealt out .* use a multiple of 4"):
        Ranks(1, 2).check(2, 1)  # a rank with a single clip has no batch statistics


def test_each_rank_has_noise_of_its_own_and_one_alone_that_of_the_seed():
    seeds = {Ranks(rank, world).own_seed(seed) for rank, world in ((0, 1), (0, 2), (1, 2)) for seed in range(50)}
    assert Ranks().own_seed(7) == 7 and len(seeds) == 150
