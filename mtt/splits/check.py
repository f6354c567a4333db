"""The sets, what a split is made from, and the audit of one: shared artists, shares of tags, sizes.

Conventions: a *split* is a Series track_id -> ``train | valid | test | unlabelled | excluded``, named ``split``; ``artists`` is a Series
track_id -> artist, and names with the same key (``mtt.data.corpus.artist_keys``) are one; ``labels`` is (n_tracks, n_tags) of {0, 1},
dense or scipy.sparse, its rows in the order of ``artists``. Train, valid and test must share no artist with each other; the unlabelled
pool may share artists with train only. A tag's *share* of a set is (tracks of the set with the tag) / (tracks of train, valid and test
with the tag); its *deviation* is that share minus the ratio of the set.
"""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import sparse

from mtt.data.corpus import artist_keys
from mtt.files import MttError
from mtt.settings import SettingsError

SETS = ("train", "valid", "test")
SPLIT_VALUES = (*SETS, "unlabelled", "excluded")
SEPARATE_SETS = (*itertools.combinations(SETS, 2), ("unlabelled", "valid"), ("unlabelled", "test"))
N_EXAMPLES = 5  # artists named in a table or a message


@dataclass(frozen=True)
class ArtistTracks:
    """What a split is made from, checked."""

    index: pd.Index  # track ids
    codes: np.ndarray  # (n_tracks,) as ``artist_codes`` numbers artists
    labels: sparse.csr_matrix  # (n_tracks, n_tags) int64
    labelled: np.ndarray  # (n_tracks,) bool: has labels and an artist, so that it belongs in train, valid or test
    ratios: np.ndarray  # sum to 1


def artist_codes(artists: pd.Series) -> np.ndarray:
    """Number of each track's artist, (n_tracks,), in the sorted order of keys; -1 for a missing or blank one."""
    keys = artist_keys(artists).to_numpy(dtype=object)
    return pd.factorize(np.where(keys == "", None, keys), sort=True)[0]


def checked_tracks(artists: pd.Series, labels, ratios: Sequence[float], unlabelled: np.ndarray | None = None) -> ArtistTracks:
    """What ``split_by_artist`` is given. Raises ValueError that names the argument and the fault, ``SettingsError`` for ratios."""
    if not artists.index.is_unique:
        raise ValueError(f"artists: track_id {artists.index[artists.index.duplicated()][0]!r} stands twice; keep one row per track")
    labels = sparse.csr_matrix(labels)
    if labels.shape[0] != len(artists):
        raise ValueError(f"labels: got shape {labels.shape}; one row for each of the {len(artists)} tracks is needed")
    if not np.isin(labels.data, (0, 1)).all():
        raise ValueError("labels: only 0 and 1 are allowed; turn scores or counts into 0/1 first")
    labels = labels.astype(np.int64)
    labels.eliminate_zeros()
    shares = np.asarray(ratios, dtype=float)
    if shares.shape != (len(SETS),) or not np.isfinite(shares).all() or (shares < 0).any() or shares.sum() == 0:
        raise SettingsError(f"ratios: for train, valid and test 3 numbers are needed, finite numbers >= 0, not all 0; got {ratios!r}")
    codes = artist_codes(artists)
    has_label = labels.getnnz(axis=1) > 0 if unlabelled is None else ~np.asarray(unlabelled, dtype=bool)
    return ArtistTracks(artists.index, codes, labels, has_label & (codes >= 0), shares / shares.sum())


def check_split(split: pd.Series, artists: pd.Series) -> None:
    """Raises ``MttError``, with examples, for artists that sets must not share, an unknown set, a repeated track and one without a set."""
    shared = _shared_artists(_aligned(split, artists), artists)
    faults = [f"{row.artists} in {row.first} and {row.second} ({row.examples})" for row in shared.itertuples() if row.artists]
    if faults:
        raise MttError(f"split: sets share artists: {'; '.join(faults)}; split anew with split_by_artist")


def _aligned(split: pd.Series, artists: pd.Series) -> pd.Series:
    """``split`` in the order of ``artists``."""
    if not split.index.is_unique:
        raise MttError(f"split: track_id {split.index[split.index.duplicated()][0]!r} stands twice; keep one row per track")
    wrong = split[~split.isin(SPLIT_VALUES)]
    if len(wrong):
        raise MttError(f"split: {wrong.iloc[0]!r} of track {wrong.index[0]!r} is none of {', '.join(SPLIT_VALUES)}")
    missing = artists.index.difference(split.index, sort=False)
    if len(missing):
        raise MttError(f"split: {len(missing)} tracks have no set, first {missing[0]!r}; split all tracks that artists lists")
    return split.reindex(artists.index)


def _shared_artists(split: pd.Series, artists: pd.Series) -> pd.DataFrame:
    keys = artist_keys(artists)
    names = artists.groupby(keys).first()  # as they are written first
    members = {name: set(keys[split == name]) - {""} for name in SPLIT_VALUES}
    shared = [(first, second, sorted(members[first] & members[second])) for first, second in SEPARATE_SETS]
    rows = [(first, second, len(both), ", ".join(names[key] for key in both[:N_EXAMPLES])) for first, second, both in shared]
    return pd.DataFrame(rows, columns=["first", "second", "artists", "examples"])


@dataclass(frozen=True)
class SplitAudit:
    """What is right and wrong with a split. Deviations are over train, valid and test and the tags that occur there."""

    counts: pd.DataFrame  # set -> tracks, artists, labels (positive ones)
    shared_artists: pd.DataFrame  # pair of sets that must share none -> first, second, artists, examples
    tag_shares: pd.DataFrame  # tag -> tracks, train, valid, test (shares), {train,valid,test}_deviation; NaN for a tag without tracks
    mean_deviation: float  # mean |deviation| over sets x tags
    max_deviation: float
    worst_tag: str | None
    leaked_test_share: float  # share of the test tracks whose artist stands in train


def audit_split(split: pd.Series, artists: pd.Series, labels, ratios: Sequence[float], tags: Sequence[str]) -> SplitAudit:
    """Everything that can be wrong with a split. Malformed input raises as in ``check_split``, a leak never does."""
    tracks, split = checked_tracks(artists, labels, ratios), _aligned(split, artists)
    owners = pd.Series(tracks.codes, index=artists.index).where(tracks.codes >= 0)
    tracks_of = pd.DataFrame({"set": split, "artist": owners, "labels": tracks.labels.getnnz(axis=1)}).groupby("set")
    counts = tracks_of.agg(tracks=("artist", "size"), artists=("artist", "nunique"), labels=("labels", "sum"))
    counts = counts.reindex(SPLIT_VALUES, fill_value=0)
    test = owners[split == "test"]
    table = _tag_shares(split, tracks, tags)
    deviations = table[[f"{name}_deviation" for name in SETS]].abs().dropna()
    worst = deviations.max(axis=1)
    return SplitAudit(
        counts=counts,
        shared_artists=_shared_artists(split, artists),
        tag_shares=table,
        mean_deviation=float(deviations.to_numpy().mean()) if len(worst) else 0.0,
        max_deviation=float(worst.max()) if len(worst) else 0.0,
        worst_tag=worst.idxmax() if len(worst) else None,
        leaked_test_share=float(test.isin(owners[split == "train"].dropna()).mean()) if len(test) else 0.0,
    )


def split_notes(split: pd.Series, artists: pd.Series) -> list[str]:
    """What to know of a split before it is used: sets that are empty, and tracks that are left out, with the reason."""
    notes = [f"no track is in {name}, and a study needs train, valid and test" for name in SETS if not (split == name).any()]
    if len(excluded := artist_keys(artists)[split == "excluded"]):
        nameless = int((excluded == "").sum())
        reasons = {"without artist": nameless, "without tags, by an artist of valid or test": len(excluded) - nameless}
        why = ", ".join(f"{count:,} {reason}" for reason, count in reasons.items() if count)
        notes.append(f"{len(excluded):,} of {len(split):,} tracks excluded, such as {excluded.index[0]!r}: {why}")
    return notes


def _tag_shares(split: pd.Series, tracks: ArtistTracks, tags: Sequence[str]) -> pd.DataFrame:
    counts = np.stack([np.asarray(tracks.labels[(split == name).to_numpy()].sum(axis=0)).ravel() for name in SETS])
    total = counts.sum(axis=0)
    shares = counts / np.where(total, total, np.nan)
    table = pd.DataFrame({"tracks": total, **dict(zip(SETS, shares, strict=True))}, index=pd.Index(tags, name="tag"))
    for name, share, ratio in zip(SETS, shares, tracks.ratios, strict=True):
        table[f"{name}_deviation"] = share - ratio
    return table
