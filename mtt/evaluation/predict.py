"""Scores of tracks from the scores of their clips.

Conventions: scores are probabilities, (n_tracks, clips, n_tags) per clip and (n_tracks, n_tags) per track. A track's clips are spread
evenly over it and its score is their mean (instance-level inference: Won et al. 2020, section 3; the authors' student code averages 8).
"""

import math
from collections.abc import Callable, Sequence
from typing import Literal

import numpy as np
import torch
from joblib import Parallel, delayed
from torch import nn
from tqdm import tqdm

from mtt.data.batches import Source, evaluation_clips
from mtt.files import leave_interrupts
from mtt.models.frontend import evaluating

CHUNK = 16  # tracks that a process is given at a time


def bfloat16_is_fast(device: str | torch.device) -> bool:
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
    return precision if precision != "auto" else "bfloat16" if bfloat16_is_fast(device) else "float32"


def clips_to_cover(track_seconds: float, clip_seconds: float) -> int:
    """The fewest clips whose evenly spaced copies leave no gap; at least one."""
    return max(1, math.ceil(track_seconds / clip_seconds - 1e-6))


def predict_clips(
    model: nn.Module, source: Source, track_ids: Sequence[str], clip_seconds: float, clips: int, precision: str = "auto"
) -> np.ndarray:
    """Probabilities (n_tracks, clips, n_tags) of evenly spaced clips, in evaluation mode and ``effective_precision``."""
    return _over_clips(model, lambda heard: torch.sigmoid(model(heard).float()), source, track_ids, clip_seconds, clips, precision)


def track_features(model: nn.Module, source: Source, track_ids: Sequence[str]) -> np.ndarray:
    """What the model makes of tracks before its last layer, (n_tracks, n): the mean over evenly spaced clips that leave no gap."""
    found = []
    for track_id in track_ids:
        clips = clips_to_cover(float(source.seconds([track_id])[0]), model.clip_seconds)
        found.append(_over_clips(model, model.features, source, [track_id], model.clip_seconds, clips, "auto")[0].mean(axis=0))
    return np.stack(found)


def over_tracks(function: Callable[[list[str]], np.ndarray], track_ids: Sequence[str], doing: str, progress: bool = True) -> np.ndarray:
    """``function`` of a few tracks at a time, rows in their order, in parallel processes of a thread each."""
    parts = [list(track_ids[first : first + CHUNK]) for first in range(0, len(track_ids), CHUNK)]
    done = Parallel(n_jobs=-1, return_as="generator", initializer=leave_interrupts)(delayed(_alone)(function, part) for part in parts)
    return np.concatenate(list(tqdm(done, doing, len(parts), unit=f"{CHUNK} tracks", disable=not progress)))


def _alone(function: Callable[[list[str]], np.ndarray], track_ids: list[str]) -> np.ndarray:
    torch.set_num_threads(1)
    return function(track_ids)


def _over_clips(
    model: nn.Module, function: Callable, source: Source, track_ids: Sequence[str], clip_seconds: float, clips: int, precision: str
) -> np.ndarray:
    """``function`` of evenly spaced clips of the tracks, (n_tracks, clips, n)."""
    device, out = next(model.parameters()).device, None
    fast = torch.autocast(device.type, torch.bfloat16, enabled=effective_precision(precision, device) == "bfloat16")
    with evaluating(model):
        for rows, slots, heard in evaluation_clips(source, track_ids, clip_seconds, clips):
            with fast:
                found = function(heard.to(device)).float().cpu().numpy()
            out = np.zeros((len(track_ids), clips, found.shape[1]), dtype=np.float32) if out is None else out
            out[rows, slots] = found
    return out
