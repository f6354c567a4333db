import pickle

import numpy as np
import pytest

from mtt.collections.published.base import Published, find_audio, read_labels, read_strings, track_table
from mtt.collections.table import CollectionError

IDS = ["TRAAAAA128F0000001", "TRBBBBB128F0000002", "TRCCCCC128F0000003"]


class Bomb:
    """An object whose unpickling makes a file."""

    def __init__(self, path):
        self.path = str(path)

    def __reduce__(self):
        return open, (self.path, "w")


@pytest.mark.parametrize("kind", ["U18", "S18", object])
def test_ids_are_read_from_arrays_of_text_bytes_and_objects(tmp_path, kind):
    values = [i.encode() for i in IDS] if kind == "S18" else IDS
    np.save(tmp_path / "ids.npy", np.array(values, dtype=kind), allow_pickle=True)
    assert read_strings(tmp_path / "ids.npy") == IDS


@pytest.mark.parametrize("protocol", [0, 1, 2, 3, 4, 5])
def test_pickled_lists_of_every_protocol_are_read(tmp_path, protocol):
    (tmp_path / "ids.cP").write_bytes(pickle.dumps(IDS, protocol))
    assert read_strings(tmp_path / "ids.cP") == IDS


def test_python_2_pickles_are_read(tmp_path):
    (tmp_path / "ids.cP").write_bytes(b"(lp1\nS'TRAAAAA128F0000001'\np2\naS'TRBBBBB128F0000002'\np3\na.")
    assert read_strings(tmp_path / "ids.cP") == IDS[:2]


def test_text_is_read_line_by_line(tmp_path):
    (tmp_path / "ids.txt").write_text("\ufeffa\r\nb \n\n", encoding="utf-8")
    assert read_strings(tmp_path / "ids.txt") == ["a", "b"]


def test_nothing_in_a_pickle_is_run_or_read_but_strings(tmp_path):
    fuse = tmp_path / "boom"
    hostile = {"bomb": Bomb(fuse), "list": [IDS[0], Bomb(fuse)], "dict": {"a": np.zeros(3)}, "numbers": [1, 2], "nested": [["a"], "b"]}
    for name, value in hostile.items():
        (tmp_path / f"{name}.cP").write_bytes(pickle.dumps(value))
        with pytest.raises(CollectionError, match=rf"{name}\.cP: is a pickle .*; .*save it as a text file"):
            read_strings(tmp_path / f"{name}.cP")
        np.save(tmp_path / f"{name}.npy", np.array([value, value], dtype=object), allow_pickle=True)
        with pytest.raises(CollectionError, match=rf"{name}\.npy: "):
            read_strings(tmp_path / f"{name}.npy")
    assert not fuse.exists()


def test_damaged_files_are_named(tmp_path):
    np.save(tmp_path / "ids.npy", np.array(IDS, dtype=object), allow_pickle=True)
    whole = (tmp_path / "ids.npy").read_bytes()
    for name, content, message in [
        ("cut.npy", whole[:-30], "is a pickle of more than a list"),
        ("none.npy", b"", "not a NumPy array"),
        ("text.npy", b"TRAAAAA128F0000001\n", "not a NumPy array"),
        ("latin.txt", b"\xe9\n", "not a text file in UTF-8"),
    ]:
        (tmp_path / name).write_bytes(content)
        with pytest.raises(CollectionError, match=f"{name}: .*{message}"):
            read_strings(tmp_path / name)
    np.save(tmp_path / "numbers.npy", np.zeros(3))
    with pytest.raises(CollectionError, match="holds float64, not strings"):
        read_strings(tmp_path / "numbers.npy")


def test_labels_have_a_row_a_track(tmp_path):
    np.save(tmp_path / "y.npy", np.eye(3))
    assert read_labels(tmp_path / "y.npy", 3, 3).sum() == 3
    with pytest.raises(CollectionError, match=r"y\.npy: is float64 of shape \(3, 3\); numbers of shape \(4, 3\)"):
        read_labels(tmp_path / "y.npy", 4, 3)
    np.save(tmp_path / "o.npy", np.array([{}]), allow_pickle=True)
    with pytest.raises(CollectionError, match=r"o\.npy: not a NumPy array of plain numbers"):
        read_labels(tmp_path / "o.npy", 1, 1)


def test_audio_is_found_in_any_folder_and_with_any_ending(tmp_path):
    for path in ("audio/1/a.b.mp3", "2/c.flac", "audio/d.wav"):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).touch()
    table = track_table(tmp_path, track_id=list("acdef"), path=["1/a.b.wav", "2/c.wav", "d.wav", "gone.wav", "nul\0.wav"])
    found = find_audio(tmp_path, Published(table, ("audio", "")))
    assert found.to_dict() == {"a": "audio/1/a.b.mp3", "c": "2/c.flac", "d": "audio/d.wav", "e": "", "f": ""}
