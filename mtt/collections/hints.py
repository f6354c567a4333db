"""What a collection's table has that may be meant otherwise: tags that teach nothing or are one tag written twice, artists too.

Conventions: a hint is ``track_id, kind, detail``, as a problem of the audit is; nothing is left out for it. ``HINTS`` names all kinds.
Whether two artists are one decides whether they may stand in different sets, so names that are nearly alike are worth a look.
"""

import itertools
import os
import re
import unicodedata
from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Iterator

import pandas as pd

from mtt.data.corpus import TAG_SEPARATOR, Corpus
from mtt.splits.check import SETS

HINTS = {
    "only_tag": "hint: there is one tag only; a model learns to tell tags apart",
    "tag_everywhere": "hint: every tagged track has the tag, which then teaches nothing",
    "similar_tags": "hint: tags that differ in case, spaces or hyphens alone are different tags",
    "joined_tags": f"hint: a comma or semicolon in a tag; tags are joined by {TAG_SEPARATOR}",
    "similar_artists": "hint: artists that may be one; as two they can stand in different sets",
    "split_mismatch": "hint: the split and the collection do not name the same tracks; those without a set are excluded",
    "untagged_in_set": "hint: tracks without tags teach and test nothing: those of train join the pool, others are excluded",
}
LONG = 8  # letters of a name in which one more, less or other is rather a slip than another name
_JOINING = {"the", "and"}

Hint = tuple[str, str, str]  # track_id, kind, detail


def table_hints(corpus: Corpus) -> Iterator[Hint]:
    """Hints on tags and artists."""
    yield from _tag_hints(corpus)
    yield from _artist_hints(corpus)


def _tag_hints(corpus: Corpus) -> Iterator[Hint]:
    counts = dict(zip(corpus.tags, corpus.labels.sum(axis=0).tolist(), strict=True))
    having = {tag: corpus.tracks.index[column.argmax()] for tag, column in zip(corpus.tags, corpus.labels.T, strict=True)}
    tagged = int(corpus.is_labelled.sum())
    used = [tag for tag, count in counts.items() if count]
    if len(used) == 1:
        yield having[used[0]], "only_tag", f"{used[0]!r}, on {_tracks(counts[used[0]])}"
    else:
        for tag in used:
            if counts[tag] == tagged > 1:
                yield having[tag], "tag_everywhere", f"{tag!r}, on all {tagged:,} tagged tracks"
    for alike in _grouped(used, lambda tag: re.sub(r"[\s_-]", "", unicodedata.normalize("NFKC", tag).casefold())):
        rarest = min(alike, key=counts.get)
        yield having[rarest], "similar_tags", ", ".join(f"{tag!r} ({_tracks(counts[tag])})" for tag in alike)
    for tag in used:
        if re.search("[,;]", tag):
            meant = TAG_SEPARATOR.join(part.strip() for part in re.split("[,;]", tag) if part.strip())
            yield having[tag], "joined_tags", f"{tag!r}, on {_tracks(counts[tag])}; if that is several tags, write {meant!r}"


def _artist_hints(corpus: Corpus) -> Iterator[Hint]:
    artists = corpus.artists[corpus.artists != ""]
    counts, first = artists.value_counts(sort=False), artists.drop_duplicates()
    written = corpus.tracks["artist"]
    track_of = dict(zip(first, first.index, strict=True))
    for alike in _similar(counts.index):
        rarest = min(alike, key=counts.get)
        names = ", ".join(f"{written[track_of[key]]!r} ({_tracks(counts[key])})" for key in alike)
        yield track_of[rarest], "similar_artists", names


def split_hints(corpus: Corpus, given: pd.Series) -> Iterator[Hint]:
    """Hints on a split that came with the collection: track_id -> set, ``""`` for none."""
    tracks, named = corpus.tracks.index, given.index[given != ""]
    if not len(named):
        return
    strange = given.index.difference(tracks.union(corpus.problems["track_id"]), sort=False)
    unset = tracks.difference(named, sort=False)
    faults = [f"{len(strange):,} of {len(given):,} ids of the split are no track, such as {strange[0]!r}"] if len(strange) else []
    faults += [f"{len(unset):,} of {len(tracks):,} tracks have no set, such as {unset[0]!r}"] if len(unset) else []
    if faults:
        yield (unset if len(unset) else tracks)[0], "split_mismatch", "; ".join(faults)
    sets = given.reindex(tracks)
    for name in SETS:
        own = sets == name
        untagged = tracks[own & ~corpus.is_labelled]
        if len(untagged):
            yield untagged[0], "untagged_in_set", f"{len(untagged):,} of {_tracks(own.sum())} of {name}, such as {untagged[0]!r}"


def _tracks(count: int) -> str:
    return f"{count:,} track{'' if count == 1 else 's'}"


def _grouped(names: Iterable[str], form: Callable[[str], Hashable]) -> list[list[str]]:
    """Those of ``names`` that have one form, in groups of two or more."""
    groups = defaultdict(list)
    for name in names:
        groups[form(name)].append(name)
    return [group for group in groups.values() if len(group) > 1]


def _similar(keys: Iterable[str]) -> list[tuple[str, ...]]:
    """Artists (keys of ``artist_keys``) that may be one: the same words in another order, or the same letters, accents, signs, "the" and
    "and" aside; or, of long names, one letter more, less or other, or two that changed places.
    """
    words = {key: _words(key) for key in keys}
    letters = {key: "".join(own) for key, own in words.items()}
    alike = _grouped(words, lambda key: tuple(sorted(words[key]))) + _grouped(letters, letters.get)
    key_of = {form: key for key, form in letters.items() if len(form) >= LONG}
    alike += [[key_of[one], key_of[other]] for one, other in _one_letter_apart(key_of)]
    return list(dict.fromkeys(map(tuple, alike)))


def _words(key: str) -> list[str]:
    """``["beyonce"]`` of "beyoncé", ``["wailers"]`` of "the wailers"; a name without any letter stands for itself."""
    plain = "".join(letter for letter in unicodedata.normalize("NFKD", key) if not unicodedata.combining(letter))
    words = re.findall(r"\w+", plain)
    return [word for word in words if word not in _JOINING] or words or [key]


def _one_letter_apart(forms: Iterable[str]) -> list[tuple[str, str]]:
    """Pairs of which one becomes the other by one letter more, less or other, or by two letters that change places.

    Such pairs become one text when a letter at most is taken from each, so that time grows with the number of names, not of pairs.
    """
    shorter = defaultdict(list)
    for form in forms:
        for text in {form, *(form[:place] + form[place + 1 :] for place in range(len(form)))}:
            shorter[hash(text)].append(form)
    pairs = {pair for alike in shorter.values() for pair in itertools.combinations(alike, 2)}
    return sorted(pair for pair in pairs if _is_slip(*pair))


def _is_slip(one: str, other: str) -> bool:
    """Whether two names differ as in ``_one_letter_apart``. Digits count as they are: "Studio 11" and "Studio 12" are two."""
    start = len(os.path.commonprefix([one, other]))
    end = min(len(os.path.commonprefix([one[::-1], other[::-1]])), len(one) - start, len(other) - start)
    a, b = one[start : len(one) - end], other[start : len(other) - end]
    return not re.search(r"\d", a + b) and (max(len(a), len(b)) == 1 or (len(a) == 2 and a == b[::-1]))
