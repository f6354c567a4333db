import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd

from mtt.collections.load import load_corpus
from mtt.data.audio import write_audio
from mtt.splits.make import read_split

ROOT = Path(__file__).parents[1]
GOLDEN = ROOT / "tests" / "data" / "golden"


def mtt(*arguments: object) -> subprocess.CompletedProcess:
    command = [sys.executable, "-m", "mtt", *map(str, arguments)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120)


def test_split_writes_an_artist_level_split(tmp_path):
    table = tmp_path / "tracks.csv"
    tags = ("rock", "pop|80s", "80s")
    rows = [{"path": f"{a}_{n}.mp3", "artist": f"artist {a}", "tags": tags[(a + n) % 3]} for a in range(30) for n in range(4)]
    pd.DataFrame(rows).to_csv(table, index=False)
    done = mtt("split", table, "--ratios", 0.6, 0.2, 0.2, "--seed", 1, "--out", tmp_path / "split.csv")
    assert done.returncode == 0, done.stderr
    split = read_split(tmp_path / "split.csv")
    artists = pd.DataFrame(rows).set_index("path")["artist"]
    assert (pd.DataFrame({"split": split, "artist": artists}).groupby("artist")["split"].nunique() == 1).all()
    assert split.value_counts().to_dict() == {"train": 72, "valid": 24, "test": 24}
    assert "mean |tag share - target|" in done.stdout
    again = mtt("split", table, "--ratios", 0.6, 0.2, 0.2, "--seed", 1, "--out", tmp_path / "again.csv")
    assert again.returncode == 0 and (tmp_path / "again.csv").read_bytes() == (tmp_path / "split.csv").read_bytes()


def test_import_official_makes_a_model_folder(tmp_path):
    done = mtt("import-official", GOLDEN / "teacher_small.ckpt", tmp_path / "model")
    assert done.returncode == 0, done.stderr
    assert json.loads((tmp_path / "model" / "model.json").read_text())
    assert "10 tags" in done.stdout


def test_tag_prints_every_format_and_goes_on_after_a_bad_file(tmp_path):
    assert mtt("import-official", GOLDEN / "teacher_small.ckpt", tmp_path / "model").returncode == 0
    music = tmp_path / "music"
    music.mkdir()
    wave = (0.1 * np.random.default_rng(0).standard_normal(22050 * 3)).astype(np.float32)
    for name in ("a.mp3", "b.flac"):
        write_audio(music / name, wave)
    (music / "broken.ogg").write_text("no music")
    done = mtt("tag", music, "--model", tmp_path / "model", "--top", 3, "--format", "json")
    assert done.returncode == 1 and "broken.ogg: not readable as audio" in done.stderr and "Traceback" not in done.stderr
    found = json.loads(done.stdout)
    assert [Path(entry["path"]).name for entry in found] == ["a.mp3", "b.flac"] and all(len(entry["tags"]) == 3 for entry in found)
    table = mtt("tag", music / "a.mp3", "--model", tmp_path / "model", "--top", 2)
    assert table.returncode == 0 and len(table.stdout.splitlines()) == 3
    rows = mtt("tag", music / "a.mp3", "--model", tmp_path / "model", "--top", 2, "--format", "csv").stdout.splitlines()
    assert rows[0] == "path,tag,probability" and len(rows) == 3
    nothing = mtt("tag", music / "a.mp3", "--model", tmp_path / "nowhere")
    assert nothing.returncode == 1 and "nowhere" in nothing.stderr and "Traceback" not in nothing.stderr


def test_explain_writes_one_page_for_a_file(tmp_path):
    assert mtt("import-official", GOLDEN / "teacher_small.ckpt", tmp_path / "model").returncode == 0
    write_audio(tmp_path / "song.ogg", (0.1 * np.random.default_rng(0).standard_normal(22050 * 4)).astype(np.float32))
    done = mtt("explain", tmp_path / "song.ogg", "--model", tmp_path / "model", "--out", tmp_path / "page.html")
    assert done.returncode == 0, done.stderr
    page = (tmp_path / "page.html").read_text()
    assert "song" in page and "Content-Security-Policy" in page
    wrong = mtt("explain", tmp_path / "gone.ogg", "--model", tmp_path / "model", "--out", tmp_path / "no.html")
    assert wrong.returncode == 1 and "gone.ogg: no such file" in wrong.stderr and not (tmp_path / "no.html").exists()


def write_tunes(folder: Path) -> Path:
    random = np.random.default_rng(0)
    for name in ("a.mp3", "b.flac"):
        write_audio(folder / name, (0.1 * random.standard_normal(22050 * 2)).astype(np.float32))
    (folder / "text.wav").write_text("no music")
    rows = [{"path": name, "artist": name, "tags": "noise"} for name in ("a.mp3", "b.flac", "text.wav")]
    pd.DataFrame(rows).to_csv(folder / "tracks.csv", index=False)
    return folder / "tracks.csv"


def test_audit_finds_problems_and_has_done_its_work(tmp_path, monkeypatch):
    monkeypatch.setenv("MTT_HOME", str(tmp_path / "home"))
    table = write_tunes(tmp_path)
    for name in ("report.csv", "report.html"):
        done = mtt("audit", table, "--out", tmp_path / name)
        assert done.returncode == 0, done.stderr
        assert "2 problems of 2 kinds" in done.stdout and "text.wav  not readable as audio" in done.stdout and done.stderr == ""
    assert pd.read_csv(tmp_path / "report.csv")["problem"].tolist() == ["unreadable", "rare_tag"]
    assert "Content-Security-Policy" in (tmp_path / "report.html").read_text()
    wrong = mtt("audit", table, "--out", tmp_path / "report.pdf")
    assert wrong.returncode == 2 and "Traceback" not in wrong.stderr and not (tmp_path / "report.pdf").exists()


def test_pack_makes_a_collection_that_stands_alone(tmp_path, monkeypatch):
    monkeypatch.setenv("MTT_HOME", str(tmp_path / "home"))
    table = write_tunes(tmp_path)
    done = mtt("pack", table, tmp_path / "pack")
    assert done.returncode == 0, done.stderr
    assert "2 tracks packed, 1 left out" in done.stdout and "GB to write" in done.stderr
    for name in ("a.mp3", "b.flac"):
        (tmp_path / name).unlink()
    corpus = load_corpus(str(tmp_path / "pack"))
    assert corpus.read("b.flac", 0.5, 1.0).shape == (22050,) and corpus.problems["track_id"].tolist() == ["text.wav"]
    again = mtt("pack", tmp_path / "pack", tmp_path / "twice")
    assert again.returncode == 1 and "is packed already" in again.stderr and len(again.stderr.strip().splitlines()) == 1


def test_mistakes_give_one_line_and_the_right_code(tmp_path):
    (tmp_path / "bad.csv").write_text("file,artist\n")
    (tmp_path / "job.toml").write_text("[train]\nstep = 3\n")
    for arguments, code, message in [
        (("train", "--config", tmp_path / "job.toml"), 1, "unknown key 'train.step'"),
        (("audit", tmp_path / "gone.csv"), 1, "gone.csv: no such file"),
        (("pack", tmp_path / "gone.csv", tmp_path / "pack"), 1, "gone.csv: no such file"),
        (("split", tmp_path / "gone.csv", "--out", tmp_path / "s.csv"), 1, "gone.csv: no such file"),
        (("split", tmp_path / "bad.csv", "--out", tmp_path / "s.csv"), 1, "column 'path' is missing"),
        (("import-official", ROOT / "README.md", tmp_path / "m"), 1, "README.md"),
        (("study", "--profile", "huge"), 2, "unknown profile 'huge'"),
        (("dance",), 2, "No such command"),
    ]:
        done = mtt(*arguments)
        assert done.returncode == code, (arguments, done.stderr)
        assert message in " ".join(done.stderr.split()) and "Traceback" not in done.stderr
        if code == 1:
            assert len(done.stderr.strip().splitlines()) == 1
