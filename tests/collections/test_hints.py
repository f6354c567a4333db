"""Hints of an audit, on tables without sound."""

import pandas as pd
import pytest

from mtt.collections.audit import artist_hints, split_hints, tag_hints
from mtt.data.corpus import Corpus, label_matrix, split_tags


def table_hints(corpus: Corpus) -> list:
    return [*tag_hints(corpus), *artist_hints(corpus)]


def corpus(artists: list[str], tags: list[str]) -> Corpus:
    """One track a line, t0, t1, ..."""
    ids = pd.Index([f"t{number}" for number in range(len(artists))], name="track_id")
    names = sorted({tag for text in tags for tag in split_tags(text)})
    tracks = pd.DataFrame({"path": ids, "artist": artists, "tags": tags}, index=ids)
    return Corpus("mine", ".", tracks, names, label_matrix(tags, names))


PAIR = ["Ann", "Ann", "Bob", "Bob"]
FOUR = ["rock", "pop", "rock", "pop"]


@pytest.mark.parametrize(
    ("artists", "tags", "hints"),
    [
        (PAIR, FOUR, []),
        (PAIR, ["rock"] * 3 + [""], [("t0", "only_tag", "'rock', on 3 tracks")]),
        (PAIR, ["music|rock", "music", "music", ""], [("t0", "tag_everywhere", "'music', on all 3 tagged tracks")]),
        (PAIR, ["Rock", "rock", "rock ", "pop"], [("t0", "similar_tags", "'Rock' (1 track), 'rock' (2 tracks)")]),
        (PAIR, ["hip hop", "hip-hop", "hip hop", "pop"], [("t1", "similar_tags", "'hip hop' (2 tracks), 'hip-hop' (1 track)")]),
        (PAIR, [*FOUR[:3], "a, b"], [("t3", "joined_tags", "'a, b', on 1 track; if that is several tags, write 'a|b'")]),
    ],
)
def test_a_hint_says_what_it_means_and_where(artists, tags, hints):
    assert list(table_hints(corpus(artists, tags))) == hints


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Beatles", "The Beatles"),
        ("Beatles, The", "the beatles"),
        ("Bowie, David", "David Bowie"),
        ("AC/DC", "ACDC"),
        ("Beyoncé", "Beyonce"),
        ("Simon & Garfunkel", "Simon and Garfunkel"),
        ("Radiohead", "Radiohaed"),
        ("Led Zeppelin", "Led Zepelin"),
        ("Joni Mitchell", "Joni Mitchall"),
    ],
)
def test_artists_that_may_be_one_are_named_with_their_tracks(one, other):
    artists = [one, one, other, "Somebody", "Somebody Else"]
    hints = list(table_hints(corpus(artists, [*FOUR, "pop"])))
    assert hints == [("t2", "similar_artists", f"{one!r} (2 tracks), {other!r} (1 track)")]


@pytest.mark.parametrize("pair", [("ABBA", "ABBE"), ("Studio 11 Band", "Studio 12 Band"), ("!!!", "???"), ("The Band", "The Cars")])
def test_other_artists_are_not(pair):
    assert list(table_hints(corpus([*pair, *pair], FOUR))) == []


def test_a_split_that_does_not_fit_its_collection_is_told_with_an_example_of_each_side():
    known = corpus(PAIR, [*FOUR[:3], ""])
    sets = pd.Series(["train", "valid", "test", "unlabelled"], index=known.tracks.index)
    assert list(split_hints(known, sets)) == [] == list(split_hints(known, sets.where(sets == "", "")))
    other = list(split_hints(known, sets.rename(lambda name: f"x{name}")))
    told = "4 of 4 ids of the split are no track, such as 'xt0'; 4 of 4 tracks have no set, such as 't0'"
    assert other[0] == ("t0", "split_mismatch", told)
