"""Files as they are in the wild: headers that lie or were never finished, streams one after another, damage, files that are no audio."""

import io
import os
import struct
import unicodedata
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile

from mtt.config import SAMPLE_RATE
from mtt.data import decoding
from mtt.data.audio import AudioError, audio_info, encode_audio, find_audio, read_audio, write_audio

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
AU = encoded("AU", subtype="PCM_16")

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
    "wav behind wav": (lambda: wav() * 2, 16, ""),
    "rf64 without sizes": (lambda: put(RF64, RF64.index(b"ds64") + 8, bytes(24)), 8, UNFINISHED),
    "aiff without size": (lambda: put(AIFF, AIFF.index(b"SSND") + 4, bytes(4)), 8, UNFINISHED),
    "aiff that was cut": (lambda: AIFF[: SIZE // 2], 4, "4.0 s of 8.0 s"),
    "au without size": (lambda: put(AU, 8, bytes(4)), 8, UNFINISHED),
    "w64 that was cut": (lambda: encoded("W64", subtype="PCM_16")[: SIZE // 2], 4, "4.0 s of 8.0 s"),
}


@pytest.mark.parametrize("name", HEADERS)
def test_the_length_is_what_can_be_decoded_and_what_is_missing_is_said(tmp_path, name, capfd):
    content, seconds, said = HEADERS[name]
    path = tmp_path / "file"
    path.write_bytes(content())
    info, whole = audio_info(path), read_audio(path)
    assert info.seconds == pytest.approx(seconds, abs=0.12) and info.samples == len(whole)
    assert len(whole) / SAMPLE_RATE == pytest.approx(info.seconds, abs=0.001)
    assert said in info.fault if said else not info.fault
    for start in (0.5, seconds / 2, seconds - 0.6):  # wherever it lies, a crop is cut from the whole
        first = round(start * SAMPLE_RATE)
        np.testing.assert_allclose(read_audio(path, start, 0.4), whole[first:][: round(0.4 * SAMPLE_RATE)], atol=3e-6)
    with pytest.raises(AudioError, match=rf"nothing at {seconds + 1:.1f} s; the file has"):
        read_audio(path, seconds + 1, 1.0)
    assert capfd.readouterr() == ("", "")  # decoders talk without naming the file


def link(path: Path) -> None:
    path.symlink_to("nothing")


WAV_HEADER = wav()[:44]
REASONS: dict[str, tuple[bytes | Callable[[Path], object], str]] = {
    "nothing": (b"", "is empty"),
    "text": ("Höre nichts\n".encode() * 999, "a text"),
    "page": (b"<!DOCTYPE html>", "a text"),
    "zeros": (bytes(9_999), "nothing but zeros"),
    "m4a": (b"\0\0\0\x20ftypM4A \0\0\2\0" + bytes(range(256)), "AAC/M4A: convert it, for example with ffmpeg -i IN OUT.flac"),
    "tagged aac": (b"ID3\3\0\0\0\0\0\5" + bytes(5) + b"\xff\xf1\x50\x80" + bytes(range(256)), "AAC: convert it"),
    "wma": (bytes.fromhex("3026b2758e66cf11a6d900aa0062ce6c") + bytes(range(256)), "WMA: convert it"),
    "picture": (b"\xff\xd8\xff\xe0" + bytes(range(256)) * 99, "a picture"),
    "noise": (np.random.default_rng(1).bytes(9_999), "not recognised"),
    "header alone": (put(WAV_HEADER, 40, bytes(4)), "holds no audio"),
    "one hertz": (wav(rate=1), "1 Hz is no rate of sound"),
    "no hertz": (wav(rate=0), "not readable as audio"),
    "folder": (Path.mkdir, "is a folder"),
    "pipe": (os.mkfifo, "is a pipe or a device"),
    "link": (link, "is a link to a file that is not there"),
    "gone": (lambda path: None, "no such file"),
}


@pytest.mark.parametrize("name", REASONS)
def test_a_file_that_is_no_audio_gives_the_true_reason(tmp_path, name, capfd):
    path = tmp_path / "song.mp3"
    make, reason = REASONS[name]
    path.write_bytes(make) if isinstance(make, bytes) else make(path)
    for read in (audio_info, read_audio, lambda path: read_audio(path, 0.0, 1.0)):
        with pytest.raises(AudioError, match=rf"^{path}: .*{reason}") as caught:
            read(path)
        assert "\n" not in str(caught.value)
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("error", [MemoryError(), RecursionError("too deep"), OverflowError("too large"), OSError(5, "Input/output error")])
def test_whatever_goes_wrong_stays_with_the_file(tmp_path, monkeypatch, error):
    def fail(*args):
        raise error

    write_audio(tmp_path / "a.wav", sound(1.0))
    monkeypatch.setattr(decoding, "parts", fail)
    with pytest.raises(AudioError, match=rf"a\.wav: .*({error.args[-1] if error.args else 'MemoryError'})"):
        audio_info(tmp_path / "a.wav")


@pytest.mark.parametrize(
    ("wave", "reason"),
    [
        (32_768 * sound(), r"wrong scale: peaks at 2\d{4}\.\d, not 1"),
        (1e30 * sound(), r"wrong scale: peaks at \d\.\d+e\+29, not 1"),
        (np.stack([32_768 * sound(), -32_768 * sound()], axis=1), "wrong scale"),  # also where the mix is nothing
        (np.append(sound(), np.inf), "not numbers"),
        (np.append(sound(), np.nan), "not numbers"),
    ],
)
def test_samples_of_another_scale_and_no_numbers_are_refused(tmp_path, wave, reason):
    soundfile.write(tmp_path / "a.wav", wave, SAMPLE_RATE, subtype="FLOAT")
    with pytest.raises(AudioError, match=reason):
        audio_info(tmp_path / "a.wav")
    with pytest.raises(AudioError, match="wrong scale|not numbers"):
        read_audio(tmp_path / "a.wav", 7.5, 1.0)


def test_levels_are_measured_before_mixing(tmp_path):
    write_audio(tmp_path / "a.flac", np.stack([sound(), -sound()], axis=1))
    info = audio_info(tmp_path / "a.flac")
    assert info.loudest_db == pytest.approx(10 * np.log10(np.mean(sound() ** 2)), abs=0.1) and info.level_db < -100


def test_a_crop_from_the_last_page_of_an_ogg_is_cut_from_the_whole(tmp_path):
    """A jump there lands in the wrong place, by as much as the page was trimmed."""
    write_audio(tmp_path / "a.ogg", sound(7.77))
    whole = read_audio(tmp_path / "a.ogg")
    for start in np.linspace(6.0, 7.6, 17):
        first = round(start * SAMPLE_RATE)
        np.testing.assert_allclose(read_audio(tmp_path / "a.ogg", start, 0.1), whole[first : first + round(0.1 * SAMPLE_RATE)], atol=3e-6)


def test_names_composed_and_decomposed_are_one_and_resource_forks_are_not_looked_at(tmp_path):
    (folder := tmp_path / unicodedata.normalize("NFD", "Édith")).mkdir()
    write_audio(folder / "été.wav", sound(1.0))
    (folder / "._été.wav").write_bytes(b"\0\5\x16\7\0\2\0\0Mac OS X        " + bytes(range(256)))
    np.testing.assert_array_equal(read_audio(tmp_path / "Édith" / unicodedata.normalize("NFD", "été.wav")), read_audio(folder / "été.wav"))


def test_a_folder_is_searched_and_what_is_skipped_is_counted(tmp_path):
    for name in ("b/2.FLAC", "...And Justice for All/One.wav", "Live.mp3/1.ogg", "._b.wav", ".hidden.mp3", "c.m4a", "d.WMA", "notes.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"never opened")
    os.mkfifo(tmp_path / "pipe.wav")
    link(tmp_path / "dangling.ogg")
    (tmp_path / "b" / "round").symlink_to(tmp_path)
    (tmp_path / os.fsdecode(b"\xe9t\xe9.mp3")).write_bytes(b"")
    found = find_audio(tmp_path)
    names = sorted(["...And Justice for All/One.wav", "Live.mp3/1.ogg", "b/2.FLAC", os.fsdecode(b"\xe9t\xe9.mp3")])
    assert [str(path.relative_to(tmp_path)) for path in found.files] == names
    assert set(found.skipped.values()) == {1} and len(found.skipped) == 7
    assert {"hidden", "a resource fork of macOS", "a pipe or a device"} < set(found.skipped)
    assert any("AAC/M4A" in reason for reason in found.skipped) and any("WMA" in reason for reason in found.skipped)


def test_reading_takes_blocks_and_equals_reading_at_once(tmp_path, monkeypatch):
    (tmp_path / "a.mp3").write_bytes(encode_audio(STEREO, 44_100, "MP3"))
    whole, sizes = read_audio(tmp_path / "a.mp3"), []
    monkeypatch.setattr(decoding, "BLOCK", 5_000)
    for block in (made := decoding.Decoding(tmp_path / "a.mp3")):
        sizes.append(len(block))
    np.testing.assert_array_equal(read_audio(tmp_path / "a.mp3"), whole)
    assert max(sizes) < 2_500 and sum(sizes) == len(whole) == made.info.samples
