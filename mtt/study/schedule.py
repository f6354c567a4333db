"""Cells made side by side: each in a process of its own, as soon as its teacher is there. A killed study leaves no process behind."""

from __future__ import annotations

import multiprocessing
import operator
import os
import threading
from collections.abc import Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from functools import partial
from multiprocessing.managers import SyncManager
from pathlib import Path

import torch
from tqdm import tqdm

from mtt.files import leave_interrupts
from mtt.study.cells import Cell, TrainingData, finished_cell, make_cell
from mtt.study.recipes import Recipe


def make_cells(root: Path, recipes: Sequence[Recipe], data: TrainingData, progress: bool = True) -> list[Cell]:
    """Make what is missing of ``recipes`` and of their teachers, several side by side, and return their cells in order."""
    wanted = {part.folder: part for recipe in recipes for part in recipe.chain}
    missing = {name: recipe for name, recipe in wanted.items() if finished_cell(root, recipe, data) is None}
    if missing:
        total = sum(recipe.train.steps for recipe in missing.values())
        with tqdm(total=total, desc=f"training {len(missing)} models", unit="step", disable=not progress, mininterval=1) as bar:
            _run_in_order(root, missing, data, bar)
    return [finished_cell(root, recipe, data) for recipe in recipes]


def _run_in_order(root: Path, missing: dict[str, Recipe], data: TrainingData, bar: tqdm) -> None:
    """Start each cell as soon as its teacher is there; longest chain first."""
    workers = 1 if torch.cuda.is_available() else os.cpu_count() or 1
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([__name__])  # packages are imported once, not by every worker of every call
    manager = SyncManager(ctx=context)
    manager.start(_watch_parent)
    steps = manager.dict()  # that were done, by name
    in_a_row = {  # trainings that start with this one
        name: max(len(r.chain) - place for r in missing.values() for place, part in enumerate(r.chain) if part.folder == name)
        for name in missing
    }
    waiting = dict(sorted(missing.items(), key=lambda item: -in_a_row[item[0]]))
    running: dict[Future, str] = {}
    with manager, ProcessPoolExecutor(min(workers, len(missing)), context, _watch_parent) as pool:
        try:
            while waiting or running:
                unmade = {*waiting, *running.values()}
                for name, recipe in list(waiting.items()):
                    if len(running) < workers and (recipe.teacher is None or recipe.teacher.folder not in unmade):
                        running[pool.submit(make_cell, root, waiting.pop(name), data, partial(operator.setitem, steps, name))] = name
                done, _ = wait(running, timeout=0.5, return_when=FIRST_COMPLETED)
                bar.update(sum(steps.values()) - bar.n)
                bar.set_postfix_str(", ".join(running.values()), refresh=False)
                for future in done:
                    future.result()
                    running.pop(future)
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
