"""Killed at a named point and started again, every kind of work ends in the bits of a run that nobody disturbed; time stamps aside.

A point is an event at a file (``hook/sitecustomize.py``), so a kill cannot come too late: that the process died of SIGKILL is asserted.
"""

import json
import pickle
import signal
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from mtt.collections.load import load_corpus
from tests.faults.child import MTT, run
from tests.tiny import write_collection

RENDER = """
from mtt.config import SyntheticConfig
from mtt.synthetic.render import make_corpus
if __name__ == "__main__":
    sizes = dict(labelled_artists=4, unlabelled_artists=2, tracks_per_artist=2, seconds=3.0)
    make_corpus("corpus", SyntheticConfig(**sizes, exact_duplicates=1, near_duplicates=1, unusable_files=1), workers=2, progress=False)
"""
TRAIN = """
import pickle
from pathlib import Path
from mtt.study.schedule import Job, make_cells
from tests.study.test_cells import STUDENT
if __name__ == "__main__":
    make_cells([Job(Path("runs"), STUDENT, pickle.loads(Path("data.pickle").read_bytes()))], progress=False)
"""
PAGES = """
from pathlib import Path
from types import SimpleNamespace
import nbformat
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook
from mtt.reporting import run
from mtt.reporting.pages.notebook import render_notebook
if __name__ == "__main__":
    source = Path("01_data_exploration.ipynb")
    codes = ["number = 1", "open('cell', 'w').write('x')", "import pandas as pd; pd.DataFrame({'n': [number, 2]})"]
    cells = [new_markdown_cell("# Title"), *map(new_code_cell, codes)]
    for number, cell in enumerate(cells):
        cell.id = f"cell-{number}"
    cells[1].metadata["tags"] = ["parameters"]
    kernel = {"name": "python3", "display_name": "Python", "language": "python"}
    nbformat.write(new_notebook(cells=cells, metadata={"kernelspec": kernel}), source)
    first = SimpleNamespace(collection=SimpleNamespace(digest=""))
    study = SimpleNamespace(folder=Path("study"), first=first, lineup={}, replicates=[], results={})
    run.PAGES, run.NOTEBOOKS = run.PAGES[:1], Path()
    run._execute_notebooks(study, {"number": 5})
    render_notebook(Path("study/notebooks") / source, Path("pages") / "01_data_exploration.html", run.PAGES, {"profile": "smoke"})
"""
TIMES = {"created", "training_seconds"}  # keys whose values tell when, or how long


@dataclass(frozen=True)
class Work:
    """A program, what it needs in its folder, what counts of what it leaves there, and where it is killed."""

    arguments: tuple[str, ...]
    result: str  # a pattern of paths
    points: tuple[str, ...]  # of the ordinary run
    every: str  # where the long run strikes at random
    script: str = ""


WORKS = {
    "rendering": Work(
        ("script.py",), "corpus/**/*", (r"rename .*\.wav$",), r"(rename|mkdir|open) .*corpus", RENDER
    ),
    "inspecting": Work(
        (*MTT, "audit", "tracks.csv", "--out", "made.csv"),
        "made.csv",
        (r"rename .*\.npz$",),
        r"(rename|mkdir|open) .*inspection-|open .*made.*partial",
    ),
    "packing": Work((*MTT, "pack", "tracks.csv", "made"), "made/**/*", (r"rename .*\.i16$",),
                    r"(rename|mkdir|open) .*made"),
    "training": Work(
        ("script.py",),
        "runs/**/*",
        (r"rename .*teacher/training\.pt$", r"rename .*pseudo-labels", r"remove .*student/training\.pt$"),
        r"(rename|mkdir|open) .*runs",
        TRAIN,
    ),
    "pages": Work(
        ("script.py",), "pages/*", (r"open .*study/.*ipynb$", r"rename .*\.html$"),
        r"(rename|mkdir|open) .*(study/|pages/|cell$)", PAGES,
    ),
}  # fmt: skip


def prepared(work: Work, folder: Path, data: object) -> Path:
    (folder / "home").mkdir(parents=True)
    (folder / "script.py").write_text(work.script)
    if "data.pickle" in work.script:
        (folder / "data.pickle").write_bytes(pickle.dumps(data))
    if not work.script:
        write_collection(folder, n_artists=4, tracks_each=1)
    return folder


def content(path: Path) -> object:
    """What of a file must be the same, whenever it was written."""
    if path.suffix == ".json":
        return json.loads(path.read_text(), object_hook=lambda found: {key: found[key] for key in found.keys() - TIMES})
    if path.name == "history.csv":
        return [line.split(",")[:4] + line.split(",")[5:] for line in path.read_text().splitlines()]
    return path.read_bytes()


def contents(folder: Path, pattern: str) -> dict[str, object]:
    """The content of every file that is meant to be seen, by its path."""
    found = {str(path.relative_to(folder)): content(path) for path in sorted(folder.glob(pattern)) if path.is_file()}
    return {path: value for path, value in found.items() if not Path(path).name.startswith(".")}


@pytest.fixture(scope="module")
def whole(tmp_path_factory, tiny_data) -> Callable[[str], tuple[dict[str, object], int]]:
    """What a kind of work ends in when nobody disturbs it, and how many events of ``every`` there were."""
    made: dict[str, tuple[dict[str, object], int]] = {}

    def find(kind: str) -> tuple[dict[str, object], int]:
        if kind not in made:
            work, folder = WORKS[kind], tmp_path_factory.mktemp(kind) / "whole"
            done = run(work.arguments, prepared(work, folder, tiny_data), point=work.every)
            assert done.code == 0, done.errors
            made[kind] = contents(folder, work.result), done.events
        return made[kind]

    return find


def killed(kind: str, folder: Path, **fault) -> None:
    ended = run(WORKS[kind].arguments, folder, **fault)
    assert ended.struck and ended.code == -signal.SIGKILL, (fault, ended)


def run_again(kind: str, folder: Path) -> dict[str, object]:
    again = run(WORKS[kind].arguments, folder)
    assert again.code == 0 and not list(folder.rglob("*.partial")), again.errors
    if kind == "inspecting":  # what was kept of the first attempts is as good as what is read anew
        corpora = [load_corpus(folder / "tracks.csv", cache=folder / cache, progress=False) for cache in ("home/cache", "fresh")]
        assert all(np.array_equal(corpora[0].fingerprints[name], bits) for name, bits in corpora[1].fingerprints.items())
        assert corpora[0].tracks.equals(corpora[1].tracks)
    return contents(folder, WORKS[kind].result)


@pytest.mark.slow
@pytest.mark.parametrize("kind", WORKS)
def test_killed_at_named_points_one_after_the_other_it_ends_in_the_same_bits(whole, kind, tmp_path, tiny_data):
    folder = prepared(WORKS[kind], tmp_path / "killed", tiny_data)
    for point in WORKS[kind].points:
        killed(kind, folder, point=point, at=1, after="i16" in point or "teacher" in point)  # where there is something to go on from
    assert run_again(kind, folder) == whole(kind)[0]


@pytest.mark.long
@pytest.mark.parametrize("kind", WORKS)
def test_killed_at_any_of_twenty_random_points_it_ends_in_the_same_bits(whole, kind, tmp_path, tiny_data):
    expected, events = whole(kind)
    random = np.random.default_rng(12)
    for number, at in enumerate(random.choice(events, 20, replace=events < 20)):
        folder = prepared(WORKS[kind], tmp_path / str(number), tiny_data)
        fault = {"point": WORKS[kind].every, "at": int(at) + 1, "after": bool(random.integers(2))}
        killed(kind, folder, **fault)
        assert run_again(kind, folder) == expected, fault
