import numpy as np
import pytest

from mtt.config import SAMPLE_RATE
from mtt.data.audio import listen, read_audio
from tests.tiny import write_audio


def tone(seconds: float, rate: int = SAMPLE_RATE, hertz: float = 440.0) -> np.ndarray:
    return (0.5 * np.sin(2 * np.pi * hertz * np.arange(round(seconds * rate)) / rate)).astype(np.float32)


def peak_hertz(wave: np.ndarray) -> float:
    spectrum = np.abs(np.fft.rfft(wave * np.hanning(len(wave))))
    return float(np.argmax(spectrum) * SAMPLE_RATE / len(wave))


FORMATS = [("wav", 6), ("flac", 6), ("mp3", 2), ("ogg", 2)]  # six channels of Vorbis have a low-passed one


@pytest.mark.parametrize(("ending", "channels"), [(e, c) for e, most in FORMATS for c in (1, 2, 6) if c <= most])
@pytest.mark.parametrize("rate", [8000, 22050, 44100, 48000])
def test_every_format_rate_and_channel_count_gives_mono_at_the_programs_rate(tmp_path, ending, rate, channels):
    path = tmp_path / f"tone.{ending}"
    write_audio(path, np.repeat(tone(2.0, rate)[:, None], channels, axis=1), rate)
    wave = read_audio(path)
    assert wave.dtype == np.float32 and wave.ndim == 1
    assert len(wave) == pytest.approx(2 * SAMPLE_RATE, abs=0.06 * SAMPLE_RATE)  # MP3 pads
    middle = wave[SAMPLE_RATE // 2 : 3 * SAMPLE_RATE // 2]
    assert peak_hertz(middle) == pytest.approx(440, abs=1.5)
    assert np.sqrt(np.mean(middle**2)) == pytest.approx(0.5 / np.sqrt(2), rel=0.05)
    info = listen(path)[0]
    assert info.sample_rate == rate and info.channels == channels


@pytest.mark.parametrize("ending", ["wav", "flac", "mp3", "ogg"])
@pytest.mark.parametrize("rate", [22050, 44100, 48000, 16000])
def test_a_crop_is_the_same_samples_as_in_the_whole_file(tmp_path, rate, ending):
    path = tmp_path / f"noise.{ending}"
    write_audio(path, (0.3 * np.random.default_rng(0).standard_normal((6 * rate, 2))).astype(np.float32), rate)
    whole = read_audio(path)
    for start in (0.0, 1.2345, 3.1):
        crop = read_audio(path, start, seconds=1.5)
        assert len(crop) == round(1.5 * SAMPLE_RATE)
        first = round(start * SAMPLE_RATE)
        np.testing.assert_allclose(crop, whole[first : first + len(crop)], atol=2e-6)


def test_a_wav_is_exact_to_16_bits_and_its_end_gives_what_is_there(tmp_path):
    write_audio(tmp_path / "a.wav", tone(1.0))
    np.testing.assert_allclose(read_audio(tmp_path / "a.wav"), tone(1.0), atol=1 / 32767)
    assert len(read_audio(tmp_path / "a.wav", start=0.75, seconds=1.0)) == pytest.approx(0.25 * SAMPLE_RATE, abs=1)
