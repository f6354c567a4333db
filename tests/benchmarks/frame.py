"""What the benchmarks share: a clock, music, and the table that each prints, every row beside a named baseline of the same process.

``python -m tests.benchmarks`` runs them all, and names in BENCHMARK_ROWS the file where each leaves its rows. With BENCHMARK_TINY in the
environment, sizes are small and nothing is repeated, to try the scripts.
"""

import json
import os
import resource
import time
from collections.abc import Callable

import numpy as np


class Seconds(float):
    """Of the fastest run; ``spread`` is by how much the slowest took longer, as a share."""

    def __new__(cls, value: float, spread: float = 0.0) -> "Seconds":
        made = super().__new__(cls, value)
        made.spread = spread
        return made

    def __truediv__(self, count: float) -> "Seconds":
        return Seconds(float(self) / count, self.spread)


def size(usual: int, tiny: int) -> int:
    return tiny if "BENCHMARK_TINY" in os.environ else usual


def fastest(function: Callable, repeats: int = 3, clock: Callable[[], float] = time.process_time) -> Seconds:
    """The time of the fastest run, after one that is not counted; of the processor, on which other work on the machine tells little."""
    function()
    seconds = []
    for _ in range(size(repeats, 1)):
        started = clock()
        function()
        seconds.append(clock() - started)
    return Seconds(min(seconds), max(seconds) / min(seconds) - 1)


def show(title: str, seconds: dict[str, float]) -> None:
    """A line for each row: its time, and that of the first row, the baseline, over it."""
    print(f"\n{title}: ms, and how many times faster than the first")
    baseline = next(iter(seconds.values()))
    for name, value in seconds.items():
        print(f"  {name:44s} {1e3 * value:12.4f} {baseline / value:10.2f}")
    keep(title, seconds)


def keep(title: str, seconds: dict[str, float]) -> None:
    """Leave all rows but the baseline, which is the first, for the table of all benchmarks."""
    (named, baseline), *others = seconds.items()
    if path := os.environ.get("BENCHMARK_ROWS"):
        with open(path, "a") as file:
            for name, value in others:
                row = {"what": f"{title}: {name}", "ours": value, "baseline": baseline, "named": named}
                file.write(json.dumps({**row, "spread": getattr(value, "spread", 0.0)}) + "\n")


def music(seconds: float, rate: int, channels: int = 1, seed: int = 0) -> np.ndarray:
    """(samples, channels): notes with overtones, and noise on every beat."""
    random, length = np.random.default_rng(seed), round(seconds * rate)
    notes = np.repeat(110 * 2 ** (random.integers(0, 24, round(seconds * 4)) / 12), rate // 4)
    phase = 2 * np.pi * np.cumsum(np.resize(notes, length)) / rate
    tone = sum(np.sin(k * phase) / k for k in range(1, 8))
    beat = random.standard_normal(length) * np.exp(-20 * (np.arange(length) % (rate // 2)) / rate)
    return (0.1 * np.stack([np.roll(tone, 200 * channel) + beat for channel in range(channels)], axis=1)).astype(np.float32)


def peak_gb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024**2
