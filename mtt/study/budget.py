"""How long to train: to a plateau on a collection, on clips that its tracks fill, and within the minutes that a user gives.

Conventions: an exposure is a number of labelled clips that the teacher sees. Budgets double from FIRST passes over the labelled tracks on,
of a large collection from START clips; one is enough where the next scores less than CHANGE above it. They are tried in the first
replicate and hold for all. Minutes are of training alone, and what was trained before counts, as its cell tells; so every process that
opens the study leaves out the same, and with more minutes the study goes on.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cached_property

import numpy as np

from mtt.config import StudyConfig
from mtt.data.batches import ClipBatches
from mtt.evaluation.predict import pick_device
from mtt.files import MttError, read_json
from mtt.models import build_model
from mtt.settings import SettingsError, to_dict
from mtt.study.cells import THREADS, threads
from mtt.study.recipes import LABELLED, lineup, supervised
from mtt.study.replicates import Replicate
from mtt.study.schedule import Job, make_cells, side_by_side
from mtt.training.fit import Supervised, seconds_a_step

CHANGE = 0.003  # ROC-AUC: what twice the clips add to a model that is still learning
FIRST, MOST = 25, 800  # passes over the labelled tracks
START = 28_000  # clips, at most, of the first budget: as many as the profiles have for 48 artists
AT_A_TIME = 2  # budgets, side by side
READY = 2  # trainings for each that runs, chosen at a time: more would be chosen before it is known what models of their kind take


class Allowance:
    """The minutes that a study may train, and what they suffice for. Before there are cells, the speed is tried in replicate ``first``."""

    def __init__(self, minutes: float, first: Replicate) -> None:
        self.minutes, self.first = minutes, first
        self.searched = 0.0  # seconds that the search for a budget took

    def seconds(self, jobs: Sequence[Job]) -> float:
        """What these and their teachers take, or took, side by side."""
        predicted, places = self._predictor(), {part.place: part for job in jobs for part in (*job.teachers, job)}
        takes = {place: predicted(job) for place, job in places.items()}
        chains = [sum(takes[part.place] for part in (*job.teachers, job)) for job in jobs]
        return max([sum(takes.values()) / side_by_side(), *chains])

    def _predictor(self) -> Callable[[Job], float]:
        """Seconds of a training: its own where it is done, else by the sound it hears, as fast as models like it, or all, heard theirs."""
        rows = []
        for file in sorted(self.first.folder.parent.glob("*/*/metrics.json")):
            recipe = read_json(file.with_name("config.json"))["recipe"]
            if "train" in recipe:
                rows.append((file.parent, recipe, read_json(file)["training_seconds"]))
        known = {place: seconds for place, _, seconds in rows}

        def predicted(job: Job) -> float:
            if job.place in known:
                return known[job.place]
            recipe = to_dict(job.recipe)
            like = [row for row in rows if _kind(row[1]) == _kind(recipe)] or rows
            pace = sum(row[2] for row in like) / sum(heard(row[1]) for row in like) if like else self._measured
            return pace * heard(recipe)

        return predicted

    @cached_property
    def _measured(self) -> float:
        """Seconds that the teacher takes for a second of sound."""
        return 1 / (clips_per_second(self.first) * self.first.config.train.clip_seconds)

    def require(self, *parts: Sequence[Job]) -> None:
        """Raises ``MttError``, with the minutes that would do, where these do not suffice for some trainings and others after them."""
        needed = (self.searched + sum(map(self.seconds, parts))) / 60
        if needed > self.minutes:
            least = "a teacher and its student take"
            if len(parts) > 1:
                least = "to look for the budget of a collection and train a teacher and its student takes"
            digits = max(0, 1 - math.floor(math.log10(needed)))
            enough = math.ceil(needed * 10**digits) / 10**digits
            other = ", or a budget: -p exposure CLIPS" if len(parts) > 1 else ""
            raise MttError(f"minutes: {self.minutes:g} are too few, for {least} about {enough:g}; give as many{other}")

    def choose(self, units: Sequence[Sequence[Job]]) -> list[Job]:
        """What is missing of the first units that there is time for; none where there is no time for more, or all is there."""
        done, chosen = {job.place: job for unit in units for job in unit if job.cell}, []
        for rest in filter(None, ([job for job in unit if job.place not in done] for unit in units)):
            time = self.searched + self.seconds([*done.values(), *chosen, *rest])
            if len(chosen) >= READY * side_by_side() or time > 60 * self.minutes:
                break
            chosen += rest
        return chosen


def _kind(recipe: dict) -> tuple:
    return recipe["model"], recipe["train"]["prepared"]


def heard(recipe: dict) -> float:
    """Seconds of sound that a model is trained on."""
    return recipe["train"]["steps"] * recipe["train"]["batch_size"] * recipe["train"]["clip_seconds"]


def clips_per_second(replicate: Replicate) -> float:
    """Clips that the teacher trains on in a second, reading and all; prepared spectrograms are made first."""
    config, data = replicate.config, replicate.data
    replicate.prepare()
    source = data.source(supervised(replace(config, exposure=1)))
    batches = ClipBatches(source, replicate.groups[LABELLED], config.train.batch_size, config.train.clip_seconds, seed=0)
    augmentation = None if config.train.prepared else config.train.augment
    objective = Supervised(batches, data.labels(batches.track_ids), augmentation, seed=0)
    model = build_model(config.teacher, len(data.corpus.tags)).to(pick_device())
    with threads(THREADS):
        return config.train.batch_size / seconds_a_step(model, objective, config.train, seed=0)


def fitted_clips(config: StudyConfig, seconds: np.ndarray) -> StudyConfig:
    """The settings with all training lengths halved until half of the tracks, which last ``seconds``, fill a clip, or models need more."""
    while config.train.clip_seconds > np.median(seconds):
        try:
            train = replace(config.train, clip_seconds=config.train.clip_seconds / 2)
            named = [re.sub(r"-([\d.]+)s$", lambda found: f"-{float(found[1]) / 2:g}s", name) for name in config.left_out]
            lengths = tuple(length / 2 for length in config.train_lengths)
            config = replace(config, train=train, train_lengths=lengths, left_out=tuple(named))
        except SettingsError:
            break
    return config


def find_plateau(replicate: Replicate, allowance: Allowance | None = None) -> list[dict]:
    """The budgets that were tried, with ``exposure`` and validation ROC-AUC ``valid``; the last may be more than is needed.

    Raises ``MttError`` where the ``allowance`` does not suffice for the next ones, and a teacher and student after them.
    """
    config, rows = replicate.config, []
    replicate.prepare()
    tracks = len(replicate.groups[LABELLED])
    clips = max(config.train.batch_size, min(FIRST * tracks, START))
    while clips <= MOST * tracks and (len(rows) < 2 or rows[-1]["valid"] - rows[-2]["valid"] >= CHANGE):
        budgets = [clips * 2**place for place in range(AT_A_TIME)]
        jobs = [replicate.job(supervised(replace(config, exposure=budget), f"budget-{budget}")) for budget in budgets]
        if allowance and any(job.cell is None for job in jobs):
            allowance.require(jobs, [replicate.job(lineup(replace(config, exposure=clips))["student"].recipe)])
        for budget, cell in zip(budgets, make_cells(jobs, replicate.progress), strict=True):
            rows.append({"exposure": budget, "valid": cell.metrics["valid"]["roc_auc"]})
        if allowance:
            allowance.searched += allowance.seconds(jobs)
        clips *= 2**AT_A_TIME
    return rows


def enough(rows: Sequence[dict]) -> int:
    """The smallest exposure of ``rows`` that the next one does not improve on; the largest where all do."""
    pairs = zip(rows, rows[1:], strict=False)
    return next((row["exposure"] for row, after in pairs if after["valid"] - row["valid"] < CHANGE), rows[-1]["exposure"])
