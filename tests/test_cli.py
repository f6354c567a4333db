"""The command line, run in this process as ``python -m mtt`` runs it: what it prints, what it writes, how it ends."""

import fcntl
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from mtt import __main__ as command_line
from mtt.commands import tagging as commands
from mtt.explain import tagging
from mtt.splits.make import read_split
from tests.tiny import write_audio

ROOT = Path(__file__).parents[1]


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


def test_tag_writes_what_it_prints(mtt, music, model):
    for form, out in (("csv", "long.csv"), ("wide", "wide.csv"), ("json", "tags.json")):
        printed = mtt(f"tag music --model model --format {form} --min-probability 0.5")[1]
        code, told, _ = mtt(f"tag music --model model {'--format wide ' * (form == 'wide')}--min-probability 0.5 --out {out}")
        assert (code, told) == (1, f"{out}\n") and Path(out).read_text() == printed
    wide, long = pd.read_csv("wide.csv", index_col="path"), pd.read_csv("long.csv")
    assert list(wide.columns) == json.loads(Path("model/model.json").read_text())["tags"]
    assert list(wide.index) == ["music/a.mp3", "music/b.flac"]
    assert wide.stack().min() >= 0.5 and wide.notna().any(axis=1).all() and wide.isna().any(axis=None)
    assert all(wide.loc[row.path, row.tag] == row.probability for row in long.itertuples()) and len(long) <= 20
    full = mtt("tag music --model model --format wide")[1].splitlines()
    assert all("" not in row.split(",") for row in full)  # every tag, where nothing is left out on purpose
    code, out, errors = mtt("tag music/text.wav --model model --out none/none.csv")
    assert (code, out) == (1, "") and "no file could be tagged" in errors[-1] and not Path("none").exists()
    assert not list(Path().glob("*.partial"))


def test_tag_says_what_was_skipped_and_what_to_doubt(mtt, music, model):
    write_audio(music / "silence.wav", np.zeros(22050, np.float32))
    for name in ("._a.mp3", "song.m4a"):
        (music / name).write_bytes(b"x")
    os.rename(music / "b.flac", os.fsencode(music) + b"/t\xffwo.flac")
    (music / "a.mp3").rename(music / "line\nand \x1b[2J.mp3")
    code, out, errors = mtt("tag music --model model --top 1")
    assert code == 1 and errors[0].startswith("mtt: music/silence.wav: silent (-")
    assert errors[-1].startswith("mtt: 3 tagged, 1 failed, 2 skipped: 1 ")
    assert out.splitlines()[::2] == ["music/line\\nand \\x1b[2J.mp3", "music/silence.wav", "music/t\\xffwo.flac"]


def test_tag_prints_any_name_on_any_terminal(mtt, music, model):
    (music / "a.mp3").rename(music / "Sæglópur.mp3")
    os.rename(music / "b.flac", os.fsencode(music) + b"/t\xffwo.flac")
    command = [sys.executable, "-m", "mtt", "tag", music, "--model", Path(model).absolute()]
    done = subprocess.run(command, cwd=ROOT, env=os.environ | {"PYTHONIOENCODING": "ascii"}, capture_output=True, text=True, timeout=300)
    assert done.returncode == 1 and done.stderr.endswith("mtt: 2 tagged, 1 failed\n") and "Traceback" not in done.stderr
    assert r"S\xe6gl\xf3pur.mp3" in done.stdout and r"t\xffwo.flac" in done.stdout


def test_tag_goes_on_where_it_was_stopped(mtt, music, model, monkeypatch):
    for number in range(4):
        write_audio(music / f"{number}.wav", (0.1 * np.random.default_rng(number).standard_normal(22050 * 2)).astype(np.float32))
    heard, whole = [], tagging.Recording

    def stopped(path):
        if len(heard) == stop:
            raise KeyboardInterrupt
        heard.append(path.name)
        return whole(path)

    monkeypatch.setattr(tagging, "Recording", stopped)
    command, stop = "tag music --model model --out tags.csv", 3
    code, told, _ = mtt(command)
    assert (code, told) == (130, "") and not Path("tags.csv").exists() and len(list(Path("home/cache/tags").rglob("*.npz"))) == 3
    write_audio(music / "1.wav", np.ones(22050, np.float32) / 2)  # another file now
    heard, stop = [], 2
    assert mtt(command)[0] == 130 and heard == ["1.wav", "3.wav"]
    heard, stop = [], None
    code, told, _ = mtt(command)
    assert (code, told) == (1, "tags.csv\n") and heard == ["a.mp3", "b.flac", "text.wav"]
    assert mtt(command.replace("tags.", "again."))[0] == 1 and Path("tags.csv").read_text() == Path("again.csv").read_text()
    assert not any(Path("home/cache/tags").iterdir())


def test_tag_goes_on_with_the_same_model_and_is_alone(mtt, music, model, monkeypatch):
    def stopped(*_):
        raise KeyboardInterrupt

    command, whole = "tag music/a.mp3 music/b.flac --model model --out tags.csv", commands.write_whole
    monkeypatch.setattr(commands, "write_whole", stopped)
    assert mtt(command)[0] == 130
    monkeypatch.setattr(commands, "write_whole", whole)
    (store,) = Path("home/cache/tags").iterdir()
    with open(store / "lock") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        assert mtt(command)[::2] == (1, ["mtt: tags.csv: another process is writing it; wait for it, or give another --out"])
    heard, listen = [], tagging._listen
    monkeypatch.setattr(tagging, "_listen", lambda *given: heard.append(given[1].path.name) or listen(*given))
    about = Path("model/model.json")
    description = json.loads(about.read_text())
    about.write_text(json.dumps(description | {"provenance": description["provenance"] | {"note": "another model"}}))
    assert mtt(command)[0] == 0 and heard == ["a.mp3", "b.flac"] and store.exists()


def test_every_help_has_an_example():
    for command in (one for group in command_line.app.registered_groups for one in group.typer_instance.registered_commands):
        name = command.name or command.callback.__name__
        assert f"Example: python -m mtt {name}" in command.callback.__doc__


def test_audit_finds_problems_and_has_done_its_work(mtt, music):
    for name in ("report.csv", "report.html"):
        code, out, errors = mtt(f"audit music/tracks.csv --out {name}")
        assert (code, errors) == (0, []) and "2 problems of 2 kinds, 1 hint" in out and "text.wav  not readable as audio" in out
    assert pd.read_csv("report.csv")["problem"].tolist() == ["unreadable", "rare_tag", "only_tag"]
    assert "Content-Security-Policy" in Path("report.html").read_text()


@pytest.mark.parametrize(
    ("command", "code", "message"),
    [
        ("train --config job.toml", 1, "job.toml: train.step: no such setting"),
        ("split tracks.csv --ratios 0.7 0.3 0.3 --out s.csv", 2, "--ratios: must sum to 1, not to 1.3"),
        ("split tracks.csv --seed -1 --out s.csv", 2, "--seed: must be a whole number from 0 to 1,000,000,000, not -1"),
        ("train --config one.toml", 1, "one.toml: train.batch_size: must be a whole number from 2 to 65,536, not 1"),
        ("study -p clip_seconds 0.01", 2, "parameter 'clip_seconds': must be a number from 0.1 to 3600, not 0.01"),
        (f"study -p exposure {'(' * 10_000}", 2, "parameter 'exposure': must be a whole number from"),
        ("tag bad.csv --model nowhere", 1, "nowhere"),
        ("tag bad.csv --model nowhere --min-probability 1.5", 2, "--min-probability 1.5: give a number from 0 to 1"),
        ("tag bad.csv --model nowhere --out tags.txt", 2, "tags.txt: the output is a .csv or .json file"),
        ("tag bad.csv --model nowhere --out tags.json --format wide", 2, "--format wide: tags.json can be json"),
        ("tag bad.csv --model nowhere --out tags.csv --format table", 2, "--format table: tags.csv can be csv or wide"),
        ("tag bad.csv --model nowhere --out bad.csv", 1, "bad.csv: is an input too"),
        ("tag gone.wav --model nowhere --out tracks.csv --force", 1, "tracks.csv: was not written by mtt"),
        ("study --profile huge", 2, "parameter 'profile': 'huge' is none of"),
        ("study --collection mds:music", 1, "unknown collection 'mds:music'"),
        ("study -p stepz 3", 2, "unknown parameter 'stepz'"),
        ("study --profle demo", 2, "cannot read '--profle'"),
        ("audit bad.csv --out report.pdf", 2, "report.pdf: the output is a .csv or .html file"),
        ("dance", 2, "No such command"),
        ("explain gone.ogg --model nowhere --out no.html", 1, "gone.ogg: no such file; correct the path or leave the track out"),
        ("study -p exposure", 2, "parameters are given as -p NAME VALUE"),
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
