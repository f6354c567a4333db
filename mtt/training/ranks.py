"""The processes that train one model together, as torchrun starts them: each has a part of every batch.

Conventions: rank 0 alone reads the collection's index, validates, evaluates and writes; the others get from it what they need. The parts
of a batch are together the batch that one process would have drawn, and gradients are averaged over the ranks, so what is learned does not
depend on how many there are, but for the noise: augmentation and dropout have a random stream a rank, batch normalisation counts within a
rank. The same number of ranks gives the same bits.
"""

import datetime
import gc
import importlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import torch
from torch import Tensor, distributed, nn
from torch.nn.parallel import DistributedDataParallel

from mtt.data.augment import stream_seed
from mtt.settings import SettingsError

PATIENCE = datetime.timedelta(hours=12)  # of ranks that wait while rank 0 loads, validates or labels a pool
T = TypeVar("T")


@dataclass(frozen=True)
class Ranks:
    """This process's number among ``world`` that train together."""

    rank: int = 0
    world: int = 1

    @property
    def first(self) -> bool:
        return self.rank == 0

    def own_seed(self, seed: int) -> int:
        """The seed of this rank's noise; ``seed`` itself where it is alone."""
        return seed if self.world == 1 else stream_seed(seed, self.rank, "rank")

    def wrap(self, model: nn.Module) -> nn.Module:
        """The model, or one that averages its gradients over the ranks."""
        return model if self.world == 1 else DistributedDataParallel(model)

    def mean(self, values: Tensor) -> np.ndarray:
        """The means over the ranks, of each of the ``values``."""
        if self.world > 1:
            distributed.all_reduce(values)
        return values.double().cpu().numpy() / self.world

    def agree(self, value: T | None) -> T:
        """What rank 0 gives; it waits for nobody, the others for it."""
        if self.world == 1:
            return value
        box = [value]
        distributed.broadcast_object_list(box)  # pickled, between processes of ours
        return box[0]

    def check(self, batch_size: int, parts: int) -> None:
        """Raise ``SettingsError`` unless each of a batch's equal ``parts`` can be dealt out evenly, two clips or more a rank."""
        if batch_size // parts % self.world or batch_size < 2 * self.world:
            raise SettingsError(
                f"batch_size: {batch_size} clips cannot be dealt out to {self.world} ranks evenly; use a multiple of {2 * self.world}"
            )


@contextmanager
def joined() -> Iterator[Ranks]:
    """The ranks that torchrun has started, or this process alone."""
    world = int(os.environ.get("WORLD_SIZE", "1"))
    if world == 1:
        yield Ranks()
        return
    if torch.cuda.is_available():
        torch.cuda.set_device(int(os.environ["LOCAL_RANK"]))
    # Its functions keep the group there is when they are read (DistributedDataParallel reads them) as their default, for ever; the threads
    # of a group that is kept hold tensors, and a process that ends while one of them lets go of its last is aborted.
    importlib.import_module("torch.distributed.nn.functional")
    distributed.init_process_group("nccl" if torch.cuda.is_available() else "gloo", timeout=PATIENCE)
    try:
        yield Ranks(distributed.get_rank(), world)
    finally:
        gc.collect()  # DistributedDataParallel is in cycles with its group
        distributed.destroy_process_group()
