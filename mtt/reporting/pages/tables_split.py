"""Cleaning, the split and what a leak is worth, as the tables and sentences that pages show."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from mtt.reporting.figures.style import SET_STYLES
from mtt.splits.check import audit_split, compare_splits
from mtt.splits.make import comparator_splits
from mtt.study.workspace import Study


def cleaning_summary(study: Study) -> pd.DataFrame:
    """Problems by kind: how many tracks were left out, with an example; beside them how many were planted, where that is known."""
    found = pd.concat([study.collection.problems, study.cleaned[1]], ignore_index=True)
    table = found.groupby("problem").agg(tracks=("track_id", "nunique"), example=("track_id", "first"), detail=("detail", "first"))
    planted = study.collection.planted
    if planted is None:
        return table
    true_ids = set(planted["track_id"]) | set(planted["other"])
    table["planted among them"] = found.groupby("problem")["track_id"].agg(lambda ids: len(set(ids) & true_ids))
    return table


def split_counts(study: Study) -> pd.DataFrame:
    """Tracks, artists and positive labels of each set."""
    corpus, split = study.corpus, study.split
    table = pd.DataFrame({"set": split, "artist": corpus.artists, "labels": corpus.labels.sum(axis=1)})
    counts = table.groupby("set").agg(tracks=("artist", "size"), artists=("artist", "nunique"), labels=("labels", "sum"))
    return counts.reindex([name for name in SET_STYLES if name in counts.index])


def split_sentence(study: Study) -> str:
    """Where the split comes from, what the unlabelled pool is, and a warning where sets share artists."""
    corpus, pool = study.collection, study.ids("unlabelled")
    if corpus.has_split:
        text = f"The sets are {corpus.split_name or 'those that the collection gives'}; a tag's target is each set's share of the tracks."
    else:
        text = "Whole artists are assigned so that each set gets its share of every tag."
    if not pool:
        text += " There are no unlabelled tracks: students get pseudo-labels on training tracks, the method without new audio."
    elif not corpus.has_split and corpus.is_labelled[pool].any():
        text += (
            " Hardly any track lacks labels, so half of the training artists joined the unlabelled pool, with "
            f"{corpus.is_labelled[pool].sum():,} tracks: models never see their labels, which only judge the pseudo-labels."
        )
    elif not corpus.has_split:
        text += " The unlabelled pool keeps artists that stand in neither valid nor test; the rest of the unlabelled tracks is excluded."
    shared = study.audit.shared_artists["artists"]
    if not shared.any():
        return text
    return text + (
        f"\n\n**Warning: this split shares artists.** {shared.max():,} artists stand both in one set and in another, and "
        f"{study.audit.leaked_test_share:.0%} of the test tracks are by an artist in train. Scores on it say little about artists that "
        "were never heard; compare them only with scores published for the same split."
    )


def rare_tags(study: Study) -> pd.DataFrame:
    """The tags left out for want of positives, with their positives in each set; the most frequent first."""
    counts = study.tag_counts
    left_out = counts[~counts["kept"]].drop(columns="kept")
    return left_out.loc[left_out.sum(axis=1).sort_values(ascending=False, kind="stable").index]


def rare_tags_sentence(study: Study) -> str:
    """How many tags are kept, and by which rule the others are not."""
    least, kept, left_out = study.config.minimum_positives, int(study.tag_counts["kept"].sum()), len(rare_tags(study))
    rule = f"{least} tracks" if least > 1 else "one track"
    if not left_out:
        return f"All {kept} tags have at least {rule} in each of train, valid and test."
    return f"{kept} tags are kept; {left_out} have less than {rule} in train, valid or test, too few to learn or to test, and are left out:"


def leak_finding(claims: Sequence[Mapping]) -> str:
    """The sentence of C1 and its note, or why there is none."""
    if claims:
        return f"{claims[0]['sentence']} {claims[0]['note']}"
    return "What a leak is worth cannot be measured here: it needs four test artists with two tracks each."


def crossover_counts(study: Study) -> pd.DataFrame:
    """Tracks and artists of either group of the leak experiment, in training and in evaluation; empty where it cannot be done."""
    if study.crossover.empty:
        return pd.DataFrame(columns=["evaluation artists", "evaluation tracks", "train artists", "train tracks"])
    table = study.crossover.groupby(["group", "role"]).agg(tracks=("artist", "size"), artists=("artist", "nunique"))
    return (
        table.unstack()
        .sort_index(axis=1, level=1)
        .set_axis(["evaluation artists", "evaluation tracks", "train artists", "train tracks"], axis=1)
    )


def _all_splits(study: Study) -> dict[str, pd.Series]:
    corpus = study.corpus
    ours = (study.collection.split_name or "the collection's own") if study.collection.has_split else "artist-level, stratified"
    return {ours: study.split, **comparator_splits(corpus.artists, corpus.labels, study.ratios)}


def split_methods(study: Study) -> pd.DataFrame:
    """One row a way to split, the study's first: artists shared, test tracks whose artist is in train, how far the tags' shares are off."""
    corpus = study.corpus
    return compare_splits(_all_splits(study), corpus.artists, corpus.labels, study.ratios, corpus.tags)


def split_methods_shown(table: pd.DataFrame) -> pd.DataFrame:
    """``split_methods`` in words and percentages."""
    return pd.DataFrame(
        {
            "shared artists": table["shared_artists"],
            "test tracks by train artists": table["leaked_test_share"].map("{:.0%}".format),
            "mean deviation": table["mean_deviation"].map("{:.2%}".format),
            "largest deviation": table["max_deviation"].map("{:.1%}".format),
        }
    )


def split_deviations(study: Study) -> dict[str, np.ndarray]:
    """For each way to split, |share - target| of every tag in every set."""
    corpus, columns = study.corpus, ["train_deviation", "valid_deviation", "test_deviation"]
    audits = {
        name: audit_split(split, corpus.artists, corpus.labels, study.ratios, corpus.tags) for name, split in _all_splits(study).items()
    }
    return {name: np.abs(audit.tag_shares[columns].to_numpy().ravel()) for name, audit in audits.items()}
