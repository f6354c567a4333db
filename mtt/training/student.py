"""The noisy student: learning from labels and from a teacher's soft pseudo-labels.

Conventions: the teacher has heard the clips clean and in evaluation mode, and its scores are probabilities (n_tracks, slots, n_tags) of
evenly spaced clips (``predict_clips``); the student hears the clips augmented. A batch is half labelled and half pseudo-labelled clips, in
one forward pass. Source: Won et al. 2021, section 3.3 (noisy student, knowledge expansion and distillation); the missing-label mask is
Fonseca et al. 2020, "Addressing missing labels in large-scale sound event recognition using a teacher-student framework with loss masking".
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits, mse_loss

from mtt.config import AugmentConfig
from mtt.data.augment import augmented, stream_seed
from mtt.data.batches import Batch, ClipBatches
from mtt.training.fit import Supervised

RAREST = 1e-6  # probability: what is below, or as far below 1, has the logit of this


def clip_scores(scores: np.ndarray, batch: Batch) -> Tensor:
    """The teacher's scores of the batch's clips, (clips, n_tags) float32; the batch must be drawn with as many slots as ``scores`` has."""
    if batch.slots.min() < 0 or batch.slots.max() >= scores.shape[1]:
        raise ValueError(f"clips were not drawn from the {scores.shape[1]} slots that the pseudo-labels were made for")
    return torch.from_numpy(scores[batch.rows, batch.slots].astype(np.float32))


class MissingLabelMask:
    """Which labels to keep: all but negatives that the teacher scores above the tag's threshold (Fonseca et al. 2020, section 3).

    A threshold is the ``percentile`` of the teacher's ``scores`` of the labelled tracks on the negatives of ``labels`` (n_tracks, n_tags).
    """

    def __init__(self, scores: np.ndarray, labels: np.ndarray, percentile: float) -> None:
        negatives = [scores[labels[:, tag] == 0, :, tag] for tag in range(labels.shape[1])]
        self.scores = scores
        self.thresholds = torch.tensor([np.percentile(one, percentile) if one.size else np.inf for one in negatives], dtype=torch.float64)

    def kept(self, batch: Batch, labels: Tensor) -> Tensor:
        """(clips, n_tags) bool, for the batch's clips and their labels (clips, n_tags)."""
        return (labels > 0) | (clip_scores(self.scores, batch) <= self.thresholds)


class Imitation(Supervised):
    """The objective of a student without labels: mean squared error to the logits of the teacher's ``scores`` of the pool's clips, in units
    of each tag's standard deviation over the pool.

    So a rare tag, whose probabilities are all small, counts as much as a frequent one. Source: Ba and Caruana 2014, "Do deep nets really
    need to be deep?", section 2.1.
    """

    def __init__(self, pool: ClipBatches, scores: np.ndarray) -> None:
        super().__init__(pool, scores, None, 0)
        logits = torch.from_numpy(scores.astype(np.float32)).logit(RAREST).flatten(0, 1)
        self.mean, self.spread = logits.mean(dim=0), logits.std(dim=0).clamp(min=RAREST)

    def loss(self, model: nn.Module, step: int, drawn: Batch) -> Tensor:
        logits = model(drawn.clips.to(next(model.parameters()).device, non_blocking=True)).float()
        wanted = clip_scores(self.labels.numpy(), drawn).logit(RAREST)
        return mse_loss(logits / self.spread.to(logits.device), (wanted / self.spread).to(logits.device))


@dataclass
class NoisyStudent:
    """The student's objective: labelled loss + ``unlabelled_weight`` x pseudo-label loss, both mean binary cross-entropy.

    ``labelled`` and ``pool`` draw the two halves; ``labels`` is (n_labelled, n_tags), ``scores`` are the teacher's of the pool.
    ``augmentation`` and ``pool_augmentation`` are the noise on either half. The labels that a ``mask`` does not keep count for nothing:
    the labelled loss is the mean over the others.
    """

    labelled: ClipBatches
    labels: np.ndarray
    pool: ClipBatches
    scores: np.ndarray
    augmentation: AugmentConfig | None
    pool_augmentation: AugmentConfig | None
    seed: int
    unlabelled_weight: float = 1.0
    mask: MissingLabelMask | None = None

    def draw(self, first: int, last: int) -> Iterator[tuple[Batch, Batch]]:
        return zip(self.labelled.iterate(first, last), self.pool.iterate(first, last), strict=True)

    def tracks(self, drawn: tuple[Batch, Batch]) -> list[str]:
        labelled, pool = drawn
        return [*labelled.track_ids, *pool.track_ids]

    def loss(self, model: nn.Module, step: int, drawn: tuple[Batch, Batch]) -> Tensor:
        labelled, pool = drawn
        device = next(model.parameters()).device
        known, unknown = (batch.clips.to(device, non_blocking=True) for batch in drawn)
        known = augmented(known, self.augmentation, stream_seed(self.seed, step, "augmentation"))
        unknown = augmented(unknown, self.pool_augmentation, stream_seed(self.seed, step, "augmentation of the pool"))
        logits = model(torch.cat([known, unknown])).float()
        supervised = self._supervised(logits[: len(known)], labelled)
        imitation = binary_cross_entropy_with_logits(logits[len(known) :], clip_scores(self.scores, pool).to(device))
        return supervised + self.unlabelled_weight * imitation

    def _supervised(self, logits: Tensor, batch: Batch) -> Tensor:
        labels = torch.as_tensor(self.labels[batch.rows], dtype=torch.float32)
        losses = binary_cross_entropy_with_logits(logits, labels.to(logits.device), reduction="none")
        if self.mask is None:
            return losses.mean()
        kept = self.mask.kept(batch, labels).to(logits.device)
        return (losses * kept).sum() / kept.sum().clamp(min=1)
