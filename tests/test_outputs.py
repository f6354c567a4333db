"""An output is never an input; what a command did not write, or what was changed since, is never replaced."""

import os
import shlex
from pathlib import Path

import pytest

from mtt.files import MttError, output
from tests.tiny import GOLDEN


def state(folder: Path) -> dict:
    """Every file below a folder with its content."""
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file() and "home" not in path.parts}


@pytest.mark.parametrize("force", ["", " --force"])
@pytest.mark.parametrize(
    ("command", "message"),
    [
        ("split music/tracks.csv --out music/tracks.csv", "is an input too"),
        ("split music/tracks.csv --out hard.csv", "is an input too"),  # a hard link to the table
        ("split music/tracks.csv --out notes.csv", "notes.csv: "),
        ("split music/tracks.csv --out folder.csv", "folder.csv: is a folder"),
        ("split music/tracks.csv --out notes.csv/split.csv", "notes.csv (Not a directory)"),
        ("audit music/tracks.csv --split notes.csv --out notes.csv", "is an input too"),
        ("explain music/b.flac --model model --out music/b.flac", "b.flac: the output is a .html file"),
        ("explain song.html --model model --out song.html", "is an input too"),
        ("explain music/b.flac --model model --out notes.html", "notes.html: "),
        (f"import-official {shlex.quote(str(GOLDEN))} music/mine", "model.json: "),
        ("import-official link/model.safetensors link", "is an input too"),
    ],
)
def test_what_a_user_has_is_never_replaced(mtt, music, model, tmp_path, command, message, force):
    for name in ("notes.csv", "notes.html", "song.html"):
        Path(name).write_text("typed by hand")
    os.link("music/tracks.csv", "hard.csv")
    Path("folder.csv").mkdir()
    for name in ("music/mine/model.json", "link/model.safetensors"):
        Path(name).parent.mkdir(exist_ok=True)
        Path(name).write_text("mine")
    before = state(tmp_path)
    code, out, errors = mtt(command + force)
    assert code in (1, 2) and out == "" and len(errors) == 1 and message in errors[0]
    assert state(tmp_path) == before


@pytest.mark.parametrize(
    ("command", "out"),
    [
        ("split music/tracks.csv --ratios 0.4 0.3 0.3 --out made.csv", "made.csv"),
        ("audit music/tracks.csv --out made.csv", "made.csv"),
        ("audit music/tracks.csv --out made.html", "made.html"),
        ("explain music/b.flac --model model --out made.html", "made.html"),
        (f"import-official {shlex.quote(str(GOLDEN))} made.model", "made.model/model.json"),
    ],
)
def test_force_replaces_what_was_written_until_it_is_changed(mtt, music, model, command, out):
    assert mtt(command)[0] == 0
    assert "made." in mtt(command)[2][-1] and "is there already; --force" in mtt(command)[2][-1]
    assert mtt(command + " --force")[0] == 0
    with open(out, "a") as file:
        file.write("a note of mine")
    kept = Path(out).read_bytes()
    code, _, errors = mtt(command + " --force")
    assert code == 1 and "was changed since" in errors[-1] and Path(out).read_bytes() == kept


@pytest.mark.parametrize("out", ["music", "notes"])
def test_a_pack_takes_no_folder_that_holds_something_else(mtt, music, tmp_path, out):
    Path("notes").mkdir()
    Path("notes/tracks.csv").write_text("typed by hand")
    before = state(tmp_path)
    code, text, errors = mtt(f"pack music/tracks.csv {out}")
    assert code == 1 and text == "" and len(errors) == 1 and f"{out}: holds " in errors[0] and state(tmp_path) == before
    assert mtt("pack music/tracks.csv packed")[0] == mtt("pack music/tracks.csv packed")[0] == 0  # its own is gone on with


@pytest.mark.parametrize("name", ["index.html", "04_noisy_student.html", "explorer.html", "results.json", "claims.png"])
def test_a_study_renews_reports_and_nothing_else(mtt, tmp_path, name):
    (tmp_path / "pages").mkdir()
    (tmp_path / "pages" / name).write_text("<p>typed by hand</p>")
    code, _, errors = mtt("study --profile smoke --out pages")
    assert code == 1 and len(errors) == 1 and f"pages/{name}: is there and was not written by a study" in errors[0]
    assert (tmp_path / "pages" / name).read_text() == "<p>typed by hand</p>" and not (tmp_path / "home").exists()


def test_without_its_list_an_output_is_written_all_the_same(tmp_path, monkeypatch):
    (tmp_path / "home").write_text("no folder")
    monkeypatch.setenv("MTT_HOME", str(tmp_path / "home"))
    with output(tmp_path / "made.csv") as path:
        path.write_text("a")
    with pytest.raises(MttError, match="never|was not written"), output(tmp_path / "made.csv", force=True):
        raise AssertionError("must not be reached")
