"""Pickles, and the tensors of files that torch.save has written, read without running anything in them.

A pickle is a program that names functions and calls them. Here each name stands for a thing that does nothing, so a checkpoint of PyTorch
Lightning is read whatever the classes of its callbacks are. A file of torch.save is a zip archive: ``data.pkl``, a pickle that says what
the tensors are called, and a record of numbers for each.
"""

from __future__ import annotations

import io
import math
import pickle
import zipfile
from pathlib import Path
from typing import NamedTuple

import lazy_loader
import numpy as np

MAX_PICKLE = 2**22  # bytes; those of the published checkpoints are a hundredth of it
torch = lazy_loader.load("torch")  # pickles have no tensors
DTYPES = {f"{name}Storage": name.lower() for name in ("Float", "Double", "Half", "BFloat16", "Long", "Int")}


class Inert:
    """Stands for what a pickle names, and for what it would make of that: called or filled with anything, it does nothing."""

    __slots__ = "name", "state"

    def __new__(cls, *_, **__):  # also where a pickle takes one for a class
        return object.__new__(Inert)

    def __call__(self, *_, **__) -> Inert:
        return Inert()

    def __setstate__(self, state: object) -> None:
        self.state = state

    def append(self, *_) -> None:
        pass

    extend = add = update = __setitem__ = append


class Texts(dict):
    """A dictionary that keeps entries of text keys: others may take for ever to hash."""

    def __init__(self, *_) -> None:
        super().__init__()

    def __setitem__(self, key: object, value: object) -> None:
        if isinstance(key, str):
            super().__setitem__(key, value)

    def __setstate__(self, state: object) -> None:
        pass


class TensorOf(NamedTuple):
    """What a pickle says of a tensor."""

    storage: tuple
    offset: int
    shape: tuple
    stride: tuple


class _Reader(pickle._Unpickler):  # the one in Python: the one in C reserves memory for what a pickle announces
    dispatch = pickle._Unpickler.dispatch | {pickle.EMPTY_DICT[0]: lambda self: self.append(Texts())}
    dispatch[pickle.EMPTY_SET[0]] = lambda self: self.append(Inert())
    for _code in (pickle.DICT, pickle.FROZENSET, pickle.BYTEARRAY8):
        del dispatch[_code[0]]

    def find_class(self, module: str, name: str) -> object:
        known = {
            "collections.OrderedDict": Texts,
            "torch._utils._rebuild_tensor_v2": lambda *given: TensorOf(*given[:4]),
            "torch._utils._rebuild_parameter": lambda tensor, *_: tensor,
        }
        stand_in = Inert()
        stand_in.name = name
        return known.get(f"{module}.{name}", stand_in)

    def persistent_load(self, pid: object) -> object:
        return pid


def inert(pickled: bytes) -> object:
    """What a pickle builds of lists, texts and numbers; raises whatever a pickle that is none makes Python raise."""
    return _Reader(io.BytesIO(pickled), encoding="utf-8").load()


def read_tensors(path: str | Path) -> dict[str, torch.Tensor]:
    """The tensors of a checkpoint's ``state_dict``, or of the file's own dictionary where it has none; all else is left out.

    Raises ``ValueError``, or what ``zipfile``, ``pickle`` and torch raise, for what is no such file or has tensors larger than it is.
    """
    with zipfile.ZipFile(path) as archive:
        size = Path(path).stat().st_size
        records = {info.filename: info.file_size for info in archive.infolist()}
        pickled = next((name for name in records if name.endswith("/data.pkl")), None)
        if pickled is None or records[pickled] > MAX_PICKLE or sum(records.values()) > size:
            raise ValueError("no archive of torch.save")
        content = inert(archive.read(pickled))
        state = content.get("state_dict", content) if isinstance(content, dict) else None
        if not isinstance(state, dict):
            raise ValueError("no dictionary of tensors")
        tensors, storages = {}, {}
        for name, (storage, offset, shape, stride) in ((name, told) for name, told in state.items() if isinstance(told, TensorOf)):
            _, kind, key, *_ = storage
            if not all(isinstance(n, int) and 0 <= n <= size for n in shape) or len(shape) > 8 or math.prod(shape) > size:
                raise ValueError("a tensor larger than the file")
            if not isinstance(key, str):  # a tuple in tuples takes for ever to hash
                raise ValueError("a tensor without numbers")
            if kind.name in DTYPES:
                if key not in storages:
                    storages[key] = np.frombuffer(bytearray(archive.read(f"{pickled.removesuffix('.pkl')}/{key}")), np.uint8)
                tensors[name] = torch.from_numpy(storages[key]).view(getattr(torch, DTYPES[kind.name])).as_strided(shape, stride, offset)
    if sum(tensor.nbytes for tensor in tensors.values()) > size:
        raise ValueError("tensors larger than the file")
    return tensors
