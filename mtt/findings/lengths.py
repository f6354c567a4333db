"""Input length: sweeps of trained models over lengths, their slopes (claim C7), costs and poolings.

Conventions: lengths in seconds; a slope is macro ROC-AUC per doubling of the input length, from the training length upwards. What needs
intervals takes the ``Judge`` that has them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import pandas as pd
import torch
from joblib import Parallel, delayed

from mtt.config import SAMPLE_RATE, StudyConfig
from mtt.evaluation.bootstrap import Bootstrap, Difference, contrast, estimate, slope_weights
from mtt.evaluation.lengths import LengthSweep, cost_of_length, sweep_lengths
from mtt.evaluation.predict import POOLINGS
from mtt.files import kept_arrays, leave_interrupts
from mtt.models import build_model
from mtt.study import recipes
from mtt.study.cells import THREADS, Cell, TrainingData
from mtt.study.workspace import Result, Study

SWEEP_VERSION = 1


def sweep(study: Study, results: Sequence[Result]) -> dict[str, LengthSweep]:
    """Each model's scores of the sweep's tracks at every length of the study, (n_seeds, n_lengths, ...); made once, side by side."""
    lengths = study_lengths(study)
    jobs = [delayed(_sweep_cell)(cell, study.data, study.sweep_ids, lengths) for result in results for cell in result.cells]
    done = iter(Parallel(n_jobs=1 if torch.cuda.is_available() else -1, initializer=leave_interrupts)(jobs))
    parts = {result.name: [next(done) for _ in result.cells] for result in results}
    ways = ("mean", "single")
    return {name: LengthSweep(np.array(lengths), *(np.stack([one[way] for one in own]) for way in ways)) for name, own in parts.items()}


def estimates(boot: Bootstrap, scores: Mapping[object, np.ndarray], index: str) -> pd.DataFrame:
    """ROC-AUC of each of these ``scores``: estimate, low, high; ``index`` says what their names are."""
    found = {name: estimate(boot, one) for name, one in scores.items()}
    rows = [(one.value, one.lo, one.hi) for one in found.values()]
    return pd.DataFrame(rows, columns=["estimate", "low", "high"], index=pd.Index(list(found), name=index))


def study_lengths(study: Study) -> list[float]:
    """The study's lengths, up to its longest track."""
    longest = study.corpus.tracks["seconds"].loc[study.sweep_ids].max()
    return [seconds for seconds in study.config.lengths if seconds <= longest + 0.5]


def _sweep_cell(cell: Cell, data: TrainingData, track_ids: list[str], lengths: list[float]) -> dict[str, np.ndarray]:
    def make() -> dict[str, np.ndarray]:
        torch.set_num_threads(THREADS)
        found = sweep_lengths(cell.load_model(), data.corpus, track_ids, lengths, precision=cell.config["precision"])
        return {"mean": found.mean, "single": found.single}

    return kept_arrays(cell.folder, "lengths", [SWEEP_VERSION, cell.fingerprint, data.digest, track_ids, lengths], make)


def _curve(boot: Bootstrap, seconds: Sequence[float], scores: Iterable[np.ndarray]) -> pd.DataFrame:
    """seconds, estimate, low, high."""
    return estimates(boot, dict(zip(seconds, scores, strict=True)), "seconds").reset_index()


def curves(boot: Bootstrap, found: Mapping[str, LengthSweep], way: str) -> dict[str, pd.DataFrame]:
    """For each model: seconds, estimate, low, high. ``way`` is "mean" (over the whole track) or "single" (one input)."""
    return {name: _curve(boot, one.lengths, np.moveaxis(getattr(one, way), 1, 0)) for name, one in found.items()}


def train_length_curves(study: Study, boot: Bootstrap) -> dict[str, pd.DataFrame]:
    """Of Transformer and short-chunk ResNet, trained and tested at each training length of the profile: seconds, estimate, low, high."""
    lengths, names = study.config.train_lengths, ("teacher", "short-chunk-resnet") if study.config.train_lengths else ()
    made = iter(study.make(*(recipes.with_clip_seconds(recipes.recipe(study.config, name), one) for name in names for one in lengths)))
    return {name: _curve(boot, lengths, [next(made).scores() for _ in lengths]) for name in names}


def slopes(study: Study, boot: Bootstrap, found: Mapping[str, LengthSweep]) -> dict[str, Difference]:
    """Each model's slope per doubling of length, over the lengths from the training length upwards."""
    return {name: contrast(boot, *_slope(study, one)) for name, one in found.items()}


def slope_difference(study: Study, boot: Bootstrap, a: LengthSweep, b: LengthSweep) -> Difference:
    """Slope of a minus slope of b."""
    (scores_a, weights), (scores_b, _) = _slope(study, a), _slope(study, b)
    return contrast(boot, [*scores_a, *scores_b], [*weights, *-weights])


def _slope(study: Study, one: LengthSweep) -> tuple[list[np.ndarray], np.ndarray]:
    """Scores at the lengths from the training length up (at all, where fewer than two are left), and their weights in the slope."""
    chosen = np.flatnonzero(one.lengths >= study.config.train.clip_seconds - 1e-6)
    chosen = chosen if len(chosen) > 1 else np.arange(len(one.lengths))
    return [one.mean[:, place] for place in chosen], slope_weights(one.lengths[chosen])


def tags(study: Study, boot: Bootstrap, one: LengthSweep) -> pd.DataFrame:
    """ROC-AUC per tag (rows) and length in seconds (columns), one input from the middle of the track."""
    columns = {float(seconds): boot.tag_values(one.single[:, place]) for place, seconds in enumerate(one.lengths)}
    return pd.DataFrame(columns, index=pd.Index(study.corpus.tags, name="tag")).dropna()


def cost(study: Study, result: Result) -> pd.DataFrame:
    """seconds, milliseconds of a forward pass, megabytes kept for a training step's backward pass."""
    table = cost_of_length(result.first.load_model(), study_lengths(study))
    return pd.DataFrame({"seconds": table["length"], "milliseconds": 1000 * table["seconds"], "megabytes": table["bytes"] / 1e6})


def poolings(study: Study, boot: Bootstrap, results: Sequence[Result]) -> dict[str, pd.DataFrame]:
    """For each model and way to pool the same clips' scores into a track's (index): estimate, low, high of ROC-AUC, mean over seeds."""
    tables, clip = {}, study.config.train.clip_seconds
    for result in results:
        clips = [cell.predict_clips(study.data, study.sweep_ids, clip, study.config.chunks) for cell in result.cells]
        scores = {way: np.stack([pool(one) for one in clips]) for way, pool in POOLINGS.items()}
        tables[result.name] = estimates(boot, scores, "pooling")
    return tables


def records(boot: Bootstrap, found: Mapping[str, LengthSweep]) -> list[dict]:
    """The ``lengths`` part of results.json: one row a model and length."""
    rows = [(name, *row) for name, table in curves(boot, found, "mean").items() for row in table.itertuples(index=False)]
    return [{"model": name, "seconds": seconds, "roc_auc": value, "roc_auc_interval": bounds} for name, seconds, value, *bounds in rows]


def time_steps(config: StudyConfig) -> pd.DataFrame:
    """What clips of the study's length leave of time in each model after its convolutions."""
    rows = {}
    for name in ("teacher", *recipes.baselines(config)):
        model = build_model(recipes.recipe(config, name).model, 2, seed=0).eval()
        steps: list[int] = []
        hook = model.blocks.register_forward_hook(lambda _module, _inputs, output, steps=steps: steps.append(output.shape[-1]))
        with torch.inference_mode():
            model(torch.zeros(1, round(config.train.clip_seconds * SAMPLE_RATE)))
        hook.remove()
        rows[name] = (f"{model.native_seconds:.3g} s", f"{config.train.clip_seconds:g} s", steps[0])
    return pd.DataFrame.from_dict(rows, orient="index", columns=["clip in its paper", "clip here", "steps in time"]).rename_axis("model")
