import dataclasses

import numpy as np
import pytest
import torch

from mtt.config import SAMPLE_RATE
from mtt.data.audio import encode_audio, read_audio
from mtt.explain.curves import KeptRecording, count_tokens, tag_curves, token_blocks, token_times
from mtt.explain.recording import Recording, evaluating
from mtt.models import build_model
from mtt.models.frontend import MIN_FRAMES, score_windows
from mtt.models.transformer import CONTEXT_TOKENS
from tests.explain.planted import Level
from tests.tiny import TINY_MODEL

STEP = MIN_FRAMES * TINY_MODEL.hop  # samples from token to token
TOLERANCE = 1e-5


@pytest.fixture(scope="module")
def model():
    """Positions for 64 tokens (6 s), so that a recording of 20 s takes several blocks; batch normalisation that does something."""
    made = build_model(dataclasses.replace(TINY_MODEL, max_positions=64, layers=2), 3, seed=0)
    with torch.no_grad():
        made(torch.from_numpy(noise(8 * SAMPLE_RATE)).view(8, -1))
    made.tags, made.clip_seconds = ["a", "b", "c"], 2.0
    return made.eval()


def noise(samples: int) -> np.ndarray:
    """Noise that swells and fades, so that moments differ."""
    random = np.random.default_rng(0)
    return (random.standard_normal(samples) * 0.1 ** (1 + 2 * np.sin(np.arange(samples) / SAMPLE_RATE))).astype(np.float32)


def naive(model, wave: np.ndarray) -> np.ndarray:
    with torch.inference_mode():
        return torch.sigmoid(model(torch.from_numpy(np.ascontiguousarray(wave))[None]))[0].numpy()


def test_blocks_of_tokens_equal_one_pass(model):
    for seconds in (20.0, 5.9, 6.3, 0.01):
        wave = noise(int(seconds * SAMPLE_RATE))
        with evaluating(model):
            blocks = torch.cat(list(token_blocks(model, Recording(wave))))
            whole = model._front_end(model.check_mel(model.spectrogram(torch.from_numpy(wave)[None])))[0]
        assert blocks.shape == whole.shape == (count_tokens(model, len(wave)), 16)
        torch.testing.assert_close(blocks, whole, rtol=0, atol=TOLERANCE)


@pytest.mark.parametrize("hop", [0.5, 0.05, 7.0])
def test_curve_equals_the_naive_one_on_windows_cut_with_context(model, hop):
    wave = noise(20 * SAMPLE_RATE)
    curves = tag_curves(model, wave, window=3.0, hop=hop)
    length, total, context = count_tokens(model, 3 * SAMPLE_RATE), count_tokens(model, len(wave)), CONTEXT_TOKENS + 1
    places = np.round(np.arange(0, 17.1, hop) / model.seconds_per_token).astype(int)
    starts = np.unique(places[places <= total - length])
    np.testing.assert_allclose(curves.times, token_times(model, starts, length))
    for start, found in list(zip(starts, curves.probabilities, strict=True))[:: max(1, len(starts) // 8)]:
        first, last = max(0, start - context), start + length + context
        with torch.inference_mode():
            tokens = model.tokens(torch.from_numpy(wave[None, first * STEP : last * STEP]))
            expected = torch.sigmoid(model.score_tokens(tokens[:, start - first : start - first + length]))[0]
        np.testing.assert_allclose(found, expected, rtol=0, atol=TOLERANCE)
    assert np.ptp(curves.probabilities, axis=0).min() > 100 * TOLERANCE  # the curve moves far more than that


def test_tokens_away_from_a_window_s_borders_equal_those_of_the_cut_window(model):
    wave, start, length = noise(20 * SAMPLE_RATE), 40, 32
    with evaluating(model):
        track = torch.cat(list(token_blocks(model, Recording(wave))))[start : start + length]
        cut = model.tokens(torch.from_numpy(wave[None, start * STEP : (start + length) * STEP - 1]))[0]
    error = (track - cut).abs().amax(dim=1)
    assert error[CONTEXT_TOKENS:-CONTEXT_TOKENS].max() < TOLERANCE
    assert error[0] > 100 * TOLERANCE and error[-1] > 100 * TOLERANCE  # where the cut window knows less


def test_curve_is_near_that_of_cut_windows(model):
    wave = noise(20 * SAMPLE_RATE)
    curves = tag_curves(model, wave, window=5.0, hop=1.0)
    starts = np.round((curves.times - curves.times[0]) / model.seconds_per_token).astype(int) * STEP
    cut = np.stack([naive(model, wave[start : start + 5 * SAMPLE_RATE]) for start in starts])
    assert np.abs(curves.probabilities - cut).mean() < 0.2 * np.abs(cut - cut.mean(axis=0)).mean()


def test_times_are_centres_near_those_asked_for(model):
    curves = tag_curves(model, noise(20 * SAMPLE_RATE), window=3.0, hop=0.5)
    asked = 1.5 + 0.5 * np.arange(len(curves.times))
    assert len(curves.times) == 35 and np.abs(curves.times - asked).max() < model.seconds_per_token
    assert (curves.window, curves.hop, curves.tags) == (3.0, 0.5, ["a", "b", "c"])


@pytest.mark.parametrize("seconds", [0.01, 0.5, 1.9])
def test_what_is_shorter_than_a_window_gives_the_models_score_of_it(model, seconds):
    wave = noise(int(seconds * SAMPLE_RATE))
    curves = tag_curves(model, wave)
    assert curves.window == 2.0 and curves.times.shape == (1,)
    np.testing.assert_allclose(curves.probabilities[0], naive(model, wave), rtol=0, atol=1e-6)


def test_windows_of_more_tokens_than_positions_are_averaged_as_the_model_does(model):
    wave = noise(20 * SAMPLE_RATE)
    curves = tag_curves(model, wave, window=20.0)
    np.testing.assert_allclose(curves.probabilities[0], naive(model, wave), rtol=0, atol=TOLERANCE)
    longer = tag_curves(model, wave, window=10.0, hop=5.0)
    with evaluating(model):
        tokens = torch.cat(list(token_blocks(model, Recording(wave))))[None, : count_tokens(model, 10 * SAMPLE_RATE)]
        expected = torch.sigmoid(score_windows(model.score_tokens, tokens, 64, dim=1))[0]
    np.testing.assert_allclose(longer.probabilities[0], expected, rtol=0, atol=TOLERANCE)


def test_batches_do_not_change_the_curve_and_the_model_keeps_its_mode(model):
    wave = noise(12 * SAMPLE_RATE)
    model.train()
    one, many = tag_curves(model, wave, batch_size=1), tag_curves(model, wave, batch_size=50)
    assert model.training
    model.eval()
    np.testing.assert_allclose(one.probabilities, many.probabilities, rtol=0, atol=1e-5)
    np.testing.assert_array_equal(many.probabilities, tag_curves(model, wave, batch_size=50).probabilities)


@pytest.mark.parametrize("architecture", ["transformer", "fcn"])
def test_a_file_gives_what_its_samples_give(architecture, tmp_path):
    made = build_model(dataclasses.replace(TINY_MODEL, architecture=architecture, max_positions=64), 2, seed=0)
    path = tmp_path / "noise.wav"
    path.write_bytes(encode_audio(noise(15 * SAMPLE_RATE)))
    from_file, from_samples = (tag_curves(made, audio, 2.0, 1.0) for audio in (str(path), read_audio(path)))
    np.testing.assert_array_equal(from_file.times, from_samples.times)
    np.testing.assert_array_equal(from_file.probabilities, from_samples.probabilities)


def test_memory_does_not_grow_with_the_length_of_a_recording(model, monkeypatch, tmp_path):
    """What is read at a time, tokens kept and windows scored at a time are no more for four minutes than for one."""
    seen = {"samples": 0, "tokens": 0, "windows": 0}

    def noting(name, function, size):
        def noted(*arguments, **more):
            result = function(*arguments, **more)
            seen[name] = max(seen[name], size(result))
            return result

        return noted

    monkeypatch.setattr(Recording, "read", noting("samples", Recording.read, len))
    monkeypatch.setattr(torch, "cat", noting("tokens", torch.cat, lambda joined: joined.numel() if joined.ndim == 2 else 0))
    monkeypatch.setattr(model, "score_tokens", noting("windows", model.score_tokens, len))
    found = []
    for minutes in (1, 4):
        path = tmp_path / f"{minutes}.wav"
        path.write_bytes(encode_audio(np.tile(noise(60 * SAMPLE_RATE), minutes)))
        seen.update(dict.fromkeys(seen, 0))
        points = len(tag_curves(model, path, window=5.0, hop=0.5).times)
        assert points == pytest.approx(120 * minutes, abs=12)
        found.append(dict(seen))
    assert found[1]["samples"] == found[0]["samples"] < 10 * SAMPLE_RATE
    assert found[1]["tokens"] <= 1.2 * found[0]["tokens"] and found[1]["windows"] <= found[0]["windows"] + 1


def test_a_kept_recording_gives_the_same_curves_and_runs_the_front_end_once(model, monkeypatch):
    wave, runs = noise(15 * SAMPLE_RATE), []
    kept = KeptRecording(wave)
    front_end = model._front_end
    monkeypatch.setattr(model, "_front_end", lambda mel: runs.append(1) or front_end(mel))
    for window in (2.0, 5.0):
        once = tag_curves(model, kept, window)
        before = len(runs)
        np.testing.assert_array_equal(once.probabilities, tag_curves(model, kept, window).probabilities)
        assert len(runs) == before
        np.testing.assert_allclose(once.probabilities, tag_curves(model, wave, window).probabilities, rtol=0, atol=TOLERANCE)
    other = build_model(dataclasses.replace(TINY_MODEL, max_positions=64, layers=2), 3, seed=1).eval()
    assert not np.allclose(tag_curves(other, kept, 2.0).probabilities, tag_curves(model, kept, 2.0).probabilities)  # tokens of its own


def test_a_file_of_another_rate_has_no_seams(model, tmp_path):
    """Blocks are resampled one by one: half a sample of misplacement, which no tag hears."""
    path = tmp_path / "noise.wav"
    path.write_bytes(encode_audio(noise(15 * 44_100), 44_100))
    from_file, from_samples = (tag_curves(model, audio, 2.0, 0.5) for audio in (path, read_audio(path)))
    np.testing.assert_allclose(from_file.probabilities, from_samples.probabilities, rtol=0, atol=2e-3)


@pytest.mark.parametrize(("window", "hop"), [(1.0, 0.25), (0.5, 3.0)])
def test_other_models_score_cut_windows(window, hop):
    made = build_model(dataclasses.replace(TINY_MODEL, architecture="short_chunk_resnet"), 2, seed=0).eval()
    wave = noise(7 * SAMPLE_RATE)
    curves = tag_curves(made, wave, window, hop, batch_size=3)
    length = round(window * SAMPLE_RATE)
    starts = np.round(np.arange(0, 7 - window + 1e-9, hop) * SAMPLE_RATE).astype(int)
    np.testing.assert_allclose(curves.times, starts / SAMPLE_RATE + window / 2)
    np.testing.assert_allclose(curves.probabilities, [naive(made, wave[s : s + length]) for s in starts], rtol=0, atol=1e-5)


def test_a_known_curve_is_found():
    wave = np.zeros(4 * SAMPLE_RATE, dtype=np.float32)
    wave[SAMPLE_RATE : 2 * SAMPLE_RATE] = 0.5
    curves = tag_curves(Level(), wave, window=0.5, hop=0.5, tags=["quiet"])
    assert curves.tags == ["quiet"] and curves.probabilities.shape == (8, 1)
    expected = np.where((curves.times > 1) & (curves.times < 2), 1 / (1 + np.exp(0.25)), 0.5)
    np.testing.assert_allclose(curves.curve("quiet"), expected, atol=1e-6)


def test_tags_are_kept_in_the_order_asked_for(model):
    wave = noise(3 * SAMPLE_RATE)
    kept, every = tag_curves(model, wave, tags=["c", "a"]), tag_curves(model, wave)
    np.testing.assert_array_equal(kept.probabilities, every.probabilities[:, [2, 0]])
    np.testing.assert_array_equal(kept.curve("a"), every.curve("a"))
    with pytest.raises(ValueError, match="tag 'd' is not one of the model's; they are a, b, c"):
        tag_curves(model, wave, tags=["d"])


@pytest.mark.parametrize(
    ("arguments", "match"), [({"window": 0.0}, "window"), ({"hop": -1.0}, "hop"), ({"window": float("nan")}, "window")]
)
def test_windows_that_are_none(model, arguments, match):
    with pytest.raises(ValueError, match=f"{match} must be a number of seconds above 0"):
        tag_curves(model, noise(1000), **arguments)
    with pytest.raises(ValueError, match="batch_size must be at least 1"):
        tag_curves(model, noise(1000), batch_size=0)
