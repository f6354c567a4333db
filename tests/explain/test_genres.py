import hashlib
import json
import shutil
from pathlib import Path

import mutagen
import pandas as pd
import pytest

from mtt.collections.listing import read_metadata
from mtt.data.audio import read_audio
from mtt.explain.genres import Change, plan, undo_genres, write_genres
from mtt.explain.tagging import Tagged
from mtt.files import MttError

KINDS = ("wav", "flac", "mp3", "ogg")


@pytest.fixture
def songs(tiny_corpus, tmp_path) -> list[Path]:
    """One of each format."""
    found = {path.suffix[1:]: path for path in map(tiny_corpus.path, tiny_corpus.tracks.index)}
    return [Path(shutil.copy(found[kind], tmp_path / f"song.{kind}")) for kind in KINDS]


def tagged(path: Path, **scores: float) -> Tagged:
    return Tagged(path, pd.DataFrame({"tag": list(scores), "probability": list(scores.values())}))


def test_genres_are_written_and_taken_back_and_the_sound_stays(songs, tmp_path):
    before = {path: read_audio(path).tobytes() for path in songs}
    changes = plan([tagged(path, rock=0.9, jazz=0.6, pop=0.2) for path in songs], 0.5)
    assert [change.after for change in changes] == [["rock", "jazz"]] * len(KINDS)
    assert write_genres(changes, tmp_path / "undo.json") == []
    for path in songs:
        assert read_metadata(path)["genre"] == ["rock", "jazz"] and read_audio(path).tobytes() == before[path]
    assert plan([tagged(path, rock=0.9, jazz=0.6) for path in songs], 0.5) == []  # they have them
    assert undo_genres(tmp_path / "undo.json") == (len(KINDS), [])
    assert all(not read_metadata(path).get("genre") for path in songs)
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(["undo.json", *(path.name for path in songs)])


def test_an_album_gets_the_same_genres(songs):
    for path in songs[1:3]:
        file = mutagen.File(path, easy=True)
        if file.tags is None:
            file.add_tags()
        file["album"] = "One Album"
        file.save()
    scores = [{"rock": 0.9, "jazz": 0.3}, {"rock": 0.2, "jazz": 0.9}, {"rock": 0.9, "jazz": 0.4}, {"rock": 0.2, "jazz": 0.1}]
    changes = {Path(one.path).name: one.after for one in plan([tagged(p, **s) for p, s in zip(songs, scores, strict=True)], 0.5)}
    assert changes == {"song.wav": ["rock"], "song.flac": ["jazz", "rock"], "song.mp3": ["jazz", "rock"]}


def test_a_file_that_changed_meanwhile_or_is_none_is_left_alone(songs, tmp_path):
    text = tmp_path / "text.mp3"
    text.write_bytes(b"no music at all")
    marks = {path: hashlib.sha256(path.read_bytes()).hexdigest() for path in (songs[1], text)}
    changes = [
        Change(str(songs[1]), ["blues"], ["rock"]),
        Change(str(text), [], ["rock"]),
        Change(str(tmp_path / "gone.mp3"), [], ["rock"]),
    ]
    faults = write_genres(changes, tmp_path / "undo.json")
    assert ["by now, not blues" in faults[0], "text.mp3" in faults[1], "gone.mp3" in faults[2]] == [True] * 3
    assert {path: hashlib.sha256(path.read_bytes()).hexdigest() for path in marks} == marks


def test_what_is_no_undo_file_is_refused(tmp_path):
    for content in ({}, {"genres": [{"path": 1}]}, [1]):
        (tmp_path / "undo.json").write_text(json.dumps(content))
        with pytest.raises(MttError, match="undo.json: is no undo file"):
            undo_genres(tmp_path / "undo.json")


def test_the_command_shows_first_and_writes_when_told_to(mtt, songs, golden_model):
    command = f"tag {songs[1]} --model {golden_model} --min-probability 0.0001 --write undo.json"
    code, out, _ = mtt(command)
    assert code == 0 and "nothing is written without --yes" in out and not Path("undo.json").exists() and not read_metadata(songs[1])
    code, out, _ = mtt(f"{command} --yes")
    assert code == 0 and "1 files written" in out and len(read_metadata(songs[1])["genre"]) == 3
    assert mtt("undo-tags undo.json")[0] == 0 and not read_metadata(songs[1]).get("genre")
