"""The audit of a split: shared artists, shares of tags, sizes, duplicates that stand in two sets.

Conventions
-----------
* A tag's *share* of a set is (tracks of the set with the tag) / (tracks of train, valid and test with the tag); its
  *deviation* is that share minus the ratio of the set.
* Train, valid and test must share no artist with each other; the unlabelled pool may share artists with train only.
* The rest as in ``mtt.splits.make``.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from mtt.splits.tracks import SETS, SPLIT_VALUES, ArtistTracks, artist_codes, validate_tracks

SEPARATE_SETS = (*itertools.combinations(SETS, 2), ("unlabelled", "valid"), ("unlabelled", "test"))
N_EXAMPLES = 5  # artists named in a table or a message


@dataclass(frozen=True)
class SplitAudit:
    """What is right and wrong with a split. Deviations are over train, valid and test and the tags that occur there."""

    counts: pd.DataFrame  # set -> tracks, artists, labels (positive ones)
    shared_artists: pd.DataFrame  # pair of sets that must share none -> first, second, artists, examples
    tag_shares: pd.DataFrame  # tag -> tracks, train, valid, test (shares), {train,valid,test}_deviation
    mean_deviation: float  # mean |deviation| over sets x tags
    max_deviation: float
    worst_tag: str | None
    size_deviation: float  # largest |share of the labelled tracks - ratio|
    leaked_test_share: float  # share of the test tracks whose artist stands in train
    missing_tags: pd.DataFrame  # tag, set: the set has ratio > 0 but no track with the tag
    duplicates_across: pd.DataFrame  # pairs in different sets: track_id, other, first_set, second_set, detail

    @property
    def leaks(self) -> bool:
        """Whether an artist or a pair of duplicates stands in two sets that must be separate."""
        pairs = self.duplicates_across[["first_set", "second_set"]].itertuples(index=False, name=None)
        crossing = any(pair in SEPARATE_SETS or pair[::-1] in SEPARATE_SETS for pair in pairs)
        return crossing or bool(self.shared_artists["artists"].any())


def _align(split: pd.Series, artists: pd.Series) -> pd.Series:
    """``split`` in the order of ``artists``."""
    if not split.index.is_unique:
        again = split.index[split.index.duplicated()][0]
        raise ValueError(f"split: track_id {again!r} stands twice; keep one row per track")
    wrong = split[~split.isin(SPLIT_VALUES)]
    if len(wrong):
        raise ValueError(f"split: {wrong.iloc[0]!r} of track {wrong.index[0]!r} is none of {', '.join(SPLIT_VALUES)}")
    missing = artists.index[~artists.index.isin(split.index)]
    if len(missing):
        raise ValueError(f"split: {len(missing)} tracks have no set, first {missing[0]!r}; split all tracks that artists lists")
    return split.reindex(artists.index)


def _shared_artists(value: np.ndarray, codes: np.ndarray, artists: pd.Series) -> pd.DataFrame:
    known = np.flatnonzero(codes >= 0)
    members = {name: np.unique(codes[known[value[known] == name]]) for name in SPLIT_VALUES}
    rows = []
    for first, second in SEPARATE_SETS:
        shared = np.intersect1d(members[first], members[second])
        names = [str(artists.iloc[np.argmax(codes == code)]) for code in shared[:N_EXAMPLES]]
        rows.append((first, second, len(shared), ", ".join(names)))
    return pd.DataFrame(rows, columns=["first", "second", "artists", "examples"])


def check_split(split: pd.Series, artists: pd.Series) -> None:
    """Raises ValueError, with example artists, if train, valid and test or the unlabelled pool and valid or test share any.

    Raises it too for an unknown set name, a repeated track and a track of ``artists`` without a set.
    """
    split = _align(split, artists)
    shared = _shared_artists(split.to_numpy(), artist_codes(artists), artists)
    shared = shared[shared["artists"] > 0]
    faults = [f"{row.artists} in {row.first} and {row.second} ({row.examples})" for row in shared.itertuples()]
    if faults:
        raise ValueError(f"split: sets share artists: {'; '.join(faults)}; split anew with split_by_artist")


def _tag_table(set_of_track: np.ndarray, tracks: ArtistTracks, tags: Sequence[str]) -> pd.DataFrame:
    """Shares and deviations; NaN for a tag that no track of the three sets has."""
    inside = set_of_track[tracks.rows] < len(SETS)
    cells = set_of_track[tracks.rows[inside]] * tracks.n_tags + tracks.cols[inside]
    counts = np.bincount(cells, minlength=len(SETS) * tracks.n_tags).reshape(len(SETS), tracks.n_tags)
    total = counts.sum(axis=0)
    shares = counts / np.where(total, total, np.nan)
    table = pd.DataFrame({"tracks": total, **dict(zip(SETS, shares, strict=True))}, index=pd.Index(tags, name="tag"))
    for name, share, ratio in zip(SETS, shares, tracks.ratios, strict=True):
        table[f"{name}_deviation"] = share - ratio
    return table


def _duplicates_across(split: pd.Series, duplicates: pd.DataFrame | None) -> pd.DataFrame:
    columns = ["track_id", "other", "first_set", "second_set", "detail"]
    if duplicates is None:
        return pd.DataFrame(columns=columns)
    pairs = duplicates.assign(first_set=duplicates["track_id"].map(split), second_set=duplicates["other"].map(split))
    used = pairs["first_set"].isin(SPLIT_VALUES[:4]) & pairs["second_set"].isin(SPLIT_VALUES[:4])
    across = used & (pairs["first_set"] != pairs["second_set"])
    return pairs.loc[across].reindex(columns=columns).reset_index(drop=True)


def audit_split(
    split: pd.Series,
    artists: pd.Series,
    labels,
    ratios: Sequence[float],
    tags: Sequence[str] | None = None,
    duplicates: pd.DataFrame | None = None,
) -> SplitAudit:
    """Everything that can be wrong with a split; see ``SplitAudit``.

    ``duplicates`` has columns track_id and other, as ``mtt.collections.duplicates`` finds them; pairs with an excluded or
    unknown track do not count. Raises ValueError for malformed input as ``split_by_artist`` does, never for a leak.
    """
    tracks = validate_tracks(artists, labels, ratios, np.zeros(len(artists), dtype=bool))
    split = _align(split, artists)
    tags = [f"tag {t}" for t in range(tracks.n_tags)] if tags is None else list(tags)
    if len(tags) != tracks.n_tags:
        raise ValueError(f"tags: {len(tags)} names for {tracks.n_tags} columns of labels; name each column")
    set_of_track = pd.Categorical(split, categories=SPLIT_VALUES).codes.astype(np.int64)
    table = _tag_table(set_of_track, tracks, tags)
    deviations = table[[f"{name}_deviation" for name in SETS]].abs()
    worst = deviations.max(axis=1)
    n_tracks = np.bincount(set_of_track, minlength=len(SPLIT_VALUES))
    known = tracks.codes >= 0
    counts = {
        "tracks": n_tracks,
        "artists": [len(np.unique(tracks.codes[known & (set_of_track == s)])) for s in range(len(SPLIT_VALUES))],
        "labels": np.bincount(set_of_track[tracks.rows], minlength=len(SPLIT_VALUES)),
    }
    in_test = set_of_track == SETS.index("test")
    in_train = np.unique(tracks.codes[known & (set_of_track == SETS.index("train"))])
    open_sets = [name for name, ratio in zip(SETS, tracks.ratios, strict=True) if ratio > 0]
    absent = [(tag, name) for name in open_sets for tag in table.index[table[name] == 0]]
    return SplitAudit(
        counts=pd.DataFrame(counts, index=pd.Index(SPLIT_VALUES, name="set")),
        shared_artists=_shared_artists(split.to_numpy(), tracks.codes, artists),
        tag_shares=table,
        mean_deviation=float(np.nanmean(deviations.to_numpy())) if worst.notna().any() else 0.0,
        max_deviation=float(worst.max()) if worst.notna().any() else 0.0,
        worst_tag=worst.idxmax() if worst.notna().any() else None,
        size_deviation=float(np.abs(n_tracks[:3] / max(n_tracks[:3].sum(), 1) - tracks.ratios).max()),
        leaked_test_share=float(np.isin(tracks.codes[in_test], in_train).mean()) if in_test.any() else 0.0,
        missing_tags=pd.DataFrame(absent, columns=["tag", "set"]),
        duplicates_across=_duplicates_across(split, duplicates),
    )


def compare_splits(
    splits: Mapping[str, pd.Series],
    artists: pd.Series,
    labels,
    ratios: Sequence[float],
    tags: Sequence[str] | None = None,
    duplicates: pd.DataFrame | None = None,
) -> pd.DataFrame:
    """One row per split: the numbers of a ``SplitAudit``, with tables as their lengths.

    ``shared_artists`` is summed over pairs of sets that must share none: an artist in all three counts three times.
    """
    rows = {}
    for name, split in splits.items():
        audit = audit_split(split, artists, labels, ratios, tags, duplicates)
        rows[name] = {
            "shared_artists": int(audit.shared_artists["artists"].sum()),
            "leaked_test_share": audit.leaked_test_share,
            "mean_deviation": audit.mean_deviation,
            "max_deviation": audit.max_deviation,
            "worst_tag": audit.worst_tag,
            "size_deviation": audit.size_deviation,
            "missing_tags": len(audit.missing_tags),
            "duplicates_across": len(audit.duplicates_across),
        }
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("split")
