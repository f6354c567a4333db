"""Milliseconds a clip of a training step of each architecture, and of the augmentation chain and each of its effects, by the wall.

    python tests/benchmarks/bench_models.py [--threads 2] [--seconds 3]

Each step stands beside the same model in float32 with the default (contiguous) memory format; effects, applied to every clip, and the
chain with its default probabilities, beside one plain FFT there and back of the same batch, and beside audiomentations where it is
installed.
"""

import argparse
import random
import time
from collections.abc import Callable
from importlib.util import find_spec

import numpy as np
import torch
from frame import fastest, show
from torch import nn

from mtt.config import SAMPLE_RATE, AugmentConfig, ModelConfig
from mtt.data.augment import EFFECTS, apply_effect, augment
from mtt.files import keep_freed_memory
from mtt.models import build_model

SIZES = {
    "transformer 16/64/2 layers": ModelConfig(channels=16, width=64, layers=2),
    "transformer 16/64/4 layers": ModelConfig(channels=16, width=64, layers=4),
    "short_chunk_resnet 16": ModelConfig(architecture="short_chunk_resnet", channels=16),
    "fcn 16": ModelConfig(architecture="fcn", channels=16),
    "crnn 16/32": ModelConfig(architecture="crnn", channels=16, width=32),
    "sample_cnn 16": ModelConfig(architecture="sample_cnn", channels=16),
}


def step(model: nn.Module, waveform: torch.Tensor, bfloat16: bool) -> Callable[[], None]:
    """Forward and backward."""
    labels = torch.zeros(len(waveform), 26)

    def run() -> None:
        with torch.autocast("cpu", torch.bfloat16, enabled=bfloat16):
            logits = model(waveform)
        nn.functional.binary_cross_entropy_with_logits(logits, labels).backward()

    return run


def equivalent_chain() -> Callable:
    """The chain's effects with their probabilities and ranges, as far as audiomentations has them: its room is a convolution here too."""
    import audiomentations as theirs

    ranges = {name: {part: limits for part, limits in effect.ranges.items()} for name, effect in EFFECTS.items()}
    low, high = ranges["filter"]["low_pass_hz"], ranges["filter"]["high_pass_hz"]
    filters = [theirs.LowPassFilter(*low, p=1.0), theirs.HighPassFilter(*high, p=1.0)]
    cents = ranges["pitch"]["pitch_cents"]
    effects = {
        "polarity": theirs.PolarityInversion,
        "noise": theirs.AddGaussianSNR,
        "gain": lambda p: theirs.Gain(*ranges["gain"]["gain_db"], p=p),
        "filter": lambda p: theirs.OneOf(filters, p=p),
        "delay": theirs.Shift,
        "pitch": lambda p: theirs.PitchShift(cents[0] / 100, cents[1] / 100, p=p),
        "reverb": lambda p: theirs.RoomSimulator(p=p),
    }
    return theirs.Compose([effects[name](p=effect.probability) for name, effect in EFFECTS.items()])


def main(threads: int, seconds: float) -> None:
    torch.set_num_threads(threads)
    keep_freed_memory()  # as every command does
    x = 0.1 * torch.randn(16, round(seconds * SAMPLE_RATE), generator=torch.Generator().manual_seed(0))

    def clip(function: Callable[[], object]) -> float:
        return fastest(function, 10, time.perf_counter) / len(x)

    for name, config in SIZES.items():
        model = build_model(config, 26, seed=0)
        fast = clip(step(model, x, True))
        slow = clip(step(model.to(memory_format=torch.contiguous_format), x, False))
        show(f"{name}, {sum(p.numel() for p in model.parameters()):,d} parameters", {"float32, contiguous": slow, "ours": fast})
    took = {"FFT there and back": clip(lambda: torch.fft.irfft(torch.fft.rfft(x), x.shape[1]))}
    took |= {name: clip(lambda name=name: [apply_effect(name, x, seed) for seed in range(4)]) / 4 for name in EFFECTS}
    took["chain"] = clip(lambda: [augment(x, AugmentConfig(), seed) for seed in range(16)]) / 16
    show(f"augmentation of {seconds:g} s", took)
    if find_spec("audiomentations"):
        chain, clips = equivalent_chain(), x.repeat(4, 1).numpy()

        def run() -> None:
            random.seed(0)  # every time the same effects
            np.random.seed(0)
            for one in clips:
                chain(one, SAMPLE_RATE)

        theirs = fastest(run, 3, time.perf_counter) / len(clips)
        show(f"augmentation of {seconds:g} s beside another library", {"audiomentations": theirs, "chain": took["chain"]})
    else:
        print("audiomentations is not installed: pip install audiomentations puts it beside the chain")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--seconds", type=float, default=3.0)
    main(**vars(parser.parse_args()))
