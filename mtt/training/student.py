"""The noisy student: learning from labels and from a teacher's soft pseudo-labels.

Conventions: the teacher hears clips clean and in evaluation mode; the student hears them augmented. A batch is half labelled and half
pseudo-labelled clips, in one forward pass. Source: Won et al. 2021, section 3.3 (noisy student, knowledge expansion and distillation);
the missing-label mask is Fonseca et al. 2020, "Addressing missing labels in large-scale sound event recognition using a teacher-student
framework with loss masking".
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from mtt.config import AugmentConfig
from mtt.data.batches import Batch, ClipBatches
from mtt.data.corpus import Corpus
from mtt.evaluation.predict import bfloat16_is_fast, predict_clips
from mtt.training.fit import distort


class OnTheFly:
    """Pseudo-labels of a batch from the teacher, as it is drawn."""

    def __init__(self, teacher: nn.Module) -> None:
        self.teacher = teacher.eval().requires_grad_(False)

    @torch.no_grad()
    def __call__(self, batch: Batch) -> Tensor:
        device = next(self.teacher.parameters()).device
        with torch.autocast(device.type, torch.bfloat16, enabled=bfloat16_is_fast(device)):
            logits = self.teacher(batch.waveforms.to(device))
        return torch.sigmoid(logits.float())


class Precomputed:
    """Pseudo-labels looked up in (n_tracks, slots, n_tags) teacher probabilities; the batches must be drawn with as many slots."""

    def __init__(self, scores: np.ndarray) -> None:
        self.scores = scores

    def __call__(self, batch: Batch) -> Tensor:
        if batch.slots.min() < 0 or batch.slots.max() >= self.scores.shape[1]:
            raise ValueError(f"clips were not drawn from the {self.scores.shape[1]} slots that the pseudo-labels were made for")
        return torch.from_numpy(self.scores[batch.rows, batch.slots].astype(np.float32))


def pseudo_label(
    teacher: nn.Module, corpus: Corpus, track_ids: Sequence[str], clip_seconds: float, slots: int, progress: str = ""
) -> np.ndarray:
    """The teacher's probabilities (n_tracks, slots, n_tags) for every evenly spaced clean clip of the pool."""
    return predict_clips(teacher, corpus, track_ids, clip_seconds, slots, progress)


@dataclass(frozen=True)
class MissingLabelMask:
    """Which negative labels to ignore: those the teacher scores above the tag's threshold (Fonseca et al. 2020, section 3)."""

    thresholds: np.ndarray  # (n_tags,)

    @classmethod
    def from_scores(cls, scores: np.ndarray, labels: np.ndarray, percentile: float) -> MissingLabelMask:
        """Thresholds at a percentile of the teacher's scores (n_tracks, slots, n_tags) on the negatives of labels (n_tracks, n_tags)."""
        if not 0 < percentile <= 100:
            raise ValueError(f"mask_percentile must be in (0, 100], not {percentile}")
        negatives = [scores[labels[:, tag] == 0, :, tag].ravel() for tag in range(labels.shape[1])]
        return cls(np.array([np.percentile(s, percentile) if len(s) else np.inf for s in negatives]))

    def ignored(self, scores: np.ndarray, labels: np.ndarray) -> np.ndarray:
        """True where the label is negative and the score above the threshold; both (..., n_tags)."""
        return (labels == 0) & (scores > self.thresholds)


class NoisyStudent:
    """The student's objective: labelled loss + ``unlabelled_weight`` x pseudo-label loss, both binary cross-entropy.

    ``labelled`` and ``pool`` draw the two halves; ``labels`` is (n_labelled, n_tags). ``pool_augmentation`` is the noise on the pool's
    clips. With a ``mask``, ``teacher_on_labelled`` gives the scores it is compared with.
    """

    def __init__(
        self,
        labelled: ClipBatches,
        labels: np.ndarray,
        pool: ClipBatches,
        pseudo_labels: OnTheFly | Precomputed,
        augmentation: AugmentConfig | None,
        pool_augmentation: AugmentConfig | None,
        seed: int,
        unlabelled_weight: float = 1.0,
        mask: MissingLabelMask | None = None,
        teacher_on_labelled: OnTheFly | Precomputed | None = None,
    ) -> None:
        if mask is not None and teacher_on_labelled is None:
            raise ValueError("a mask needs the teacher's scores on the labelled clips: give teacher_on_labelled")
        self.labelled, self.pool, self.pseudo_labels = labelled, pool, pseudo_labels
        self.labels = torch.as_tensor(labels, dtype=torch.float32)
        self.augmentation, self.pool_augmentation, self.seed = augmentation, pool_augmentation, seed
        self.unlabelled_weight, self.mask, self.teacher_on_labelled = unlabelled_weight, mask, teacher_on_labelled

    def draw(self, first: int, last: int) -> Iterator[tuple[Batch, Batch]]:
        return zip(self.labelled.iterate(first, last), self.pool.iterate(first, last), strict=True)

    def loss(self, model: nn.Module, step: int, drawn: tuple[Batch, Batch]) -> Tensor:
        labelled, pool = drawn
        device = next(model.parameters()).device
        known = distort(labelled.waveforms.to(device), self.augmentation, self.seed, step)
        unknown = distort(pool.waveforms.to(device), self.pool_augmentation, self.seed + 1, step)
        logits = model(torch.cat([known, unknown])).float()
        labels = self.labels[labelled.rows]
        supervised = F.binary_cross_entropy_with_logits(
            logits[: len(known)], labels.to(device), weight=self._weights(labelled, labels).to(device)
        )
        soft = self.pseudo_labels(pool).to(device)
        imitation = F.binary_cross_entropy_with_logits(logits[len(known) :], soft)
        return supervised + self.unlabelled_weight * imitation

    def _weights(self, labelled: Batch, labels: Tensor) -> Tensor:
        if self.mask is None:
            return torch.ones_like(labels)
        scores = self.teacher_on_labelled(labelled).cpu().numpy()
        return torch.from_numpy(~self.mask.ignored(scores, labels.numpy())).float()
