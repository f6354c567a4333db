"""Songs keep what their genre and length promise, and their tags follow from what sounds."""

from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mtt.files import fingerprint
from mtt.synthetic.artists import credits, make_artists
from mtt.synthetic.compose import GAP, TAG_KINDS, compose, merge_spans
from mtt.synthetic.genres import GENRES
from mtt.synthetic.patterns import parse_chord, strokes
from mtt.synthetic.render import GENERATOR_VERSION

ARTISTS = make_artists(0, 300)
BRIEF = 0.35
COMPOSED = {2: "?"}  # generator version -> what it composes


@pytest.fixture(scope="module")
def songs():
    """A song by each artist, of 24 s; each genre in turn."""
    return [
        compose(list(GENRES)[artist.number % len(GENRES)], artist, 24.0, BRIEF, np.random.default_rng(artist.number)) for artist in ARTISTS
    ]


def test_songs_follow_their_genres(songs):
    short = [
        compose(made.genre, artist, 3.0, BRIEF, np.random.default_rng(artist.number)) for made, artist in zip(songs, ARTISTS, strict=True)
    ]
    for made in songs + short:
        low, high = GENRES[made.genre].tempo
        assert low <= made.tempo <= high
        assert [tag for tag in made.tags if TAG_KINDS[tag] == "genre"] == [made.genre]
        assert {name for name, _, _ in made.timeline} == {tag for tag in made.tags if TAG_KINDS[tag] == "instrument"}
        for part in made.parts:
            start, duration, pitch, velocity = part.notes.T
            assert len(start) and (start >= 0).all() and (start + duration <= made.seconds + 1e-9).all()
            assert (duration > 0).all() and (velocity > 0).all() and (velocity <= 1).all()
            assert pitch.min() >= 24 and pitch.max() <= 96


def test_what_is_composed_changes_only_with_the_generators_version(songs):
    """If this fails, raise GENERATOR_VERSION and put the new fingerprint here: cached corpora are then rendered anew."""
    assert fingerprint([[made.tags, [len(part.notes) for part in made.parts]] for made in songs]) == COMPOSED[GENERATOR_VERSION]


def test_no_tag_is_nearly_always_or_never_on_and_instruments_enter_and_leave(songs):
    shares = Counter(tag for made in songs for tag in made.tags)
    assert all(0.04 < shares[tag] / len(songs) < 0.9 for tag in TAG_KINDS)
    assert np.mean([end - start < 16.0 for made in songs for _, start, end in made.timeline]) > 0.2


@given(st.lists(st.tuples(st.floats(0, 30), st.floats(0.01, 5)), min_size=1, max_size=30))
def test_merged_spans_are_apart_and_cover_every_note(notes):
    starts, ends = np.array([start for start, _ in notes]), np.array([start + length for start, length in notes])
    merged = merge_spans(starts, ends, GAP)
    assert all(later[0] - earlier[1] >= GAP - 2e-3 for earlier, later in zip(merged, merged[1:], strict=False))
    for start, end in zip(starts, ends, strict=True):
        assert any(first <= start + 1e-3 and end <= last + 1e-3 for first, last in merged)
    bounds = {round(float(bound), 3) for bound in (*starts, *ends)}
    assert all(first in bounds and last in bounds for first, last in merged)


def test_chords_and_strokes():
    assert parse_chord("I", 0) == (0, 4, 7)
    assert parse_chord("bVI", 9) == (5, 9, 0)
    assert parse_chord("ii7", 0) == (2, 5, 9, 0)
    for genre in GENRES.values():
        assert all(parse_chord(numeral, 0) for mode in genre.progressions for chords in mode for numeral in chords.split())
    assert strokes("X.......x.......", 16) == [(0, 1.0, 8), (8, 0.75, 8)]
    assert strokes("X.......x.......", 12) == [(0, 1.0, 8), (8, 0.75, 4)]  # ends with a bar of three beats


def test_artists_are_distinct_and_stable():
    assert len({artist.name for artist in ARTISTS}) == len(ARTISTS)
    assert make_artists(0, 12) == ARTISTS[:12] and make_artists(1, 12) != ARTISTS[:12]
    assert len({next(iter(artist.genres)) for artist in ARTISTS[:12]}) == 12
    assert credits(0, 5, 1) == credits(0, 5, 1) != credits(0, 6, 1)
