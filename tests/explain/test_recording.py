import numpy as np
import pytest

from mtt.config import SAMPLE_RATE
from mtt.data.audio import AudioError, encode_audio, read_audio
from mtt.explain.recording import Recording
from tests.explain.planted import noise


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
    with pytest.raises(AudioError, match=r"empty\.wav: holds no audio"):
        Recording(tmp_path / "empty.wav").read()
    content = encode_audio(noise(3), format="FLAC")
    (tmp_path / "cut.flac").write_bytes(content[: len(content) // 2])  # its header promises more than there is
    recording = Recording(tmp_path / "cut.flac")
    assert len(recording.read()) == recording.samples < 2 * SAMPLE_RATE and "s of 3.0 s" in recording.info.fault
    with pytest.raises(AudioError, match=r"cut\.flac: no such excerpt at 2\.0 s of 1\.\d s"):
        recording.read(2 * SAMPLE_RATE)
