import os
from pathlib import Path

import mutagen
import numpy as np
import pytest
import soundfile
from mutagen.flac import Picture
from mutagen.id3 import APIC, ID3, TALB, TCON, TIT2, TPE1

from mtt.collections.listing import LONGEST, list_tracks
from mtt.collections.load import read_collection
from mtt.files import MttError
from tests.tiny import write_audio

NOISE = (0.1 * np.random.default_rng(0).standard_normal(22050)).astype(np.float32)


def song(path: Path, **names: str | list[str]) -> Path:
    """A file with metadata: ID3 in MP3, WAV and AIFF, Vorbis comments in FLAC and OGG."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix in (".aiff", ".opus"):
        rate, kinds = (48000, {"format": "OGG", "subtype": "OPUS"}) if path.suffix == ".opus" else (22050, {})
        soundfile.write(path, NOISE, rate, **kinds)
    else:
        write_audio(path, NOISE)
    file = mutagen.File(path)
    if file.tags is None:
        file.add_tags()
    if isinstance(file.tags, ID3):
        frames = {"artist": TPE1, "title": TIT2, "album": TALB, "genre": TCON}
        names = {frames[name].__name__: frames[name](encoding=1, text=text) for name, text in names.items()}
    for name, text in names.items():
        file.tags[name] = text
    file.save()
    return path


@pytest.mark.parametrize("ending", ["mp3", "flac", "ogg", "opus", "wav", "aiff"])
def test_files_say_what_they_are(tmp_path, ending):
    song(tmp_path / f"x.{ending}", artist="Sigur Rós", title="Sæglópur", album="Takk…", genre="Post-Rock")
    found = list_tracks(tmp_path, tmp_path).tracks
    assert found.values.tolist() == [[f"x.{ending}", "Sigur Rós", "post-rock", "Sæglópur", "Takk…"]]
    assert list(found.columns) == ["path", "artist", "tags", "title", "album"]


def test_what_a_file_does_not_say_its_place_says(tmp_path):
    song(tmp_path / "Band/Record/CD 1/01 Song.mp3")
    song(tmp_path / "Band/single.flac", title="Named")
    song(tmp_path / "alone.wav", artist=" \n ")
    found = list_tracks(tmp_path, tmp_path).tracks.drop(columns="tags").values.tolist()
    assert found == [
        ["Band/Record/CD 1/01 Song.mp3", "Band", "01 Song", "Record"],
        ["Band/single.flac", "Band", "Named", ""],
        ["alone.wav", "", "alone", ""],
    ]


@pytest.mark.parametrize(
    ("name", "genre", "tags"),
    [
        ("x.flac", ["Rock", "rock ", "Blues"], "rock|blues"),
        ("x.flac", "Hip-Hop/Rap; R&B, Soul | Funk", "hip-hop|rap|r&b|soul|funk"),
        ("x.flac", "Drum & Bass\0Jungle", "drum & bass|jungle"),
        ("x.flac", ["Other", "Unknown", ",;/", "Ambient\nDub"], "ambient dub"),
        ("x.mp3", ["(4)", "Eurodisco", "17", "(255)"], "disco|eurodisco|rock"),  # ID3 may number them
    ],
)
def test_genres_are_tags(tmp_path, name, genre, tags):
    song(tmp_path / name, genre=genre)
    assert list_tracks(tmp_path, tmp_path).tracks["tags"].tolist() == [tags]


def test_hostile_names_stay_in_their_row(tmp_path):
    names = {"artist": ["", 'A "quoted", one\r\nx,y,z\0\x1b[2J'], "title": "=1+1\n" * 100_000, "album": "\u2028\x85Album"}
    song(tmp_path / "song.flac", genre="a," * 100_000, **names)
    found = list_tracks(tmp_path, tmp_path).tracks.iloc[0]
    assert found["artist"] == 'A "quoted", one x,y,z [2J' and found["album"] == "Album"
    assert len(found["title"]) <= LONGEST and "\n" not in found["title"] and found["tags"] == "a"


def test_broken_and_huge_metadata_give_one_row_each(tmp_path):
    flac, mp3 = song(tmp_path / "A/picture.flac", artist="B"), song(tmp_path / "A/picture.mp3", artist="B")
    file, picture = mutagen.File(flac), Picture()
    picture.data = bytes(10_000_000)
    file.add_picture(picture)
    file.save()
    file = mutagen.File(mp3)
    file.tags.add(APIC(data=bytes(10_000_000)))
    file.save()
    whole, random = mp3.read_bytes()[:4000], np.random.default_rng(0)
    for number in range(40):  # cut, and with bytes changed
        content = bytearray((whole, flac.read_bytes()[:4000])[number % 2][: random.integers(1, 4000)])
        for place in random.integers(0, min(len(content), 200), 10):
            content[place] = random.integers(256)
        (tmp_path / f"A/{number:02d}.{('mp3', 'flac', 'wav', 'ogg')[number % 4]}").write_bytes(content)
    (tmp_path / "A/lying.mp3").write_bytes(b"ID3\4\0\0\x7f\x7f\x7f\x7fTPE1\x7f\x7f\x7f\x7f\0\0\3x")
    (tmp_path / "A/lying.flac").write_bytes(b"fLaC\x84\xff\xff\xff" + b"\xff" * 100)
    (tmp_path / "A/lying.wav").write_bytes(b"RIFF\xff\xff\xff\xffWAVEid3 \xff\xff\xff\xffID3")
    (tmp_path / "A/empty.mp3").write_bytes(b"")
    found = list_tracks(tmp_path, tmp_path).tracks.set_index("path")
    assert len(found) == 46 and found.index.is_unique and (found.loc[["A/picture.flac", "A/picture.mp3"], "artist"] == "B").all()
    assert found["artist"].map(str.isprintable).all() and (found.loc[["A/lying.flac", "A/lying.wav", "A/empty.mp3"], "artist"] == "A").all()


def test_paths_are_relative_to_the_table(tmp_path):
    song(tmp_path / "real/music/a.wav")
    (tmp_path / "link").symlink_to(tmp_path / "real")
    (tmp_path / "elsewhere").mkdir()
    for beside, path in {"real": "music/a.wav", "link": "music/a.wav", "real/../link/music": "a.wav"}.items():
        assert list_tracks(tmp_path / "real/music", tmp_path / beside).tracks["path"].tolist() == [path]
    with pytest.raises(MttError, match="a.wav: does not lie below .*elsewhere; write the table into the folder of music"):
        list_tracks(tmp_path / "link/music", tmp_path / "elsewhere")


def test_what_is_not_listed_is_counted(tmp_path, monkeypatch):
    for name in (b"good.mp3", b"bad\xff.mp3"):
        write_audio(tmp_path / "right.mp3", NOISE)
        os.rename(tmp_path / "right.mp3", os.path.join(os.fsencode(tmp_path), name))
    for name in ("._good.mp3", "song.m4a", "cover.jpg"):
        (tmp_path / name).write_bytes(b"x")
    found = list_tracks(tmp_path, tmp_path)
    assert found.tracks["path"].tolist() == ["good.mp3"] and [os.fsencode(path.name) for path in found.left_out] == [b"bad\xff.mp3"]
    assert found.skipped.total() == 2
    (tmp_path / "good.mp3").unlink()
    with pytest.raises(MttError, match=r"no audio file that can be listed \(2 skipped: "):
        list_tracks(tmp_path)
    with pytest.raises(MttError, match="no such folder"):
        list_tracks(tmp_path / "cover.jpg")


def test_the_command_writes_a_collection(mtt, tmp_path):
    name = "music/Artist 0/Album, the/so\ng 0.wav"
    song(tmp_path / name, genre="Rock")
    Path("music/Artist 0/bad.wav").write_text("not audio")
    Path("music/Artist 0/song.m4a").write_text("not read")
    code, out, errors = mtt("list music --out tracks.csv")
    assert (code, out) == (0, "tracks.csv: 2 tracks, 0 without an artist, 1 with tags\n")
    assert len(errors) == 1 and errors[0].startswith("mtt: 1 skipped: 1 ")
    assert read_collection("tracks.csv").loc[name].tolist() == [name, "Artist 0", "rock", "so g 0", "Album, the"]
    os.rename("music/Artist 0/bad.wav", b"music/b\xff.wav")
    code, _, errors = mtt("list music --out tracks.csv --force")
    assert code == 1 and "mtt: music/b\\xff.wav: left out, for its name is not UTF-8 and a table is; rename the file" in errors
