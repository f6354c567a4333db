"""Milliseconds per clip of the augmentation chain and of each effect, against one plain FFT there and back.

Run by hand from the repository root: ``python tests/benchmarks/bench_augment.py [--seconds 3 10] [--threads 1 2]``.
The baseline is measured in the same process: ``irfft(rfft(x))`` of the same batch. Single effects are applied to every
clip; the chain uses the default probabilities. Times are the best of several repeats, averaged over draws of settings.
"""

from __future__ import annotations

import argparse
import functools
import math
import time

import torch

from mtt.config import SAMPLE_RATE, AugmentConfig
from mtt.data.augment import EFFECTS, apply_effect, augment

BASELINE = "FFT there and back"


def milliseconds_per_clip(function, batch: int, repeats: int, seeds: int = 4) -> float:
    """The best of ``repeats`` for each of several draws, averaged over the draws."""
    best = [math.inf] * seeds
    for _ in range(repeats):
        for seed in range(seeds):
            start = time.perf_counter()
            function(seed)
            best[seed] = min(best[seed], time.perf_counter() - start)
    return 1000.0 * sum(best) / (seeds * batch)


def measure(seconds: float, batch: int, repeats: int) -> dict[str, float]:
    x = 0.1 * torch.randn(batch, round(seconds * SAMPLE_RATE), generator=torch.Generator().manual_seed(0))
    size = x.shape[1]
    functions = {BASELINE: lambda seed: torch.fft.irfft(torch.fft.rfft(x), size)}
    functions |= {name: lambda seed, name=name: apply_effect(name, x, seed) for name in EFFECTS}
    times = {name: milliseconds_per_clip(function, batch, repeats) for name, function in functions.items()}
    chain = functools.partial(augment, x, AugmentConfig())
    return times | {"chain": milliseconds_per_clip(chain, batch, repeats, seeds=16)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, nargs="+", default=[3.0, 10.0])
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--repeats", type=int, default=10)
    arguments = parser.parse_args()
    for threads in arguments.threads:
        torch.set_num_threads(threads)
        for seconds in arguments.seconds:
            times = measure(seconds, arguments.batch, arguments.repeats)
            baseline = times[BASELINE]
            print(f"\n{seconds:g} s clips, batch {arguments.batch}, {threads} thread(s)")
            for name, value in times.items():
                print(f"{name:20s} {value:7.3f} ms a clip   {value / baseline:6.2f} x the FFT")


if __name__ == "__main__":
    main()
