import numpy as np
import pandas as pd
import pytest
import torch

from mtt.config import SAMPLE_RATE
from mtt.data.audio import read_audio, write_audio
from mtt.data.batches import evaluation_clips
from mtt.explain.tagging import tag, tag_files
from mtt.models import build_model
from tests.explain.planted import noise
from tests.tiny import TINY_MODEL


@pytest.fixture(scope="module")
def model():
    made = build_model(TINY_MODEL, 3, seed=0).eval()
    made.tags, made.clip_seconds = ["a", "b", "c"], 0.7
    return made


@torch.inference_mode()
def test_tags_are_the_mean_over_the_clips_of_evaluation(model, tiny_corpus):
    track = tiny_corpus.tracks.index[0]  # a WAV file at our rate
    waves = torch.cat([waves for _, _, waves in evaluation_clips(tiny_corpus, [track], 0.7, 5)])
    expected = torch.sigmoid(model(waves)).mean(dim=0).numpy()
    found = tag(model, tiny_corpus.path(track), clips=5)
    assert list(found.columns) == ["tag", "probability"] and found["probability"].is_monotonic_decreasing
    np.testing.assert_allclose(found.set_index("tag").loc[["a", "b", "c"], "probability"], expected, rtol=0, atol=1e-6)
    assert not np.allclose(found["probability"], tag(model, tiny_corpus.path(track), clips=1)["probability"], atol=1e-5)


def test_samples_and_file_and_top(model, tiny_corpus):
    path = tiny_corpus.path(tiny_corpus.tracks.index[0])
    every = tag(model, str(path))
    pd.testing.assert_frame_equal(every, tag(model, read_audio(path)))
    pd.testing.assert_frame_equal(every.head(2), tag(model, path, top=2))
    with pytest.raises(ValueError, match="clips and top must be at least 1, not 8 and 0"):
        tag(model, path, top=0)


def test_what_is_shorter_than_a_clip_is_followed_by_silence(model):
    wave = noise(0.2)
    pd.testing.assert_frame_equal(tag(model, wave), tag(model, np.pad(wave, (0, round(0.7 * SAMPLE_RATE) - len(wave)))))


def test_a_bad_file_is_reported_and_the_others_go_on(model, tmp_path):
    for name in ("b/second.flac", "a/first.WAV", "c/deep/third.ogg"):
        write_audio(tmp_path / name, noise(1))
    (tmp_path / "b" / "broken.mp3").write_bytes(b"this is not audio")
    (tmp_path / "b" / ".hidden.wav").write_bytes(b"neither is this")
    (tmp_path / "notes.txt").write_text("nor this")
    (tmp_path / "empty").mkdir()
    found = list(tag_files(model, [tmp_path, tmp_path / "missing.wav", str(tmp_path / "empty")], top=1))
    names = ["a/first.WAV", "b/broken.mp3", "b/second.flac", "c/deep/third.ogg", "missing.wav", "empty"]
    assert [path for path, _ in found] == [tmp_path / name for name in names]
    results = dict(zip(names, (result for _, result in found), strict=True))
    assert "not readable as audio" in results["b/broken.mp3"] and "no such file" in results["missing.wav"]
    assert "no audio file in this folder" in results["empty"]
    pd.testing.assert_frame_equal(results["b/second.flac"], tag(model, tmp_path / "b" / "second.flac", top=1))
    assert all(isinstance(results[name], pd.DataFrame) for name in ("a/first.WAV", "c/deep/third.ogg"))


def test_files_come_one_by_one(model, tmp_path):
    write_audio(tmp_path / "one.wav", noise(1))
    stream = tag_files(model, iter([tmp_path / "one.wav", tmp_path / "two.wav"]))
    assert next(stream)[0].name == "one.wav"
    write_audio(tmp_path / "two.wav", noise(1))  # in time: it was not looked at yet
    assert isinstance(next(stream)[1], pd.DataFrame)
