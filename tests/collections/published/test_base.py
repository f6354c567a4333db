import pickle

import numpy as np
import pytest

from mtt.collections.published.base import read_strings
from mtt.files import MttError

IDS = ["TRAAAAA128F0000001", "TRBBBBB128F0000002", "TRCCCCC128F0000003"]


class Bomb:
    """An object whose unpickling makes a file."""

    def __init__(self, path):
        self.path = str(path)

    def __reduce__(self):
        return open, (self.path, "w")


READABLE = {
    "text.npy": lambda path: np.save(path, np.array(IDS)),
    "bytes.npy": lambda path: np.save(path, np.array(IDS, dtype="S18")),
    "objects.npy": lambda path: np.save(path, np.array(IDS, dtype=object), allow_pickle=True),
    "lines.txt": lambda path: path.write_text("\ufeff" + " \r\n".join(IDS) + "\n\n", encoding="utf-8"),
    "python2.cP": lambda path: path.write_text("(lp1\n" + "".join(f"S'{i}'\np{n}\na" for n, i in enumerate(IDS, 2)) + "."),
} | {f"pickle{n}.cP": lambda path, n=n: path.write_bytes(pickle.dumps(IDS, n)) for n in range(pickle.HIGHEST_PROTOCOL + 1)}


@pytest.mark.parametrize("name", READABLE)
def test_lists_of_ids_are_read_in_every_form_they_are_published_in(tmp_path, name):
    READABLE[name](tmp_path / name)
    assert read_strings(tmp_path / name) == IDS


def test_nothing_in_a_pickle_is_run_or_read_but_strings(tmp_path):
    fuse = tmp_path / "boom"
    hostile = {"bomb": Bomb(fuse), "list": [IDS[0], Bomb(fuse)], "dict": {"a": np.zeros(3)}, "numbers": [1, 2], "nested": [["a"], "b"]}
    for name, value in hostile.items():
        (tmp_path / f"{name}.cP").write_bytes(pickle.dumps(value))
        with pytest.raises(MttError, match=rf"{name}\.cP: is a pickle .*; .*save it as a text file"):
            read_strings(tmp_path / f"{name}.cP")
        np.save(tmp_path / f"{name}.npy", np.array([value, value], dtype=object), allow_pickle=True)
        with pytest.raises(MttError, match=rf"{name}\.npy: "):
            read_strings(tmp_path / f"{name}.npy")
    assert not fuse.exists()


def test_damaged_files_are_named(tmp_path):
    READABLE["objects.npy"](tmp_path / "ids.npy")
    np.save(tmp_path / "numbers.npy", np.eye(3))
    for name, content, message in [
        ("cut.npy", (tmp_path / "ids.npy").read_bytes()[:-30], "is a pickle of more than a list"),
        ("none.npy", b"", "not a NumPy array"),
        ("text.npy", b"TRAAAAA128F0000001\n", "not a NumPy array"),
        ("latin.txt", b"\xe9\n", "not a text file in UTF-8"),
        ("numbers.npy", None, "holds float64, not strings"),
    ]:
        if content is not None:
            (tmp_path / name).write_bytes(content)
        with pytest.raises(MttError, match=f"{name}: .*{message}"):
            read_strings(tmp_path / name)
