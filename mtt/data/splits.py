"""Artist-level, multi-label stratified splits: making them, comparing them, auditing them.

Conventions
-----------
* A *split* is a Series track_id -> ``train | valid | test | unlabelled | excluded``, named ``split``.
* ``artists`` is a Series track_id -> artist. Spellings that differ only in case or outer blanks are one artist, so that
  neither can leak. A track without artist (missing or blank) is ``excluded``: nothing would show that it does not leak.
* ``labels`` is (n_tracks, n_tags) of {0, 1}, dense or scipy.sparse, its rows in the order of ``artists``.
* A tag's *share* of a set is (tracks of the set with the tag) / (tracks of train, valid and test with the tag); its
  *deviation* is that share minus the ratio of the set.
* The unlabelled pool obeys the rule of CALS (Won, Choi & Serra 2021): an unlabelled track joins the pool unless its
  artist stands in valid or test; then it is excluded.

The search that stratifies is in ``mtt.data.stratify``.
"""

from __future__ import annotations

import io
import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from scipy import sparse
from sklearn.model_selection import GroupShuffleSplit

from mtt.data.stratify import cut_line, stratify
from mtt.files import write_whole

SETS = ("train", "valid", "test")
SPLIT_VALUES = (*SETS, "unlabelled", "excluded")
LEAKING_PAIRS = (*itertools.combinations(SETS, 2), ("unlabelled", "valid"), ("unlabelled", "test"))
N_EXAMPLES = 5  # artists named in a table or a message


@dataclass(frozen=True)
class _Tracks:
    """Validated input: ``codes`` numbers artists in sorted order (-1: none); ``rows``, ``cols`` hold positive labels."""

    index: pd.Index
    codes: np.ndarray
    labelled: np.ndarray  # bool; stands in train, valid or test
    rows: np.ndarray
    cols: np.ndarray
    n_tags: int
    ratios: np.ndarray  # sum to 1


def _artist_codes(artists: pd.Series) -> np.ndarray:
    codes, names = pd.factorize(artists)  # missing values get -1
    keys = np.array([str(name).strip().casefold() for name in names], dtype=object)
    unique, inverse = np.unique(keys, return_inverse=True) if len(keys) else (keys, np.zeros(0, int))
    if len(unique) and unique[0] == "":  # the blank name sorts first
        inverse = inverse - 1
    return np.append(inverse, -1)[codes]


def _check_ratios(ratios: Sequence[float]) -> np.ndarray:
    values = np.asarray(ratios, dtype=float)
    if values.shape != (len(SETS),):
        raise ValueError(f"ratios: {len(SETS)} numbers are needed (train, valid, test), got {ratios!r}")
    if not np.isfinite(values).all() or (values < 0).any() or values.sum() == 0:
        raise ValueError(f"ratios: finite numbers >= 0, not all 0, are needed, got {ratios!r}")
    return values / values.sum()


def _positive_labels(labels) -> tuple[np.ndarray, np.ndarray]:
    if sparse.issparse(labels):
        labels = labels.tocoo()
        values, (rows, cols) = labels.data, labels.coords
        rows, cols = rows[values != 0], cols[values != 0]
    else:
        values = labels
        rows, cols = np.nonzero(labels)
    if not np.isin(np.unique(values), (0, 1)).all():
        raise ValueError("labels: only 0 and 1 are allowed; turn scores or counts into 0/1 first")
    return rows, cols


def _validate(artists: pd.Series, labels, ratios: Sequence[float], unlabelled: np.ndarray | None = None) -> _Tracks:
    if not artists.index.is_unique:
        again = artists.index[artists.index.duplicated()][0]
        raise ValueError(f"artists: track_id {again!r} stands twice; keep one row per track")
    labels = labels if sparse.issparse(labels) else np.asarray(labels)
    if labels.ndim != 2 or labels.shape[0] != len(artists):
        raise ValueError(f"labels: got shape {labels.shape}; one row for each of the {len(artists)} tracks is needed")
    rows, cols = _positive_labels(labels)
    codes = _artist_codes(artists)
    if unlabelled is None:
        has_label = np.bincount(rows, minlength=len(artists)) > 0
    else:
        unlabelled = np.asarray(unlabelled)
        if unlabelled.shape != (len(artists),) or unlabelled.dtype != bool:
            found = f"{unlabelled.dtype} {unlabelled.shape}"
            raise ValueError(f"unlabelled: got {found}; a boolean mask of shape ({len(artists)},) is needed")
        has_label = ~unlabelled
    labelled = has_label & (codes >= 0)
    keep = labelled[rows]
    return _Tracks(artists.index, codes, labelled, rows[keep], cols[keep], labels.shape[1], _check_ratios(ratios))


def _count_table(tracks: _Tracks) -> sparse.csr_matrix:
    """(n_artists, 1 + n_tags) counts of each labelled artist's tracks (column 0) and of those with each tag."""
    members, local = np.unique(tracks.codes[tracks.labelled], return_inverse=True)
    position = np.zeros(len(tracks.index), dtype=np.int64)
    position[tracks.labelled] = local
    rows = np.concatenate([local, position[tracks.rows]])
    cols = np.concatenate([np.zeros(len(local), dtype=np.int64), tracks.cols + 1])
    shape = (len(members), 1 + tracks.n_tags)
    table = sparse.coo_matrix((np.ones(len(rows), dtype=np.int64), (rows, cols)), shape=shape).tocsr()
    table.sort_indices()
    return table


def _as_split(tracks: _Tracks, set_of_track: np.ndarray, artist_level: bool = True) -> pd.Series:
    """``set_of_track`` (n_tracks,) holds set numbers for labelled tracks, anything elsewhere."""
    names = np.array(SPLIT_VALUES, dtype=object)
    value = np.where(tracks.labelled, set_of_track, 3)
    value[tracks.codes < 0] = 4
    if artist_level:
        held_out = np.unique(tracks.codes[tracks.labelled & (set_of_track > 0)])
        value[~tracks.labelled & np.isin(tracks.codes, held_out)] = 4
    return pd.Series(names[value], index=tracks.index.rename("track_id"), name="split")


def _per_artist(tracks: _Tracks, assign: Callable[[np.ndarray], np.ndarray]) -> pd.Series:
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
    of positive ratio gets at least one artist where there are enough, and its number of tracks is within the largest
    artist's of its target. The result depends on the seed, not on the order of the rows.

    Raises ValueError for a repeated track_id, labels other than 0 and 1, shapes that do not fit, and ratios that are
    negative, NaN or all 0.
    """
    tracks = _validate(artists, labels, ratios, unlabelled)
    table = _count_table(tracks)
    return _per_artist(tracks, lambda members: stratify(table, tracks.ratios, seed))


def split_random_tracks(
    artists: pd.Series,
    labels,
    ratios: Sequence[float] = (0.7, 0.15, 0.15),
    seed: int = 0,
    unlabelled: np.ndarray | None = None,
) -> pd.Series:
    """Comparator that ignores artists: labelled tracks are shuffled and cut, every unlabelled track joins the pool."""
    tracks = _validate(artists, labels, ratios, unlabelled)
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
    tracks = _validate(artists, labels, ratios, unlabelled)
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
    tracks = _validate(artists, labels, ratios, unlabelled)
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


def make_leaking_split(split: pd.Series, artists: pd.Series, seed: int = 0) -> tuple[pd.Index, pd.Index]:
    """A training set that shares artists with the test: the treated arm of a paired experiment on leakage (claim C1).

    Each artist's test tracks are divided at random: half, rounded down, are *leak* tracks, the rest *evaluation*
    tracks. An artist's single track is evaluated, so the artists evaluated are those of the test set; nobody can leak
    it, which makes the measured effect, if anything, too small. The leaking training set is drawn without replacement
    from train and leak tracks together, as large as train. Both arms are scored on the same evaluation tracks after
    training on equally many tracks of nearly the same tag distribution (a stratified split makes train and test
    alike): what differs is that one arm has heard most of the evaluated artists.

    Returns (leaking training ids, evaluation ids), in the split's order. Raises ValueError if the split itself shares
    artists or has no train or test tracks.
    """
    check_split(split, artists)
    ids, value = split.index, split.to_numpy()
    train, test = np.flatnonzero(value == "train"), np.flatnonzero(value == "test")
    if not len(train) or not len(test):
        raise ValueError("split: train and test must both have tracks to build a leaking split from")
    rng = np.random.default_rng(seed)
    codes = _artist_codes(artists.reindex(ids))
    shuffled = rng.permutation(test)
    shuffled = shuffled[np.argsort(codes[shuffled], kind="stable")]  # artist by artist, at random within one
    _, first, n = np.unique(codes[shuffled], return_index=True, return_counts=True)
    rank = np.arange(len(shuffled)) - np.repeat(first, n)
    leaks = rank < np.repeat(n // 2, n)
    pool = np.concatenate([train, shuffled[leaks]])
    leaking_train = np.sort(rng.choice(pool, size=len(train), replace=False))
    return ids[leaking_train], ids[np.sort(shuffled[~leaks])]


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
    duplicates_across: (
        pd.DataFrame
    )  # track_id, other, first_set, second_set, detail: pairs that stand in different sets

    @property
    def leaks(self) -> bool:
        """Whether artists or duplicates stand on both sides of a line that they must not cross."""
        return bool(self.shared_artists["artists"].sum() or len(self.duplicates_across))


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
        raise ValueError(
            f"split: {len(missing)} tracks have no set, first {missing[0]!r}; split all tracks that artists lists"
        )
    return split.reindex(artists.index)


def _shared_artists(value: np.ndarray, codes: np.ndarray, artists: pd.Series) -> pd.DataFrame:
    known = np.flatnonzero(codes >= 0)
    members = {name: np.unique(codes[known[value[known] == name]]) for name in SPLIT_VALUES}
    rows = []
    for first, second in LEAKING_PAIRS:
        shared = np.intersect1d(members[first], members[second])
        names = [str(artists.iloc[np.argmax(codes == code)]) for code in shared[:N_EXAMPLES]]
        rows.append((first, second, len(shared), ", ".join(names)))
    return pd.DataFrame(rows, columns=["first", "second", "artists", "examples"])


def check_split(split: pd.Series, artists: pd.Series) -> None:
    """Raises ValueError, with example artists, if train, valid and test or the unlabelled pool and valid or test share any.

    Raises it too for an unknown set name, a repeated track and a track of ``artists`` without a set.
    """
    split = _align(split, artists)
    shared = _shared_artists(split.to_numpy(), _artist_codes(artists), artists)
    shared = shared[shared["artists"] > 0]
    faults = [f"{row.artists} in {row.first} and {row.second} ({row.examples})" for row in shared.itertuples()]
    if faults:
        raise ValueError(f"split: sets share artists: {'; '.join(faults)}; split anew with split_by_artist")


def _tag_table(set_of_track: np.ndarray, tracks: _Tracks, tags: Sequence[str]) -> pd.DataFrame:
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

    ``duplicates`` has columns track_id and other, as ``mtt.data.cleaning`` finds them; pairs with an excluded or
    unknown track do not count. Raises ValueError for malformed input as ``split_by_artist`` does, never for a leak.
    """
    tracks = _validate(artists, labels, ratios, np.zeros(len(artists), dtype=bool))
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
