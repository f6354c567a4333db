"""How long to train on a collection: until twice as many labelled clips no longer help on validation.

Conventions: an exposure is a number of labelled clips that the teacher sees. Budgets double from FIRST passes over the labelled tracks on,
of a large collection from START clips; one is enough where the next scores less than CHANGE above it. They are tried in the first
replicate and hold for all.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from mtt.config import StudyConfig
from mtt.study.recipes import LABELLED, supervised
from mtt.study.replicates import Replicate
from mtt.study.schedule import make_cells

CHANGE = 0.003  # ROC-AUC: what twice the clips add to a model that is still learning
FIRST, MOST = 25, 800  # passes over the labelled tracks
START = 28_000  # clips, at most, of the first budget: as many as the profiles have for 48 artists
AT_A_TIME = 2  # budgets, side by side


def find_plateau(config: StudyConfig, folder: Path, progress: bool = True) -> list[dict]:
    """The budgets that were tried, with ``exposure`` and validation ROC-AUC ``valid``; the last may be more than is needed."""
    rows: list[dict] = []
    replicate = Replicate(replace(config, exposure=1), config.first_replicate, folder / str(config.first_replicate), progress)
    replicate.prepare()
    tracks = len(replicate.groups[LABELLED])
    clips = max(config.train.batch_size, min(FIRST * tracks, START))
    while clips <= MOST * tracks and (len(rows) < 2 or rows[-1]["valid"] - rows[-2]["valid"] >= CHANGE):
        jobs = []
        for budget in (clips * 2**place for place in range(AT_A_TIME)):
            jobs.append((budget, replicate.job(supervised(replace(config, exposure=budget), f"budget-{budget}"))))
        for (budget, _), cell in zip(jobs, make_cells([job for _, job in jobs], progress), strict=True):
            rows.append({"exposure": budget, "valid": cell.metrics["valid"]["roc_auc"]})
        clips *= 2**AT_A_TIME
    return rows


def enough(rows: Sequence[dict]) -> int:
    """The smallest exposure of ``rows`` that the next one does not improve on; the largest where all do."""
    pairs = zip(rows, rows[1:], strict=False)
    return next((row["exposure"] for row, after in pairs if after["valid"] - row["valid"] < CHANGE), rows[-1]["exposure"])
