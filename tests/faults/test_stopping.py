"""Ctrl-C ends every command with the promised line, once; and what two do at the same time is done by one, or refused in a line."""

import re
import shlex
import shutil
import signal
import subprocess
from pathlib import Path

import pytest

from mtt.files import fingerprint
from tests.faults.child import MTT, run, start
from tests.faults.test_kills import RENDER, contents

STOPPED = "mtt: stopped; run the same command again to go on from here"


@pytest.fixture
def folder(tiny_table, tmp_path) -> Path:
    """A home, a job, and tracks to train on."""
    shutil.copytree(tiny_table.parent, tmp_path, dirs_exist_ok=True)
    (tmp_path / "home").mkdir()
    (tmp_path / "job.toml").write_text('collection = "tracks.csv"\nprofile = "smoke"\n')
    return tmp_path


def told(errors: list[str]) -> list[str]:
    """The lines that are no progress bars, and no remarks of an MP3 decoder or of the tracker of workers."""
    return [line for line in errors if not re.search(r"\d/\d+ \[|libmpg123|GB free|resource_tracker", line)]


@pytest.mark.parametrize(
    ("command", "point"),
    [
        ("audit tracks.csv --out report.csv", r"rename .*\.npz$"),
        ("pack tracks.csv packed", r"rename .*\.i16$"),
        ("train --config job.toml", r"rename .*training\.pt$"),
    ],
)
def test_ctrl_c_prints_the_promised_line_once(folder, command, point):
    done = run((*MTT, *shlex.split(command)), folder, point=point, at=1, sent=signal.SIGINT)
    assert done.struck and done.code == 130 and told(done.errors) == [STOPPED], done.errors
    assert not (folder / "report.csv").exists() and not [*folder.glob("*.partial"), *folder.glob("packed/pack.json")]


@pytest.mark.slow
def test_ctrl_c_ends_a_study_with_its_kernel_and_its_workers(folder):
    study = (*MTT, "study", "--profile", "smoke", "--collection", "tracks.csv", "--out", "pages")
    done = run(study, folder, point=r"rename .*/metrics\.json$", at=1, sent=signal.SIGINT)
    assert done.struck and done.code == 130 and done.errors[-1] == STOPPED
    assert not [line for line in done.errors if "Traceback" in line or "KeyboardInterrupt" in line], done.errors


def two_at_once(arguments: tuple[str, ...], folder: Path) -> list[tuple[int, list[str]]]:
    """How both end: exit code and what they tell."""
    processes = [start(arguments, folder) for _ in range(2)]
    ended = [(process.communicate(timeout=300)[1].replace("\r", "\n"), process.returncode) for process in processes]
    return sorted((code, told([line for line in errors.splitlines() if line.strip()])) for errors, code in ended)


def held(lock: Path) -> subprocess.Popen:
    """A process that holds a lock file, as a run under way does."""
    script = f"import time\nfrom mtt.files import alone\nwith alone({str(lock)!r}):\n    print('held', flush=True)\n    time.sleep(600)"
    holder = start(("-c", script), lock.parent)
    holder.stdout.readline()
    return holder


def test_two_trainings_of_the_same_job_make_one_model(folder):
    assert two_at_once((*MTT, "train", "--config", "job.toml"), folder) == [(0, []), (0, [])]
    assert len(list(folder.glob("home/runs/*/*/teacher/metrics.json"))) == 1


def test_two_renderings_of_a_corpus_give_one(folder):
    (folder / "script.py").write_text(RENDER)
    assert two_at_once(("script.py",), folder) == [(0, []), (0, [])]
    both = contents(folder, "corpus/**/*")
    shutil.rmtree(folder / "corpus")
    assert run(("script.py",), folder).code == 0 and contents(folder, "corpus/**/*") == both


def test_a_pack_that_is_being_written_is_refused_in_one_line(folder):
    (folder / "packed").mkdir()
    holder = held(folder / "packed" / ".lock")
    done = run((*MTT, "pack", "tracks.csv", "packed"), folder)
    holder.kill()
    assert done.code == 1 and len(told(done.errors)) == 1 and "packed: another process is packing to it; wait" in done.errors[-1]
    assert run((*MTT, "pack", "tracks.csv", "packed"), folder).code == 0  # the lock went with the process that held it


@pytest.mark.parametrize("what", ["study", "pages"])
def test_a_study_under_way_is_refused_in_one_line(folder, what):
    lock, message = {
        "study": ("mine/.lock", "mine: another process runs this study; wait for it"),
        "pages": (f".{fingerprint(str((folder / 'pages').resolve()))}.lock", "pages: another study is writing its pages there"),
    }[what]
    (folder / "home/runs/mine").mkdir(parents=True)
    holder = held(folder / "home/runs" / lock)
    study = ("study", "--profile", "smoke", "--collection", "tracks.csv", "--out", "pages", "-p", "study", "mine")
    done = run((*MTT, *study), folder)
    holder.kill()
    assert done.code == 1 and len(told(done.errors)) == 1 and message in done.errors[-1], done.errors
    assert not (folder / "pages").exists()
