"""The metrics and the bootstrap beside scikit-learn, and the splitter beside random tracks, random artists and GroupShuffleSplit.

    python tests/benchmarks/bench_evaluation.py                            splits 1 000 000 generated tracks of 45 000 artists
    python tests/benchmarks/bench_evaluation.py mtg_jamendo_tracks.csv.gz  columns track_id, artist_id, tags, split0, ...

The cost of one evaluation by scikit-learn times the number of resamples stands for a bootstrap that calls it anew for each. Expected of
the splitter on two shared cores: on MTG-Jamendo a mean deviation below 0.004 in about 1 s; a million tracks below 30 s and 4 GB.
"""

import sys
import time

import numpy as np
import pandas as pd
from frame import fastest, peak_gb, show, size
from sklearn.metrics import average_precision_score, roc_auc_score

from mtt.evaluation.bootstrap import Bootstrap
from mtt.evaluation.metrics import METRICS, macro, tag_scores
from mtt.splits.check import audit_split
from mtt.splits.make import comparator_splits, split_by_artist

RESAMPLES, RATIOS = 1000, (0.6, 0.2, 0.2)
CASES = {"small": (500, 28, 90), "CALS test set": (size(35_000, 1000), 50, size(6_000, 200))}  # tracks, tags, artists


def metrics(name: str, n_tracks: int, n_tags: int, n_artists: int) -> None:
    random = np.random.default_rng(0)
    labels = (random.random((n_tracks, n_tags)) < 0.05).astype(np.uint8)
    scores = (labels * 0.5 + random.normal(size=labels.shape)).astype(np.float32)
    artists = random.integers(0, n_artists, n_tracks)
    expected = [metric(labels, scores, average=None) for metric in (roc_auc_score, average_precision_score)]
    error = np.abs(np.stack(expected) - tag_scores(labels, scores)[list(METRICS)].to_numpy().T).max()
    once = fastest(lambda: (roc_auc_score(labels, scores), average_precision_score(labels, scores)))
    ours = fastest(lambda: macro(labels, scores))

    title = f"{name}, {n_tracks} tracks x {n_tags} tags, {n_artists} artists; largest difference {error:.1e}"
    show(title, {"scikit-learn": once, "both metrics": ours})
    area = RESAMPLES * fastest(lambda: roc_auc_score(labels, scores))
    boot = fastest(lambda: Bootstrap(labels, artists, RESAMPLES).distribution(scores), 1)
    show(f"{name}, {RESAMPLES} resamples of ROC-AUC", {"scikit-learn": area, "bootstrap": boot})


def jamendo(path: str) -> tuple[pd.Series, np.ndarray, dict[str, pd.Series]]:
    """Artists, labels and official splits of MTG-Jamendo's metadata."""
    table = pd.read_csv(path, index_col="track_id")
    official = {f"official {name}": table[name].replace("validation", "valid") for name in table if name.startswith("split")}
    return table["artist_id"], table["tags"].str.get_dummies("|").to_numpy(np.uint8), official


def generated(n_tracks: int, n_artists: int, n_tags: int = 50) -> tuple[pd.Series, np.ndarray, dict]:
    """Artists of unequal size, each with its own taste, so that its tracks share tags; a tenth of them is unlabelled."""
    random = np.random.default_rng(0)
    size = random.pareto(1.5, n_artists) + 0.3
    artist = random.choice(n_artists, n_tracks, p=size / size.sum())
    popularity = 1.5 / np.arange(1, n_tags + 1) ** 0.8
    taste = popularity / popularity.sum() * random.gamma(0.1, 10.0, (n_artists, n_tags))
    labels = np.empty((n_tracks, n_tags), dtype=np.uint8)
    for rows in np.array_split(np.arange(n_tracks), max(1, n_tracks // 50_000)):
        labels[rows] = random.random((len(rows), n_tags)) < 2.5 * taste[artist[rows]]
    labels[random.random(n_tracks) < 0.1] = 0
    return pd.Series(artist.astype(str), index=np.arange(n_tracks).astype(str)), labels, {}


def splits(artists: pd.Series, labels: np.ndarray, compared: dict[str, pd.Series]) -> None:
    seconds, before = {}, peak_gb()
    for seed in range(5):  # the first also loads or compiles the search
        started = time.perf_counter()
        compared[f"ours, seed {seed}"] = split_by_artist(artists, labels, RATIOS, seed)
        seconds[f"ours, seed {seed}"] = time.perf_counter() - started
    print(f"\n{len(artists)} tracks, {artists.nunique()} artists; peak memory {before:.2f} GB before, {peak_gb():.2f} GB after")
    tags, off = range(labels.shape[1]), {}
    for name, split in (compared | comparator_splits(artists, labels, RATIOS)).items():
        off[name] = audit_split(split, artists, labels, RATIOS, tags).mean_deviation
    table = pd.DataFrame({"mean_deviation": pd.Series(off), "seconds": pd.Series(seconds)})
    table["times_closer_than_group_shuffle"] = off["GroupShuffleSplit"] / table["mean_deviation"]
    print(table.round(5).to_string())


if __name__ == "__main__":
    for case, sizes in CASES.items():
        metrics(case, *sizes)
    splits(*(jamendo(sys.argv[1]) if len(sys.argv) > 1 else generated(size(1_000_000, 10_000), size(45_000, 500))))
