"""Model folders: how a trained model is kept.

A model folder holds ``model.safetensors`` (every tensor of the model's state) and ``model.json`` (``Description``), whose checksum of the
weights ties the two together: a folder whose writing was cut between them is refused, not misread. Nothing here runs code from a file.
"""

import dataclasses
import datetime
import hashlib
import json
import os
import stat
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Literal

import pydantic
import safetensors.torch
import torch
from pydantic import Field
from torch import Tensor

from mtt import __version__
from mtt.config import SAMPLE_RATE, InitialWeights, ModelConfig, Seconds
from mtt.files import MttError, one_line, write_json, write_whole
from mtt.models.build import build_model, check_config, outline
from mtt.models.frontend import TaggingModel
from mtt.settings import SettingsError, read_settings, setting, to_dict

WEIGHTS, DESCRIPTION = MODEL_FILES = "model.safetensors", "model.json"
FORMAT = 1
LARGEST = 1e9  # a weight; positions that a short tone does not reach overflow in a normalisation from 1e18 on
MAX_DESCRIPTION = 2**24  # bytes, as of the names in the weights' header


class CheckpointError(MttError):
    """A model file or folder that cannot be read; the message names it, the reason and the remedy in one line."""


def _different(names: list[str]) -> list[str]:
    if len({*names}) < len(names) or not all(map(str.strip, names)):
        raise ValueError("names must differ, and none may be blank")
    return names


@setting
class AudioDescription:
    """What a model was trained to hear."""

    sample_rate: int  # Hz
    channels: Literal[1]
    clip_seconds: Seconds


@setting
class Description:
    """What ``model.json`` says of a model."""

    format: Literal[FORMAT]
    config: ModelConfig
    tags: Annotated[list[str], Field(min_length=1), pydantic.AfterValidator(_different)]  # in output order
    audio: AudioDescription
    provenance: dict[str, pydantic.JsonValue]  # who made the model, of what
    weights_sha256: str


def save_model(model: TaggingModel, folder: str | Path, tags: Sequence[str] | None = None, provenance: dict | None = None) -> Path:
    """Write a model folder and return its path. Each of its files is replaced as a whole.

    ``tags`` names the outputs in order, ``provenance`` (JSON) says how the model was made, its ``clip_seconds`` on clips of which length;
    by default they are the model's. Raises ``MttError`` for tags that do not fit the model or a provenance that is not JSON.
    """
    tags = list((model.tags or ()) if tags is None else tags)
    if len(tags) != model.n_tags:
        raise CheckpointError(f"tags: {len(tags)} names for {model.n_tags} outputs: give a name for each")
    provenance = dict(model.provenance if provenance is None else provenance)
    provenance.setdefault("created", datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"))
    provenance.setdefault("mtt_version", __version__)
    weights = safetensors.torch.save({name: tensor.contiguous() for name, tensor in model.state_dict().items()})
    description = Description(
        format=FORMAT,
        config=model.config,
        tags=tags,
        audio=AudioDescription(model.config.sample_rate, 1, float(provenance.get("clip_seconds", model.clip_seconds))),
        provenance=provenance,
        weights_sha256=hashlib.sha256(weights).hexdigest(),
    )
    folder = Path(folder)
    write_whole(folder / WEIGHTS, weights)
    write_json(folder / DESCRIPTION, to_dict(description))
    return folder


def load_model(folder: str | Path, device: str | torch.device = "cpu") -> TaggingModel:
    """The model of a folder, in eval mode on ``device``. Raises ``CheckpointError`` where a file is missing or is not what it should be."""
    return _load(Path(folder))[0].to(device)


@lru_cache(maxsize=1)
def loaded(folder: str) -> TaggingModel:
    """``load_model``, once for all that a process is asked."""
    return load_model(folder)


def identify(folder: str | Path) -> InitialWeights:
    """A model folder and the checksum of its weights. Raises ``CheckpointError``."""
    return InitialWeights(str(Path(folder).resolve()), _load(Path(folder))[1])


def read_initial_weights(folder: str | Path) -> tuple[ModelConfig, InitialWeights]:
    """Shape and identity of a Transformer's folder that other models are to start from. Raises ``CheckpointError``."""
    model, digest = _load(Path(folder))
    if model.config.architecture != "transformer" or model.config.sample_rate != SAMPLE_RATE:
        kind = f"a {model.config.architecture} at {model.config.sample_rate} Hz"
        raise CheckpointError(f"{folder}: {kind}: a teacher starts from a transformer at {SAMPLE_RATE} Hz")
    return model.config, InitialWeights(str(Path(folder).resolve()), digest)


def start_from(model: TaggingModel, initial: InitialWeights, tags: Sequence[str]) -> None:
    """Give ``model``, whose outputs are ``tags``, the weights of a model folder of its shape; their dropout may differ.

    Rows of the last layer are taken for tags that the folder knows by name. Raises ``CheckpointError`` where the folder holds another
    shape, or other weights than those ``initial`` names.
    """
    source, digest = _load(Path(initial.folder))
    if digest != initial.weights_sha256:
        raise CheckpointError(f"{initial.folder}: holds other weights than when this study began: name a new study, or put them back")
    for name in (field.name for field in dataclasses.fields(ModelConfig) if field.name != "dropout"):
        theirs, ours = getattr(source.config, name), getattr(model.config, name)
        if theirs != ours:
            raise CheckpointError(f"{initial.folder}: another shape than that of the model to train: {name} is {theirs!r}, not {ours!r}")
    here = [row for row, tag in enumerate(tags) if tag in source.tags]
    there = [source.tags.index(tags[row]) for row in here]
    weights, own = source.state_dict(), model.state_dict()
    for name in ("weight", "bias"):
        last = f"head.{len(model.head) - 1}.{name}"
        rows = own[last].clone()
        rows[here] = weights[last][there].to(rows.device)
        weights[last] = rows
    model.load_state_dict(weights)


def filled_model(config: ModelConfig, n_tags: int, tensors: dict[str, Tensor], source: Path) -> TaggingModel:
    """The model, in eval mode, that has the tensors of ``source``; memory is asked for when they fit. Raises ``CheckpointError``."""
    wanted = outline(config, n_tags)
    for name in wanted | tensors:
        fault = ""
        if name not in wanted or name not in tensors:
            fault = f"{name} is {'missing' if name in wanted else 'not of this model'}"
        elif tensors[name].shape != wanted[name].shape:
            fault = f"{name} has shape {list(tensors[name].shape)}, not {list(wanted[name].shape)}"
        elif tensors[name].is_floating_point() != wanted[name].is_floating_point():
            fault = f"{name} holds {tensors[name].dtype}, not {wanted[name].dtype}"
        if fault:
            raise CheckpointError(f"{source}: does not fit the configuration: {fault[:300]}: take the file that was saved with it")
    model = build_model(config, n_tags, seed=0).eval()
    model.load_state_dict(tensors)
    if broken := [name for name, tensor in model.state_dict().items() if not (tensor.abs() <= LARGEST).all()]:
        raise CheckpointError(f"{source}: {broken[0]} holds NaN, infinite or absurd values: train again, or take another checkpoint")
    with torch.no_grad():
        if not model.forward(torch.linspace(0.0, 70.0, SAMPLE_RATE // 4).square().sin()[None]).isfinite().all():  # unseen by hooks
            raise CheckpointError(f"{source}: gives NaN or infinite scores: train again, or take another checkpoint")
    return model


def _load(folder: Path) -> tuple[TaggingModel, str]:
    """The model of a folder, in eval mode, and the checksum of its weights."""
    if os.path.isfile(folder):
        made = f"python -m mtt import-official {folder} OUT makes one of a checkpoint of the authors"
        inside = f"give the folder that holds it, {folder.parent}"
        raise CheckpointError(f"{folder}: a file, not a model folder: {inside if folder.name in (WEIGHTS, DESCRIPTION) else made}")
    remedy = f"a model folder holds {WEIGHTS} and {DESCRIPTION}"
    content = read_limited(folder / DESCRIPTION, MAX_DESCRIPTION, remedy)
    try:
        description = read_settings(Description, json.loads(content))
        check_config(description.config)
        if description.audio.sample_rate != description.config.sample_rate:
            raise SettingsError(f"audio.sample_rate: {description.audio.sample_rate} is not config.sample_rate")
    except (ValueError, RecursionError) as error:
        raise CheckpointError(f"{folder / DESCRIPTION}: {one_line(error)[:300]}: no model of this version of mtt") from error
    numbers = sum(tensor.numel() for tensor in outline(description.config, len(description.tags)).values())
    weights = read_limited(folder / WEIGHTS, 8 * numbers + MAX_DESCRIPTION, remedy)
    try:
        tensors = safetensors.torch.load(weights)
    except (safetensors.SafetensorError, ValueError, KeyError) as error:
        raise CheckpointError(f"{folder / WEIGHTS}: not a safetensors file: {one_line(error)[:300]}: save the model again") from error
    model = filled_model(description.config, len(description.tags), tensors, folder / WEIGHTS)
    if hashlib.sha256(weights).hexdigest() != description.weights_sha256:
        raise CheckpointError(f"{folder}: {WEIGHTS} is not the one {DESCRIPTION} describes: save the model again")
    model.tags, model.provenance, model.clip_seconds = description.tags, description.provenance, description.audio.clip_seconds
    return model, description.weights_sha256


def read_limited(path: Path, most: int, remedy: str) -> bytes:
    """A regular file of at most so many bytes. Raises ``CheckpointError``, which ends with the ``remedy``."""
    try:
        found = os.stat(path)
        if not stat.S_ISREG(found.st_mode):
            raise ValueError("not a regular file")
        if found.st_size > most:
            raise ValueError(f"{found.st_size:,} bytes, more than the {most:,} that such a file has")
        return path.read_bytes()
    except (OSError, ValueError) as error:  # ValueError: a null byte in the name too
        reason = getattr(error, "strerror", None) or one_line(error)
        raise CheckpointError(f"{path}: {reason}: {remedy}") from error
