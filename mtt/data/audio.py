"""Reading and writing audio.

Conventions: inside the program audio is mono float32 in [-1, 1] at ``SAMPLE_RATE``, shape (samples,). Durations are in seconds. Files are
read by soundfile (WAV, FLAC, MP3, OGG, AIFF, ...) and resampled by soxr; channels are averaged.
"""

from __future__ import annotations

import io
import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile
import soxr

from mtt.config import SAMPLE_RATE
from mtt.files import MttError, one_line, write_whole

SUBTYPES = {"WAV": "PCM_16", "FLAC": "PCM_16", "OGG": "VORBIS", "MP3": "MPEG_LAYER_III"}  # of the formats that are written
RESAMPLING_MARGIN = 0.05  # seconds read on each side of a crop, so that the resampler's edges fall outside it
MP3_MARGIN = 0.75  # seconds read before a crop: MP3 frames borrow bits from earlier ones, and right after a jump they decode to noise


class AudioError(MttError):
    """A file that cannot serve as audio; the message names the file, the reason and the remedy."""


@dataclass(frozen=True)
class AudioInfo:
    seconds: float
    sample_rate: int
    channels: int
    format: str


def audio_info(path: str | Path) -> AudioInfo:
    """Length, rate, channels and format of a file, from its header. Raises ``AudioError`` when it has none."""
    with _opened(path) as file:
        return _info(file)


def read_audio(path: str | Path, start: float = 0.0, seconds: float | None = None, sample_rate: int = SAMPLE_RATE) -> np.ndarray:
    """Mono float32 samples of ``path`` from ``start`` for ``seconds`` (to the end if None), at ``sample_rate``.

    Returns fewer samples where the file ends early. Raises ``AudioError`` for a file that is missing, not audio, or has no sample there.
    """
    if start < 0 or (seconds is not None and seconds <= 0):
        raise ValueError(f"start must be >= 0 and seconds > 0, not {start} and {seconds}")
    with _opened(path) as file:
        rate = file.samplerate
        margin = RESAMPLING_MARGIN if rate != sample_rate else 0.0
        lead = MP3_MARGIN if file.format == "MP3" else margin
        step = rate // math.gcd(rate, sample_rate)  # a crop starts where a resampled sample lies: it is cut from the whole, not shifted
        first = max(0, round((start - lead) * rate)) // step * step
        count = -1 if seconds is None else math.ceil((start + seconds + margin) * rate) - first
        if first >= file.frames:
            raise AudioError(f"{path}: nothing at {start:.1f} s; the file has {file.frames / rate:.1f} s")
        if first:
            file.seek(first)
        wave = file.read(count, dtype="float32", always_2d=True)
    mono = mix_down(wave, rate, sample_rate)[round(start * sample_rate) - first * sample_rate // rate :]
    if seconds is not None:
        mono = mono[: round(seconds * sample_rate)]
    if not len(mono):
        raise AudioError(f"{path}: holds no audio at {start:.1f} s; the file may be truncated")
    return checked(mono, path)


def decode_audio(path: str | Path) -> tuple[np.ndarray, AudioInfo]:
    """A whole file as it is, (samples, channels) float32 at its own rate, and what its header says. Raises ``AudioError``."""
    with _opened(path) as file:
        info, wave = _info(file), file.read(dtype="float32", always_2d=True)
    if not len(wave):
        raise AudioError(f"{path}: holds no audio at 0.0 s; the file may be truncated")
    return wave, info


def mix_down(wave: np.ndarray, rate: int, sample_rate: int = SAMPLE_RATE) -> np.ndarray:
    """(samples, channels) at ``rate`` as mono (samples,) at ``sample_rate``."""
    mono = wave[:, 0]
    if wave.shape[1] > 1:  # numpy's mean over a short axis takes as long as decoding
        mono = mono.copy()
        for channel in range(1, wave.shape[1]):
            mono += wave[:, channel]
        mono /= wave.shape[1]
    return mono if rate == sample_rate else soxr.resample(mono, rate, sample_rate)


def checked(mono: np.ndarray, path: str | Path) -> np.ndarray:
    """The samples, contiguous float32. Raises ``AudioError`` naming the file where they are not numbers."""
    if not np.isfinite(mono).all():
        raise AudioError(f"{path}: holds values that are not numbers; re-encode the file or leave it out")
    return np.ascontiguousarray(mono, dtype=np.float32)


def encode_audio(wave: np.ndarray, sample_rate: int = SAMPLE_RATE, format: str = "WAV") -> bytes:
    """Encode mono (samples,) or multichannel (samples, channels) audio as WAV (16 bit), FLAC, MP3 or OGG."""
    buffer = io.BytesIO()
    soundfile.write(buffer, np.clip(wave, -1.0, 1.0), sample_rate, format=format, subtype=SUBTYPES[format])
    return buffer.getvalue()


def write_audio(path: str | Path, wave: np.ndarray, sample_rate: int = SAMPLE_RATE) -> None:
    """Write audio in the format that the file's ending names; the file appears whole or not at all."""
    format = Path(path).suffix[1:].upper()
    if format not in SUBTYPES:
        raise AudioError(f"{path}: unknown audio ending; use {', '.join(f'.{name.lower()}' for name in SUBTYPES)}")
    write_whole(path, encode_audio(wave, sample_rate, format))


@contextmanager
def _opened(path: str | Path) -> Iterator[soundfile.SoundFile]:
    """The open file; what its decoder finds fault with, now or later, is an ``AudioError``."""
    if not Path(path).is_file():
        raise AudioError(f"{path}: no such file; correct the path or leave the track out")
    try:
        with soundfile.SoundFile(path) as file:
            yield file
    except soundfile.LibsndfileError as error:
        reason = one_line(error.error_string).rstrip(". ")
        raise AudioError(f"{path}: not readable as audio ({reason}); re-encode the file or leave it out") from error


def _info(file: soundfile.SoundFile) -> AudioInfo:
    return AudioInfo(file.frames / file.samplerate, file.samplerate, file.channels, file.format)
