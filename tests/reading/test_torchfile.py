"""Files of torch.save: what Lightning writes is read, what is hostile does nothing."""

from __future__ import annotations

import argparse
import collections
import copyreg
import io
import os
import pickle
import zipfile
from pathlib import Path
from typing import NamedTuple

import pytest
import torch

from mtt.models import CheckpointError, import_official
from mtt.reading.torchfile import Inert, inert, read_tensors

GOLDEN = Path(__file__).parents[1] / "data" / "golden" / "teacher_small.ckpt"


class ModelCheckpoint:
    """Stands for Lightning's callback, by whose class its state is kept."""

    def __init__(self) -> None:
        self.best = Path("epoch=3.ckpt")


class Trap:
    """Makes a folder in every way in which a pickle can: when it is made, given a state, filled."""

    def __init__(self, path: Path, way: int) -> None:
        self.path, self.way = str(path), way

    def __reduce__(self):
        return (
            (os.mkdir, (self.path,)),
            (eval, (f"__import__('os').mkdir({self.path!r})",)),
            (copyreg._reconstructor, (ModelCheckpoint, object, None), {"state": Inner(self.path)}),
            (collections.OrderedDict, (), {"items": Inner(self.path)}, None, iter([("a", Inner(self.path))])),
            (list, (), None, iter([Inner(self.path)])),
        )[self.way]


class Inner:
    def __init__(self, path: str) -> None:
        self.path = path

    def __reduce__(self):
        return os.mkdir, (self.path,)


def lightning(state: dict, **more) -> dict:
    callbacks = {ModelCheckpoint: {"best_model_score": torch.tensor(0.9), "callback": ModelCheckpoint()}}
    options = {"optimizer_states": [{"state": {0: {"step": torch.zeros(2)}}, "param_groups": [{"betas": (0.9, 0.999)}]}]}
    return {"epoch": 3, "state_dict": state, "callbacks": callbacks, "hyper_parameters": argparse.Namespace(lr=1e-4), **options, **more}


@pytest.fixture(scope="module")
def state() -> dict:
    return torch.load(GOLDEN, weights_only=True)


@pytest.mark.parametrize("protocol", [2, 4])
@pytest.mark.parametrize("way", [None, *range(5)])
def test_a_lightning_checkpoint_is_read_and_nothing_in_it_is_run(tmp_path, state, way, protocol):
    more = {} if way is None else {"hparams": Trap(tmp_path / "trap", way), "list": [Trap(tmp_path / "trap", way)]}
    torch.save(lightning(state, **more), tmp_path / "a.ckpt", pickle_protocol=protocol)
    found = read_tensors(tmp_path / "a.ckpt")
    assert found.keys() == state.keys() and all(torch.equal(found[name], tensor) for name, tensor in state.items())
    assert import_official(tmp_path / "a.ckpt", tmp_path / "out", heads=2).n_tags == 10
    assert not (tmp_path / "trap").exists()


def test_tensors_come_back_as_they_were(tmp_path):
    base = torch.arange(24.0).reshape(4, 6)
    kept = {
        "view": base[1:3, ::2],
        "same numbers": base.T,
        "parameter": torch.nn.Parameter(torch.ones(3)),
        "half": torch.ones(2, dtype=torch.float16),
        "scalar": torch.tensor(7),
        "empty": torch.zeros(0),
    }
    torch.save({"state_dict": {**kept, "flag": torch.tensor([True]), "text": "x", 3: torch.ones(1)}}, tmp_path / "a.pt")
    found = read_tensors(str(tmp_path / "a.pt"))
    assert found.keys() == kept.keys()
    assert all(torch.equal(found[name], tensor) and found[name].dtype == tensor.dtype for name, tensor in kept.items())


def archive(path: Path, pickled: bytes, numbers: bytes = bytes(8), compression: int = zipfile.ZIP_STORED) -> Path:
    with zipfile.ZipFile(path, "w", compression) as file:
        file.writestr("archive/data.pkl", pickled)
        file.writestr("archive/data/0", numbers)
    return path


class Name(NamedTuple):
    module: str
    name: str


class Call(NamedTuple):
    function: Name | None  # None: a storage
    arguments: object


class Pickler(pickle._Pickler):
    """Writes ``Name`` and ``Call`` as a pickle that names and calls."""

    def save(self, value, *rest):
        if isinstance(value, Name):
            self.write(b"c" + f"{value.module}\n{value.name}\n".encode())
        elif isinstance(value, Call) and value.function is None:
            self.save(value.arguments)
            self.write(pickle.BINPERSID)
        elif isinstance(value, Call):
            self.save(value.function)
            self.save(value.arguments)
            self.write(pickle.REDUCE)
        else:
            super().save(value, *rest)


def written(value) -> bytes:
    buffer = io.BytesIO()
    Pickler(buffer, protocol=2).dump(value)
    return buffer.getvalue()


def tensor(shape, stride, offset=0, key="0", kind="FloatStorage") -> dict:
    storage = Call(None, ("storage", Name("torch", kind), key, "cpu", 2))
    return {"a": Call(Name("torch._utils", "_rebuild_tensor_v2"), (storage, offset, shape, stride, False, {}))}


def deep(levels: int) -> tuple:
    value = ()
    for _ in range(levels):
        value = (value, value)
    return value


@pytest.mark.parametrize(
    "pickled",
    [
        written(tensor((10**6, 10**6), (0, 0))),
        written(tensor((2**40,), (1,))),
        written(tensor((10**1000,) * 8, (1,) * 8)),
        written(tensor((1,) * 10_000, (1,) * 10_000)),
        written(tensor((2,), (1,), offset=9)),
        written(tensor((2,), (-1,))),
        written(tensor("ab", (1,))),
        written(tensor((2,), (1,), key="../../secret")),
        written(tensor((2,), (1,), key=deep(100))),
        written({"a": Call(Name("torch._utils", "_rebuild_tensor_v2"), (1, 2))}),
        written({"state_dict": Call(Name("builtins", "eval"), ("1",))}),
        b"})" + b"q\x00h\x00\x86" * 100 + b"K\x01s.",  # a key of 2^100 parts
        pickle.PROTO + b"\x02" + b"r\xff\xff\xff\x7f.",  # a memo of 2^31 places
        pickle.PROTO + b"\x05" + pickle.BYTEARRAY8 + (2**40).to_bytes(8, "little") + b".",
        pickle.PROTO + b"\x04" + b"(" * 10_000 + b"t" * 10_000 + b".",
        pickle.EMPTY_LIST * 2**19,
        b"",
        b"}",
        b"s.",
        b"h\x00.",
    ],
)
def test_hostile_archives_are_refused(tmp_path, pickled):
    message = r"a.ckpt: not a (PyTorch checkpoint \(.+\): give|Music Tagging Transformer: it lacks pos)"
    with pytest.raises(CheckpointError, match=message) as caught:
        import_official(archive(tmp_path / "a.ckpt", pickled), tmp_path / "out")
    assert len(str(caught.value)) < 1000


def test_numbers_that_unpack_to_more_than_the_file_are_refused(tmp_path):
    numbers = written(tensor((2**22,), (1,))), bytes(2**24)
    assert len(read_tensors(archive(tmp_path / "a.pt", *numbers))["a"]) == 2**22
    with pytest.raises(ValueError, match="no archive of torch.save"):
        read_tensors(archive(tmp_path / "b.pt", *numbers, zipfile.ZIP_DEFLATED))


def test_every_instruction_of_a_pickle_is_followed_without_a_call():
    value = {"a": [1, -2, 2**70, 1.5, None, True, "text", b"bytes", (), (1,), (1, 2, 3, 4), {"b": {3}}], "c": ModelCheckpoint()}
    for protocol in range(1, 6):
        found = inert(pickle.dumps(value, protocol))
        assert found["a"][:4] == [1, -2, 2**70, 1.5] and found["a"][6] == "text" and found["a"][8:11] == [(), (1,), (1, 2, 3, 4)]
        assert isinstance(found["c"], Inert)
