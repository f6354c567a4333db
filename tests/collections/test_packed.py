import hashlib
import json
import os
import pickle  # of our own object, as it goes to our own processes
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import soundfile

from mtt.collections import packing
from mtt.collections.audit import audit_collection
from mtt.collections.load import load_corpus
from mtt.collections.packed import PackError
from mtt.collections.packing import pack_collection
from mtt.config import SAMPLE_RATE
from mtt.data.audio import AudioError, write_audio
from mtt.data.batches import ClipBatches
from mtt.data.corpus import Corpus

ROUNDING = 1 / 65_536 + 1e-6  # half a step of 16 bits, and float32's own


def noise(seconds: float, seed: int = 0, rate: int = SAMPLE_RATE) -> np.ndarray:
    return (0.1 * np.random.default_rng(seed).standard_normal(round(seconds * rate))).astype(np.float32)


@pytest.fixture(scope="module")
def source(tmp_path_factory) -> Path:
    """Tracks of all formats and several rates, with all metadata, and two files that cannot serve."""
    folder = tmp_path_factory.mktemp("source")
    rates = {"a.wav": SAMPLE_RATE, "b.flac": 44_100, "c.mp3": 44_100, "d.ogg": 48_000, "e.mp3": SAMPLE_RATE, "f.flac": 16_000}
    for seed, (name, rate) in enumerate(rates.items()):
        write_audio(folder / name, noise(2 + seed / 2, seed, rate), rate)
    (folder / "text.mp3").write_text("no music")
    write_audio(folder / "silent.wav", np.zeros(2 * SAMPLE_RATE, np.float32))
    rows = [
        {"track_id": f"t{name[0]}", "path": name, "artist": f"artist {name}", "tags": tags, "title": f"title, {name}", "split": "train"}
        for name, tags in zip([*rates, "text.mp3", "silent.wav"], ["x|y", "y", "", " y | z", "x", "y", "y", "q"], strict=True)
    ]
    pd.DataFrame(rows).to_csv(folder / "tracks.csv", index=False)
    return folder


@pytest.fixture(scope="module")
def original(source) -> Corpus:
    return load_corpus(str(source / "tracks.csv"), cache=source / "cache", progress=False)


@pytest.fixture(scope="module")
def made(source, original, tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("made") / "pack"
    pack_collection(str(source / "tracks.csv"), out, cache=source / "cache", progress=False, shard_seconds=5)
    return out


@pytest.fixture
def copy(made, tmp_path) -> Path:
    return Path(shutil.copytree(made, tmp_path / "copy"))


@pytest.mark.parametrize("way", ["folder", "table"])
def test_a_packed_corpus_is_the_original_one(made, original, way):
    packed = load_corpus(str(made if way == "folder" else made / "tracks.csv"))
    assert (packed.tags, packed.digest, packed.name) == (original.tags, original.digest, original.name)
    np.testing.assert_array_equal(packed.labels, original.labels)
    shared = ["path", "artist", "title", "album", "split", "seconds", "level_db", "digest"]
    pd.testing.assert_frame_equal(packed.tracks[shared], original.tracks[shared], check_dtype=False)
    pd.testing.assert_frame_equal(packed.problems, original.problems, check_dtype=False)
    assert all(np.array_equal(packed.fingerprints[i], original.fingerprints[i]) for i in original.tracks.index)
    assert len(list(made.glob("audio-*.i16"))) > 1


def test_whole_tracks_and_crops_are_the_same_samples_within_the_rounding(made, original):
    packed = load_corpus(str(made))
    for track_id in original.tracks.index:
        np.testing.assert_allclose(packed.read(track_id), original.read(track_id), rtol=0, atol=ROUNDING)
        for start, seconds in ((0.0, 1.0), (0.777, 0.5), (1.2345, 0.25)):
            crop = packed.read(track_id, start, seconds)
            assert crop.dtype == np.float32 and len(crop) == round(seconds * SAMPLE_RATE)
            np.testing.assert_allclose(crop, original.read(track_id, start, seconds), rtol=0, atol=ROUNDING + 2e-6)
        last = original.tracks.at[track_id, "seconds"] - 0.1
        assert len(packed.read(track_id, last, 1.0)) == pytest.approx(0.1 * SAMPLE_RATE, abs=2)


def test_sixteen_bits_at_the_programs_rate_come_back_exactly(made, original):
    np.testing.assert_array_equal(load_corpus(str(made)).read("ta"), original.read("ta"))


def test_training_crops_come_from_the_shards(made, original, tmp_path):
    """In another process too, and when the files are gone."""
    packed = pickle.loads(pickle.dumps(load_corpus(str(made))))
    ids = list(original.tracks.index)
    batches = [ClipBatches(corpus, ids, 4, 1.0, seed=3).batch(5).waveforms.numpy() for corpus in (packed, original)]
    np.testing.assert_allclose(*batches, rtol=0, atol=ROUNDING + 2e-6)
    assert not any((made / path).exists() for path in packed.tracks["path"])


def test_what_lies_outside_full_scale_is_clipped(tmp_path):
    soundfile.write(tmp_path / "loud.wav", 15 * noise(2), SAMPLE_RATE, subtype="FLOAT")
    (tmp_path / "tracks.csv").write_text("path,artist,tags\nloud.wav,x,t\n")
    packed = pack_collection(str(tmp_path / "tracks.csv"), tmp_path / "pack", tmp_path / "cache", progress=False)
    expected = np.clip(15 * noise(2), -1, 32_767 / 32_768)
    np.testing.assert_allclose(packed.read("loud.wav"), expected, rtol=0, atol=ROUNDING)


def test_reading_says_what_is_wrong_as_reading_a_file_does(made):
    packed = load_corpus(str(made))
    with pytest.raises(AudioError, match=r"nothing of 'ta' at 2\.0 s; it has 2\.0 s"):
        packed.read("ta", 2.0)
    with pytest.raises(ValueError, match="start must be >= 0"):
        packed.read("ta", -1.0)


def edit_index(folder: Path, change) -> None:
    about = json.loads((folder / "pack.json").read_text())
    change(about)
    (folder / "pack.json").write_text(json.dumps(about))


def edit_tracks(folder: Path, **values) -> None:
    """Change the first row and sign the table anew, as a faulty packer would."""
    table = pd.read_csv(folder / "tracks.csv", dtype=str, keep_default_na=False)
    for name, value in values.items():
        table.loc[0, name] = value
    table.to_csv(folder / "tracks.csv", index=False)
    digest = hashlib.sha256((folder / "tracks.csv").read_bytes()).hexdigest()
    edit_index(folder, lambda about: about["files"].update({"tracks.csv": digest}))


def truncate(folder: Path) -> None:
    shard = sorted(folder.glob("audio-*.i16"))[0]
    shard.write_bytes(shard.read_bytes()[:-2])


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (truncate, r"audio-\w+\.i16: has \d+ bytes, not \d+: truncated or changed"),
        (lambda folder: sorted(folder.glob("audio-*.i16"))[0].unlink(), r"audio-\w+\.i16: No such file"),
        (lambda folder: edit_tracks(folder, first="999999999"), r"tracks\.csv: 'ta' lies outside its shard"),
        (lambda folder: edit_tracks(folder, first="-1"), r"tracks\.csv: 'ta' lies outside its shard"),
        (lambda folder: edit_tracks(folder, shard="../../etc"), r"tracks\.csv: 'ta' lies outside its shard"),
        (lambda folder: edit_tracks(folder, samples="many"), r"tracks\.csv: .*many"),
        (lambda folder: (folder / "tracks.csv").write_text("track_id\n"), r"tracks\.csv: was changed after packing"),
        (lambda folder: (folder / "fingerprints.npz").write_bytes(b"PK"), r"fingerprints\.npz: "),
        (lambda folder: (folder / "pack.json").write_text("{}"), r"pack\.json: not the index of a packed collection"),
        (lambda folder: edit_index(folder, lambda about: about["shards"].update({"../x": 3})), r"pack\.json: not the index"),
        (lambda folder: (folder / "pack.json").unlink(), r"is a folder without pack\.json"),
    ],
)
def test_damage_is_named_in_one_line(copy, damage, message):
    damage(copy)
    with pytest.raises(PackError, match=message) as caught:
        load_corpus(str(copy))
    assert "\n" not in str(caught.value) and re.search("make it again|was changed", str(caught.value))


def test_a_shard_that_is_cut_after_loading_is_no_crash(copy):
    packed = load_corpus(str(copy))
    truncate(copy)
    shards = [entry for entry in packed.packed.places.items() if entry[1][0] == sorted(packed.packed.sizes)[0]]
    with pytest.raises(PackError, match="truncated"):
        packed.read(shards[0][0])


def test_packing_again_writes_no_sound_that_is_there(source, made, copy, monkeypatch):
    reads, real = [], packing.read_audio
    monkeypatch.setattr(packing, "read_audio", lambda path: (reads.append(path.name), real(path))[1])
    monkeypatch.setattr(packing.os, "cpu_count", lambda: 1)
    table = pd.read_csv(source / "tracks.csv", dtype=str, keep_default_na=False)
    table["tags"] = "new"
    table.to_csv(source / "new.csv", index=False)
    before = {path.name for path in copy.glob("audio-*.i16")}
    packed = pack_collection(str(source / "new.csv"), copy, source / "cache", progress=False, shard_seconds=5)
    assert packed.tags == ["new"] and reads == []
    assert {path.name for path in copy.glob("audio-*.i16")} == before
    table.iloc[[1]].to_csv(source / "few.csv", index=False)
    packed = pack_collection(str(source / "few.csv"), copy, source / "cache", progress=False, shard_seconds=5)
    assert list(packed.tracks.index) == ["tb"] and reads == ["b.flac"]
    assert len(list(copy.glob("audio-*.i16"))) == 1


SCRIPT = """
import sys
from pathlib import Path
from mtt.collections.packing import pack_collection
source, out = map(Path, sys.argv[1:])
pack_collection(str(source / "tracks.csv"), out, cache=source / "cache", progress=False, shard_seconds=30)
"""


def test_killed_in_the_middle_it_goes_on_with_the_next_shard(tmp_path, monkeypatch):
    names = [f"{number:03d}.flac" for number in range(120)]
    folder = tmp_path / "source"
    folder.mkdir()
    for number, name in enumerate(names):
        write_audio(folder / name, noise(10, number, 44_100), 44_100)
    pd.DataFrame({"path": names, "artist": names, "tags": "t"}).to_csv(folder / "tracks.csv", index=False)
    load_corpus(str(folder / "tracks.csv"), cache=folder / "cache", progress=False)
    (tmp_path / "script.py").write_text(SCRIPT)
    command = [sys.executable, str(tmp_path / "script.py"), str(folder), str(tmp_path / "pack")]
    process = subprocess.Popen(command, start_new_session=True, env={**os.environ, "PYTHONPATH": os.getcwd()})
    while process.poll() is None and len(list(tmp_path.glob("pack/audio-*.json"))) < 3:
        time.sleep(0.002)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    done = {path: path.stat().st_mtime_ns for path in tmp_path.glob("pack/audio-*.json")}
    assert 3 <= len(done) < 40, "the kill came too late to test anything"
    with pytest.raises(PackError, match="not finished"):
        load_corpus(str(tmp_path / "pack"))
    reads, real = [], packing.read_audio
    monkeypatch.setattr(packing, "read_audio", lambda path: (reads.append(path.name), real(path))[1])
    monkeypatch.setattr(packing.os, "cpu_count", lambda: 1)
    resumed = pack_collection(str(folder / "tracks.csv"), tmp_path / "pack", folder / "cache", progress=False, shard_seconds=30)
    kept = [json.loads(path.read_text()) for path in done]
    assert len(reads) == 120 - sum(len(note["samples"]) for note in kept)
    assert all(path.stat().st_mtime_ns == stamp for path, stamp in done.items())
    assert not list(tmp_path.glob("pack/.*partial"))
    original = load_corpus(str(folder / "tracks.csv"), cache=folder / "cache", progress=False)
    for name in names[::7]:
        np.testing.assert_allclose(resumed.read(name), original.read(name), rtol=0, atol=ROUNDING)


def test_too_little_room_is_said_before_anything_is_written(source, tmp_path, monkeypatch, capsys):
    full = shutil.disk_usage("/")._replace(free=10_000)
    monkeypatch.setattr(packing.shutil, "disk_usage", lambda path: full)
    with pytest.raises(PackError, match=r"packing needs 0\.05 GB and the disk has 0\.00 GB free; make room"):
        pack_collection(str(source / "tracks.csv"), tmp_path / "pack", source / "cache")
    assert not list(tmp_path.glob("pack/audio-*"))
    assert "6 tracks" in capsys.readouterr().err


def test_a_file_that_went_bad_since_it_was_inspected_is_listed(source, tmp_path, monkeypatch):
    def read(path):
        if path.name == "b.flac":
            raise AudioError(f"{path}: decoding stopped (rotten); re-encode the file or leave it out")
        return real(path)

    real = packing.read_audio
    monkeypatch.setattr(packing, "read_audio", read)
    monkeypatch.setattr(packing.os, "cpu_count", lambda: 1)
    packed = pack_collection(str(source / "tracks.csv"), tmp_path / "pack", source / "cache", progress=False)
    assert "tb" not in packed.tracks.index and len(packed) == 5
    reasons = packed.problems.set_index("track_id")["detail"]
    assert set(reasons.index) == {"tt", "ts", "tb"} and reasons["tb"].startswith("decoding stopped (rotten)")
    np.testing.assert_allclose(packed.read("tc"), real(source / "c.mp3"), rtol=0, atol=ROUNDING)


def test_places_that_cannot_be_packed_to_are_refused(source, made, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(PackError, match="is a file; give a folder"):
        pack_collection(str(source / "tracks.csv"), tmp_path / "file", source / "cache", progress=False)
    with pytest.raises(PackError, match="is packed already"):
        pack_collection(str(made), tmp_path / "again", progress=False)
    with pytest.raises(PackError, match="audits? the collection|the audit reads original files"):
        audit_collection(str(made), progress=False)
    with packing._alone(made), pytest.raises(PackError, match="another process is packing"):
        pack_collection(str(source / "tracks.csv"), made, source / "cache", progress=False)
