"""The judge: models' scores combined to effects within replicates, their intervals over replicates, and what each claim is judged by.

Conventions: an *effect* is a difference in macro ROC-AUC on the same test tracks, signed so that a positive one favours the claim. It is
computed within each replicate; what is judged is its mean over replicates with its 95 % interval (``mtt.evaluation.replicates``). A
measuring function takes the judge and gives a ``Measured``, or None where the collection cannot answer.
"""

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import pandas as pd

from mtt.evaluation.bootstrap import Bootstrap, slope_weights
from mtt.evaluation.metrics import macro
from mtt.evaluation.replicates import Spread, components, over_replicates, over_seeds, ratio, within_groups
from mtt.files import MttError
from mtt.findings.reference import GAINING, convergence
from mtt.study import recipes
from mtt.study.budget import enough
from mtt.study.workspace import Result, Study

Weights = Mapping[str, float]  # of models in an effect, by name


@dataclass(frozen=True)
class Effect:
    """One number a replicate, and the models of which it is the weighted sum there (none: it is made in another way)."""

    values: np.ndarray  # (n_replicates,)
    weights: Sequence[Weights] = ()  # one a replicate

    def __sub__(self, other: "Effect") -> "Effect":
        pairs = zip(self.weights, other.weights, strict=True)
        return Effect(self.values - other.values, [{**a, **{name: a.get(name, 0.0) - b[name] for name in b}} for a, b in pairs])


@dataclass(frozen=True)
class Measured:
    """What a claim is judged by: its effect, and what stands beside it."""

    effect: Effect
    versus: str = ""  # the other side by label, where the claim's wording asks for it
    controls: Mapping[str, Effect] = field(default_factory=dict)  # by label, that may explain the claim's effect away
    beside: Mapping[str, Effect] = field(default_factory=dict)  # by label, for comparison
    family: Sequence[Effect] = ()  # that have to hold together (Holm); the claim's own is the weakest among them
    facts: Mapping[str, object] = field(default_factory=dict)  # what a reader must know, as JSON types


class Judge:
    """The effects of a study and their intervals."""

    def __init__(self, study: Study) -> None:
        self.study = study
        self._bootstraps: dict[int, Bootstrap] = {}
        self._resampled: dict[tuple[int, str], np.ndarray] = {}

    @cached_property
    def results(self) -> dict[str, Result]:
        return self.study.results

    def bootstrap(self, place: int = 0) -> Bootstrap:
        """Artist-clustered resamples of a replicate's test tracks, the first's by default. Raises ``MttError`` for too few artists."""
        if place not in self._bootstraps:
            replicate = self.study.replicates[place]
            ids = replicate.ids("test")
            artists = replicate.corpus.artists.loc[ids].to_numpy()
            self._bootstraps[place] = Bootstrap(replicate.corpus.true_labels(ids), artists, self.study.config.resamples, seed=0)
        return self._bootstraps[place]

    def effect(self, weights: Weights) -> Effect:
        """The weighted sum of models' scores."""
        values = sum(weight * self.results[name].values() for name, weight in weights.items())
        return Effect(values, [weights] * len(values))

    def score(self, name: str | Sequence[str]) -> Effect:
        """A model's score; of several names one a replicate."""
        names = [name] * len(self.study.replicates) if isinstance(name, str) else name
        return Effect(np.array([self.results[one].values()[place] for place, one in enumerate(names)]), [{one: 1.0} for one in names])

    def spread(self, effect: Effect | Sequence[float]) -> Spread:
        """Mean over replicates with its interval: of independent corpora, of repeated splits, or of trainings on a published split.

        On a published split the interval of an effect without ``weights`` speaks of the trainings alone, not of the choice of artists.
        """
        effect, first = effect if isinstance(effect, Effect) else Effect(np.asarray(effect)), self.study.first
        if first.is_composed:
            return over_replicates(effect.values)
        if first.collection.has_split:
            errors = self.artist_errors(effect) if effect.weights else np.zeros(len(effect.values))
            return over_seeds(effect.values, errors, first.corpus.artists.loc[first.ids("test")].nunique())
        return over_replicates(effect.values, overlap=len(first.ids("test")) / len(first.groups[recipes.LABELLED]))

    def converged(self, names: Collection[str]) -> bool:
        """Whether longer training would make none of these models better, as far as that was looked at: by tuning, or by the budgets."""
        if self.study.first.is_composed:
            rows = convergence(self.study.config)
            return bool(rows) and all(row["state"] != GAINING for row in rows if row["model"] in names)
        budgets, trained = self.study.budgets, any(self.results[name].entry.recipe for name in names)
        return not (trained and budgets and enough(budgets) == budgets[-1]["exposure"])

    def artist_errors(self, effect: Effect) -> np.ndarray:
        """Standard error of an effect over the choice of test artists, in each replicate (artist-clustered bootstrap)."""
        return np.array([float(np.std(values, ddof=1)) for values in self.resamples(effect)])

    def resamples(self, effect: Effect) -> list[np.ndarray]:
        """An effect in each resample of the test artists of each replicate."""
        places = enumerate(effect.weights)
        return [sum(weight * self._resampled_score(place, name) for name, weight in weights.items()) for place, weights in places]

    def _resampled_score(self, place: int, name: str) -> np.ndarray:
        """A model's score in each resample of a replicate's test tracks."""
        if (place, name) not in self._resampled:
            scores = self.results[name].cells[place].scores("test")
            self._resampled[place, name] = self.bootstrap(place).distribution(scores)
        return self._resampled[place, name]

    def training_pairs(self, effect: Effect) -> np.ndarray:
        """The effect of first and second training in the replicates that have both, (n_pairs, 2)."""
        pairs = {name: self.results[name].training_pairs() for weights in effect.weights for name in weights}
        both = effect.weights[: min(map(len, pairs.values()), default=0)]
        found = [sum(weight * pairs[name][place] for name, weight in weights.items()) for place, weights in enumerate(both)]
        return np.array(found).reshape(-1, 2)

    def budget(self, effect: Effect) -> dict | None:
        """Standard deviations of an effect by what they come from; None where they are not known."""
        if not effect.weights or len(effect.values) < 2:
            return None
        try:
            errors = self.artist_errors(effect)
        except MttError:  # so few test artists that they cannot be resampled
            return None
        parts = components(effect.values, errors, self.training_pairs(effect))
        return {name: _number(math.sqrt(getattr(parts, name))) for name in ("artists", "training", "corpus", "total")}

    def model_row(self, result: Result) -> dict:
        """A model's line in results.json."""
        cells = [cell.metrics for cell in result.cells]
        about = {"name": result.name, "label": result.entry.label, "kind": result.entry.kind, "parameters": cells[0]["parameters"]}
        about["exposure"] = result.entry.recipe.exposure if result.entry.recipe else None
        about["learns_from"] = result.entry.recipe.training_set if result.entry.recipe else recipes.LABELLED
        about["seconds"] = round(float(np.mean([one["training_seconds"] for one in cells])), 1)
        for metric in ("roc_auc", "pr_auc"):
            spread = told(over_replicates(result.values(metric)))
            about |= {metric: spread["effect"], f"{metric}_interval": spread["interval"], f"{metric}_by_replicate": spread["by_replicate"]}
        about["valid"] = float(result.values("roc_auc", "valid").mean())
        return about


def _number(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None


def told(spread: Spread) -> dict:
    """A spread as JSON: ``effect``, ``interval`` (None if unbounded), ``sd``, ``by_replicate``."""
    interval = [float(spread.lo), float(spread.hi)] if math.isfinite(spread.hi - spread.lo) else None
    values = [float(one) for one in spread.values]
    return {"effect": float(spread.effect), "interval": interval, "sd": _number(spread.sd), "by_replicate": values}


def leak_effects(judge: Judge) -> dict[str, np.ndarray] | None:
    """In each replicate: ``effect``, heard minus unheard within groups; and ROC-AUC with none, half and all of the artists heard."""
    rows: dict[str, list[float]] = {"effect": [], "none": [], "half": [], "all": []}
    for place, replicate in enumerate(judge.study.replicates):
        evaluated = replicate.crossover[replicate.crossover["role"] == "evaluation"] if len(replicate.crossover) else ()
        if not len(evaluated) or not {"leak-a", "leak-b"} <= judge.results.keys():  # fewer than four test artists with two tracks
            return None
        at = pd.Index(replicate.ids("test")).get_indexer(evaluated.index)
        by = {name: judge.results[f"leak-{name}"].cells[place].scores("test")[at] for name in "ab"}
        in_a = (evaluated["group"] == "a").to_numpy()
        heard, unheard = (np.where(in_a[:, None], by[one], by[two]) for one, two in ("ab", "ba"))
        labels = replicate.corpus.true_labels(evaluated.index)
        rows["effect"].append(within_groups(labels, heard, unheard, evaluated["group"].to_numpy()))
        for name, own in {"none": unheard, "all": heard}.items():
            rows[name].append(np.mean([macro(labels[in_a == one], own[in_a == one])["roc_auc"] for one in (True, False)]))
        rows["half"].append(np.mean([macro(labels, by[name])["roc_auc"] for name in "ab"]))
    return {name: np.array(values) for name, values in rows.items()}


def leak(judge: Judge) -> Measured | None:
    found = leak_effects(judge)
    return found and Measured(Effect(found.pop("effect")), facts={"heard": {name: float(one.mean()) for name, one in found.items()}})


def baselines(judge: Judge) -> Measured | None:
    names, teacher = [name for name in recipes.baselines(judge.study.config) if name in judge.results], judge.score("teacher")
    if not names:
        return None
    effects = {name: teacher - judge.score(name) for name in (*names, recipes.HAND_MADE)}
    strongest = max(names, key=lambda name: judge.results[name].values("roc_auc", "valid").mean())
    return Measured(
        effects[strongest],
        f"{judge.results[strongest].entry.label} (the strongest baseline on validation)",
        beside={judge.results[name].entry.label: one for name, one in effects.items() if name != strongest},
        family=[effects[name] for name in names],
    )


def augmentation(judge: Judge) -> Measured | None:
    """On the waveform chain itself, where the study has a model that hears it; prepared variants beside it."""
    if "teacher-plain" not in judge.results:
        return None
    prepared = judge.score("teacher") - judge.score("teacher-plain")
    fresh, beside = "teacher-fresh" in judge.results, {}
    if fresh:
        beside["prepared variants"] = prepared
    for n in judge.study.config.scarcity:
        if f"teacher-plain-{n}" in judge.results:
            beside[f"prepared variants, {n} artists"] = judge.score(f"teacher-{n}") - judge.score(f"teacher-plain-{n}")
    return Measured(judge.score("teacher-fresh") - judge.score("teacher-plain") if fresh else prepared, beside=beside)


def best_control(judge: Judge) -> tuple[str, ...]:
    """In each replicate, the better supervised control of the student on validation: of equal labelled clips, or of equal clips in all."""
    names = [name for name in ("teacher", "supervised-long") if name in judge.results]
    scores = np.stack([judge.results[name].values("roc_auc", "valid") for name in names])
    return tuple(names[row] for row in scores.argmax(axis=0))


def over_labels(judge: Judge) -> Measured | None:
    """The student minus its better control; beside it minus each that was the better one, and a student that hears the pool clean."""
    if "supervised-long" not in judge.results:
        return None
    chosen, student = best_control(judge), judge.score("student")
    control = judge.score(chosen)
    beside = {judge.results[name].entry.label: student - judge.score(name) for name in dict.fromkeys(chosen)}
    facts: dict = {"chosen": list(chosen)}
    if "oracle" in judge.results:
        room = judge.score("oracle") - control
        facts |= {"oracle": told(judge.spread(room)), "recovered": told(ratio((student - control).values, room.values))}
    if "student-clean" in judge.results:
        beside["student that hears the pool clean"] = student - judge.score("student-clean")
    controls = {}
    if "student-permuted" in judge.results:
        controls["permuted pseudo-labels"] = student - judge.score("student-permuted")
    return Measured(student - control, controls=controls, beside=beside, facts=facts)


def over_teacher(judge: Judge) -> Measured | None:
    found = over_labels(judge)
    return found and Measured(judge.score("student") - judge.score("teacher"), controls={"labels alone": found.effect, **found.controls})


def smaller_student(judge: Judge) -> Measured | None:
    """The widest of the smaller students minus the equal one; beside it the others, and each minus a model of its width without a pool."""
    widths = sorted(judge.study.config.student_widths, reverse=True)
    students = {width: judge.score(f"student-w{width}") for width in widths if f"student-w{width}" in judge.results}
    if not students:
        return None
    widest, *others = students
    beside = {f"width {width}": students[width] - judge.score("student") for width in others}
    for width, one in students.items():
        if f"supervised-w{width}" in judge.results:
            beside[f"width {width}, minus labels alone"] = one - judge.score(f"supervised-w{width}")
    return Measured(students[widest] - judge.score("student"), beside=beside, facts={"width": widest})


def further_iterations(judge: Judge) -> Measured | None:
    """Mean change per further generation, from the first student to the last."""
    first, *others = [name for name in recipes.generations(judge.study.config) if name in judge.results]
    return Measured(judge.effect({others[-1]: 1 / len(others), first: -1 / len(others)})) if others else None


def slope(judge: Judge, name: str) -> Weights:
    """ROC-AUC per doubling of the length that a model is trained and tested at."""
    lengths = judge.study.config.train_lengths
    names = [recipes.with_clip_seconds(judge.study.config, name, seconds) for seconds in lengths]
    return dict(zip(names, slope_weights(lengths).tolist(), strict=True))


def longer_input(judge: Judge) -> Measured | None:
    """The slope of the Transformer minus that of the first CNN, of those that the study trains at every length."""
    names = [name for name in recipes.LENGTH_MODELS if all(one in judge.results for one in slope(judge, name))]
    if len(names) < 2:
        return None
    slopes = {judge.results[name].entry.label: judge.effect(slope(judge, name)) for name in names}
    (_, own), (label, other), *_ = slopes.items()
    return Measured(own - other, label, beside=slopes)
