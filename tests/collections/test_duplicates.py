import io

import numpy as np
import pandas as pd
import pytest
import scipy.signal
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st

from mtt.collections import duplicates
from mtt.collections.duplicates import MAX_BIT_ERROR, Fingerprint, clean, find_duplicates, find_near_duplicates
from mtt.config import SAMPLE_RATE as RATE

BEAT = RATE // 2  # samples
SECONDS = 12


def audio_fingerprint(wave: np.ndarray) -> np.ndarray:
    made = Fingerprint()
    made.add(wave)
    return made.words()


def note(pitch: float) -> np.ndarray:
    """A beat of six harmonics that fade."""
    t = np.arange(BEAT) / RATE
    frequency = 440 * 2 ** ((pitch - 69) / 12)
    return sum(np.sin(2 * np.pi * frequency * h * t) / h for h in range(1, 7)) * np.exp(-3 * t)


def drum_loop() -> np.ndarray:
    """Two seconds of kick, snare and hi-hat, the same for every song."""
    rng, loop = np.random.default_rng(99), np.zeros(4 * BEAT)
    for i in range(8):
        n, start = RATE // 5, i * BEAT // 2
        kick = np.sin(2 * np.pi * 80 * np.arange(n) / RATE) * (i % 2 == 0)
        loop[start : start + n] += (kick + rng.normal(size=n) * (0.5 if i % 4 == 2 else 0.15)) * np.exp(-25 * np.arange(n) / RATE)
    return loop


def song(seed: int) -> np.ndarray:
    """A melody of its own in one key and tempo, over the common drum loop, which is loud, and bass line."""
    rng = np.random.default_rng(seed)
    wave = np.tile(2 * drum_loop(), SECONDS // 2)
    beats = [0.5 * note(rng.choice([60, 62, 64, 67, 69, 72])) + 0.3 * note((36, 41, 43, 38)[beat % 4]) for beat in range(2 * SECONDS)]
    wave += np.concatenate(beats)
    return (0.8 * wave / np.abs(wave).max()).astype(np.float32)


def as_mp3(wave: np.ndarray) -> np.ndarray:
    """Decoded MP3 of about 56 kbit/s."""
    file = io.BytesIO()
    soundfile.write(file, wave, RATE, format="MP3", bitrate_mode="CONSTANT", compression_level=0.7)
    file.seek(0)
    return soundfile.read(file, dtype="float32")[0]


def low_pass(wave: np.ndarray, hz: float) -> np.ndarray:
    return scipy.signal.sosfilt(scipy.signal.butter(8, hz, fs=RATE, output="sos"), wave).astype(np.float32)


COPIES = {
    "late": lambda wave: np.concatenate([np.zeros(RATE, dtype=np.float32), wave]),
    "quieter, trimmed, dulled and coded": lambda wave: as_mp3(low_pass(0.5 * wave[int(0.3 * RATE) :], 5000)),
}


@pytest.fixture(scope="module")
def songs() -> dict[str, np.ndarray]:
    return {f"song {seed}": song(seed) for seed in range(4)}


@pytest.mark.parametrize("copy", COPIES)
def test_a_copy_is_found_and_other_songs_over_the_same_loop_are_not(songs, copy):
    originals = {name: audio_fingerprint(wave) for name, wave in songs.items()}
    copies = {f"{name} {copy}": audio_fingerprint(COPIES[copy](songs[name])) for name in originals}
    found = find_near_duplicates({**originals, **copies})
    assert set(zip(found["other"], found["track_id"], strict=True)) == {(name, f"{name} {copy}") for name in originals}
    rates = found["detail"].str.extract(r"bit error rate ([\d.]+), offset ([+-][\d.]+) s").astype(float)
    assert (rates[0] <= 0.6 * MAX_BIT_ERROR).all()
    assert np.abs(rates[1] - (-1.0 if copy == "late" else 0.3)).max() < 0.06


def test_songs_over_the_same_loop_stay_far_from_the_threshold(songs, monkeypatch):
    monkeypatch.setattr(duplicates, "MAX_BIT_ERROR", 1.3 * MAX_BIT_ERROR)
    assert find_near_duplicates({name: audio_fingerprint(wave) for name, wave in songs.items()}).empty


def test_silence_and_what_is_too_short_have_no_bits(songs):
    wave = songs["song 0"]
    assert not audio_fingerprint(np.zeros(5 * RATE, dtype=np.float32)).any() and len(audio_fingerprint(wave[: RATE // 2])) == 0
    gap = wave.copy()
    gap[4 * RATE : 6 * RATE] = 0
    inside = slice(87, 119)  # windows of frame and of 8 frames before lie in the gap
    assert not audio_fingerprint(gap)[inside].any() and audio_fingerprint(wave)[inside].all()


def test_overlap_of_half_the_shorter_is_needed():
    bits = np.random.default_rng(0).integers(1, 2**32, 300, dtype=np.uint32)
    excerpt = find_near_duplicates({"a": bits, "b": bits[190:]})  # shorter, but wholly inside
    assert excerpt["detail"].tolist() == [f"bit error rate 0.000, offset {190 * 256 / 5512.5:+.2f} s"]
    other = np.random.default_rng(1).integers(1, 2**32, 300, dtype=np.uint32)
    assert find_near_duplicates({"a": bits, "b": np.concatenate([bits[190:], other])}).empty
    assert len(find_near_duplicates({"a": bits, "b": np.concatenate([bits[140:], other])[:300]})) == 1


def test_bit_error_rate_by_hand(monkeypatch):
    bits = np.random.default_rng(0).integers(2**16, 2**32, 100, dtype=np.uint32)
    noisy = bits.copy()
    noisy[:50] ^= 0b1111  # 4 of 32 bits in half of the frames
    assert find_near_duplicates({"a": bits, "b": noisy})["detail"].tolist() == ["bit error rate 0.062, offset +0.00 s"]
    for limit, found in {0.0625: 1, 0.0624: 0}.items():
        monkeypatch.setattr(duplicates, "MAX_BIT_ERROR", limit)
        assert len(find_near_duplicates({"a": bits, "b": noisy})) == found


def test_exact_duplicates_by_hand():
    digests = pd.Series({"d": "x", "a": "y", "c": "x", "b": "x", "i": "z"})
    bits = np.random.default_rng(0).integers(1, 2**32, 100, dtype=np.uint32)
    found = find_duplicates(digests, dict.fromkeys(digests.index, bits))  # "a" is near to both "b" and "i"
    assert found.to_numpy().tolist()[:2] == [["c", "b", "same content"], ["d", "b", "same content"]]
    assert found[["track_id", "other"]].to_numpy().tolist()[2:] == [["b", "a"], ["i", "a"], ["i", "b"]]
    assert find_duplicates(digests.iloc[:0], {}).empty


def collection(*artists: str, labelled: tuple[int, ...] = (), digests: str = "0123456789") -> tuple[pd.DataFrame, pd.Series]:
    ids = [f"t{i}" for i in range(len(artists))]
    columns = {"path": [f"{i}.mp3" for i in ids], "artist": artists, "digest": list(digests[: len(ids)]), "seconds": 30.0}
    tracks = pd.DataFrame(columns, index=pd.Index(ids, name="track_id"))
    return tracks, pd.Series([number in labelled for number in range(len(ids))], tracks.index)


def pairs(*found: tuple[str, str]) -> pd.DataFrame:
    return pd.DataFrame([(a, b, "found") for a, b in found], columns=["track_id", "other", "detail"])


def test_clean_keeps_the_labelled_copy_then_the_first():
    kept, removed = clean(*collection("a", "a", "b", "b", "c", labelled=(1,), digests="xxyyz"), pairs(("t1", "t0"), ("t3", "t2")))
    assert list(kept) == ["t1", "t2", "t4"]
    assert removed.to_numpy().tolist() == [
        ["t0", "t0.mp3", "exact_duplicate", "copy of t1, which is kept: same content"],
        ["t3", "t3.mp3", "exact_duplicate", "copy of t2, which is kept: same content"],
    ]


def test_clean_keeps_the_longest_copy_then_one_whose_format_loses_nothing():
    tracks, labelled = collection(*["a"] * 6)
    tracks["seconds"] = [12.0, 1260.0, 30.2, 29.9, 30.0, 30.0]
    tracks.loc["t5", "path"] = "t5.FLAC"
    kept, _ = clean(tracks, labelled, pairs(("t1", "t0"), ("t3", "t2"), ("t5", "t4")))
    assert list(kept) == ["t1", "t2", "t5"]  # 30.2 and 29.9 s are the same length: coding and trimming take that much


def test_clean_tells_when_copies_have_other_artists_and_how_they_are_linked():
    kept, removed = clean(*collection("a", "b", "a", "A "), pairs(("t1", "t0"), ("t2", "t1"), ("t3", "t2")))
    assert list(kept) == ["t0"]
    assert removed["problem"].tolist() == ["near_duplicate"] * 3
    assert removed["detail"].tolist() == [
        "copy of t0, which is kept: found; artists differ: b here, a there",
        "copy of t0, which is kept: through another copy",
        "copy of t0, which is kept: through another copy",
    ]


def test_clean_keeps_no_copy_without_an_artist_where_another_has_one():
    kept, removed = clean(*collection(" ", "a", labelled=(0,)), pairs(("t1", "t0")))
    assert list(kept) == ["t1"] and removed["track_id"].tolist() == ["t0"]
    kept, removed = clean(*collection("", ""), pairs(("t1", "t0")))  # neither can be used: neither is a copy of one that is kept
    assert list(kept) == ["t0", "t1"] and removed.empty
    assert list(removed.columns) == ["track_id", "path", "problem", "detail"]


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)).filter(lambda p: p[0] != p[1]), max_size=12))
def test_clean_leaves_one_of_each_connected_group(edges):
    tracks, labelled = collection(*["a"] * 10)
    kept, removed = clean(tracks, labelled, pairs(*[(f"t{a}", f"t{b}") for a, b in edges]))
    groups = [{i} for i in range(10)]
    for a, b in edges:
        joined = [g for g in groups if a in g or b in g]
        groups = [g for g in groups if g not in joined] + [set.union(*joined)]
    assert list(kept) == sorted(f"t{min(g)}" for g in groups)
    assert sorted([*kept, *removed["track_id"]]) == list(tracks.index)
