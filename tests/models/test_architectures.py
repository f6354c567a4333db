"""What every architecture must do: published size, any length, batches, determinism, gradients, precision, being kept."""

from dataclasses import replace

import pytest
import torch
from torch.nn.functional import binary_cross_entropy_with_logits as cross_entropy

from mtt.config import SAMPLE_RATE, ModelConfig
from mtt.models import MODELS, Musicnn, MusicTaggingTransformer, SampleCNN, build_model, load_model, save_model
from mtt.models.frontend import MelTaggingModel, ResidualBlock
from mtt.models.musicnn import PATCH
from mtt.settings import SettingsError
from tests.tiny import TINY_MODEL

SMALL = replace(TINY_MODEL, layers=2, max_positions=64, dropout=0.0)
PUBLISHED = [  # width, parameters, seconds of a clip
    ("transformer", 256, 4_567_732, 10.0),
    ("short_chunk_resnet", 256, 12_104_244, 3.69),
    ("fcn", 256, 447_732, 29.1),
    ("crnn", 32, 394_100, 29.1),
    ("sample_cnn", 256, 1_869_874, 2.68),
]


def clips(batch: int, seconds: float, seed: int = 0) -> torch.Tensor:
    """Tones of random pitch that change every half second, and a little noise."""
    generator = torch.Generator().manual_seed(seed)
    time = torch.arange(max(1, round(seconds * SAMPLE_RATE))) / SAMPLE_RATE
    hertz = 100 * 40 ** torch.rand(batch, int(2 * time[-1]) + 1, generator=generator)
    tones = torch.sin(2 * torch.pi * hertz[:, (2 * time).long()] * time)
    return 0.3 * tones + 0.02 * torch.randn(tones.shape, generator=generator)


@pytest.fixture(scope="module", params=sorted(MODELS))
def architecture(request):
    return request.param


@pytest.fixture(scope="module")
def model(architecture):
    """In eval mode, with running statistics of the input: without them an untrained deep stack gives a constant."""
    model = build_model(replace(SMALL, architecture=architecture), 5, seed=0)
    for module in model.modules():
        if isinstance(module, torch.nn.BatchNorm1d | torch.nn.BatchNorm2d):
            module.momentum = 1.0
    with torch.inference_mode():
        model(clips(8, 3.0, seed=9))
    return model.eval()


@pytest.mark.parametrize(("name", "width", "parameters", "seconds"), PUBLISHED)
def test_published_sizes(name, width, parameters, seconds):
    model = build_model(ModelConfig(architecture=name, width=width), 50, seed=0)
    assert sum(p.numel() for p in model.parameters()) == parameters
    assert round(model.native_seconds, 2) == seconds and model.clip_seconds == model.native_seconds


@pytest.mark.parametrize("seconds", [1 / SAMPLE_RATE, 0.01, 0.1, 1.0, 6.0, 13.0])
@torch.inference_mode()
def test_any_length_and_silence(model, seconds):
    for waveform in (clips(1, seconds), torch.zeros(1, round(seconds * SAMPLE_RATE))):
        logits = model(waveform)
        assert (logits.shape, logits.dtype) == ((1, 5), torch.float32)
        assert torch.isfinite(logits).all()


@torch.inference_mode()
def test_a_clip_alone_equals_the_clip_in_a_batch_and_decides_its_logits(model):
    batch = clips(3, 2.0)
    logits = model(batch)
    torch.testing.assert_close(model(batch[1:2]), logits[1:2], rtol=0, atol=2e-5)
    assert (logits[0] - logits[1]).abs().max() > 1e-3


@torch.inference_mode()
def test_long_input_is_the_mean_probability_of_windows(model):
    waveform = clips(2, 9.0)  # more than 64 positions, less than 128
    if isinstance(model, SampleCNN):
        score, parts = model, waveform.tensor_split(2, dim=1)
    elif isinstance(model, MusicTaggingTransformer):
        score, parts = model.score_tokens, model.tokens(waveform).tensor_split(2, dim=1)
    elif isinstance(model, Musicnn):  # whose windows are the patches it learned from
        waveform = clips(2, 12.5)
        score, parts = model.from_mel, model.spectrogram(waveform)[..., : 2 * PATCH].split(PATCH, dim=2)
    else:
        score, parts = model.from_mel, model.spectrogram(waveform).tensor_split(2, dim=2)
    expected = torch.stack([score(part).sigmoid() for part in parts]).mean(dim=0)
    torch.testing.assert_close(model(waveform).sigmoid(), expected, rtol=0, atol=1e-6)
    assert (score(parts[0]) - score(parts[1])).abs().max() > 1e-3


@torch.inference_mode()
def test_features_are_what_the_last_layer_is_given(model):
    waveform = clips(2, 2.0)
    torch.testing.assert_close(model.head[-1](model.features(waveform)), model(waveform))
    assert not model.head[-1]._forward_pre_hooks


@torch.inference_mode()
def test_from_mel_equals_the_waveform_path(model):
    if not isinstance(model, MelTaggingModel):
        return
    waveform = clips(2, 2.0)
    mel = model.spectrogram(waveform)
    assert torch.equal(model.from_mel(mel), model(waveform))
    torch.testing.assert_close(model.score_mel(mel), model(waveform))
    assert model.from_mel(torch.zeros(1, 32, 1)).shape == (1, 5)
    with pytest.raises(ValueError, match="expected 32 mel bands, got 96"):
        model.from_mel(torch.zeros(1, 96, 10))


def test_wrong_waveforms_are_named(model):
    for bad in (torch.zeros(SAMPLE_RATE), torch.zeros(1, 0), torch.zeros(1, 100, dtype=torch.int16)):
        with pytest.raises(ValueError, match=r"waveform: expected a non-empty float tensor \(batch, samples\), got"):
            model(bad)


def test_a_seed_fixes_the_weights_and_leaves_the_global_state(architecture):
    config = replace(SMALL, architecture=architecture)
    torch.manual_seed(1)
    state = torch.get_rng_state()
    first = build_model(config, 5, seed=7).state_dict()
    assert torch.equal(torch.get_rng_state(), state)
    torch.manual_seed(2)
    again, other = (build_model(config, 5, seed=s).state_dict() for s in (7, 8))
    assert all(torch.equal(first[name], again[name]) for name in first)
    assert any(not torch.equal(first[name], other[name]) for name in first)


def test_gradients_are_bit_identical_and_reach_every_parameter(architecture):
    found = []
    for _ in range(2):
        model = build_model(replace(SMALL, architecture=architecture), 5, seed=0)
        cross_entropy(model(clips(4, 3.0)), torch.eye(4, 5)).backward()
        found.append([parameter.grad for parameter in model.parameters()])
    assert all(torch.equal(a, b) for a, b in zip(*found, strict=True))
    for (name, _), gradient in zip(model.named_parameters(), found[0], strict=True):
        assert torch.isfinite(gradient).all(), name
        # A bias before batch normalisation is subtracted again, and a key's share of a softmax can vanish: not others.
        if "conv" not in name or "weight" in name:
            assert gradient.abs().max() > 0, name


@torch.inference_mode()
def test_bfloat16_is_close_to_float32(model):
    waveform = clips(2, 3.0)
    with torch.autocast("cpu", torch.bfloat16):
        fast = model(waveform)
    assert fast.dtype == torch.float32
    torch.testing.assert_close(fast.sigmoid(), model(waveform).sigmoid(), rtol=0, atol=0.03)


def test_a_saved_model_comes_back_bit_identical(architecture, tmp_path):
    model = build_model(replace(SMALL, architecture=architecture), 3, seed=3)
    model(clips(2, 1.0))  # moves the running statistics
    save_model(model, tmp_path, ["rock", "pop", "jazz"], {"stage": "teacher", "clip_seconds": 3.0})
    again = load_model(tmp_path)
    assert not again.training
    assert (again.tags, again.config, again.clip_seconds) == (["rock", "pop", "jazz"], model.config, 3.0)
    before, after = model.state_dict(), again.state_dict()
    assert before.keys() == after.keys()
    assert all(torch.equal(before[name], after[name]) for name in before)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"heads": 3}, "heads: 3 does not divide width 16"),
        ({"n_mels": 7}, "n_mels: expected at least 8"),
        ({"architecture": "fcn", "channels": 5}, "channels: expected an even number"),
        ({"architecture": "crnn", "channels": 5}, "channels: expected an even number"),
        ({"architecture": "musicnn", "channels": 2}, "channels: expected at least 3"),
        ({"architecture": "musicnn", "sample_rate": 44_100}, "sample_rate: expected 22050 Hz, or 16000"),
    ],
)
def test_settings_that_make_no_model(changes, message):
    with pytest.raises(SettingsError, match=message):
        build_model(replace(SMALL, **changes), 5)
    if "architecture" not in changes:  # what the Transformer cannot have is nothing to another model
        build_model(replace(SMALL, architecture="short_chunk_resnet", **changes), 5)


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
