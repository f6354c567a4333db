"""What every explanation starts from: a recording, read piece by piece, and a model in evaluation mode that is asked about it.

Conventions: audio is mono, in [-1, 1] at 22 050 Hz. A *token* of the Transformer is four frames of the spectrogram, 0.093 s. Models
compute in float32, also where the study scores in bfloat16, so that nothing depends on the processor; those of LARGE parameters and more,
which would take three times as long, in bfloat16 where that is native: probabilities are within 0.005.
"""

import math
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from weakref import WeakKeyDictionary

import numpy as np
import torch
from torch import Tensor, nn

from mtt.config import SAMPLE_RATE
from mtt.data.audio import AudioError, listen, read_audio
from mtt.data.batches import batch_of
from mtt.evaluation.predict import bfloat16_is_fast
from mtt.files import kept_arrays
from mtt.models.frontend import MIN_FRAMES
from mtt.models.transformer import CONTEXT_TOKENS, MusicTaggingTransformer

Audio = str | Path | np.ndarray  # the path of a file, or samples (samples,)
HELD = 600 * SAMPLE_RATE  # samples of a file that are kept, so that it is decoded once
SHORTFALL = SAMPLE_RATE // 10  # samples that a crop may lack at its end, for rounding
SHORTEST_BLOCK = 64  # tokens
LARGE = 1_000_000  # parameters


class Recording:
    """Samples of a file or an array, read from anywhere, and the tokens that models make of them.

    Of a file of more than ten minutes no more is in memory than is asked for. Tokens are kept, so a model must not be trained meanwhile.
    Raises ``AudioError`` for a file that cannot be read, ``ValueError`` for samples of the wrong kind.
    """

    def __init__(self, audio: Audio) -> None:
        self._tokens: WeakKeyDictionary[nn.Module, Tensor] = WeakKeyDictionary()
        if isinstance(audio, str | Path):
            self.path = Path(audio)
            self.info, self._wave = listen(audio, HELD)
            self.samples = self.info.samples
            return
        self.path, self.info, wave = None, None, np.asarray(audio)
        if wave.ndim != 1 or not wave.size or wave.dtype.kind != "f" or not np.isfinite(wave).all():
            wanted = f"a path or finite float samples (samples,) in [-1, 1] at {SAMPLE_RATE} Hz"
            raise ValueError(f"audio: expected {wanted}, got {wave.dtype} {wave.shape}")
        self._wave, self.samples = wave, wave.size

    @property
    def seconds(self) -> float:
        return self.samples / SAMPLE_RATE

    def read(self, first: int = 0, last: int | None = None) -> np.ndarray:
        """Samples ``first`` to ``last`` (to the end if None), float32; fewer where the recording ends before. Raises ``AudioError``."""
        last = self.samples if last is None else min(last, self.samples)
        if not 0 <= first < last:
            raise AudioError(f"{self.path or 'audio'}: no such excerpt at {first / SAMPLE_RATE:.1f} s of {self.seconds:.1f} s")
        if self._wave is not None:
            return np.asarray(self._wave[first:last], dtype=np.float32)
        wave = read_audio(self.path, first / SAMPLE_RATE, (last - first) / SAMPLE_RATE)
        missing = last - first - len(wave)
        if missing > SHORTFALL:
            raise AudioError(f"{self.path}: has become shorter; leave it as it is until this is done")
        return np.pad(wave, (0, missing)) if missing else wave

    def tokens(self, model: MusicTaggingTransformer) -> Tensor:
        """(tokens, width) of the whole recording, the same as one pass gives, computed once for each model; call it in ``evaluating``."""
        if model in self._tokens:
            return self._tokens[model]
        step, total, blocks = MIN_FRAMES * model.config.hop, count_tokens(model, self.samples), []
        context = CONTEXT_TOKENS + math.ceil(model.config.n_fft / 2 / step)  # the spectrogram reflects a block at its borders too
        size = max(SHORTEST_BLOCK, model.config.max_positions - 2 * context)
        for first in range(0, total, size):
            last, begin = min(first + size, total), max(0, first - context)
            # The last block also takes the samples that do not fill a token: they are context of the last ones.
            end = (last + context) * step if last + context < total else None
            with quickly(model):
                tokens = model.tokens(to_model(model, self.read(begin * step, end))[None])
            blocks.append(tokens[0, first - begin : last - begin].float())
        self._tokens[model] = torch.cat(blocks)
        return self._tokens[model]


def quickly(model: nn.Module) -> torch.autocast:
    """A context in which a LARGE model computes in bfloat16 where the device has it natively."""
    device, large = next(model.parameters()).device, sum(one.numel() for one in model.parameters()) >= LARGE
    return torch.autocast(device.type, torch.bfloat16, enabled=large and bfloat16_is_fast(device))


def count_tokens(model: MusicTaggingTransformer, samples: int) -> int:
    """Tokens that the model makes of a waveform of so many samples."""
    return max(1, (1 + samples // model.config.hop) // MIN_FRAMES)


def token_times(model: MusicTaggingTransformer, first: np.ndarray, count: int = 1) -> np.ndarray:
    """Centre, in seconds, of ``count`` tokens from token ``first`` on: the middle of the centres of their frames."""
    return (MIN_FRAMES * first + (MIN_FRAMES * count - 1) / 2) * model.config.hop / SAMPLE_RATE


def windows(model: nn.Module, recording: Recording, starts: np.ndarray) -> Iterator[Tensor]:
    """Clips of the model's length from the samples ``starts`` on, in batches (clips, samples); what is lacking at the end is silence."""
    length, size = round(model.clip_seconds * SAMPLE_RATE), batch_of(model.clip_seconds)
    for part in (starts[first : first + size] for first in range(0, len(starts), size)):
        waves = [recording.read(start, start + length) for start in part]
        yield to_model(model, np.stack([np.pad(wave, (0, length - len(wave))) for wave in waves]))


def kept_of(path: Path, store: Path | None, name: str, make: Callable[[], dict[str, np.ndarray]]) -> dict[str, np.ndarray]:
    """What ``make`` gives of a file, kept in the folder ``store`` and read from there while size and time of change are the same."""
    if store is None or not os.path.exists(path):
        return make()
    found = os.stat(path)
    return kept_arrays(store, name, [os.path.abspath(path), found.st_size, found.st_mtime_ns], make)


def to_model(model: nn.Module, wave: np.ndarray) -> Tensor:
    """``wave`` as a float32 tensor on the model's device."""
    return torch.tensor(wave, dtype=torch.float32, device=next(model.parameters()).device)


def probabilities(logits: Tensor) -> np.ndarray:
    """Sigmoid of logits, float32, as an array."""
    return torch.sigmoid(logits.float()).cpu().numpy()


def tag_names(model: nn.Module) -> list[str]:
    """Names of the model's outputs: its tags, or ``tag 0``, ``tag 1``, … where it was given none."""
    return list(model.tags or (f"tag {i}" for i in range(model.n_tags)))
