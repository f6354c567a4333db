"""Songs keep what their genre and length promise, and their tags follow from what sounds."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mtt.synthetic.compose import GAP, TAG_KINDS, Style, compose, merge_spans
from mtt.synthetic.genres import GENRES, INSTRUMENTS
from mtt.synthetic.patterns import parse_chord, strokes


def song(genre: str, seed: int = 0, seconds: float = 30.0):
    return compose(genre, Style(), seconds, np.random.default_rng(seed))


def test_tags_and_kinds():
    assert 26 <= len(TAG_KINDS) <= 30
    kinds = Counter(TAG_KINDS.values())
    assert kinds["genre"] >= 12 and kinds["instrument"] >= 10 and kinds["mood"] >= 3


@pytest.mark.parametrize("genre", GENRES)
@pytest.mark.parametrize("seconds", [6.0, 30.0])
def test_song_follows_its_genre(genre, seconds):
    for seed in range(4):
        made = song(genre, seed, seconds)
        low, high = GENRES[genre].tempo
        assert low <= made.tempo <= high
        assert genre in made.tags and sum(TAG_KINDS[tag] == "genre" for tag in made.tags) == 1
        for part in made.parts:
            start, duration, pitch, velocity = part.notes.T
            assert len(start) and (start >= 0).all() and (start + duration <= seconds + 1e-9).all()
            assert (duration > 0).all() and (velocity > 0).all() and (velocity <= 1).all()
            assert pitch.min() >= 24 and pitch.max() <= 96


@pytest.mark.parametrize("genre", GENRES)
def test_instrument_tags_are_the_timeline(genre):
    made = song(genre, 7)
    assert {name for name, _, _ in made.timeline} == {tag for tag in made.tags if tag in INSTRUMENTS}


def test_same_generator_same_song():
    first, second = song("jazz", 3), song("jazz", 3)
    assert first.tempo == second.tempo
    assert all((a.notes == b.notes).all() for a, b in zip(first.parts, second.parts, strict=True))
    assert song("jazz", 4).timeline != first.timeline


def test_no_tag_is_nearly_always_or_never_on():
    names = list(GENRES)
    songs = [song(names[seed % len(names)], seed) for seed in range(360)]
    shares = Counter(tag for made in songs for tag in made.tags)
    assert all(0.04 < shares[tag] / len(songs) < 0.9 for tag in TAG_KINDS)


def test_instruments_enter_and_leave():
    spans = [span for seed in range(20) for span in song("pop", seed).timeline]
    assert np.mean([end - start < 20.0 for _, start, end in spans]) > 0.2


spans = st.lists(st.tuples(st.floats(0, 30), st.floats(0.01, 5)), min_size=1, max_size=30)


@given(spans)
def test_merged_spans_are_apart_and_cover_every_note(notes):
    starts, ends = np.array([start for start, _ in notes]), np.array([start + length for start, length in notes])
    merged = merge_spans(starts, ends, GAP)
    assert all(later[0] - earlier[1] >= GAP - 2e-3 for earlier, later in zip(merged, merged[1:], strict=False))
    for start, end in zip(starts, ends, strict=True):
        assert any(first <= start + 1e-3 and end <= last + 1e-3 for first, last in merged)


def test_chords():
    assert parse_chord("I", 0).pitch_classes == (0, 4, 7)
    assert parse_chord("bVI", 9).pitch_classes == (5, 9, 0)
    assert parse_chord("ii7", 0).pitch_classes == (2, 5, 9, 0)
    with pytest.raises(ValueError, match="chord 'H' is no Roman numeral"):
        parse_chord("H", 0)


def test_strokes_end_with_the_bar():
    assert strokes("X.......x.......", 4) == [(0, 1.0, 8), (8, 0.75, 8)]
    assert strokes("X.......x.......", 3) == [(0, 1.0, 8), (8, 0.75, 4)]
