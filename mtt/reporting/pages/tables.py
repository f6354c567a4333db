"""What a study holds, as the tables that pages show and figures draw: collection, split, models.

Conventions: an estimate is a row with ``estimate, low, high`` (95% artist-clustered interval); metrics are macro-averaged unless a table
is per tag.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from markupsafe import Markup

from mtt.config import StudyConfig
from mtt.data.corpus import Corpus
from mtt.evaluation.bootstrap import Difference, tag_intervals
from mtt.findings import lengths
from mtt.findings.claims import Judge
from mtt.findings.evidence import NAMES
from mtt.reporting.numbers import duration, with_interval
from mtt.reporting.pages import words
from mtt.reporting.pages.table import Table, shown, table
from mtt.splits.check import SplitAudit, audit_split
from mtt.splits.make import comparator_splits
from mtt.study.workspace import Result, Study

METRICS = {"roc_auc": "ROC-AUC", "pr_auc": "PR-AUC"}


def with_intervals(table: pd.DataFrame, digits: int = 3, sign: bool = False) -> pd.Series:
    """Estimates as texts, ``0.912 [0.905, 0.919]``."""
    return pd.Series([with_interval(*row, digits, sign) for row in table[["estimate", "low", "high"]].to_numpy()], table.index, dtype=str)


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


def missing_labels(corpus: Corpus) -> pd.DataFrame:
    """Per kind of tag, how many true positives of the labelled tracks the observed labels lack; empty where the truth is not known."""
    if corpus.truth is None:
        return pd.DataFrame(columns=["true", "observed", "missing", "share"])
    labelled = corpus.is_labelled.to_numpy()
    truth, seen = corpus.truth[labelled].sum(axis=0), (corpus.truth & corpus.labels)[labelled].sum(axis=0)
    table = pd.DataFrame({"kind": [corpus.tag_kinds.get(tag, "tag") for tag in corpus.tags], "true": truth, "observed": seen})
    table = table.groupby("kind").sum().astype(int)
    table.loc["all"] = table.sum()
    return table.assign(missing=lambda t: t["true"] - t["observed"], share=lambda t: t["missing"] / t["true"])


def cleaning_summary(study: Study) -> pd.DataFrame:
    """Problems by kind: how many tracks were left out, with an example; beside them how many were planted, where that is known."""
    found = pd.concat([study.collection.problems, study.cleaned[1]], ignore_index=True)
    found["problem"] = found["problem"].str.replace("_", " ")
    table = found.groupby("problem").agg(tracks=("track_id", "nunique"), example=("track_id", "first"), detail=("detail", "first"))
    planted = study.collection.planted
    if planted is None:
        return table
    true_ids = set(planted["track_id"]) | set(planted["other"])
    return table.assign(**{"planted among them": found.groupby("problem")["track_id"].agg(lambda ids: len(set(ids) & true_ids))})


def split_counts(study: Study) -> pd.DataFrame:
    """Tracks, artists and positive labels of each set that has tracks."""
    return study.audit.counts[study.audit.counts["tracks"] > 0]


def rare_tags(study: Study) -> pd.DataFrame:
    """The tags left out for want of positives, with their positives in each set; the most frequent first."""
    left_out = study.tag_counts[~study.tag_counts["kept"]].drop(columns="kept")
    return left_out.loc[left_out.sum(axis=1).sort_values(ascending=False, kind="stable").index]


def crossover_counts(study: Study) -> pd.DataFrame:
    """Tracks and artists of either group of the leak experiment, in training and in evaluation."""
    table = study.crossover.groupby(["group", "role"]).agg(tracks=("artist", "size"), artists=("artist", "nunique")).unstack()
    return table.set_axis([f"{role} {what}" for what, role in table.columns], axis=1).sort_index(axis=1)


def leak_arms(entries: Sequence[Mapping]) -> pd.DataFrame:
    """Both arms of the leak experiment, from the entry of C1: estimate, low, high."""
    names = {"heard": "by the model that has heard the artist", "unheard": "by the other model"}
    rows = {names[name]: one for entry in entries for name, one in entry["beside"].get("arms", {}).items()}
    return pd.DataFrame.from_dict(rows, orient="index", columns=["estimate", "low", "high"]).rename_axis("scored")


def _all_splits(study: Study) -> dict[str, SplitAudit]:
    """The audit of each way to split, the study's first."""
    corpus, ours = study.corpus, study.collection.split_name or "the collection's own"
    found = {ours if study.collection.has_split else "artist-level, stratified": study.audit}
    for name, split in comparator_splits(corpus.artists, corpus.labels, study.ratios).items():
        found[name] = audit_split(split, corpus.artists, corpus.labels, study.ratios, corpus.tags)
    return found


def split_methods(study: Study) -> pd.DataFrame:
    """One row a way to split: artists shared by sets, test tracks whose artist is in train, how far the tags' shares are off."""
    rows = {}
    for name, audit in _all_splits(study).items():
        shares = (f"{audit.leaked_test_share:.0%}", f"{audit.mean_deviation:.2%}", f"{audit.max_deviation:.1%}")
        rows[name] = (int(audit.shared_artists["artists"].sum()), *shares)
    columns = ["shared artists", "test tracks by train artists", "mean deviation", "largest deviation"]
    return pd.DataFrame.from_dict(rows, orient="index", columns=columns).rename_axis("split")


def split_deviations(study: Study) -> dict[str, np.ndarray]:
    """For each way to split, |share - target| of every tag in every set."""
    columns = ["train_deviation", "valid_deviation", "test_deviation"]
    return {name: np.abs(audit.tag_shares[columns].to_numpy().ravel()) for name, audit in _all_splits(study).items()}


def recipe(config: StudyConfig) -> pd.DataFrame:
    """The teacher's settings in words."""
    model, train = config.teacher, config.train
    rows = {
        "front end": f"{model.n_mels} mel bands, {model.channels} channels",
        "Transformer": f"{model.layers} layers, {model.heads} heads, width {model.width}",
        "clip": f"{train.clip_seconds:g} s",
        "batch": f"{train.batch_size} clips",
        "steps": f"{train.steps:,}",
        "learning rate": f"{train.learning_rate:g}, {train.schedule}",
        "augmented clips": "none" if train.augment is None else f"{train.augment.clip_share:.0%}",
        "song score": f"mean over {config.chunks} clips",
        "seeds": ", ".join(str(seed) for seed in config.seeds),
    }
    return pd.DataFrame({"setting": rows}).rename_axis("what")


def scores(judge: Judge, results: Sequence[Result]) -> pd.DataFrame:
    """ROC-AUC of each model, best first: estimate, low, high."""
    table = lengths.estimates(judge.bootstrap(), {result.name: result.scores() for result in results}, "model")
    return table.sort_values("estimate", ascending=False)


def models(entries: Sequence[Mapping]) -> Table:
    """Models as ``Judge.model_row`` tells of them, best ROC-AUC first; a score is bold if its interval does not touch the runner-up's."""
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
    caption = f"Scores on the test tracks, with 95\u00a0% intervals over replicates where there are several.{bold}"
    return table(("model", *METRICS.values(), "parameters", "labelled clips seen", "training"), rows, digits=0, caption=caption)


def _clear_winner(models: Sequence[Mapping], metric: str) -> str | None:
    first, *others = sorted(models, key=lambda model: -model[metric])
    ends = [one[f"{metric}_interval"] for one in (first, *others[:1])]
    return first["name"] if others and all(ends) and ends[0][0] > ends[1][1] else None


def tag_scores(judge: Judge, result: Result) -> pd.DataFrame:
    """One row a tag: estimate, low, high of ROC-AUC on the test set."""
    table = tag_intervals(judge.bootstrap(), result.scores(), judge.study.corpus.tags)
    return table.rename(columns={"value": "estimate", "lo": "low", "hi": "high"})[["estimate", "low", "high"]].dropna()


def tag_differences(judge: Judge, a: Result, b: Result) -> pd.DataFrame:
    """Per tag, a - b on the same resamples: estimate, low, high; largest first."""
    boot = judge.bootstrap()
    low, high = np.nanquantile(boot.per_tag(a.scores()) - boot.per_tag(b.scores()), [0.025, 0.975], axis=0)
    centre = tag_scores(judge, a)["estimate"] - tag_scores(judge, b)["estimate"]
    table = pd.DataFrame({"low": low, "high": high}, index=pd.Index(judge.study.corpus.tags, name="tag")).assign(estimate=centre)
    return table[["estimate", "low", "high"]].dropna().sort_values("estimate", ascending=False)


def differences(found: Mapping[str, Difference]) -> pd.DataFrame:
    """One row a comparison: estimate, low, high, verdict (whether the interval leaves out zero) and by_seed."""
    rows = {
        name: (d.effect, d.lo, d.hi, "higher" if d.lo > 0 else "lower" if d.hi < 0 else "no difference shown", d.by_seed)
        for name, d in found.items()
    }
    return pd.DataFrame.from_dict(rows, orient="index", columns=["estimate", "low", "high", "verdict", "by_seed"]).rename_axis("comparison")


def student_differences(judge: Judge, made: Mapping[str, Result]) -> dict[str, Difference]:
    """The first student minus its teacher and its controls, and every other student minus its teacher."""
    student = made["student"]
    pairs = {("student", "teacher"): (student, made["teacher"])}
    pairs |= {(name, one.teacher): (one, made[one.teacher]) for name, one in made.items() if name.startswith("student-")}
    pairs |= {("student", name): (student, one) for name, one in made.items() if name.startswith("control")}
    return {f"{a} minus {b}": judge.compare(*pair) for (a, b), pair in pairs.items()}


def power(judge: Judge, a: Result, b: Result) -> pd.DataFrame:
    """What half-width of the 95% interval of a - b to expect on test, from the validation set alone, and the one that was obtained."""
    valid, test, pilot = judge.bootstrap("valid"), judge.bootstrap(), judge.compare(a, b, name="valid")
    expected = pilot.half_width * (valid.n_artists / test.n_artists) ** 0.5  # an interval narrows with the root of the number of artists
    table = {
        "validation": (valid.n_tracks, valid.n_artists, pilot.half_width),
        "test, expected": (test.n_tracks, test.n_artists, expected),
        "test, obtained": (test.n_tracks, test.n_artists, judge.compare(a, b).half_width),
    }
    return pd.DataFrame.from_dict(table, orient="index", columns=["tracks", "artists", "half-width of the interval"])


def generations(judge: Judge, lines: Mapping[str, Sequence[Result]]) -> pd.DataFrame:
    """Teacher and student generations of each architecture: architecture, iteration, estimate, low, high."""
    scores = {name: dict(enumerate(result.scores() for result in line)) for name, line in lines.items()}
    tables = {name: lengths.estimates(judge.bootstrap(), line, "iteration") for name, line in scores.items()}
    return pd.concat(tables, names=["architecture"]).reset_index()


def slopes(found: Mapping[str, Difference]) -> pd.DataFrame:
    """Each model's change per doubling of the input length, with its interval."""
    return with_intervals(differences(found), 4, sign=True).to_frame("ROC-AUC per doubling").rename_axis("model")


def explanations(entries: Sequence[Mapping]) -> Table:
    """Localisation of each explanation, and what the deletion test found, with a row per model."""
    rows: dict[str, dict[str, str]] = {}
    artists = {entry["test"]: entry["n_artists"] for entry in entries}
    for entry in entries:
        localised = entry["test"] == "localisation"
        low, high = entry["interval"] or (math.nan, math.nan)
        score = with_interval(entry["effect"], low, high, 3 if localised else 4, sign=not localised)
        rows.setdefault(entry["model"], {})[NAMES[entry["explanation"]] if localised else "loss"] = score
    caption = " ".join(words.EXPLAINED[test].format(count) for test, count in artists.items())
    return shown(pd.DataFrame.from_dict(rows, orient="index").rename_axis("model"), caption=caption)
