import dataclasses

import numpy as np
import pytest
import torch

from mtt.config import SAMPLE_RATE
from mtt.data import batches
from mtt.data.audio import AudioError, read_audio
from mtt.explain.curves import tag_curves
from mtt.explain.recording import HELD, Recording, count_tokens, token_times
from mtt.models import build_model
from mtt.models.frontend import MIN_FRAMES, evaluating, score_windows
from mtt.models.transformer import CONTEXT_TOKENS
from tests.explain.planted import noise
from tests.tiny import TINY_MODEL, encode_audio

STEP = MIN_FRAMES * TINY_MODEL.hop  # samples from token to token
TOLERANCE = 1e-5


def made(architecture: str = "transformer", seed: int = 0):
    """Positions for 64 tokens (6 s), so that a recording of 20 s takes several blocks; batch normalisation that does something."""
    model = build_model(dataclasses.replace(TINY_MODEL, architecture=architecture, max_positions=64, layers=2), 3, seed)
    with torch.no_grad():
        model(torch.from_numpy(noise(8)).view(8, -1))
    model.tags, model.clip_seconds = ["a", "b", "c"], 2.0
    return model.eval()


@pytest.fixture(scope="module")
def model():
    return made()


def naive(model, wave: np.ndarray) -> np.ndarray:
    with torch.inference_mode():
        return torch.sigmoid(model(torch.from_numpy(np.ascontiguousarray(wave))[None]))[0].numpy()


def tokens_of(model, wave: np.ndarray) -> torch.Tensor:
    with evaluating(model):
        return Recording(wave).tokens(model)


@pytest.mark.parametrize("seconds", [20.0, 5.9, 6.3, 0.01])
def test_blocks_of_tokens_equal_one_pass(model, seconds):
    wave = noise(seconds)
    with evaluating(model):
        whole = model._front_end(model.check_mel(model.spectrogram(torch.from_numpy(wave)[None])))[0]
    assert whole.shape == (count_tokens(model, len(wave)), 16)
    torch.testing.assert_close(tokens_of(model, wave), whole, rtol=0, atol=TOLERANCE)


@pytest.mark.parametrize("hop", [0.5, 0.05, 7.0])
def test_curve_equals_the_naive_one_on_windows_cut_with_context(model, hop):
    wave = noise(20)
    curves = tag_curves(model, wave, window=3.0, hop=hop)
    length, total, context = count_tokens(model, 3 * SAMPLE_RATE), count_tokens(model, len(wave)), CONTEXT_TOKENS + 1
    places = np.round(np.arange(0, 17.1, hop) / model.seconds_per_token).astype(int)
    starts = np.unique(places[places <= total - length])
    np.testing.assert_allclose(curves.times, token_times(model, starts, length))
    assert (curves.window, curves.hop, curves.tags) == (3.0, hop, ["a", "b", "c"])
    for start, found in list(zip(starts, curves.probabilities, strict=True))[:: max(1, len(starts) // 8)]:
        first, last = max(0, start - context), start + length + context
        with torch.inference_mode():
            tokens = model.tokens(torch.from_numpy(wave[None, first * STEP : last * STEP]))
            expected = torch.sigmoid(model.score_tokens(tokens[:, start - first : start - first + length]))[0]
        np.testing.assert_allclose(found, expected, rtol=0, atol=TOLERANCE)
    assert np.ptp(curves.probabilities, axis=0).min() > 100 * TOLERANCE  # the curve moves far more than that


@pytest.mark.parametrize("seconds", [0.01, 0.5, 1.9])
def test_what_is_shorter_than_a_window_gives_the_models_score_of_it(model, seconds):
    curves = tag_curves(model.train(), noise(seconds))  # in evaluation mode all the same
    assert curves.window == 2.0 and curves.times.shape == (1,) and model.training
    np.testing.assert_allclose(curves.probabilities[0], naive(model.eval(), noise(seconds)), rtol=0, atol=1e-6)


@pytest.mark.parametrize("window", [10.0, 20.0])
def test_windows_of_more_tokens_than_positions_are_averaged_as_the_model_does(model, window):
    tokens = tokens_of(model, noise(20))[None, : count_tokens(model, round(window * SAMPLE_RATE))]
    with evaluating(model):
        expected = torch.sigmoid(score_windows(model.score_tokens, tokens, 64, dim=1))[0]
    np.testing.assert_allclose(tag_curves(model, noise(20), window).probabilities[0], expected, rtol=0, atol=TOLERANCE)


@pytest.mark.parametrize(
    ("architecture", "rate", "tolerance"),
    [("transformer", SAMPLE_RATE, 0), ("fcn", SAMPLE_RATE, 0), ("transformer", 44_100, 2e-3)],  # blocks are resampled one by one
)
@pytest.mark.parametrize("held", [0, HELD])
def test_a_file_gives_what_its_samples_give(architecture, rate, tolerance, held, tmp_path, monkeypatch):
    monkeypatch.setattr("mtt.explain.recording.HELD", held)
    path = tmp_path / "noise.wav"
    path.write_bytes(encode_audio(noise(30), rate))
    from_file, from_samples = (tag_curves(made(architecture), audio, 2.0, 1.0) for audio in (str(path), read_audio(path)))
    np.testing.assert_array_equal(from_file.times, from_samples.times)
    np.testing.assert_allclose(from_file.probabilities, from_samples.probabilities, rtol=0, atol=tolerance)


@pytest.mark.parametrize(("architecture", "scoring"), [("transformer", "score_tokens"), ("fcn", "score_mel")])
def test_no_more_is_read_and_scored_at_a_time_of_a_longer_recording(architecture, scoring, monkeypatch, tmp_path):
    model, most, seen = made(architecture), [], {"samples": [], "windows": []}
    read, score = Recording.read, getattr(model, scoring)
    monkeypatch.setattr(Recording, "read", lambda *places: seen["samples"].append(len(wave := read(*places))) or wave)
    monkeypatch.setattr(model, scoring, lambda x: seen["windows"].append(len(x)) or score(x))
    for minutes in (1, 2):
        (tmp_path / "noise.wav").write_bytes(encode_audio(np.tile(noise(60), minutes)))
        assert len(tag_curves(model, tmp_path / "noise.wav", window=2.0, hop=1.0).times) == 60 * minutes - 1
        most.append({name: max(sizes) for name, sizes in seen.items()})
    assert most[0] == most[1] and most[0]["samples"] <= 50 * SAMPLE_RATE and most[0]["windows"] == 48


def test_a_recording_gives_the_same_curves_again_and_runs_the_front_end_once(model, monkeypatch):
    kept, runs, front_end = Recording(noise(15)), [], model._front_end
    monkeypatch.setattr(model, "_front_end", lambda mel: runs.append(1) or front_end(mel))
    once = tag_curves(model, kept)
    before = len(runs)
    np.testing.assert_array_equal(once.probabilities, tag_curves(model, kept).probabilities)
    longer = tag_curves(model, kept, 5.0)
    assert len(runs) == before
    np.testing.assert_array_equal(longer.probabilities, tag_curves(model, noise(15), 5.0).probabilities)
    assert not np.allclose(tag_curves(made(seed=1), kept).probabilities, once.probabilities)  # tokens of its own


def test_an_excerpt_that_a_cut_file_lacks_is_named(tmp_path):
    content = encode_audio(noise(3), format="FLAC")
    (tmp_path / "cut.flac").write_bytes(content[: len(content) // 2])  # its header promises more than there is
    recording = Recording(tmp_path / "cut.flac")
    assert len(recording.read()) == recording.samples < 2 * SAMPLE_RATE
    with pytest.raises(AudioError, match=r"cut\.flac: no such excerpt at 2\.0 s of 1\.\d s"):
        recording.read(2 * SAMPLE_RATE)


@pytest.mark.parametrize(("window", "hop"), [(1.0, 0.25), (0.5, 3.0)])
def test_other_models_score_cut_windows(window, hop, monkeypatch):
    monkeypatch.setattr(batches, "BATCH_SECONDS", 3 * window)
    model, wave = made("short_chunk_resnet"), noise(7)
    curves = tag_curves(model, wave, window, hop)
    starts = np.round(np.arange(0, 7 - window + 1e-9, hop) * SAMPLE_RATE).astype(int)
    expected = np.stack([naive(model, wave[start : start + round(window * SAMPLE_RATE)]) for start in starts])
    np.testing.assert_allclose(curves.times, starts / SAMPLE_RATE + window / 2)
    np.testing.assert_allclose(curves.probabilities, expected, rtol=0, atol=1e-5)
    np.testing.assert_array_equal(curves.curve("b"), curves.probabilities[:, 1])
    with pytest.raises(ValueError, match="tag 'd' is not one of the model's; they are a, b, c"):
        curves.curve("d")
