"""Are explanations right? What happens to the tags when the frames that a model attends to are taken away.

Conventions
-----------
- *Deletion test* (as for saliency maps: Petsiuk, Das and Saenko 2018, "RISE", section 4.2): how much the probability of a clip's true tags
  drops when its most attended frames are taken away, minus how much it drops when others are. Two controls take away as many frames:
  ``random`` ones, scattered, and ``shifted`` ones, the attended frames moved around the clip together. Scattered frames spoil more of their
  neighbours than the runs that attention picks, since a token hears 0.33 s on both sides; the shifted control has the same runs.
- A track's drop is the mean over its clips and true tags; intervals are those of ``mtt.explain.localisation``.
- Randomness depends on ``seed`` alone, and for a clip not on the other clips.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from mtt.config import SAMPLE_RATE
from mtt.data.batches import evaluation_clips
from mtt.data.corpus import Corpus
from mtt.evaluation.bootstrap import Difference, interval
from mtt.explain.attention import require_attention, stacked_maps
from mtt.explain.localisation import clustered_means
from mtt.explain.recording import batch_of, count_tokens, evaluating, probabilities, tag_names, to_model
from mtt.models.frontend import MIN_FRAMES
from mtt.models.transformer import MusicTaggingTransformer

MASKS = ["attended", "random", "shifted"]
DRAWS = 5  # of each control, per clip


@dataclass(frozen=True)
class DeletionTest:
    """What taking frames away does to the probability of the true tags.

    ``drops``: one row a track (index ``track_id``), ``artist`` and the mean drop over its true tags and clips for ``attended``, ``random``
    and ``shifted`` frames. ``summary``: the means of the three with ``drop``, ``lo``, ``hi``. ``versus_random`` and ``versus_shifted``:
    attended minus control, paired by clip.
    """

    drops: pd.DataFrame
    summary: pd.DataFrame
    versus_random: Difference
    versus_shifted: Difference

    @property
    def faithful(self) -> bool:
        """Whether taking the attended frames away costs more than either control, by intervals that lie above zero."""
        return self.versus_random.lo > 0 and self.versus_shifted.lo > 0


def deletion_test(
    model: MusicTaggingTransformer,
    corpus: Corpus,
    track_ids: Sequence[str],
    share: float = 0.2,
    seed: int = 0,
    clips: int = 4,
    resamples: int = 1000,
) -> DeletionTest:
    """Take away the most attended ``share`` of the frames of ``clips`` evenly spaced clips of each track, and as many others.

    Most attended is by CLS attention of the last layer, mean over heads. Taken away, a frame of the spectrogram is the clip's mean spectrum,
    which sounds like the clip but says nothing of that moment (silence would be an event of its own). Tracks without a true tag are left
    out. Raises ``MttError`` for a model without attention, ``ValueError`` for arguments that take nothing away, and too few tracks.
    """
    require_attention(model)
    frames = count_tokens(model, round(model.clip_seconds * SAMPLE_RATE))
    if not 0 < share < 1 or clips < 1 or frames < 2:
        raise ValueError(f"share must lie between 0 and 1, clips be at least 1 and have 2 frames, not {share}, {clips} and {frames}")
    names = tag_names(model)
    shared = [tag for tag in names if tag in corpus.tags]
    truth = corpus.keep_tags(shared).true_labels(track_ids).astype(bool)  # (tracks, shared tags)
    ids, truth = [i for i, row in zip(track_ids, truth, strict=True) if row.any()], truth[truth.any(axis=1)]
    columns = [names.index(tag) for tag in shared]
    total = np.zeros((len(ids), len(MASKS)))
    with evaluating(model):
        for rows, slots, waves in evaluation_clips(corpus, ids, model.clip_seconds, clips, batch_of(model.clip_seconds)):
            generators = [np.random.default_rng([seed, row, slot]) for row, slot in zip(rows, slots, strict=True)]
            drops = _drops(model, to_model(model, waves.numpy()), share, generators)[..., columns]
            of_true = np.where(truth[rows], drops, 0).sum(axis=-1) / truth[rows].sum(axis=-1)  # (masks, clips)
            np.add.at(total, rows, of_true.T / clips)
    drops = pd.DataFrame(total, columns=MASKS, index=pd.Index(ids, name="track_id"))
    drops.insert(0, "artist", corpus.artists.loc[ids].to_numpy())
    return summarise_deletion(drops, resamples, seed)


def summarise_deletion(drops: pd.DataFrame, resamples: int = 1000, seed: int = 0) -> DeletionTest:
    """``deletion_test`` from its ``drops``. Raises ``ValueError`` for fewer than two artists."""
    if drops["artist"].nunique() < 2:
        raise ValueError("deletion test: its intervals resample artists; give tracks of two or more, with a tag that the model knows")
    versus = {f"versus_{control}": drops["attended"] - drops[control] for control in MASKS[1:]}  # by track, so paired
    columns = drops[MASKS].assign(**versus)
    effects, *drawn = clustered_means(columns.to_numpy(), drops["artist"].to_numpy(), resamples, seed)
    found = {
        name: Difference(float(effect), *interval(values), float(np.std(values, ddof=1)), "probability drop", values)
        for name, effect, values in zip(columns, effects, np.transpose(drawn), strict=True)
    }
    rows = [(found[mask].effect, found[mask].lo, found[mask].hi) for mask in MASKS]
    summary = pd.DataFrame(rows, columns=["drop", "lo", "hi"], index=pd.Index(MASKS, name="frames"))
    return DeletionTest(drops, summary, *(found[name] for name in versus))


def _drops(model: MusicTaggingTransformer, waves: Tensor, share: float, generators: list[np.random.Generator]) -> np.ndarray:
    """(masks, clips, tags): probability before minus after, mean over the draws of a control."""
    mel = model.spectrogram(waves)
    tokens = model.tokens(mel)
    before = probabilities(model.score_tokens(tokens))
    attention = stacked_maps(model, tokens)[:, -1, :, 0, 1:].mean(axis=1)
    masks = torch.from_numpy(_masks(attention, share, generators)).to(mel.device)
    after = [probabilities(model.score_tokens(model.tokens(_without(mel, mask)))) for mask in masks]
    return before - np.stack([after[0], np.mean(after[1 : 1 + DRAWS], axis=0), np.mean(after[1 + DRAWS :], axis=0)])


def _masks(attention: np.ndarray, share: float, generators: list[np.random.Generator]) -> np.ndarray:
    """(1 + 2 DRAWS, clips, frames): the most attended frames, at least one and not all, then the draws of random ones and of shifted ones."""
    frames = attention.shape[1]
    count = min(max(1, round(share * frames)), frames - 1)
    attended = np.zeros(attention.shape, dtype=bool)
    np.put_along_axis(attended, np.argsort(-attention, axis=1, kind="stable")[:, :count], True, axis=1)
    clips = []
    for mask, generator in zip(attended, generators, strict=True):
        random = [generator.permutation(mask) for _ in range(DRAWS)]
        shifted = [np.roll(mask, generator.integers(1, frames)) for _ in range(DRAWS)]
        clips.append([mask, *random, *shifted])
    return np.stack(clips, axis=1)


def _without(mel: Tensor, mask: Tensor) -> Tensor:
    """The spectrograms (clips, mels, frames) with the frames of masked tokens (clips, tokens) replaced by the clip's mean spectrum (in dB)."""
    masked = torch.zeros(len(mel), 1, mel.shape[-1], dtype=torch.bool, device=mel.device)
    masked[:, 0, : MIN_FRAMES * mask.shape[1]] = mask.repeat_interleave(MIN_FRAMES, dim=1)
    return torch.where(masked, mel.mean(dim=-1, keepdim=True), mel)
