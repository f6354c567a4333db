"""The audit of a collection: everything that is wrong with its files, its table and its split, one row per problem.

Conventions: a row is ``track_id, path, problem, detail``. A problem of several tracks has one row, with the track to look at first.
``PROBLEMS`` names all kinds, in the order in which they are reported; hints, for which nothing is left out, follow. Copies are those that
a study leaves out.
"""

import itertools
import re
import unicodedata
from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from mtt.collections.duplicates import clean, find_duplicates
from mtt.collections.inspection import MINIMUM_SECONDS, SILENCE_DB, inspect_tracks
from mtt.collections.load import load_corpus
from mtt.config import SAMPLE_RATE
from mtt.data.corpus import PROBLEM_COLUMNS, TAG_SEPARATOR, Corpus
from mtt.files import MttError, home
from mtt.reading.decoding import FULL_SCALE
from mtt.splits.check import SEPARATE_SETS, SETS, SPLIT_VALUES, artist_codes
from mtt.splits.make import read_split

CLIPPED_SHARE = 0.001  # of the samples at full scale: a limiter leaves fewer
RARE_TRACKS = 15  # five in each of train, valid and test: what a study asks of a tag
RARE_ARTISTS = 3  # one for each set, since sets share no artist

PROBLEMS = {
    "outside": "the path leads out of the table's folder, by '..' or as an absolute path; the track is left out",
    "absent": "not in the data set's folder; the track is left out",
    "unreadable": "missing, not audio, or of a wrong scale; the track is left out",
    "silent": f"below {SILENCE_DB:g} dB; the track is left out",
    "cancelled": "the channels cancel when they are mixed; the track is left out",
    "too_short": f"below {MINIMUM_SECONDS:g} s; the track is left out",
    "cut_short": "the file is damaged, was cut or never finished; what can be decoded is used",
    "clipped": f"{CLIPPED_SHARE:.1%} or more of the samples at full scale",
    "low_rate": f"sampled below {SAMPLE_RATE} Hz: high frequencies are lost",
    "exact_duplicate": "the same samples as another track; a study keeps one of them",
    "near_duplicate": "the same recording as another track; a study keeps one of them",
    "missing_artist": "no artist, so that nothing keeps the track in one set; a study leaves it out",
    "rare_tag": f"a tag with fewer than {RARE_TRACKS} tracks or {RARE_ARTISTS} artists: too few for train, valid and test",
    "unknown_set": f"the split names a set that is none of {', '.join(SPLIT_VALUES)}",
    "artist_across_sets": "an artist in two sets that must share none",
    "duplicate_across_sets": "copies in two sets that must share none",
}
HINTS = {
    "only_tag": "hint: there is one tag only; a model learns to tell tags apart",
    "tag_everywhere": "hint: every tagged track has the tag, which then teaches nothing",
    "similar_tags": "hint: tags that differ in case, spaces or hyphens alone are different tags",
    "joined_tags": f"hint: a comma or semicolon in a tag; tags are joined by {TAG_SEPARATOR}",
    "similar_artists": "hint: artists that may be one; as two they can stand in different sets",
    "split_mismatch": "hint: the split and the collection do not name the same tracks; those without a set are excluded",
    "untagged_in_set": "hint: tracks without tags teach and test nothing: those of train join the pool, others are excluded",
}
KINDS = PROBLEMS | HINTS
LONG = 8  # letters of a name in which one more, less or other is rather a slip than another name
_JOINING = {"the", "and"}


@dataclass(frozen=True)
class Audit:
    """What an audit found."""

    name: str
    tracks: int
    hours: float  # of sound that could be decoded
    rows: pd.DataFrame  # ``PROBLEM_COLUMNS``, in the order of ``KINDS`` and then of the collection

    @property
    def counts(self) -> pd.DataFrame:
        """Problem or hint -> rows (how many) and what it means; kinds that do not occur are left out."""
        found = self.rows["problem"].value_counts()
        names = [name for name in KINDS if name in found]
        return pd.DataFrame({"rows": found[names], "meaning": pd.Series(KINDS)[names]}, index=pd.Index(names, name="problem"))

    @property
    def sentence(self) -> str:
        kinds = self.rows["problem"].isin(PROBLEMS)
        found = f"{kinds.sum():,} problems of {self.rows['problem'][kinds].nunique()} kinds, {(~kinds).sum():,} hints"
        return f"{self.name}: {self.tracks:,} tracks, {self.hours:,.1f} hours; {found if len(self.rows) else 'no problem found'}."


def audit_collection(source: str | Path, split: str | Path | None = None, cache: str | Path | None = None, progress: bool = True) -> Audit:
    """Audit what ``load_corpus`` takes, but a packed collection. The split is that of the file ``split``, else of the column ``split``.

    Raises ``MttError`` for a collection that is packed, is none or has no usable file, and for a file that holds no split.
    """
    cache = Path(cache or home() / "cache")
    given = None if split is None else read_split(split)
    corpus = load_corpus(source, cache=cache, progress=progress)
    if corpus.packed is not None:
        raise MttError(f"{source}: is packed, and the audit reads original files; audit the collection that it was made from")
    tracks = corpus.tracks
    found = inspect_tracks(tracks, corpus.root, cache, progress=progress)  # read back: loading has just seen them all
    if given is None:
        given = tracks.get("split", pd.Series("", index=tracks.index))
    duplicates = find_duplicates(tracks["digest"], corpus.fingerprints)
    faults = [*_file_faults(found), *_label_faults(corpus), *_split_faults(corpus, given, duplicates)]
    faults += [*tag_hints(corpus), *artist_hints(corpus), *split_hints(corpus, given)]
    rows = pd.DataFrame(faults, columns=["track_id", "problem", "detail"]).join(tracks["path"], on="track_id")
    copies = clean(tracks, corpus.is_labelled, duplicates)[1]  # those that a study leaves out
    rows = pd.concat([corpus.problems, copies, rows], ignore_index=True)[PROBLEM_COLUMNS]
    order = np.lexsort((tracks.index.get_indexer(rows["track_id"]), rows["problem"].map(list(KINDS).index)))
    hours = tracks["seconds"].sum() / 3600
    return Audit(corpus.name, len(corpus) + len(corpus.problems), hours, rows.iloc[order].reset_index(drop=True))


Fault = tuple[str, str, str]  # track_id, problem, detail


def _file_faults(found: pd.DataFrame) -> Iterator[Fault]:
    """What is wrong with files that can be used all the same."""
    for file in found.itertuples():
        if file.fault:
            yield file.Index, "cut_short", file.fault
        if file.clipped >= CLIPPED_SHARE:
            yield file.Index, "clipped", f"{file.clipped:.2%} of the samples are beyond {FULL_SCALE:g}"
        if file.sample_rate < SAMPLE_RATE:
            yield file.Index, "low_rate", f"{file.sample_rate} Hz; nothing above {file.sample_rate / 2000:g} kHz"


def _label_faults(corpus: Corpus) -> Iterator[Fault]:
    """What is wrong with tags and artists."""
    codes = artist_codes(corpus.artists)
    for track_id in corpus.tracks.index[codes < 0]:
        yield track_id, "missing_artist", "no artist; name one so that the track can be kept in one set with its artist's others"
    for column, tag in enumerate(corpus.tags):
        having = np.flatnonzero(corpus.labels[:, column])
        artists = len(set(codes[having]) - {-1})
        if len(having) and (len(having) < RARE_TRACKS or artists < RARE_ARTISTS):
            detail = f"tag {tag!r}: {len(having)} track{'s'[: len(having) > 1]} of {artists} artist{'s'[: artists != 1]}"
            yield corpus.tracks.index[having[0]], "rare_tag", detail


def _split_faults(corpus: Corpus, given: pd.Series, duplicates: pd.DataFrame) -> Iterator[Fault]:
    """What is wrong with a split that came with the collection; tracks that it does not name are excluded."""
    sets = given.reindex(corpus.tracks.index).fillna("").replace("", "excluded")
    for track_id, name in sets[~sets.isin(SPLIT_VALUES)].items():
        yield track_id, "unknown_set", repr(name)
    codes = pd.Series(artist_codes(corpus.artists), index=sets.index)
    used = sets[sets.isin(SPLIT_VALUES) & (sets != "excluded") & (codes >= 0)]
    for _, own in used[used.groupby(codes).transform("nunique") > 1].groupby(codes):
        counts = own.value_counts()
        held_out = next((name for name in ("test", "valid") if name in counts), None)
        if held_out:  # the unlabelled pool may share artists with train
            track_id = own.index[own == held_out][0]
            shown = ", ".join(f"{counts[name]} in {name}" for name in SPLIT_VALUES if name in counts)
            yield track_id, "artist_across_sets", f"{corpus.tracks.at[track_id, 'artist']!r}: {shown}"
    for pair in duplicates.itertuples():
        here, there = sets[pair.track_id], sets[pair.other]
        if (here, there) in SEPARATE_SETS or (there, here) in SEPARATE_SETS:
            yield pair.track_id, "duplicate_across_sets", f"in {here}; {pair.other}, {pair.detail}, is in {there}"


def tag_hints(corpus: Corpus) -> Iterator[Fault]:
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


def artist_hints(corpus: Corpus) -> Iterator[Fault]:
    artists = corpus.artists[corpus.artists != ""]
    counts, first = artists.value_counts(sort=False), artists.drop_duplicates()
    written = corpus.tracks["artist"]
    track_of = dict(zip(first, first.index, strict=True))
    for alike in _similar(counts.index):
        rarest = min(alike, key=counts.get)
        names = ", ".join(f"{written[track_of[key]]!r} ({_tracks(counts[key])})" for key in alike)
        yield track_of[rarest], "similar_artists", names


def split_hints(corpus: Corpus, given: pd.Series) -> Iterator[Fault]:
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
    "and" aside; or, of long names, one letter more, less, other or elsewhere.
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
    """Pairs that become one text when a letter at most is taken from each: one more, less, other or elsewhere.

    So time grows with the number of names, not of pairs. Digits count as they are: "Studio 11" and "Studio 12" are two.
    """
    shorter = defaultdict(list)
    for form in forms:
        for text in {form, *(form[:place] + form[place + 1 :] for place in range(len(form)))}:
            shorter[hash(text)].append(form)
    pairs = {pair for alike in shorter.values() for pair in itertools.combinations(alike, 2)}
    return sorted((one, other) for one, other in pairs if re.sub(r"\D", "", one) == re.sub(r"\D", "", other))
