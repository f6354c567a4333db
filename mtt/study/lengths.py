"""Input length: sweeps of trained models over lengths, their slopes (claim C7), costs and poolings.

Conventions: lengths in seconds; a slope is macro ROC-AUC per doubling of the input length, from the training length upwards.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import torch
from joblib import Parallel, delayed

from mtt.evaluation.bootstrap import Difference, contrast, estimate, slope_weights
from mtt.evaluation.lengths import LengthSweep, cost_of_length, sweep_lengths
from mtt.evaluation.predict import POOLINGS, pool_clips, predict_clips
from mtt.files import fingerprint, write_arrays
from mtt.study import recipes
from mtt.study.cells import THREADS, Stage, TrainingData
from mtt.study.workspace import Result, Study

SWEEP_VERSION = 1


def sweep(study: Study, results: list[Result]) -> dict[str, LengthSweep]:
    """Each model's scores of the sweep's tracks at every length of the study, (n_seeds, n_lengths, ...); made once, side by side."""
    lengths = study_lengths(study)
    jobs = [delayed(_sweep_stage)(stage, study.data, study.sweep_ids, lengths) for result in results for stage in result.stages]
    workers = 1 if torch.cuda.is_available() else -1
    done = iter(Parallel(n_jobs=workers)(jobs))
    found = {}
    for result in results:
        parts = [next(done) for _ in result.stages]
        found[result.name] = LengthSweep(np.array(lengths), np.stack([p["mean"] for p in parts]), np.stack([p["single"] for p in parts]))
    return found


def study_lengths(study: Study) -> list[float]:
    """The study's lengths, up to its longest track."""
    longest = study.corpus.tracks["seconds"].loc[study.sweep_ids].max()
    return [seconds for seconds in study.config.lengths if seconds <= longest + 0.5]


def _sweep_stage(stage: Stage, data: TrainingData, track_ids: list[str], lengths: list[float]) -> dict[str, np.ndarray]:
    mark = fingerprint([SWEEP_VERSION, stage.fingerprint, data.digest, track_ids, lengths])
    store = Path(stage.folder) / f"lengths-{mark}.npz"
    if not store.exists():
        torch.set_num_threads(THREADS)
        found = sweep_lengths(stage.load_model(), data.corpus, track_ids, lengths)
        write_arrays(store, mean=found.mean, single=found.single)
    with np.load(store, allow_pickle=False) as arrays:
        return {name: arrays[name] for name in arrays.files}


def curves(study: Study, found: dict[str, LengthSweep], way: str) -> dict[str, pd.DataFrame]:
    """For each model: seconds, estimate, low, high. ``way`` is "mean" (over the whole track) or "single" (one input)."""
    boot = study.bootstrap_of(study.sweep_ids)
    tables = {}
    for name, one in found.items():
        values = [estimate(boot, getattr(one, way)[:, i]) for i in range(len(one.lengths))]
        rows = {
            "seconds": one.lengths,
            "estimate": [v.value for v in values],
            "low": [v.lo for v in values],
            "high": [v.hi for v in values],
        }
        tables[name] = pd.DataFrame(rows)
    return tables


def train_length_curves(study: Study) -> dict[str, pd.DataFrame]:
    """Transformer and short-chunk ResNet, each trained anew at every training length of the profile and tested at that length.

    For each: seconds, estimate, low, high. Empty where the profile has no training lengths.
    """
    lengths, boot = study.config.train_lengths, study.bootstrap()
    bases = (recipes.teacher(study.config), recipes.baseline(study.config, "short_chunk_resnet"))
    jobs = [recipes.with_clip_seconds(base, seconds) for base in bases for seconds in lengths]
    results = iter(study.make(*jobs)) if jobs else iter(())
    tables = {}
    for base in bases if lengths else ():
        values = [estimate(boot, next(results).scores()) for _ in lengths]
        rows = {"seconds": lengths, "estimate": [v.value for v in values], "low": [v.lo for v in values], "high": [v.hi for v in values]}
        tables[base.name] = pd.DataFrame(rows)
    return tables


def slope_difference(study: Study, a: LengthSweep, b: LengthSweep) -> Difference:
    """Slope of a minus slope of b, over the lengths from the training length upwards."""
    chosen = _from_training_length(study, a.lengths)
    weights = slope_weights(a.lengths[chosen])
    scores = [one.mean[:, i] for one in (a, b) for i in chosen]
    return contrast(study.bootstrap_of(study.sweep_ids), scores, [*weights, *-weights])


def slopes(study: Study, found: dict[str, LengthSweep]) -> pd.DataFrame:
    """Each model's slope per doubling of length: estimate, low, high."""
    rows = {}
    for name, one in found.items():
        chosen = _from_training_length(study, one.lengths)
        scores = [one.mean[:, i] for i in chosen]
        slope = contrast(study.bootstrap_of(study.sweep_ids), scores, slope_weights(one.lengths[chosen]))
        rows[name] = {"ROC-AUC per doubling": slope.effect, "low": slope.lo, "high": slope.hi}
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("model")


def _from_training_length(study: Study, lengths: np.ndarray) -> list[int]:
    """Positions of the lengths from the training length up; all, where fewer than two are left."""
    chosen = [i for i, seconds in enumerate(lengths) if seconds >= study.config.train.clip_seconds - 1e-6]
    return chosen if len(chosen) > 1 else list(range(len(lengths)))


def tags(study: Study, one: LengthSweep) -> pd.DataFrame:
    """ROC-AUC per tag (rows) and length in seconds (columns), one input from the middle of the track."""
    boot = study.bootstrap_of(study.sweep_ids)
    columns = {float(seconds): boot.tag_values(one.single[:, i]) for i, seconds in enumerate(one.lengths)}
    return pd.DataFrame(columns, index=pd.Index(study.corpus.tags, name="tag")).dropna()


def cost(study: Study, result: Result) -> pd.DataFrame:
    """seconds, milliseconds of a forward pass, megabytes kept for a training step's backward pass."""
    table = cost_of_length(result.stages[0].load_model(), study_lengths(study))
    return pd.DataFrame({"seconds": table["length"], "milliseconds": 1000 * table["seconds"], "megabytes": table["bytes"] / 1e6})


def poolings(study: Study, results: list[Result]) -> pd.DataFrame:
    """ROC-AUC of track scores pooled in each way from the same clips, mean over seeds: a row a model, a column a pooling."""
    ids, boot = study.sweep_ids, study.bootstrap_of(study.sweep_ids)
    rows = {}
    for result in results:
        models = [stage.load_model() for stage in result.stages]
        clips = [predict_clips(model, study.corpus, ids, study.config.train.clip_seconds, study.config.chunks) for model in models]
        found = {way: estimate(boot, np.stack([pool_clips(one, way) for one in clips])) for way in POOLINGS}
        rows[result.name] = {way: f"{value.value:.3f} [{value.lo:.3f}, {value.hi:.3f}]" for way, value in found.items()}
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("model")


def records(study: Study, found: dict[str, LengthSweep]) -> list[dict]:
    """The ``lengths`` part of results.json: one row a model and length."""
    return [
        {"model": name, "seconds": row.seconds, "roc_auc": row.estimate, "roc_auc_interval": [row.low, row.high]}
        for name, table in curves(study, found, "mean").items()
        for row in table.itertuples()
    ]
