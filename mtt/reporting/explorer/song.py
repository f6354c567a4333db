"""A reader's own song: decoded first, so that its MP3 is coded while torch is imported and models listen.

Conventions: sound is (samples,) at 22 050 Hz, time in seconds. Nothing here imports torch before the song is decoded.
"""

from collections.abc import Sequence
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from importlib import import_module
from pathlib import Path
from typing import NamedTuple

import numpy as np

from mtt.config import SAMPLE_RATE
from mtt.data.audio import encode_mp3, listen, read_audio
from mtt.reporting.numbers import duration

LONGEST = 600.0  # seconds of a file that are shown


class Song(NamedTuple):
    """The first ``LONGEST`` of a file; ``note`` says what is left out, ``mp3`` is being made."""

    name: str
    wave: np.ndarray
    note: str
    mp3: Future[bytes]


def open_song(path: str | Path, beside: Executor) -> Song:
    """Decode a file and let ``beside`` code it. Raises ``AudioError`` for what cannot be read."""
    info, wave = listen(path, round(LONGEST * SAMPLE_RATE))
    note = "" if wave is not None else f"The first {duration(LONGEST)} of {duration(info.seconds)}."
    wave = read_audio(path, 0.0, LONGEST) if wave is None else wave
    return Song(Path(path).name, wave, note, beside.submit(encode_mp3, wave))


def explain_file(audio: str | Path, models: Sequence[str | Path], out: str | Path) -> Path:
    """Write the explorer of one file, as the models in these folders see it; of a long file its first ten minutes.

    Raises ``AudioError`` for a file that cannot be read and ``CheckpointError`` for a folder that holds no model.
    """
    with ThreadPoolExecutor(1) as beside:
        song = open_song(audio, beside)
        return import_module("mtt.reporting.explorer.page").song_page(song, models, out)
