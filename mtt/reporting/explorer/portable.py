"""A Music Tagging Transformer as a page carries it and runs it itself (``templates/model.js``), equal to PyTorch to 1e-3.

Conventions: weights are base64, little-endian: of each tensor first a step (float32) for each of its rows (one for a vector), then 16-bit
integers that count these steps: the room of float16, and ten times as exact (tag curves of the full student differ by 2e-4, not by 2e-3).
Batch normalisation is part of the convolutions, but for that of the input: zeros are put around an image that is normalised already.
"""

import base64
from collections.abc import Iterator, Mapping

import numpy as np
import torch
from torch import Tensor, nn

from mtt.config import SAMPLE_RATE
from mtt.explain.attention import DRAWS
from mtt.explain.recording import tag_names
from mtt.explain.tagging import CLIPS
from mtt.files import MttError
from mtt.models.frontend import TaggingModel
from mtt.models.transformer import MusicTaggingTransformer
from mtt.reporting.explorer.scenes import HOP

MOST_PARAMETERS = 3_000_000  # of a page's models together: 8 MB of text, which can be mailed and opens at once
STEPS = 32_760  # to the largest number of a row; short of 32 767, as steps are rounded
TINY = 1e-30  # instead of a step of 0
SETTINGS = ("n_fft", "hop", "n_mels", "sample_rate", "channels", "width", "heads", "layers", "max_positions")


def portable_models(models: Mapping[str, TaggingModel]) -> list[dict]:
    """What the page's script reads of each model, by the names given. Raises ``MttError`` where one cannot run there."""
    for name, model in models.items():
        if fault := why_not_portable(model):
            raise MttError(f"{name}: {fault}")
    if (total := sum(map(_size, models.values()))) > MOST_PARAMETERS:
        raise MttError(f"{total:,} parameters together, more than the {MOST_PARAMETERS:,} that a page carries: give fewer models")
    return [_encode(name, model) for name, model in models.items()]


def why_not_portable(model: TaggingModel) -> str:
    """The reason why a page cannot run ``model``, with the remedy; empty where it can."""
    if not isinstance(model, MusicTaggingTransformer):
        return f"a page runs the {MusicTaggingTransformer.label} alone, and this is a {model.label}: give another model"
    config = model.config
    if config.n_fft & (config.n_fft - 1) or config.sample_rate != SAMPLE_RATE:
        heard = f"spectra of {config.n_fft} samples at {config.sample_rate} Hz"
        return f"a page makes spectra of 2, 4, 8, … samples at {SAMPLE_RATE} Hz, not {heard}: give a model trained so"
    if _size(model) > MOST_PARAMETERS:
        shape = f"channels {config.channels}, width {config.width}, {config.layers} layers"
        made = f"its {_size(model):,} parameters ({shape}) make a page of {_size(model) * 8 / 3e6:.0f} MB that takes minutes a song"
        return f"{made}: at most {MOST_PARAMETERS:,} will do, such as width 64 beside channels 128, or a student of lesser width"
    return ""


def _size(model: nn.Module) -> int:
    return sum(parameter.numel() for parameter in model.parameters())


def _encode(name: str, model: MusicTaggingTransformer) -> dict:
    """Settings as in ``ModelConfig``, the rules of tagging and explaining, and the weights."""
    shift, gain = (value.item() for value in _normalisation(model.input_bn))
    shapes, pieces = [], []
    for key, tensor in _tensors(model):
        values = tensor.detach().cpu().double().numpy()
        rows = values.reshape(len(values) if values.ndim > 1 else 1, -1)
        steps = np.maximum(np.abs(rows).max(axis=1, keepdims=True) / STEPS, TINY).astype("<f4")
        shapes.append([key, list(values.shape)])
        pieces += [steps.tobytes(), np.rint(rows / steps).astype("<i2").tobytes()]
    return {
        "name": name,
        "tags": tag_names(model),
        **{setting: getattr(model.config, setting) for setting in SETTINGS},
        **{"clip_seconds": float(model.clip_seconds), "clips": CLIPS, "step": HOP, "draws": DRAWS},
        **{"gain": gain, "shift": shift, "tensors": shapes},
        "weights": base64.b64encode(b"".join(pieces)).decode("ascii"),
    }


def _tensors(model: MusicTaggingTransformer) -> Iterator[tuple[str, Tensor]]:
    """Each tensor by its name in the model's state, those of a convolution with the normalisation behind it."""
    for index, block in enumerate(model.blocks):
        for place in (1, 2, 3) if block.projects else (1, 2):
            conv = getattr(block, f"conv_{place}")
            shift, gain = _normalisation(getattr(block, f"bn_{place}"))
            yield f"blocks.{index}.conv_{place}.weight", conv.weight.double() * gain[:, None, None, None]
            yield f"blocks.{index}.conv_{place}.bias", conv.bias.double() * gain + shift
    for key, tensor in model.state_dict().items():
        if not key.startswith(("blocks.", "input_bn.")):
            yield key, tensor[0] if key == "positions" else tensor


def _normalisation(norm: nn.BatchNorm2d) -> tuple[Tensor, Tensor]:
    """``norm(x)`` is ``gain * x + shift`` in evaluation: (shift, gain), float64, of each channel."""
    gain = norm.weight.double() / torch.sqrt(norm.running_var.double() + norm.eps)
    return norm.bias.double() - norm.running_mean.double() * gain, gain
