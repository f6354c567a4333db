import numpy as np
import pytest
import torch

from mtt.config import SAMPLE_RATE
from mtt.data.audio import AudioError, encode_audio, read_audio
from mtt.explain.recording import Recording, evaluating, tag_names
from mtt.models import build_model
from tests.explain.planted import noise
from tests.tiny import TINY_MODEL


@pytest.mark.parametrize(("rate", "tolerance"), [(SAMPLE_RATE, 0), (44_100, 1e-3)])
def test_a_file_is_read_from_anywhere_as_if_it_were_whole(rate, tolerance, tmp_path):
    path = tmp_path / "noise.wav"
    path.write_bytes(encode_audio(noise(2)[:30_000], rate))
    recording, whole = Recording(path), read_audio(path)
    assert recording.samples == len(whole) == pytest.approx(30_000 * SAMPLE_RATE / rate)
    np.testing.assert_array_equal(recording.read(), whole)
    np.testing.assert_allclose(recording.read(2_345, 10_000), whole[2_345:10_000], rtol=0, atol=tolerance)
    np.testing.assert_allclose(recording.read(9_000, 99_000), Recording(whole).read(9_000, 99_000), rtol=0, atol=tolerance)


def test_files_that_cannot_be_read(tmp_path):
    with pytest.raises(AudioError, match="no such file"):
        Recording(tmp_path / "none.wav")
    (tmp_path / "empty.wav").write_bytes(encode_audio(np.zeros(0, np.float32)))
    with pytest.raises(AudioError, match=r"empty\.wav: no such excerpt at 0\.0 s of 0\.0 s"):
        Recording(tmp_path / "empty.wav").read()
    content = encode_audio(noise(3), format="FLAC")
    (tmp_path / "cut.flac").write_bytes(content[: len(content) // 2])  # its header promises more than there is
    with pytest.raises(AudioError, match=r"cut\.flac.*re-encode the file"):
        Recording(tmp_path / "cut.flac").read()


@pytest.mark.parametrize(
    "audio", [np.zeros((2, 100), np.float32), np.zeros(100, np.int16), np.zeros(0, np.float32), np.full(100, np.nan, np.float32)]
)
def test_samples_of_the_wrong_kind(audio):
    with pytest.raises(ValueError, match="expected a path or finite float samples") as error:
        Recording(audio)
    assert f"got {audio.dtype} {audio.shape}" in str(error.value)


def test_evaluating_gives_the_mode_back_even_after_an_error():
    model = build_model(TINY_MODEL, 3, seed=0).train()
    with pytest.raises(KeyError), evaluating(model):
        assert not model.training and torch.is_inference_mode_enabled()
        raise KeyError
    assert model.training and not torch.is_inference_mode_enabled()


def test_outputs_without_names_are_counted():
    assert tag_names(build_model(TINY_MODEL, 2, seed=0)) == ["tag 0", "tag 1"]
