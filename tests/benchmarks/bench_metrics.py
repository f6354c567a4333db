"""Speed of the metrics and of the bootstrap, against scikit-learn in the same process.

Run by hand from the root of the repository: ``PYTHONPATH=. python tests/benchmarks/bench_metrics.py``. The cost of one
evaluation by scikit-learn times the number of resamples stands for a bootstrap that calls it anew for each.
"""

import time

import numpy as np
from sklearn.metrics import average_precision_score, roc_auc_score

from mtt.evaluation.bootstrap import Bootstrap
from mtt.evaluation.metrics import METRICS, macro, tag_scores

RESAMPLES = 1000
CASES = {"small": (500, 28, 90), "CALS test set": (35_000, 50, 6_000)}  # tracks, tags, artists


def seconds(function, repeats: int = 3) -> float:
    """Of the fastest run."""
    times = []
    for _ in range(repeats):
        started = time.perf_counter()
        function()
        times.append(time.perf_counter() - started)
    return min(times)


def measure(name: str, n_tracks: int, n_tags: int, n_artists: int) -> None:
    generator = np.random.default_rng(0)
    labels = (generator.random((n_tracks, n_tags)) < 0.05).astype(np.uint8)
    scores = (labels * 0.5 + generator.normal(size=labels.shape)).astype(np.float32)
    artists = generator.integers(0, n_artists, n_tracks)

    expected = [metric(labels, scores, average=None) for metric in (roc_auc_score, average_precision_score)]
    found = tag_scores(labels, scores)[list(METRICS)].to_numpy().T
    error = np.abs(np.stack(expected) - found).max()
    baseline = seconds(lambda: (roc_auc_score(labels, scores), average_precision_score(labels, scores)))
    ours = seconds(lambda: macro(labels, scores))
    print(f"\n{name}: {n_tracks} tracks x {n_tags} tags, {n_artists} artists; largest difference {error:.1e}")
    print(f"  one evaluation, both metrics: {ours:.4f} s; scikit-learn {baseline:.4f} s; ratio {baseline / ours:.1f}")

    draw = seconds(lambda: Bootstrap(labels, artists, RESAMPLES))
    boot = Bootstrap(labels, artists, RESAMPLES)
    sweep = seconds(lambda: [boot.distribution(scores, metric) for metric in METRICS])
    ratio = baseline * RESAMPLES / (draw + sweep)
    print(f"  {RESAMPLES} resamples, both metrics: drawing {draw:.2f} s, scoring {sweep:.2f} s; ratio {ratio:.0f}")


def main() -> None:
    tiny = np.array([[0], [1]]), np.array([[0.0], [1.0]])
    print(f"first call, with compilation: {seconds(lambda: macro(*tiny), repeats=1):.2f} s")
    for name, sizes in CASES.items():
        measure(name, *sizes)


if __name__ == "__main__":
    main()
