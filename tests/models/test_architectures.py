"""What every architecture must do: published size, any length, batches, determinism, gradients, precision."""

from __future__ import annotations

import dataclasses

import pytest
import torch

from mtt.config import ARCHITECTURES, SAMPLE_RATE, ModelConfig
from mtt.models import CRNN, FCN, MusicTaggingTransformer, SampleCNN, ShortChunkResNet, build_model
from mtt.models.build import MODELS
from mtt.models.frontend import ResidualBlock

PUBLISHED = [
    ("transformer", 256, 4_567_732),
    ("transformer", 64, 1_108_852),
    ("short_chunk_resnet", 256, 12_104_244),
    ("fcn", 256, 447_732),
    ("crnn", 32, 394_100),
    ("sample_cnn", 256, 1_869_874),
]


def small(architecture: str, **changes) -> ModelConfig:
    config = ModelConfig(architecture=architecture, channels=4, width=16, heads=2, layers=2, max_positions=64)
    return dataclasses.replace(config, **changes)


def clips(batch: int, seconds: float, seed: int = 0) -> torch.Tensor:
    """Tones of random pitch that change every half second, and a little noise."""
    generator = torch.Generator().manual_seed(seed)
    time = torch.arange(max(1, round(seconds * SAMPLE_RATE))) / SAMPLE_RATE
    hertz = 100 * 40 ** torch.rand(batch, int(2 * time[-1]) + 1, generator=generator)
    tones = torch.sin(2 * torch.pi * hertz[:, (2 * time).long()] * time)
    return 0.3 * tones + 0.02 * torch.randn(tones.shape, generator=generator)


@pytest.fixture(scope="module", params=ARCHITECTURES)
def architecture(request):
    return request.param


@pytest.fixture(scope="module")
def model(architecture):
    """In eval mode, with running statistics of the input: without them an untrained deep stack gives a constant."""
    model = build_model(small(architecture, dropout=0.0), 5, seed=0)
    for module in model.modules():
        if isinstance(module, torch.nn.BatchNorm1d | torch.nn.BatchNorm2d):
            module.momentum = 1.0
    with torch.inference_mode():
        model(clips(8, 3.0, seed=9))
    return model.eval()


def test_every_architecture_has_a_class():
    assert set(MODELS) == set(ARCHITECTURES)


@pytest.mark.parametrize(("name", "width", "parameters"), PUBLISHED)
def test_parameters_at_the_published_size(name, width, parameters):
    model = build_model(ModelConfig(architecture=name, width=width), 50, seed=0)
    assert sum(p.numel() for p in model.parameters()) == parameters


def test_native_seconds():
    seconds = {c: c.native_seconds for c in (MusicTaggingTransformer, ShortChunkResNet, FCN, CRNN, SampleCNN)}
    assert [round(s, 2) for s in seconds.values()] == [10.0, 3.69, 29.1, 29.1, 2.68]


@pytest.mark.parametrize("seconds", [1 / SAMPLE_RATE, 0.01, 0.1, 1.0, 47.5, 60.0])
@torch.inference_mode()
def test_any_length(model, seconds):
    logits = model(clips(1, seconds))
    assert logits.shape == (1, 5)
    assert logits.dtype == torch.float32
    assert torch.isfinite(logits).all()


@torch.inference_mode()
def test_silence_is_scored(model):
    assert torch.isfinite(model(torch.zeros(2, SAMPLE_RATE))).all()


@torch.inference_mode()
def test_a_clip_alone_equals_the_clip_in_a_batch(model):
    batch = clips(3, 2.0)
    torch.testing.assert_close(model(batch[1:2]), model(batch)[1:2], rtol=0, atol=2e-5)


@torch.inference_mode()
def test_the_waveform_decides_the_logits(model):
    a, b = model(clips(1, 2.0, seed=1)), model(clips(1, 2.0, seed=2))
    assert (a - b).abs().max() > 1e-3


@torch.inference_mode()
def test_long_input_is_the_mean_probability_of_windows(model):
    waveform = clips(2, 9.0)  # more than 64 positions, less than 128
    if isinstance(model, SampleCNN):
        score, parts = model, waveform.tensor_split(2, dim=1)
    elif isinstance(model, MusicTaggingTransformer):
        score, parts = model.score_tokens, model.tokens(waveform).tensor_split(2, dim=1)
    else:
        score, parts = model.from_mel, model.spectrogram(waveform).tensor_split(2, dim=2)
    expected = torch.stack([score(part).sigmoid() for part in parts]).mean(dim=0)
    torch.testing.assert_close(model(waveform).sigmoid(), expected, rtol=0, atol=1e-6)
    assert (score(parts[0]) - score(parts[1])).abs().max() > 1e-3


@torch.inference_mode()
def test_from_mel_equals_the_waveform_path(model):
    if isinstance(model, SampleCNN):
        assert not hasattr(model, "spectrogram")
        return
    waveform = clips(2, 3.0)
    assert torch.equal(model.from_mel(model.spectrogram(waveform)), model(waveform))
    assert model.from_mel(torch.zeros(1, 128, 1)).shape == (1, 5)
    with pytest.raises(ValueError, match="expected 128 mel bands, got 96"):
        model.from_mel(torch.zeros(1, 96, 10))


def test_wrong_waveform_is_named(model):
    with pytest.raises(ValueError, match=r"waveform: expected a non-empty float tensor \(batch, samples\)"):
        model(torch.zeros(SAMPLE_RATE))


def test_a_seed_fixes_the_weights_and_leaves_the_global_state(architecture):
    torch.manual_seed(1)
    state = torch.get_rng_state()
    first = build_model(small(architecture), 5, seed=7).state_dict()
    assert torch.equal(torch.get_rng_state(), state)
    torch.manual_seed(2)
    again, other = (build_model(small(architecture), 5, seed=s).state_dict() for s in (7, 8))
    assert all(torch.equal(first[name], again[name]) for name in first)
    assert any(not torch.equal(first[name], other[name]) for name in first)


def test_training_steps_are_bit_identical(architecture):
    def gradients() -> list[torch.Tensor]:
        model = build_model(small(architecture, dropout=0.0), 5, seed=0)
        torch.nn.functional.binary_cross_entropy_with_logits(model(clips(3, 1.0)), torch.ones(3, 5)).backward()
        return [p.grad for p in model.parameters()]

    assert all(torch.equal(a, b) for a, b in zip(gradients(), gradients(), strict=True))


def test_gradients_reach_every_parameter(architecture):
    model = build_model(small(architecture, dropout=0.0), 5, seed=0)
    labels = torch.eye(4, 5)
    torch.nn.functional.binary_cross_entropy_with_logits(model(clips(4, 3.0)), labels).backward()
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None, name
        assert torch.isfinite(parameter.grad).all(), name
        # A bias before batch normalisation is subtracted again, and a key's share of a softmax can vanish: not others.
        if "conv" not in name or "weight" in name:
            assert parameter.grad.abs().max() > 0, name


@torch.inference_mode()
def test_bfloat16_is_close_to_float32(model):
    waveform = clips(2, 3.0)
    with torch.autocast("cpu", torch.bfloat16):
        fast = model(waveform)
    assert fast.dtype == torch.float32
    torch.testing.assert_close(fast.sigmoid(), model(waveform).sigmoid(), rtol=0, atol=0.03)


def test_convolutions_are_channels_last(model):
    weights = [p for p in model.parameters() if p.ndim == 4 and min(p.shape[:2]) > 1]
    assert weights
    assert all(w.is_contiguous(memory_format=torch.channels_last) for w in weights)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"architecture": "vgg"}, "architecture: 'vgg' is unknown, choose one of transformer"),
        ({"heads": 3}, "heads: 3 does not divide width 16"),
        ({"channels": 0}, "channels: expected a whole number of at least 1, got 0"),
        ({"width": 16.0}, "width: expected a whole number"),
        ({"dropout": 1.0}, "dropout: expected a number from 0 to below 1"),
        ({"architecture": "fcn", "channels": 5}, "channels: expected an even number"),
    ],
)
def test_settings_that_make_no_model(changes, message):
    with pytest.raises(ValueError, match=message):
        build_model(dataclasses.replace(small("transformer"), **changes), 5)


def test_no_tags():
    with pytest.raises(ValueError, match="n_tags: expected at least 1, got 0"):
        build_model(small("fcn"), 0)


@pytest.mark.parametrize("frames", [1, 2, 3, 5])
def test_bfloat16_gradients_of_strided_convolutions_are_those_of_float32(frames):
    """oneDNN leaves parts of the weight gradient unwritten for narrow images; memory is filled with NaN first, so that it would show."""
    block = ResidualBlock(8, 16, stride=2).to(memory_format=torch.channels_last)
    for seed in range(20):
        image = torch.randn(4, 8, 4, frames, generator=torch.Generator().manual_seed(seed)).to(memory_format=torch.channels_last)
        gradients = []
        for enabled in (True, False):
            block.zero_grad()
            junk = [torch.full((size,), torch.nan) for size in (100, 1000, 10_000, 100_000)]
            del junk
            with torch.autocast("cpu", torch.bfloat16, enabled=enabled):
                loss = block(image).float().square().mean()
            loss.backward()
            gradients.append(torch.cat([block.conv_1.weight.grad.flatten(), block.conv_3.weight.grad.flatten()]))
        assert torch.isfinite(gradients[0]).all()
        assert (gradients[0] - gradients[1]).norm() < 0.5 * gradients[1].norm()  # unwritten memory is off by powers of ten
