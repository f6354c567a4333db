"""Milliseconds of a training step of a cell, as *demo* and *full* train: every clip read, augmented and transformed afresh, beside clips of
spectrograms made once; and what making those takes for a track.

    python tests/benchmarks/bench_cells.py
"""

import tempfile
import time
from pathlib import Path

import torch
from frame import fastest, show, size

from mtt.collections.load import load_corpus
from mtt.config import FULL, SyntheticConfig
from mtt.data.batches import ClipBatches
from mtt.data.corpus import Corpus
from mtt.files import keep_freed_memory
from mtt.models import build_model
from mtt.models.mels import make_mels
from mtt.training.fit import Supervised

CORPUS = SyntheticConfig(labelled_artists=size(12, 1), unlabelled_artists=0, exact_duplicates=0, near_duplicates=0, unusable_files=0)


def stepper(source, corpus: Corpus, ids: list[str]):
    """A step on 16 clips: drawing them, the loss and its gradients."""
    train, model = FULL.train, build_model(FULL.teacher, len(corpus.tags), seed=0)
    batches = ClipBatches(source, ids, train.batch_size, train.clip_seconds, 0)
    objective, steps = Supervised(batches, corpus.labels[corpus.rows(ids)], train.augment, 0), iter(range(10**6))

    def step() -> None:
        number = next(steps)
        with torch.autocast("cpu", torch.bfloat16):
            loss = objective.loss(model, number, batches.batch(number))
        loss.backward()

    return step


def main() -> None:
    keep_freed_memory()  # as every command does
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        corpus = load_corpus("synthetic", CORPUS, cache=Path(folder) / "cache", progress=False)
        ids, train = list(corpus.tracks.index), FULL.train
        started = time.perf_counter()
        mels = make_mels(Path(folder) / "mels", corpus, [], ids, FULL.teacher, train.augment, train.prepared, progress=False)
        made = (time.perf_counter() - started) / len(ids)
        steps = {"every clip afresh": corpus, "prepared spectrograms": mels}
        show("a step on 16 clips of 4 s, one thread", {name: fastest(stepper(one, corpus, ids), 20) for name, one in steps.items()})
        print(f"  making them takes {1e3 * made:.0f} ms a track, {train.prepared} variants, all cores, starting included")


if __name__ == "__main__":
    main()
