"""Tag curves: the probability of each tag over time.

Conventions: times are seconds from the start of the recording; a point of a curve is the centre of its window. Windows start at 0 and every
``hop`` seconds as long as they fit; what is shorter than a window gives one point. The Transformer's front end runs once over the
recording, and the Transformer over windows of its tokens, each from the token nearest to its place (at most 46 ms off). Other models score
windows cut from the waveform.

Cut windows do not know the music beyond their borders, tokens do: with ``CONTEXT_TOKENS`` more on each side they give the same curve to
1e-5, without them probabilities move by 0.005 on average (``tests/benchmarks/bench_explain.py``).
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from mtt.config import SAMPLE_RATE
from mtt.data.batches import batch_of
from mtt.explain.recording import Audio, Recording, count_tokens, probabilities, tag_names, to_model, token_times
from mtt.models.frontend import evaluating, score_windows
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


def tag_curves(model: nn.Module, audio: Audio | Recording, window: float | None = None, hop: float = 0.5) -> TagCurves:
    """Tag curves of a recording.

    ``audio`` is a path, samples (samples,) at 22 050 Hz, or a ``Recording`` that is asked again; ``window`` is in seconds, the model's
    ``clip_seconds`` if None; ``hop`` seconds lie between windows, of the Transformer at least a token (0.093 s). Raises ``AudioError`` for
    a file that cannot be read and ``ValueError`` for a window or hop that is not above 0.
    """
    recording, window, moments = windows_asked(model, audio, window, hop)
    score = _score_tokens if isinstance(model, MusicTaggingTransformer) else _score_waveform
    with evaluating(model):
        times, scores = zip(*score(model, recording, window, moments), strict=True)
    return TagCurves(np.concatenate(times), np.concatenate(scores), tag_names(model), window, hop)


def windows_asked(model: nn.Module, audio: Audio | Recording, window: float | None, hop: float) -> tuple[Recording, float, np.ndarray]:
    """The recording, the seconds of a window (the model's clip length for None), and the moments at which one is to start, to the end."""
    window = float(model.clip_seconds if window is None else window)
    if not (0 < window < math.inf and 0 < hop < math.inf):
        raise ValueError(f"window and hop must be seconds above 0, not {window} and {hop}")
    recording = audio if isinstance(audio, Recording) else Recording(audio)
    return recording, window, np.arange(int(recording.seconds / hop) + 2) * hop


def token_windows(
    model: MusicTaggingTransformer, recording: Recording, window: float, moments: np.ndarray
) -> Iterator[tuple[np.ndarray, Tensor]]:
    """Windows of tokens in batches: (the first token of each, (windows, length, width)); call it inside ``evaluating``."""
    tokens = recording.tokens(model)
    length = min(count_tokens(model, round(window * SAMPLE_RATE)), len(tokens))
    for part in _batches(moments / model.seconds_per_token, len(tokens) - length, window):
        yield part, tokens[torch.from_numpy(part[:, None] + np.arange(length)).to(tokens.device)]


def _batches(places: np.ndarray, last: int, window: float) -> Iterator[np.ndarray]:
    """The whole numbers nearest to ``places``, each once, up to ``last``; as many at a time as windows are scored."""
    starts, size = np.unique(np.rint(places).astype(int)), batch_of(window)
    starts = starts[starts <= last]
    return (starts[first : first + size] for first in range(0, len(starts), size))


def _score_tokens(model: MusicTaggingTransformer, recording: Recording, window: float, moments: np.ndarray) -> Batches:
    for starts, windows in token_windows(model, recording, window, moments):
        logits = score_windows(model.score_tokens, windows, model.config.max_positions, dim=1)
        yield token_times(model, starts, windows.shape[1]), probabilities(logits)


def _score_waveform(model: nn.Module, recording: Recording, window: float, moments: np.ndarray) -> Batches:
    length = min(max(1, round(window * SAMPLE_RATE)), recording.samples)
    for part in _batches(moments * SAMPLE_RATE, recording.samples - length, window):
        span = recording.read(part[0], part[-1] + length)  # once, where windows overlap
        waves = np.lib.stride_tricks.sliding_window_view(span, length)[part - part[0]]
        yield (part + length / 2) / SAMPLE_RATE, probabilities(model(to_model(model, waves)))
