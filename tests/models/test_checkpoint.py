from __future__ import annotations

import json
import os
import pickle
import zipfile
from pathlib import Path

import pytest
import safetensors.torch
import torch

from mtt import files
from mtt.config import ARCHITECTURES, ModelConfig
from mtt.models import (
    CALS_TAGS,
    CheckpointError,
    build_model,
    import_official,
    load_model,
    read_initial_weights,
    save_model,
    start_from,
)

GOLDEN = Path(__file__).parents[1] / "data" / "golden"
TAGS = ["rock", "pop", "jazz"]


class Payload:
    """Unpickled carelessly, it makes a folder."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self):
        return os.mkdir, (str(self.path),)


def small(architecture: str = "transformer") -> ModelConfig:
    return ModelConfig(architecture=architecture, channels=4, width=16, heads=2, layers=2, max_positions=32)


@pytest.fixture
def folder(tmp_path):
    return save_model(build_model(small(), 3, seed=0), tmp_path / "model", TAGS)


def describe(folder: Path, **changes) -> None:
    description = json.loads((folder / "model.json").read_text())
    (folder / "model.json").write_text(json.dumps(description | changes))


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_round_trip_is_bit_identical(tmp_path, architecture):
    model = build_model(small(architecture), 3, seed=3)
    model.train()(torch.randn(2, 22_050, generator=torch.Generator().manual_seed(0)))  # moves the running statistics
    save_model(model, tmp_path / "m", TAGS, {"stage": "teacher", "clip_seconds": 3.0})
    again = load_model(tmp_path / "m")
    assert not again.training
    assert (again.tags, again.config, again.clip_seconds) == (TAGS, model.config, 3.0)
    assert again.provenance["stage"] == "teacher"
    assert {"created", "mtt_version"} <= again.provenance.keys()
    before, after = model.state_dict(), again.state_dict()
    assert before.keys() == after.keys()
    assert all(torch.equal(before[name], after[name]) for name in before)
    assert sorted(path.name for path in (tmp_path / "m").iterdir()) == ["model.json", "model.safetensors"]


def test_a_loaded_model_keeps_tags_and_provenance_when_saved_again(folder, tmp_path):
    model = load_model(folder)
    again = load_model(save_model(model, tmp_path / "copy"))
    assert (again.tags, again.provenance, again.clip_seconds) == (TAGS, model.provenance, 10.0)


def test_saving_without_tags_or_with_wrong_ones(tmp_path):
    model = build_model(small(), 3, seed=0)
    with pytest.raises(ValueError, match="tags: the model has no tag names yet, give 3"):
        save_model(model, tmp_path)
    with pytest.raises(ValueError, match="tags: expected 3 different names, got 2 in 2"):
        save_model(model, tmp_path, ["rock", "pop"])
    with pytest.raises(ValueError, match="tags: expected 3 different names, got 2 in 3"):
        save_model(model, tmp_path, ["rock", "pop", "rock"])
    with pytest.raises(ValueError, match="provenance: must hold JSON types only"):
        save_model(model, tmp_path, TAGS, {"path": Path("x")})
    with pytest.raises(ValueError, match="model: expected one made by build_model, got Linear"):
        save_model(torch.nn.Linear(2, 2), tmp_path, TAGS)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("survives", [0, 1])
def test_a_killed_save_leaves_the_old_model_or_a_refusal(folder, monkeypatch, survives):
    old = load_model(folder).state_dict()
    replace, calls = os.replace, []

    def killed(source, target):
        calls.append(target)
        if len(calls) > survives:
            raise KeyboardInterrupt
        replace(source, target)

    monkeypatch.setattr(files.os, "replace", killed)
    with pytest.raises(KeyboardInterrupt):
        save_model(build_model(small(), 3, seed=1), folder, TAGS)
    monkeypatch.undo()
    if survives == 0:
        assert all(torch.equal(old[name], tensor) for name, tensor in load_model(folder).state_dict().items())
    else:
        with pytest.raises(CheckpointError, match="model.safetensors is not the one model.json describes"):
            load_model(folder)


def test_missing_files(folder, tmp_path):
    with pytest.raises(CheckpointError, match="model.json: No such file or directory: a model folder holds"):
        load_model(tmp_path / "nowhere")
    (folder / "model.safetensors").unlink()
    with pytest.raises(CheckpointError, match="model.safetensors: No such file or directory: a model folder holds"):
        load_model(folder)


def test_descriptions_that_are_none(folder):
    cases = [
        ({"tags": [*TAGS, "blues"]}, r"model.safetensors: 3 outputs for 4 tags"),
        ({"tags": "rock"}, r"model.json: no list 'tags'"),
        ({"tags": TAGS, "format": 99}, r"model.json: format 99, this version of mtt reads 1"),
        ({"format": 1, "config": {"architecture": "vgg"}}, r"model.json: architecture: 'vgg' is unknown"),
        ({"config": {"colour": 1}}, r"model.json: .*unexpected keyword argument 'colour'"),
        ({"config": {"channels": "4"}}, r"model.json: channels: expected a whole number of at least 1, got '4'"),
        ({"config": [1]}, r"model.json: no 'config'"),
    ]
    for changes, message in cases:
        describe(folder, **changes)
        with pytest.raises(CheckpointError, match=message) as caught:
            load_model(folder)
        assert "\n" not in str(caught.value)
    (folder / "model.json").write_text("{")
    with pytest.raises(CheckpointError, match="model.json: not JSON"):
        load_model(folder)


def test_weights_that_do_not_fit(folder):
    tensors = safetensors.torch.load_file(folder / "model.safetensors")
    positions = tensors.pop("positions")
    safetensors.torch.save_file({**tensors, "extra": torch.zeros(1)}, folder / "model.safetensors")
    with pytest.raises(CheckpointError, match=r"1 missing \(positions\), 1 unexpected \(extra\)"):
        load_model(folder)
    safetensors.torch.save_file({**tensors, "positions": positions[:, :5].clone()}, folder / "model.safetensors")
    with pytest.raises(CheckpointError, match=r"positions has shape \(1, 5, 16\), the configuration asks for"):
        load_model(folder)
    safetensors.torch.save_file({**tensors, "positions": positions + 1}, folder / "model.safetensors")
    with pytest.raises(CheckpointError, match="model.safetensors is not the one model.json describes"):
        load_model(folder)


@pytest.mark.parametrize("content", [b"", b"not weights", b"\xff" * 64])
def test_other_bytes_are_not_safetensors(folder, content):
    (folder / "model.safetensors").write_bytes(content)
    with pytest.raises(CheckpointError, match="model.safetensors: not a safetensors file"):
        load_model(folder)


def test_pickled_code_is_never_run(folder, tmp_path):
    trap = tmp_path / "trap"
    (folder / "model.safetensors").write_bytes(pickle.dumps(Payload(trap)))
    with pytest.raises(CheckpointError, match="not a safetensors file"):
        load_model(folder)
    torch.save({"state_dict": Payload(trap)}, tmp_path / "zip.ckpt")
    (tmp_path / "plain.ckpt").write_bytes(pickle.dumps({"state_dict": Payload(trap)}, protocol=2))
    for name in ("zip.ckpt", "plain.ckpt"):
        with pytest.raises(CheckpointError, match="not a PyTorch checkpoint that can be read without running code"):
            import_official(tmp_path / name, tmp_path / "out")
    assert not trap.exists()
    assert not (tmp_path / "out").exists()


def test_import_infers_the_configuration_and_ignores_the_teacher(tmp_path):
    model = import_official(GOLDEN / "student_small.ckpt", tmp_path, heads=2)
    assert model.config == ModelConfig(channels=4, width=8, heads=2, layers=2)
    assert model.tags == [f"tag {i}" for i in range(10)]
    assert model.provenance["file"] == "student_small.ckpt"
    assert load_model(tmp_path).tags == model.tags


@pytest.mark.parametrize("form", ["lightning", "bare"])
def test_import_of_other_forms_of_the_same_weights(tmp_path, form):
    state = torch.load(GOLDEN / "teacher_small.ckpt", weights_only=True)
    bare = {name.removeprefix("network."): tensor for name, tensor in state.items()}
    torch.save({"state_dict": state, "epoch": 3} if form == "lightning" else bare, tmp_path / "a.ckpt")
    model = import_official(tmp_path / "a.ckpt", tmp_path / "out", tags=list("abcdefghij"), heads=2)
    reference = import_official(GOLDEN / "teacher_small.ckpt", tmp_path / "reference", heads=2).state_dict()
    assert all(torch.equal(reference[name], tensor) for name, tensor in model.state_dict().items())
    assert model.tags == list("abcdefghij")


def test_fifty_outputs_are_the_cals_tags(tmp_path):
    state = torch.load(GOLDEN / "teacher_small.ckpt", weights_only=True)
    state |= {"network.mlp_head.1.weight": torch.zeros(50, 16), "network.mlp_head.1.bias": torch.zeros(50)}
    torch.save(state, tmp_path / "fifty.ckpt")
    model = import_official(tmp_path / "fifty.ckpt", tmp_path / "out", heads=2)
    assert tuple(model.tags) == CALS_TAGS
    assert len(set(CALS_TAGS)) == 50
    assert (CALS_TAGS[0], CALS_TAGS[10], CALS_TAGS[49]) == ("rock", "alternative rock", "progressive metal")


def test_import_names_what_is_wrong(tmp_path):
    def refused(message: str, **changes) -> None:
        with pytest.raises(CheckpointError, match=message) as caught:
            import_official(path, tmp_path / "out", **changes)
        assert "\n" not in str(caught.value)

    path = tmp_path / "x.ckpt"
    refused("x.ckpt: no such file")
    path.write_text("hello")
    refused("x.ckpt: not a PyTorch checkpoint")
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a.txt", "hello")
    refused("x.ckpt: not a PyTorch checkpoint")
    torch.save(torch.nn.Linear(2, 2).state_dict(), path)
    refused("not a Music Tagging Transformer: it lacks pos_embedding, frontend.layer1.conv_1.weight")
    state = torch.load(GOLDEN / "teacher_small.ckpt", weights_only=True)
    torch.save({k: v for k, v in state.items() if "layer2.bn_1.bias" not in k}, path)
    refused(r"1 missing \(blocks.1.bn_1.bias\), 0 unexpected")
    torch.save(state, path)
    refused("heads: 3 does not divide width 16", heads=3)
    refused("tags: expected 10 different names, got 1 in 1", heads=2, tags=["rock"])
    torch.save({**state, "network.spec.mel_scale.fb": state["network.spec.mel_scale.fb"] * 2}, path)
    refused("its mel filters are not those of 22050 Hz audio", heads=2)
    assert not (tmp_path / "out").exists()


def test_another_tag_set_starts_from_all_weights_but_the_rows_of_unknown_tags(folder):
    shape, initial = read_initial_weights(folder)
    model, fresh = build_model(shape, 4, seed=9), build_model(shape, 4, seed=9)
    start_from(model, initial, ["blues", "jazz", "rock", "ska"])
    source = load_model(folder)
    given, own, before = source.state_dict(), model.state_dict(), fresh.state_dict()
    body = [name for name in own if not name.startswith("head.1")]
    assert len(body) > 20 and all(torch.equal(own[name], given[name]) for name in body)
    for name in ("head.1.weight", "head.1.bias"):
        assert torch.equal(own[name][[1, 2]], given[name][[TAGS.index("jazz"), TAGS.index("rock")]])
        assert torch.equal(own[name][[0, 3]], before[name][[0, 3]])
    assert any(not torch.equal(own[name], before[name]) for name in body)


def test_what_nothing_can_start_from_is_refused(tmp_path, folder):
    shape, initial = read_initial_weights(folder)
    with pytest.raises(CheckpointError, match="another shape"):
        start_from(build_model(ModelConfig(channels=4, width=8, heads=2, layers=2, max_positions=32), 3, seed=0), initial, TAGS)
    save_model(build_model(small(), 3, seed=1), folder, TAGS)
    with pytest.raises(CheckpointError, match="other weights than when this study began"):
        start_from(build_model(shape, 3, seed=0), initial, TAGS)
    fcn = save_model(build_model(small("fcn"), 3, seed=0), tmp_path / "fcn", TAGS)
    with pytest.raises(CheckpointError, match="a fcn at 22050 Hz"):
        read_initial_weights(fcn)
    with pytest.raises(CheckpointError, match="nowhere"):
        read_initial_weights(tmp_path / "nowhere")
