"""The command line, run in this process as ``python -m mtt`` runs it: what it prints, what it writes, how it ends."""

import json
import os
import shlex
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

from mtt import __main__ as command_line
from mtt.collections.load import load_corpus
from mtt.splits.make import read_split

ROOT = Path(__file__).parents[1]
GOLDEN = ROOT / "tests" / "data" / "golden" / "teacher_small.ckpt"


def test_split_writes_an_artist_level_split(mtt, tmp_path):
    tags = ("rock", "pop|80s", "80s")
    rows = [{"path": f"{a}_{n}.mp3", "artist": f"artist {a}", "tags": tags[(a + n) % 3]} for a in range(30) for n in range(4)]
    pd.DataFrame(rows).to_csv("tracks.csv", index=False)
    for name in ("split.csv", "again.csv"):
        code, out, _ = mtt(f"split tracks.csv --ratios 0.6 0.2 0.2 --seed 1 --out {name}")
        assert code == 0 and "mean |tag share - target|" in out
    split = read_split("split.csv")
    artists = pd.DataFrame(rows).set_index("path")["artist"]
    assert (pd.DataFrame({"split": split, "artist": artists}).groupby("artist")["split"].nunique() == 1).all()
    assert split.value_counts().to_dict() == {"train": 72, "valid": 24, "test": 24}
    assert Path("again.csv").read_bytes() == Path("split.csv").read_bytes()


def test_tag_prints_every_format_and_goes_on_after_a_bad_file(mtt, music):
    assert mtt(f"import-official {shlex.quote(str(GOLDEN))} model")[0] == 0
    code, out, errors = mtt("tag music --model model --top 3 --format json")
    assert code == 1 and errors[-1].startswith("mtt: music/text.wav: not readable as audio")
    found = json.loads(out)
    assert [Path(entry["path"]).name for entry in found] == ["a.mp3", "b.flac"] and all(len(entry["tags"]) == 3 for entry in found)
    code, out, _ = mtt("tag music/a.mp3 --model model --top 2")
    assert code == 0 and len(out.splitlines()) == 3
    rows = mtt("tag music/a.mp3 --model model --top 2 --format csv")[1].splitlines()
    assert rows[0] == "path,tag,probability" and len(rows) == 3


def test_explain_writes_one_page_for_a_file(mtt, music):
    assert mtt(f"import-official {shlex.quote(str(GOLDEN))} model")[0] == 0
    assert mtt("explain music/a.mp3 --model model --out page.html")[0] == 0
    page = Path("page.html").read_text()
    assert "a.mp3" in page and "Content-Security-Policy" in page
    code, _, errors = mtt("explain gone.ogg --model model --out no.html")
    assert code == 1 and errors == ["mtt: gone.ogg: no such file; correct the path or leave the track out"] and not Path("no.html").exists()


def test_audit_finds_problems_and_has_done_its_work(mtt, music):
    for name in ("report.csv", "report.html"):
        code, out, errors = mtt(f"audit music/tracks.csv --out {name}")
        assert (code, errors) == (0, []) and "2 problems of 2 kinds, 1 hint" in out and "text.wav  not readable as audio" in out
    assert pd.read_csv("report.csv")["problem"].tolist() == ["unreadable", "rare_tag", "only_tag"]
    assert "Content-Security-Policy" in Path("report.html").read_text()


def test_pack_makes_a_collection_that_stands_alone(mtt, music):
    code, out, errors = mtt("pack music/tracks.csv pack")
    assert code == 0 and "2 tracks packed, 1 left out" in out and any("packing needs" in line for line in errors)
    for name in ("a.mp3", "b.flac"):
        (music / name).unlink()
    corpus = load_corpus("pack")
    assert corpus.read("b.flac", 0.5, 1.0).shape == (22050,) and corpus.problems["track_id"].tolist() == ["text.wav"]


@pytest.mark.parametrize(
    ("command", "code", "message"),
    [
        ("train --config job.toml", 1, "job.toml: train.step: no such setting"),
        ("audit gone.csv", 1, "gone.csv: no such file"),
        ("pack gone.csv pack", 1, "gone.csv: no such file"),
        ("split gone.csv --out s.csv", 1, "gone.csv: no such file"),
        ("split bad.csv --out s.csv", 1, "column 'path' is missing"),
        ("split tracks.csv --ratios 0 0 0 --out s.csv", 2, "--ratios: must sum to 1, not to 0"),
        ("split tracks.csv --ratios 0.7 0.3 0.3 --out s.csv", 2, "--ratios: must sum to 1, not to 1.3"),
        ("split tracks.csv --ratios 1.2 -0.1 -0.1 --out s.csv", 2, "--ratios.0: must be a number from 0 to 1, not 1.2"),
        ("split tracks.csv --ratios 0.7 0.3 --out s.csv", 2, "'--ratios'"),
        ("split tracks.csv --seed -1 --out s.csv", 2, "--seed: must be a whole number from 0 to 1,000,000,000, not -1"),
        ("train --config one.toml", 1, "one.toml: train.batch_size: must be a whole number from 2 to 65,536, not 1"),
        ("study -p clip_seconds 0.01", 2, "parameter 'clip_seconds': must be a number from 0.1 to 3600, not 0.01"),
        (f"study -p steps {'(' * 10_000}", 2, "parameter 'steps': must be a whole number from"),
        ("import-official bad.csv m", 1, "bad.csv: not a PyTorch checkpoint"),
        ("tag bad.csv --model nowhere", 1, "nowhere"),
        ("study --profile huge", 2, "parameter 'profile': 'huge' is none of"),
        ("study --collection mds:music", 1, "unknown collection 'mds:music'"),
        ("study -p stepz 3", 2, "unknown parameter 'stepz'"),
        ("study --profle demo", 2, "cannot read '--profle'"),
        ("audit bad.csv --out report.pdf", 2, "report.pdf: the output is a .csv or .html file"),
        ("dance", 2, "No such command"),
    ],
)
def test_mistakes_give_one_line_and_the_right_code(mtt, command, code, message):
    Path("bad.csv").write_text("file,artist\n")
    Path("tracks.csv").write_text("path,artist,tags\na.wav,A,x\nb.wav,B,x\nc.wav,C,x\n")
    Path("job.toml").write_text("[train]\nstep = 3\n")
    Path("one.toml").write_text("recipe = 'short-chunk-resnet'\nprofile = 'smoke'\n[train]\nbatch_size = 1\n")
    before = sorted(os.listdir())
    found, out, errors = mtt(command)
    assert found == code and message in " ".join(errors).replace("│", " ") and out == "" and sorted(os.listdir()) == before
    assert len(errors) == 1 or code == 2  # of wrong usage the command line may tell more


def test_a_fault_of_ours_keeps_its_traceback(mtt, monkeypatch):
    monkeypatch.setattr("mtt.collections.load.read_collection", lambda path: [] + 1)
    monkeypatch.setattr(command_line.mtt, "read_collection", lambda path: [] + 1, raising=False)
    with pytest.raises(TypeError):
        command_line.main(["split", "tracks.csv", "--out", "s.csv"])


def test_the_module_runs_as_a_program():
    done = subprocess.run([sys.executable, "-m", "mtt", "collections"], cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0 and "magnatagatune:ROOT" in done.stdout and done.stderr == ""
