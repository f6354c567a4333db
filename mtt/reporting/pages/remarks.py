"""What pages say beside their tables and figures, worded by the numbers that it quotes, in the order of the pages.

Conventions: a function takes numbers (tables, settings, entries of results.json) and gives plain text or Markdown; scores are macro
ROC-AUC, with their 95% interval in brackets. What there is nothing to say of is "". The sentences of claims are in ``words``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from mtt.config import StudyConfig
from mtt.data.corpus import Corpus
from mtt.findings.claims import HEADLINE
from mtt.findings.evidence import CHANCE, NAMES, Evidence
from mtt.findings.pseudo_labels import PseudoLabels
from mtt.findings.reference import GAINING, LOSING
from mtt.reporting.numbers import counted, joined, listed, number, signed, with_interval
from mtt.study import recipes
from mtt.study.budget import CHANGE, enough
from mtt.study.final import KINDS
from mtt.study.recipes import HAND_MADE, LABELLED
from mtt.study.replicates import Replicate
from mtt.study.workspace import Study

WEAK = 0.6  # ROC-AUC below which a score that is surely above chance is called weak; so is one above 0.4 that is surely below
NAMED = 4  # of what is left out, at most
LITTLE = 0.02  # of probability: what taking frames away costs is little below it


def collection(corpus: Corpus, summary: pd.DataFrame, missing: float | None) -> str:
    """One sentence on size, labels and flaws, from ``tables.corpus_summary``; ``missing``: share of the true tags, where it is known."""
    text = (
        f"{summary.at['labelled', 'tracks']:,} labelled tracks of {counted(summary.at['labelled', 'artists'], 'artist')} carry "
        f"{summary.at['labelled', 'tags per track']:.1f} tags on average, and {summary.at['unlabelled', 'tracks']:,} tracks have no labels."
    )
    return text if missing is None else f"{text} Of the true tags, {missing:.0%} are missing from the labels."


def unusable(corpus: Corpus, most: int) -> str:
    """How many files could not be used, where a table shows the first ``most`` of them."""
    count = len(corpus.problems)
    first = f"; the first {most} of them:" if count > most else ":" if count else "."
    return f"{counted(count, 'file')} could not be used{first}"


def split(replicate: Replicate) -> str:
    """Where the split comes from, what the unlabelled pool is, and a warning where sets share artists."""
    corpus, pool, shared = replicate.collection, replicate.ids("unlabelled"), replicate.audit.shared_artists["artists"].max()
    hidden = corpus.is_labelled[pool].sum()
    text = "Whole artists are assigned so that each set gets its share of every tag."
    if corpus.has_split:
        text = f"The sets are {corpus.split_name or 'those that the collection gives'}; a tag's target is each set's share of the tracks."
    if not pool:
        text += " There are no unlabelled tracks: students get pseudo-labels on training tracks, the method without new audio."
    elif hidden and not corpus.has_split:
        text += (
            " Hardly any track lacks labels, so half of the training artists joined the unlabelled pool, with "
            f"{hidden:,} tracks: models are not told their labels, which judge the pseudo-labels and teach the oracle."
        )
    elif not corpus.has_split:
        text += " The unlabelled pool keeps artists that stand in neither valid nor test; the rest of the unlabelled tracks is excluded."
    if shared:
        text += (
            f"\n\n**Warning: this split shares artists.** {shared:,} artists stand both in one set and in another, and "
            f"{replicate.audit.leaked_test_share:.0%} of the test tracks are by an artist in train. Scores on it say little about artists "
            "that were never heard; compare them only with scores published for the same split."
        )
    return text


def rare_tags(replicate: Replicate) -> str:
    """How many tags are kept, and by which rule the others are not."""
    least, kept = replicate.config.minimum_positives, int(replicate.tag_counts["kept"].sum())
    left_out, rule = len(replicate.tag_counts) - kept, f"{least} tracks" if least > 1 else "one track"
    if not left_out:
        return f"All {kept} tags have at least {rule} in each of train, valid and test."
    return f"{kept} tags are kept; {left_out} have less than {rule} in train, valid or test, too few to learn or to test, and are left out:"


def replicates(config: StudyConfig, first: Replicate) -> str:
    """What a replicate of this study is, and which of them a page shows."""
    kind = "another corpus of other artists" if first.is_composed else "another split by artist"
    if first.collection.has_split:
        kind = "another training of every model on the same published split"
    if config.replicates == 1:
        return "The study has a single replicate: how much its effects vary is not known."
    return (
        f"The study has {config.replicates} replicates, each {kind}; tracks and pictures of single models are of replicate {first.number}."
    )


def scored_against(corpus: Corpus) -> str:
    """Which labels the tests count against."""
    if corpus.truth is None:
        return "Scores are counted against the labels of the collection."
    return (
        "Scores are counted against the true tags of the test tracks. Models are trained and chosen on the labels that annotators wrote "
        "down; the truth serves tests and analysis alone."
    )


def convergence(rows: Sequence[Mapping]) -> str:
    """What rows of ``mtt.findings.reference.convergence`` say: whether models are done learning at the exposure that they get."""
    if not rows:
        return "Whether twice as many clips change the scores was not looked at with these settings: models are not known to be converged."
    corpora = len(rows[0]["valid"])
    where = f"on {corpora} tuning corpora" if corpora > 1 else "on one tuning corpus"
    text = f"A model counts as converged where twice as many clips add less than {rows[0]['margin']:g} to its validation score"
    gaining, losing = ([row for row in rows if row["state"] == state] for state in (GAINING, LOSING))
    if gaining:
        text += f". Not all are, {where}: {len(gaining)} of {len(rows)} would gain by longer training. "
        text += 'Nothing is concluded from them, and pages say "not converged" there.'
    else:
        text += f": {where} that holds for every size of the labelled set, baselines and clip lengths."
    if losing:
        text += " Some would lose: more clips than now lead past the best exposure."
    return f"{text} Controls, narrower models and further generations have the same exposure; they were not looked at."


def budgets(rows: Sequence[Mapping]) -> str:
    """How the exposure was found (``Study.budgets``)."""
    text = "On this collection the teacher was trained with more and more clips. "
    if enough(rows) == rows[-1]["exposure"]:
        return f"{text}It was still gaining with the largest of these budgets, which all models get: they are not known to be converged."
    return f"{text}From {enough(rows):,} on, twice as many add less than {CHANGE:g} on validation tracks: that is what all models get."


def clip_length(asked: StudyConfig, config: StudyConfig) -> str:
    """Why clips are shorter than asked for, where they are (``fitted_clips``)."""
    if asked.train.clip_seconds == config.train.clip_seconds:
        return ""
    return (
        f"Most tracks of this collection are shorter than the profile's clips of {asked.train.clip_seconds:g} s, so clips of "
        f"{config.train.clip_seconds:g} s are cut; -p clip_seconds asks for others."
    )


def left_out(study: Study, names: Sequence[str] | None = None) -> list[str]:
    """What a page that shows the models ``names`` (None: all) lacks because the minutes did not suffice for it, if anything."""
    lacking = [entry.label for entry in study.left_out if names is None or entry.name in names]
    fewer = study.whole.replicates - study.config.replicates
    parts = ([counted(fewer, "replicate")] if fewer else []) + lacking
    if not parts:
        return []
    return [f"{study.minutes:g} minutes of training left out {listed(parts, NAMED)}. Run again with more: what is there is kept."]


def way(study: Mapping, models: Sequence[Mapping], scarcity: Sequence[Mapping] = ()) -> list[str]:
    """Which model to tag a collection with, as validation has it, by how much, and what more labels did, where ``scarcity`` tells.

    Nothing of composed music, which nobody wants to tag.
    """
    able = sorted((row for row in models if row["kind"] in KINDS and row.get("learns_from", LABELLED) == LABELLED), key=_validated)
    trained = [row for row in able if row["name"] != HAND_MADE]  # those that take-home can make
    if study["collection"] == "synthetic" or len(trained) < 2:
        return []
    *_, after, best = trained
    score = with_interval(best["roc_auc"], *(best["roc_auc_interval"] or (np.nan, np.nan)), 3)
    text = (
        f"To tag this music, take {best['label']}: with {number(best['valid'])} on validation tracks it is the best model, "
        f"{number(best['valid'] - after['valid'])} before {after['label']}, and has ROC-AUC {score} on tracks of artists that it "
        "never heard. The command take-home trains it on all labels."
    )
    return [*filter(None, [text, _beside_features(best, able), _more_labels(scarcity)])]


def _validated(row: Mapping) -> float:
    return row["valid"]


def _beside_features(best: Mapping, able: Sequence[Mapping]) -> str:
    """Where hand-made features, which cannot be taken home, are at least as good as the best model."""
    made = next((row for row in able if row["name"] == HAND_MADE), None)
    if made is None or made["valid"] < best["valid"]:
        return ""
    return (
        f"Hand-made features with a regression have {number(made['valid'])} there: with so few labels a model that is trained on them "
        "alone is not worth its time yet; what a published model hears may be (--teacher)."
    )


def _more_labels(rows: Sequence[Mapping]) -> str:
    """What the last step in the number of labelled artists was worth."""
    if len(rows) < 2:
        return ""
    few, many = rows[-2:]
    gain = signed(many["supervised"]["effect"] - few["supervised"]["effect"], 3)
    return f"From {few['artists']:,} to {many['artists']:,} labelled artists, training on labels alone gained {gain} ROC-AUC."


def student_batches(config: StudyConfig) -> str:
    """What a student sees beside its teacher and the control on labels alone."""
    lineup = recipes.lineup(config)
    teacher, student = lineup["teacher"].recipe, lineup["student"].recipe
    text = (
        f"The teacher saw {counted(teacher.exposure, 'labelled clip')}. Its student sees {student.exposure:,} too, and as many clips of "
        "the pool beside them"
    )
    if "supervised-long" not in lineup:
        return f"{text}."
    return (
        f"{text}; *labels alone, as long* sees {lineup['supervised-long'].recipe.exposure:,} labelled clips, as many as the student in "
        "all. The student is compared with whichever of the two supervised models is better on validation tracks."
    )


def power(rows: Sequence[Mapping], entries: Sequence[Mapping]) -> str:
    """How small a headline could be seen: by its own entry, and by tuning corpora (``tuning()["power"]``)."""
    entry = next(one for one in entries if one["id"] == HEADLINE)
    foreseen = next((row["smallest"]["5"] for row in rows if row["id"] == HEADLINE), None)
    text = "One replicate does not say how small an effect it could show."
    if (size := entry["smallest_effect"]) is not None:
        text = f"As much as it varies here, {entry['replicates']} replicates show a gain over labels alone four times of five if it is "
        text += f"at least {number(size)} ROC-AUC."
    if foreseen is None:
        return text
    return f"{text} Tuning corpora had promised {number(foreseen)} with five replicates; so few of them say little of a spread."


def whose(rows: object, drawn: object) -> str:
    """Where a profile has no ``rows`` of a curve: whose numbers are ``drawn``, if any."""
    if rows:
        return ""
    return (
        "This profile trains no models for it: what is drawn is the reference run’s."
        if drawn
        else "Not part of this profile; `--profile full` has it."
    )


def pseudo_labels(labels: PseudoLabels) -> str:
    """Quality of a teacher's pseudo-labels on the pool and on missing labels."""
    found, against = labels.quality(), "the hidden truth" if labels.where == "unlabelled" else "their labels"
    text = (
        f"On {found['tracks']:,} {labels.where} tracks the teacher reaches ROC-AUC {found['roc_auc']:.3f} "
        f"against {against}; its probabilities are off by {found['calibration_error']:.3f} on average."
    )
    if "missing" not in found:
        return text
    return text + (
        f" Of the {found['missing']:,} labels missing from its training tracks, a random one scores higher than a random true negative "
        f"with probability {found['separation']:.2f}, although the teacher was taught that both are negatives."
    )


def scale(found: Mapping) -> str:
    """What models of nearly the published size showed (``scale_anchor()``), and how far that can be trusted."""
    if not found:
        return "Models of the published size were not trained yet: `python -m mtt anchor` does it on a GPU."
    settings, scores = found["settings"], {row["name"]: row["roc_auc"] for row in found["models"]}
    model, longer = settings["teacher"], scores["supervised-long"] - scores["teacher"]
    text = (
        f"Models of {model['channels']} channels and width {model['width']} learned from clips of {settings['train']['clip_seconds']:g} s "
        f"of {settings['labelled_artists']:,} labelled artists, composed as the others. There is one training of each, so intervals "
        "hold the choice of test artists alone."
    )
    if longer < CHANGE:
        return text
    return (
        f"{text}\n\n**Not converged**: twice as many labelled clips add {number(longer)} to the teacher. What is seen is how fast each way "
        "of training gets on within the same few minutes, not where it ends."
    )


def cls_share(maps: np.ndarray) -> str:
    """How much of its attention the CLS token keeps for itself in the last layer of ``maps`` (layers, heads, tokens, tokens), CLS first."""
    own = maps[-1, :, 0, 0]
    return (
        f"Not drawn is the CLS token. In the last layer it keeps {own.min():.0%} to {own.max():.0%} of its attention for itself, head by "
        f"head, where an even share would be {1 / maps.shape[-1]:.0%}."
    )


def explanation(entry: Mapping) -> str:
    """What an entry of ``evidence.records`` says, worded by its intervals."""
    if entry["test"] == "deletion":
        return _deletion(entry)
    low, high = entry["interval"] or (np.nan, np.nan)
    if np.isnan(low):
        says = "was scored, on too few artists for an interval, at"
    elif low > CHANCE:
        says = "points weakly at" if high < WEAK else "points at"
    elif high < CHANCE:
        says = "points weakly away from" if low > 1 - WEAK else "points away from"
    else:
        says = "is not shown to point at"
    score, what = with_interval(entry["effect"], low, high), NAMES[entry["explanation"]]
    return f"The {what} of the {entry['model']} {says} the moments when an instrument plays: ROC-AUC {score}, where chance is {CHANCE:g}."


def _deletion(entry: Mapping) -> str:
    """Worded by the smaller of the two losses beside a control's: whether it is there, and how large it is."""
    controls = {"random frames": (entry["effect"], *entry["interval"])}
    controls["as many frames elsewhere"] = (entry["elsewhere"], *entry["elsewhere_interval"])
    drop = entry["drops"]["attended"]["drop"]
    digits = 3 if min(map(abs, [drop, *(effect for effect, *_ in controls.values())])) >= 0.0005 else 4
    if all(low > 0 for _, low, _ in controls.values()):
        weak = "only a little more " if max(high for *_, high in controls.values()) < LITTLE else "more "
        verdict = f"in this test the tags rest {weak}on what it attends to"
    elif any(high < 0 for *_, high in controls.values()):
        least = min(effect for effect, _, _ in controls.values())
        verdict = f"in this test the tags rest {'a little ' if least > -LITTLE else ''}less on what it attends to than on other frames"
    else:
        verdict = "it is not shown that the tags rest more on what it attends to"
    compared = [f"{number(abs(effect), digits)} {'more' if effect >= 0 else 'less'} than {what}" for what, (effect, *_) in controls.items()]
    who = f"the {entry['share']:.0%} of frames that the {entry['model']} attends to most"
    return f"Taking away {who} costs the true tags {number(drop, digits)} of probability, {joined(compared)}: {verdict}."


def explanations_finding(entries: Sequence[Mapping], found: Evidence, model: str) -> list[str]:
    """The sentences on ``model``'s tag curve, its attention and the deletion test, or why there is none."""
    own = [explanation(entry) for entry in entries if entry["model"] == model and entry["explanation"] != "rollout"]
    return [*own, *found.missing.values()]
