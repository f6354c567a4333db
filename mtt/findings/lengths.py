"""What the length of the input does: models that are tested at other lengths than their own, and which tags gain.

Conventions: lengths in seconds; a slope is macro ROC-AUC per doubling of the length. A *sweep* holds the scores of one replicate's test
tracks at every length, (n_lengths, n_tracks, n_tags); a track's score is the mean over inputs that cover it.
"""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
import torch
from joblib import Parallel, delayed

from mtt.config import SAMPLE_RATE, StudyConfig
from mtt.data.batches import Source
from mtt.evaluation.bootstrap import Bootstrap, interval, slope_weights
from mtt.evaluation.metrics import macro, roc_auc
from mtt.evaluation.predict import clips_to_cover, predict_clips
from mtt.evaluation.replicates import Spread
from mtt.files import MttError, kept_arrays, leave_interrupts
from mtt.findings.judge import Judge
from mtt.models import build_model
from mtt.study import recipes
from mtt.study.cells import THREADS, Cell
from mtt.study.workspace import Result, Study

SWEEP_VERSION = 2


def study_lengths(study: Study) -> list[float]:
    """The study's lengths, up to its longest test track."""
    longest = max(one.corpus.seconds(one.ids("test")).max() for one in study.replicates)
    return [seconds for seconds in study.config.lengths if seconds <= longest + 0.5]


def sweep(study: Study, results: Sequence[Result]) -> dict[str, list[np.ndarray]]:
    """The sweeps of each model, one a replicate; made once, side by side."""
    lengths, jobs = study_lengths(study), []
    for replicate in study.replicates:
        replicate.prepare()
    for result in results:
        for replicate, cell in zip(study.replicates, result.cells, strict=True):
            jobs.append(delayed(_sweep_cell)(cell, replicate.data.source(result.entry.recipe), replicate.ids("test"), lengths))
    made = iter(Parallel(n_jobs=1 if torch.cuda.is_available() else -1, initializer=leave_interrupts)(jobs))
    return {result.name: [next(made) for _ in result.cells] for result in results}


def _sweep_cell(cell: Cell, source: Source, track_ids: list[str], lengths: list[float]) -> np.ndarray:
    def make() -> dict[str, np.ndarray]:
        torch.set_num_threads(THREADS)
        model, longest = cell.load_model(), float(source.seconds(track_ids).max())
        clips = ((seconds, clips_to_cover(longest, seconds), cell.config["precision"]) for seconds in lengths)
        return {"scores": np.stack([predict_clips(model, source, track_ids, *one).mean(axis=1) for one in clips])}

    return kept_arrays(cell.folder, "lengths", [SWEEP_VERSION, cell.fingerprint, track_ids, lengths], make)["scores"]


def resamples(judge: Judge) -> Bootstrap | None:
    """Those of the first replicate's test artists; None where these are too few."""
    try:
        return judge.bootstrap()
    except MttError:
        return None


def curves(judge: Judge, found: Mapping[str, Sequence[np.ndarray]]) -> dict[str, pd.DataFrame]:
    """Of each model in the first replicate: seconds, estimate, low, high."""
    boot, first, tables = resamples(judge), judge.study.first, {}
    labels = first.corpus.true_labels(first.ids("test"))
    for name, sweeps in found.items():
        table = pd.DataFrame({"seconds": study_lengths(judge.study), "low": np.nan, "high": np.nan})
        table["estimate"] = [macro(labels, scores)["roc_auc"] for scores in sweeps[0]]
        if boot:
            table["low"], table["high"] = zip(*(interval(boot.distribution(scores)) for scores in sweeps[0]), strict=True)
        tables[judge.results[name].entry.label] = table
    return tables


def slopes(judge: Judge, found: Mapping[str, Sequence[np.ndarray]]) -> dict[str, Spread]:
    """The slope of each model from its training length upwards, and the first one's minus each other's, over replicates."""
    lengths = np.array(study_lengths(judge.study))
    chosen = np.flatnonzero(lengths >= judge.study.config.train.clip_seconds - 1e-6)
    chosen = chosen if len(chosen) > 1 else np.arange(len(lengths))
    weights, values = slope_weights(lengths[chosen]), {}
    for name, sweeps in found.items():
        truths = [one.corpus.true_labels(one.ids("test")) for one in judge.study.replicates]
        scores = [[macro(truth, one[place])["roc_auc"] for place in chosen] for truth, one in zip(truths, sweeps, strict=True)]
        values[judge.results[name].entry.label] = np.array(scores) @ weights
    first, *others = values
    values |= {f"{first} minus {other}": values[first] - values[other] for other in others}
    return {name: judge.spread(one) for name, one in values.items()}


def by_kind(judge: Judge, name: str = "teacher") -> tuple[pd.DataFrame, dict[str, Spread]] | None:
    """Of a model that is trained and tested at each length: mean ROC-AUC by kind of tag (index) and length (columns), and slopes."""
    config = judge.study.config
    lengths = [one for one in config.train_lengths if recipes.with_clip_seconds(config, name, one) in judge.results]
    if len(lengths) < 2:
        return None
    rows: dict[str, list[list[float]]] = {}
    for place, replicate in enumerate(judge.study.replicates):
        corpus, ids = replicate.corpus, replicate.ids("test")
        kinds = pd.Series([corpus.tag_kinds.get(tag, "tag") for tag in corpus.tags])
        own = (judge.results[recipes.with_clip_seconds(config, name, seconds)] for seconds in lengths)
        scored = [roc_auc(corpus.true_labels(ids), one.cells[place].scores("test")) for one in own]
        for kind, row in pd.DataFrame(dict(zip(lengths, scored, strict=True))).groupby(kinds).mean().dropna().iterrows():
            rows.setdefault(kind, []).append(row.tolist())
    values = {kind: np.array(one) for kind, one in rows.items() if len(one) == len(judge.study.replicates)}
    table = pd.DataFrame.from_dict({kind: one.mean(axis=0) for kind, one in values.items()}, orient="index", columns=list(lengths))
    return table.rename_axis("kind of tag"), {kind: judge.spread(one @ slope_weights(lengths)) for kind, one in values.items()}


def time_steps(config: StudyConfig) -> pd.DataFrame:
    """What clips of the study's length leave of time in each model after its convolutions."""
    rows, lineup = {}, recipes.lineup(config)
    for name in (one for one in ("teacher", *recipes.baselines(config)) if one in lineup):
        model = build_model(lineup[name].recipe.model, 2, seed=0).eval()
        steps: list[int] = []
        hook = model.blocks.register_forward_hook(lambda _module, _inputs, output, steps=steps: steps.append(output.shape[-1]))
        with torch.inference_mode():
            model(torch.zeros(1, round(config.train.clip_seconds * SAMPLE_RATE)))
        hook.remove()
        rows[lineup[name].label] = (f"{model.native_seconds:.3g} s", f"{config.train.clip_seconds:g} s", steps[0])
    return pd.DataFrame.from_dict(rows, orient="index", columns=["clip in its paper", "clip here", "steps in time"]).rename_axis("model")
