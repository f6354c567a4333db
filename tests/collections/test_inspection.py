from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from mtt.collections import duplicates, inspection
from mtt.collections.inspection import inspect_tracks
from mtt.reading import decoding
from tests.collections.trees import noise, write_sounds
from tests.tiny import write_audio


def tracks_in(folder: Path) -> pd.DataFrame:
    paths = sorted(path.name for path in folder.iterdir() if path.is_file())
    return pd.DataFrame({"path": paths}, index=pd.Index(paths, name="track_id"))


def inspect(folder: Path, cache: str = "cache") -> pd.DataFrame:
    return inspect_tracks(tracks_in(folder), folder, folder / cache, progress=False)


@pytest.fixture
def reads(monkeypatch) -> list[str]:
    """The files that were read, in order, all in this process."""
    seen, real = [], inspection._inspect_file
    monkeypatch.setattr(inspection, "_inspect_file", lambda root, stamp: (seen.append(stamp[0]), real(root, stamp))[1])
    monkeypatch.setenv("LOKY_MAX_CPU_COUNT", "1")
    return seen


def test_a_second_pass_reads_only_what_is_new_or_changed(tmp_path, reads, monkeypatch):
    monkeypatch.setattr(inspection, "FILES_PER_SHARD", 2)
    write_sounds(tmp_path, *[f"{number}.wav" for number in range(5)])
    first = inspect(tmp_path)
    reads.clear()
    write_audio(tmp_path / "3.wav", noise(2, 9))
    write_audio(tmp_path / "new.ogg", noise(2, 10))
    second = inspect_tracks(tracks_in(tmp_path).iloc[::-1], tmp_path, tmp_path / "cache", progress=False)
    assert sorted(reads) == ["3.wav", "new.ogg"]
    assert list(second.index) == sorted(second.index, reverse=True)
    same = ["0.wav", "1.wav", "2.wav", "4.wav"]
    pd.testing.assert_frame_equal(second.loc[same], first.loc[same])
    assert second.at["3.wav", "digest"] != first.at["3.wav", "digest"]
    next(tmp_path.glob("cache/inspection-*/*.npz")).unlink()  # as after a kill: one shard is not written yet
    reads.clear()
    pd.testing.assert_frame_equal(inspect(tmp_path), second.sort_index())
    assert 1 <= len(reads) <= 2
    monkeypatch.setenv("LOKY_MAX_CPU_COUNT", "2")
    pd.testing.assert_frame_equal(inspect(tmp_path, "other"), second.sort_index())


def test_a_damaged_shard_is_read_again(tmp_path, reads):
    write_audio(tmp_path / "a.wav", noise(1.5))
    first = inspect(tmp_path)
    (shard,) = tmp_path.glob("cache/inspection-*/*.npz")
    shard.write_bytes(shard.read_bytes()[:100])
    again = inspect(tmp_path)
    assert reads == ["a.wav", "a.wav"]
    pd.testing.assert_frame_equal(again, first)


@pytest.mark.parametrize(
    ("module", "constant", "value"),
    [
        (inspection, "MINIMUM_SECONDS", 2.0),
        (decoding, "FULL_SCALE", 0.01),
        (duplicates, "LAG", 4),
        (duplicates, "BAND_EDGES_HZ", np.geomspace(300.0, 2400.0, 34)),
    ],
)
def test_what_was_found_belongs_to_the_constants_it_was_found_with(tmp_path, reads, monkeypatch, module, constant, value):
    write_audio(tmp_path / "a.wav", noise(1.5))
    first = inspect(tmp_path)
    monkeypatch.setattr(module, constant, value)
    second = inspect(tmp_path)
    assert reads == ["a.wav", "a.wav"]
    with pytest.raises(AssertionError):
        pd.testing.assert_frame_equal(first, second)
    monkeypatch.undo()
    pd.testing.assert_frame_equal(inspect(tmp_path), first)


def test_what_goes_wrong_with_a_file_stays_with_it(tmp_path, monkeypatch):
    write_sounds(tmp_path, "good.wav", "odd.wav")
    write_audio(tmp_path / "phase.wav", np.stack([noise(2), 0.001 - noise(2)], axis=1))
    real = inspection.Decoding

    def decode(path):
        if path.name == "odd.wav":
            raise MemoryError("of 900 GB")
        return real(path)

    monkeypatch.setattr(inspection, "Decoding", decode)
    monkeypatch.setenv("LOKY_MAX_CPU_COUNT", "1")
    found = inspect(tmp_path)
    assert found["problem"].tolist() == ["", "unreadable", "cancelled"] and found.at["odd.wav", "detail"] == "of 900 GB"
    assert found.at["phase.wav", "detail"].startswith("its channels cancel: -20 dB alone, -66 dB mixed")
    assert [len(bits) > 0 for bits in found["fingerprint"]] == [True, False, False]
