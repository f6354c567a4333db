"""The authors' published checkpoints (``teacher.ckpt``, ``compact_student.ckpt``), turned into model folders.

They are Lightning checkpoints of ``minzwon/semi-supervised-music-tagging-transformer``: tensors named ``network.*`` and, in a student, its
teacher's as ``teacher_network.*``. They are read by ``torchfile``, which runs no code.
"""

import hashlib
import os
import re
from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor

from mtt.config import ModelConfig
from mtt.files import one_line
from mtt.models.build import check_config
from mtt.models.checkpoint import CheckpointError, filled_model, load_model, save_model
from mtt.models.frontend import TaggingModel
from mtt.reading.torchfile import read_tensors
from mtt.settings import SettingsError

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

    Reads a Lightning checkpoint or its bare state dict; ``teacher_network.*`` is ignored. The configuration follows from the tensors'
    shapes, except ``heads``, which no shape shows. Without ``tags`` 50 outputs get CALS_TAGS, others "tag 0", ... Raises
    ``CheckpointError``.
    """
    ckpt = Path(ckpt)
    network = _official_network(ckpt)
    config, n_tags = _official_size(network, heads, ckpt)
    tensors = {name: tensor for name, tensor in network.items() if not name.startswith("spec.")}
    for theirs, ours in OFFICIAL_NAMES:
        tensors = {re.sub(f"^{theirs}", ours, name): tensor for name, tensor in tensors.items()}
    model = filled_model(config, n_tags, tensors, ckpt)
    theirs, ours = network.get("spec.mel_scale.fb"), model.spectrogram.filters
    if theirs is not None and (theirs.shape != ours.shape or not torch.allclose(theirs, ours, atol=1e-4)):
        raise CheckpointError(f"{ckpt}: its mel filters are not those of {model.config.sample_rate} Hz audio (HTK scale)")
    if tags is None:
        tags = CALS_TAGS if model.n_tags == len(CALS_TAGS) else [f"tag {i}" for i in range(model.n_tags)]
    with open(ckpt, "rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    save_model(model, folder, tags, {"source": "authors' checkpoint", "file": ckpt.name, "file_sha256": digest})
    return load_model(folder)


def _official_network(ckpt: Path) -> dict[str, Tensor]:
    """The tensors of the tagging network in the authors' names, without prefix."""
    if not os.path.isfile(ckpt):
        raise CheckpointError(f"{ckpt}: {'not a' if os.path.exists(ckpt) else 'no such'} file; give the authors' checkpoint")
    try:
        state = read_tensors(ckpt)
    except Exception as error:  # bytes of any origin: a dozen unrelated types are raised
        reason = f"not a PyTorch checkpoint ({(getattr(error, 'strerror', None) or one_line(error))[:300]})"
        raise CheckpointError(f"{ckpt}: {reason}: give the authors' teacher.ckpt or compact_student.ckpt") from error
    prefixed = {name.removeprefix("network."): value for name, value in state.items() if name.startswith("network.")}
    network = prefixed or {name: value for name, value in state.items() if not name.startswith("teacher_network.")}
    if missing := [name for name in (*OFFICIAL_SHAPES, "cls_token") if name not in network]:
        raise CheckpointError(f"{ckpt}: not a Music Tagging Transformer: it lacks {', '.join(missing)}")
    return network


def _official_size(network: dict[str, Tensor], heads: int, ckpt: Path) -> tuple[ModelConfig, int]:
    """The configuration and the number of tags, which follow from the shapes of the tensors."""
    shapes = [tuple(network[name].shape) for name in OFFICIAL_SHAPES]
    if [len(shape) for shape in shapes] != [3, 4, 2, 2]:
        raise CheckpointError(f"{ckpt}: not a Music Tagging Transformer: {', '.join(OFFICIAL_SHAPES)} have shapes {shapes}")
    (_, positions, width), (channels, *_), (_, features), (n_tags, _) = shapes
    layers = {match[1] for name in network if (match := re.match(r"transformer\.layers\.(\d+)\.", name))}
    n_fft = len(network.get("spec.spectrogram.window", range(ModelConfig.n_fft)))
    size = {"channels": channels, "width": width, "heads": heads, "layers": len(layers), "max_positions": positions - 1}
    try:
        config = ModelConfig("transformer", **size, n_fft=n_fft, hop=n_fft // 2, n_mels=8 * features // max(channels, 1))
        check_config(config)
    except SettingsError as error:
        raise CheckpointError(f"{ckpt}: {error}") from error
    return config, n_tags
