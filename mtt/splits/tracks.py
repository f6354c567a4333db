"""Tracks, artists, tags and sets as validated numbers: what making a split and auditing one have in common.

Conventions: see ``mtt.splits.make``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import sparse

SETS = ("train", "valid", "test")
SPLIT_VALUES = (*SETS, "unlabelled", "excluded")


@dataclass(frozen=True)
class ArtistTracks:
    """Validated input of a split."""

    index: pd.Index  # track ids
    codes: np.ndarray  # (n_tracks,) number of the track's artist in sorted order; -1: none
    labelled: np.ndarray  # (n_tracks,) bool: has labels and an artist, so that it belongs in train, valid or test
    rows: np.ndarray  # (n_positive,) track of each positive label
    cols: np.ndarray  # (n_positive,) tag of each positive label
    n_tags: int
    ratios: np.ndarray  # sum to 1


def artist_codes(artists: pd.Series) -> np.ndarray:
    """Number of each track's artist, (n_tracks,), in the sorted order of names; -1 for a missing or blank one."""
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


def validate_tracks(artists: pd.Series, labels, ratios: Sequence[float], unlabelled: np.ndarray | None = None) -> ArtistTracks:
    """Check what ``split_by_artist`` is given. Raises ValueError that names the argument and the fault."""
    if not artists.index.is_unique:
        again = artists.index[artists.index.duplicated()][0]
        raise ValueError(f"artists: track_id {again!r} stands twice; keep one row per track")
    labels = labels if sparse.issparse(labels) else np.asarray(labels)
    if labels.ndim != 2 or labels.shape[0] != len(artists):
        raise ValueError(f"labels: got shape {labels.shape}; one row for each of the {len(artists)} tracks is needed")
    rows, cols = _positive_labels(labels)
    codes = artist_codes(artists)
    if unlabelled is None:
        has_label = np.bincount(rows, minlength=len(artists)) > 0
    else:
        unlabelled = np.asarray(unlabelled)
        if unlabelled.shape != (len(artists),) or unlabelled.dtype != bool:
            found = f"{unlabelled.dtype} {unlabelled.shape}"
            raise ValueError(f"unlabelled: got {found}; a boolean mask of shape ({len(artists)},) is needed")
        has_label = ~unlabelled
    labelled = has_label & (codes >= 0)
    return ArtistTracks(artists.index, codes, labelled, rows, cols, labels.shape[1], _check_ratios(ratios))


def count_table(tracks: ArtistTracks) -> sparse.csr_matrix:
    """(n_artists, 1 + n_tags) counts of each labelled artist's tracks (column 0) and of those with each tag."""
    members, local = np.unique(tracks.codes[tracks.labelled], return_inverse=True)
    position = np.zeros(len(tracks.index), dtype=np.int64)
    position[tracks.labelled] = local
    used = tracks.labelled[tracks.rows]
    rows = np.concatenate([local, position[tracks.rows[used]]])
    cols = np.concatenate([np.zeros(len(local), dtype=np.int64), tracks.cols[used] + 1])
    shape = (len(members), 1 + tracks.n_tags)
    table = sparse.coo_matrix((np.ones(len(rows), dtype=np.int64), (rows, cols)), shape=shape).tocsr()
    table.sort_indices()
    return table
