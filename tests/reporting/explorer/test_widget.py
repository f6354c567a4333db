"""The widget without a browser: controls change what the page holds, what is known is not computed again, and faults are told in a line."""

from __future__ import annotations

import datetime
import html
import re
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from mtt.config import SAMPLE_RATE
from mtt.reporting.explorer import widget
from mtt.reporting.explorer.choices import Choice
from mtt.reporting.explorer.widget import ExplorerWidget, explore
from tests.reporting.explorer.made import noise, page_data
from tests.tiny import write_audio


@pytest.fixture
def made(tiny_corpus, models):
    first, *others = tiny_corpus.tracks.index[:3]
    offered = [("first", Choice(first, "A failure: low.", ("low",))), *((track_id, Choice(track_id, "")) for track_id in others)]
    return ExplorerWidget(tiny_corpus, offered, models, shown=["teacher", "student"])


def page_of(made):
    return html.unescape(re.search(r'srcdoc="([^"]*)"', made.stage.value)[1])


def scene_in(made):
    return page_data(page_of(made))[0]


def test_the_page_holds_the_track_and_the_models_that_are_switched_on(made, tiny_corpus):
    shown = scene_in(made)
    assert shown["title"] == tiny_corpus.tracks.index[0] and shown["note"] == "A failure: low."
    assert {tag["name"] for tag in shown["tags"] if tag["mark"]} == set(tiny_corpus.tracks["tags"].iloc[0].split("|"))
    assert [(model["name"], model["window"]) for model in shown["models"]] == [
        ("teacher", pytest.approx(1, abs=0.1)),
        ("student", pytest.approx(1, abs=0.1)),
    ]
    assert "default-src &#39;none&#39;" in page_of(made) and made.status.value == ""


def test_each_control_changes_what_it_says(made, tiny_corpus):
    made.window.value = 0.5
    assert [model["window"] for model in scene_in(made)["models"]] == pytest.approx([0.5, 0.5], abs=0.1)
    made.switches["fcn"].value, made.switches["teacher"].value = True, False
    assert [(model["name"], model["attention"] is None) for model in scene_in(made)["models"]] == [("fcn", True), ("student", False)]
    made.track.index = 1
    assert scene_in(made)["title"] == tiny_corpus.tracks.index[1]


def test_what_is_known_is_not_computed_again(made, monkeypatch):
    asked, original = [], widget.heard_by
    monkeypatch.setattr(widget, "heard_by", lambda *arguments: asked.append(arguments) or original(*arguments))
    made.window.value = 2.0
    assert len(asked) == 2  # teacher and student
    assert len({id(recording) for _, recording, _ in asked}) == 1 and len(asked[0][1]._tokens) == 2
    before = scene_in(made)
    made.window.value = 1.0
    made.window.value = 2.0
    made.switches["teacher"].value = False
    made.switches["teacher"].value = True
    assert len(asked) == 2 and scene_in(made) == before


def test_a_file_of_ones_own_goes_before_the_track_until_a_track_is_chosen(made, tiny_corpus, tmp_path, monkeypatch):
    path = tmp_path / "mine & yours.mp3"
    write_audio(path, noise(3))
    made.file.value = f" {path} "
    shown = scene_in(made)
    assert (shown["title"], shown["note"], shown["seconds"]) == ("mine & yours.mp3", "", pytest.approx(3.0, abs=0.1))
    assert not any(tag["mark"] or tag["spans"] for tag in shown["tags"])
    made.track.index = 2
    assert made.file.value == "" and scene_in(made)["title"] == tiny_corpus.tracks.index[2]
    monkeypatch.setattr("mtt.reporting.explorer.song.LONGEST", 2.0)
    write_audio(tmp_path / "long.wav", np.full(3 * SAMPLE_RATE, 0.01, np.float32))
    made.file.value = str(tmp_path / "long.wav")
    assert (scene_in(made)["note"], scene_in(made)["seconds"]) == ("The first 2.0 s of 3.0 s.", 2.0)


def test_search_narrows_the_tracks_and_opens_the_first(made):
    names = [name for name, _ in made.offered]
    made.search.value = names[2].upper()
    assert [name for name, _ in made.track.options] == names[2:3] and scene_in(made)["title"] == names[2]
    made.search.value = "<b>nobody"
    assert "&lt;b&gt;nobody" in made.status.value and len(made.track.options) == 3
    made.search.value = ""
    assert len(made.track.options) == 3 and made.status.value == ""


def test_an_uploaded_file_is_heard_and_python_says_that_it_works(made, tmp_path):
    write_audio(tmp_path / "mine.wav", noise(2))
    told, now = [], datetime.datetime.now(datetime.UTC)
    made.status.observe(lambda change: told.append(change["new"]), names="value")
    content = memoryview((tmp_path / "mine.wav").read_bytes())
    made.upload.value = ({"name": "../mine.wav", "type": "audio/wav", "size": len(content), "content": content, "last_modified": now},)
    assert scene_in(made)["title"] == "mine.wav" and Path(made.file.value).is_file() and made.status.value == ""
    assert told == ['<p role="status">Listening …</p>', ""]


def test_a_model_that_is_barely_trained_is_named(tiny_corpus, models):
    scores = {"teacher": 0.64, "student": 0.66}

    def result(name):
        return SimpleNamespace(first=SimpleNamespace(metrics={"valid": {"roc_auc": scores[name]}}, load_model=lambda: models[name]))

    replicate = SimpleNamespace(corpus=tiny_corpus, ids=lambda _: list(tiny_corpus.tracks.index[:2]))
    made = explore(replicate, {name: result(name) for name in scores}, [], ["student"])
    said = [child.value for child in made.children if "barely" in str(getattr(child, "value", ""))]
    assert len(said) == 1 and said[0].startswith("<p>teacher is barely trained: its ROC-AUC on validation tracks is 0.64")


def test_faults_are_told_in_a_line_and_the_old_page_is_gone(made, tmp_path, hostile):
    (tmp_path / "words.mp3").write_text("no music")
    cases = [("words.mp3", "words.mp3"), ("gone.flac", "no such file"), (hostile, "no such file"), (".", str(tmp_path)), ("x" * 300, "xxx")]
    for name, reason in cases:
        made.file.value = str(tmp_path / name)
        assert reason in made.status.value and "<script" not in made.status.value and made.status.value.startswith('<p role="alert">')
        assert made.stage.value == ""
    made.file.value = ""
    assert made.status.value == ""
    made.switches["teacher"].value = made.switches["student"].value = False
    assert "no model is switched on" in made.status.value
    made.switches["student"].value = True
    assert made.status.value == "" and [model["name"] for model in scene_in(made)["models"]] == ["student"]
