"""The widget without a browser: controls change what the page holds, what is known is not computed again, and faults are told in a line."""

from __future__ import annotations

import dataclasses
import html
import json
import re

import numpy as np
import pytest

from mtt.config import SAMPLE_RATE
from mtt.data.audio import write_audio
from mtt.models import build_model
from mtt.reporting.explorer import widget
from mtt.reporting.explorer.widget import ExplorerWidget
from tests.tiny import TINY_MODEL

TAGS = ["high", "low", "middle"]


@pytest.fixture(scope="module")
def models():
    made = {"fcn": build_model(dataclasses.replace(TINY_MODEL, architecture="fcn"), 3, seed=2)}
    made |= {name: build_model(TINY_MODEL, 3, seed=seed) for seed, name in enumerate(("teacher", "student"))}
    for model in made.values():
        model.tags, model.clip_seconds = TAGS, 1.0
    return made


@pytest.fixture
def made(tiny_corpus, models):
    ids = list(tiny_corpus.tracks.index[:3])
    about = {ids[0]: ("A failure: low.", ["low"])}
    return ExplorerWidget(tiny_corpus, [(f"track {i}", i) for i in ids], models, shown=["teacher", "student"], about=about)


def page_of(made):
    return html.unescape(re.search(r'srcdoc="([^"]*)"', made.stage.value)[1])


def scene_in(made):
    return json.loads(re.search(r'<script type="application/json" id="scenes">(.*?)</script>', page_of(made), re.DOTALL)[1])[0]


def test_the_page_holds_the_track_and_the_models_that_are_switched_on(made, tiny_corpus):
    shown = scene_in(made)
    assert shown["title"] == tiny_corpus.tracks.index[0] and shown["note"] == "A failure: low."
    assert [model["name"] for model in shown["models"]] == ["teacher", "student"]
    assert [tag["name"] for tag in shown["tags"] if tag["labelled"]] == sorted(tiny_corpus.tracks["tags"].iloc[0].split("|"))
    assert [model["window"] for model in shown["models"]] == pytest.approx([1.0, 1.0], abs=0.1)
    assert "default-src &#39;none&#39;" in page_of(made) and made.status.value == ""


def test_each_control_changes_what_it_says(made, tiny_corpus):
    made.window.value = 0.5
    assert [model["window"] for model in scene_in(made)["models"]] == pytest.approx([0.5, 0.5], abs=0.1)
    made.switches["fcn"].value, made.switches["teacher"].value = True, False
    shown = scene_in(made)
    assert [(model["name"], model["attention"] is None) for model in shown["models"]] == [("fcn", True), ("student", False)]
    made.track.value = tiny_corpus.tracks.index[1]
    assert scene_in(made)["title"] == tiny_corpus.tracks.index[1]


def test_what_is_known_is_not_computed_again(made, monkeypatch):
    asked = []
    monkeypatch.setattr(widget, "tag_curves", lambda *arguments: asked.append(arguments) or original(*arguments))
    made.window.value = 2.0
    assert len(asked) == 2  # teacher and student
    assert len({id(recording) for _, recording, *_ in asked}) == 1 and len(asked[0][1]._tokens) == 2
    before = scene_in(made)
    made.window.value = 1.0
    made.window.value = 2.0
    made.switches["teacher"].value = False
    made.switches["teacher"].value = True
    assert len(asked) == 2 and scene_in(made) == before


original = widget.tag_curves


def test_a_file_of_ones_own_goes_before_the_track_until_a_track_is_chosen(made, tiny_corpus, tmp_path):
    path = tmp_path / "mine & yours.mp3"
    write_audio(path, (0.1 * np.random.default_rng(0).standard_normal(3 * SAMPLE_RATE)).astype(np.float32))
    made.file.value = f" {path} "
    shown = scene_in(made)
    assert shown["title"] == "mine & yours.mp3" and shown["seconds"] == pytest.approx(3.0, abs=0.1) and not shown["knowsTruth"]
    assert not any(tag["labelled"] or tag["spans"] for tag in shown["tags"])
    made.track.value = tiny_corpus.tracks.index[2]
    assert made.file.value == "" and scene_in(made)["title"] == tiny_corpus.tracks.index[2]


def test_a_long_file_is_shown_in_part_and_says_so(made, tmp_path, monkeypatch):
    monkeypatch.setattr(widget, "LONGEST", 2.0)
    write_audio(tmp_path / "long.wav", np.zeros(3 * SAMPLE_RATE, np.float32) + 0.01)
    made.file.value = str(tmp_path / "long.wav")
    assert scene_in(made)["note"] == "The first 2.0 s of 3.0 s." and scene_in(made)["seconds"] == 2.0


def test_faults_are_told_in_a_line_and_the_page_stays(made, tmp_path, hostile):
    before = made.stage.value
    (tmp_path / "words.mp3").write_text("no music")
    for path, reason in ((tmp_path / "words.mp3", "words.mp3"), (tmp_path / "gone.flac", "no such file"), (hostile, "no such file")):
        made.file.value = str(path)
        assert reason in made.status.value and "<script" not in made.status.value and made.status.value.startswith('<p role="alert">')
        assert made.stage.value == before
    made.file.value = ""
    assert made.status.value == ""
    made.switches["teacher"].value = made.switches["student"].value = False
    assert "no model is switched on" in made.status.value
    made.switches["student"].value = True
    assert made.status.value == "" and [model["name"] for model in scene_in(made)["models"]] == ["student"]


def test_nothing_to_explore_is_refused(tiny_corpus, models):
    with pytest.raises(ValueError, match="at least one track and one model"):
        ExplorerWidget(tiny_corpus, [], models)
