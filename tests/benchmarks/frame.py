"""What the benchmarks share: a clock, music, and the table that each prints, every row beside a named baseline of the same process."""

import resource
import time
from collections.abc import Callable

import numpy as np


def fastest(function: Callable, repeats: int = 3, clock: Callable[[], float] = time.process_time) -> float:
    """Seconds of the fastest run, after one that is not counted; processor time, on which other work on the machine tells little."""
    function()
    seconds = []
    for _ in range(repeats):
        started = clock()
        function()
        seconds.append(clock() - started)
    return min(seconds)


def show(title: str, milliseconds: dict[str, float]) -> None:
    """A line for each row: its time, and that of the first row, the baseline, over it."""
    print(f"\n{title}: ms, and how many times faster than the first")
    baseline = next(iter(milliseconds.values()))
    for name, value in milliseconds.items():
        print(f"  {name:44s} {value:12.4f} {baseline / value:10.2f}")


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
