import dataclasses

import numpy as np
import pytest
import torch

from mtt.config import SAMPLE_RATE
from mtt.explain.attention import AttentionMaps, attention_curves, attention_maps
from mtt.explain.recording import Recording
from mtt.files import MttError
from mtt.models import build_model
from mtt.models.frontend import evaluating
from tests.explain.planted import noise
from tests.tiny import TINY_MODEL

LAYERS, HEADS, WIDTH = 3, 2, 16


@pytest.fixture(scope="module")
def model():
    return build_model(dataclasses.replace(TINY_MODEL, layers=LAYERS, max_positions=64), 3, seed=0).eval()


@torch.inference_mode()
def explicit_maps(model, tokens: torch.Tensor) -> np.ndarray:
    """softmax(Q K' / sqrt(d)) of tokens (n, width), layer by layer and head by head, from the weights alone."""
    x = torch.cat((model.cls_token[None], tokens)) + model.positions[0, : 1 + len(tokens)]
    maps, d = [], WIDTH // HEADS
    for layer in model.layers:
        q, k, _ = layer.to_qkv(layer.attention_norm(x)).split(WIDTH, dim=1)
        maps.append([torch.softmax(q[:, i : i + d] @ k[:, i : i + d].T / d**0.5, dim=1).numpy() for i in range(0, WIDTH, d)])
        x = layer(x[None])[0]
    return np.array(maps)


@pytest.fixture(scope="module")
def found(model) -> AttentionMaps:
    return attention_maps(model, noise(3.0), start=1.0, seconds=1.5)


def test_maps_are_the_softmax_that_the_weights_give_at_the_centres_of_the_frames(model, found):
    with evaluating(model):
        tokens = model.tokens(torch.from_numpy(noise(3.0)[None, SAMPLE_RATE : SAMPLE_RATE + round(1.5 * SAMPLE_RATE)]))[0]
    assert found.maps.shape == (LAYERS, HEADS, 17, 17) and found.maps.dtype == np.float32
    np.testing.assert_allclose(found.maps, explicit_maps(model, tokens), rtol=0, atol=1e-5)
    np.testing.assert_allclose(found.times, 1.0 + (1.5 * 512 + 2048 * np.arange(16)) / SAMPLE_RATE)


def test_views_of_the_maps(found):
    of_cls = found.maps[:, :, 0, 1:]
    np.testing.assert_array_equal(found.cls(1, 0), of_cls[1, 0])
    np.testing.assert_allclose(found.cls(), of_cls.mean(axis=(0, 1)), rtol=1e-6)
    np.testing.assert_allclose(found.cls(2), of_cls[2].mean(axis=0), rtol=1e-6)
    np.testing.assert_allclose(found.cls(head=1), of_cls[:, 1].mean(axis=0), rtol=1e-6)


def test_rollout_is_the_product_of_the_mixed_layers(found):
    product = np.eye(17)
    for layer in found.maps.astype(np.float64):
        product = (0.5 * layer.mean(axis=0) + 0.5 * np.eye(17)) @ product
    np.testing.assert_allclose(found.rollout(), product[0, 1:], rtol=0, atol=1e-6)
    assert not np.allclose(found.rollout(), found.cls(), atol=1e-3)


def test_more_than_the_model_sees_at_once_is_refused_and_its_excerpt_is_not(model):
    with pytest.raises(MttError, match=r"86 frames are more than the 64 that the model sees at once: give seconds of 6\.0 or less"):
        attention_maps(model, noise(8.0))
    assert attention_maps(model, noise(8.0), start=1.5, seconds=6.0).maps.shape[-1] == 65
    assert attention_maps(model, noise(8.0), start=7.0, seconds=60.0).maps.shape[-1] == 12  # what there is


def test_a_model_without_attention():
    with pytest.raises(MttError, match="FCN has no attention; give a MusicTaggingTransformer"):
        attention_maps(build_model(dataclasses.replace(TINY_MODEL, architecture="fcn"), 3, seed=0), noise(1.0))


@pytest.mark.parametrize(("window", "hop"), [(1.0, 0.3), (0.5, 2.0)])
def test_curves_are_the_mean_over_the_windows_that_hold_a_frame(model, window, hop):
    recording = Recording(noise(6.0))
    found = attention_curves(model, recording, window, hop)
    with evaluating(model):
        tokens = recording.tokens(model)
    length = (1 + round(window * SAMPLE_RATE) // 512) // 4
    starts = np.unique(np.round(np.arange(0, 6, hop) / model.seconds_per_token).astype(int))
    rows = []  # of every window, NaN where it is not
    for start in starts[starts <= len(tokens) - length]:
        maps = AttentionMaps(np.zeros(length), explicit_maps(model, tokens[start : start + length]))
        rows.append(np.full((LAYERS * HEADS + 2, len(tokens)), np.nan))
        of_heads = maps.maps[:, :, 0, 1:].reshape(-1, length)
        rows[-1][:, start : start + length] = length * np.vstack((of_heads, maps.rollout(), maps.cls(layer=-1)))
    held = np.flatnonzero(np.isfinite(rows).any(axis=(0, 1)))
    *heads, rollout, last_layer = np.nanmean(np.array(rows)[:, :, held], axis=0)
    np.testing.assert_allclose(found.times, (4 * held + 1.5) * 512 / SAMPLE_RATE)
    np.testing.assert_allclose(found.heads, np.reshape(heads, (LAYERS, HEADS, -1)), rtol=0, atol=1e-4)
    np.testing.assert_allclose(found.rollout, rollout, rtol=0, atol=1e-4)
    np.testing.assert_allclose(found.last_layer, last_layer, rtol=0, atol=1e-4)
