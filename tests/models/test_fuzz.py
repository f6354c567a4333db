"""Damaged model folders and checkpoints, by the hundred: each gives a model or one line, and nothing else.

Conventions: files are damaged in bytes (turned, cut, put in, written over) and in values (any value of the description replaced by any
other). The checksum of damaged weights is put into the description, so that what reads them meets the damage too.
"""

import copy
import hashlib
import json
from pathlib import Path

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mtt.files import MttError
from mtt.models import build_model, import_official, load_model, save_model
from mtt.models.frontend import TaggingModel
from tests.tiny import GOLDEN, TINY_MODEL

BUDGETS = [pytest.param(40, id="short"), pytest.param(800, id="long", marks=pytest.mark.long)]  # examples of each kind
NASTY = st.sampled_from(
    [None, True, False, 0, 1, -1, 2, 7, 10**9, 10**30, -0.5, 1e-9, 1e300, float("nan"), float("inf"), "", " ", "rock", "\x00", "\ud800"]
    + [[], {}, [[]], ["a"] * 3, ["a", "b", "c", "d"], {"a": 1}, "x" * 10_000, [[[[[[]]]]]]]
)
KINDS = st.sampled_from(["turn", "cut", "put", "write"])
DAMAGE = st.lists(st.tuples(KINDS, st.integers(0, 2**62), st.binary(max_size=16)), min_size=1, max_size=4)


def damaged(content: bytes, damage: list[tuple[str, int, bytes]]) -> bytes:
    """``content`` after each damage in turn; half of the places are among the first 400 bytes, where headers are."""
    for kind, number, new in damage:
        place = (number // 2) % max(1, len(content) if number % 2 else min(len(content), 400))
        if kind == "turn":
            content = content[:place] + bytes([(content[place] if place < len(content) else 0) ^ 1 << number % 8]) + content[place + 1 :]
        elif kind == "cut":
            content = content[:place] + (content[place + len(new) :] if number % 3 else b"")
        else:
            content = content[:place] + new + content[place + (len(new) if kind == "write" else 0) :]
    return content


def places(value: object, path: tuple = ()) -> list[tuple]:
    """The path of every value in a description."""
    parts = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path, *(place for key, part in parts for place in places(part, (*path, key)))]


def replaced(value: object, path: tuple, new: object) -> object:
    if not path:
        return new
    value = copy.copy(value)
    value[path[0]] = replaced(value[path[0]], path[1:], new)
    return value


def check(read, *arguments) -> None:
    try:
        model = read(*arguments)
    except MttError as error:
        assert "\n" not in str(error) and len(str(error)) < 2000
    else:
        assert isinstance(model, TaggingModel) and len(model.tags) == model.n_tags
        with torch.no_grad():
            assert model(torch.zeros(1, 22_050)).isfinite().all()


def run(examples: int, test, **strategies) -> None:
    options = settings(max_examples=examples, derandomize=True, database=None, deadline=None, suppress_health_check=list(HealthCheck))
    options(given(**strategies)(test))()


@pytest.fixture
def folder(tmp_path):
    return save_model(build_model(TINY_MODEL, 3, seed=0), tmp_path / "model", ["rock", "pop", "jazz"])


def write_weights(folder: Path, content: bytes) -> None:
    """With their checksum in the description."""
    description = json.loads((folder / "model.json").read_bytes())
    (folder / "model.safetensors").write_bytes(content)
    (folder / "model.json").write_text(json.dumps(description | {"weights_sha256": hashlib.sha256(content).hexdigest()}))


@pytest.mark.parametrize("examples", BUDGETS)
@pytest.mark.parametrize("name", ["model.json", "model.safetensors"])
def test_bytes_of_a_model_folder(folder, examples, name):
    whole = (folder / name).read_bytes()

    def test(damage) -> None:
        content = damaged(whole, damage)
        write_weights(folder, content) if name == "model.safetensors" else (folder / name).write_bytes(content)
        check(load_model, folder)

    run(examples, test, damage=DAMAGE)


@pytest.mark.parametrize("examples", BUDGETS)
def test_values_of_the_description(folder, examples):
    path = folder / "model.json"
    whole = json.loads(path.read_bytes())

    def test(changes) -> None:
        value = whole
        for place, new in changes:
            found = places(value)
            value = replaced(value, found[place % len(found)], new)
        path.write_text(json.dumps(value))
        check(load_model, folder)

    run(examples, test, changes=st.lists(st.tuples(st.integers(0, 10**6), NASTY), min_size=1, max_size=3))


@pytest.mark.parametrize("examples", BUDGETS)
def test_bytes_of_a_checkpoint(tmp_path, examples):
    """The pickle in it is damaged too, in an archive whose checksums are right."""
    torch.save(torch.load(GOLDEN, weights_only=True), tmp_path / "whole.ckpt")
    reader, path = torch._C.PyTorchFileReader(str(tmp_path / "whole.ckpt")), tmp_path / "a.ckpt"
    records = {name: reader.get_record(name) for name in reader.get_all_records()}
    whole = (tmp_path / "whole.ckpt").read_bytes()

    def test(damage, inside) -> None:
        path.unlink(missing_ok=True)
        if inside:
            writer = torch._C.PyTorchFileWriter(str(path))
            for name, content in records.items():
                content = damaged(content, damage) if name == "data.pkl" else content
                writer.write_record(name, content, len(content))
            writer.write_end_of_file()
        else:
            path.write_bytes(damaged(whole, damage))
        check(import_official, path, tmp_path / "out", None, 2)

    run(examples, test, damage=DAMAGE, inside=st.booleans())
