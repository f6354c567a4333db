"""The audit of a collection: everything that is wrong with its files, its table and its split, one row per problem.

Conventions: a row is ``track_id, path, problem, detail``. A problem of several tracks has one row, with the track to look at first: the
copy that goes, the first track of a rare tag, an artist's first track in the held-out set. ``PROBLEMS`` names all kinds, in the order
in which they are reported. Copies are those that ``mtt.collections.duplicates`` finds and a study leaves out.

Rates: below 22 050 Hz a file cannot hold what models listen to, so bandwidth is lost for good (``low_rate``). Another rate than that of
nine files in ten (``unusual_rate``) is resampled without loss, but tells of another origin than the others'. Collections of mixed rates
have no usual one.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from mtt.collections.duplicates import clean, find_duplicates, find_missing_artists
from mtt.collections.inspection import FULL_SCALE, inspect_tracks
from mtt.collections.load import load_corpus
from mtt.collections.packed import PackError, packed_folder
from mtt.config import SAMPLE_RATE, home
from mtt.data.corpus import PROBLEM_COLUMNS, Corpus
from mtt.splits.check import SEPARATE_SETS, SPLIT_VALUES, artist_codes
from mtt.splits.make import read_split

CLIPPED_SHARE = 0.001  # of the samples at full scale: a limiter leaves fewer
USUAL_SHARE = 0.9  # of the files that have the usual rate, if there is one
CUT_SECONDS = 0.1  # that the sound may fall short of what the header says
RARE_TRACKS = 15  # five in each of train, valid and test: what a study asks of a tag
RARE_ARTISTS = 3  # one for each set, since sets share no artist

PROBLEMS = {
    "outside": "the path leads out of the collection's folder; the track is left out",
    "unreadable": "missing, or not audio; the track is left out",
    "silent": "below -60 dB; the track is left out",
    "too_short": "below 1 s; the track is left out",
    "cut_short": f"the sound ends {CUT_SECONDS:g} s or more before the header says so",
    "clipped": f"{CLIPPED_SHARE:.1%} or more of the samples at full scale",
    "low_rate": f"sampled below {SAMPLE_RATE} Hz: high frequencies are lost",
    "unusual_rate": f"another rate than {USUAL_SHARE:.0%} of the files have",
    "exact_duplicate": "the same samples as another track; a study keeps one of them",
    "near_duplicate": "the same recording as another track; a study keeps one of them",
    "missing_artist": "no artist, so that nothing keeps the track in one set; a study leaves it out",
    "rare_tag": f"a tag with fewer than {RARE_TRACKS} tracks or {RARE_ARTISTS} artists: too few for train, valid and test",
    "unknown_set": f"the split names a set that is none of {', '.join(SPLIT_VALUES)}",
    "artist_across_sets": "an artist in two sets that must share none",
    "duplicate_across_sets": "copies in two sets that must share none",
}


@dataclass(frozen=True)
class Audit:
    """What an audit found. ``rows``: track_id, path, problem, detail, in the order of ``PROBLEMS`` and then of the collection."""

    name: str
    tracks: int
    hours: float  # of sound that could be decoded
    rows: pd.DataFrame

    @property
    def counts(self) -> pd.DataFrame:
        """Problem -> rows (how many) and what it means; kinds that do not occur are left out."""
        found = self.rows["problem"].value_counts()
        names = [name for name in PROBLEMS if name in found]
        return pd.DataFrame(
            {"rows": [int(found[name]) for name in names], "meaning": [PROBLEMS[name] for name in names]},
            index=pd.Index(names, name="problem"),
        )

    @property
    def sentence(self) -> str:
        size = f"{self.name}: {self.tracks:,} tracks, {self.hours:,.1f} hours"
        if self.rows.empty:
            return f"{size}; no problem found."
        kinds = self.rows["problem"].nunique()
        return f"{size}; {len(self.rows):,} problem{'s'[: len(self.rows) > 1]} of {kinds} kind{'s'[: kinds > 1]}."


def audit_collection(source: str, split: Path | None = None, cache: Path | None = None, progress: bool = True) -> Audit:
    """Audit what ``load_corpus`` takes. The split is that of the file ``split``, else of the table's column ``split``, if there is one.

    Files are read in parallel; what was read before is taken from the cache. Raises ``CollectionError`` for a table that is not a
    collection or has no usable file at all, ``ValueError`` for a file that holds no split.
    """
    cache = cache or home() / "cache"
    given = None if split is None else read_split(split)
    if packed_folder(source) is not None:
        raise PackError(f"{source}: is packed, and the audit reads original files; audit the collection that it was made from")
    corpus = load_corpus(source, cache=cache, progress=progress)
    found = inspect_tracks(corpus.tracks, corpus.root, cache, progress=progress).table  # read back: loading has just seen them all
    if given is None:
        given = corpus.tracks.get("split", pd.Series("", index=corpus.tracks.index))
    duplicates = find_duplicates(corpus.tracks["digest"], corpus.fingerprints)
    parts = [corpus.problems, *_flaws(found), _copies(corpus, duplicates), _rare_tags(corpus), *_split_faults(corpus, given, duplicates)]
    return Audit(corpus.name, len(corpus) + len(corpus.problems), float(corpus.tracks["seconds"].sum() / 3600), _ordered(parts, corpus))


def _ordered(parts: list[pd.DataFrame], corpus: Corpus) -> pd.DataFrame:
    rows = pd.concat([part[PROBLEM_COLUMNS].astype(object) for part in parts], ignore_index=True)
    kinds = {name: place for place, name in enumerate(PROBLEMS)}
    order = pd.DataFrame({"kind": rows["problem"].map(kinds), "place": corpus.tracks.index.get_indexer(rows["track_id"])})
    return rows.loc[order.sort_values(["kind", "place"], kind="stable").index].reset_index(drop=True)


def _rows(problem: str, found: pd.DataFrame, details: pd.Series) -> pd.DataFrame:
    values = {"track_id": found.index, "path": found["path"].to_numpy(), "problem": problem, "detail": details.to_numpy()}
    return pd.DataFrame(values, columns=PROBLEM_COLUMNS)


def _flaws(found: pd.DataFrame) -> Iterator[pd.DataFrame]:
    """What is wrong with files that can be used all the same."""
    cut = found[found["announced"] - found["seconds"] > CUT_SECONDS]
    yield _rows("cut_short", cut, cut["seconds"].map("{:.1f} s of ".format) + cut["announced"].map("{:.1f} s can be decoded".format))
    clipped = found[found["clipped"] >= CLIPPED_SHARE]
    yield _rows("clipped", clipped, clipped["clipped"].map(f"{{:.2%}} of the samples are beyond {FULL_SCALE:g}".format))
    low = found[found["sample_rate"] < SAMPLE_RATE]
    yield _rows("low_rate", low, low["sample_rate"].map(lambda rate: f"{rate} Hz; nothing above {rate / 2000:g} kHz"))
    shares = found["sample_rate"].value_counts(normalize=True)
    usual = shares.index[0]
    other = found[(found["sample_rate"] != usual) & (found["sample_rate"] >= SAMPLE_RATE) & (shares.iloc[0] >= USUAL_SHARE)]
    yield _rows("unusual_rate", other, other["sample_rate"].map(f"{{}} Hz; {shares.iloc[0]:.0%} of the files have {usual} Hz".format))


def _copies(corpus: Corpus, duplicates: pd.DataFrame) -> pd.DataFrame:
    """The copies that a study leaves out, and tracks without artist."""
    return clean(corpus.tracks, duplicates, find_missing_artists(corpus.artists), labelled=corpus.is_labelled)[1]


def _rare_tags(corpus: Corpus) -> pd.DataFrame:
    codes, rows = artist_codes(corpus.artists), []
    for column, tag in enumerate(corpus.tags):
        having = np.flatnonzero(corpus.labels[:, column])
        artists = len(np.unique(codes[having][codes[having] >= 0]))
        if len(having) and (len(having) < RARE_TRACKS or artists < RARE_ARTISTS):
            track = corpus.tracks.iloc[having[0]]
            detail = f"tag {tag!r}: {len(having)} track{'s'[: len(having) > 1]} of {artists} artist{'s'[: artists != 1]}"
            rows.append((track.name, track["path"], "rare_tag", detail))
    return pd.DataFrame(rows, columns=PROBLEM_COLUMNS)


def _split_faults(corpus: Corpus, given: pd.Series, duplicates: pd.DataFrame) -> Iterator[pd.DataFrame]:
    """What is wrong with a split that came with the collection; tracks that it does not name are excluded."""
    sets = given.reindex(corpus.tracks.index).fillna("").replace("", "excluded")
    unknown = ~sets.isin(SPLIT_VALUES)
    yield _rows("unknown_set", corpus.tracks[unknown], sets[unknown].map("{!r}".format))
    codes = pd.Series(artist_codes(corpus.artists), index=corpus.tracks.index)
    used = sets.isin(SPLIT_VALUES[:4]) & (codes >= 0)
    several = used & (sets[used].groupby(codes[used]).transform("nunique").reindex(sets.index) > 1)
    rows = []
    for _, own in sets[several].groupby(codes[several]):
        counts = own.value_counts()
        held = [second for pair in SEPARATE_SETS if set(pair) <= set(counts.index) for second in pair if second != "train"]
        if held:  # the unlabelled pool may share artists with train
            track_id = own.index[own == held[-1]][0]
            shown = ", ".join(f"{counts[name]} in {name}" for name in SPLIT_VALUES if name in counts)
            path, artist = corpus.tracks.loc[track_id, ["path", "artist"]]
            rows.append((track_id, path, "artist_across_sets", f"{artist!r}: {shown}"))
    yield pd.DataFrame(rows, columns=PROBLEM_COLUMNS)
    first, second = duplicates["track_id"].map(sets), duplicates["other"].map(sets)
    apart = [(a, b) in SEPARATE_SETS or (b, a) in SEPARATE_SETS for a, b in zip(first, second, strict=True)]
    pairs = duplicates[np.array(apart, dtype=bool)].set_index("track_id")
    details = [f"in {sets[i]}; {row.other}, {row.detail}, is in {sets[row.other]}" for i, row in pairs.iterrows()]
    yield _rows("duplicate_across_sets", pairs.assign(path=corpus.tracks["path"].reindex(pairs.index)), pd.Series(details, dtype=object))
