"""The published size on this machine's device: clips a second, share of peak arithmetic, equality with the CPU, hours for the MSD.

    python tests/benchmarks/bench_gpu.py [--tiny]

A step is the study's own: forward, backward and update on clips of 10 s, 128 channels, width 256. The baseline is the same in float32 with
the default (contiguous) memory format, clips augmented one after another, in the same process. ``--tiny`` runs every line on small sizes,
to try the script on a CPU.
"""

import argparse
import copy
import itertools
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from frame import Seconds, fastest, keep, music
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from mtt.config import PAPER, SAMPLE_RATE, ModelConfig
from mtt.data.audio import read_audio
from mtt.data.augment import augment
from mtt.evaluation.predict import bfloat16_is_fast, pick_device
from mtt.files import keep_freed_memory
from mtt.models import build_model
from tests.tiny import write_audio

LABELLED = 163_504  # training tracks of the CALS split
TAGS = 50


@dataclass
class Bench:
    """What is measured: a model's settings and the length of its clips, on a device."""

    config: ModelConfig
    seconds: float
    device: str

    def clock(self, function: Callable[[], object]) -> Seconds:
        """The time of the fastest run, the device's work included."""

        def run() -> None:
            function()
            if self.device == "cuda":
                torch.cuda.synchronize()

        return fastest(run, 3, time.perf_counter)

    def peak(self, size: int) -> float:
        """Operations a second of a bfloat16 matrix product."""
        a, b = (torch.randn(size, size, device=self.device, dtype=torch.bfloat16) for _ in range(2))
        return 2 * size**3 / float(self.clock(lambda: a @ b))

    def operations(self, train: bool) -> int:
        """To score one clip or to train on it, as torch counts them."""
        model = build_model(self.config, TAGS).train()
        mel = torch.zeros(2, self.config.n_mels, 1 + round(self.seconds * SAMPLE_RATE) // self.config.hop)
        with FlopCounterMode(display=False) as counter, torch.set_grad_enabled(train):
            logits = model.from_mel(mel)
            if train:
                logits.sum().backward()
        return counter.get_total_flops() // 2

    def clips(self, batch: int) -> torch.Tensor:
        waves = np.stack([music(self.seconds, SAMPLE_RATE, seed=seed)[:, 0] for seed in range(4)])
        return torch.from_numpy(waves).repeat(-(-batch // 4), 1)[:batch].to(self.device)

    def training(self, batch: int, heard: str, fast: bool = True) -> Seconds:
        """For a clip, of whole steps on "spectrograms", "waveforms" or waveforms that are "augmented"; not ``fast``: the baseline."""
        model = build_model(self.config, TAGS, seed=0).train()
        model.to(self.device, memory_format=torch.channels_last if fast else torch.contiguous_format)
        optimizer = torch.optim.AdamW(model.parameters(), lr=1e-4, fused=fast)
        clips, labels, seeds = self.clips(batch), torch.zeros(batch, TAGS, device=self.device), itertools.count()
        clips = model.spectrogram(clips) if heard == "spectrograms" else clips

        def step() -> None:
            parts = clips.split(batch if fast else 1)
            x = torch.cat([augment(part, PAPER.train.augment, next(seeds)) for part in parts]) if heard == "augmented" else clips
            with torch.autocast(self.device, torch.bfloat16, enabled=fast and bfloat16_is_fast(self.device)):
                logits = model(x)
            optimizer.zero_grad(set_to_none=True)
            nn.functional.binary_cross_entropy_with_logits(logits.float(), labels).backward()
            optimizer.step()

        return self.clock(step) / batch

    def scoring(self, batch: int, fast: bool = True) -> Seconds:
        """For a clip, from its waveform; not ``fast``: the baseline."""
        form = torch.channels_last if fast else torch.contiguous_format
        model, clips = build_model(self.config, TAGS, seed=0).to(self.device, memory_format=form).eval(), self.clips(batch)
        return self.clock(lambda: self.probabilities(model, clips, fast and bfloat16_is_fast(self.device))) / batch

    @torch.inference_mode()
    def probabilities(self, model: nn.Module, clips: torch.Tensor, bfloat16: bool) -> torch.Tensor:
        with torch.autocast(clips.device.type, torch.bfloat16, enabled=bfloat16):
            return model(clips).float().sigmoid()

    def differences(self) -> tuple[float, float]:
        """Largest difference of the device's probabilities to float32 on the CPU: in float32, and in bfloat16."""
        model = build_model(self.config, TAGS, seed=0).eval()
        expected = self.probabilities(model, self.clips(4).cpu(), False)
        own = copy.deepcopy(model).to(self.device)
        found = (self.probabilities(own, self.clips(4), bfloat16).cpu() for bfloat16 in (False, True))
        return tuple((one - expected).abs().max().item() for one in found)

    def reading(self, batch: int) -> float:
        """Crops a second that one thread reads from WAV files."""
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "song.wav"
            write_audio(path, music(6 * self.seconds, SAMPLE_RATE)[:, 0], SAMPLE_RATE)
            starts = np.random.default_rng(0).random(batch) * 5 * self.seconds
            return batch / fastest(lambda: [read_audio(path, start, self.seconds) for start in starts], 3, time.perf_counter)


def main(tiny: bool) -> None:
    config, device, batches = PAPER.teacher, pick_device(), (2, 4) if tiny else (8,)
    batches = (32, 128) if device == "cuda" and not tiny else batches
    bench = Bench(replace(config, channels=8, width=32, layers=1) if tiny else config, 1.0 if tiny else PAPER.train.clip_seconds, device)
    name = torch.cuda.get_device_name() if device == "cuda" else f"CPU, {torch.get_num_threads()} threads"
    trained = {"float32, contiguous, one by one": bench.training(batches[0], "augmented", fast=False)}
    scored = {"float32, contiguous": bench.scoring(batches[-1], fast=False)}
    keep_freed_memory()  # ours, as every command does
    peak, whole, forward = bench.peak(512 if tiny else 8192 if device == "cuda" else 3072), bench.operations(True), bench.operations(False)
    print(f"{name}, torch {torch.__version__}: {peak / 1e12:.1f} TFLOP/s in a bfloat16 matrix product")
    print(f"clips of {bench.seconds:g} s, {whole / 1e9:.1f} GFLOP each to train on, {forward / 1e9:.1f} to score")
    print(f"{'':42s} {'clips/s':>9s} {'of peak':>9s} {'baseline':>9s}")
    for batch in batches:
        trained |= {f"{heard}, {batch} at a time": bench.training(batch, heard) for heard in ("spectrograms", "waveforms", "augmented")}
    scored[f"{batches[-1]} at a time"] = bench.scoring(batches[-1])
    for doing, took, operations in (("training", trained, whole), ("scoring", scored, forward)):
        baseline = next(iter(took.values()))
        for how, seconds in took.items():
            print(f"{f'{doing}, {how}':42s} {1 / seconds:9.1f} {operations / seconds / peak:9.1%} {baseline / seconds:9.2f}")
        title = f"{doing}, a clip of {bench.seconds:g} s at {bench.config.channels} channels on {name}"
        keep(title, took)
        quickest = min(took, key=took.get)
        keep(f"{title}, share of peak", {"its operations as one bfloat16 product": operations / peak, quickest: took[quickest]})
    print(f"{'reading crops of WAV files, one thread':42s} {bench.reading(batches[-1]):9.1f}")
    exact, rounded = bench.differences()
    print(f"probabilities differ from those of the CPU in float32 by {exact:.1e} in float32, {rounded:.1e} in bfloat16, at most")
    hours = LABELLED * trained[f"augmented, {batches[-1]} at a time"] / 3600
    print(f"Million Song Dataset, augmented: {hours:.2f} h an epoch of the teacher, {2 * hours:.2f} h of a student (half is unlabelled)")
    print(f"at most 200 epochs: teacher {200 * hours:.0f} h, student {400 * hours:.0f} h; early stopping after 40 epochs without gain")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tiny", action="store_true")
    main(**vars(parser.parse_args()))
