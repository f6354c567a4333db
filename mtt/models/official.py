"""The authors' published checkpoints (``teacher.ckpt``, ``compact_student.ckpt``), turned into model folders.

They are Lightning checkpoints of ``minzwon/semi-supervised-music-tagging-transformer``: tensors named ``network.*`` and, in a student, its
teacher's as ``teacher_network.*``. They are read by torch.load with ``weights_only=True``, which runs no code.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor

from mtt.config import ModelConfig, SettingsError
from mtt.models.build import build_model
from mtt.models.checkpoint import CheckpointError, load_model, save_model, take_tensors
from mtt.models.frontend import TaggingModel

# The 50 tags of CALS, in the order of the columns of the binaries and of the outputs of the authors' checkpoints.
CALS_TAGS = tuple(
    "rock,pop,indie,alternative,electronic,hip-hop,metal,jazz,punk,folk,alternative rock,indie rock,dance,"
    "hard rock,00s,soul,hardcore,80s,country,classic rock,punk rock,blues,chillout,experimental,heavy metal,"
    "death metal,90s,reggae,progressive rock,ambient,acoustic,beautiful,british,rnb,funk,metalcore,mellow,"
    "world,guitar,trance,indie pop,christian,house,spanish,latin,psychedelic,electro,piano,70s,"
    "progressive metal".split(",")
)
# The authors' tensor names (without "network.") -> ours.
OFFICIAL_NAMES = (
    (r"frontend\.input_bn\.", "input_bn."),
    (r"frontend\.layer1\.", "blocks.0."),
    (r"frontend\.layer2\.", "blocks.1."),
    (r"frontend\.layer3\.", "blocks.2."),
    (r"frontend\.fc\.", "to_token."),
    (r"pos_embedding$", "positions"),
    (r"transformer\.layers\.(\d+)\.0\.fn\.norm\.", r"layers.\1.attention_norm."),
    (r"transformer\.layers\.(\d+)\.0\.fn\.fn\.to_qkv\.", r"layers.\1.to_qkv."),
    (r"transformer\.layers\.(\d+)\.0\.fn\.fn\.to_out\.0\.", r"layers.\1.to_out."),
    (r"transformer\.layers\.(\d+)\.1\.fn\.norm\.", r"layers.\1.mlp_norm."),
    (r"transformer\.layers\.(\d+)\.1\.fn\.fn\.net\.", r"layers.\1.mlp."),
    (r"mlp_head\.", "head."),
)
# Shapes of these give the configuration.
OFFICIAL_SHAPES = ("pos_embedding", "frontend.layer1.conv_1.weight", "frontend.fc.weight", "mlp_head.1.weight")


def import_official(ckpt: str | Path, folder: str | Path, tags: Sequence[str] | None = None, heads: int = 8) -> TaggingModel:
    """Turn a checkpoint of the authors' code into a model folder, and return its model.

    Reads a Lightning checkpoint or its bare state dict, with or without the prefix ``network.``; ``teacher_network.*`` is ignored. The
    configuration follows from the tensors' shapes, except ``heads``, which no shape shows (the authors: 8). Without ``tags`` 50 outputs get
    CALS_TAGS, any other number "tag 0", "tag 1", ... Raises ``CheckpointError`` for any other file.
    """
    ckpt = Path(ckpt)
    network = _official_network(ckpt)
    model = _official_model(network, heads, ckpt)
    take_tensors(model, {_our_name(name): tensor for name, tensor in network.items() if not name.startswith("spec.")}, ckpt)
    theirs, ours = network.get("spec.mel_scale.fb"), model.spectrogram.filters
    if theirs is not None and (theirs.shape != ours.shape or not torch.allclose(theirs, ours, atol=1e-4)):
        raise CheckpointError(f"{ckpt}: its mel filters are not those of {model.config.sample_rate} Hz audio (HTK scale)")
    if tags is None:
        tags = CALS_TAGS if model.n_tags == len(CALS_TAGS) else [f"tag {i}" for i in range(model.n_tags)]
    digest = hashlib.sha256(ckpt.read_bytes()).hexdigest()
    save_model(model, folder, tags, {"source": "authors' checkpoint", "file": ckpt.name, "file_sha256": digest})
    return load_model(folder)


def _official_network(ckpt: Path) -> dict[str, Tensor]:
    """The tensors of the tagging network in the authors' names, without prefix."""
    if not ckpt.is_file():
        raise CheckpointError(f"{ckpt}: no such file")
    try:
        content = torch.load(ckpt, map_location="cpu", weights_only=True)
    except Exception as error:  # bytes of any origin: torch raises a dozen unrelated types
        reason = f"not a PyTorch checkpoint that can be read without running code in it ({type(error).__name__})"
        raise CheckpointError(f"{ckpt}: {reason}: give the authors' teacher.ckpt or compact_student.ckpt") from error
    state = content.get("state_dict", content) if isinstance(content, dict) else {}
    state = {name: value for name, value in state.items() if isinstance(name, str) and isinstance(value, Tensor)}
    prefixed = {name.removeprefix("network."): value for name, value in state.items() if name.startswith("network.")}
    network = prefixed or {name: value for name, value in state.items() if not name.startswith("teacher_network.")}
    if missing := [name for name in (*OFFICIAL_SHAPES, "cls_token") if name not in network]:
        raise CheckpointError(f"{ckpt}: not a Music Tagging Transformer: it lacks {', '.join(missing)}")
    return network


def _official_model(network: dict[str, Tensor], heads: int, ckpt: Path) -> TaggingModel:
    """A new model of the checkpoint's size, which follows from the shapes of its tensors."""
    shapes = [tuple(network[name].shape) for name in OFFICIAL_SHAPES]
    if [len(shape) for shape in shapes] != [3, 4, 2, 2]:
        raise CheckpointError(f"{ckpt}: not a Music Tagging Transformer: {', '.join(OFFICIAL_SHAPES)} have shapes {shapes}")
    (_, positions, width), (channels, *_), (_, features), (n_tags, _) = shapes
    layers = {match[1] for name in network if (match := re.match(r"transformer\.layers\.(\d+)\.", name))}
    n_fft = len(network.get("spec.spectrogram.window", range(ModelConfig.n_fft)))
    size = {"channels": channels, "width": width, "heads": heads, "layers": len(layers), "max_positions": positions - 1}
    try:
        config = ModelConfig("transformer", **size, n_fft=n_fft, hop=n_fft // 2, n_mels=8 * features // max(channels, 1))
        return build_model(config, n_tags, seed=0)
    except SettingsError as error:
        raise CheckpointError(f"{ckpt}: {error}") from error


def _our_name(name: str) -> str:
    for pattern, ours in OFFICIAL_NAMES:
        name = re.sub("^" + pattern, ours, name)
    return name
