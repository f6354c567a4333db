"""Tags of files: one, or as many as there are in a folder, and as text in four formats.

Conventions: probabilities are the mean over evenly spaced clips of the model's clip length, as in ``mtt.evaluation.predict``; as text they
have four digits. A name that is not UTF-8 stands with backslashes there (``mtt.files.shown``).
"""

import csv
import io
import json
import os
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from joblib import Parallel, delayed, effective_n_jobs
from torch import nn

from mtt.collections.listing import CONTROL
from mtt.config import SAMPLE_RATE
from mtt.data.audio import AudioError, AudioInfo, Found, find_audio
from mtt.data.batches import slot_starts
from mtt.explain.recording import Recording, kept_of, probabilities, quickly, tag_names, windows
from mtt.files import MttError, leave_interrupts, one_line, shown
from mtt.models.frontend import evaluating
from mtt.reading.decoding import MINIMUM_SECONDS, SILENCE_DB

CLIPS = 8  # of a recording
MANY = 12  # files, from which on processes are worth their start


@dataclass(frozen=True)
class Tagged:
    """What came of a file: its ``tags`` as ``tag`` gives them; or None, and the ``problem``. The ``warning`` is why not to trust them."""

    path: Path
    tags: pd.DataFrame | None = None
    problem: str = ""
    warning: str = ""


def tag(model: nn.Module, audio: str | Path | np.ndarray, top: int | None = None, clips: int = CLIPS) -> pd.DataFrame:
    """Tags of a recording: columns ``tag`` and ``probability``, the likeliest first, the first ``top`` or all.

    Raises ``AudioError`` for a file that cannot be read and ``ValueError`` for arguments that give no tags.
    """
    if clips < 1 or (top is not None and top < 1):
        raise ValueError(f"clips and top must be at least 1, not {clips} and {top}")
    table = tag_table(tag_names(model), _listen(model, Recording(audio), clips))
    return table.head(top or len(table))


def tag_table(names: list[str], found: np.ndarray) -> pd.DataFrame:
    """``tag`` and ``probability``, the likeliest first, of probabilities (tags,)."""
    table = pd.DataFrame({"tag": names, "probability": np.asarray(found, dtype=np.float32)})
    return table.sort_values("probability", ascending=False, kind="stable", ignore_index=True)


def tag_file(model: nn.Module, path: Path, store: Path | None = None) -> Tagged:
    """All tags of one file, kept in the folder ``store``. Whatever goes wrong stays with the file: nothing is raised."""

    def hear() -> dict[str, np.ndarray]:
        recording = Recording(path)
        return {"probabilities": _listen(model, recording, CLIPS), "warning": np.array(_warning(recording.info))}

    try:
        if os.path.isdir(path):
            raise AudioError(f"{path}: no audio file that can be read in this folder; give files, or a folder that holds some")
        found = kept_of(path, store, "tags", hear)
        return Tagged(path, tag_table(tag_names(model), found["probabilities"]), warning=str(found["warning"]))
    except Exception as error:
        said = f"{path}: could not be tagged ({one_line(repr(error))}); re-encode the file or leave it out"
        return Tagged(path, problem=str(error) if isinstance(error, MttError) else said)


def tag_files(model: nn.Module, paths: Iterable[str | Path], store: Path | None = None) -> Iterator[Tagged]:
    """What came of each file, in order, kept in ``store`` (of this model alone). Folders are as in ``files_of``.

    MANY files are heard by parallel processes of a thread each.
    """
    files = files_of(paths).files
    if len(files) < MANY or next(model.parameters()).is_cuda:
        yield from (tag_file(model, path, store) for path in files)
    else:
        parallel = Parallel(n_jobs=effective_n_jobs(), return_as="generator", initializer=leave_interrupts)
        yield from parallel(delayed(_tag_alone)(model, path, store, os.getcwd()) for path in files)


def _tag_alone(model: nn.Module, path: Path, store: Path | None, folder: str) -> Tagged:
    """``tag_file`` in a process of one thread; relative paths start in ``folder``."""
    torch.set_num_threads(1)
    os.chdir(folder)
    return tag_file(model, path, store)


def files_of(paths: Iterable[str | Path]) -> Found:
    """The files among ``paths`` and the audio files of the folders, each once, with what was skipped; an empty folder stands for itself."""
    files, skipped = {}, Counter()
    for path in map(Path, paths):
        found = find_audio(path) if os.path.isdir(path) else Found([path], Counter())
        files |= dict.fromkeys(found.files or [path])
        skipped += found.skipped
    return Found(list(files), skipped)


def _listen(model: nn.Module, recording: Recording, clips: int) -> np.ndarray:
    """Probabilities (tags,), the mean over the clips. Raises ``AudioError``."""
    starts = np.rint(slot_starts(recording.seconds, model.clip_seconds, clips) * SAMPLE_RATE).astype(int)
    with evaluating(model), quickly(model):
        total = sum(probabilities(model(waves)).sum(axis=0).astype(float) for waves in windows(model, recording, starts))
    if not np.isfinite(total).all():
        raise AudioError(f"{recording.path or 'audio'}: the model finds no number for it, its values are out of range; re-encode the file")
    return total / clips


def _warning(info: AudioInfo) -> str:
    silent = "its channels cancel each other" if info.loudest_db >= SILENCE_DB else f"silent ({info.loudest_db:.0f} dB)"
    heard = f"{silent}; its tags say nothing" if info.level_db < SILENCE_DB else ""
    short = f"{info.seconds:.2f} s long; tags of less than {MINIMUM_SECONDS:g} s say little" if info.seconds < MINIMUM_SECONDS else ""
    return "; ".join(filter(None, (info.fault, short, heard)))


def tag_text(stream: Iterable[Tagged], format: str, names: list[str], top: int | None = None, minimum: float = 0.0) -> Iterator[str]:
    """The tags of files as text, a piece as each file comes: ``table``, ``csv`` (a row a tag), ``wide`` (a row a file) or ``json``.

    Of each file the first ``top`` tags are told (None: all) whose probability, rounded, is ``minimum`` or more. ``names`` are all tags.
    """
    yield {"table": "", "csv": _rows([["path", "tag", "probability"]]), "wide": _rows([["path", *names]]), "json": "["}[format]
    separator = "\n"
    for tagged in stream:
        path, first = shown(tagged.path), tagged.tags.head(top or len(names)).set_index("tag")["probability"]
        found = first.astype(float).round(4).loc[lambda value: value >= minimum].to_dict()
        if format == "table":
            yield "".join([f"{printable(path)}\n", *(f"  {value:.4f}  {tag}\n" for tag, value in found.items())])
        elif format == "csv":
            yield _rows([path, tag, f"{value:.4f}"] for tag, value in found.items())
        elif format == "wide":
            yield _rows([[path, *(f"{found[tag]:.4f}" if tag in found else "" for tag in names)]])
        else:
            yield separator + json.dumps({"path": path, "tags": found}, indent=1)
            separator = ",\n"
    yield "\n]\n" if format == "json" else ""


def printable(text: str) -> str:
    """``text`` on one line of a terminal: control characters stand as escapes."""
    return CONTROL.sub(lambda found: repr(found[0])[1:-1], shown(text))


def _rows(rows: Iterable[list[str]]) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue()
