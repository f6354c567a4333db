"""A study as job arrays: the script that ``study --plan`` prints, on a make-believe SLURM whose ``sbatch`` runs what it is given."""

import os
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from mtt.config import PROFILES, SMOKE
from mtt.study import parameters, recipes
from mtt.study.workspace import absolute_parameters, open_study
from tests.faults.child import ROOT
from tests.faults.test_kills import contents

ASKED = "--profile smoke --collection music/tracks.csv -p study mine"
# In every process that starts with it, as in this one: a study of three models.
SITE = """
import sys
if "--cell" in sys.orig_argv:
    from tests.study.test_plan import PROFILES, parameters, small
    PROFILES["smoke"], parameters.OWN_RATIOS = small, (0.4, 0.2, 0.4)
"""
SBATCH = """#!/bin/bash
echo "$*" >> calls
for word in "$@"; do case $word in --array=*) tasks=${word#*=} ;; esac; done
for number in $(seq ${tasks%-*} ${tasks#*-}); do SLURM_ARRAY_TASK_ID=$number bash "${@: -1}" >&2 || exit; done
echo 7
"""
small = replace(SMOKE, replicates=1, left_out=tuple(sorted(recipes.lineup(SMOKE).keys() - {"teacher", "student", "supervised-w8"})))


@pytest.fixture
def submit(tmp_path, monkeypatch):
    """Submits the script ``plan.sh`` to a cluster that runs it at once."""
    monkeypatch.setenv("LOKY_MAX_CPU_COUNT", "1")  # so small a corpus is read in one process
    folder = tmp_path / "bin"
    folder.mkdir()
    (folder / "sitecustomize.py").write_text(SITE)
    (folder / "sbatch").write_text(SBATCH)
    (folder / "sbatch").chmod(0o755)
    environment = {**os.environ, "PYTHONPATH": f"{folder}:{ROOT}", "PATH": f"{folder}:{os.environ['PATH']}"}

    def run(*options: str) -> None:
        done = subprocess.run(["bash", "plan.sh", *options], env=environment, capture_output=True, text=True, timeout=3600)
        assert done.returncode == 0, done.stderr

    return run


@pytest.mark.slow
def test_a_study_made_by_the_lines_of_its_plan_has_the_same_bits(mtt, submit, tiny_table, tmp_path, monkeypatch):
    shutil.copytree(tiny_table.parent, tmp_path / "music")
    monkeypatch.setitem(PROFILES, "smoke", small)
    monkeypatch.setattr(parameters, "OWN_RATIOS", (0.4, 0.2, 0.4))

    def planned() -> list[str]:
        """The cells of a new plan, which is left as a file."""
        code, text, _ = mtt(f"study --plan {ASKED}")
        assert code == 0
        Path("plan.sh").write_text(text)
        return [line.split()[7] for line in text.splitlines() if "--cell" in line]

    made = tmp_path / "home" / "runs" / "mine"
    assert planned() == ["100/teacher", "100/supervised-w8", "100/student"]
    submit("--time=9")
    calls = [f"--parsable {after}--array={tasks} --time=9 plan.sh" for after, tasks in (("", "1-2"), ("--dependency=afterany:7 ", "3-3"))]
    assert Path("calls").read_text().splitlines() == calls
    assert planned() == []

    found = contents(made, "**/*")
    made.rename(tmp_path / "planned")
    given = absolute_parameters({"profile": "smoke", "collection": "music/tracks.csv", "study": "mine"})
    _ = open_study(progress=False, **given).results
    assert contents(made, "**/*") == found and "100/student/model.safetensors" in found

    for name in ("teacher", "student"):
        shutil.rmtree(made / "100" / name)
    assert planned() == ["100/teacher", "100/student"]
    words = "-p study mine -p profile smoke -p collection music/tracks.csv"
    assert mtt(f"train --cell 100/student {words}")[0] == 0  # its teacher is lost too, and is made with it
    assert planned() == [] and contents(made, "**/*") == found
    code, _, (error,) = mtt(f"train --cell 100/studnet {words}")
    assert code == 2 and "--cell '100/studnet': is none of 100/teacher, " in error


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("train", "train: give --config FILE, or --cell REPLICATE/NAME"),
        ("train --config a.toml --cell 100/teacher", "train: give --config FILE, or --cell REPLICATE/NAME"),
        ("train --config a.toml -p exposure 9", "train: give --config FILE, or --cell REPLICATE/NAME"),
        ("train --cnofig a.toml", "cannot read '--cnofig'; parameters are given as -p NAME VALUE"),
        ("train --cell 100/teacher -p exposre 9", "unknown parameter 'exposre'"),
    ],
)
def test_what_train_cannot_mean_is_refused(mtt, words, message):
    code, out, (error,) = mtt(words)
    assert (code, out) == (2, "") and message in error
