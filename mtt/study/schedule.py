"""Cells made side by side: each in a process of its own, as soon as its teacher is there. A killed study leaves no process behind."""

from __future__ import annotations

import multiprocessing
import os
import threading
import time
from collections.abc import MutableMapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from dataclasses import dataclass, replace
from multiprocessing.managers import SyncManager
from pathlib import Path

import torch
from tqdm import tqdm

from mtt.files import leave_interrupts
from mtt.study.cells import Cell, TrainingData, finished_cell, make_cell
from mtt.study.recipes import Recipe


@dataclass(frozen=True)
class Job:
    """A cell to make: its recipe, what it is trained on, and the folder of its replicate."""

    root: Path
    recipe: Recipe
    data: TrainingData

    @property
    def place(self) -> Path:
        return self.root / self.recipe.name

    @property
    def teachers(self) -> list[Job]:
        return [replace(self, recipe=part) for part in self.recipe.chain[:-1]]

    @property
    def cell(self) -> Cell | None:
        return finished_cell(self.root, self.recipe, self.data)


def side_by_side() -> int:
    """How many trainings run at a time."""
    return 1 if torch.cuda.is_available() else os.cpu_count() or 1


def make_cells(jobs: Sequence[Job], progress: bool = True) -> list[Cell]:
    """Make what is missing of ``jobs`` and of their teachers, several side by side, and return their cells in order."""
    wanted = {part.place: part for job in jobs for part in (*job.teachers, job)}
    missing = {place: job for place, job in wanted.items() if job.cell is None}
    if missing:
        total = sum(job.recipe.train.steps for job in missing.values())
        with tqdm(total=total, desc=f"training {len(missing)} models", unit="step", disable=not progress, mininterval=1) as bar:
            _run_in_order(missing, bar)
    return [job.cell for job in jobs]


@dataclass
class _Told:
    """Tells how many steps of a cell are done, a few times a second: each telling is a message to another process."""

    steps: MutableMapping[str, int]
    place: str
    at: float = 0.0

    def __call__(self, done: int) -> None:
        if time.monotonic() - self.at > 0.3:
            self.steps[self.place], self.at = done, time.monotonic()


def _run_in_order(missing: dict[Path, Job], bar: tqdm) -> None:
    """Start each cell as soon as its teacher is there: one replicate after the other, in each the longest chain of trainings first."""
    workers = side_by_side()
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([__name__])  # packages are imported once, not by every worker of every call
    manager = SyncManager(ctx=context)
    manager.start(_watch_parent)
    steps = manager.dict()  # that were done, by place
    after: dict[Path, int] = dict.fromkeys(missing, 0)  # steps of the longest chain that waits for a cell, and its own
    for job in missing.values():
        left = job.recipe.train.steps
        for part in (job, *reversed(job.teachers)):
            after[part.place] = max(after.get(part.place, 0), left)
            left += part.recipe.teacher.train.steps if part.recipe.teacher else 0
    replicates = list(dict.fromkeys(job.root for job in missing.values()))
    waiting = sorted(missing, key=lambda place: (replicates.index(missing[place].root), -after[place]))
    running: dict[Future, Path] = {}
    with manager, ProcessPoolExecutor(min(workers, len(missing)), context, _watch_parent) as pool:
        try:
            while waiting or running:
                unmade = {*waiting, *running.values()}
                for place in list(waiting):
                    job = missing[place]
                    if len(running) < workers and not any(part.place in unmade for part in job.teachers):
                        waiting.remove(place)
                        running[pool.submit(make_cell, job.root, job.recipe, job.data, _Told(steps, str(place)))] = place
                done, _ = wait(running, timeout=0.5, return_when=FIRST_COMPLETED)
                bar.update(sum(steps.values()) - bar.n)
                bar.set_postfix_str(", ".join(place.name for place in running.values()), refresh=False)
                for future in done:
                    future.result()
                    place = running.pop(future)
                    steps[str(place)] = missing[place].recipe.train.steps
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            for process in list((getattr(pool, "_processes", None) or {}).values()):
                process.terminate()
            raise


def _watch_parent() -> None:
    """End this process when the one that started it dies, and no sooner: a killed study leaves nothing running."""
    leave_interrupts()

    def watch() -> None:
        multiprocessing.parent_process().join()
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
