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
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from weakref import WeakKeyDictionary

import numpy as np
import torch
from torch import Tensor, nn

from mtt.config import SAMPLE_RATE
from mtt.explain.recording import Recording, as_recording, evaluating, probabilities, tag_names, to_model
from mtt.models.frontend import MIN_FRAMES, score_windows
from mtt.models.transformer import CONTEXT_TOKENS, MusicTaggingTransformer

BATCH_SECONDS = 96.0  # of audio in a batch of windows, overlaps counted
SHORTEST_BLOCK = 64  # tokens


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
        return self.probabilities[:, _positions_of([tag], self.tags)[0]]


def tag_curves(
    model: nn.Module,
    audio: str | Path | np.ndarray | Recording,
    window: float | None = None,
    hop: float = 0.5,
    tags: Sequence[str] | None = None,
    batch_size: int | None = None,
) -> TagCurves:
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
    tags : the tags to keep, in this order; all if None
    batch_size : windows scored at a time; 96 s of audio if None

    Raises ``AudioError`` for a file that cannot be read and ``ValueError`` for arguments that make no curve.
    """
    recording, names = as_recording(audio), tag_names(model)
    window = window_seconds(model, window, hop)
    columns = _positions_of(names if tags is None else tags, names)
    batch_size = batch_of(window) if batch_size is None else batch_size
    if batch_size < 1:
        raise ValueError(f"batch_size must be at least 1, not {batch_size}")
    score = _score_tokens if isinstance(model, MusicTaggingTransformer) else _score_waveform
    with evaluating(model):
        times, scores = score(model, recording, window, hop, batch_size)
    return TagCurves(times, scores[:, columns], [names[i] for i in columns], window, hop)


def window_seconds(model: nn.Module, window: float | None, hop: float) -> float:
    """The window, or the model's clip length where it is None. Raises ``ValueError`` for a window or hop that is not above 0."""
    window = float(model.clip_seconds if window is None else window)
    for name, value in (("window", window), ("hop", hop)):
        if not 0 < value < math.inf:
            raise ValueError(f"{name} must be a number of seconds above 0, not {value}")
    return window


def batch_of(window: float) -> int:
    """Windows in a batch of BATCH_SECONDS."""
    return max(1, int(BATCH_SECONDS / window))


# --- Windows of tokens ---


def count_tokens(model: MusicTaggingTransformer, samples: int) -> int:
    """Tokens that the model makes of a waveform of so many samples."""
    return max(1, (1 + samples // model.config.hop) // MIN_FRAMES)


def token_times(model: MusicTaggingTransformer, first: np.ndarray, count: int = 1) -> np.ndarray:
    """Centre, in seconds, of ``count`` tokens from token ``first`` on: the middle of the centres of their frames."""
    return (MIN_FRAMES * first + (MIN_FRAMES * count - 1) / 2) * model.config.hop / SAMPLE_RATE


def token_grid(model: MusicTaggingTransformer, recording: Recording, window: float, hop: float) -> tuple[np.ndarray, int]:
    """(first token of each window, tokens in a window)."""
    total = count_tokens(model, recording.samples)
    length = min(count_tokens(model, round(window * SAMPLE_RATE)), total)
    last = total - length
    starts = np.rint(np.arange(int(last * model.seconds_per_token / hop) + 2) * hop / model.seconds_per_token).astype(int)
    return np.unique(starts[starts <= last]), length


class KeptRecording(Recording):
    """A recording in memory whose tokens are computed once for each model, for all windows that are asked for later.

    Its memory grows with its length, and a model must not be trained meanwhile.
    """

    def __init__(self, audio: str | Path | np.ndarray) -> None:
        super().__init__(Recording(audio).read())
        self._tokens: WeakKeyDictionary[nn.Module, Tensor] = WeakKeyDictionary()

    def tokens(self, model: MusicTaggingTransformer) -> Tensor:
        """(tokens, width) of the whole recording; call it inside ``evaluating``."""
        if model not in self._tokens:
            self._tokens[model] = torch.cat(list(_computed_blocks(model, self)))
        return self._tokens[model]


def token_blocks(model: MusicTaggingTransformer, recording: Recording) -> Iterator[Tensor]:
    """Consecutive tokens (n, width) of a whole recording, the same as one pass gives; call it inside ``evaluating``."""
    if isinstance(recording, KeptRecording):
        yield recording.tokens(model)
    else:
        yield from _computed_blocks(model, recording)


def _computed_blocks(model: MusicTaggingTransformer, recording: Recording) -> Iterator[Tensor]:
    step = MIN_FRAMES * model.config.hop
    total = count_tokens(model, recording.samples)
    context = CONTEXT_TOKENS + math.ceil(model.config.n_fft / 2 / step)  # the spectrogram reflects a block at its borders too
    size = max(SHORTEST_BLOCK, model.config.max_positions - 2 * context)
    for first in range(0, total, size):
        last, begin = min(first + size, total), max(0, first - context)
        # The last block also takes the samples that do not fill a token: they are context of the last ones.
        end = (last + context) * step if last + context < total else None
        wave = to_model(model, recording.read(begin * step, end))
        yield model.tokens(wave[None])[0, first - begin : last - begin]


def token_windows(
    model: MusicTaggingTransformer, recording: Recording, starts: np.ndarray, length: int, batch_size: int
) -> Iterator[tuple[slice, Tensor]]:
    """Windows of tokens in batches: (which of ``starts``, (windows, length, width)); call it inside ``evaluating``."""
    kept, offset, done = None, 0, 0
    for block in token_blocks(model, recording):
        kept = block if kept is None else torch.cat((kept, block))
        ready = int(np.searchsorted(starts, offset + len(kept) - length, side="right"))
        for first in range(done, ready, batch_size):
            part = slice(first, min(first + batch_size, ready))
            rows = torch.from_numpy(starts[part, None] - offset + np.arange(length)).to(kept.device)
            yield part, kept[rows]
        done = ready
        over = len(kept) if done == len(starts) else min(int(starts[done]) - offset, len(kept))
        kept, offset = kept[over:], offset + over


def _score_tokens(
    model: MusicTaggingTransformer, recording: Recording, window: float, hop: float, batch_size: int
) -> tuple[np.ndarray, np.ndarray]:
    starts, length = token_grid(model, recording, window, hop)
    scores = np.empty((len(starts), model.n_tags), dtype=np.float32)
    for part, windows in token_windows(model, recording, starts, length, batch_size):
        scores[part] = probabilities(score_windows(model.score_tokens, windows, model.config.max_positions, dim=1))
    return token_times(model, starts, length), scores


# --- Windows of the waveform ---


def _score_waveform(model: nn.Module, recording: Recording, window: float, hop: float, batch_size: int) -> tuple[np.ndarray, np.ndarray]:
    length = min(max(1, round(window * SAMPLE_RATE)), recording.samples)
    last = recording.samples - length
    starts = np.rint(np.arange(int(last / SAMPLE_RATE / hop) + 2) * hop * SAMPLE_RATE).astype(int)
    starts = np.unique(starts[starts <= last])
    scores = np.empty((len(starts), model.n_tags), dtype=np.float32)
    for first in range(0, len(starts), batch_size):
        part = starts[first : first + batch_size]
        if part[-1] - part[0] > batch_size * length:  # windows far apart: what lies between is not read
            waves = np.stack([recording.read(start, start + length) for start in part])
        else:
            span = recording.read(part[0], part[-1] + length)
            waves = np.lib.stride_tricks.sliding_window_view(span, length)[part - part[0]]
        scores[first : first + len(part)] = probabilities(model(to_model(model, waves)))
    return (starts + length / 2) / SAMPLE_RATE, scores


def _positions_of(tags: Sequence[str], names: list[str]) -> list[int]:
    for tag in tags:
        if tag not in names:
            raise ValueError(f"tag {tag!r} is not one of the model's; they are {', '.join(names)}")
    return [names.index(tag) for tag in tags]
