"""The whole study, as a user runs it: smoke profile, the embedded corpus and a folder of files in four formats."""

import csv
import html
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import nbformat
import papermill
import pytest

from mtt.collections.load import load_corpus
from mtt.findings.claims import CLAIMS
from mtt.reporting import run
from mtt.reporting.pages import words
from mtt.reporting.pages.notebook import render_notebook
from mtt.reporting.run import PAGES, execute_notebook, study_marks
from mtt.study.parameters import PARAMETERS, ParameterError, parse_parameters
from mtt.study.workspace import open_study
from tests.reporting.reading import FAULTS, OPENED, POOR_CONTRAST, walls
from tests.tiny import write_audio

ROOT = Path(__file__).parents[2]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))


def run_study(home: Path, *arguments: str) -> subprocess.CompletedProcess:
    command = [sys.executable, "-m", "mtt", "study", "--profile", "smoke", *arguments]
    environment = {**os.environ, "MTT_HOME": str(home), "PYTHONPATH": str(ROOT)}
    return subprocess.run(command, cwd=home, env=environment, capture_output=True, text=True, timeout=600)


@pytest.fixture(scope="module")
def embedded(tmp_path_factory) -> Path:
    """A home in which the smoke study of the embedded corpus was run."""
    home = tmp_path_factory.mktemp("embedded")
    done = run_study(home, "--out", str(home / "reports"))
    assert done.returncode == 0, done.stderr
    return home


def results_of(home: Path) -> dict:
    return json.loads((home / "reports" / "results.json").read_text())


@pytest.mark.slow
def test_every_page_and_the_index_are_there(embedded):
    names = {path.name for path in (embedded / "reports").iterdir()}
    assert names == {"index.html", "explorer.html", "results.json", "claims.png", *[f"{page.slug}.html" for page in PAGES]}
    assert max(path.stat().st_size for path in (embedded / "reports").iterdir()) < 3_000_000
    assert 'href="explorer.html"' in (embedded / "reports" / "index.html").read_text()


@pytest.mark.slow
@pytest.mark.parametrize("name", ["index", *(page.slug for page in PAGES)])
def test_a_page_is_no_wall_of_numbers_and_has_no_fault_of_access(embedded, visit, name):
    path = embedded / "reports" / f"{name}.html"
    assert walls(path.read_text()) == []
    for width in (1200, 390):
        page, requests, complaints = visit(path.as_uri(), width)
        page.evaluate(OPENED)
        assert page.evaluate(FAULTS) == [] and (requests, complaints) == ([path.as_uri()], [])
        for scheme in ("light", "dark"):
            page.emulate_media(color_scheme=scheme)
            assert page.evaluate(POOR_CONTRAST) == []


@pytest.mark.slow
def test_results_answer_every_claim_and_the_index_quotes_them(embedded):
    results = results_of(embedded)
    assert [entry["id"] for entry in results["claims"]] == list(CLAIMS)
    index = (embedded / "reports" / "index.html").read_text()
    for entry in results["claims"]:
        assert len(entry["by_replicate"]) == entry["replicates"] == 2
        assert min(entry["by_replicate"]) <= entry["effect"] <= max(entry["by_replicate"])
        assert words.short(entry) in html.unescape(re.sub(r"<[^>]+>", "", index))
    assert {"teacher", "teacher-plain", "short-chunk-resnet", "crnn", "fcn", "sample-cnn", "hand-made", "student"} <= {
        row["name"] for row in results["models"]
    }
    assert results["study"]["profile"] == "smoke" and results["study"]["replicates"] == [100, 101]
    assert all(results["curves"][name] for name in ("scarcity", "trap", "pools", "styles", "lengths", "tags")) and results["variance"]


@pytest.mark.slow
def test_explanations_are_tested_and_the_index_quotes_them(embedded):
    entries = results_of(embedded)["explanations"]
    assert {(entry["model"], entry["test"]) for entry in entries} == {
        *((name, test) for name in ("teacher", "student", "student-w8") for test in ("localisation", "deletion")),
        ("short-chunk-resnet", "localisation"),
    }
    index = (embedded / "reports" / "index.html").read_text()
    for entry in entries:
        assert (entry["sentence"] in index) == (entry["model"] == "student" and entry["explanation"] != "rollout")
    page = (embedded / "reports" / "06_explore.html").read_text()
    assert page.count("<audio") == 4 or "The test track with the most tags." in page
    assert "A control stands here in JupyterLab" in page


@pytest.mark.slow
def test_a_second_run_executes_nothing(embedded):
    before = results_of(embedded)
    executed = list((embedded / "runs" / "smoke" / "notebooks").glob("*.ipynb"))
    stamps = [path.stat().st_mtime_ns for path in executed]
    assert run_study(embedded, "--out", str(embedded / "reports")).returncode == 0
    assert [path.stat().st_mtime_ns for path in executed] == stamps and len(stamps) == len(PAGES)
    assert results_of(embedded)["claims"] == before["claims"]
    assert results_of(embedded)["study"] == before["study"]  # pages still tell of the run that executed them


@pytest.fixture
def inside(embedded, monkeypatch) -> Path:
    """The same home, for notebooks that are executed from here."""
    monkeypatch.setenv("MTT_HOME", str(embedded))
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    return embedded


@pytest.mark.slow
def test_what_is_gone_is_made_again_and_says_the_same(inside, tmp_path):
    study = open_study(profile="smoke", progress=False)
    marks = study_marks(study, {})
    weights = {path: path.stat().st_mtime_ns for path in study.folder.rglob("model.safetensors")}
    found = study.recorded()["03_teacher_training"]["claims"]
    shutil.rmtree(study.first.folder / "fcn")
    assert study_marks(study, {}) != marks  # a study that is run now executes its notebooks again
    execute_notebook(ROOT / "notebooks" / "03_teacher_training.ipynb", tmp_path, {"profile": "smoke"})
    remade = {path for path in study.folder.rglob("model.safetensors") if path.stat().st_mtime_ns != weights.get(path)}
    assert {path.parent for path in remade} == {study.first.folder / "fcn"}
    assert study.recorded()["03_teacher_training"]["claims"] == found


@pytest.mark.slow
def test_a_notebook_runs_alone_with_papermill_and_a_parameter_changes_what_it_says(inside, tmp_path):
    parameters = {"profile": "smoke", "student_width": 4, "study": "narrow", "replicates": 1}
    execute_notebook(ROOT / "notebooks" / "06_explore.ipynb", tmp_path, parameters)
    names = [("narrow", "student-w4"), ("narrow", "student"), ("smoke", "student-w8"), ("smoke", "student")]
    recipes = [json.loads((inside / "runs" / study / "100" / model / "config.json").read_text())["recipe"] for study, model in names]
    assert recipes[0]["model"]["width"] == recipes[0]["student"]["width"] == 4 and recipes[2]["model"]["width"] == 8
    assert recipes[1] == recipes[3]


def encoded_collection(home: Path, folder: Path) -> Path:
    """Tracks of the embedded corpus as WAV, FLAC, MP3 and OGG of several rates, and files that are no music."""
    source = load_corpus(str(next(home.glob("cache/synthetic-*/tracks.csv"))), cache=home / "cache", progress=False)
    folder.mkdir()
    with open(folder / "tracks.csv", "w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["path", "artist", "tags"])
        for number, track_id in enumerate(source.tracks.sort_index().index):
            name = f"{track_id}.{('wav', 'flac', 'mp3', 'ogg')[number % 4]}"
            write_audio(folder / name, source.read(track_id))
            writer.writerow([name, source.tracks.at[track_id, "artist"], source.tracks.at[track_id, "tags"]])
        for name in ("broken.mp3", "gone.flac"):
            writer.writerow([name, "Nobody <script>alert(1)</script>", "rock"])
    (folder / "broken.mp3").write_text("no music")
    return folder / "tracks.csv"


@pytest.mark.slow
def test_own_files_in_four_formats_are_explored_split_and_trained_on(inside, tmp_path):
    table = encoded_collection(inside, tmp_path / "music")
    parameters = {"profile": "smoke", "collection": str(table), "study": "own", "replicates": 1}
    for page in (PAGES[0], PAGES[2], PAGES[5]):
        notebook = execute_notebook(ROOT / "notebooks" / f"{page.slug}.ipynb", tmp_path, parameters)
        render_notebook(notebook, tmp_path / f"{page.slug}.html", PAGES, {})
    exploration = (tmp_path / f"{PAGES[0].slug}.html").read_text()
    assert "broken.mp3" in exploration and "no such file" in exploration
    assert "<script>alert(1)" not in exploration
    results = inside / "runs" / "own" / "results"
    trained, explored = (json.loads((results / f"{PAGES[place].slug}.json").read_text()) for place in (2, 5))
    assert {entry["id"] for entry in trained["claims"]} == {"C2", "C3"}
    assert {entry["test"] for entry in explored["explanations"]} == {"deletion"}  # nobody wrote down who plays when
    assert "Nobody wrote down who plays when" in (tmp_path / f"{PAGES[5].slug}.html").read_text()


def test_parameters_are_read_as_typed():
    assert parse_parameters(["-p", "exposure", "30", "-p", "clip_seconds", "2.5", "-p", "study", "mine", "-p", "replicates", "None"]) == {
        "exposure": 30, "clip_seconds": 2.5, "study": "mine", "replicates": None,
    }  # fmt: skip
    with pytest.raises(ParameterError, match="'exposure' is given twice"):
        parse_parameters(["-p", "exposure", "1", "-p", "exposure", "2"])


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_notebooks_take_exactly_the_known_parameters(path):
    assert list(papermill.inspect_notebook(path)) == list(PARAMETERS)


def test_there_is_a_notebook_for_every_page_and_a_page_for_every_notebook():
    assert [path.stem for path in NOTEBOOKS] == [page.slug for page in PAGES]
    for path, page in zip(NOTEBOOKS, PAGES, strict=True):
        opening = nbformat.read(path, as_version=4).cells[0].source
        assert opening.startswith(f"# {page.title}") and page.question in opening


def test_results_name_the_commit_of_their_own_code(tmp_path, monkeypatch):
    monkeypatch.setenv("MTT_HOME", str(tmp_path / "elsewhere"))
    (tmp_path / "file").write_text("as committed")

    def git(*words: str) -> str:
        return subprocess.run(["git", "-C", tmp_path, *words], capture_output=True, text=True, check=True).stdout.strip()

    git("init")
    git("add", "file")
    git("-c", "user.name=A", "-c", "user.email=a@b.c", "commit", "-m", "First")
    made = git("rev-parse", "--short=10", "HEAD")
    monkeypatch.setattr(run, "NOTEBOOKS", tmp_path / "notebooks")
    assert run.git_commit() == made
    (tmp_path / "file").write_text("changed")
    assert run.git_commit() == f"{made}+"
    monkeypatch.setattr(run, "NOTEBOOKS", tmp_path / ".venv" / "lib" / "notebooks")  # of another's repository
    assert run.git_commit() == ""
