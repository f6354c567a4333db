"""From a configuration to a model."""

from __future__ import annotations

import torch

from mtt.config import ModelConfig, SettingsError
from mtt.models.frontend import MODELS, TaggingModel


def check_config(config: ModelConfig) -> None:
    """Raise ``SettingsError``, naming the field, where no model can be built from ``config``."""
    if config.architecture not in MODELS:
        raise SettingsError(f"architecture: {config.architecture!r} is unknown, choose one of {', '.join(MODELS)}")
    MODELS[config.architecture].check(config)


def build_model(config: ModelConfig, n_tags: int, seed: int | None = None) -> TaggingModel:
    """A new model with ``n_tags`` outputs, in training mode; raises ``SettingsError`` as ``check_config`` does.

    With a ``seed`` its weights depend on nothing else, and the global random state is left as it was; without one they are drawn from the
    global state.
    """
    check_config(config)
    with torch.random.fork_rng(devices=[], enabled=seed is not None):
        if seed is not None:
            torch.default_generator.manual_seed(seed)  # torch.manual_seed would also seed the GPUs
        return MODELS[config.architecture](config, n_tags).to(memory_format=torch.channels_last)
