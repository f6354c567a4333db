import json
import os
import resource
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from mtt.config import SAMPLE_RATE
from mtt.data.audio import AudioError, read_audio, write_audio
from mtt.data.batches import evaluation_clips
from mtt.explain.recording import Recording
from mtt.explain.tagging import Tagged, files_of, tag, tag_file, tag_files, tag_table, tag_text
from mtt.files import write_arrays, write_whole
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


def test_whatever_goes_wrong_with_a_file_stays_with_it(model, tmp_path, monkeypatch):
    for name in ("b/second.flac", "a/first.WAV", "c/deep/third.ogg", "d/fourth.wav", "d/memory.wav", "d/recursion.wav"):
        write_audio(tmp_path / name, noise(1))
    (tmp_path / "b" / "broken.mp3").write_bytes(b"this is not audio")
    (tmp_path / "b" / ".hidden.wav").write_bytes(b"neither is this")
    (tmp_path / "b" / "song.m4a").write_bytes(b"nor this")
    (tmp_path / "notes.txt").write_text("nor this")
    (tmp_path / "empty").mkdir()
    errors = {"memory.wav": MemoryError(), "recursion.wav": RecursionError("too deep")}

    def read(self, *limits):
        if self.path.name in errors:
            raise errors[self.path.name]
        return whole(self, *limits)

    whole = Recording.read
    monkeypatch.setattr(Recording, "read", read)
    given = [tmp_path, tmp_path / "missing.wav", str(tmp_path / "empty"), tmp_path / "a", tmp_path / ("long" * 100)]
    found = files_of(given)
    names = ["a/first.WAV", "b/broken.mp3", "b/second.flac", "c/deep/third.ogg", "d/fourth.wav", "d/memory.wav", "d/recursion.wav"]
    names += ["missing.wav", "empty", "long" * 100]
    assert found.files == [tmp_path / name for name in names] and found.skipped.total() == 2
    results = dict(zip(names, tag_files(model, given), strict=True))
    assert [result.path for result in results.values()] == found.files
    assert {name for name, result in results.items() if result.tags is not None} == {*names[:1], *names[2:5]}
    reasons = {
        "b/broken.mp3": "not readable as audio",
        "missing.wav": "no such file",
        "empty": "no audio file that can be read in this folder",
    }
    for name, reason in (reasons | {"d/memory.wav": "MemoryError()", "d/recursion.wav": "too deep", "long" * 100: "long"}).items():
        assert reason in results[name].problem and str(tmp_path / name) in results[name].problem
    pd.testing.assert_frame_equal(results["b/second.flac"].tags, tag(model, tmp_path / "b" / "second.flac"))


def test_files_come_one_by_one(model, tmp_path):
    write_audio(tmp_path / "one.wav", noise(1))
    stream = tag_files(model, iter([tmp_path / "one.wav", tmp_path / "two.wav"]))
    assert next(stream).path.name == "one.wav"
    write_audio(tmp_path / "two.wav", noise(1))  # in time: it was not looked at yet
    assert next(stream).tags is not None


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


def test_what_was_found_is_kept_as_long_as_the_file_is_the_same(model, tmp_path):
    path, store = tmp_path / "a.wav", tmp_path / "store"
    write_audio(path, noise(0.5))
    first, again = (next(tag_files(model, [path], store)) for _ in range(2))
    pd.testing.assert_frame_equal(first.tags, again.tags)
    assert first.warning == again.warning != ""
    (kept,) = store.iterdir()
    write_arrays(kept, probabilities=np.array([0.1, 0.2, 0.3]), warning=np.array("kept"))
    assert tag_file(model, path, store).warning == "kept"
    write_audio(path, noise(2))
    assert tag_file(model, path, store).warning == "" and len(list(store.iterdir())) == 2


def test_a_full_disk_is_told_or_done_without(model, tmp_path):
    write_audio(tmp_path / "a.wav", noise(1))
    limit = resource.getrlimit(resource.RLIMIT_FSIZE)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (20, limit[1]))
        found = tag_file(model, tmp_path / "a.wav", tmp_path / "store")
        with pytest.raises(OSError, match=r"File too large: '.*/tags.csv'"):
            write_whole(tmp_path / "tags.csv", "path,tag,probability\n" * 2)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limit)
    assert found.tags is not None and not any((tmp_path / "store").iterdir()) and not (tmp_path / "tags.csv").exists()
