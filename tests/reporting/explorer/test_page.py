"""What the explorer's page holds of its scenes."""

from __future__ import annotations

import base64
import io

import numpy as np
import pytest
from PIL import Image

from mtt.config import SAMPLE_RATE
from mtt.data.audio import AudioError
from mtt.explain.curves import TagCurves
from mtt.explain.recording import Recording
from mtt.models import save_model
from mtt.reporting.explorer.page import encode_scene, render_explorer, short_names
from mtt.reporting.explorer.scenes import Heard, Scene, Track, scene_of
from mtt.reporting.explorer.song import explain_file
from tests.reporting.explorer.made import attention, noise, page_data, scene, scene_of_curves
from tests.tiny import write_audio

BUDGET = 10_000_000  # bytes of a page


def large_scene(seconds=30.0, seed=0):
    """Two models with 50 tags, points every half second, and four layers of eight heads."""
    random, times, tags = np.random.default_rng(seed), np.arange(1.5, seconds - 1, 0.5), [f"tag {i}" for i in range(50)]
    frames = np.arange(0.05, seconds, 0.0929)
    heard = {}
    for name in ("teacher", "student"):
        heard[name] = Heard(TagCurves(times, random.random((len(times), 50)), tags, 3.0, 0.5), attention(frames, 4, 8, seed))
    return Scene(Track(Recording(noise(seconds, seed)), "A title"), heard)


def decoded(text):
    return np.frombuffer(base64.b64decode(text), dtype=np.uint8)


def test_numbers_come_back_to_within_half_a_step():
    made = large_scene(5.0)
    data = encode_scene(made)
    assert [tag["name"] for tag in data["tags"]] == made.tags
    for entry, (name, (curves, attends)) in zip(data["models"], made.heard.items(), strict=True):
        assert entry["name"] == name
        values = decoded(entry["probabilities"]).reshape(50, -1)[entry["columns"]] / 255
        np.testing.assert_allclose(values, np.stack([curves.curve(tag) for tag in made.tags]), atol=0.5001 / 255)
        np.testing.assert_allclose(entry["times"], curves.times, atol=5e-4)
        given = entry["attention"]
        rows = decoded(given["rows"]).reshape(38, -1) / 255 * np.array(given["largest"])[:, None]
        views = dict(zip(given["names"], rows, strict=True))
        for view, wanted in {
            "rollout": attends.rollout,
            "mean of all heads": attends.heads.mean(axis=(0, 1)),
            "layer 2, mean": attends.heads[1].mean(axis=0),
            "layer 4, head 8": attends.heads[3, 7],
        }.items():
            np.testing.assert_allclose(views[view], wanted, atol=0.501 * wanted.max() / 255)


def test_eight_tracks_of_two_models_fit(tmp_path):
    out = render_explorer([large_scene(seed=seed) for seed in range(8)], tmp_path / "explorer.html")
    assert out.stat().st_size < BUDGET / 2
    assert len(page_data(out.read_text())) == 8


def test_spectrogram_is_the_track_from_low_to_high():
    """A low tone in the first half, a high one in the second: dark top left and bottom right."""
    time = np.arange(4 * SAMPLE_RATE) / SAMPLE_RATE
    data = encode_scene(scene(wave=(0.3 * np.sin(2 * np.pi * np.where(time < 2, 200, 5000) * time)).astype(np.float32)))
    grey = np.asarray(Image.open(io.BytesIO(base64.b64decode(data["spectrogram"]))), float)
    half, middle = grey.shape[0] // 2, grey.shape[1] // 2
    assert grey[half:, : middle - 2].max() > 200 > 128 > grey[:half, : middle - 4].mean()
    assert grey[:half, middle + 2 :].max() > 200 > 128 > grey[half:, middle + 4 :].mean()
    assert dict(data["ticks"])["1 kHz"] == pytest.approx(np.log1p(1000 / 700) / np.log1p(SAMPLE_RATE / 2 / 700), abs=1e-4)


def test_tags_shown_at_first_are_those_meant_the_likeliest_and_the_true_ones():
    made = scene_of_curves(
        {"teacher": {f"tag {i}": i / 50 for i in range(50)}}, labels=["tag 3"], true_labels=["tag 2", "tag 3"], about=["tag 7"]
    )
    shown = {tag["name"] for tag in encode_scene(made)["tags"] if tag["shown"]}
    assert shown == {"tag 49", "tag 48", "tag 47", "tag 46", "tag 7", "tag 3", "tag 2"}


@pytest.mark.parametrize(
    ("true", "marks"),
    [(None, {"a": "✓", "b": "✓", "c": "", "d": ""}), (["a", "c"], {"a": "✓", "b": "✗", "c": "✓ no label", "d": ""})],
)
def test_a_tag_is_marked_by_how_its_label_stands_to_the_truth(true, marks):
    made = scene_of_curves({"teacher": dict.fromkeys("abcd", 0.5)}, labels=["a", "b"], true_labels=true)
    assert {tag["name"]: tag["mark"] for tag in encode_scene(made)["tags"]} == marks


def test_known_times_and_unknown_ones_differ():
    made = scene_of_curves({"teacher": {"a": 0.5, "b": 0.5, "c": 0.5}}, truth={"a": [(0.5, 1.25)], "b": ()})
    assert {tag["name"]: tag["spans"] for tag in encode_scene(made)["tags"]} == {"a": [[0.5, 1.25]], "b": [], "c": None}


def test_models_with_other_tags_share_a_page():
    data = encode_scene(scene_of_curves({"teacher": {"rock": 0.25, "piano": 0.75}, "student": {"jazz": 0.5}}))
    assert [tag["name"] for tag in data["tags"]] == ["piano", "jazz", "rock"]
    assert [entry["columns"] for entry in data["models"]] == [[1, -1, 0], [-1, 0, -1]]


@pytest.mark.parametrize("seconds", [0.05, 0.7, 20.0])
def test_scene_of_any_length_and_of_models_with_attention_or_without(models, seconds):
    data = encode_scene(scene_of(Track(Recording(noise(seconds)), "Any"), models))
    assert data["seconds"] == pytest.approx(seconds, abs=1e-3)
    assert [len((model["attention"] or {"names": ""})["names"]) for model in data["models"]] == [0, 8, 8]


# --- A file of one's own ---


def test_explain_file(models, tmp_path, monkeypatch):
    folder = save_model(models["teacher"], tmp_path / "my model")
    write_audio(tmp_path / "song.wav", noise(3))
    (data,) = page_data(explain_file(tmp_path / "song.wav", [folder], tmp_path / "page.html").read_text())
    assert (data["title"], data["models"][0]["name"], data["note"]) == ("song.wav", "my model", "")
    monkeypatch.setattr("mtt.reporting.explorer.song.LONGEST", 2.0)
    (data,) = page_data(explain_file(str(tmp_path / "song.wav"), [str(folder)], str(tmp_path / "page.html")).read_text())
    assert (data["seconds"], data["note"]) == (2.0, "The first 2.0 s of 3.0 s.")
    (tmp_path / "broken.wav").write_bytes(b"RIFF")
    with pytest.raises(AudioError, match="broken.wav"):
        explain_file(tmp_path / "broken.wav", [folder], tmp_path / "page.html")


@pytest.mark.parametrize(
    ("folders", "names"),
    [
        (["runs/teacher", "runs/student"], ["teacher", "student"]),
        (["x/a/teacher", "y/a/teacher", "teacher"], ["x/a/teacher", "y/a/teacher", "here/teacher"]),
        (["a/../teacher", "teacher"], ["teacher"]),
    ],
)
def test_a_model_is_called_by_the_shortest_name_that_no_other_has(folders, names, tmp_path, monkeypatch):
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    assert list(short_names(folders)) == names
