"""Files as they are in the wild: headers that lie or were never finished, streams one after another, damage, files that are no audio."""

import os
import unicodedata

import numpy as np
import pytest

from mtt.config import SAMPLE_RATE
from mtt.data.audio import AudioError, find_audio, listen, read_audio
from mtt.reading import decoding
from tests.reading.bad_files import HEADERS, REASONS, STEREO, link, sound
from tests.tiny import encode_audio, write_audio


@pytest.mark.parametrize("name", HEADERS)
def test_the_length_is_what_can_be_decoded_and_what_is_missing_is_said(tmp_path, name, capfd):
    content, seconds, said = HEADERS[name]
    path = tmp_path / "file"
    path.write_bytes(content())
    info, whole = listen(path)[0], read_audio(path)
    assert info.seconds == pytest.approx(seconds, abs=0.12) and info.samples == len(whole)
    assert len(whole) / SAMPLE_RATE == pytest.approx(info.seconds, abs=0.001)
    assert said in info.fault if said else not info.fault
    for start in (0.5, seconds / 2, seconds - 0.6):  # wherever it lies, a crop is cut from the whole
        first = round(start * SAMPLE_RATE)
        np.testing.assert_allclose(read_audio(path, start, 0.4), whole[first:][: round(0.4 * SAMPLE_RATE)], atol=3e-6)
    with pytest.raises(AudioError, match=rf"nothing at {seconds + 1:.1f} s; the file has"):
        read_audio(path, seconds + 1, 1.0)
    assert capfd.readouterr() == ("", "")  # decoders talk without naming the file


@pytest.mark.parametrize("name", REASONS)
def test_a_file_that_is_no_audio_gives_the_true_reason(tmp_path, name, capfd):
    path = tmp_path / "song.mp3"
    make, reason = REASONS[name]
    path.write_bytes(make) if isinstance(make, bytes) else make(path)
    for read in (listen, read_audio, lambda path: read_audio(path, 0.0, 1.0)):
        with pytest.raises(AudioError, match=rf"^{path}: .*{reason}") as caught:
            read(path)
        assert "\n" not in str(caught.value)
    assert capfd.readouterr() == ("", "")


def test_levels_and_clipping_are_measured_over_all_channels_before_mixing(tmp_path):
    loud = np.clip(20 * sound(), -1, 1)
    write_audio(tmp_path / "a.flac", np.stack([loud, -0.1 * loud], axis=1))
    info = listen(tmp_path / "a.flac")[0]
    assert info.clipped == pytest.approx(np.mean(np.abs(loud) >= 0.999) / 2, rel=0.01) and info.clipped > 0.2
    levels = [10 * np.log10(np.mean((gain * loud) ** 2)) for gain in (1.0, 0.45)]
    assert [info.loudest_db, info.level_db] == pytest.approx(levels, abs=0.1)


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
