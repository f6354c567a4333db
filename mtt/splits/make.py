"""Artist-level, multi-label stratified splits, those they are compared with, and the split on disk.

Conventions: as in ``mtt.splits.check``. A track without artist (missing or blank) is ``excluded``: nothing would show that it does not
leak. The unlabelled pool obeys the rule of CALS (Won, Choi & Serra 2021): an unlabelled track joins the pool unless its artist stands in
valid or test; then it is excluded. Results depend on the seed, not on the order of the rows.
"""

from collections.abc import Callable, Sequence
from pathlib import Path

import lazy_loader
import numpy as np
import pandas as pd
from scipy import sparse

from mtt.data.corpus import Corpus, artist_keys
from mtt.files import MttError, write_whole
from mtt.reading.table import read_table, refuse_repeats, refuse_rows
from mtt.splits.check import SETS, SPLIT_VALUES, ArtistTracks, check_split, checked_tracks
from mtt.splits.stratify import cut_line, stratify

sklearn = lazy_loader.load("sklearn")

RATIOS = (0.7, 0.15, 0.15)  # of train, valid and test
SMALL_POOL = 0.1  # of the training tracks: with fewer unlabelled ones a student has nothing to learn from
HIDDEN = 0.5  # of the training tracks: those whose labels are hidden where there is no pool


def split_by_artist(
    artists: pd.Series, labels, ratios: Sequence[float] = RATIOS, seed: int = 0, unlabelled: np.ndarray | None = None
) -> pd.Series:
    """Stratified split: no artist in two sets, each tag's share of a set as close to its ratio as whole artists allow.

    ``unlabelled`` (n_tracks,) bool marks the tracks of the unlabelled pool; without it, those that have no label. ``ratios`` (train, valid,
    test) are normalised; a set of ratio 0 stays empty, another gets at least one artist where there are enough. Raises as
    ``checked_tracks``.
    """
    tracks = checked_tracks(artists, labels, ratios, unlabelled)
    return _per_artist(tracks, lambda members: stratify(_count_table(tracks), tracks.ratios, seed))


def _count_table(tracks: ArtistTracks) -> sparse.csr_matrix:
    """(n_artists, 1 + n_tags) counts of each labelled artist's tracks (column 0) and of those with each tag."""
    members, owner = np.unique(tracks.codes[tracks.labelled], return_inverse=True)
    ones = np.ones(len(owner), dtype=np.int64)
    owns = sparse.csr_matrix((ones, (owner, np.arange(len(owner)))), shape=(len(members), len(owner)))
    table = (owns @ sparse.hstack([sparse.csr_matrix(ones[:, None]), tracks.labels[tracks.labelled]])).tocsr()
    table.sort_indices()
    return table


def _per_artist(tracks: ArtistTracks, assign: Callable[[np.ndarray], np.ndarray]) -> pd.Series:
    """The split in which ``assign`` gives a set number to each artist code that owns a labelled track."""
    members = np.unique(tracks.codes[tracks.labelled])
    set_of_artist = np.zeros(tracks.codes.max(initial=0) + 1, dtype=np.int64)
    if len(members):
        set_of_artist[members] = assign(members)
    set_of_track = set_of_artist[tracks.codes]
    held_out = np.unique(tracks.codes[tracks.labelled & (set_of_track > 0)])
    return _as_split(tracks, set_of_track, excluded=~tracks.labelled & np.isin(tracks.codes, held_out))


def _as_split(tracks: ArtistTracks, set_of_track: np.ndarray, excluded: np.ndarray | bool = False) -> pd.Series:
    """``set_of_track`` (n_tracks,) holds set numbers for labelled tracks, anything elsewhere."""
    value = np.where(tracks.labelled, set_of_track, SPLIT_VALUES.index("unlabelled"))
    value[(tracks.codes < 0) | excluded] = SPLIT_VALUES.index("excluded")
    return pd.Series(np.array(SPLIT_VALUES, dtype=object)[value], index=tracks.index.rename("track_id"), name="split")


def _random_tracks(tracks: ArtistTracks, seed: int) -> pd.Series:
    """Artists are ignored: labelled tracks are shuffled and cut, every unlabelled track joins the pool."""
    set_of_track = np.zeros(len(tracks.index), dtype=np.int64)
    n = int(tracks.labelled.sum())
    bounds = np.round(np.cumsum(tracks.ratios)[:-1] * n)
    set_of_track[tracks.labelled] = np.searchsorted(bounds, np.random.default_rng(seed).permutation(n), side="right")
    return _as_split(tracks, set_of_track)


def _random_artists(tracks: ArtistTracks, seed: int) -> pd.Series:
    """Tags are ignored: artists are shuffled and cut where the numbers of tracks fit the ratios."""
    sizes = np.bincount(tracks.codes[tracks.labelled], minlength=tracks.codes.max(initial=0) + 1)
    return _per_artist(tracks, lambda members: cut_line(sizes[members], tracks.ratios, np.random.default_rng(seed)))


def _group_shuffle(tracks: ArtistTracks, seed: int) -> pd.Series:
    """scikit-learn's way, which cuts the number of artists; first train, then valid."""
    _, valid, test = tracks.ratios

    def assign(members: np.ndarray) -> np.ndarray:
        sets = _shuffle_groups(members, valid + test, seed).astype(np.int64)
        held_out = sets == 1
        sets[held_out] += _shuffle_groups(members[held_out], test / (valid + test) if test else 0.0, seed + 1)
        return sets

    return _per_artist(tracks, assign)


def _shuffle_groups(groups: np.ndarray, share: float, seed: int) -> np.ndarray:
    """Boolean mask (n_groups,) of the groups held out."""
    if share <= 0 or share >= 1 or len(groups) < 2:
        return np.full(len(groups), share > 0.5)
    _, chosen = next(sklearn.model_selection.GroupShuffleSplit(1, test_size=share, random_state=seed).split(groups, groups=groups))
    return np.isin(np.arange(len(groups)), chosen)


COMPARATORS = {"random tracks": _random_tracks, "random artists": _random_artists, "GroupShuffleSplit": _group_shuffle}


def comparator_splits(artists: pd.Series, labels, ratios: Sequence[float] = RATIOS, seed: int = 0) -> dict[str, pd.Series]:
    """The splits of ``COMPARATORS``, by name, to which that of ``split_by_artist`` is compared. Arguments and errors are as there."""
    tracks = checked_tracks(artists, labels, ratios)
    return {name: make(tracks, seed) for name, make in COMPARATORS.items()}


def hide_labels(split: pd.Series, artists: pd.Series, labels, seed: int = 0) -> pd.Series:
    """``split`` with an unlabelled pool made of its training set: artists with about half of its tracks move there, tags stratified."""
    train = (split == "train").to_numpy()
    parts = split_by_artist(artists[train], labels[train], (1 - HIDDEN, 0.0, HIDDEN), seed)
    return split.mask(split.index.isin(parts.index[parts == "test"]), "unlabelled")


def split_corpus(corpus: Corpus, ratios: Sequence[float], seed: int = 0) -> pd.Series:
    """The split of a corpus: its own where it has one, else by artist. Tracks without artist are excluded.

    Its own must keep artists apart, unless it was published with the data set (``split_name``); its unlabelled tracks of train join the
    pool, those of valid and test are excluded, since their artists are held out. Where a corpus without a split has few unlabelled tracks
    (``SMALL_POOL``), half of the training artists join them. Raises ``MttError`` if train, valid or test stays empty or artists are shared.
    """
    names, labelled, named = corpus.tracks["artist"], corpus.is_labelled, corpus.artists != ""
    if corpus.has_split:
        split = corpus.tracks["split"].replace("", "excluded").where(named, "excluded").rename("split")
        if not corpus.split_name:
            check_split(split, names)
        split = split.mask(~labelled & (split == "train"), "unlabelled").mask(~labelled & split.isin(["valid", "test"]), "excluded")
    else:
        split = split_by_artist(names, corpus.labels, ratios, seed, unlabelled=~labelled.to_numpy())
        if (split == "unlabelled").sum() < SMALL_POOL * (split == "train").sum():
            split = hide_labels(split, names, corpus.labels, seed)
    remedy = "name tagged tracks for it in the column split" if corpus.has_split else "name artists and tag tracks of more of them"
    check_sets(split, names, labelled, corpus.name, remedy=remedy)
    return split


def check_sets(
    split: pd.Series, artists: pd.Series, labelled: np.ndarray | pd.Series, name: str, ratios: Sequence[float] = (1, 1, 1), remedy: str = ""
) -> None:
    """Raises ``MttError``, naming the collection, where no track is in a set of train, valid, test whose ratio is not 0."""
    if empty := [one for one, ratio in zip(SETS, ratios, strict=True) if ratio and not (split == one).any()]:
        owners = artist_keys(artists)[np.asarray(labelled)]
        raise MttError(
            f"{name}: no tracks for {' and '.join(empty)}: of {len(split)} tracks {len(owners)} have tags, by "
            f"{owners[owners != ''].nunique()} named artists, and each set needs artists of its own; {remedy}"
        )


def leak_crossover(split: pd.Series, artists: pd.Series, seed: int = 0) -> pd.DataFrame:
    """What it is worth to have heard an artist, as a balanced cross-over experiment on the test tracks (claim C1).

    The test artists of two tracks or more are dealt into two groups, "a" and "b", of nearly equal artists and tracks; of each artist's
    tracks half, rounded down, are *train* tracks and the rest *evaluation* tracks, at random. A model is trained on each group's train
    tracks, and every evaluation track is scored by both: its own group's has heard its artist (the leak), the other has not, and nothing
    else differs.

    Returns a table, track_id -> ``group``, ``role``, ``artist`` (its key); empty if fewer than four test artists have two tracks.
    """
    test = pd.DataFrame({"artist": artist_keys(artists.reindex(split.index))})[split == "test"].sort_index()
    test = test.iloc[np.random.default_rng(seed).permutation(len(test))]
    counts = test["artist"].value_counts(sort=False)
    counts = counts[counts >= 2].sort_values(ascending=False, kind="stable")
    counts = counts if len(counts) >= 4 else counts.iloc[:0]
    group = pd.Series(np.resize(["a", "b", "b", "a"], len(counts)), index=counts.index)
    test = test[test["artist"].isin(counts.index)]
    rank = test.groupby("artist").cumcount()
    role = np.where(rank < test["artist"].map(counts) // 2, "train", "evaluation")
    table = pd.DataFrame({"group": test["artist"].map(group), "role": role, "artist": test["artist"]})
    return table.reindex(split.index[split.index.isin(table.index)])


def write_split(split: pd.Series, path: str | Path) -> None:
    """CSV with columns track_id, split; written whole or not at all."""
    write_whole(path, split.rename("split").rename_axis("track_id").to_csv(lineterminator="\n"))


def read_split(path: str | Path) -> pd.Series:
    """The split that ``write_split`` wrote; ids are strings. ``MttError`` names the file, the line and the fault."""
    table = read_table(path, ["track_id", "split"])
    unknown = f"has a split that is none of {', '.join(SPLIT_VALUES)}"
    refuse_rows(path, {"has no track_id": table["track_id"] == "", unknown: ~table["split"].isin(SPLIT_VALUES)})
    refuse_repeats(path, table["track_id"])
    return table.set_index("track_id")["split"]


def nested_sets(
    track_ids: Sequence[str], artists: pd.Series, labels: np.ndarray, sizes: Sequence[int], seed: int = 0
) -> dict[int, list[str]]:
    """Tracks of about so many artists for each of ``sizes``, every smaller set within the larger ones, tags stratified at each step.

    ``artists`` (keys) and ``labels`` are of ``track_ids``, in their order. A size of as many artists as there are, or more, is all.
    """
    found, chosen = {}, np.ones(len(track_ids), dtype=bool)
    owners = pd.Series(artists.to_numpy(), index=pd.Index(track_ids))
    for size in sorted(set(sizes), reverse=True):
        there = owners[chosen].nunique()
        if size < there:
            part = split_by_artist(owners[chosen], labels[chosen], (size / there, 0.0, 1 - size / there), seed)
            chosen = owners.index.isin(part.index[part == "train"])
        found[size] = list(owners.index[chosen])
    return found
