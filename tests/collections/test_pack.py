import pickle  # of our own object, as it goes to our own processes
import re
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import soundfile

from mtt.collections import pack
from mtt.collections.audit import audit_collection
from mtt.collections.load import load_corpus
from mtt.collections.pack import pack_corpus
from mtt.config import SAMPLE_RATE
from mtt.data.audio import AudioError
from mtt.data.corpus import Corpus
from mtt.files import MttError
from tests.collections.trees import load, noise, write_table
from tests.tiny import write_audio

ROUNDING = 1 / 65_536 + 1e-6  # half a step of 16 bits, and float32's own


@pytest.fixture(scope="module")
def source(tmp_path_factory) -> Path:
    """Tracks of all formats and several rates, with all metadata, and two files that cannot serve."""
    folder = tmp_path_factory.mktemp("source")
    rates = {"a.wav": SAMPLE_RATE, "b.flac": 44_100, "c.mp3": 44_100, "d.ogg": 48_000, "e.mp3": SAMPLE_RATE, "f.flac": 16_000}
    for seed, (name, rate) in enumerate(rates.items()):
        write_audio(folder / name, noise(2 + seed / 2, seed, rate), rate)
    (folder / "text.mp3").write_text("no music")
    write_audio(folder / "silent.wav", np.zeros(2 * SAMPLE_RATE, np.float32))
    paths, tags = [*rates, "text.mp3", "silent.wav"], ["x|y", "y", "", " y | z", "x", "y", "y", "q"]
    about = {"track_id": [f"t{name[0]}" for name in paths], "title": [f"title, {name}" for name in paths], "split": "train"}
    return write_table(folder, paths, tags=tags, **about)


@pytest.fixture(scope="module")
def original(source) -> Corpus:
    return load(source)


@pytest.fixture(scope="module")
def made(original, tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("made") / "pack"
    pack_corpus(original, out, progress=False)
    return out


@pytest.fixture
def copy(made, tmp_path) -> Path:
    return Path(shutil.copytree(made, tmp_path / "copy"))


@pytest.fixture
def reads(monkeypatch) -> list[str]:
    """The files that were decoded for packing, in order, all in this process."""
    seen, real = [], pack.Decoding
    monkeypatch.setattr(pack, "Decoding", lambda path: (seen.append(path.name), real(path))[1])
    monkeypatch.setenv("LOKY_MAX_CPU_COUNT", "1")
    return seen


def sounds(folder: Path) -> list[Path]:
    return sorted(folder.glob("audio/*/*.i16"))


@pytest.mark.parametrize("way", ["folder", "table"])
def test_a_packed_corpus_is_the_original_one(made, original, way):
    packed = load_corpus(made if way == "folder" else str(made / "tracks.csv"))
    assert (packed.tags, packed.digest, packed.name, packed.complete) == (original.tags, original.digest, original.name, False)
    np.testing.assert_array_equal(packed.labels, original.labels)
    shared = ["path", "artist", "title", "album", "split", "seconds", "level_db", "digest"]
    pd.testing.assert_frame_equal(packed.tracks[shared], original.tracks[shared], check_dtype=False)
    pd.testing.assert_frame_equal(packed.problems, original.problems, check_dtype=False)
    assert all(np.array_equal(packed.fingerprints[i], original.fingerprints[i]) for i in original.tracks.index)


def test_whole_tracks_and_crops_are_the_same_samples_within_the_rounding(made, original):
    packed = pickle.loads(pickle.dumps(load_corpus(made)))
    assert not any((made / path).exists() for path in packed.tracks["path"])
    for track_id in original.tracks.index:
        np.testing.assert_allclose(packed.read(track_id), original.read(track_id), rtol=0, atol=ROUNDING)
        for start, seconds in ((0.0, 1.0), (0.777, 0.5), (1.2345, 0.25)):
            crop = packed.read(track_id, start, seconds)
            assert crop.dtype == np.float32 and len(crop) == round(seconds * SAMPLE_RATE)
            np.testing.assert_allclose(crop, original.read(track_id, start, seconds), rtol=0, atol=ROUNDING + 2e-6)
        last = original.tracks.at[track_id, "seconds"] - 0.1
        assert len(packed.read(track_id, last, 1.0)) == pytest.approx(0.1 * SAMPLE_RATE, abs=2)
    np.testing.assert_array_equal(packed.read("ta"), original.read("ta"))  # sixteen bits at the program's rate


def test_relative_folders_are_those_of_the_caller(source, tmp_path, monkeypatch):
    """Workers that are used again stay in the folder in which they were started."""
    for name in ("here", "there"):
        (tmp_path / name).mkdir()
        monkeypatch.chdir(tmp_path / name)
        packed = pack_corpus(load_corpus(source, cache="cache", progress=False), "pack", progress=False)
        assert len(sounds(tmp_path / name / "pack")) == 6 == len(packed)
        assert len(list((tmp_path / name / "cache").glob("*/*.npz"))) == 1


def test_what_lies_outside_full_scale_is_clipped(tmp_path):
    soundfile.write(tmp_path / "loud.wav", 15 * noise(2), SAMPLE_RATE, subtype="FLOAT")
    packed = pack_corpus(load(write_table(tmp_path, ["loud.wav"])), tmp_path / "pack", progress=False)
    np.testing.assert_allclose(packed.read("loud.wav"), np.clip(15 * noise(2), -1, 1 - 2**-15), rtol=0, atol=ROUNDING)


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda folder: sounds(folder)[0].unlink(), "lacks the sound of 1 tracks, such as"),
        (lambda folder: (folder / "tracks.csv").write_text("track_id\n"), r"tracks\.csv: is gone or was changed after packing"),
        (lambda folder: (folder / "problems.csv").unlink(), r"problems\.csv: is gone or was changed after packing"),
        (lambda folder: (folder / "fingerprints.npz").write_bytes(b"PK"), r"fingerprints\.npz: is gone or was changed"),
        (lambda folder: (folder / "pack.json").write_text("{"), r"pack\.json: not the index of a packed collection"),
        (lambda folder: (folder / "pack.json").write_text('{"format": 1}'), r"pack\.json: not the index of a packed collection of this"),
        (lambda folder: (folder / "pack.json").unlink(), r"is a folder without pack\.json"),
    ],
)
def test_damage_is_named_in_one_line(copy, damage, message):
    damage(copy)
    with pytest.raises(MttError, match=message) as caught:
        load_corpus(copy)
    assert "\n" not in str(caught.value) and re.search("make it again with: python -m mtt pack", str(caught.value))


def test_sound_that_is_cut_or_goes_after_loading_is_named_when_it_is_read(copy):
    packed = load_corpus(copy)
    with pytest.raises(AudioError, match=r"nothing of 'ta' at 2\.0 s; it has 2\.0 s"):
        packed.read("ta", 2.0)
    for path in sounds(copy):
        path.write_bytes(path.read_bytes()[:-2])
    assert len(packed.read("ta", 0.0, 1.0)) == SAMPLE_RATE
    with pytest.raises(MttError, match=r"\.i16: is cut, and lacks samples of 'ta'; delete it and make it again"):
        packed.read("ta")
    shutil.rmtree(copy)
    with pytest.raises(MttError, match=r"\.i16: No such file"):
        packed.read("ta")


def test_packing_again_decodes_no_sound_that_is_there(source, copy, reads):
    table = pd.read_csv(source, dtype=str, keep_default_na=False).assign(tags="new")
    table.to_csv(source.with_name("new.csv"), index=False)
    before = sounds(copy)
    before[0].unlink()
    packed = pack_corpus(load(source.with_name("new.csv")), copy, progress=False)
    assert packed.tags == ["new"] and len(reads) == 1 and sounds(copy) == before
    reads.clear()
    table.iloc[[1]].to_csv(source.with_name("few.csv"), index=False)
    packed = pack_corpus(load(source.with_name("few.csv")), copy, progress=False)
    assert list(packed.tracks.index) == ["tb"] and reads == [] and len(sounds(copy)) == 1


def test_a_file_that_went_bad_since_it_was_inspected_is_listed(source, original, tmp_path):
    folder = Path(shutil.copytree(source.parent, tmp_path / "copy"))
    corpus = load(folder / "tracks.csv")
    (folder / "b.flac").write_text("rotten")
    packed = pack_corpus(corpus, tmp_path / "pack", progress=False)
    assert "tb" not in packed.tracks.index and len(packed) == 5
    reasons = packed.problems.set_index("track_id")["detail"]
    assert set(reasons.index) == {"tt", "ts", "tb"} and reasons["tb"].startswith("not readable as audio")
    np.testing.assert_allclose(packed.read("tc"), original.read("tc"), rtol=0, atol=ROUNDING)
    for path in corpus.tracks["path"]:
        (folder / path).unlink()
    with pytest.raises(MttError, match="no track of tracks could be decoded; no such file"):
        pack_corpus(corpus, tmp_path / "nothing", progress=False)


def test_places_that_cannot_be_packed_to_are_refused(original, made, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(MttError, match="is a file; give a folder"):
        pack_corpus(original, tmp_path / "file", progress=False)
    with pytest.raises(MttError, match="is packed already"):
        pack_corpus(load_corpus(made), tmp_path / "again", progress=False)
    with pytest.raises(MttError, match="the audit reads original files"):
        audit_collection(made, progress=False)
