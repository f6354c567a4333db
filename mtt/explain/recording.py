"""What every explanation starts from: a recording, read piece by piece, and a model in evaluation mode.

Conventions: audio is given as the path of a file or as mono samples (samples,) in [-1, 1] at 22 050 Hz. Models compute in float32, also
where the study scores in bfloat16: an explanation should not depend on the processor.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from mtt.config import SAMPLE_RATE
from mtt.data.audio import AudioError, audio_info, read_audio

SHORTFALL = SAMPLE_RATE // 10  # samples that a file may lack at its end before its length is called wrong


class Recording:
    """Samples of a file or an array, read from anywhere; of a file never more than what is asked for is in memory.

    Raises ``AudioError`` for a file that cannot be read, ``ValueError`` for samples of the wrong kind.
    """

    def __init__(self, audio: str | Path | np.ndarray) -> None:
        self.path: Path | None = Path(audio) if isinstance(audio, str | Path) else None
        if self.path is not None:
            self.samples = round(audio_info(self.path).seconds * SAMPLE_RATE)
            if not self.samples:
                raise AudioError(f"{self.path}: holds no audio; the file may be truncated")
            return
        self._wave = np.asarray(audio)
        if self._wave.ndim != 1 or not self._wave.size or self._wave.dtype.kind != "f":
            kind = f"{self._wave.dtype} {self._wave.shape}"
            raise ValueError(f"audio: expected a path or float samples (samples,) in [-1, 1] at {SAMPLE_RATE} Hz, got {kind}")
        self.samples = self._wave.size

    @property
    def seconds(self) -> float:
        return self.samples / SAMPLE_RATE

    def read(self, first: int = 0, last: int | None = None) -> np.ndarray:
        """Samples ``first`` to ``last`` (to the end if None), float32; fewer where the recording ends before."""
        last = self.samples if last is None else min(last, self.samples)
        if not 0 <= first < last:
            raise ValueError(f"audio: nothing at {first / SAMPLE_RATE:.1f} s; the recording has {self.seconds:.1f} s")
        if self.path is None:
            wave = np.asarray(self._wave[first:last], dtype=np.float32)
            if not np.isfinite(wave).all():
                raise ValueError(f"audio: sample {first + int(np.argmin(np.isfinite(wave)))} is not a number; repair the samples")
            return wave
        wave = read_audio(self.path, first / SAMPLE_RATE, (last - first) / SAMPLE_RATE)
        missing = last - first - len(wave)
        if missing > SHORTFALL:
            end = (first + len(wave)) / SAMPLE_RATE
            raise AudioError(f"{self.path}: ends at {end:.1f} s, its header says {self.seconds:.1f} s; re-encode the file")
        return np.pad(wave, (0, missing)) if missing else wave


def as_recording(audio: str | Path | np.ndarray | Recording) -> Recording:
    """``audio`` as a ``Recording``; one that is one already as it is."""
    return audio if isinstance(audio, Recording) else Recording(audio)


@contextmanager
def evaluating(model: nn.Module) -> Iterator[None]:
    """Evaluation mode without gradients; the model is left in the mode it was in."""
    was_training = model.training
    model.eval()
    try:
        with torch.inference_mode():
            yield
    finally:
        model.train(was_training)


def to_model(model: nn.Module, wave: np.ndarray) -> Tensor:
    """``wave`` as a tensor on the model's device."""
    first = next(model.parameters(), None)
    return torch.tensor(wave, dtype=torch.float32, device="cpu" if first is None else first.device)


def probabilities(logits: Tensor) -> np.ndarray:
    """Sigmoid of logits, float32, as an array."""
    return torch.sigmoid(logits.float()).cpu().numpy()


def tag_names(model: nn.Module) -> list[str]:
    """Names of the model's outputs: its tags, or ``tag 0``, ``tag 1``, … where it was given none."""
    return list(model.tags) if getattr(model, "tags", None) else [f"tag {i}" for i in range(model.n_tags)]
