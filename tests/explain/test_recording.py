import numpy as np
import pytest
import torch

from mtt.config import SAMPLE_RATE
from mtt.data.audio import AudioError, encode_audio, read_audio
from mtt.explain.recording import Recording, evaluating, tag_names
from mtt.models import build_model
from tests.tiny import TINY_MODEL


def noise(samples: int) -> np.ndarray:
    return (0.1 * np.random.default_rng(0).standard_normal(samples)).astype(np.float32)


def test_a_file_is_read_from_anywhere_as_if_it_were_whole(tmp_path):
    path = tmp_path / "noise.wav"
    path.write_bytes(encode_audio(noise(30_000)))
    recording, whole = Recording(path), read_audio(path)
    assert recording.samples == 30_000 and recording.seconds == pytest.approx(30_000 / SAMPLE_RATE)
    np.testing.assert_array_equal(recording.read(), whole)
    np.testing.assert_array_equal(recording.read(12_345, 20_000), whole[12_345:20_000])
    np.testing.assert_array_equal(recording.read(29_000, 99_000), Recording(whole).read(29_000, 99_000))


def test_another_rate_gives_the_length_at_ours(tmp_path):
    path = tmp_path / "tone.wav"
    path.write_bytes(encode_audio(0.5 * np.sin(2 * np.pi * 440 * np.arange(44_100 * 3) / 44_100), 44_100))
    recording = Recording(path)
    assert recording.samples == 3 * SAMPLE_RATE
    # Half a sample of misplacement at most: 2 pi 440 / 22050 * 0.5 of the amplitude.
    np.testing.assert_allclose(recording.read(20_000, 40_000), recording.read()[20_000:40_000], atol=0.5 * 0.07)
    assert len(recording.read()) == recording.samples


def test_a_header_that_promises_more_than_there_is(tmp_path):
    path = tmp_path / "cut.flac"
    content = encode_audio(noise(60_000), format="FLAC")
    path.write_bytes(content[: len(content) // 2])
    with pytest.raises(AudioError, match=r"cut\.flac.*re-encode the file"):
        Recording(path).read()


@pytest.mark.parametrize(
    ("audio", "match"),
    [
        (np.zeros((2, 100), np.float32), r"float32 \(2, 100\)"),
        (np.zeros(100, np.int16), r"int16 \(100,\)"),
        (np.zeros(0, np.float32), r"float32 \(0,\)"),
    ],
)
def test_samples_of_the_wrong_kind(audio, match):
    with pytest.raises(ValueError, match=f"expected a path or float samples.*{match}"):
        Recording(audio)


def test_samples_that_are_not_numbers_and_places_that_are_not_there(tmp_path):
    wave = noise(1000)
    wave[700] = np.nan
    assert len(Recording(wave).read(0, 700)) == 700
    with pytest.raises(ValueError, match="sample 700 is not a number"):
        Recording(wave).read(600)
    with pytest.raises(ValueError, match=r"nothing at 1\.0 s; the recording has 0\.0 s"):
        Recording(wave).read(SAMPLE_RATE)
    with pytest.raises(AudioError, match="no such file"):
        Recording(tmp_path / "none.wav")


def test_evaluating_gives_the_mode_back_even_after_an_error():
    model = build_model(TINY_MODEL, 3, seed=0).train()
    with pytest.raises(KeyError), evaluating(model):
        assert not model.training and torch.is_inference_mode_enabled()
        raise KeyError
    assert model.training and not torch.is_inference_mode_enabled()


def test_outputs_without_names_are_counted():
    model = build_model(TINY_MODEL, 2, seed=0)
    assert tag_names(model) == ["tag 0", "tag 1"]
    model.tags = ["a", "b"]
    assert tag_names(model) == ["a", "b"]
