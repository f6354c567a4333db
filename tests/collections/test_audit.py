import numpy as np
import pandas as pd
import pytest
import soundfile

from mtt.collections.audit import KINDS, audit_collection
from mtt.config import SAMPLE_RATE
from mtt.files import MttError
from tests.collections.trees import write_table
from tests.tiny import encode_audio, write_audio


def tune(seconds: float, seed: int, rate: int = SAMPLE_RATE) -> np.ndarray:
    """A melody of its own for each seed: notes of 0.25 s."""
    random = np.random.default_rng(seed)
    notes = np.repeat(220 * 2 ** (random.integers(0, 24, round(seconds * 4)) / 12), rate // 4)
    return (0.3 * np.sin(2 * np.pi * np.cumsum(notes) / rate) + 0.01 * random.standard_normal(len(notes))).astype(np.float32)


def audit(folder, split=None):
    return audit_collection(folder / "tracks.csv", split, folder / "cache", progress=False)


@pytest.fixture(scope="module")
def flawed(tmp_path_factory):
    """A collection with one of each problem and two hints, and the rows that an audit must give: (track_id, problem)."""
    folder = tmp_path_factory.mktemp("flawed")
    rows, expected = [], set()

    def add(name, wave, *problems, rate=SAMPLE_RATE, **columns):
        (folder / name).write_bytes(wave) if isinstance(wave, bytes) else write_audio(folder / name, wave, rate)
        rows.append({"path": name, "artist": f"artist of {name}", "tags": "common", "split": "train"} | columns)
        expected.update((name, problem) for problem in problems)

    for number in range(30):
        add(f"good{number:02d}.wav", tune(4, number), *["exact_duplicate", "duplicate_across_sets"] * (number == 3))
    add("copy.flac", encode_audio(soundfile.read(folder / "good03.wav")[0], format="FLAC"), split="test")
    add("near.mp3", 0.7 * tune(9, 100)[SAMPLE_RATE // 3 :], "near_duplicate")
    add("original.wav", tune(9, 100))
    add("text.mp3", b"no music in here", "unreadable")
    whole = encode_audio(tune(20, 9), format="MP3")
    add("cut.mp3", whole[: len(whole) // 2], "cut_short")
    add("silent.wav", np.zeros(3 * SAMPLE_RATE, np.float32), "silent")
    add("short.wav", tune(0.5, 40), "too_short")
    add("clipped.wav", np.clip(20 * tune(4, 41), -1, 1), "clipped")
    add("phone.wav", tune(4, 42, 8000), "low_rate", rate=8000)
    add("studio.wav", tune(4, 43, 48_000), rate=48_000)
    add("nobody.wav", tune(4, 44), "missing_artist", artist=" ")
    add("rare.wav", tune(4, 45), "rare_tag", tags="common|one of a kind")
    add("shared0.wav", tune(4, 46), artist="Shared")
    add("shared1.wav", tune(4, 47), "artist_across_sets", artist="shared ", split="valid")
    add("pool0.wav", tune(4, 48), artist="Pool")
    add("pool1.wav", tune(4, 49), artist="Pool", tags="", split="unlabelled")
    add("odd.wav", tune(4, 50), "unknown_set", split="validation")
    add("unsplit.wav", tune(4, 51), "split_mismatch", split="")
    expected.add(("good00.wav", "tag_everywhere"))
    rows.append({"path": "../elsewhere.wav", "artist": "x", "tags": "common", "split": "train"})
    pd.DataFrame(rows).to_csv(folder / "tracks.csv", index=False)
    return folder, expected | {("../elsewhere.wav", "outside")}


def test_each_problem_is_found_once_and_nothing_else(flawed):
    folder, expected = flawed
    made = audit(folder)
    assert list(made.rows.columns) == ["track_id", "path", "problem", "detail"]
    found = list(zip(made.rows["track_id"], made.rows["problem"], strict=True))
    assert len(found) == len(set(found)) and set(found) == expected
    assert list(made.counts.index) == [name for name in KINDS if name in {problem for _, problem in expected}]
    details = made.rows.set_index("problem")["detail"]
    assert "8000 Hz; nothing above 4 kHz" in details["low_rate"]
    assert "copy of copy.flac" in details["exact_duplicate"] and "artists differ" in details["exact_duplicate"]
    assert "copy of original.wav" in details["near_duplicate"] and "of 20" in details["cut_short"]
    assert details["rare_tag"] == "tag 'one of a kind': 1 track of 1 artist"
    assert "1 in train, 1 in valid" in details["artist_across_sets"]
    assert details["duplicate_across_sets"] == "in train; copy.flac, same content, is in test"
    assert made.tracks == 49 and made.sentence.endswith("14 problems of 14 kinds, 2 hints.")


def test_a_given_split_replaces_the_column(flawed, tmp_path):
    folder, expected = flawed
    ids = pd.read_csv(folder / "tracks.csv")["path"]
    pd.DataFrame({"track_id": ids, "split": "train"}).to_csv(tmp_path / "split.csv", index=False)
    made = audit(folder, tmp_path / "split.csv")
    gone = {"unknown_set", "artist_across_sets", "duplicate_across_sets", "split_mismatch"}
    assert set(made.rows["problem"]) == {problem for _, problem in expected} - gone | {"untagged_in_set"}


def test_what_cannot_be_audited_is_said(tmp_path):
    write_table(tmp_path, ["gone.wav"])
    with pytest.raises(MttError, match=r"none of the 1 files can be used; the first, gone\.wav, is unreadable"):
        audit(tmp_path)
    (tmp_path / "split.csv").write_text("track,set\n")
    with pytest.raises(ValueError, match="split.csv"):
        audit(tmp_path, tmp_path / "split.csv")
