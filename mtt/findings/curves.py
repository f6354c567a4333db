"""What the study draws as curves: labels against scarcity, the teacher's training, the pool, clip lengths, and tags.

Conventions: every number is a mean over replicates as ``judge.told`` has it, of macro ROC-AUC on the test tracks; what a study has no
models for is an empty list. The content of ``curves`` in results.json.
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from mtt.evaluation.metrics import macro, roc_auc
from mtt.evaluation.replicates import ratio
from mtt.findings.judge import Judge, best_control, told
from mtt.study import recipes
from mtt.study.replicates import Replicate


def scarcity(judge: Judge) -> list[dict]:
    """By labelled artists: supervised model, student and oracle, the student's gain, and the headroom that it recovers."""
    rows, results, first = [], judge.results, judge.study.first
    own = judge.study.config.labelled_artists or first.corpus.artists[first.groups[recipes.LABELLED]].nunique()
    for artists in sorted({*judge.study.config.scarcity, own}):
        teacher, student, oracle = (name if artists == own else f"{name}-{artists}" for name in ("teacher", "student", "oracle"))
        if student not in results:
            continue
        recipe = results[teacher].entry.recipe
        known = {"supervised": judge.score(best_control(judge) if artists == own else teacher), "student": judge.score(student)}
        known |= {"oracle": judge.score(oracle)} if oracle in results else {}
        gain = known["student"] - known["supervised"]
        row: dict = {"artists": artists, "exposure": recipe.exposure}
        row["converged"] = judge.converged({teacher, student})
        row["tracks"] = float(np.mean([len(one.groups[recipe.training_set]) for one in judge.study.replicates]))
        row |= {kind: told(judge.spread(one)) for kind, one in {**known, "gain": gain}.items()}
        if "oracle" in known:
            row["recovered"] = told(ratio(gain.values, (known["oracle"] - known["supervised"]).values))
        rows.append(row)
    return rows


def settled(rows: Sequence[dict]) -> list[dict]:
    """The rows of ``scarcity`` whose models are converged: what a student gains elsewhere may be what its teacher has yet to learn."""
    return [row for row in rows if row["converged"]]


def equal_artists(rows: Sequence[dict]) -> list[float]:
    """For each row of ``settled``: with how many labelled artists the supervised model would be as good as the student is there.

    The supervised scores, made to rise with the number of artists where they do not, are joined by lines over its logarithm. It is inf
    for a student above all of them; one below all of them gets the fewest artists of a row.
    """
    if not rows:
        return []
    scores = np.maximum.accumulate([row["supervised"]["effect"] for row in rows])
    found = []
    for score in (row["student"]["effect"] for row in rows):
        beyond = score > scores[-1]
        found.append(np.inf if beyond else float(np.exp(np.interp(score, scores, np.log([row["artists"] for row in rows])))))
    return found


def trap(judge: Judge) -> list[dict]:
    """By the share of its exposure that a teacher had: its student's gain over the teacher, and over the control that is fully trained."""
    full, rows = judge.score("teacher"), []
    for share in (*judge.study.config.undertrained, 1.0):
        part = f"{share:.0%}".rstrip("%")
        names = ("teacher", "student") if share == 1.0 else (f"teacher-{part}pc", f"student-{part}pc")
        if not {*names} <= judge.results.keys():
            continue
        teacher, student = map(judge.score, names)
        values = {"teacher": teacher, "student": student, "over_teacher": student - teacher, "over_control": student - full}
        about = {"share": share, "exposure": judge.results[names[0]].entry.recipe.exposure}
        rows.append(about | {name: told(judge.spread(one)) for name, one in values.items()})
    return rows if len(rows) > 1 else []


def pools(judge: Judge) -> list[dict]:
    """By artists of the pool: the student minus its supervised control."""
    config, rows = judge.study.config, []
    control = judge.score(best_control(judge))
    names = {size: f"student-pool-{size}" for size in config.pools} | ({config.pool_artists: "student"} if config.pool_artists else {})
    for size, name in sorted(names.items()):
        if name in judge.results:
            rows.append({"artists": size, "gain": told(judge.spread(judge.score(name) - control))})
    return rows


def _by_style(replicate: Replicate, scores: np.ndarray, style: str) -> float:
    ids = replicate.ids("test")
    chosen = (replicate.corpus.tracks["style"].loc[ids] == style).to_numpy()
    return macro(replicate.corpus.true_labels(ids)[chosen], scores[chosen])["roc_auc"]


def styles(judge: Judge) -> list[dict]:
    """Labels of studio recordings alone: what a pool of either production style adds, on test tracks of either."""
    if not {"teacher-studio", "student-studio-studio", "student-studio-home"} <= judge.results.keys():
        return []
    rows = []
    for pool in ("home", "studio"):
        for tested in ("home", "studio"):
            gains = []
            for place, replicate in enumerate(judge.study.replicates):
                pair = (judge.results[name].cells[place].scores("test") for name in (f"student-studio-{pool}", "teacher-studio"))
                student, teacher = (_by_style(replicate, scores, tested) for scores in pair)
                gains.append(student - teacher)
            rows.append({"pool": pool, "tested": tested, "gain": told(judge.spread(gains))})
    return rows


def trained_lengths(judge: Judge) -> list[dict]:
    """By clip length: models that are trained and tested at it."""
    rows = []
    for name in recipes.LENGTH_MODELS:
        for seconds in judge.study.config.train_lengths:
            own = recipes.with_clip_seconds(judge.study.config, name, seconds)
            if own in judge.results:
                about = {"model": name, "label": judge.results[name].entry.label, "seconds": seconds}
                rows.append(about | {"roc_auc": told(judge.spread(judge.score(own)))})
    return rows


def tags(judge: Judge) -> list[dict]:
    """By tag: how well the teacher knows it on the pool, where the truth is known, and what its student gains on the test tracks."""
    rows: list[pd.DataFrame] = []
    for place, replicate in enumerate(judge.study.replicates):
        corpus, data, pool = replicate.corpus, replicate.data, replicate.groups["pool"]
        if corpus.truth is None:
            return []
        teacher, control, student = (judge.results[name].cells[place] for name in ("teacher", best_control(judge)[place], "student"))
        source, clip = data.source(judge.results["teacher"].entry.recipe), judge.study.config.train.clip_seconds
        told_labels = teacher.pseudo_labels(data, pool, source, clip).mean(axis=1)
        test, train = replicate.ids("test"), replicate.groups[recipes.LABELLED]
        truth, there = corpus.true_labels(train), data.labels(train)
        table = pd.DataFrame({"tag": corpus.tags, "kind": [corpus.tag_kinds.get(tag, "tag") for tag in corpus.tags]})
        table["teacher"] = roc_auc(corpus.true_labels(pool), told_labels)
        scored = [roc_auc(corpus.true_labels(test), cell.scores("test")) for cell in (student, control)]
        table["gain"] = scored[0] - scored[1]
        table["missing"] = ((truth == 1) & (there == 0)).sum(axis=0) / np.maximum(truth.sum(axis=0), 1)
        rows.append(table)
    found = pd.concat(rows).groupby(["tag", "kind"], sort=False).mean().dropna().reset_index()
    return found.to_dict("records")


def variance(entries: Sequence[dict]) -> list[dict]:
    """The variance budget of each claim that has one, from its entries."""
    return [{"id": entry["id"], **entry["variance"]} for entry in entries if entry.get("variance")]
