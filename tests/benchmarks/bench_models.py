"""Milliseconds a clip of a training step for each architecture, and the memory and time of an hour of audio.

    python tests/benchmarks/bench_models.py [--threads 2] [--hour]

Baseline of the ratios: the same model in float32 with the default (contiguous) memory format, in the same process.
"""

from __future__ import annotations

import argparse
import resource
import statistics
import time

import torch
from torch import nn

from mtt.config import SAMPLE_RATE, ModelConfig
from mtt.models import build_model

SIZES = {
    "transformer 16/64/2 layers": ModelConfig(channels=16, width=64, layers=2),
    "transformer 16/64/4 layers": ModelConfig(channels=16, width=64, layers=4),
    "short_chunk_resnet 16": ModelConfig(architecture="short_chunk_resnet", channels=16),
    "fcn 16": ModelConfig(architecture="fcn", channels=16),
    "crnn 16/32": ModelConfig(architecture="crnn", channels=16, width=32),
    "sample_cnn 16": ModelConfig(architecture="sample_cnn", channels=16),
}


def step_milliseconds(model: nn.Module, waveform: torch.Tensor, labels: torch.Tensor, bfloat16: bool) -> float:
    """Median over 10 steps of forward and backward, per clip."""
    seconds = []
    for _ in range(12):
        start = time.perf_counter()
        with torch.autocast("cpu", torch.bfloat16, enabled=bfloat16):
            logits = model(waveform)
        nn.functional.binary_cross_entropy_with_logits(logits, labels).backward()
        seconds.append(time.perf_counter() - start)
    return 1000 * statistics.median(seconds[2:]) / len(waveform)


def training(batch: int, clip_seconds: float) -> None:
    waveform = 0.1 * torch.randn(batch, int(clip_seconds * SAMPLE_RATE), generator=torch.Generator().manual_seed(0))
    labels = torch.zeros(batch, 26)
    print(f"training step, batch {batch}, {clip_seconds} s clips, {torch.get_num_threads()} threads: ms a clip")
    for name, config in SIZES.items():
        model = build_model(config, 26, seed=0)
        fast = step_milliseconds(model, waveform, labels, bfloat16=True)
        model.to(memory_format=torch.contiguous_format)
        slow = step_milliseconds(model, waveform, labels, bfloat16=False)
        parameters = sum(p.numel() for p in model.parameters())
        print(f"{name:28s} {parameters:>9,d} parameters  {fast:6.2f}  baseline {slow:6.2f}  ratio {slow / fast:.1f}")


def hour() -> None:
    waveform = 0.1 * torch.randn(1, 3600 * SAMPLE_RATE, generator=torch.Generator().manual_seed(0))
    for name, config in {"transformer 128/256/4 layers": ModelConfig(), **SIZES}.items():
        model = build_model(config, 50, seed=0).eval()
        start = time.perf_counter()
        with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16):
            model(waveform)
        seconds = time.perf_counter() - start
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
        print(f"an hour: {name:28s} {seconds:6.1f} s, peak memory of the process so far {peak:.2f} GB", flush=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--hour", action="store_true")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    if arguments.hour:
        hour()
    else:
        training(batch=16, clip_seconds=3.0)
