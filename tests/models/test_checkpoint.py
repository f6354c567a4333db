import json
import os
import struct
from dataclasses import replace
from pathlib import Path

import pytest
import safetensors.torch
import torch

from mtt.files import MttError
from mtt.models import CheckpointError, build_model, load_model, read_initial_weights, save_model, start_from
from tests.tiny import TINY_MODEL

AUDIO = {"sample_rate": 22_050, "channels": 1, "clip_seconds": 1.0}
TAGS = ["rock", "pop", "jazz"]


@pytest.fixture
def folder(tmp_path):
    return save_model(build_model(TINY_MODEL, 3, seed=0), tmp_path / "model", TAGS)


def refused(folder: Path, message: str) -> None:
    with pytest.raises(CheckpointError, match=message) as caught:
        load_model(folder)
    assert "\n" not in str(caught.value) and str(folder) in str(caught.value)


def test_a_loaded_model_keeps_tags_and_provenance_when_saved_again(folder, tmp_path):
    model = load_model(str(folder))
    again = load_model(save_model(model, str(tmp_path / "copy")))
    assert (again.tags, again.provenance, again.clip_seconds) == (TAGS, model.provenance, 10.0)
    assert {"created", "mtt_version"} <= again.provenance.keys()
    assert sorted(path.name for path in folder.iterdir()) == ["model.json", "model.safetensors"]


@pytest.mark.parametrize(
    ("tags", "provenance", "message"),
    [
        (None, None, "tags: 0 names for 3 outputs"),
        (["rock", "pop", "rock"], None, "tags: names must differ, and none may be blank"),
        (TAGS, {"path": Path("x")}, "provenance.path: input was not a valid JSON value"),
        (TAGS, {"loss": float("nan")}, "provenance.loss.*: must be a finite number"),
    ],
)
def test_what_cannot_be_described_is_not_saved(tmp_path, tags, provenance, message):
    with pytest.raises(MttError, match=message):
        save_model(build_model(TINY_MODEL, 3, seed=0), tmp_path, tags, provenance)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"format": 99}, "model.json: format: must be 1, not 99: no model of this version"),
        ({"config": [1]}, "model.json: config: must be an object"),
        ({"config": {"architecture": "vgg"}}, "model.json: architecture: 'vgg' is unknown, choose one of"),
        ({"config": {"colour": 1}}, "model.json: config.colour: no such setting"),
        ({"config": {"channels": "4"}}, "model.json: config.channels: must be a whole number from 1 to 16,384, not '4'"),
        ({"config": {"width": 16_384, "layers": 256}}, "model.json: channels 128, width 16384, .*: together .* numbers to learn; at most"),
        ({"config": {"n_mels": 900}}, "model.json: n_mels: 900 bands are too many for n_fft 1024"),
        ({"tags": ["rock", "pop", "\ud800"]}, "model.json: holds text that is not UTF-8"),
        ({"tags": [str(n) for n in range(50_000)]}, r"head.1.weight has shape \[3, 16\], not \[50000, 16\]"),
        ({"audio": AUDIO | {"sample_rate": 16_000}}, "model.json: audio.sample_rate: 16000 is not config.sample_rate"),
        *(({"audio": AUDIO | {"clip_seconds": s}}, f"clip_seconds: must be a number from 0.1 to 3600, not {s}") for s in (0, -1.0, 1e9)),
        (b"[" * 100_000, "model.json: .*: no model of this version"),
        (None, "model.json: No such file or directory: a model folder holds"),
    ],
)
def test_descriptions_that_are_none(folder, changes, message):
    path = folder / "model.json"
    content = json.dumps(json.loads(path.read_text()) | changes).encode() if isinstance(changes, dict) else changes
    path.unlink() if content is None else path.write_bytes(content)
    refused(folder, message)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda tensors: tensors.pop("positions"), "positions is missing"),
        (lambda tensors: tensors.update(extra=torch.zeros(1)), "extra is not of this model"),
        (lambda tensors: tensors.update(positions=torch.zeros(1, 5, 16)), r"positions has shape \[1, 5, 16\], not \[1, 513, 16\]"),
        (lambda tensors: tensors["positions"].add_(1), "model.safetensors is not the one model.json describes"),
        (lambda t: t["head.1.bias"][1].fill_(torch.nan), "model.safetensors: head.1.bias holds NaN, infinite or absurd values"),
        (lambda t: t.update(cls_token=torch.full((16,), 1e300, dtype=torch.float64)), "cls_token holds NaN, infinite or absurd values"),
        (lambda t: t.update(cls_token=torch.zeros(16, dtype=torch.int64)), "cls_token holds torch.int64, not torch.float32"),
        (lambda t: t["blocks.0.bn_1.running_var"].neg_(), "model.safetensors: gives NaN or infinite scores: train again"),
        (struct.pack("<Q", 2**62) + b"{}", "model.safetensors: not a safetensors file"),
        (None, "model.safetensors: No such file or directory: a model folder holds"),
    ],
)
def test_weights_that_do_not_fit(folder, change, message):
    path = folder / "model.safetensors"
    if callable(change):
        tensors = safetensors.torch.load_file(path)
        change(tensors)
        safetensors.torch.save_file(tensors, path)
    elif change is None:
        path.unlink()
    else:
        path.write_bytes(change)
    refused(folder, message)


def test_what_is_no_model_folder(tmp_path, folder):
    (tmp_path / "teacher.ckpt").write_bytes(b"x")
    refused(tmp_path / "teacher.ckpt", "a file, not a model folder: python -m mtt import-official .*teacher.ckpt OUT")
    refused(folder / "model.safetensors", f"a file, not a model folder: give the folder that holds it, {folder}")
    for name, message in [("loop", "Too many levels of symbolic links"), ("null\0", "null byte"), ("n" * 300, "File name too long")]:
        if name == "loop":
            (tmp_path / name).symlink_to(tmp_path / name)
        refused(tmp_path / name, f"{message}: a model folder holds model.safetensors and model.json")
    (folder / "model.json").unlink()
    os.mkfifo(folder / "model.json")
    refused(folder, "model.json: not a regular file: a model folder holds")


def test_a_file_without_end_is_not_read(folder):
    os.truncate(folder / "model.safetensors", 2**40)
    refused(folder, r"model.safetensors: 1,099,511,627,776 bytes, more than the [0-9,]+ that such a file has: a model folder holds")


def test_another_tag_set_and_dropout_start_from_all_weights_but_the_rows_of_unknown_tags(folder):
    shape, initial = read_initial_weights(folder)
    model, fresh = (build_model(replace(shape, dropout=0.5), 4, seed=9) for _ in range(2))
    start_from(model, initial, ["blues", "jazz", "rock", "ska"])
    given, own, before = load_model(folder).state_dict(), model.state_dict(), fresh.state_dict()
    body = [name for name in own if not name.startswith("head.1")]
    assert len(body) > 20 and all(torch.equal(own[name], given[name]) for name in body)
    for name in ("head.1.weight", "head.1.bias"):
        assert torch.equal(own[name][[1, 2]], given[name][[TAGS.index("jazz"), TAGS.index("rock")]])
        assert torch.equal(own[name][[0, 3]], before[name][[0, 3]])
    assert any(not torch.equal(own[name], before[name]) for name in body)
    assert model.dropout.p == 0.5
    start_from(fresh, initial, list("abcd"))  # no tag in common
    assert torch.equal(fresh.state_dict()["head.1.bias"], before["head.1.bias"]) and torch.equal(fresh.positions, given["positions"])


def test_what_nothing_can_start_from_is_refused(tmp_path, folder):
    shape, initial = read_initial_weights(folder)
    with pytest.raises(CheckpointError, match="another shape than that of the model to train: width is 16, not 8"):
        start_from(build_model(replace(TINY_MODEL, width=8, n_mels=64), 3, seed=0), initial, TAGS)
    save_model(build_model(TINY_MODEL, 3, seed=1), folder, TAGS)
    with pytest.raises(CheckpointError, match="other weights than when this study began"):
        start_from(build_model(shape, 3, seed=0), initial, TAGS)
    fcn = save_model(build_model(replace(TINY_MODEL, architecture="fcn"), 3, seed=0), tmp_path / "fcn", TAGS)
    with pytest.raises(CheckpointError, match="a fcn at 22050 Hz"):
        read_initial_weights(fcn)
    with pytest.raises(CheckpointError, match="nowhere"):
        read_initial_weights(tmp_path / "nowhere")
