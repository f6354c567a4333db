"""Artist-level, multi-label stratified splits, ways to split to compare them with, and the split on disk.

Conventions
-----------
* A *split* is a Series track_id -> ``train | valid | test | unlabelled | excluded``, named ``split``.
* ``artists`` is a Series track_id -> artist. Spellings that differ only in case or outer blanks are one artist, so that
  neither can leak. A track without artist (missing or blank) is ``excluded``: nothing would show that it does not leak.
* ``labels`` is (n_tracks, n_tags) of {0, 1}, dense or scipy.sparse, its rows in the order of ``artists``.
* The unlabelled pool obeys the rule of CALS (Won, Choi & Serra 2021): an unlabelled track joins the pool unless its
  artist stands in valid or test; then it is excluded.

The search that stratifies is in ``mtt.splits.stratify``, the audit in ``mtt.splits.check``.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.model_selection import GroupShuffleSplit

from mtt.data.corpus import Corpus
from mtt.files import write_whole
from mtt.splits.check import SplitAudit, audit_split, check_split, compare_splits
from mtt.splits.stratify import cut_line, stratify
from mtt.splits.tracks import SETS, SPLIT_VALUES, ArtistTracks, count_table, validate_tracks

__all__ = [
    "SETS",
    "SPLIT_VALUES",
    "SplitAudit",
    "audit_split",
    "check_split",
    "compare_splits",
    "hide_labels",
    "leak_crossover",
    "read_split",
    "split_by_artist",
    "split_corpus",
    "split_group_shuffle",
    "split_random_artists",
    "split_random_tracks",
    "write_split",
]

SMALL_POOL = 0.1  # of the training tracks: with fewer unlabelled ones a student has nothing to learn from


def _as_split(tracks: ArtistTracks, set_of_track: np.ndarray, artist_level: bool = True) -> pd.Series:
    """``set_of_track`` (n_tracks,) holds set numbers for labelled tracks, anything elsewhere."""
    names = np.array(SPLIT_VALUES, dtype=object)
    value = np.where(tracks.labelled, set_of_track, 3)
    value[tracks.codes < 0] = 4
    if artist_level:
        held_out = np.unique(tracks.codes[tracks.labelled & (set_of_track > 0)])
        value[~tracks.labelled & np.isin(tracks.codes, held_out)] = 4
    return pd.Series(names[value], index=tracks.index.rename("track_id"), name="split")


def _per_artist(tracks: ArtistTracks, assign: Callable[[np.ndarray], np.ndarray]) -> pd.Series:
    """The split in which ``assign`` gives a set number to each artist code that owns a labelled track."""
    members = np.unique(tracks.codes[tracks.labelled])
    set_of_artist = np.zeros(tracks.codes.max(initial=0) + 1, dtype=np.int64)
    if len(members):
        set_of_artist[members] = assign(members)
    return _as_split(tracks, set_of_artist[tracks.codes])


def split_by_artist(
    artists: pd.Series,
    labels,
    ratios: Sequence[float] = (0.7, 0.15, 0.15),
    seed: int = 0,
    unlabelled: np.ndarray | None = None,
) -> pd.Series:
    """Stratified split: no artist in two sets, each tag's share of a set as close to its ratio as whole artists allow.

    ``unlabelled`` (n_tracks,) marks the tracks of the unlabelled pool; without it, those that have no label. Labels
    of marked tracks are ignored. ``ratios`` (train, valid, test) are normalised; a set of ratio 0 stays empty. A set
    of positive ratio gets at least one artist where there are enough; but for that, its number of tracks is within the
    largest artist's of its target. The result depends on the seed, not on the order of the rows.

    Raises ValueError for a repeated track_id, labels other than 0 and 1, shapes that do not fit, and ratios that are
    negative, NaN or all 0.
    """
    tracks = validate_tracks(artists, labels, ratios, unlabelled)
    table = count_table(tracks)
    return _per_artist(tracks, lambda members: stratify(table, tracks.ratios, seed))


def split_random_tracks(
    artists: pd.Series,
    labels,
    ratios: Sequence[float] = (0.7, 0.15, 0.15),
    seed: int = 0,
    unlabelled: np.ndarray | None = None,
) -> pd.Series:
    """Comparator that ignores artists: labelled tracks are shuffled and cut, every unlabelled track joins the pool."""
    tracks = validate_tracks(artists, labels, ratios, unlabelled)
    set_of_track = np.zeros(len(tracks.index), dtype=np.int64)
    n = int(tracks.labelled.sum())
    bounds = np.round(np.cumsum(tracks.ratios)[:-1] * n)
    order = np.random.default_rng(seed).permutation(n)
    set_of_track[tracks.labelled] = np.searchsorted(bounds, order, side="right")
    return _as_split(tracks, set_of_track, artist_level=False)


def split_random_artists(
    artists: pd.Series,
    labels,
    ratios: Sequence[float] = (0.7, 0.15, 0.15),
    seed: int = 0,
    unlabelled: np.ndarray | None = None,
) -> pd.Series:
    """Comparator that ignores tags: artists are shuffled and cut where the numbers of tracks fit the ratios."""
    tracks = validate_tracks(artists, labels, ratios, unlabelled)
    sizes = np.bincount(tracks.codes[tracks.labelled], minlength=tracks.codes.max(initial=0) + 1)
    return _per_artist(tracks, lambda members: cut_line(sizes[members], tracks.ratios, np.random.default_rng(seed)))


def split_group_shuffle(
    artists: pd.Series,
    labels,
    ratios: Sequence[float] = (0.7, 0.15, 0.15),
    seed: int = 0,
    unlabelled: np.ndarray | None = None,
) -> pd.Series:
    """Comparator: scikit-learn's ``GroupShuffleSplit``, which cuts the number of artists; first train, then valid."""
    tracks = validate_tracks(artists, labels, ratios, unlabelled)
    train, valid, test = tracks.ratios

    def assign(members: np.ndarray) -> np.ndarray:
        held_out = _shuffle_groups(members, valid + test, seed)
        sets = held_out.astype(np.int64)
        sets[held_out] += _shuffle_groups(members[held_out], test / (valid + test) if test else 0.0, seed + 1)
        return sets

    return _per_artist(tracks, assign)


def _shuffle_groups(groups: np.ndarray, share: float, seed: int) -> np.ndarray:
    """Boolean mask (n_groups,) of the groups held out."""
    if share <= 0 or share >= 1 or len(groups) < 2:
        return np.full(len(groups), share > 0.5)
    held_out = np.zeros(len(groups), dtype=bool)
    _, chosen = next(GroupShuffleSplit(1, test_size=share, random_state=seed).split(groups, groups=groups))
    held_out[chosen] = True
    return held_out


def hide_labels(split: pd.Series, artists: pd.Series, labels, share: float = 0.5, seed: int = 0) -> pd.Series:
    """``split`` with an unlabelled pool made of its training set: artists with about ``share`` of its tracks move there, tags stratified.

    For a collection that labels every track: what a student learns without the labels can then be compared with what they say.
    """
    train = (split == "train").to_numpy()
    parts = split_by_artist(artists[train], labels[train], (1 - share, 0.0, share), seed)
    return split.mask(split.index.isin(parts.index[parts == "test"]), "unlabelled")


def split_corpus(corpus: Corpus, ratios: Sequence[float], seed: int = 0) -> pd.Series:
    """The split of a corpus: its own where it has one, else by artist.

    Its own must keep artists apart, unless it was published with the data set (``split_name``). Where a corpus without a split has hardly
    any unlabelled tracks either (a tenth of the training tracks), half of the training artists join them (``hide_labels``). Tracks without
    artist are excluded. Raises ValueError, naming the corpus, if train, valid or test stays empty or artists are shared.
    """
    named = corpus.artists.str.strip() != ""
    if corpus.has_split:
        split = corpus.tracks["split"].replace("", "excluded").where(named, "excluded").rename("split")
        if not corpus.split_name:
            check_split(split, corpus.artists)
    else:
        split = split_by_artist(corpus.artists, corpus.labels, ratios, seed)
        if (split == "unlabelled").sum() < SMALL_POOL * (split == "train").sum():
            split = hide_labels(split, corpus.artists, corpus.labels, seed=seed)
    empty = [name for name in SETS if not (split == name).any()]
    if empty:
        labelled = corpus.is_labelled
        raise ValueError(
            f"{corpus.name}: no tracks for {' and '.join(empty)}: of {len(corpus)} usable tracks {labelled.sum()} have tags, by "
            f"{corpus.artists[labelled & named].nunique()} named artists; tag tracks of more artists, three at the very least"
        )
    return split


def leak_crossover(split: pd.Series, artists: pd.Series, seed: int = 0) -> pd.DataFrame:
    """What it is worth to have heard an artist, as a balanced cross-over experiment on the test tracks (claim C1).

    The test artists are dealt into two groups, "a" and "b", of nearly equal artists and tracks; of each artist's tracks half, rounded
    down, are *train* tracks and the rest *evaluation* tracks, at random. One model is trained on a's train tracks and one on b's. Every
    evaluation track is then scored by both: by the model of its own group, which has heard its artist (the leak), and by the other
    group's, which has not. Both arms score the same tracks, with the same models, trained on equally many artists and tracks: nothing
    differs but the acquaintance. Artists with a single test track cannot leak and are left out. That holds for a split that shares artists
    too, since neither model is trained on its training set.

    Returns a table, track_id -> ``group``, ``role``, ``artist``; empty if fewer than four test artists have two tracks, since either
    group needs two.
    """
    test = pd.DataFrame({"artist": artists.reindex(split.index)})[split == "test"].sort_index()
    rng = np.random.default_rng(seed)
    test = test.iloc[rng.permutation(len(test))]
    counts = test["artist"].value_counts(sort=False)
    counts = counts[counts >= 2].sort_values(ascending=False, kind="stable")
    if len(counts) < 4:
        counts = counts.iloc[:0]
    group = pd.Series(np.resize(["a", "b", "b", "a"], len(counts)), index=counts.index)
    test = test[test["artist"].isin(counts.index)]
    rank = test.groupby("artist").cumcount()
    role = np.where(rank < test["artist"].map(counts) // 2, "train", "evaluation")
    table = pd.DataFrame({"group": test["artist"].map(group), "role": role, "artist": test["artist"]})
    return table.reindex(split.index[split.index.isin(table.index)])


def write_split(split: pd.Series, path: str | Path) -> None:
    """CSV with columns track_id, split; written whole or not at all."""
    text = io.StringIO()
    split.rename("split").rename_axis("track_id").to_csv(text, lineterminator="\n")
    write_whole(path, text.getvalue().encode())


def read_split(path: str | Path) -> pd.Series:
    """The split that ``write_split`` wrote; ids are strings. ValueError names the file, the line and the fault."""
    path = Path(path)
    try:
        table = pd.read_csv(path, dtype=str, keep_default_na=False)
    except (pd.errors.EmptyDataError, pd.errors.ParserError, UnicodeDecodeError) as error:
        raise ValueError(f"{path}: not a CSV table ({error}); write it with columns track_id,split") from error
    missing = [name for name in ("track_id", "split") if name not in table]
    if missing:
        found = ", ".join(table.columns)
        raise ValueError(f"{path}: column {missing[0]} is missing (found: {found}); the header must be track_id,split")
    faults = {
        "has no track_id": table["track_id"] == "",
        "repeats a track_id": table["track_id"].duplicated(),
        f"has a split that is none of {', '.join(SPLIT_VALUES)}": ~table["split"].isin(SPLIT_VALUES),
    }
    for fault, rows in faults.items():
        if rows.any():
            row = int(np.argmax(rows))
            entry = f"{table['track_id'][row]},{table['split'][row]}"
            raise ValueError(f"{path}, line {row + 2}: {entry!r} {fault}; correct that line")
    return table.set_index("track_id")["split"]
