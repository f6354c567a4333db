"""From a configuration to a model: the only place that knows which architecture is which class."""

from __future__ import annotations

import dataclasses

import torch

from mtt.config import ModelConfig
from mtt.models.baselines import CRNN, FCN, SampleCNN, ShortChunkResNet
from mtt.models.frontend import TaggingModel
from mtt.models.transformer import MusicTaggingTransformer

MODELS: dict[str, type[TaggingModel]] = {
    "transformer": MusicTaggingTransformer,
    "short_chunk_resnet": ShortChunkResNet,
    "fcn": FCN,
    "crnn": CRNN,
    "sample_cnn": SampleCNN,
}


def check_config(config: ModelConfig) -> None:
    """Raise ValueError, naming the field, where no model can be built from ``config``."""
    if config.architecture not in MODELS:
        raise ValueError(f"architecture: {config.architecture!r} is unknown, choose one of {', '.join(MODELS)}")
    for field in dataclasses.fields(config):
        value = getattr(config, field.name)
        if field.type == "int" and (type(value) is not int or value < 1):
            raise ValueError(f"{field.name}: expected a whole number of at least 1, got {value!r}")
    if not isinstance(config.dropout, int | float) or not 0 <= config.dropout < 1:
        raise ValueError(f"dropout: expected a number from 0 to below 1, got {config.dropout!r}")
    if config.architecture == "transformer" and config.width % config.heads:
        raise ValueError(f"heads: {config.heads} does not divide width {config.width}: choose a divisor")
    if config.architecture == "transformer" and config.n_mels < 8:
        raise ValueError(f"n_mels: expected at least 8, which the pools reduce to one, got {config.n_mels}")
    if config.architecture in ("fcn", "crnn") and config.channels % 2:
        raise ValueError(f"channels: expected an even number, the first layer has half of it, got {config.channels}")


def build_model(config: ModelConfig, n_tags: int, seed: int | None = None) -> TaggingModel:
    """A new model in training mode; raises ValueError for settings that make none.

    With a ``seed`` its weights depend on nothing else, and the global random state is left as it was;
    without one they are drawn from the global state.
    """
    check_config(config)
    if n_tags < 1:
        raise ValueError(f"n_tags: expected at least 1, got {n_tags}")
    if seed is None:
        return MODELS[config.architecture](config, n_tags)
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)  # torch.manual_seed would also seed the GPUs
        return MODELS[config.architecture](config, n_tags)
