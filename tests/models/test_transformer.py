import pytest
import torch

from mtt.config import SAMPLE_RATE, ModelConfig
from mtt.models import build_model

CONFIG = ModelConfig(channels=4, width=16, heads=2, layers=3, max_positions=64)


@pytest.fixture(scope="module")
def model():
    return build_model(CONFIG, 5, seed=0).eval()


def noise(batch: int, samples: int) -> torch.Tensor:
    return 0.1 * torch.randn(batch, samples, generator=torch.Generator().manual_seed(0))


@torch.inference_mode()
def test_stages_compose_to_the_model(model):
    waveform = noise(2, 2 * SAMPLE_RATE)
    tokens = model.tokens(waveform)
    encoded = model.encode(tokens)
    frames = 1 + waveform.shape[1] // 512
    assert tokens.shape == (2, frames // 4, 16)
    assert encoded.shape == (2, 1 + frames // 4, 16)
    assert torch.equal(model.head(encoded[:, 0]), model(waveform))
    assert torch.equal(model.tokens(model.spectrogram(waveform)), tokens)
    assert model.seconds_per_token == pytest.approx(2048 / SAMPLE_RATE)


@pytest.mark.parametrize("frames", [65 * 4, 3 * 64 * 4, 150 * 4 + 3, 128 * 4 + 17])
@torch.inference_mode()
def test_tokens_in_pieces_equal_one_pass(model, frames):
    mel = model.spectrogram(noise(1, (frames - 1) * 512))
    assert mel.shape[-1] == frames
    pieces = model.tokens(mel)
    one_pass = model._front_end(mel)
    assert pieces.shape == one_pass.shape == (1, frames // 4, 16)
    torch.testing.assert_close(pieces, one_pass, rtol=0, atol=1e-5)


@torch.inference_mode()
def test_as_much_as_has_positions_is_seen_whole(model):
    longest = noise(1, model.max_frames * 512 - 1)
    tokens = model.tokens(longest)
    assert tokens.shape[1] == 64
    assert torch.equal(model(longest), model.score_tokens(tokens))
    assert model.tokens(noise(1, model.max_frames * 512)).shape[1] == 65


def test_too_many_tokens_for_one_encoding(model):
    with pytest.raises(ValueError, match="tokens: expected at most 64 of width 16, got 65 of width 16"):
        model.encode(torch.zeros(1, 65, 16))
