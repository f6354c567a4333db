import json
import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from mtt.config import SAMPLE_RATE, ModelConfig
from mtt.data.audio import AudioError, read_audio
from mtt.data.batches import evaluation_clips
from mtt.evaluation.predict import bfloat16_is_fast
from mtt.explain import recording
from mtt.explain.curves import tag_curves
from mtt.explain.recording import Recording
from mtt.explain.tagging import Tagged, tag, tag_file, tag_files, tag_table, tag_text
from mtt.models import build_model
from tests.explain.planted import noise
from tests.tiny import TINY_MODEL, write_audio


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
    pd.testing.assert_frame_equal(found.head(2), tag(model, str(tiny_corpus.path(track)), clips=5, top=2))


def test_a_large_model_is_as_exact_as_told_where_it_computes_in_bfloat16(tiny_corpus, monkeypatch):
    model = build_model(ModelConfig(), 50, seed=0).eval()
    path = tiny_corpus.path(tiny_corpus.tracks.index[0])
    coarse, curves = tag(model, path).set_index("tag")["probability"], tag_curves(model, path, 1.0)
    monkeypatch.setattr(recording, "LARGE", 10**9)
    exact = tag(model, path).set_index("tag")["probability"]
    assert (coarse - exact).abs().max() < 0.005
    assert np.abs(tag_curves(model, path, 1.0).probabilities - curves.probabilities).max() < 0.005
    assert coarse.equals(exact) != bfloat16_is_fast("cpu")


def test_whatever_goes_wrong_with_a_file_stays_with_it(model, tmp_path, monkeypatch):
    for name in ("b/second.flac", "a/first.WAV", "d/memory.wav"):
        write_audio(tmp_path / name, noise(1))
    (tmp_path / "b/broken.mp3").write_bytes(b"this is not audio")
    (tmp_path / "empty").mkdir()

    def read(self, *limits):
        if self.path.name == "memory.wav":
            raise MemoryError()
        return whole(self, *limits)

    whole = Recording.read
    monkeypatch.setattr(Recording, "read", read)
    given = [tmp_path, tmp_path / "missing.wav", str(tmp_path / "empty"), tmp_path / "a", tmp_path / ("long" * 100)]
    reasons = {"a/first.WAV": "", "b/broken.mp3": "not readable as audio", "b/second.flac": "", "d/memory.wav": "MemoryError()"}
    reasons |= {"missing.wav": "no such file", "empty": "no audio file that can be read", "long" * 100: "long"}
    for (name, reason), result in zip(reasons.items(), tag_files(model, given), strict=True):
        assert result.path == tmp_path / name and (result.tags is None) == bool(reason)
        assert reason in result.problem and (not reason or str(tmp_path / name) in result.problem)
    monkeypatch.undo()
    pd.testing.assert_frame_equal(tag(model, tmp_path / "b" / "second.flac"), tag(model, read_audio(tmp_path / "b" / "second.flac")))


@pytest.mark.parametrize(
    ("wave", "warning"),
    [
        (noise(1.5), ""),
        (noise(0.2), "0.20 s long; tags of less than 1 s say little"),
        (1e-4 * noise(1.5), "silent (-"),
        (np.zeros(SAMPLE_RATE, np.float32), "silent (-"),
    ],
)
def test_silence_and_short_files_come_with_a_warning(model, tmp_path, wave, warning):
    write_audio(tmp_path / "a.wav", wave)
    tagged = tag_file(model, tmp_path / "a.wav")
    assert tagged.warning.startswith(warning) and bool(tagged.warning) == bool(warning) and len(tagged.tags) == 3


def test_numbers_that_are_none_are_an_error(model, tmp_path):
    with pytest.raises(AudioError, match="audio: the model finds no number for it"):
        tag(model, np.full(SAMPLE_RATE, 1e30, np.float32))


def test_tags_are_told_in_four_formats(model):
    names, table = ["a", "b", "path"], tag_table(["a", "b", "path"], np.array([0.12344, 0.29996, 0.9]))
    stream = [Tagged(Path("one.wav"), table), Tagged(Path(os.fsdecode(b"t\xffw\x1bo\n.wav")), table)]
    assert "".join(tag_text(stream, "table", names)) == (
        "one.wav\n  0.9000  path\n  0.3000  b\n  0.1234  a\nt\\xffw\\x1bo\\n.wav\n  0.9000  path\n  0.3000  b\n  0.1234  a\n"
    )
    assert "".join(tag_text(stream[:1], "csv", names, top=2)) == "path,tag,probability\none.wav,path,0.9000\none.wav,b,0.3000\n"
    wide = "".join(tag_text(stream, "wide", names, minimum=0.3))  # rounded, then compared: what is printed is what was asked for
    assert wide == 'path,a,b,path\none.wav,,0.3000,0.9000\n"t\\xffw\x1bo\n.wav",,0.3000,0.9000\n'
    found = json.loads("".join(tag_text(stream, "json", names, minimum=1)))
    assert found == [{"path": "one.wav", "tags": {}}, {"path": "t\\xffw\x1bo\n.wav", "tags": {}}]
    assert json.loads("".join(tag_text([], "json", names))) == []
    pieces = tag_text(iter(stream), "table", names)
    assert [next(pieces), next(pieces)[:7]] == ["", "one.wav"]  # as they come
