"""Scenes, the rules that choose them, and what the page holds of them."""

from __future__ import annotations

import base64
import dataclasses
import io
import json
import re
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from mtt.config import SAMPLE_RATE
from mtt.data.audio import AudioError, write_audio
from mtt.data.corpus import Corpus
from mtt.explain.attention import AttentionCurves
from mtt.explain.curves import TagCurves
from mtt.models import build_model, save_model
from mtt.reporting.explorer.page import as_script_json, encode_scene, explain_file, quantise, render_explorer
from mtt.reporting.explorer.scenes import Scene, choose_scenes, scene_of
from tests.tiny import TINY_MODEL

TAGS = [f"tag {i}" for i in range(50)]
BUDGET = 10_000_000  # bytes of a page


@pytest.fixture(scope="module")
def model():
    made = build_model(dataclasses.replace(TINY_MODEL, max_positions=64, layers=2), 3, seed=0).eval()
    made.tags, made.clip_seconds = ["low", "middle", "high"], 1.0
    return made


@pytest.fixture(scope="module")
def convolution():
    made = build_model(dataclasses.replace(TINY_MODEL, architecture="fcn", channels=8), 3, seed=0).eval()
    made.tags, made.clip_seconds = ["low", "middle", "high"], made.native_seconds
    return made


def noise(seconds, seed=0):
    return (0.1 * np.random.default_rng(seed).standard_normal(int(seconds * SAMPLE_RATE))).astype(np.float32)


def made_up_scene(seconds=30.0, seed=0, **changes):
    """Two models with 50 tags, points every half second, and four layers of eight heads."""
    random, times = np.random.default_rng(seed), np.arange(1.5, seconds - 1, 0.5)
    frames = np.arange(0.05, seconds, 0.0929)
    curves = {name: TagCurves(times, random.random((len(times), len(TAGS))), TAGS, 3.0, 0.5) for name in ("teacher", "student")}
    attention = {name: AttentionCurves(frames, 3 * random.random((4, 8, len(frames))), *random.random((2, len(frames)))) for name in curves}
    scene = Scene("A title", "An artist", "A clear success: really.", noise(seconds, seed), SAMPLE_RATE, curves, attention)
    return dataclasses.replace(scene, **changes)


def decoded(text):
    return np.frombuffer(base64.b64decode(text), dtype=np.uint8)


def page_data(path):
    return json.loads(re.search(r'<script type="application/json" id="scenes">(.*?)</script>', path.read_text(), re.DOTALL)[1])


def test_numbers_come_back_to_within_half_a_step():
    scene = made_up_scene(5.0)
    data = json.loads(str(as_script_json(encode_scene(scene))))
    assert [tag["name"] for tag in data["tags"]] == scene.tags
    for entry, (name, curves) in zip(data["models"], scene.curves.items(), strict=True):
        assert entry["name"] == name
        values = decoded(entry["probabilities"]).reshape(len(TAGS), -1)[entry["columns"]] / 255
        wanted = curves.probabilities[:, [TAGS.index(tag) for tag in scene.tags]].T
        np.testing.assert_allclose(values, wanted, atol=0.5001 / 255)
        np.testing.assert_allclose(entry["times"], curves.times, atol=5e-4)
        given, attention = entry["attention"], scene.attention[name]
        rows = decoded(given["rows"]).reshape(33, -1) / 255 * np.array(given["largest"])[:, None]
        np.testing.assert_allclose(rows[:32].reshape(4, 8, -1), attention.heads, atol=0.501 * 3 / 255)
        np.testing.assert_allclose(rows[32], attention.rollout, atol=0.501 / 255)


def test_quantise_clips_and_keeps_the_ends():
    assert quantise(np.array([-1.0, 0.0, 0.5, 1.0, 2.0])).tolist() == [0, 0, 128, 255, 255]


def test_json_cannot_end_its_script():
    text = "</script><script>x&amp;\u2028\u2029<!--"
    escaped = str(as_script_json({"a": text}))
    assert not re.search(r"[<>&\u2028\u2029]", escaped)
    assert json.loads(escaped) == {"a": text}


def test_hostile_words_are_data(tmp_path, hostile):
    curves = {hostile: TagCurves(np.array([0.5]), np.array([[0.3]]), [hostile], 1.0, 0.5)}
    scene = Scene(hostile, hostile, hostile, noise(1), SAMPLE_RATE, curves, labels=[hostile], truth={hostile: [(0, 1)]})
    out = render_explorer([scene], tmp_path / "explorer.html", title=hostile)
    assert "<script>window.hacked" not in out.read_text() and "<img src=x" not in out.read_text()
    (data,) = page_data(out)
    assert (data["title"], data["tags"][0]["name"], data["models"][0]["name"]) == (hostile, hostile, hostile)


def test_eight_tracks_of_two_models_fit(tmp_path):
    out = render_explorer([made_up_scene(seed=seed) for seed in range(8)], tmp_path / "explorer.html")
    assert out.stat().st_size < BUDGET / 2
    assert len(page_data(out)) == 8


def test_spectrogram_is_the_track_from_low_to_high():
    """A low tone in the first half, a high one in the second: dark top left and bottom right."""
    time = np.arange(4 * SAMPLE_RATE) / SAMPLE_RATE
    wave = (0.3 * np.sin(2 * np.pi * np.where(time < 2, 200, 5000) * time)).astype(np.float32)
    data = encode_scene(made_up_scene(4.0, wave=wave))
    grey = np.asarray(Image.open(io.BytesIO(base64.b64decode(data["spectrogram"]))), float)
    half, middle = grey.shape[0] // 2, grey.shape[1] // 2
    assert grey[half:, : middle - 2].max() > 200 > 128 > grey[:half, : middle - 4].mean()
    assert grey[:half, middle + 2 :].max() > 200 > 128 > grey[half:, middle + 4 :].mean()
    assert dict(data["ticks"])["1 kHz"] == pytest.approx(np.log1p(1000 / 700) / np.log1p(SAMPLE_RATE / 2 / 700), abs=1e-4)


def test_tags_shown_at_first_are_those_meant_the_likeliest_and_the_true_ones():
    probabilities = np.linspace(0, 1, 50)[None]  # tag 49 is the likeliest
    curves = {"teacher": TagCurves(np.array([1.5]), probabilities, TAGS, 3.0, 0.5)}
    scene = made_up_scene(3.0, curves=curves, attention={}, labels=["tag 3"], true_labels=["tag 2", "tag 3"], about=["tag 7"])
    tags = {tag["name"]: tag for tag in encode_scene(scene)["tags"]}
    assert {name for name, tag in tags.items() if tag["shown"]} == {"tag 49", "tag 48", "tag 47", "tag 46", "tag 7", "tag 3", "tag 2"}
    assert (tags["tag 2"]["true"], tags["tag 2"]["labelled"]) == (True, False)
    assert tags["tag 3"]["labelled"] and tags["tag 3"]["spans"] is None


def test_known_times_and_unknown_ones_differ():
    scene = made_up_scene(3.0, truth={"tag 1": [(0.5, 1.25)], "tag 2": []})
    spans = {tag["name"]: tag["spans"] for tag in encode_scene(scene)["tags"]}
    assert (spans["tag 1"], spans["tag 2"], spans["tag 3"]) == ([[0.5, 1.25]], [], None)


def test_models_with_other_tags_share_a_page():
    curves = {
        "teacher": TagCurves(np.array([1.5]), np.array([[0.25, 0.75]]), ["rock", "piano"], 3.0, 0.5),
        "student": TagCurves(np.array([1.5]), np.array([[0.5]]), ["jazz"], 3.0, 0.5),
    }
    data = encode_scene(made_up_scene(3.0, curves=curves, attention={}))
    assert [tag["name"] for tag in data["tags"]] == ["piano", "jazz", "rock"]
    assert [entry["columns"] for entry in data["models"]] == [[1, -1, 0], [-1, 0, -1]]


@pytest.mark.parametrize("seconds", [0.05, 0.7, 20.0])
def test_scene_of_any_length(model, seconds):
    scene = scene_of({"teacher": model}, noise(seconds), "Any")
    data = encode_scene(scene)
    assert data["seconds"] == pytest.approx(seconds, abs=1e-3)
    assert data["models"][0]["attention"]["layers"] == 2


def test_model_without_attention_has_no_lane(convolution):
    scene = scene_of({"fcn": convolution}, noise(2), "Any")
    assert encode_scene(scene)["models"][0]["attention"] is None


def test_nothing_to_show_is_refused(tmp_path):
    with pytest.raises(ValueError, match="no models; give at least one"):
        scene_of({}, noise(1), "Any")
    for scenes in ([], [made_up_scene(3.0, curves={})]):
        with pytest.raises(ValueError, match="explorer: nothing to show"):
            render_explorer(scenes, tmp_path / "explorer.html")


def test_explain_file(model, tmp_path, monkeypatch):
    folder = save_model(model, tmp_path / "my model")
    write_audio(tmp_path / "song.wav", noise(3))
    (data,) = page_data(explain_file(tmp_path / "song.wav", folder, tmp_path / "page.html"))
    assert (data["title"], data["models"][0]["name"], data["note"]) == ("song.wav", "my model", "")
    monkeypatch.setattr("mtt.reporting.explorer.page.LONGEST", 2.0)
    (data,) = page_data(explain_file(tmp_path / "song.wav", {"a": folder, "b": folder}, tmp_path / "page.html"))
    assert (data["seconds"], data["note"], len(data["models"])) == (2.0, "The first 2.0 s of 3.0 s.", 2)
    (tmp_path / "broken.wav").write_bytes(b"RIFF")
    with pytest.raises(AudioError, match="broken.wav"):
        explain_file(tmp_path / "broken.wav", folder, tmp_path / "page.html")


# --- The rules ---


@pytest.fixture
def study(tmp_path):
    """Eight tracks of as many artists, four tags; labels lack "piano" in track 2, where it enters at 2 of 3 s."""
    tags = ["rock", "piano", "drums", "sad"]
    truth = np.array(
        [[1, 1, 1, 0], [1, 0, 0, 0], [1, 1, 0, 0], [0, 0, 1, 1], [0, 1, 0, 0], [1, 0, 1, 0], [0, 0, 0, 1], [1, 0, 0, 1]], np.uint8
    )
    labels = truth.copy()
    labels[2, 1] = 0
    ids = [f"t{row}" for row in range(8)]
    for row, track_id in enumerate(ids):
        write_audio(tmp_path / f"{track_id}.wav", noise(3, row))
    tracks = pd.DataFrame({"path": [f"{i}.wav" for i in ids], "artist": ids, "title": "", "seconds": 3.0}, index=ids)
    timeline = pd.DataFrame(
        {"track_id": ["t2", "t4", "t5"], "instrument": ["piano", "piano", "drums"], "start": [0.0, 2.0, 0.5], "end": 3.0}
    )
    corpus = Corpus("made-up", tmp_path, tracks, tags, labels, truth, timeline)
    return SimpleNamespace(corpus=corpus, ids=lambda name: ids)


class Rising:
    """Stands for a model whose curves are known: every tag's rises."""

    clip_seconds = 1.0


def result(scores):
    return SimpleNamespace(stages=[SimpleNamespace(scores=lambda name: scores, load_model=Rising)])


@pytest.fixture
def curves(monkeypatch):
    def made(model, audio, window=None, hop=0.5):
        times = np.arange(0.5, 3, 0.5)
        return TagCurves(times, np.repeat(times[:, None] / 3, 4, axis=1), ["rock", "piano", "drums", "sad"], 1.0, 0.5)

    monkeypatch.setattr("mtt.reporting.explorer.scenes.tag_curves", made)


def test_scenes_are_chosen_by_the_rules(study, curves):
    truth = study.corpus.truth
    teacher = np.where(truth, 0.6, 0.4).astype(float)
    student = np.where(truth, 0.8, 0.2).astype(float)
    teacher[2, 1], student[2, 1] = 0.3, 0.9
    student[1, 0], student[4, 1], student[6, 3], student[7, 2] = 0.05, 0.06, 0.07, 0.99  # three misses and a false alarm
    scenes = choose_scenes(study, {"teacher": result(teacher), "student": result(student)}, count=5)
    assert [scene.title for scene in scenes] == ["t0", "t2", "t4", "t1", "t7"]
    assert [scene.note for scene in scenes] == [
        "A clear success: all 3 true tags are scored above all others.",
        "A missing label recovered: piano. The student gives it 0.90, the teacher 0.30.",
        "An instrument that enters late: piano, at 2 s.",
        "A failure: rock is there, but the student gives it 0.05.",
        "A failure: drums is not there, but the student gives it 0.99.",
    ]
    assert [list(scene.about) for scene in scenes] == [[], ["piano"], ["piano"], ["rock"], ["drums"]]
    recovered = scenes[1]
    assert (recovered.labels, recovered.true_labels) == (["rock"], ["rock", "piano"])
    assert recovered.truth == {"piano": [(0.0, 3.0)], "drums": ()}
    assert len(choose_scenes(study, {"student": result(student)}, count=1)) == 1


def test_rules_that_need_the_truth_are_silent_without_it(study, curves):
    study.corpus = dataclasses.replace(study.corpus, truth=None, timeline=None)
    scores = np.where(study.corpus.labels, 0.8, 0.2).astype(float)
    notes = [scene.note for scene in choose_scenes(study, {"student": result(scores)}, count=4)]
    assert notes[0].startswith("A clear success") and not any("recovered" in note or "late" in note for note in notes)
