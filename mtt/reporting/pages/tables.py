"""What a study holds, as the tables that pages show and figures draw.

Conventions: an estimate is a row with ``estimate, low, high`` (95% artist-clustered interval); metrics are macro-averaged unless a table
is per tag.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from mtt.config import StudyConfig
from mtt.data.corpus import Corpus
from mtt.evaluation.bootstrap import Difference, estimate, expected_half_width, tag_intervals
from mtt.study.claims import CLAIMS, verdict
from mtt.study.workspace import Result, Study


def corpus_summary(corpus: Corpus) -> pd.DataFrame:
    """Labelled, unlabelled and all tracks: tracks, artists, hours, tags per track."""
    labelled = corpus.is_labelled
    groups = {"labelled": labelled, "unlabelled": ~labelled, "all": labelled | True}
    rows = {}
    for name, chosen in groups.items():
        part = corpus.tracks[chosen]
        tags = corpus.labels[chosen.to_numpy()].sum(axis=1)
        rows[name] = {
            "tracks": len(part),
            "artists": part["artist"].replace("", np.nan).nunique(),
            "hours": part["seconds"].sum() / 3600,
            "tags per track": tags.mean() if name == "labelled" else np.nan,
        }
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("part")


def shown(table: pd.DataFrame, digits: int = 3) -> pd.DataFrame:
    """A table as text: thousands separated, ``digits`` decimals, a dash where there is nothing."""

    def text(value: object) -> str:
        if isinstance(value, str):
            return value
        if pd.isna(value):
            return "–"
        return f"{value:,}" if isinstance(value, int | np.integer) else f"{value:,.{digits}f}"

    return table.map(text)


def corpus_finding(corpus: Corpus) -> str:
    """One sentence on size, labels and flaws."""
    counts = corpus_summary(corpus)
    text = (
        f"{counts.at['labelled', 'tracks']:,} labelled tracks of {counts.at['labelled', 'artists']:,} artists carry "
        f"{counts.at['labelled', 'tags per track']:.1f} of {len(corpus.tags)} tags on average; "
        f"{counts.at['unlabelled', 'tracks']:,} tracks have none, and {len(corpus.problems)} files could not be used."
    )
    if corpus.truth is None:
        return text
    return text + f" Of the true tags, {missing_labels(corpus).at['all', 'share']:.0%} are missing from the labels."


def frequent_tags(corpus: Corpus, count: int) -> list[str]:
    """The most frequent tags of the first kind (genre, where kinds are known)."""
    counts = tag_counts(corpus).sort_values(ascending=False, kind="stable")
    kind = corpus.tag_kinds.get(corpus.tags[0])
    return [tag for tag in counts.index if corpus.tag_kinds.get(tag) == kind and counts[tag] > 0][:count]


def problems(corpus: Corpus, most: int = 20) -> pd.DataFrame:
    """The unusable files, at most ``most`` of them, with the reason."""
    return corpus.problems.set_index("track_id").head(most)


def tag_counts(corpus: Corpus) -> pd.Series:
    """Labelled tracks per tag."""
    return pd.Series(corpus.labels.sum(axis=0).astype(int), index=pd.Index(corpus.tags, name="tag"))


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


def student_batches(config: StudyConfig) -> str:
    """How a student's batches are made up, beside its teacher's and the controls'."""
    ours, teachers = config.student_batch * config.train.batch_size, config.train.batch_size
    return (
        f"A batch of the teacher holds {teachers} clips; one of a student holds {ours}, of which {ours // 2} are labelled, and one of the "
        f"control on labelled data {ours}. A student takes {config.student_steps:,} steps, the teacher took {config.train.steps:,}."
    )


def scores(study: Study, results: Sequence[Result], metric: str = "roc_auc", name: str = "test") -> pd.DataFrame:
    """One row a model, best first: estimate, low, high, parameters, seconds."""
    rows = {}
    for result in results:
        found = estimate(study.bootstrap(name), result.scores(name), metric)
        size = {"parameters": result.parameters, "seconds": result.seconds}
        rows[result.name] = {"estimate": found.value, "low": found.lo, "high": found.hi, **size}
    table = pd.DataFrame.from_dict(rows, orient="index").rename_axis("model")
    return table.astype({"parameters": int}).sort_values("estimate", ascending=False)


def scores_shown(study: Study, results: Sequence[Result]) -> pd.DataFrame:
    """Both metrics with intervals, parameters and training time, best ROC-AUC first."""
    roc, precision = scores(study, results), scores(study, results, "pr_auc")
    precision = precision.loc[roc.index]
    return pd.DataFrame(
        {
            "ROC-AUC": roc["estimate"].map("{:.4f}".format),
            "95% interval": [f"{low:.4f}–{high:.4f}" for low, high in zip(roc["low"], roc["high"], strict=True)],
            "PR-AUC": precision["estimate"].map("{:.4f}".format),
            "95% interval ": [f"{low:.4f}–{high:.4f}" for low, high in zip(precision["low"], precision["high"], strict=True)],
            "parameters": roc["parameters"].map("{:,}".format),
            "training, s": roc["seconds"].round().astype(int),
        }
    )


def tag_scores(study: Study, result: Result, metric: str = "roc_auc") -> pd.DataFrame:
    """One row a tag: estimate, low, high on the test set."""
    table = tag_intervals(study.bootstrap(), result.scores(), study.corpus.tags, metric)
    return table.rename(columns={"value": "estimate", "lo": "low", "hi": "high"})[["estimate", "low", "high"]].dropna()


def tag_differences(study: Study, a: Result, b: Result, metric: str = "roc_auc") -> pd.DataFrame:
    """Per tag, a - b on the same resamples: estimate, low, high; largest first."""
    boot = study.bootstrap()
    values = boot.per_tag(a.scores(), metric) - boot.per_tag(b.scores(), metric)
    low, high = np.nanquantile(values, [0.025, 0.975], axis=0)
    centre = tag_scores(study, a, metric)["estimate"] - tag_scores(study, b, metric)["estimate"]
    table = pd.DataFrame({"low": low, "high": high}, index=pd.Index(study.corpus.tags, name="tag")).assign(estimate=centre)
    return table[["estimate", "low", "high"]].dropna().sort_values("estimate", ascending=False)


def differences(found: Mapping[str, Difference]) -> pd.DataFrame:
    """One row a comparison: estimate, low, high and whether the interval leaves out zero."""
    rows = {
        name: {
            "estimate": d.effect,
            "low": d.lo,
            "high": d.hi,
            "verdict": "higher" if d.lo > 0 else "lower" if d.hi < 0 else "no difference shown",
            "by_seed": d.by_seed,
        }
        for name, d in found.items()
    }
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("comparison")


def claims(entries: Sequence[Mapping]) -> pd.DataFrame:
    """Claims as rows for the forest plot: estimate, low, high, verdict, margins where the rule has them, effects of single seeds."""
    rows = {}
    for entry in entries:
        claim = CLAIMS[entry["id"]]
        low, high = entry["interval"]
        margins = claim.borders if claim.margin else ()
        rows[f"{entry['id']} {claim.contrast}"] = {
            "estimate": entry["effect"],
            "low": low,
            "high": high,
            "verdict": verdict(claim, low, high),
            "margin_low": margins[0] if margins else np.nan,
            "margin_high": margins[1] if len(margins) > 1 else np.nan,
            "by_seed": entry["by_seed"],
        }
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("claim")


def power(study: Study, a: Result, b: Result) -> pd.DataFrame:
    """What half-width of the 95% interval of a - b to expect on test, from the validation set alone, and the one that was obtained."""
    pilot = study.compare(a, b, name="valid")
    valid, test = study.bootstrap("valid"), study.bootstrap("test")
    expected = expected_half_width(pilot, valid.n_artists, test.n_artists)
    rows = {
        "validation": {"tracks": valid.n_tracks, "artists": valid.n_artists, "half-width of the interval": pilot.half_width},
        "test, expected": {"tracks": test.n_tracks, "artists": test.n_artists, "half-width of the interval": expected},
        "test, obtained": {
            "tracks": test.n_tracks,
            "artists": test.n_artists,
            "half-width of the interval": study.compare(a, b).half_width,
        },
    }
    return pd.DataFrame.from_dict(rows, orient="index").astype({"tracks": int, "artists": int})


def power_sentence(table: pd.DataFrame) -> str:
    """What ``power`` means for the margins of the claims."""
    expected = table.at["test, expected", "half-width of the interval"]
    margin = abs(CLAIMS["C6"].margin)
    relation = "narrower than" if expected < margin else "wider than"
    return (
        f"With {table.at['test, expected', 'artists']} test artists a difference between two related models should be known to about "
        f"±{expected:.4f} ROC-AUC. That is {relation} the margin of ±{margin:g} by which C5 and C6 are judged."
    )


def generations(study: Study, lines: Mapping[str, Sequence[Result]]) -> pd.DataFrame:
    """Teacher and student generations of each architecture: architecture, iteration, estimate, low, high."""
    rows = []
    for architecture, line in lines.items():
        for iteration, result in enumerate(line):
            found = estimate(study.bootstrap(), result.scores())
            rows.append({"architecture": architecture, "iteration": iteration, "estimate": found.value, "low": found.lo, "high": found.hi})
    return pd.DataFrame(rows)
