"""How scores, time and memory depend on the length of the input.

Conventions: lengths are in seconds. At each length a track is covered by evenly spaced clips, as few as reach its end, and its score is
their mean: every length hears the whole track.
"""

from __future__ import annotations

import math
import timeit
from collections.abc import Sequence

import numpy as np
import pandas as pd
import torch
from torch import nn

from mtt.config import SAMPLE_RATE
from mtt.data.batches import Source
from mtt.evaluation.predict import predict_clips


def clips_to_cover(track_seconds: float, clip_seconds: float) -> int:
    """The fewest clips whose evenly spaced copies leave no gap; at least one."""
    return max(1, math.ceil(track_seconds / clip_seconds - 1e-6))


def sweep_lengths(
    model: nn.Module, source: Source, track_ids: Sequence[str], lengths: Sequence[float], precision: str = "auto"
) -> np.ndarray:
    """Probabilities (n_lengths, n_tracks, n_tags) by one trained model. The longest track sets how many clips are used."""
    longest = float(source.seconds(track_ids).max())
    scores = (predict_clips(model, source, track_ids, seconds, clips_to_cover(longest, seconds), precision) for seconds in lengths)
    return np.stack([one.mean(axis=1) for one in scores])


def cost_of_length(model: nn.Module, lengths: Sequence[float], repeats: int = 3) -> pd.DataFrame:
    """Seconds of one forward pass (fastest of ``repeats``) and bytes that a training step keeps for its backward pass, per length."""
    device = next(model.parameters()).device
    rows = []
    for seconds in lengths:
        waveform = torch.randn(1, round(seconds * SAMPLE_RATE), generator=torch.Generator().manual_seed(0)).mul_(0.1).to(device)
        kept = _bytes_for_backward(model, waveform)
        with torch.inference_mode():
            fastest = min(timeit.repeat(lambda heard=waveform: model(heard).sum().item(), number=1, repeat=repeats))
        rows.append((seconds, fastest, kept))
    return pd.DataFrame(rows, columns=["length", "seconds", "bytes"])


def _bytes_for_backward(model: nn.Module, waveform: torch.Tensor) -> int:
    sizes: dict[int, int] = {}

    def keep(tensor: torch.Tensor) -> torch.Tensor:
        storage = tensor.untyped_storage()
        sizes[storage.data_ptr()] = storage.nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        model(waveform).sum()
    return sum(sizes.values())
