"""The tensors of a file that torch.save has written, read without running anything in it.

Such a file is a zip archive: ``data.pkl``, a pickle that says what the tensors are called, and a record of numbers for each. A pickle is a
program that names functions and calls them. Here it is not run: ``pickletools`` takes it apart, and its instructions are followed only as
far as they build dictionaries, lists and tuples. What would be a call or an object is noted with its arguments; nothing is imported, called
or given a state. So a checkpoint of PyTorch Lightning is read whatever the classes of its callbacks and hyperparameters are.
"""

from __future__ import annotations

import math
import pickletools
import zipfile
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

MAX_PICKLE = 2**22  # bytes; those of the published checkpoints are a hundredth of it
DTYPES = {
    "FloatStorage": torch.float32,
    "DoubleStorage": torch.float64,
    "HalfStorage": torch.float16,
    "BFloat16Storage": torch.bfloat16,
    "LongStorage": torch.int64,
    "IntStorage": torch.int32,
}


class Name(NamedTuple):
    """A function or class that a pickle names."""

    module: object
    name: object


class Call(NamedTuple):
    """What a pickle would have called, and with what; a storage is a call of None."""

    function: object
    arguments: object


ORDERED = Name("collections", "OrderedDict")
TENSOR, PARAMETER = Name("torch._utils", "_rebuild_tensor_v2"), Name("torch._utils", "_rebuild_parameter")


def read_tensors(path: str | Path) -> dict[str, Tensor]:
    """The tensors of a checkpoint's ``state_dict``, or of the file's own dictionary where it has none; all else is left out.

    Raises ``ValueError``, or what ``zipfile``, ``pickletools`` and torch raise, for what is no such file or has tensors larger than it is.
    """
    with zipfile.ZipFile(path) as archive:
        size = Path(path).stat().st_size
        records = {info.filename: info.file_size for info in archive.infolist()}
        pickled = next((name for name in records if name.endswith("/data.pkl")), None)
        if pickled is None or records[pickled] > MAX_PICKLE or sum(records.values()) > size:
            raise ValueError("no archive of torch.save")
        content = follow(archive.read(pickled))
        state = content.get("state_dict", content) if isinstance(content, dict) else None
        if not isinstance(state, dict):
            raise ValueError("no dictionary of tensors")
        tensors, storages = {}, {}
        for name, value in state.items():
            call = value.arguments[0] if isinstance(value, Call) and value.function == PARAMETER else value
            if isinstance(call, Call) and call.function == TENSOR:
                (_, (_, (_, kind), key, *_)), offset, shape, stride, *_ = call.arguments
                if not all(isinstance(n, int) and 0 <= n <= size for n in shape) or len(shape) > 8 or math.prod(shape) > size:
                    raise ValueError("a tensor larger than the file")
                if not (isinstance(key, str) and isinstance(kind, str)):  # a tuple in tuples takes for ever to hash
                    raise ValueError("a tensor without numbers")
                if kind in DTYPES:
                    if key not in storages:
                        storages[key] = np.frombuffer(bytearray(archive.read(f"{pickled.removesuffix('.pkl')}/{key}")), np.uint8)
                    tensors[name] = torch.from_numpy(storages[key]).view(DTYPES[kind]).as_strided(shape, stride, offset)
    if sum(tensor.nbytes for tensor in tensors.values()) > size:
        raise ValueError("tensors larger than the file")
    return tensors


def follow(pickled: bytes) -> object:
    """What a pickle builds, with a ``Name`` or ``Call`` for what it names or would call; entries whose key is no text are left out."""
    stack, marks, memo = [], [], {}
    for operation, argument, _ in pickletools.genops(pickled):
        name, before = operation.name, operation.stack_before
        if name == "MARK":
            marks.append(len(stack))
        elif name in ("GET", "BINGET", "LONG_BINGET"):
            stack.append(memo[argument])
        elif name in ("PUT", "BINPUT", "LONG_BINPUT", "MEMOIZE"):
            memo[len(memo) if argument is None else argument] = stack[-1]
        else:
            marked = pickletools.markobject in before
            count = before.index(pickletools.markobject) if marked else len(before)
            first = (marks.pop() if marked else len(stack)) - count
            if first < 0:
                raise ValueError("the pickle takes what is not there")
            taken = stack[first:]
            del stack[first:]
            if name == "STOP":
                return taken[0]
            if operation.stack_after:
                stack.append(_made(name, argument, taken))
    raise ValueError("the pickle has no end")


def _made(name: str, argument: object, taken: list) -> object:
    """What an instruction puts on the stack for what it has taken from it; None for what no tensor needs."""
    if name in ("EMPTY_DICT", "DICT", "SETITEM", "SETITEMS"):
        made = taken.pop(0) if name.startswith("SET") else {}
        if isinstance(made, dict):
            made.update((key, value) for key, value in zip(taken[::2], taken[1::2], strict=True) if isinstance(key, str))
        return made
    if name in ("EMPTY_LIST", "LIST", "APPEND", "APPENDS"):
        made = taken.pop(0) if name.startswith("APPEND") else []
        if isinstance(made, list):
            made.extend(taken)
        return made
    if name in ("EMPTY_TUPLE", "TUPLE", "TUPLE1", "TUPLE2", "TUPLE3"):
        return tuple(taken)
    if name in ("GLOBAL", "STACK_GLOBAL"):
        return Name(*(argument.split(" ", 1) if argument else taken))
    if name == "BINPERSID":
        return Call(None, taken[0])
    if name == "REDUCE":
        return {} if taken[0] == ORDERED else Call(*taken)
    if name == "BUILD":
        return taken[0]
    return argument if not taken else None
