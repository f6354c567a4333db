"""Reading and writing audio.

Conventions: inside the program audio is mono float32 in [-1, 1] at ``SAMPLE_RATE``, shape (samples,). Durations are in seconds. Files are
read by soundfile (WAV, FLAC, MP3, OGG, AIFF, ...) and resampled by soxr; channels are averaged.
"""

import math
import os
from collections import Counter
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from tempfile import TemporaryFile

import numpy as np
import soundfile
import soxr

from mtt.config import SAMPLE_RATE
from mtt.reading.containers import FOREIGN_ENDINGS, parts
from mtt.reading.decoding import LARGEST, RATES, AudioError, AudioInfo, Decoding, mix, opened, peak_of, quiet

SUFFIXES = frozenset(".aif .aifc .aiff .au .caf .flac .mp3 .oga .ogg .opus .rf64 .w64 .wav .wave".split())  # of the files that are read
RESAMPLING_MARGIN = 0.05  # seconds read on each side of a crop, so that the resampler's edges fall outside it
MP3_MARGIN = 0.75  # seconds read before a crop: MP3 frames borrow bits from earlier ones, and right after a jump they decode to noise
MP3_COMPRESSION = 0.7  # of soundfile's 0–1; the smallest rate at 22 050 Hz whose header still keeps the exact length
OGG_LAST_PAGE = 10  # seconds before the end that are decoded for a crop in them: a jump into the last page lands in the wrong place


def listen(path: str | Path, most: int = 0) -> tuple[AudioInfo, np.ndarray | None]:
    """Decode a whole file: what it holds, and its samples if they are no more than ``most``. Raises ``AudioError``."""
    decoding, kept, samples = Decoding(path), [], 0
    for block in decoding:
        samples += len(block)
        kept.append(block)
        if samples > most:
            kept.clear()
    return decoding.info, np.concatenate(kept) if kept else None


def read_audio(path: str | Path, start: float = 0.0, seconds: float | None = None) -> np.ndarray:
    """Mono float32 samples of ``path`` from ``start`` for ``seconds`` (to the end if None).

    Returns fewer samples where the sound ends early. Raises ``AudioError`` for a file that is missing, not audio, or has no sample there.
    """
    if start < 0 or (seconds is not None and seconds <= 0):
        raise ValueError(f"start must be >= 0 and seconds > 0, not {start} and {seconds}")
    wave = None if seconds is None else _sought(path, start, seconds)
    if wave is not None:
        return wave
    first, found, at = round(start * SAMPLE_RATE), [], 0
    last = math.inf if seconds is None else first + round(seconds * SAMPLE_RATE)
    for block in Decoding(path):
        found.append(block[max(0, first - at) : max(0, min(len(block), last - at))])
        at += len(block)
        if at >= last:
            break
    if at <= first:
        raise AudioError(f"{path}: nothing at {start:.1f} s; the file has {at / SAMPLE_RATE:.1f} s")
    return np.ascontiguousarray(np.concatenate(found), dtype=np.float32)


def _sought(path: str | Path, start: float, seconds: float) -> np.ndarray | None:
    """A crop for which no more is decoded than it needs; None where the file must be decoded from its beginning."""
    with opened(path) as descriptor:
        status = os.fstat(descriptor)
        if _chained(descriptor, status.st_ino, status.st_size, status.st_mtime_ns):
            return None
        try:
            with quiet(), soundfile.SoundFile(descriptor, closefd=False) as file:
                rate = file.samplerate
                margin = RESAMPLING_MARGIN if rate != SAMPLE_RATE else 0.0
                lead = MP3_MARGIN if file.format == "MP3" else margin
                step = rate // math.gcd(rate, SAMPLE_RATE)  # a crop starts where a resampled sample lies: it is cut, not shifted
                first = max(0, round((start - lead) * rate)) // step * step
                if first >= file.frames or not RATES[0] <= rate <= RATES[1]:
                    return None
                begin = max(0, min(first, file.frames - OGG_LAST_PAGE * rate)) if file.format == "OGG" else first
                if begin:
                    file.seek(begin)
                end = math.ceil((start + seconds + margin) * rate)
                wave = file.read(end - begin, dtype="float32", always_2d=True)[first - begin :]
        except (soundfile.LibsndfileError, ValueError):  # damage moves soundfile beyond the end that it believes in
            return None
    if not len(wave) or first + len(wave) < (start + seconds - RESAMPLING_MARGIN) * rate or peak_of(wave, path) > LARGEST:
        return None  # the sound seems to end; how long it is takes decoding to know
    mono = mix(wave) if rate == SAMPLE_RATE else soxr.resample(mix(wave), rate, SAMPLE_RATE)
    mono = mono[round(start * SAMPLE_RATE) - first * SAMPLE_RATE // rate :][: round(seconds * SAMPLE_RATE)]
    return np.ascontiguousarray(mono) if len(mono) else None


def encode_mp3(wave: np.ndarray) -> bytes:
    """Mono MP3 of constant rate, 7 kB a second, so that browsers seek exactly; decoded, it has the waveform's length to the sample."""
    settings = {"format": "MP3", "subtype": "MPEG_LAYER_III", "bitrate_mode": "CONSTANT", "compression_level": MP3_COMPRESSION}
    with TemporaryFile() as file:  # into memory, libsndfile would wait for Python at every few bytes, and so for other threads
        soundfile.write(file.fileno(), np.clip(wave, -1, 1, dtype=np.float32), SAMPLE_RATE, closefd=False, **settings)
        file.seek(0)
        return file.read()


@dataclass(frozen=True)
class Found:
    """The audio ``files`` of a folder and below, sorted by path, and how many others were ``skipped`` for what reason."""

    files: list[Path]
    skipped: Counter[str]


def find_audio(folder: str | Path) -> Found:
    """Find the files whose endings are in ``SUFFIXES``, in linked folders too; nothing is opened."""
    files, skipped, seen = [], Counter(), set()
    for place, folders, names in os.walk(folder, followlinks=True, onerror=lambda error: skipped.update([f"a folder: {error.strerror}"])):
        status = os.stat(place)
        if (status.st_dev, status.st_ino) in seen:  # links that lead in a circle
            folders.clear()
            continue
        seen.add((status.st_dev, status.st_ino))
        for name in (*folders, *names):
            ending = os.path.splitext(name)[1].lower()
            if ending in SUFFIXES or (ending in FOREIGN_ENDINGS and name in names):
                reason = _skipped(Path(place, name), ending)
                skipped.update(filter(None, [reason]))
                files += [] if reason else [Path(place, name)]
    return Found(sorted(files), skipped)


def _skipped(path: Path, ending: str) -> str:
    """Why a file is left out whose ending is that of audio; ``""`` if it is not."""
    if path.is_dir():
        return "a folder named like audio; the files in it are looked at"
    if path.name.startswith("._"):
        return "a resource fork of macOS"
    if path.name.startswith(".") and not path.name.startswith(".."):  # "...And Justice for All" is not hidden
        return "hidden"
    if not path.exists():
        return "a link to a file that is not there"
    if not path.is_file():
        return "a pipe or a device"
    return FOREIGN_ENDINGS.get(ending, "")


@lru_cache(maxsize=1 << 16)
def _chained(descriptor: int, *identity: int) -> bool:
    """Whether a file holds several streams, which only Ogg hides from its decoder."""
    return os.pread(descriptor, 4, 0) == b"OggS" and len(parts(descriptor)) > 1
