"""Audio files as they are in the wild, and what is said of each: a list to read, and the data of tests.

``HEADERS`` can be used; what is said of them is part of what ``python -m mtt audit`` tells, "" being nothing. ``REASONS`` cannot.
"""

import io
import os
import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np
import soundfile

from mtt.config import SAMPLE_RATE

UNFINISHED = "never finished"


def sound(seconds: float = 8.0, rate: int = SAMPLE_RATE) -> np.ndarray:
    """A tone with loud noise in turns, so that a variable bit rate varies."""
    time = np.arange(round(seconds * rate)) / rate
    return 0.3 * np.sin(2 * np.pi * 440 * time) + 0.1 * np.random.default_rng(0).standard_normal(len(time)) * (np.sin(2 * np.pi * time) > 0)


def encoded(format: str, wave: np.ndarray | None = None, rate: int = SAMPLE_RATE, **settings) -> bytes:
    buffer = io.BytesIO()
    soundfile.write(buffer, sound() if wave is None else wave, rate, format=format, **settings)
    return buffer.getvalue()


def put(content: bytes, at: int, value: bytes) -> bytes:
    return content[:at] + value + content[at + len(value) :]


def flac(announced: int) -> bytes:
    """A FLAC of 8 s whose header announces so many samples."""
    content = encoded("FLAC")
    numbers = int.from_bytes(content[21:26]) >> 36 << 36
    return put(content, 21, (numbers | announced).to_bytes(5))


def mp3(lead: float = 0.0, header: bool = False) -> bytes:
    """An MP3 at a variable bit rate of ``lead`` s of silence and 8 s of sound, without the header that tells its length."""
    wave = np.concatenate([np.zeros(round(lead * SAMPLE_RATE)), sound()])
    content = encoded("MP3", wave, compression_level=0.5, bitrate_mode="VARIABLE")
    assert content.find(b"Xing") > 0
    return content if header else content[content.index(content[:2], 4) :]


def wav(data: int | None = None, riff: int | None = None, behind: bytes = b"", before: bytes = b"", rate: int = SAMPLE_RATE) -> bytes:
    """A WAV of 8 s whose chunk of sound and whose whole are said to have so many bytes."""
    body = (sound() * 32767).astype("<i2").tobytes()
    form = struct.pack("<4sIHHIIHH", b"fmt ", 16, 1, 1, rate, 2 * rate % 2**32, 2, 16)
    rest = b"WAVE" + before + form + struct.pack("<4sI", b"data", len(body) if data is None else data) + body + behind
    return b"RIFF" + struct.pack("<I", len(rest) if riff is None else riff) + rest


SIZE = 8 * SAMPLE_RATE * 2
LIST = struct.pack("<4sI4s", b"LIST", 4, b"INFO")
STEREO = np.stack([sound(4.0, 44_100)] * 2, axis=1)
RF64 = encoded("RF64", subtype="PCM_16")
AIFF = encoded("AIFF", subtype="PCM_16")

HEADERS = {  # what a file is -> its content, the seconds in it, what is said of it
    "flac of unknown length": (lambda: flac(0), 8, ""),
    "flac of absurd length": (lambda: flac(2**36 - 1), 8, ""),
    "flac said to be shorter": (lambda: flac(SAMPLE_RATE), 8, ""),
    "flac said to be longer": (lambda: flac(20 * SAMPLE_RATE), 8, "8.0 s of 20.0 s"),
    "flac that was cut": (lambda: flac(8 * SAMPLE_RATE)[:100_000], 3.34, "s of 8.0 s"),
    "flac behind flac": (lambda: flac(0) + encoded("FLAC", STEREO, 44_100), 12, ""),
    "ogg behind the same ogg": (lambda: encoded("OGG") * 2, 16, ""),
    "ogg of two rates and channels": (lambda: encoded("OGG") + encoded("OGG", STEREO, 44_100), 12, ""),
    "opus and vorbis": (lambda: encoded("OGG", sound(4.0, 48_000), 48_000, subtype="OPUS") + encoded("OGG"), 12, ""),
    "ogg that was cut": (lambda: encoded("OGG")[:20_000], 3.09, "its last page is missing"),
    "mp3 of variable rate": (lambda: mp3(), 8.07, ""),
    "mp3 that begins with silence": (lambda: mp3(lead=3.0), 11.08, ""),
    "mp3 with a picture": (lambda: b"ID3\3\0\0\0\6\0\0" + bytes(6 << 14) + mp3(), 8.07, ""),
    "mp3 with tags behind": (lambda: mp3() + b"TAG" + bytes(125), 8.07, ""),
    "mp3 behind mp3": (lambda: mp3(header=True) * 2, 16, ""),
    "mp3 of two rates": (lambda: mp3() + encoded("MP3", STEREO, 44_100), 12.07, ""),
    "mp3 that was cut": (lambda: mp3(header=True)[:13_000], 3.76, "s of 8.0 s"),
    "mp3 with a hole": (lambda: put(mp3(header=True), 9_000, bytes(3_000)), 7.08, "7.1 s of 8.0 s"),
    "wav without sizes": (lambda: wav(0, 0), 8, UNFINISHED),
    "wav without the size of its sound": (lambda: wav(0), 8, UNFINISHED),
    "wav without sizes behind a filler": (lambda: wav(0, 0, before=struct.pack("<4sI", b"FLLR", 100) + bytes(100)), 8, UNFINISHED),
    "wav from a pipe": (lambda: wav(0xFFFFFFFF, 0xFFFFFFFF), 8, UNFINISHED),
    "wav of sox from a pipe": (lambda: wav(0x7FFFF000, 0x7FFFF024), 8, UNFINISHED),
    "wav that was cut": (lambda: wav()[: SIZE // 4 + 44], 2, "2.0 s of 8.0 s"),
    "wav said to be shorter": (lambda: wav(SIZE // 4), 2, "2.0 s of 8.0 s"),
    "wav with a list": (lambda: wav(behind=LIST), 8, ""),
    "wav behind wav": (lambda: wav() * 2, 8, "8.0 s of 16.0 s"),
    "rf64 without sizes": (lambda: put(RF64, RF64.index(b"ds64") + 8, bytes(24)), 8, UNFINISHED),
    "aiff without size": (lambda: put(AIFF, AIFF.index(b"SSND") + 4, bytes(4)), 8, UNFINISHED),
    "aiff that was cut": (lambda: AIFF[: SIZE // 2], 4, "4.0 s of 8.0 s"),
}


def link(path: Path) -> None:
    path.symlink_to("nothing")


WAV_HEADER = wav()[:44]
REASONS: dict[str, tuple[bytes | Callable[[Path], object], str]] = {
    "nothing": (b"", "is empty"),
    "text": ("Höre nichts\n".encode() * 999, "not recognised"),
    "zeros": (bytes(9_999), "not readable as audio"),
    "m4a": (b"\0\0\0\x20ftypM4A \0\0\2\0" + bytes(range(256)), "AAC/M4A: convert it, for example with ffmpeg -i IN OUT.flac"),
    "tagged aac": (b"ID3\3\0\0\0\0\0\5" + bytes(5) + b"\xff\xf1\x50\x80" + bytes(range(256)), "AAC: convert it"),
    "wma": (bytes.fromhex("3026b2758e66cf11a6d900aa0062ce6c") + bytes(range(256)), "WMA: convert it"),
    "noise": (np.random.default_rng(1).bytes(9_999), "not recognised"),
    "header alone": (put(WAV_HEADER, 40, bytes(4)), "holds no audio"),
    "one hertz": (wav(rate=1), "1 Hz is no rate of sound"),
    "wrong scale": (encoded("WAV", 32_768 * sound(2.0), subtype="FLOAT"), "wrong scale: peaks at "),
    "numbers beyond all measure": (encoded("WAV", 1e30 * sound(2.0), subtype="FLOAT"), "wrong scale: peaks at "),
    "wrong scale that cancels": (encoded("WAV", 32_768 * np.stack([sound(2.0), -sound(2.0)], axis=1), subtype="FLOAT"), "wrong scale"),
    "no numbers": (encoded("WAV", np.append(np.nan, sound(2.0)), subtype="FLOAT"), "not numbers"),
    "no hertz": (wav(rate=0), "not readable as audio"),
    "folder": (Path.mkdir, "is a folder"),
    "pipe": (os.mkfifo, "is a pipe or a device"),
    "link": (link, "is a link to a file that is not there"),
    "gone": (lambda path: None, "no such file"),
}
