"""How good a teacher's pseudo-labels are: on the unlabelled pool where the truth is known there, else on the validation set.

Conventions: scores are probabilities of clips, (n_tracks, slots, n_tags), those that students draw from; a track's are their mean.
*Missing* labels are positives that the observed labels of the training tracks lack.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd

from mtt.data.corpus import Corpus
from mtt.evaluation.metrics import calibration, expected_calibration_error, macro, roc_auc
from mtt.study.recipes import LABELLED
from mtt.study.replicates import Replicate
from mtt.study.workspace import Result


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
    def of(cls, replicate: Replicate, teacher: Result) -> "PseudoLabels":
        """Read back, or made, for the teacher's cell in the first replicate."""
        corpus, data, train, pool = replicate.corpus, replicate.data, replicate.groups[LABELLED], replicate.groups["pool"]
        replicate.prepare()
        told = [] if pool == train else pool if corpus.truth is not None else [i for i in pool if corpus.is_labelled[i]]
        checked, recipe = told or replicate.ids("valid"), teacher.entry.recipe
        scores = [teacher.first.pseudo_labels(data, ids, data.source(recipe), recipe.train.clip_seconds) for ids in (checked, train)]
        return cls(corpus, checked, scores[0], train, scores[1], "unlabelled" if told else "validation")

    @cached_property
    def _observed(self) -> np.ndarray:
        return self.corpus.labels[self.corpus.rows(self.train_ids)]

    @cached_property
    def _missing(self) -> np.ndarray:
        return (self.corpus.true_labels(self.train_ids) == 1) & (self._observed == 0)

    @property
    def knows_missing(self) -> bool:
        """Whether the truth shows which labels of the training tracks are missing."""
        return bool(self._missing.any())

    def reliability(self) -> pd.DataFrame:
        """Calibration of track scores on the pool: predicted, observed, count per bin; empty bins left out."""
        table = calibration(self.corpus.true_labels(self.pool_ids), self.pool_scores.mean(axis=1))
        return table.rename(columns={"probability": "predicted", "share": "observed"}).dropna()

    def missing_against_negatives(self) -> tuple[np.ndarray, np.ndarray]:
        """Track scores of missing labels and of true negatives, both (n,), on the training tracks."""
        true_negatives = (self.corpus.true_labels(self.train_ids) == 0) & (self._observed == 0)
        scores = self.train_scores.mean(axis=1)
        return scores[self._missing], scores[true_negatives]

    def recovered(self, count: int) -> pd.DataFrame:
        """The highest-scoring missing labels, one a tag and a track: track_id, tag, score; absent labels where none are known."""
        scores = np.where(self._missing if self.knows_missing else self._observed == 0, self.train_scores.mean(axis=1), np.nan)
        table = pd.DataFrame(scores, index=self.train_ids, columns=self.corpus.tags).rename_axis("track_id")
        found = table.stack().dropna().rename_axis(["track_id", "tag"]).rename("score").sort_values(ascending=False, kind="stable")
        rows = []
        for (track_id, tag), score in found.items():
            if len(rows) == count:
                break
            if all(track_id != row[0] and tag != row[1] for row in rows):
                rows.append((track_id, tag, float(score)))
        return pd.DataFrame(rows, columns=["track_id", "tag", "score"])

    def quality(self) -> dict:
        """Numbers on the pool and on missing labels: tracks, roc_auc, pr_auc, calibration_error, and, where known, missing, separation."""
        truth, scores = self.corpus.true_labels(self.pool_ids), self.pool_scores.mean(axis=1)
        found = {"tracks": len(self.pool_ids), "calibration_error": expected_calibration_error(calibration(truth, scores))}
        found |= {name: value for name, value in macro(truth, scores).items() if name != "undefined"}
        if not self.knows_missing:
            return found
        missing, negatives = self.missing_against_negatives()
        marks = np.repeat([1, 0], [len(missing), len(negatives)])
        separation = float(roc_auc(marks[:, None], np.concatenate([missing, negatives])[:, None])[0])
        return found | {"missing": len(missing), "separation": separation}
