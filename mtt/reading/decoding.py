"""Decoding: the one place where audio files are opened, and where how long they are is found out.

Conventions: levels are in dB relative to full scale, lengths in seconds or *frames* (a sample of each channel). A length is known when the
decoder gives nothing more; what a header says is compared with it, never believed. Memory is bounded by ``BLOCK``. Files are opened by
descriptor: given a name, libsndfile would look for a resource fork ``._name`` beside it.
"""

import ctypes
import math
import os
import stat
import unicodedata
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import soundfile
import soxr

from mtt.config import SAMPLE_RATE
from mtt.files import MttError, one_line
from mtt.reading.containers import DENSEST, UNBOUNDED, Part, View, foreign, next_mp3, parts, without_tags

RATES = 1_000, 1_000_000  # Hz, the lowest and the highest that are believed
BLOCK = 1 << 17  # samples of all channels that are decoded at once
FULL_SCALE = 0.999  # samples beyond it count as clipped
LARGEST = 100.0  # a sample beyond it (40 dB over full scale) was written at another scale, such as that of 16-bit integers
MINIMUM_SECONDS, SILENCE_DB = 1.0, -60.0  # below which a file cannot serve, or its tags come with a warning
CUT_SECONDS = 0.1  # that may be missing before a file counts as cut
MP3_PADDING = 0.15  # seconds behind the end of an MP3: two frames at the lowest rate
MOST_RESTARTS = 200  # of an MP3 behind damage
FILE_FAULTS = (OSError, ValueError, ArithmeticError, MemoryError, RecursionError, soundfile.SoundFileError)  # that a bad file can cause


class AudioError(MttError):
    """A file that cannot serve as audio; the message names the file, the reason and the remedy."""


@dataclass(frozen=True)
class AudioInfo:
    """What was found by decoding a file to its end."""

    seconds: float
    samples: int  # at SAMPLE_RATE
    sample_rate: int  # of the file; of its first stream where it has several
    channels: int
    missing: float  # seconds that are announced or lie in the file, but cannot be decoded
    note: str  # what else is wrong with the file, or ""
    level_db: float  # of the mix
    loudest_db: float  # of the loudest channel
    clipped: float  # share of the samples

    @property
    def fault(self) -> str:
        """What keeps the file from being whole, or ``""``."""
        cut = f"{self.seconds:.1f} s of {self.seconds + self.missing:.1f} s can be decoded" if self.missing > CUT_SECONDS else ""
        return "; ".join(filter(None, (cut, self.note)))


def audio_settings() -> list:
    """All that an ``AudioInfo`` follows from beside the file, as JSON types."""
    return [SAMPLE_RATE, FULL_SCALE, LARGEST, CUT_SECONDS, *RATES]


class Decoding:
    """One pass over the sound of a file, to its end: iterating gives mono blocks at ``SAMPLE_RATE``, and afterwards there is an ``info``.

    What can be decoded of a damaged file is given. Raises ``AudioError`` where that is nothing, and for sound of a wrong scale.
    """

    info: AudioInfo

    def __init__(self, path: str | Path) -> None:
        self.path = path
        self._seconds = self._announced = self._loudest = self._mixed = self._peak = 0.0
        self._samples = self._clipped = self._values = 0
        self._format: tuple = ()
        self._notes: dict[str, None] = {}  # in order, each once

    def __iter__(self) -> Iterator[np.ndarray]:
        with opened(self.path) as descriptor:
            for part in parts(descriptor):
                try:
                    yield from self._part(descriptor, part)
                except soundfile.LibsndfileError as error:
                    if not self._values:
                        raise
                    self._notes[f"one of its streams is not readable ({_reason(error)})"] = None
        notes = "; ".join(self._notes)
        if self._peak > LARGEST:
            raise AudioError(f"{self.path}: wrong scale: peaks at {self._peak:.6g}, not 1; divide its samples by that or leave it out")
        if not self._values:
            raise AudioError(f"{self.path}: holds no audio{notes and f' ({notes})'}; get it again or leave it out")
        missing, mean = max(0.0, self._announced - self._seconds), self._mixed / max(self._samples, 1)
        levels = (10 * math.log10(power + 1e-20) for power in (mean, self._loudest / self._seconds))
        self.info = AudioInfo(self._seconds, self._samples, *self._format, missing, notes, *levels, self._clipped / self._values)

    def _part(self, descriptor: int, part: Part) -> Iterator[np.ndarray]:
        self._notes |= dict.fromkeys(filter(None, [part.note]))
        view = View(descriptor, part)
        with _stream(view) as file:
            if file.format != "MP3":
                yield from self._blocks(file, view, part.frames or _believed(file, part))
                return
        yield from self._mp3(descriptor, without_tags(descriptor, part))

    def _mp3(self, descriptor: int, whole: Part) -> Iterator[np.ndarray]:
        """An MP3, with what comes behind damage or behind another MP3 that it was joined to."""
        part, read = whole, 0
        for _ in range(MOST_RESTARTS):
            before, view = self._seconds, View(descriptor, part)
            try:
                with _stream(view) as file:
                    yield from self._blocks(file, view, _believed(file, part) if part is whole else 0)
            except soundfile.LibsndfileError:
                if part is whole:
                    raise
            decoded = view.at if self._seconds > before else 0
            read += decoded
            frame = read / max(self._seconds, 1e-9) * MP3_PADDING
            part = next_mp3(descriptor, part, max(decoded, 1)) if part.stop - part.start - decoded > frame else None
            if part is None:
                break
        if whole.stop - whole.start - read > frame:
            self._notes[f"{whole.stop - whole.start - read:,} of its bytes cannot be decoded"] = None

    def _blocks(self, file: soundfile.SoundFile, view: View, announced: int | None) -> Iterator[np.ndarray]:
        """Mono blocks of a stream whose header announces so many frames."""
        rate, frames, energy = file.samplerate, 0, np.zeros(file.channels)
        if not RATES[0] <= rate <= RATES[1]:
            raise AudioError(f"{self.path}: {rate} Hz is no rate of sound, so its header is wrong; get it again or leave it out")
        self._format = self._format or (rate, file.channels)
        resample = soxr.ResampleStream(rate, SAMPLE_RATE, 1, dtype="float32").resample_chunk if rate != SAMPLE_RATE else None
        space = np.empty((max(1, BLOCK // file.channels), file.channels), dtype=np.float32)
        while len(block := self._read(file, view, space)):
            frames += len(block)
            self._values += block.size
            peak = peak_of(block, self.path)
            self._peak = max(self._peak, peak)
            if peak >= FULL_SCALE:
                self._clipped += np.count_nonzero(block >= FULL_SCALE) + np.count_nonzero(block <= -FULL_SCALE)
            if self._peak > LARGEST:
                continue  # only to say how far it goes
            energy += [power_of(channel) for channel in block.T]
            yield from self._counted(resample(mix(block)) if resample else mix(block))
        if resample and frames and self._peak <= LARGEST:
            yield from self._counted(resample(np.zeros(0, dtype=np.float32), last=True))
        self._seconds += frames / rate
        self._announced += (frames if announced is None else announced) / view.part.share / rate
        self._loudest += energy.max() / rate

    def _counted(self, wave: np.ndarray) -> Iterator[np.ndarray]:
        self._samples += len(wave)
        self._mixed += power_of(wave)
        if len(wave):
            yield wave

    def _read(self, file: soundfile.SoundFile, view: View, block: np.ndarray) -> np.ndarray:
        """The next samples (frames, channels), read into ``block``; none at the end; before damage, as many as there are."""
        block.fill(np.nan)
        try:
            with quiet():
                count = len(file.read(out=block))
        except soundfile.LibsndfileError:  # it does not say how many samples it wrote
            self._notes["it is damaged or was cut"] = None
            count = int(np.argmax(np.isnan(block[:, -1])))
        if view.error is not None:
            raise view.error
        return block[:count]


def mix(block: np.ndarray) -> np.ndarray:
    """The mean of the channels of (samples, channels), in memory of its own."""
    mono = block[:, 0].copy()
    for channel in range(1, block.shape[1]):  # numpy's mean over a short axis takes as long as decoding
        mono += block[:, channel]
    return np.divide(mono, block.shape[1], out=mono)


def power_of(wave: np.ndarray) -> float:
    """The sum of the squares of (samples,)."""
    return float(np.einsum("i,i->", wave, wave))


def peak_of(block: np.ndarray, path: str | Path) -> float:
    """The largest magnitude. Raises ``AudioError`` naming the file where samples are not numbers."""
    peak = float(max(block.max(), -block.min()))
    if not math.isfinite(peak):
        raise AudioError(f"{path}: holds values that are not numbers; re-encode the file or leave it out")
    return peak


def on_disk(path: str | Path) -> Path:
    """``path`` as the disk spells it: é may be one sign (NFC) here and two (NFD) there. As it is where there is no such file."""
    path = Path(path)
    if str(path).isascii() or os.path.lexists(path):
        return path
    found = Path(path.anchor)
    for name in path.parts[len(found.parts) :]:
        spellings = (name, *(unicodedata.normalize(form, name) for form in ("NFC", "NFD")))
        found /= next((spelling for spelling in spellings if os.path.lexists(found / spelling)), name)
    return found


@contextmanager
def opened(path: str | Path) -> Iterator[int]:
    """The descriptor of an audio file; what goes wrong with the file, now or later, is an ``AudioError`` that says why."""
    try:
        mode = os.stat(found := on_disk(path)).st_mode
        if not stat.S_ISREG(mode):  # to open a pipe would take for ever
            kind = "a folder; give the files in it" if stat.S_ISDIR(mode) else "a pipe or a device; give a file"
            raise AudioError(f"{path}: is {kind}")
        descriptor = os.open(found, os.O_RDONLY)
        try:
            if not os.fstat(descriptor).st_size:
                raise AudioError(f"{path}: is empty; get it again or leave it out")
            if reason := foreign(descriptor):
                raise AudioError(f"{path}: not readable as audio ({reason})")
            yield descriptor
        finally:
            os.close(descriptor)
    except AudioError:
        raise
    except FileNotFoundError as error:
        gone = "is a link to a file that is not there" if os.path.islink(found) else "no such file"
        raise AudioError(f"{path}: {gone}; correct the path or leave the track out") from error
    except OSError as error:
        raise AudioError(f"{path}: cannot be read ({error.strerror or one_line(error)}); see to that or leave the track out") from error
    except FILE_FAULTS as error:
        raise AudioError(f"{path}: not readable as audio ({_reason(error)}); re-encode the file or leave it out") from error


def _reason(error: Exception) -> str:
    if isinstance(error, soundfile.LibsndfileError):  # libsndfile says "not a regular file" of formats that it does not know
        said = one_line(error.error_string).rstrip(". ")
        return "Format not recognised" if "regular file" in said or "Unspecified" in said else said
    return one_line(error)


class _Stream(soundfile.SoundFile):
    """A file that is read from its beginning to its end: soundfile would seek after each block, believing the length."""

    def seekable(self) -> bool:
        return False


def _stream(view: View) -> soundfile.SoundFile:
    with quiet():
        return _Stream(view)


def _believed(file: soundfile.SoundFile, part: Part) -> int | None:
    """Frames that a header announces, if that is possible."""
    return file.frames if file.frames < min(UNBOUNDED, DENSEST * (part.stop - part.start)) else None


@contextmanager
def quiet() -> Iterator[None]:
    """Without the notes that libmpg123 writes to C's ``stderr`` for damaged files, which it does not name; Python's is not touched.

    Of threads that decode at the same time, the first to end may let a note of another one pass.
    """
    pointer, loud, nowhere = _c_stderr()
    pointer.value = nowhere
    try:
        yield
    finally:
        pointer.value = loud


@cache
def _c_stderr() -> tuple[ctypes.c_void_p, int | None, int | None]:
    """C's variable ``stderr``, what it holds, and a stream to nowhere."""
    library = ctypes.CDLL(None)
    if not hasattr(library, "stderr"):  # another C library than glibc
        return ctypes.c_void_p(), None, None
    pointer = ctypes.c_void_p.in_dll(library, "stderr")
    library.fopen.restype = ctypes.c_void_p
    return pointer, pointer.value, library.fopen(os.devnull.encode(), b"w") or pointer.value
