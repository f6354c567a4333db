"""Scores of tracks from the scores of their clips.

Conventions: scores are probabilities, (n_tracks, clips, n_tags) per clip and (n_tracks, n_tags) per track. A track's clips are spread
evenly over it and its score is their mean (instance-level inference: Won et al. 2020, section 3; the authors' student code averages 8).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal

import numpy as np
import torch
from torch import nn

from mtt.config import SAMPLE_RATE
from mtt.data.batches import Source, evaluation_clips

BATCH_SAMPLES = 96 * SAMPLE_RATE  # samples in a batch: 96 s of audio, whatever the length of a clip


def bfloat16_is_fast(device: str | torch.device = "cpu") -> bool:
    """Whether the device computes in bfloat16 natively."""
    if torch.device(device).type == "cuda":
        return torch.cuda.is_bf16_supported()
    capabilities = torch.cpu.get_capabilities()
    return bool(capabilities.get("avx512_bf16") or capabilities.get("amx_bf16") or capabilities.get("arm_bf16"))


def pick_device() -> str:
    """``"cuda"`` when there is a GPU, else ``"cpu"``."""
    return "cuda" if torch.cuda.is_available() else "cpu"


def effective_precision(precision: str, device: str | torch.device) -> Literal["float32", "bfloat16"]:
    """What is computed in: ``precision`` itself, or where it is ``"auto"``, bfloat16 on a device that has it natively."""
    if precision not in ("auto", "float32", "bfloat16"):
        raise ValueError(f"precision must be 'auto', 'float32' or 'bfloat16', not {precision!r}")
    return precision if precision != "auto" else "bfloat16" if bfloat16_is_fast(device) else "float32"


def clips_to_cover(track_seconds: float, clip_seconds: float) -> int:
    """The fewest clips whose evenly spaced copies leave no gap; at least one."""
    return max(1, math.ceil(track_seconds / clip_seconds - 1e-6))


@torch.inference_mode()
def predict_clips(
    model: nn.Module, source: Source, track_ids: Sequence[str], clip_seconds: float, clips: int, precision: str = "auto"
) -> np.ndarray:
    """Probabilities (n_tracks, clips, n_tags) of evenly spaced clips, in evaluation mode and ``effective_precision``."""
    device = next(model.parameters()).device
    was_training = model.training
    model.eval()
    out = np.zeros((len(track_ids), clips, model.n_tags), dtype=np.float32)
    batch_size = max(1, int(BATCH_SAMPLES / (clip_seconds * SAMPLE_RATE)))
    for rows, slots, heard in evaluation_clips(source, track_ids, clip_seconds, clips, batch_size):
        with torch.autocast(device.type, torch.bfloat16, enabled=effective_precision(precision, device) == "bfloat16"):
            logits = model(heard.to(device))
        out[rows, slots] = torch.sigmoid(logits.float()).cpu().numpy()
    model.train(was_training)
    return out
