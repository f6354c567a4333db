"""Quality, time and memory of the splitter, against random tracks, random artists and scikit-learn's GroupShuffleSplit.

    python tests/benchmarks/bench_splits.py                            1 000 000 generated tracks of 45 000 artists
    python tests/benchmarks/bench_splits.py mtg_jamendo_tracks.csv.gz  columns track_id, artist_id, tags, split0, ...

The first call in a process also loads or compiles the search. Expected on two shared cores: on MTG-Jamendo a mean
deviation below 0.004 in about 1 s; a million tracks below 30 s and 4 GB.
"""

from __future__ import annotations

import argparse
import resource
import time

import numpy as np
import pandas as pd

from mtt.splits.check import audit_split
from mtt.splits.make import comparator_splits, split_by_artist


def jamendo(path: str) -> tuple[pd.Series, np.ndarray, list[str], dict[str, pd.Series]]:
    """Artists, labels, tags and official splits of MTG-Jamendo's metadata."""
    table = pd.read_csv(path, index_col="track_id")
    indicator = table["tags"].str.get_dummies("|").astype(np.uint8)
    names = [name for name in table if name.startswith("split")]
    official = {f"official {name}": table[name].replace("validation", "valid") for name in names}
    return table["artist_id"], indicator.to_numpy(), list(indicator), official


def generated(n_tracks: int, n_artists: int, n_tags: int, seed: int = 0) -> tuple[pd.Series, np.ndarray]:
    """Artists of unequal size, each with its own taste, so that its tracks share tags; a tenth of them is unlabelled."""
    rng = np.random.default_rng(seed)
    size = rng.pareto(1.5, n_artists) + 0.3
    artist = rng.choice(n_artists, n_tracks, p=size / size.sum())
    popularity = 1.5 / np.arange(1, n_tags + 1) ** 0.8
    taste = popularity / popularity.sum() * rng.gamma(0.1, 10.0, (n_artists, n_tags))
    labels = np.empty((n_tracks, n_tags), dtype=np.uint8)
    for rows in np.array_split(np.arange(n_tracks), max(1, n_tracks // 50_000)):
        labels[rows] = rng.random((len(rows), n_tags)) < 2.5 * taste[artist[rows]]
    labels[rng.random(n_tracks) < 0.1] = 0
    ids = pd.Index([f"TR{i:07d}" for i in range(n_tracks)])
    return pd.Series([f"AR{a:05d}" for a in artist], index=ids), labels


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("csv", nargs="?", help="MTG-Jamendo's metadata; without it, generated tracks")
    parser.add_argument("--ratios", type=float, nargs=3, default=(0.6, 0.2, 0.2))
    parser.add_argument("--seeds", type=int, default=5, help="of the stratified split")
    parser.add_argument("--size", type=int, nargs=3, default=(1_000_000, 45_000, 50), metavar=("TRACKS", "ARTISTS", "TAGS"))
    options = parser.parse_args()
    if options.csv:
        artists, labels, tags, compared = jamendo(options.csv)
    else:
        (artists, labels), tags, compared = generated(*options.size), range(options.size[2]), {}
    print(f"{len(artists)} tracks, {artists.nunique()} artists, {labels.shape[1]} tags, {int(labels.sum())} labels")
    print(f"peak memory before splitting: {peak_gb():.2f} GB")
    seconds = {}
    for seed in range(options.seeds):
        start = time.perf_counter()
        compared[f"split_by_artist seed {seed}"] = split_by_artist(artists, labels, options.ratios, seed)
        seconds[f"split_by_artist seed {seed}"] = time.perf_counter() - start
    print(f"peak memory after split_by_artist: {peak_gb():.2f} GB")
    compared |= comparator_splits(artists, labels, options.ratios)
    audits = {name: vars(audit_split(split, artists, labels, options.ratios, tags)) for name, split in compared.items()}
    numbers = ["leaked_test_share", "mean_deviation", "max_deviation", "worst_tag", "size_deviation"]
    table = pd.DataFrame(audits).T[numbers].infer_objects()
    table.insert(0, "seconds", pd.Series(seconds))
    baseline = table.at["GroupShuffleSplit", "mean_deviation"]
    table.insert(1, "times_closer_than_group_shuffle", baseline / table["mean_deviation"])
    print(table.round(4).to_string())


def peak_gb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024**2


if __name__ == "__main__":
    main()
