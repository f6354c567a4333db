"""Clips a second in the paper profile on this machine's device, and what that makes of the Million Song Dataset, in hours.

    python tests/benchmarks/bench_paper.py [--steps 5] [--threads N]

A step is the study's own: augmentation, forward, backward and update of a batch of 32 clips of 10 s, 128 channels, width 256. Reading
audio is not in it (see bench_audio.py). Baseline of the ratio: the same step in float32 with the default (contiguous) memory format, in
the same process.
"""

import argparse
import time

import torch
from frame import fastest
from torch import nn

from mtt.config import PAPER, SAMPLE_RATE
from mtt.data.augment import augment
from mtt.evaluation.predict import bfloat16_is_fast, pick_device
from mtt.models import build_model

LABELLED = 163_504  # training tracks of the CALS split


def clips_per_second(memory_format: torch.memory_format, bfloat16: bool, steps: int, device: str) -> float:
    """Of the fastest of ``steps`` whole training steps."""
    train = PAPER.train
    model = build_model(PAPER.teacher, 50, seed=0).to(device, memory_format=memory_format).train()
    optimizer = torch.optim.AdamW(model.parameters(), lr=train.learning_rate)
    random = torch.Generator().manual_seed(0)
    waveforms = 0.1 * torch.randn(train.batch_size, round(train.clip_seconds * SAMPLE_RATE), generator=random)
    labels = torch.zeros(train.batch_size, 50, device=device)

    def step() -> None:
        with torch.autocast(device, torch.bfloat16, enabled=bfloat16):
            logits = model(augment(waveforms.to(device), train.augment, random))
        optimizer.zero_grad(set_to_none=True)
        nn.functional.binary_cross_entropy_with_logits(logits.float(), labels).backward()
        optimizer.step()
        if device == "cuda":
            torch.cuda.synchronize()

    return train.batch_size / fastest(step, steps, time.perf_counter)


def main(steps: int, threads: int) -> None:
    torch.set_num_threads(threads)
    device = pick_device()
    name = torch.cuda.get_device_name() if device == "cuda" else f"CPU, {threads} threads"
    fast = clips_per_second(torch.channels_last, bfloat16_is_fast(device), steps, device)
    slow = clips_per_second(torch.contiguous_format, False, steps, device)
    epoch = LABELLED / fast / 3600
    print(f"{name}: {fast:.2f} clips/s; baseline (float32, contiguous) {slow:.2f}; ratio {fast / slow:.2f}")
    print(f"Million Song Dataset: {epoch:.2f} h an epoch of the teacher, {2 * epoch:.2f} h of a student (half of each batch is unlabelled)")
    print(f"at most 200 epochs: teacher {200 * epoch:.0f} h, student {400 * epoch:.0f} h; early stopping after 40 epochs without gain")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=5)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    main(**vars(parser.parse_args()))
