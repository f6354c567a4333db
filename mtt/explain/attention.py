"""Attention of the Music Tagging Transformer, on the time axis.

Conventions: maps are (layers, heads, 1 + frames, 1 + frames): row = query (who looks), column = key (what is looked at), CLS first; rows
sum to one, as in the forward pass. A *frame* here is a token; ``times`` are the centres, in seconds from the start of the recording. *CLS
attention* is what the CLS row gives each frame, without what it gives itself. *Rollout* (Abnar and Zuidema 2020, "Quantifying attention
flow in transformers", section 3) is the CLS row of A_L ··· A_1 with A = (mean over heads + I) / 2.

Attention says where information is taken from, not what it is used for: it is the same for all tags, and need not be faithful.
"""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from mtt.config import SAMPLE_RATE
from mtt.explain.curves import TagCurves, token_windows, windows_asked
from mtt.explain.recording import Audio, Recording, count_tokens, probabilities, tag_names, to_model, token_times
from mtt.files import MttError
from mtt.models.frontend import evaluating
from mtt.models.transformer import MusicTaggingTransformer

DRAWS = 5  # of each control that attended frames are held against, per clip


@dataclass(frozen=True)
class AttentionMaps:
    """``maps`` (layers, heads, 1 + frames, 1 + frames) float32, CLS first; ``times`` (frames,) seconds."""

    times: np.ndarray
    maps: np.ndarray

    def cls(self, layer: int | None = None, head: int | None = None) -> np.ndarray:
        """CLS attention (frames,) of a layer and head; None takes the mean over layers or heads."""
        layers = self.maps.mean(axis=0) if layer is None else self.maps[layer]
        return (layers.mean(axis=0) if head is None else layers[head])[0, 1:]

    def rollout(self) -> np.ndarray:
        """Attention rollout from CLS to each frame, (frames,)."""
        return cls_rollout(self.maps.mean(axis=1))


@dataclass(frozen=True)
class AttentionCurves:
    """CLS attention ``heads`` (layers, heads, frames) and ``rollout`` (frames,) at ``times`` (frames,) of a whole recording.

    ``last_layer`` (frames,) is the mean over heads there. All are relative to uniform attention (1), means over the windows of a frame.
    """

    times: np.ndarray
    heads: np.ndarray
    rollout: np.ndarray
    last_layer: np.ndarray


def attention_maps(model: nn.Module, audio: Audio, start: float = 0.0, seconds: float | None = None) -> AttentionMaps:
    """Attention of every layer and head over an excerpt of a recording.

    ``audio`` is a path or samples (samples,) at 22 050 Hz; the excerpt is ``seconds`` from ``start``, to the end if None. Raises
    ``MttError`` for a file that cannot be read, an excerpt outside it or of more tokens than the model has positions, a model without
    attention.
    """
    if not isinstance(model, MusicTaggingTransformer):
        raise MttError(f"{type(model).__name__} has no attention; give a MusicTaggingTransformer")
    recording, first = Recording(audio), round(start * SAMPLE_RATE)
    last = recording.samples if seconds is None else min(first + round(seconds * SAMPLE_RATE), recording.samples)
    frames, most = count_tokens(model, last - first), model.config.max_positions
    if frames > most:
        longest = (model.max_frames * model.config.hop - 1) / SAMPLE_RATE
        raise MttError(f"{frames} frames are more than the {most} that the model sees at once: give seconds of {longest:.1f} or less")
    with evaluating(model):
        tokens = model.tokens(to_model(model, recording.read(first, last))[None])
        maps = stacked_maps(model, tokens)[0]
    return AttentionMaps(first / SAMPLE_RATE + token_times(model, np.arange(frames)), maps)


def attention_curves(
    model: MusicTaggingTransformer, audio: Audio | Recording, window: float | None = None, hop: float = 0.5
) -> AttentionCurves:
    """Attention over a recording of any length, from the windows of its tag curve (arguments and errors as in ``tag_curves``).

    A window's attention sums to one whatever it holds; only a frame's mean over overlapping windows compares it with what lies around it.
    """
    return curves_with_attention(model, audio, window, hop)[1]


def curves_with_attention(
    model: MusicTaggingTransformer, audio: Audio | Recording, window: float | None = None, hop: float = 0.5
) -> tuple[TagCurves, AttentionCurves]:
    """``tag_curves`` and ``attention_curves`` of one pass."""
    recording, window, moments = windows_asked(model, audio, window, hop)
    layers, heads, frames, points = model.config.layers, model.config.heads, count_tokens(model, recording.samples), []
    total, count = np.zeros((layers * heads + 2, frames)), np.zeros(frames)
    with evaluating(model):
        for starts, tokens in token_windows(model, recording, window, moments):
            logits, maps = model.score_with_attention(tokens)
            length = tokens.shape[1]
            points.append((token_times(model, starts, length), probabilities(logits)))
            of_cls = torch.stack([layer[:, :, 0, 1:] for layer in maps], dim=1).cpu().numpy()
            rollout = cls_rollout(torch.stack([layer.mean(dim=1) for layer in maps], dim=1).cpu().numpy())
            rows = (of_cls.reshape(len(tokens), -1, length), rollout[:, None], of_cls[:, -1].mean(axis=1, keepdims=True))
            for first, relative in zip(starts, length * np.concatenate(rows, axis=1), strict=True):
                total[:, first : first + length] += relative
                count[first : first + length] += 1
    held = np.flatnonzero(count)  # not all, where the hop is longer than the window
    *by_head, rollout, last_layer = total[:, held] / count[held]
    curves = TagCurves(*map(np.concatenate, zip(*points, strict=True)), tag_names(model), window, hop)
    return curves, AttentionCurves(token_times(model, held), np.reshape(by_head, (layers, heads, -1)), rollout, last_layer)


def stacked_maps(model: MusicTaggingTransformer, tokens: Tensor) -> np.ndarray:
    """(batch, layers, heads, 1 + frames, 1 + frames), float32, of tokens (batch, frames, width); call it inside ``evaluating``."""
    return torch.stack(model.attention(tokens), dim=1).cpu().numpy()


def cls_rollout(mixed: np.ndarray) -> np.ndarray:
    """Means over heads (..., layers, 1 + n, 1 + n) → (..., n): the CLS row of the attention rollout, without CLS."""
    row = np.zeros((*mixed.shape[:-3], 1, mixed.shape[-1]), dtype=mixed.dtype)
    row[..., 0] = 1.0
    for layer in range(mixed.shape[-3] - 1, -1, -1):  # from the output to the input: a row, not a product of matrices
        row = (row @ mixed[..., layer, :, :] + row) / 2
    return row[..., 0, 1:]
