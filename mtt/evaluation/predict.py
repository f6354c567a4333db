"""Scores of tracks from the scores of their clips.

Conventions: scores are probabilities, (n_tracks, clips, n_tags) per clip and (n_tracks, n_tags) per track. A track's clips are spread
evenly over it and its score is their mean (instance-level inference: Won et al. 2020, section 3; the authors' student code averages 8).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
import torch
from torch import nn
from tqdm import tqdm

from mtt.config import SAMPLE_RATE
from mtt.data.batches import evaluation_clips
from mtt.data.corpus import Corpus

BATCH_SAMPLES = 96 * SAMPLE_RATE  # samples in a batch: 96 s of audio, whatever the length of a clip
POOLINGS = ("mean", "max", "vote", "attention")


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


@torch.inference_mode()
def predict_clips(
    model: nn.Module,
    corpus: Corpus,
    track_ids: Sequence[str],
    clip_seconds: float,
    clips: int,
    progress: str = "",
    precision: str = "auto",
) -> np.ndarray:
    """Probabilities (n_tracks, clips, n_tags) of evenly spaced clips, in evaluation mode.

    ``progress`` names the bar; empty shows none. ``precision`` is as in ``effective_precision``.
    """
    track_ids = list(track_ids)
    device = next(model.parameters()).device
    was_training = model.training
    model.eval()
    out = np.zeros((len(track_ids), clips, model.n_tags), dtype=np.float32)
    batch_size = max(1, int(BATCH_SAMPLES / (clip_seconds * SAMPLE_RATE)))
    batches = evaluation_clips(corpus, track_ids, clip_seconds, clips, batch_size)
    with tqdm(total=len(track_ids) * clips, desc=progress, unit="clip", disable=not progress, leave=False) as bar:
        for rows, slots, waveforms in batches:
            with torch.autocast(device.type, torch.bfloat16, enabled=effective_precision(precision, device) == "bfloat16"):
                logits = model(waveforms.to(device))
            out[rows, slots] = torch.sigmoid(logits.float()).cpu().numpy()
            bar.update(len(rows))
    model.train(was_training)
    return out


def predict_tracks(
    model: nn.Module,
    corpus: Corpus,
    track_ids: Sequence[str],
    clip_seconds: float,
    clips: int,
    progress: str = "",
    precision: str = "auto",
) -> np.ndarray:
    """Song-level probabilities (n_tracks, n_tags): the mean over ``clips`` evenly spaced clips, as ``predict_clips`` gives them."""
    return predict_clips(model, corpus, track_ids, clip_seconds, clips, progress, precision).mean(axis=1)


def pool_clips(clip_scores: np.ndarray, pooling: str = "mean") -> np.ndarray:
    """(n_tracks, clips, n_tags) to (n_tracks, n_tags).

    ``mean``; ``max`` (one clip is enough); ``vote`` (share of clips that score the tag above its own median over all clips);
    ``attention`` (a mean in which each clip weighs, per tag, as the softmax of its logit: softmax pooling of McFee et al. 2018, "Adaptive
    pooling operators for weakly labeled sound event detection").
    """
    if pooling == "mean":
        return clip_scores.mean(axis=1)
    if pooling == "max":
        return clip_scores.max(axis=1)
    if pooling == "vote":
        return (clip_scores > np.median(clip_scores, axis=(0, 1))).mean(axis=1)
    if pooling == "attention":
        weights = clip_scores / np.clip(1.0 - clip_scores, 1e-6, None)  # the exponential of the logit
        return (weights * clip_scores).sum(axis=1) / np.clip(weights.sum(axis=1), 1e-12, None)
    raise ValueError(f"pooling must be one of {', '.join(POOLINGS)}, not {pooling!r}")
