"""Tags of files: one, or as many as there are in a folder.

Conventions: probabilities are the mean over evenly spaced clips of the model's clip length, as in ``mtt.evaluation.predict``.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
import pandas as pd
from torch import nn

from mtt.config import SAMPLE_RATE
from mtt.data.audio import SUFFIXES, AudioError, find_audio
from mtt.data.batches import slot_starts
from mtt.explain.recording import Recording, batch_of, evaluating, probabilities, tag_names, to_model


def tag(model: nn.Module, audio: str | Path | np.ndarray, top: int | None = None, clips: int = 8) -> pd.DataFrame:
    """Tags of a recording: columns ``tag`` and ``probability``, the likeliest first, the first ``top`` or all.

    >>> import mtt
    >>> model = mtt.load_model("runs/demo/student")
    >>> found = mtt.tag(model, "song.mp3", top=5)    # a DataFrame
    >>> found.tag[0], found.probability[0]           # the likeliest tag
    >>> mtt.tag(model, samples)                      # or samples (n,) at 22 050 Hz

    ``audio`` is a path or samples (samples,) at 22 050 Hz. Raises ``AudioError`` for a file that cannot be read and ``ValueError`` for
    arguments that give no tags.
    """
    if clips < 1 or (top is not None and top < 1):
        raise ValueError(f"clips and top must be at least 1, not {clips} and {top}")
    recording, length, size = Recording(audio), round(model.clip_seconds * SAMPLE_RATE), batch_of(model.clip_seconds)
    starts = np.rint(slot_starts(recording.seconds, model.clip_seconds, clips) * SAMPLE_RATE).astype(int)
    total = np.zeros(model.n_tags)
    with evaluating(model):
        for part in (starts[first : first + size] for first in range(0, clips, size)):
            waves = [recording.read(start, start + length) for start in part]
            padded = np.stack([np.pad(wave, (0, length - len(wave))) for wave in waves])
            total += probabilities(model(to_model(model, padded))).sum(axis=0)
    table = pd.DataFrame({"tag": tag_names(model), "probability": (total / clips).astype(np.float32)})
    return table.sort_values("probability", ascending=False, kind="stable", ignore_index=True).head(top or len(table))


def tag_files(model: nn.Module, paths: Iterable[str | Path], top: int | None = None) -> Iterator[tuple[Path, pd.DataFrame | str]]:
    """``(path, tags)`` of each file, one by one, or ``(path, reason)`` for one that cannot be read; the others go on.

    A folder stands for the audio files in it and below (``find_audio``).
    """
    for path in map(Path, paths):
        files = find_audio(path).files if path.is_dir() else [path]
        if not files:
            yield path, f"{path}: no audio file in this folder; the endings are {', '.join(sorted(SUFFIXES))}"
        for file in files:
            try:
                yield file, tag(model, file, top)
            except AudioError as error:
                yield file, str(error)
