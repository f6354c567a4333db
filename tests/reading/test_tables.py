"""What is said of tables as people have them; ``tests.reading.bad_tables`` lists them."""

from pathlib import Path

import pandas as pd
import pytest

from mtt.collections.load import read_collection
from mtt.files import MttError
from mtt.splits.make import read_split
from tests.collections.trees import load, write_sounds, write_table
from tests.reading.bad_tables import BAD_TABLES, BadTable


@pytest.mark.parametrize("bad", BAD_TABLES, ids=lambda bad: bad.what)
def test_a_table_says_what_is_wrong_with_it_and_is_left_as_it_was(mtt, bad: BadTable):
    Path("tracks.csv").write_bytes(bad.content)
    code, _, errors = mtt("split tracks.csv --out split.csv")
    assert code == bad.code and len(errors) == bool(bad.says) and bad.says in "".join(errors)
    assert code == 0 or errors[0].startswith("mtt: tracks.csv: ")
    assert Path("split.csv").exists() == (code == 0) and Path("tracks.csv").read_bytes() == bad.content
    if code == 0:
        assert {"a.wav", "b.wav", "c.wav"} <= set(read_split("split.csv").index)


@pytest.mark.parametrize(("name", "message"), [("", "is a folder; give the table in it"), ("gone.csv", "no such file"), ("n" * 300, "")])
def test_what_is_no_file_is_refused(tmp_path, name, message):
    with pytest.raises(MttError, match=f"{name}: {message}"):
        read_collection(tmp_path / name)


def test_values_are_texts_as_they_stand(tmp_path):
    row = ["e\u0301 \u00e9.wav", "NA", "01|null", ' a "quoted", title\nof two lines ']
    pd.DataFrame([row], columns=["path", "artist", "tags", "title"]).to_csv(tmp_path / "tracks.csv", index=False)
    assert read_collection(tmp_path / "tracks.csv")[["path", "artist", "tags", "title"]].to_numpy().tolist() == [row]


def test_a_path_leads_nowhere_but_into_the_folder_of_its_table(tmp_path):
    """Whoever wrote the table, no file elsewhere is opened; a name that begins with dots is a name."""
    names = ["...And Justice for All/One.wav", "here.wav", "..hidden.wav", "sub/../plain.wav"]
    write_sounds(tmp_path, "elsewhere.wav", "a.wav", "b.wav", "c.wav", *(f"music/{name}" for name in names), "music/there.wav")
    music = tmp_path / "music"
    (tmp_path / "link").symlink_to(music)
    inside = [*names, f"{music}/there.wav"]
    outside = [f"{tmp_path}/elsewhere.wav", "../a.wav", "sub/../../music/../b.wav", f"{music}/../c.wav", "/etc/passwd"]
    corpus = load(write_table(music, inside + outside))
    assert list(corpus.tracks.index) == inside and corpus.read(f"{music}/there.wav").size
    assert corpus.problems.set_index("track_id")["problem"].to_dict() == dict.fromkeys(outside, "outside")
    write_table(music, [f"{tmp_path}/link/here.wav"])
    assert read_collection(tmp_path / "link" / "tracks.csv")["path"].tolist() == ["here.wav"]


def test_a_backslash_may_stand_in_a_name(tmp_path):
    write_sounds(tmp_path, "AC\\DC.wav")
    assert list(load(write_table(tmp_path, ["AC\\DC.wav"])).tracks.index) == ["AC\\DC.wav"]
