"""From a configuration to a model."""

import torch
from torch import Tensor

from mtt.config import ModelConfig
from mtt.models.frontend import MODELS, TaggingModel
from mtt.settings import SettingsError

MAX_NUMBERS = 10**9  # in a model: 200 times the published one


def check_config(config: ModelConfig) -> None:
    """Raise ``SettingsError``, naming the field, where no model can be built from ``config``. No memory is asked for."""
    if config.architecture not in MODELS:
        raise SettingsError(f"architecture: {config.architecture!r} is unknown, choose one of {', '.join(MODELS)}")
    if config.hop > config.n_fft:
        raise SettingsError(f"hop: {config.hop} samples are more than a window of n_fft, {config.n_fft}: what lies between is not heard")
    if config.n_mels > config.n_fft // 2:
        raise SettingsError(f"n_mels: {config.n_mels} bands are too many for n_fft {config.n_fft}; at most half of it")
    MODELS[config.architecture].check(config)
    if (numbers := sum(tensor.numel() for tensor in outline(config, 1).values())) > MAX_NUMBERS:
        sizes = f"channels {config.channels}, width {config.width}, layers {config.layers}, max_positions {config.max_positions}"
        raise SettingsError(f"{sizes}: together {numbers:,} numbers to learn; at most {MAX_NUMBERS:,}")


def outline(config: ModelConfig, n_tags: int) -> dict[str, Tensor]:
    """Names, shapes and kinds of a model's tensors, as tensors that take no memory."""
    with torch.device("meta"):
        return MODELS[config.architecture](config, n_tags).state_dict()


def build_model(config: ModelConfig, n_tags: int, seed: int | None = None) -> TaggingModel:
    """A new model with ``n_tags`` outputs, in training mode; raises ``SettingsError`` as ``check_config`` does.

    With a ``seed`` its weights depend on nothing else, and the global random state is left as it was.
    """
    check_config(config)
    with torch.random.fork_rng(devices=[], enabled=seed is not None):
        if seed is not None:
            torch.default_generator.manual_seed(seed)  # torch.manual_seed would also seed the GPUs
        return MODELS[config.architecture](config, n_tags).to(memory_format=torch.channels_last)
