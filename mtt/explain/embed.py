"""Embeddings: what a model makes of a recording before its last layer, and which recordings are alike by it.

Conventions: a recording is heard in windows of the model's clip length, one after the other, the last one ending with it. Features are
(windows, n) float32, those of a track the mean over its windows. Two tracks are as alike as the cosine of their features, each of which was
brought to mean 0 and deviation 1 over the file.
"""

import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from torch import nn

from mtt.config import SAMPLE_RATE
from mtt.explain.recording import Audio, Recording, kept_of, windows
from mtt.files import MttError, one_line, read_arrays, shown, write_arrays, write_whole
from mtt.models.frontend import evaluating

ARRAYS = {"paths", "starts", "windows", "counts", "model", "weights_sha256"}


@dataclass(frozen=True)
class Embedding:
    """``starts`` (windows,) in seconds, and the features of the ``windows`` (windows, n)."""

    starts: np.ndarray
    windows: np.ndarray

    @property
    def track(self) -> np.ndarray:
        """(n,), of the whole recording."""
        return self.windows.mean(axis=0)


def embed(model: nn.Module, audio: Audio) -> Embedding:
    """The features of a recording. Raises ``AudioError`` for a file that cannot be read."""
    recording, length = Recording(audio), round(model.clip_seconds * SAMPLE_RATE)
    starts = np.arange(0, max(1, recording.samples - length // 2), length)
    starts = np.minimum(starts, max(0, recording.samples - length))
    with evaluating(model):
        parts = [model.features(waves).cpu().numpy() for waves in windows(model, recording, starts)]
    return Embedding(starts / SAMPLE_RATE, np.concatenate(parts))


def embed_file(model: nn.Module, path: Path, store: Path) -> Embedding:
    """``embed`` of a file, kept in the folder ``store``."""
    return Embedding(**kept_of(path, store, "features", lambda: vars(embed(model, path))))


def write_embeddings(path: Path, found: Mapping[str, Embedding], model: str, weights_sha256: str) -> None:
    """A ``.npz`` of all windows, or a ``.csv`` with a row a track; either appears whole. ``model`` is the folder that made them."""
    if path.suffix.lower() == ".csv":
        table = pd.DataFrame([one.track for one in found.values()], index=pd.Index([shown(name) for name in found], name="path"))
        write_whole(path, table.rename(columns=lambda place: f"feature {place}").to_csv(lineterminator="\n"))
        return
    starts, windows = (np.concatenate([getattr(one, part) for one in found.values()]) for part in ("starts", "windows"))
    about = {"paths": np.array(list(found)), "counts": np.array([len(one.starts) for one in found.values()])}
    write_arrays(path, **about, starts=starts, windows=windows, model=np.array(model), weights_sha256=np.array(weights_sha256))


def read_embeddings(path: str | Path) -> tuple[dict[str, Embedding], str, str]:
    """What ``write_embeddings`` wrote as ``.npz``: embeddings by path, the model's folder and the checksum of its weights.

    Raises ``MttError`` for another file.
    """
    remedy = "make it with python -m mtt embed … --out FILE.npz"
    try:
        arrays = read_arrays(path)
    except (OSError, ValueError, EOFError, zipfile.BadZipFile) as error:
        raise MttError(f"{path}: cannot be read ({one_line(error)}): {remedy}") from error
    counts, windows = arrays.get("counts", np.zeros(0)), arrays.get("windows", np.zeros(0))
    if set(arrays) != ARRAYS or windows.ndim != 2 or counts.sum() != len(windows) or len(counts) != len(arrays["paths"]) or min(counts) < 1:
        raise MttError(f"{path}: holds no embeddings: {remedy}")
    ends = np.cumsum(counts)[:-1]
    parts = zip(np.split(arrays["starts"], ends), np.split(windows, ends), strict=True)
    found = {str(name): Embedding(*part) for name, part in zip(arrays["paths"], parts, strict=True)}
    return found, str(arrays["model"]), str(arrays["weights_sha256"])


def similar(song: np.ndarray, found: Mapping[str, Embedding]) -> pd.DataFrame:
    """``path`` and ``similarity`` of the tracks ``found`` to a ``song`` of features (n,), the likest first."""
    tracks = np.stack([one.track for one in found.values()])
    deviation = tracks.std(axis=0)
    rows, own = ((one - tracks.mean(axis=0)) / np.where(deviation > 0, deviation, 1.0) for one in (tracks, song))
    cosine = rows @ own / np.maximum(np.linalg.norm(rows, axis=1) * np.linalg.norm(own), 1e-12)
    table = pd.DataFrame({"path": list(found), "similarity": cosine})
    return table.sort_values("similarity", ascending=False, kind="stable", ignore_index=True)
