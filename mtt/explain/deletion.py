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

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from mtt.config import SAMPLE_RATE
from mtt.data.batches import evaluation_clips
from mtt.data.corpus import Corpus
from mtt.evaluation.bootstrap import Difference, interval
from mtt.explain.attention import cls_attention, cls_rollout, require_attention, stacked_maps
from mtt.explain.curves import batch_of, count_tokens
from mtt.explain.localisation import clustered_means, output_names
from mtt.explain.recording import evaluating, probabilities, to_model
from mtt.models.frontend import MIN_FRAMES
from mtt.models.transformer import MusicTaggingTransformer

RANKINGS: dict[str, Callable[[np.ndarray], np.ndarray]] = {"attention": cls_attention, "rollout": cls_rollout}
FILLS = ("mean", "drop")
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
    ranking: str = "attention",
    fill: str = "mean",
    resamples: int = 1000,
) -> DeletionTest:
    """Take away the most attended ``share`` of the frames of ``clips`` evenly spaced clips of each track, and as many others.

    ``ranking``: ``"attention"`` (CLS attention of the last layer, mean over heads) or ``"rollout"``. ``fill``: ``"mean"`` replaces the
    frames in the spectrogram by the clip's mean spectrum, which sounds like the clip but says nothing of that moment (silence would be an
    event of its own); ``"drop"`` leaves their tokens out of the attention of every layer, the rest keeping their positions. Tracks without
    a true tag are left out. Raises ``ValueError`` for a model without attention, arguments that take nothing away, and too few tracks.
    """
    require_attention(model)
    if not 0 < share < 1 or clips < 1:
        raise ValueError(f"share must lie between 0 and 1 and clips be at least 1, not {share} and {clips}")
    for name, value, known in (("ranking", ranking, RANKINGS), ("fill", fill, FILLS)):
        if value not in known:
            raise ValueError(f"{name} must be one of {', '.join(known)}, not {value!r}")
    if count_tokens(model, round(model.clip_seconds * SAMPLE_RATE)) < 2:
        raise ValueError(f"clip_seconds of {model.clip_seconds} give one frame, and taking it away leaves none; set longer ones")
    names = output_names(model, corpus)
    shared = [tag for tag in names if tag in corpus.tags]
    truth = corpus.keep_tags(shared).true_labels(track_ids).astype(bool)  # (tracks, shared tags)
    ids, truth = [i for i, row in zip(track_ids, truth, strict=True) if row.any()], truth[truth.any(axis=1)]
    if not ids:
        raise ValueError(f"{corpus.name}: none of the {len(track_ids)} tracks has a tag that the model knows; give others")
    columns = [names.index(tag) for tag in shared]
    total = np.zeros((len(ids), len(MASKS)))
    with evaluating(model):
        for rows, slots, waves in evaluation_clips(corpus, ids, model.clip_seconds, clips, batch_of(model.clip_seconds)):
            generators = [np.random.default_rng([seed, row, slot]) for row, slot in zip(rows, slots, strict=True)]
            drops = _drops(model, to_model(model, waves.numpy()), share, RANKINGS[ranking], fill, generators)[..., columns]
            of_true = np.where(truth[rows], drops, 0).sum(axis=-1) / truth[rows].sum(axis=-1)  # (masks, clips)
            np.add.at(total, rows, of_true.T / clips)
    artists = corpus.artists.loc[ids].to_numpy()
    drops = pd.DataFrame(total, columns=MASKS, index=pd.Index(ids, name="track_id")).assign(artist=artists)
    return summarise_deletion(drops[["artist", *MASKS]], resamples, seed)


def _drops(model: MusicTaggingTransformer, waves: Tensor, share: float, rank: Callable, fill: str, generators: list) -> np.ndarray:
    """(masks, clips, tags): probability before minus after, mean over the draws of a control."""
    mel = model.spectrogram(waves)
    tokens = model.tokens(mel)
    before = probabilities(model.score_tokens(tokens))
    masks = _masks(most(rank(stacked_maps(model, tokens)), share), generators)
    after = []
    for mask in torch.from_numpy(masks).to(tokens.device):
        after.append(probabilities(_fill_mean(model, mel, mask) if fill == "mean" else _drop_tokens(model, tokens, mask)))
    return before - np.stack([after[0], np.mean(after[1 : 1 + DRAWS], axis=0), np.mean(after[1 + DRAWS :], axis=0)])


def _masks(attended: np.ndarray, generators: list[np.random.Generator]) -> np.ndarray:
    """(1 + 2 DRAWS, clips, frames): the attended frames, then the draws of random ones, then those of shifted ones."""
    random, shifted = [], []
    for mask, generator in zip(attended, generators, strict=True):
        random.append([generator.permutation(mask) for _ in range(DRAWS)])
        shifted.append([np.roll(mask, generator.integers(1, mask.size)) for _ in range(DRAWS)])
    return np.concatenate((attended[None], np.swapaxes(random, 0, 1), np.swapaxes(shifted, 0, 1)))


def most(values: np.ndarray, share: float) -> np.ndarray:
    """Mask of the largest ``share`` of each row of ``values`` (rows, n), at least one and not all; of equals the earlier."""
    n = values.shape[1]
    count = min(max(1, round(share * n)), n - 1)
    mask = np.zeros(values.shape, dtype=bool)
    np.put_along_axis(mask, np.argsort(-values, axis=1, kind="stable")[:, :count], True, axis=1)
    return mask


def _fill_mean(model: MusicTaggingTransformer, mel: Tensor, mask: Tensor) -> Tensor:
    """Logits with the masked tokens' frames replaced by the clip's mean spectrum (in dB)."""
    frames = torch.zeros(len(mel), 1, mel.shape[-1], dtype=torch.bool, device=mel.device)
    frames[:, 0, : MIN_FRAMES * mask.shape[1]] = mask.repeat_interleave(MIN_FRAMES, dim=1)
    return model.score_tokens(model.tokens(torch.where(frames, mel.mean(dim=-1, keepdim=True), mel)))


def _drop_tokens(model: MusicTaggingTransformer, tokens: Tensor, mask: Tensor) -> Tensor:
    """Logits with the masked tokens left out of every layer: what masking them as keys gives, since nothing else reads them."""
    kept = torch.nonzero(~mask)[:, 1].view(len(mask), -1, 1).expand(-1, -1, tokens.shape[-1])
    placed = (tokens + model.positions[:, 1 : 1 + tokens.shape[1]]).gather(1, kept)
    cls = (model.cls_token + model.positions[:, :1]).expand(len(tokens), 1, -1)
    x = torch.cat((cls, placed), dim=1)
    for layer in model.layers:
        x = layer(x)
    return model.head(x[:, 0])


def summarise_deletion(drops: pd.DataFrame, resamples: int = 1000, seed: int = 0) -> DeletionTest:
    """``deletion_test`` from its ``drops``. Raises ``ValueError`` for fewer than two artists."""
    artists = drops["artist"].to_numpy()
    if len(np.unique(artists)) < 2:
        raise ValueError("deletion test: all tracks are by one artist; its intervals resample artists and need at least two")
    pairs = {"versus_random": "random", "versus_shifted": "shifted"}
    values = np.column_stack([drops[MASKS].to_numpy(), *(drops["attended"] - drops[control] for control in pairs.values())])
    means, drawn = clustered_means(values, artists, resamples, seed)
    summary = pd.DataFrame(
        [(means[i], *interval(drawn[:, i])) for i in range(len(MASKS))], columns=["drop", "lo", "hi"], index=pd.Index(MASKS, name="frames")
    )
    differences = {
        name: Difference(float(means[i]), *interval(drawn[:, i]), float(np.std(drawn[:, i], ddof=1)), "probability drop", drawn[:, i])
        for i, name in enumerate(pairs, len(MASKS))
    }
    return DeletionTest(drops, summary, **differences)
