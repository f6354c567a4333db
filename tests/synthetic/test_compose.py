"""Songs keep what their genre and length promise, and their tags follow from what sounds."""

from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mtt.files import fingerprint
from mtt.synthetic.artists import STYLES, credits, make_artists
from mtt.synthetic.compose import GAP, TAG_KINDS, compose, merge_spans
from mtt.synthetic.form import FORMS
from mtt.synthetic.genres import GENRES
from mtt.synthetic.patterns import parse_chord, strokes
from mtt.synthetic.render import GENERATOR_VERSION

ARTISTS = make_artists(0, 300)
BRIEF = 0.35
COMPOSED = {2: "e8cf3f53da0c"}  # generator version -> what it composes


def composed(artist, seconds):
    return compose(list(GENRES)[artist.number % len(GENRES)], artist, seconds, BRIEF, np.random.default_rng(artist.number))


@pytest.fixture(scope="module")
def songs():
    """A song by each artist, of 24 s; each genre in turn."""
    return [composed(artist, 24.0) for artist in ARTISTS]


def test_songs_of_any_length_follow_their_genres(songs):
    for made in songs + [composed(artist, seconds) for artist in ARTISTS[:60] for seconds in (3.0, 6.0, 90.0)]:
        assert made.form.n_sections <= 8 and len(made.form.repeats) == len(made.chords)
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
    assert all(0.04 < shares[tag] / len(songs) < 0.72 for tag in TAG_KINDS)
    assert all(0.13 < shares[tag] / len(songs) < 0.27 for tag in FORMS)
    assert all(4 <= made.form.n_sections <= 8 for made in songs)
    assert np.mean([end - start < 16.0 for made in songs for _, start, end in made.timeline]) > 0.2


def test_brief_parts_are_a_share_of_what_a_genre_can_do_without_and_are_not_cut_off(songs):
    brief = [part for made in songs for part in made.parts if part.brief]
    lasts = np.array([(part.notes[:, 0] + part.notes[:, 1]).max() - part.notes[:, 0].min() for part in brief]) / 24.0
    n_optional = sum(len(made.parts) - sum(role.chance == 1.0 for role in GENRES[made.genre].roles) for made in songs)
    assert len(brief) / n_optional == pytest.approx(BRIEF, abs=0.04)
    assert lasts.max() < 0.205 and np.quantile(lasts, 0.1) > 0.08 and 0.12 < lasts.mean() < 0.18
    assert not any(part.brief for part in compose("rock", ARTISTS[0], 24.0, 0.0, np.random.default_rng(0)).parts)


def heard(made, first: int, end: int) -> list[set[tuple[float, float]]]:
    """Of each lasting part: (sixteenth from bar ``first`` on, pitch) of the notes in the bars up to ``end``."""
    bar = made.meter * 60.0 / made.tempo
    low, high = made.lead_in + first * bar - 0.03, made.lead_in + end * bar - 0.03
    inside = ([note for note in part.notes if low <= note[0] < high] for part in made.parts if not part.brief)
    return [{(round((note[0] - low - 0.03) / bar * 4 * made.meter), note[2]) for note in notes} for notes in inside]


def test_a_return_plays_the_opening_again_after_others_and_no_other_song_does(songs):
    for made in songs:
        form, opening = made.form, made.form.n_opening
        last = int(np.flatnonzero(form.sections == form.n_sections - 1)[0])
        if "return" in made.tags:
            again = int(np.flatnonzero(form.theme)[-1]) + 1
            whole = min(opening, len(made.chords) - 1 - again)  # the excerpt's end cuts the last bar
            first, second, middle = heard(made, 0, whole), heard(made, again, again + whole), heard(made, opening, again)
            shared = sum(len(before & after) for before, after in zip(first, second, strict=True))
            assert whole >= 1 and shared > 0.75 * sum(map(len, first)) and first != middle
        elif len(made.chords) - 1 - last:
            first, second = heard(made, 0, 1), heard(made, last, last + 1)
            assert first != second


def test_a_build_up_enters_part_by_part_and_grows_louder(songs):
    def entries(made):
        return [part.notes[0, 0] for part in made.parts if not part.brief]

    rising = [made for made in songs if "build-up" in made.tags]
    assert all(np.ptp(entries(made)) > 6.0 and "return" not in made.tags for made in rising)

    def growth(made):
        early, late = (
            sum(part.notes[(part.notes[:, 0] >= start) & (part.notes[:, 0] < start + 8.0), 3].sum() for part in made.parts)
            for start in (0, 16)
        )
        return late / early

    assert np.median([growth(made) for made in rising]) > 2.5 > 1.5 > np.median([growth(made) for made in songs if made not in rising])


def test_a_change_of_key_transposes_everything_from_the_middle_on(songs):
    for made in songs:
        shift = made.form.shift
        assert (shift[-1] > 0) == ("key change" in made.tags) and not made.form.shift[0]
        if shift[-1]:
            assert set(shift) == {0, shift[-1]} and 1 <= shift[-1] <= 3 and 0.25 <= np.argmax(shift > 0) / len(shift) <= 0.75
    made = next(made for made in songs if made.tags[-1] == "key change" and GENRES[made.genre].scale == "diatonic")
    change = made.lead_in + np.argmax(made.form.shift > 0) * made.meter * 60.0 / made.tempo - 0.03
    tuned = [part.notes for part in made.parts if part.instrument != "drums"]
    classes = [Counter(int(note[2]) % 12 for notes in tuned for note in notes if (note[0] >= change) == late) for late in (False, True)]
    moved = Counter({(pitch + int(made.form.shift[-1])) % 12: count for pitch, count in classes[0].items()})
    assert len(set(moved) ^ set(classes[1])) < len(set(classes[0]) ^ set(classes[1]))


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
    assert len({artist.style for artist in ARTISTS[:2]}) == 2 and Counter(artist.style for artist in ARTISTS) == dict.fromkeys(STYLES, 150)
    home, studio = ([artist.chain for artist in ARTISTS if artist.style == style] for style in ("home", "studio"))
    for name in ("bandwidth", "loudness"):
        assert max(getattr(chain, name) for chain in home) < min(getattr(chain, name) for chain in studio)
    for name in ("noise_level", "room_seconds"):
        assert min(getattr(chain, name) for chain in home) >= max(getattr(chain, name) for chain in studio)
    assert credits(0, 5, 1) == credits(0, 5, 1) != credits(0, 6, 1)
