"""What a study holds, as the tables that pages show and figures draw: collection, split, models, effects.

Conventions: an estimate is a row with ``estimate, low, high`` (95% interval); metrics are macro-averaged unless a table is per tag. An
*effect* is a mapping of ``effect``, ``interval`` (None if unbounded) and ``by_replicate``, as ``mtt.findings.judge.told`` gives it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from markupsafe import Markup

from mtt.config import StudyConfig
from mtt.data.corpus import Corpus
from mtt.evaluation import metrics
from mtt.evaluation.bootstrap import tag_intervals
from mtt.evaluation.replicates import Spread
from mtt.findings.judge import Judge
from mtt.findings.lengths import resamples
from mtt.reporting.numbers import counted, duration, minus, number, signed, with_interval
from mtt.reporting.pages.table import Table, table
from mtt.splits.check import audit_split
from mtt.splits.make import comparator_splits
from mtt.study import recipes
from mtt.study.replicates import Replicate
from mtt.study.workspace import Result

METRICS = {"roc_auc": "ROC-AUC", "pr_auc": "PR-AUC"}


def corpus_summary(corpus: Corpus) -> pd.DataFrame:
    """Labelled, unlabelled and all tracks: tracks, artists, hours, tags per track."""
    labelled = corpus.is_labelled
    rows = {}
    for name, chosen in {"labelled": labelled, "unlabelled": ~labelled, "all": labelled | True}.items():
        part = corpus.tracks[chosen]
        rows[name] = {
            "tracks": len(part),
            "artists": corpus.artists[chosen].replace("", np.nan).nunique(),
            "hours": part["seconds"].sum() / 3600,
            "tags per track": corpus.labels[chosen.to_numpy()].sum(axis=1).mean() if name == "labelled" else np.nan,
        }
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("part")


def tag_counts(corpus: Corpus) -> pd.Series:
    """Labelled tracks per tag."""
    return pd.Series(corpus.labels.sum(axis=0).astype(int), index=pd.Index(corpus.tags, name="tag"))


def frequent_tags(corpus: Corpus, count: int) -> list[str]:
    """The most frequent tags of the first kind (genre, where kinds are known)."""
    counts = tag_counts(corpus).sort_values(ascending=False, kind="stable")
    kind = corpus.tag_kinds.get(corpus.tags[0])
    return [tag for tag in counts.index if corpus.tag_kinds.get(tag) == kind and counts[tag] > 0][:count]


def true_counts(corpus: Corpus) -> pd.Series | None:
    """Labelled tracks that truly have each tag; None where the truth is not known."""
    if corpus.truth is None:
        return None
    counts = corpus.truth[corpus.is_labelled.to_numpy()].sum(axis=0).astype(int)
    return pd.Series(counts, index=pd.Index(corpus.tags, name="tag"))


def problems(corpus: Corpus, most: int) -> pd.DataFrame:
    """The first files that could not be used."""
    return corpus.problems.head(most).assign(detail=lambda found: found["detail"].map(minus)).set_index("track_id")


def cleaning_summary(replicate: Replicate) -> pd.DataFrame:
    """Problems by kind: how many tracks were left out, with an example; beside them how many were planted, where that is known."""
    found = pd.concat([replicate.collection.problems, replicate.cleaned[1]], ignore_index=True)
    found = found.assign(problem=found["problem"].str.replace("_", " "), detail=found["detail"].map(minus))
    table = found.groupby("problem").agg(tracks=("track_id", "nunique"), example=("track_id", "first"), detail=("detail", "first"))
    planted = replicate.collection.planted
    if planted is None:
        return table
    true_ids = set(planted["track_id"]) | set(planted["other"])
    return table.assign(**{"planted among them": found.groupby("problem")["track_id"].agg(lambda ids: len(set(ids) & true_ids))})


def split_counts(replicate: Replicate) -> pd.DataFrame:
    """Tracks, artists and positive labels of each set that has tracks."""
    return replicate.audit.counts[replicate.audit.counts["tracks"] > 0]


def rare_tags(replicate: Replicate) -> pd.DataFrame:
    """The tags left out for want of positives, with their positives in each set; the most frequent first."""
    left_out = replicate.tag_counts[~replicate.tag_counts["kept"]].drop(columns="kept")
    return left_out.loc[left_out.sum(axis=1).sort_values(ascending=False, kind="stable").index]


def split_methods(replicate: Replicate) -> pd.DataFrame:
    """A row for the replicate's own split and each other way: artists shared by sets, test tracks whose artist is in train, how far the
    tags' shares are off.
    """
    corpus, ours = replicate.corpus, replicate.collection.split_name or "the collection's own"
    audits = {ours if replicate.collection.has_split else "artist-level, stratified": replicate.audit}
    for name, split in comparator_splits(corpus.artists, corpus.labels, replicate.ratios).items():
        audits[name] = audit_split(split, corpus.artists, corpus.labels, replicate.ratios, corpus.tags)
    rows = {}
    for name, audit in audits.items():
        shares = (f"{audit.leaked_test_share:.0%}", f"{audit.mean_deviation:.2%}", f"{audit.max_deviation:.1%}")
        rows[name] = (int(audit.shared_artists["artists"].sum()), *shares)
    columns = ["shared artists", "test tracks by train artists", "mean deviation", "largest deviation"]
    return pd.DataFrame.from_dict(rows, orient="index", columns=columns).rename_axis("split")


def recipe(config: StudyConfig) -> pd.DataFrame:
    """The teacher's settings in words."""
    model, train, teacher = config.teacher, config.train, recipes.supervised(config)
    augmented = "none" if train.augment is None else f"{train.augment.clip_share:.0%}"
    rows = {
        "front end": f"{model.n_mels} mel bands, {model.channels} channels",
        "Transformer": f"{model.layers} layers, {model.heads} heads, width {model.width}",
        "clip": f"{train.clip_seconds:g} s",
        "batch": f"{train.batch_size} clips",
        "steps": f"{teacher.train.steps:,}, so {counted(teacher.exposure, 'labelled clip')}",
        "learning rate": f"{train.learning_rate:g}, {train.schedule}",
        "augmented clips": augmented + (f", {train.prepared} variants of a track made once" if train.prepared else ", each afresh"),
        "track score": f"mean over {config.chunks} clips or more, as many as cover the track",
        "replicates": f"{config.first_replicate} to {config.first_replicate + config.replicates - 1}",
    }
    return pd.DataFrame({"setting": rows}).rename_axis("what")


def convergence(rows: Sequence[Mapping]) -> pd.DataFrame:
    """What twice the exposure changed on tuning corpora (``reference.convergence``), by model and number of labelled artists."""
    found = []
    for row in rows:
        scores = [number(float(np.mean(row[name]))) for name in ("valid", "doubled")]
        about = (row["model"].removesuffix(f"-{row['artists']}"), row["artists"], row["exposure"])
        found.append((*about, *scores, signed(row["change"], 4), row["state"]))
    names = ["model", "labelled artists", "labelled clips", "valid ROC-AUC", "with twice as many", "change", "state"]
    return pd.DataFrame(found, columns=names).set_index("model")


def budgets(rows: Sequence[Mapping]) -> pd.DataFrame:
    """How far the teacher got with each number of clips that was tried (``Study.budgets``)."""
    return pd.DataFrame([(f"{row['exposure']:,}", row["valid"]) for row in rows], columns=["labelled clips", "valid ROC-AUC"]).set_index(
        "labelled clips"
    )


def models(entries: Sequence[Mapping], about: str = "") -> Table:
    """Models as ``Judge.model_row`` tells of them, best ROC-AUC first; a score is bold if its interval does not touch the runner-up's.

    ``about`` follows the caption: where they were trained, if not here.
    """
    models = sorted(entries, key=lambda model: -model["roc_auc"])
    winners = {metric: _clear_winner(models, metric) for metric in METRICS}
    rows = []
    for model in models:
        scores = []
        for metric in METRICS:
            score = with_interval(model[metric], *(model[f"{metric}_interval"] or (math.nan, math.nan)))
            scores.append(Markup("<b>{}</b>").format(score) if model["name"] == winners[metric] else score)
        name = Markup('{}<br><span class="about">{}</span>').format(model["label"], model["kind"])
        rows.append((name, *scores, model["parameters"], model["exposure"] or math.nan, duration(model["seconds"])))
    bold = " Bold: the best, where its interval does not touch the next one’s." if any(winners.values()) else ""
    caption = f"Scores on the test tracks, with 95\u00a0% intervals over replicates where there are several.{bold} {about}".strip()
    return table(("model", *METRICS.values(), "parameters", "labelled clips seen", "training"), rows, digits=0, caption=caption)


def _clear_winner(models: Sequence[Mapping], metric: str) -> str | None:
    first, *others = sorted(models, key=lambda model: -model[metric])
    ends = [one[f"{metric}_interval"] for one in (first, *others[:1])]
    return first["name"] if others and all(ends) and ends[0][0] > ends[1][1] else None


def tag_scores(judge: Judge, result: Result) -> pd.DataFrame:
    """One row a tag: estimate, low, high of ROC-AUC on the first replicate's test set."""
    first, boot, scores = judge.study.first, resamples(judge), result.first.scores("test")
    if boot is None:
        table = metrics.tag_scores(first.corpus.true_labels(first.ids("test")), scores).set_axis(first.corpus.tags)
        return pd.DataFrame({"estimate": table["roc_auc"], "low": np.nan, "high": np.nan}).dropna(subset=["estimate"])
    table = tag_intervals(boot, scores, first.corpus.tags)
    return table.rename(columns={"value": "estimate", "lo": "low", "hi": "high"})[["estimate", "low", "high"]].dropna()


def effects(found: Mapping[str, Mapping], digits: int = 3, sign: bool = True) -> pd.DataFrame:
    """Effects by name as texts: the mean with its interval, and every replicate."""
    rows = {}
    for name, one in found.items():
        mean = with_interval(one["effect"], *(one["interval"] or (math.nan, math.nan)), digits, sign)
        rows[name] = (mean, ", ".join(number(value, digits, sign) for value in one["by_replicate"]))
    return pd.DataFrame.from_dict(rows, orient="index", columns=["mean", "by replicate"]).rename_axis("effect")


def headroom(rows: Sequence[Mapping]) -> pd.DataFrame:
    """``curves.scarcity`` as texts, where there are too few sizes for a curve."""
    kinds = ("supervised", "student", "oracle", "gain", "recovered")
    found = {kind: row[kind] for row in rows for kind in kinds if kind in row}
    return effects(found, sign=False)


def by_kind(scores: pd.DataFrame, slopes: Mapping[str, Spread]) -> pd.DataFrame:
    """``lengths.by_kind`` as texts, the steepest kind of tag first."""
    table = scores.rename(columns="{:g} s".format).map(number)
    rows = [with_interval(one.effect, *bounded(one), sign=True) for one in map(slopes.get, table.index)]
    order = sorted(table.index, key=lambda kind: -slopes[kind].effect)
    return table.assign(**{"per doubling": rows}).loc[order]


def bounded(spread: Spread) -> tuple[float, float]:
    """Its interval; NaN where it is unbounded."""
    return (spread.lo, spread.hi) if math.isfinite(spread.half_width) else (math.nan, math.nan)
