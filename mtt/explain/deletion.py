"""Are explanations right? What happens to the tags when the frames that a model attends to are taken away.

Conventions: the *deletion test* (Petsiuk, Das and Saenko 2018, "RISE", section 4.2) is how much the probability of a clip's true tags drops
without its most attended frames, minus how much it drops without as many others: ``random``, scattered ones, or the attended ones
``shifted`` around the clip together, which keeps their runs. A track's drop is the mean over its clips and true tags; intervals are those
of ``mtt.explain.localisation``. Draws of a clip depend on its place among the tracks and clips alone.
"""

from collections.abc import Sequence
from dataclasses import astuple, dataclass

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from mtt.data.batches import evaluation_clips
from mtt.data.corpus import Corpus
from mtt.evaluation.bootstrap import Estimate, interval
from mtt.explain.attention import DRAWS, stacked_maps
from mtt.explain.localisation import clustered_means
from mtt.explain.recording import probabilities, tag_names, to_model
from mtt.models.frontend import MIN_FRAMES, evaluating
from mtt.models.transformer import MusicTaggingTransformer

MASKS = ["attended", "random", "shifted"]
SHARE = 0.2  # of the frames of a clip, taken away
CLIPS = 4  # of each track


@dataclass(frozen=True)
class DeletionTest:
    """The rows of ``track_deletion`` and what they say together.

    ``summary``: the means of ``attended``, ``random`` and ``shifted``, with ``drop``, ``lo``, ``hi``. ``versus_…``: attended minus control.
    """

    drops: pd.DataFrame
    summary: pd.DataFrame
    versus_random: Estimate
    versus_shifted: Estimate


def track_deletion(model: MusicTaggingTransformer, corpus: Corpus, track_ids: Sequence[str]) -> pd.DataFrame:
    """Take away the most attended SHARE of the frames of evenly spaced clips of each track, and as many others.

    Columns: ``track_id``, ``artist``, and the mean drop over true tags and clips without each of MASKS; tracks without a true tag are left
    out. Attended is meant by CLS attention of the last layer, mean over heads. What is taken away becomes the clip's mean spectrum.
    """
    names = tag_names(model)
    shared = [tag for tag in names if tag in corpus.tags]
    columns = [names.index(tag) for tag in shared]
    truth = corpus.keep(tags=shared).true_labels(track_ids).astype(bool)  # (tracks, shared tags)
    ids, truth = list(pd.Index(track_ids)[truth.any(axis=1)]), truth[truth.any(axis=1)]
    total = np.zeros((len(ids), len(MASKS)))
    with evaluating(model):
        for rows, slots, waves in evaluation_clips(corpus, ids, model.clip_seconds, CLIPS):
            generators = [np.random.default_rng([0, row, slot]) for row, slot in zip(rows, slots, strict=True)]
            drops = _drops(model, to_model(model, waves.numpy()), generators)[..., columns]
            of_true = np.where(truth[rows], drops, 0).sum(axis=-1) / truth[rows].sum(axis=-1)  # (masks, clips)
            np.add.at(total, rows, of_true.T / CLIPS)
    return pd.DataFrame({"track_id": ids, "artist": corpus.artists.loc[ids].to_numpy(), **dict(zip(MASKS, total.T, strict=True))})


def summarise_deletion(drops: pd.DataFrame, resamples: int = 1000) -> DeletionTest:
    """The test on rows of ``track_deletion``. Raises ``ValueError`` for fewer than two artists."""
    if drops["artist"].nunique() < 2:
        raise ValueError("deletion test: its intervals resample artists; give tracks of two or more, with a tag that the model knows")
    versus = {f"versus_{control}": drops["attended"] - drops[control] for control in MASKS[1:]}  # by track, so paired
    columns = drops[MASKS].assign(**versus)
    effects, *drawn = clustered_means(columns.to_numpy(), drops["artist"].to_numpy(), resamples)
    rows = zip(columns, effects, np.transpose(drawn), strict=True)
    found = {name: Estimate(float(effect), *interval(values)) for name, effect, values in rows}
    rows = [astuple(found[mask]) for mask in MASKS]
    summary = pd.DataFrame(rows, columns=["drop", "lo", "hi"], index=pd.Index(MASKS, name="frames"))
    return DeletionTest(drops, summary, *(found[name] for name in versus))


def _drops(model: MusicTaggingTransformer, waves: Tensor, generators: list[np.random.Generator]) -> np.ndarray:
    """(masks, clips, tags): probability before minus after, mean over the draws of a control."""
    mel = model.spectrogram(waves)
    tokens = model.tokens(mel)
    before = probabilities(model.score_tokens(tokens))
    attention = stacked_maps(model, tokens)[:, -1, :, 0, 1:].mean(axis=1)
    masks = torch.from_numpy(_masks(attention, generators)).to(mel.device)
    after = [probabilities(model.score_tokens(model.tokens(_without(mel, mask)))) for mask in masks]
    return before - np.stack([after[0], np.mean(after[1 : 1 + DRAWS], axis=0), np.mean(after[1 + DRAWS :], axis=0)])


def _masks(attention: np.ndarray, generators: list[np.random.Generator]) -> np.ndarray:
    """(1 + 2 DRAWS, clips, frames): the attended frames, at least one and not all, then the draws of random and of shifted ones."""
    frames = attention.shape[1]
    count = min(max(1, round(SHARE * frames)), frames - 1)
    attended = np.zeros(attention.shape, dtype=bool)
    np.put_along_axis(attended, np.argsort(-attention, axis=1, kind="stable")[:, :count], True, axis=1)
    clips = []
    for mask, generator in zip(attended, generators, strict=True):
        random = [generator.permutation(mask) for _ in range(DRAWS)]
        shifted = [np.roll(mask, generator.integers(1, frames)) for _ in range(DRAWS)]
        clips.append([mask, *random, *shifted])
    return np.stack(clips, axis=1)


def _without(mel: Tensor, mask: Tensor) -> Tensor:
    """Spectrograms (clips, mels, frames) whose masked tokens (clips, tokens) are replaced by the clip's mean spectrum (in dB)."""
    masked = torch.zeros(len(mel), 1, mel.shape[-1], dtype=torch.bool, device=mel.device)
    masked[:, 0, : MIN_FRAMES * mask.shape[1]] = mask.repeat_interleave(MIN_FRAMES, dim=1)
    return torch.where(masked, mel.mean(dim=-1, keepdim=True), mel)
