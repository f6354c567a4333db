"""Model folders: how a trained model is kept.

A model folder holds ``model.safetensors`` (every tensor of the model's state) and ``model.json``: ``config``
(ModelConfig), ``tags`` in output order, ``audio`` (sample rate in Hz, channels, clip length in seconds),
``provenance`` (anything JSON; who made the model, of what) and ``weights_sha256``, which ties the two files together:
a folder whose writing was cut between them is refused, not misread.

Nothing here runs code from a file.
"""

from __future__ import annotations

import datetime
import hashlib
import json
from collections.abc import Sequence
from pathlib import Path

import safetensors
import safetensors.torch
import torch
from torch import Tensor

from mtt import __version__
from mtt.config import SAMPLE_RATE, InitialWeights, ModelConfig, to_dict
from mtt.files import MttError, write_whole
from mtt.models.build import build_model
from mtt.models.frontend import TaggingModel

WEIGHTS, DESCRIPTION = "model.safetensors", "model.json"
FORMAT = 1


class CheckpointError(MttError):
    """A model file or folder that cannot be read; the message names it, the reason and the remedy in one line."""


def save_model(model: TaggingModel, folder: str | Path, tags: Sequence[str] | None = None, provenance: dict | None = None) -> Path:
    """Write a model folder and return its path.

    ``tags`` names the outputs in order (default: ``model.tags``). ``provenance`` is kept as given, with the time and
    the version of mtt added; its ``clip_seconds`` (default: ``model.clip_seconds``) is the clip length the model was
    trained on. Each file is replaced as a whole. Raises ValueError for tags that do not fit the model or a provenance
    that is not JSON.
    """
    if not isinstance(model, TaggingModel):
        raise ValueError(f"model: expected one made by build_model, got {type(model).__name__}: save what it wraps")
    tags = _checked_tags(model.tags if tags is None else tags, model.n_tags, "tags")
    folder = Path(folder)
    provenance = dict(model.provenance if provenance is None else provenance)
    provenance.setdefault("created", datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"))
    provenance.setdefault("mtt_version", __version__)
    weights = safetensors.torch.save({name: tensor.contiguous() for name, tensor in model.state_dict().items()})
    clip_seconds = float(provenance.get("clip_seconds", model.clip_seconds))
    description = {
        "format": FORMAT,
        "config": to_dict(model.config),
        "tags": tags,
        "audio": {"sample_rate": model.config.sample_rate, "channels": 1, "clip_seconds": clip_seconds},
        "provenance": provenance,
        "weights_sha256": hashlib.sha256(weights).hexdigest(),
    }
    try:
        text = json.dumps(description, indent=1, ensure_ascii=False, allow_nan=False) + "\n"
    except (TypeError, ValueError) as error:
        raise ValueError(f"provenance: must hold JSON types only: {error}") from error
    write_whole(folder / WEIGHTS, weights)
    write_whole(folder / DESCRIPTION, text.encode())
    return folder


def load_model(folder: str | Path, device: str | torch.device = "cpu") -> TaggingModel:
    """The model of a folder, in eval mode on ``device``, with ``tags``, ``clip_seconds`` and ``provenance`` set.

    Raises CheckpointError where a file is missing or is not what it should be.
    """
    folder = Path(folder)
    description = _read_description(folder)
    try:
        model = build_model(ModelConfig(**description["config"]), len(description["tags"]), seed=0)
        provenance, clip_seconds = dict(description["provenance"]), float(description["audio"]["clip_seconds"])
    except (KeyError, TypeError, ValueError, RuntimeError, MemoryError) as error:
        raise CheckpointError(f"{folder / DESCRIPTION}: {_reason(error)}: no model of this version of mtt") from error
    tags = _checked_tags(description["tags"], model.n_tags, f"{folder / DESCRIPTION}: tags")
    weights = _read_bytes(folder / WEIGHTS)
    tensors = _parse(weights, folder / WEIGHTS)
    check_tensors(model.state_dict(), tensors, folder / WEIGHTS)
    if hashlib.sha256(weights).hexdigest() != description.get("weights_sha256"):
        raise CheckpointError(f"{folder}: {WEIGHTS} is not the one {DESCRIPTION} describes: save the model again")
    model.load_state_dict(tensors)
    model.tags, model.provenance, model.clip_seconds = tags, provenance, clip_seconds
    return model.to(device).eval()


def read_initial_weights(folder: str | Path) -> tuple[ModelConfig, InitialWeights]:
    """Shape and identity of a Transformer's folder that other models are to start from. Raises CheckpointError."""
    model = load_model(folder)
    if model.config.architecture != "transformer" or model.config.sample_rate != SAMPLE_RATE:
        kind = f"a {model.config.architecture} at {model.config.sample_rate} Hz"
        raise CheckpointError(f"{folder}: {kind}: a teacher starts from a transformer at {SAMPLE_RATE} Hz")
    digest = _read_description(Path(folder))["weights_sha256"]
    return model.config, InitialWeights(str(Path(folder).resolve()), digest)


def start_from(model: TaggingModel, initial: InitialWeights, tags: Sequence[str]) -> None:
    """Give ``model``, whose outputs are ``tags``, the weights of a model folder of its shape.

    The last layer has a row per tag: rows of tags that the folder knows by name are taken, others stay as they are.
    Raises CheckpointError where the folder holds another shape, or other weights than those ``initial`` names.
    """
    source = load_model(initial.folder)
    if _read_description(Path(initial.folder))["weights_sha256"] != initial.weights_sha256:
        raise CheckpointError(f"{initial.folder}: holds other weights than when this study began: name a new study, or put them back")
    if source.config != model.config:
        raise CheckpointError(f"{initial.folder}: its model has another shape than the one to train: {source.config}")
    known = {tag: row for row, tag in enumerate(source.tags)}
    rows = [(row, known[tag]) for row, tag in enumerate(tags) if tag in known]
    weights, own = source.state_dict(), model.state_dict()
    last = next(name for name in reversed(own) if name.startswith("head.") and name.endswith(".bias")).removesuffix(".bias")
    for name in (f"{last}.weight", f"{last}.bias"):
        kept = own[name].clone()
        for here, there in rows:
            kept[here] = weights[name][there]
        weights[name] = kept
    model.load_state_dict(weights)


def check_tensors(expected: dict[str, Tensor], found: dict[str, Tensor], source: Path) -> None:
    """Raise CheckpointError unless both have the same names and shapes."""
    missing, unexpected = sorted(expected.keys() - found.keys()), sorted(found.keys() - expected.keys())
    if missing or unexpected:
        raise CheckpointError(
            f"{source}: tensors do not fit the configuration: {len(missing)} missing ({_some(missing)}), "
            f"{len(unexpected)} unexpected ({_some(unexpected)})"
        )
    output = next(name for name in reversed(expected) if name.startswith("head.") and name.endswith(".bias"))
    if found[output].shape != expected[output].shape:
        raise CheckpointError(f"{source}: {found[output].numel()} outputs for {len(expected[output])} tags")
    for name, tensor in expected.items():
        if found[name].shape != tensor.shape:
            shapes = f"has shape {tuple(found[name].shape)}, the configuration asks for {tuple(tensor.shape)}"
            raise CheckpointError(f"{source}: {name} {shapes}")


def _checked_tags(tags: object, n_tags: int, name: str) -> list[str]:
    if tags is None:
        raise ValueError(f"{name}: the model has no tag names yet, give {n_tags}")
    if isinstance(tags, str) or not all(isinstance(tag, str) and tag for tag in tags):
        raise CheckpointError(f"{name}: expected a list of {n_tags} non-empty names")
    if len(tags) != n_tags or len(set(tags)) != n_tags:
        raise CheckpointError(f"{name}: expected {n_tags} different names, got {len(set(tags))} in {len(tags)}")
    return list(tags)


def _read_description(folder: Path) -> dict:
    path = folder / DESCRIPTION
    try:
        description = json.loads(_read_bytes(path))
    except ValueError as error:
        if isinstance(error, CheckpointError):
            raise
        raise CheckpointError(f"{path}: not JSON: {_reason(error)}") from error
    if not isinstance(description, dict) or not isinstance(description.get("config"), dict):
        raise CheckpointError(f"{path}: no 'config': not the description of a model")
    if not isinstance(description.get("tags"), list):
        raise CheckpointError(f"{path}: no list 'tags': not the description of a model")
    if description.get("format") != FORMAT:
        raise CheckpointError(f"{path}: format {description.get('format')!r}, this version of mtt reads {FORMAT}")
    return description


def _read_bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise CheckpointError(f"{path}: {reason}: a model folder holds {WEIGHTS} and {DESCRIPTION}") from error


def _parse(weights: bytes, path: Path) -> dict[str, Tensor]:
    try:
        return safetensors.torch.load(weights)
    except (safetensors.SafetensorError, ValueError, KeyError) as error:
        raise CheckpointError(f"{path}: not a safetensors file: {_reason(error)}") from error


def _reason(error: Exception) -> str:
    return " ".join(str(error).split()) or type(error).__name__


def _some(names: list[str], shown: int = 4) -> str:
    return ", ".join(names[:shown]) + (", ..." if len(names) > shown else "") if names else "none"
