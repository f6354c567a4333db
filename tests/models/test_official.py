"""The authors' checkpoints: their probabilities, what is read from them, and what is refused."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from typer.testing import CliRunner

from mtt.__main__ import app
from mtt.config import CALS_TAGS, ModelConfig
from mtt.models import CheckpointError, import_official, load_model

GOLDEN = Path(__file__).parents[1] / "data" / "golden"


@pytest.fixture(scope="module")
def state() -> dict:
    return torch.load(GOLDEN / "teacher_small.ckpt", weights_only=True)


@pytest.mark.parametrize(("name", "width"), [("teacher_small", 16), ("student_small", 8)])
@torch.inference_mode()
def test_golden_probabilities_of_the_authors_code(name, width, tmp_path):
    """The student's checkpoint also holds its teacher, which is ignored."""
    heads = json.loads((GOLDEN / f"{name}.json").read_text())["config"]["attention_nheads"]
    model = import_official(GOLDEN / f"{name}.ckpt", tmp_path, heads=heads)
    with np.load(GOLDEN / f"{name}.npz", allow_pickle=False) as golden:
        waveform, expected = torch.from_numpy(golden["waveform"]), golden["probabilities"]
    np.testing.assert_allclose(model(waveform).sigmoid().numpy(), expected, rtol=0, atol=1e-5)
    assert model.config == ModelConfig(channels=4, width=width, heads=2, layers=2)
    assert model.tags == load_model(tmp_path).tags == [f"tag {i}" for i in range(10)]
    assert model.provenance["file"] == f"{name}.ckpt"


def test_weights_alone_are_the_same_model(tmp_path, state):
    torch.save({name.removeprefix("network."): tensor for name, tensor in state.items()}, tmp_path / "a.ckpt")
    model = import_official(str(tmp_path / "a.ckpt"), str(tmp_path / "out"), tags=list("abcdefghij"), heads=2)
    reference = import_official(GOLDEN / "teacher_small.ckpt", tmp_path / "reference", heads=2).state_dict()
    assert all(torch.equal(reference[name], tensor) for name, tensor in model.state_dict().items())
    assert model.tags == list("abcdefghij")


def test_fifty_outputs_are_the_cals_tags(tmp_path, state):
    head = {"network.mlp_head.1.weight": torch.zeros(50, 16), "network.mlp_head.1.bias": torch.zeros(50)}
    torch.save(state | head, tmp_path / "fifty.ckpt")
    assert tuple(import_official(tmp_path / "fifty.ckpt", tmp_path / "out", heads=2).tags) == CALS_TAGS
    assert len(set(CALS_TAGS)) == 50
    assert (CALS_TAGS[0], CALS_TAGS[10], CALS_TAGS[49]) == ("rock", "alternative rock", "progressive metal")


def test_the_command_line_says_which_number_of_heads_was_taken(tmp_path):
    """No shape shows it, and another gives other probabilities without a word."""
    waveform, found = torch.from_numpy(np.load(GOLDEN / "teacher_small.npz")["waveform"]), []
    for given, heads in ([], 8), (["--heads", "2"], 2):
        done = CliRunner().invoke(app, ["import-official", str(GOLDEN / "teacher_small.ckpt"), str(tmp_path / str(heads)), *given])
        assert done.exit_code == 0, done.output
        assert f"{heads} heads were taken: no tensor shows their number; give --heads" in done.output
        model = load_model(tmp_path / str(heads))
        assert model.config.heads == heads
        with torch.inference_mode():
            found.append(model(waveform).sigmoid())
    assert (found[0] - found[1]).abs().max() > 1e-4
    wrong = CliRunner().invoke(app, ["import-official", str(GOLDEN / "teacher_small.ckpt"), str(tmp_path / "no"), "--heads", "3"])
    assert isinstance(wrong.exception, CheckpointError) and not (tmp_path / "no").exists()


def without(state: dict, part: str) -> dict:
    return {name: tensor for name, tensor in state.items() if part not in name}


@pytest.mark.parametrize(
    ("change", "options", "message"),
    [
        (lambda _: b"hello", {}, "x.ckpt: not a PyTorch checkpoint"),
        (lambda _: torch.nn.Linear(2, 2).state_dict(), {}, "it lacks pos_embedding, frontend.layer1.conv_1.weight"),
        (lambda state: {**state, "network.pos_embedding": torch.zeros(3)}, {}, r"have shapes \[\(3,\)"),
        (lambda state: without(state, "layer2.bn_1.bias"), {}, "blocks.1.bn_1.bias is missing"),
        (lambda state: {**state, "network.pos_embedding": state["network.pos_embedding"] * torch.nan}, {}, "positions holds NaN"),
        (lambda state: state, {"heads": 3}, "heads: 3 does not divide width 16"),
        (lambda state: state, {"heads": 0}, "heads: must be a whole number from 1 to 16,384, not 0"),
        (lambda state: {**state, "network.spec.mel_scale.fb": torch.ones(513, 128)}, {}, "mel filters are not those of 22050 Hz audio"),
    ],
)
def test_what_is_wrong_is_named(tmp_path, state, change, options, message):
    path, content = tmp_path / "x.ckpt", change(dict(state)) if change else None
    if isinstance(content, bytes):
        path.write_bytes(content)
    elif content is not None:
        torch.save(content, path)
    with pytest.raises(CheckpointError, match=message) as caught:
        import_official(path, tmp_path / "out", **{"heads": 2, **options})
    assert "\n" not in str(caught.value) and not (tmp_path / "out").exists()
