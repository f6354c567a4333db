import dataclasses

import numpy as np
import pytest
import torch

from mtt.config import SAMPLE_RATE
from mtt.data.audio import AudioError
from mtt.explain.attention import AttentionMaps, attention_curves, attention_maps
from mtt.explain.recording import Recording, evaluating
from mtt.files import MttError
from mtt.models import build_model
from tests.explain.planted import noise
from tests.tiny import TINY_MODEL

LAYERS, HEADS, WIDTH = 3, 2, 16


@pytest.fixture(scope="module")
def model():
    return build_model(dataclasses.replace(TINY_MODEL, layers=LAYERS, max_positions=64), 3, seed=0)


def layer_norm(x: np.ndarray, norm: torch.nn.LayerNorm) -> np.ndarray:
    scaled = (x - x.mean(-1, keepdims=True)) / np.sqrt(x.var(-1, keepdims=True) + 1e-5)
    return scaled * norm.weight.detach().numpy() + norm.bias.detach().numpy()


def explicit_maps(model, tokens: np.ndarray) -> np.ndarray:
    """Attention from the weights alone, head by head, in float64: softmax(Q K' / sqrt(d))."""
    weights = {name: value.double().numpy() for name, value in model.state_dict().items()}
    x = np.concatenate([weights["cls_token"][None], tokens]) + weights["positions"][0, : 1 + len(tokens)]
    maps, d = [], WIDTH // HEADS
    for number, layer in enumerate(model.layers):
        own = {name.removeprefix(f"layers.{number}."): value for name, value in weights.items() if name.startswith(f"layers.{number}.")}
        q, k, v = np.split(layer_norm(x, layer.attention_norm) @ own["to_qkv.weight"].T, 3, axis=1)
        heads, attended = [], []
        for head in range(HEADS):
            part = slice(head * d, (head + 1) * d)
            scores = np.exp(q[:, part] @ k[:, part].T / np.sqrt(d))
            heads.append(scores / scores.sum(axis=1, keepdims=True))
            attended.append(heads[-1] @ v[:, part])
        maps.append(heads)
        x = x + np.concatenate(attended, axis=1) @ own["to_out.weight"].T + own["to_out.bias"]
        hidden = torch.from_numpy(layer_norm(x, layer.mlp_norm) @ own["mlp.0.weight"].T + own["mlp.0.bias"])
        x = x + torch.nn.functional.gelu(hidden).numpy() @ own["mlp.3.weight"].T + own["mlp.3.bias"]
    return np.array(maps)


@pytest.fixture(scope="module")
def found(model) -> AttentionMaps:
    return attention_maps(model, noise(3.0), start=1.0, seconds=1.5)


def test_maps_are_the_softmax_that_the_weights_give_at_the_centres_of_the_frames(model, found):
    with evaluating(model):
        tokens = model.tokens(torch.from_numpy(noise(3.0)[None, SAMPLE_RATE : SAMPLE_RATE + round(1.5 * SAMPLE_RATE)]))[0].double().numpy()
    assert found.maps.shape == (LAYERS, HEADS, 17, 17) and found.maps.dtype == np.float32
    np.testing.assert_allclose(found.maps, explicit_maps(model, tokens), rtol=0, atol=1e-5)
    np.testing.assert_allclose(found.times, 1.0 + (1.5 * 512 + 2048 * np.arange(16)) / SAMPLE_RATE)


def test_views_of_the_maps(found):
    np.testing.assert_array_equal(found.cls(1, 0), found.maps[1, 0, 0, 1:])
    np.testing.assert_array_equal(found.between_frames(-1, 1), found.maps[2, 1, 1:, 1:])
    np.testing.assert_allclose(found.cls(), found.maps[:, :, 0, 1:].mean(axis=(0, 1)), rtol=1e-6)
    np.testing.assert_allclose(found.cls(layer=2), found.maps[2, :, 0, 1:].mean(axis=0), rtol=1e-6)
    np.testing.assert_allclose(found.cls(head=1), found.maps[:, 1, 0, 1:].mean(axis=0), rtol=1e-6)


def test_rollout_is_the_product_of_the_mixed_layers(found):
    product = np.eye(17)
    for layer in found.maps.astype(np.float64):
        product = (0.5 * layer.mean(axis=0) + 0.5 * np.eye(17)) @ product
    np.testing.assert_allclose(found.rollout(), product[0, 1:], rtol=0, atol=1e-6)
    assert not np.allclose(found.rollout(), found.cls(), atol=1e-3)


def test_rollout_by_hand():
    """Two layers over CLS and two frames: CLS looks at frame 1, frame 1 looks at frame 2."""
    first = np.array([[1, 0, 0], [0, 0, 1], [0, 0, 1]], dtype=np.float32)
    second = np.array([[0, 1, 0], [0, 1, 0], [0, 0, 1]], dtype=np.float32)
    maps = AttentionMaps(np.arange(2.0), np.stack([first, second])[:, None])
    # second: half stays at CLS, half goes to frame 1; first: of that, half stays at frame 1 and half goes to frame 2.
    np.testing.assert_allclose(maps.rollout(), [0.25, 0.25])


def test_more_than_the_model_sees_at_once_is_refused_and_its_excerpt_is_not(model):
    wave = noise(8.0)
    with pytest.raises(MttError, match=r"86 frames are more than the 64 that the model sees at once: give seconds of 6\.0 or less"):
        attention_maps(model, wave)
    assert attention_maps(model, wave, start=1.5, seconds=6.0).maps.shape[-1] == 65
    assert attention_maps(model, wave, start=7.0, seconds=60.0).maps.shape[-1] == 12  # what there is


@pytest.mark.parametrize("excerpt", [{"start": 2.0}, {"start": -1.0}, {"start": 0.5, "seconds": 0.0}, {"start": 0.5, "seconds": -1.0}])
def test_an_excerpt_outside_the_recording(model, excerpt):
    with pytest.raises(AudioError, match=rf"no such excerpt at {excerpt['start']:.1f} s of 1\.0 s"):
        attention_maps(model, noise(1.0), **excerpt)


def test_a_model_without_attention():
    with pytest.raises(MttError, match="FCN has no attention; give a MusicTaggingTransformer"):
        attention_maps(build_model(dataclasses.replace(TINY_MODEL, architecture="fcn"), 3, seed=0), noise(1.0))


@pytest.mark.parametrize(("window", "hop"), [(1.0, 0.3), (0.5, 2.0)])
def test_curves_are_the_mean_over_the_windows_that_hold_a_frame(model, window, hop):
    recording = Recording(noise(9.0))
    found = attention_curves(model, recording, window, hop)
    length = (1 + round(window * SAMPLE_RATE) // 512) // 4
    with evaluating(model):
        tokens = recording.tokens(model).double().numpy()
    held: dict[int, list] = {}
    for start in np.unique(np.round(np.arange(0, 9, hop) / model.seconds_per_token).astype(int)):
        if start + length <= len(tokens):
            maps = AttentionMaps(np.zeros(length), explicit_maps(model, tokens[start : start + length]))
            rows = length * np.concatenate((maps.maps[:, :, 0, 1:].reshape(-1, length), maps.cls(layer=-1)[None], maps.rollout()[None]))
            for place in range(length):
                held.setdefault(start + place, []).append(rows[:, place])
    *heads, last, rollout = np.transpose([np.mean(held[frame], axis=0) for frame in sorted(held)])
    np.testing.assert_allclose(found.times, (4 * np.array(sorted(held)) + 1.5) * 512 / SAMPLE_RATE)
    np.testing.assert_allclose(found.heads, np.reshape(heads, (LAYERS, HEADS, -1)), rtol=0, atol=1e-4)
    np.testing.assert_allclose(found.last_layer, last, rtol=0, atol=1e-4)
    np.testing.assert_allclose(found.rollout, rollout, rtol=0, atol=1e-4)
