"""Tag curves: the probability of each tag over time.

Conventions
-----------
- Times are seconds from the start of the recording; a point of a curve is the centre of its window. Windows start at 0 and every ``hop``
  seconds as long as they fit; what is shorter than a window gives one point.
- *Transformer.* The front end runs once over the recording, block by block, and the Transformer over windows of its tokens. A window
  starts at the token nearest to its place (at most 46 ms off) and holds as many tokens as a clip of ``window`` seconds has.
- *Other models* score windows cut from the waveform, each from scratch.
- Neither needs more memory for longer audio, but for the curve itself.

How the Transformer's curve differs from cutting the waveform: tokens more than ``CONTEXT_TOKENS`` from the borders of a window are the same
to 1e-5, and so is the curve of windows cut with that much context. Cut without it, the spectrogram reflects the window at its borders and
the convolutions see zeros beyond them; here they see the music that is there. On eight tracks and a trained model of the demo profile's
size that moves a probability by 0.005 on average, and by less than 0.05 at 99% of the points, with windows of 5 s
(``tests/benchmarks/bench_explain.py`` measures it).
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from mtt.config import SAMPLE_RATE
from mtt.explain.recording import (
    Recording,
    as_recording,
    batch_of,
    count_tokens,
    evaluating,
    probabilities,
    tag_names,
    to_model,
    token_times,
)
from mtt.models.frontend import score_windows
from mtt.models.transformer import MusicTaggingTransformer

Batches = Iterator[tuple[np.ndarray, np.ndarray]]  # times (points,), probabilities (points, tags)


@dataclass(frozen=True)
class TagCurves:
    """``probabilities`` (points, tags) at ``times`` (points,), the centres of windows of ``window`` seconds, about ``hop`` apart."""

    times: np.ndarray
    probabilities: np.ndarray
    tags: list[str]
    window: float
    hop: float

    def curve(self, tag: str) -> np.ndarray:
        """Probability (points,) of one tag; ``ValueError`` for a tag that is not there."""
        if tag not in self.tags:
            raise ValueError(f"tag {tag!r} is not one of the model's; they are {', '.join(self.tags)}")
        return self.probabilities[:, self.tags.index(tag)]


def tag_curves(model: nn.Module, audio: str | Path | np.ndarray | Recording, window: float | None = None, hop: float = 0.5) -> TagCurves:
    """Tag curves of a recording.

    >>> model = mtt.load_model("runs/demo/student")
    >>> curves = mtt.tag_curves(model, "song.mp3", window=3.0, hop=0.5)
    >>> curves.times, curves.probabilities           # (points,) seconds, (points, tags)
    >>> piano = curves.curve("piano")                # (points,)
    >>> curves.times[piano.argmax()]                 # when it is likeliest

    Parameters
    ----------
    audio : path of a file, samples (samples,) at 22 050 Hz, or a ``KeptRecording`` for those who come back with other windows
    window : seconds; the model's ``clip_seconds`` if None. The Transformer averages windows longer than it has positions for
    hop : seconds from one window to the next; the Transformer's is no finer than a token (0.093 s)

    Raises ``AudioError`` for a file that cannot be read and ``ValueError`` for a window or hop that is not above 0.
    """
    recording, window = as_recording(audio), window_seconds(model, window, hop)
    score = _score_tokens if isinstance(model, MusicTaggingTransformer) else _score_waveform
    with evaluating(model):
        times, scores = zip(*score(model, recording, window, hop), strict=True)
    return TagCurves(np.concatenate(times), np.concatenate(scores), tag_names(model), window, hop)


def window_seconds(model: nn.Module, window: float | None, hop: float) -> float:
    """The window, or the model's clip length where it is None. Raises ``ValueError`` for a window or hop that is not above 0."""
    window = float(model.clip_seconds if window is None else window)
    for name, value in (("window", window), ("hop", hop)):
        if not 0 < value < math.inf:
            raise ValueError(f"{name} must be a number of seconds above 0, not {value}")
    return window


def token_windows(model: MusicTaggingTransformer, recording: Recording, window: float, hop: float) -> Iterator[tuple[np.ndarray, Tensor]]:
    """Windows of tokens in batches: (the first token of each, (windows, length, width)); call it inside ``evaluating``."""
    tokens = recording.tokens(model)
    length = min(count_tokens(model, round(window * SAMPLE_RATE)), len(tokens))
    for part in _batches(_moments(recording, hop) / model.seconds_per_token, len(tokens) - length, window):
        yield part, tokens[torch.from_numpy(part[:, None] + np.arange(length)).to(tokens.device)]


def _moments(recording: Recording, hop: float) -> np.ndarray:
    """Seconds at which windows are asked for, to the end of the recording and a little beyond."""
    return np.arange(int(recording.seconds / hop) + 2) * hop


def _batches(places: np.ndarray, last: int, window: float) -> Iterator[np.ndarray]:
    """The whole numbers nearest to ``places``, each once, up to ``last``; as many at a time as windows are scored."""
    starts, size = np.unique(np.rint(places).astype(int)), batch_of(window)
    starts = starts[starts <= last]
    return (starts[first : first + size] for first in range(0, len(starts), size))


def _score_tokens(model: MusicTaggingTransformer, recording: Recording, window: float, hop: float) -> Batches:
    for starts, windows in token_windows(model, recording, window, hop):
        logits = score_windows(model.score_tokens, windows, model.config.max_positions, dim=1)
        yield token_times(model, starts, windows.shape[1]), probabilities(logits)


def _score_waveform(model: nn.Module, recording: Recording, window: float, hop: float) -> Batches:
    length = min(max(1, round(window * SAMPLE_RATE)), recording.samples)
    for part in _batches(_moments(recording, hop) * SAMPLE_RATE, recording.samples - length, window):
        span = recording.read(part[0], part[-1] + length)  # once, where windows overlap
        waves = np.lib.stride_tricks.sliding_window_view(span, length)[part - part[0]]
        yield (part + length / 2) / SAMPLE_RATE, probabilities(model(to_model(model, waves)))
