"""How good a teacher's pseudo-labels are: on the unlabelled pool where the truth is known there, else on the validation set.

Conventions: scores are song-level probabilities (n_tracks, n_tags), the mean over the clips that students draw from. *Missing* labels are
positives that the observed labels of the training tracks lack.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from mtt.data.corpus import Corpus
from mtt.evaluation.metrics import calibration, expected_calibration_error, macro, roc_auc
from mtt.study.cells import teacher_scores
from mtt.study.workspace import Result, Study


@dataclass(frozen=True)
class PseudoLabels:
    """A teacher's scores on the tracks that they are checked on (``where``: unlabelled or validation) and on its training tracks."""

    corpus: Corpus
    pool_ids: list[str]
    pool_scores: np.ndarray
    train_ids: list[str]
    train_scores: np.ndarray
    where: str = "unlabelled"

    @classmethod
    def of(cls, study: Study, teacher: Result) -> PseudoLabels:
        """Read back, or made, for the teacher's first seed."""
        folder, seconds = teacher.stages[0].folder, study.config.train.clip_seconds
        corpus, pool = study.corpus, study.ids("unlabelled")
        told = pool if corpus.truth is not None else [i for i in pool if corpus.is_labelled[i]]
        checked = "unlabelled" if told else "valid"
        ids = {checked: told or study.ids("valid"), "train": study.ids("train")}
        found = {name: np.asarray(teacher_scores(folder, study.data, ids[name], seconds)).mean(axis=1) for name in ids}
        where = "unlabelled" if told else "validation"
        return cls(corpus, ids[checked], found[checked], ids["train"], found["train"], where)

    @property
    def _missing(self) -> np.ndarray:
        return (self.corpus.true_labels(self.train_ids) == 1) & (self._observed == 0)

    @property
    def knows_missing(self) -> bool:
        """Whether the truth shows which labels of the training tracks are missing."""
        return bool(self._missing.any())

    @property
    def _observed(self) -> np.ndarray:
        return self.corpus.labels[self.corpus.rows(self.train_ids)]

    def reliability(self) -> pd.DataFrame:
        """Calibration on the pool: predicted, observed, count per bin; empty bins left out."""
        table = calibration(self.corpus.true_labels(self.pool_ids), self.pool_scores)
        return table.rename(columns={"probability": "predicted", "share": "observed"}).dropna()

    def missing_against_negatives(self) -> tuple[np.ndarray, np.ndarray]:
        """Scores of missing labels and of true negatives, both (n,), on the training tracks."""
        true_negatives = (self.corpus.true_labels(self.train_ids) == 0) & (self._observed == 0)
        return self.train_scores[self._missing], self.train_scores[true_negatives]

    def mask_quality(self, percentiles: list[float]) -> pd.DataFrame:
        """Precision and recall of "this negative is a missing label" for per-tag thresholds at percentiles of the negatives' scores."""
        missing, negative = self._missing, self._observed == 0
        rows = {}
        for percentile in percentiles:
            marked = np.zeros_like(negative)
            for tag in range(negative.shape[1]):
                if negative[:, tag].any():
                    threshold = np.percentile(self.train_scores[negative[:, tag], tag], percentile)
                    marked[:, tag] = negative[:, tag] & (self.train_scores[:, tag] > threshold)
            hits = (marked & missing).sum()
            rows[f"top {100 - percentile:g}%"] = {"precision": hits / max(1, marked.sum()), "recall": hits / max(1, missing.sum())}
        return pd.DataFrame.from_dict(rows, orient="index").rename_axis("ignored")

    def recovered(self, count: int) -> tuple[list[str], list[str], list[float]]:
        """The highest-scoring missing labels, one a tag and a track: (track_ids, tags, scores); absent labels where none are known."""
        scores = np.where(self._missing if self.knows_missing else self._observed == 0, self.train_scores, -1.0)
        tracks, tags, values = [], [], []
        for row, tag in zip(*np.unravel_index(np.argsort(-scores, axis=None, kind="stable"), scores.shape), strict=True):
            if len(tracks) == count or scores[row, tag] < 0:
                break
            if self.train_ids[row] not in tracks and self.corpus.tags[tag] not in tags:
                tracks.append(self.train_ids[row])
                tags.append(self.corpus.tags[tag])
                values.append(float(scores[row, tag]))
        return tracks, tags, values

    def sentence(self) -> str:
        """Quality on the pool and on missing labels, in words."""
        truth = self.corpus.true_labels(self.pool_ids)
        quality = macro(truth, self.pool_scores)
        error = expected_calibration_error(calibration(truth, self.pool_scores))
        missing, negatives = self.missing_against_negatives()
        against = "the hidden truth" if self.where == "unlabelled" else "their labels"
        text = (
            f"On {len(self.pool_ids):,} {self.where} tracks the teacher reaches ROC-AUC {quality['roc_auc']:.4f} "
            f"and PR-AUC {quality['pr_auc']:.4f} against {against}; its probabilities are off by {error:.3f} on average."
        )
        if not len(missing):
            return text
        marks = np.concatenate([np.ones(len(missing)), np.zeros(len(negatives))]).astype(int)
        separation = roc_auc(marks[:, None], np.concatenate([missing, negatives])[:, None])[0]
        return text + (
            f" Of the {len(missing):,} labels missing from its training tracks, a random one scores higher than a random true "
            f"negative with probability {separation:.2f}, although the teacher was taught that both are negatives."
        )
