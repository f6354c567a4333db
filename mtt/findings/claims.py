"""The claims of the study: what is measured for each, the rule that judges it, and the judge that has the intervals.

Conventions: an *effect* is a difference in macro ROC-AUC on the same test tracks, signed so that a positive one favours the claim. It is
computed within each replicate; what is judged is its mean over replicates with its 95 % interval (``mtt.evaluation.replicates``). Borders
of a rule belong to neither side: an interval that ends on one is *inconclusive*. *Superiority* and *non-inferiority* ask for an interval
above the margin, *equivalence* for one between minus and plus the margin; a claim is contradicted where the whole interval lies outside of
that. A claim with *controls* that would explain its effect away is *not shown* unless the effect against each of them is above 0 too.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal

import numpy as np

from mtt.evaluation.bootstrap import Bootstrap, contrast, slope_weights
from mtt.evaluation.metrics import macro
from mtt.evaluation.replicates import Spread, components, holm, over_replicates, over_seeds, ratio, smallest_effect, within_groups
from mtt.files import MttError
from mtt.findings.reference import compare
from mtt.study import recipes
from mtt.study.replicates import Replicate
from mtt.study.workspace import Result, Study

SUPPORTED, CONTRADICTED, INCONCLUSIVE, NOT_SHOWN = VERDICTS = ("supported", "contradicted", "inconclusive", "not shown")
METRIC = "ROC-AUC"
Weights = Mapping[str, float]  # of models in an effect, by name


@dataclass(frozen=True)
class Measured:
    """What a claim is judged by: its effect in each replicate, and what stands beside it."""

    values: np.ndarray  # (n_replicates,)
    weights: Weights = field(default_factory=dict)  # of the models whose scores make the effect
    versus: str = ""  # the other side by label, where the claim's wording asks for it
    controls: Mapping[str, np.ndarray] = field(default_factory=dict)  # other effects by label, that may explain the claim's away
    beside: Mapping[str, np.ndarray] = field(default_factory=dict)  # other effects by label, for comparison
    family: Sequence[np.ndarray] = ()  # effects that have to hold together (Holm); the claim's own is the weakest among them
    facts: Mapping[str, object] = field(default_factory=dict)  # what a reader must know, as JSON types


@dataclass(frozen=True)
class Claim:
    """A claim and how it is measured and judged.

    ``subject`` and ``wording`` make its sentences: ``wording[verdict]`` follows the subject and may hold ``{effect}`` (always signed),
    ``{size}`` (the effect, signed only if negative), ``{margin}`` and ``{versus}``.
    """

    id: str
    label: str  # short enough to stand beside a verdict
    statement: str
    contrast: str  # what the effect is: a minus b
    page: str  # the notebook that measures it
    measure: Callable[[Judge], Measured | None]  # None where the collection cannot answer
    subject: str
    wording: dict[str, str]
    rule: Literal["superiority", "non-inferiority", "equivalence"] = "superiority"
    margin: float = 0.0
    unit: str = METRIC
    paper: str | None = None  # what the authors or their tutorial reported, where a comparable figure was published

    @property
    def borders(self) -> tuple[float, ...]:
        """Where the verdict changes."""
        return (-self.margin, self.margin) if self.rule == "equivalence" else (self.margin,)

    def verdict(self, lo: float, hi: float, controls: Sequence[Spread] = ()) -> str:
        """The rule applied to an interval, and to those of the controls. ``ValueError`` for an interval that runs backwards."""
        if not lo <= hi:
            raise ValueError(f"{self.id}: {lo} to {hi} is no interval")
        least, most = self.borders if self.rule == "equivalence" else (self.margin, math.inf)
        if least < lo and (hi < most or most == math.inf):
            return SUPPORTED if all(one.lo > 0 for one in controls) else NOT_SHOWN
        return CONTRADICTED if hi < least or lo > most else INCONCLUSIVE


class Judge:
    """The effects of a study: models' scores combined within replicates, and their intervals over replicates."""

    def __init__(self, study: Study) -> None:
        self.study = study
        self._bootstraps: dict[tuple, Bootstrap] = {}

    @cached_property
    def results(self) -> dict[str, Result]:
        return self.study.results

    def bootstrap(self, replicate: Replicate | None = None, ids: Sequence[str] | None = None) -> Bootstrap:
        """Artist-clustered resamples of a replicate's test tracks (the first's by default), or of these of its tracks."""
        replicate = replicate or self.study.first
        ids = replicate.ids("test") if ids is None else list(ids)
        key = (replicate.number, *ids)
        if key not in self._bootstraps:
            artists = replicate.corpus.artists.loc[ids].to_numpy()
            self._bootstraps[key] = Bootstrap(replicate.corpus.true_labels(ids), artists, self.study.config.resamples, seed=0)
        return self._bootstraps[key]

    def values(self, weights: Weights, metric: str = "roc_auc", sets: str = "test") -> np.ndarray:
        """The weighted sum of models' macro metrics in each replicate: (n_replicates,)."""
        return sum(weight * self.results[name].values(metric, sets) for name, weight in weights.items())

    def spread(self, values: Sequence[float], weights: Weights | None = None) -> Spread:
        """Mean over replicates with its interval: of independent corpora, of repeated splits, or of trainings on a published split."""
        first = self.study.first
        if first.is_composed:
            return over_replicates(values)
        if first.collection.has_split:
            errors = self.artist_errors(weights) if weights else np.zeros(len(values))
            return over_seeds(values, errors, first.corpus.artists.loc[first.ids("test")].nunique())
        return over_replicates(values, overlap=len(first.ids("test")) / len(first.groups[recipes.LABELLED]))

    def artist_errors(self, weights: Weights) -> np.ndarray:
        """Standard error of an effect over the choice of test artists, in each replicate (artist-clustered bootstrap)."""
        errors = []
        for place, replicate in enumerate(self.study.replicates):
            scores = [self.results[name].cells[place].scores("test") for name in weights]
            errors.append(contrast(self.bootstrap(replicate), scores, list(weights.values())).standard_error)
        return np.array(errors)

    def training_pairs(self, weights: Weights) -> np.ndarray:
        """The effect of first and second training in the replicates that have both, (n_pairs, 2)."""
        pairs = [weight * self.results[name].training_pairs() for name, weight in weights.items()]
        return sum(pairs) if pairs and all(len(one) for one in pairs) else np.empty((0, 2))

    def claims(self, page: str) -> list[dict]:
        """The entries of the claims that a page measures; those that the collection cannot answer are left out."""
        found = {claim.id: claim.measure(self) for claim in CLAIMS.values() if claim.page == page}
        return [self.entry(CLAIMS[name], one) for name, one in found.items() if one is not None]

    def entry(self, claim: Claim, found: Measured) -> dict:
        """The claim's entry in ``results.json``, of JSON types."""
        spread = self.spread(found.values, found.weights)
        if found.family:
            together = holm([self.spread(one) for one in found.family])
            worst = min(together, key=lambda one: one.spread.lo)
            lo, hi = worst.spread.lo, min(one.spread.hi for one in together)
        else:
            lo, hi = spread.lo, spread.hi
        controls = {name: self.spread(values) for name, values in found.controls.items()}
        return {name: getattr(claim, name) for name in ("id", "contrast", "rule", "margin", "unit", "paper")} | {
            "claim": claim.statement,
            "metric": METRIC,
            **told(spread),
            "verdict": claim.verdict(min(lo, hi), max(lo, hi), list(controls.values())),
            "versus": found.versus,
            "controls": {name: told(one) for name, one in controls.items()},
            "beside": {name: told(self.spread(values)) for name, values in found.beside.items()},
            "variance": self.budget(found),
            "smallest_effect": smallest_effect(spread.sd, spread.n) if spread.n > 1 and spread.sd > 0 else None,
            "facts": dict(found.facts),
            "reference": self.reference(claim, found),
            "replicates": len(found.values),
            "n_tracks": int(np.mean([len(one.ids("test")) for one in self.study.replicates])),
            "n_artists": int(np.mean([one.corpus.artists.loc[one.ids("test")].nunique() for one in self.study.replicates])),
        }

    def reference(self, claim: Claim, found: Measured) -> dict | None:
        """The reference beside a new run of the same kind that gives no verdicts of its own; the full run and collections do."""
        is_new = self.study.config.profile == "demo" and self.study.first.is_composed
        return compare({"id": claim.id, "by_replicate": list(found.values)}) if is_new else None

    def budget(self, found: Measured) -> dict | None:
        """Standard deviations of the effect by what they come from; None where they are not known."""
        if not found.weights or len(found.values) < 2:
            return None
        try:
            errors = self.artist_errors(found.weights)
        except MttError:  # so few test artists that they cannot be resampled
            return None
        parts = components(found.values, errors, self.training_pairs(found.weights))
        return {name: _number(math.sqrt(getattr(parts, name))) for name in ("artists", "training", "corpus", "total")}

    def model_row(self, result: Result) -> dict:
        """A model's line in results.json."""
        cells = [cell.metrics for cell in result.cells]
        about = {"name": result.name, "label": result.entry.label, "kind": result.entry.kind, "parameters": cells[0]["parameters"]}
        about["exposure"] = result.entry.recipe.exposure if result.entry.recipe else None
        about["seconds"] = round(float(np.mean([one["training_seconds"] for one in cells])), 1)
        for metric in ("roc_auc", "pr_auc"):
            spread = over_replicates(result.values(metric))
            about |= {metric: spread.effect, f"{metric}_interval": _bounds(spread), f"{metric}_by_replicate": list(spread.values)}
        about["valid"] = float(result.values("roc_auc", "valid").mean())
        return about


def _number(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None


def _bounds(spread: Spread) -> list[float] | None:
    return [float(spread.lo), float(spread.hi)] if math.isfinite(spread.lo) and math.isfinite(spread.hi) else None


def told(spread: Spread) -> dict:
    """A spread as JSON: ``effect``, ``interval`` (None if unbounded), ``sd``, ``by_replicate``."""
    values = [float(one) for one in spread.values]
    return {"effect": float(spread.effect), "interval": _bounds(spread), "sd": _number(spread.sd), "by_replicate": values}


def _difference(a: str, b: str) -> Weights:
    return {a: 1.0, b: -1.0}


def _pair(a: str, b: str) -> Callable[[Judge], Measured | None]:
    """The model ``a`` minus the model ``b``."""

    def measure(judge: Judge) -> Measured | None:
        if not {a, b} <= judge.results.keys():
            return None
        return Measured(judge.values(_difference(a, b)), _difference(a, b))

    return measure


def leak_effects(judge: Judge) -> dict[str, np.ndarray] | None:
    """In each replicate: ``effect``, heard minus unheard within groups; and ROC-AUC with none, half and all of the artists heard."""
    rows: dict[str, list[float]] = {"effect": [], "none": [], "half": [], "all": []}
    for place, replicate in enumerate(judge.study.replicates):
        evaluated = replicate.crossover[replicate.crossover["role"] == "evaluation"] if len(replicate.crossover) else ()
        if not len(evaluated):  # fewer than four test artists with two tracks
            return None
        at = pd_rows(replicate, evaluated.index)
        by = {name: judge.results[f"leak-{name}"].cells[place].scores("test")[at] for name in "ab"}
        in_a = (evaluated["group"] == "a").to_numpy()
        heard, unheard = (np.where(in_a[:, None], by[one], by[two]) for one, two in ("ab", "ba"))
        labels = replicate.corpus.true_labels(evaluated.index)
        rows["effect"].append(within_groups(labels, heard, unheard, evaluated["group"].to_numpy()))
        for name, own in {"none": unheard, "all": heard}.items():
            rows[name].append(np.mean([macro(labels[in_a == one], own[in_a == one])["roc_auc"] for one in (True, False)]))
        rows["half"].append(np.mean([macro(labels, by[name])["roc_auc"] for name in "ab"]))
    return {name: np.array(values) for name, values in rows.items()}


def pd_rows(replicate: Replicate, ids: Sequence[str]) -> np.ndarray:
    """Rows of these tracks among the replicate's test tracks."""
    place = {track_id: row for row, track_id in enumerate(replicate.ids("test"))}
    return np.array([place[track_id] for track_id in ids])


def _leak(judge: Judge) -> Measured | None:
    found = leak_effects(judge)
    return found and Measured(found.pop("effect"), facts={"heard": {name: float(one.mean()) for name, one in found.items()}})


def _baselines(judge: Judge) -> Measured:
    names = recipes.baselines(judge.study.config)
    values = {name: judge.values(_difference("teacher", name)) for name in names}
    strongest = max(names, key=lambda name: judge.results[name].values("roc_auc", "valid").mean())
    label = judge.results[strongest].entry.label
    others = {judge.results[name].entry.label: one for name, one in values.items() if name != strongest}
    handmade = {judge.results[recipes.HAND_MADE].entry.label: judge.values(_difference("teacher", recipes.HAND_MADE))}
    return Measured(
        values[strongest], _difference("teacher", strongest), f"{label} (the strongest baseline on validation)",
        beside=others | handmade, family=list(values.values()),
    )  # fmt: skip


def best_control(judge: Judge) -> tuple[str, ...]:
    """In each replicate, the better supervised control of the student on validation: of equal labelled clips, or of equal clips in all."""
    names = ("teacher", "supervised-long")
    scores = np.stack([judge.results[name].values("roc_auc", "valid") for name in names])
    return tuple(names[row] for row in scores.argmax(axis=0))


def _against_labels(judge: Judge) -> Measured:
    chosen = best_control(judge)
    values = np.array([judge.values(_difference("student", name))[place] for place, name in enumerate(chosen)])
    own = {judge.results[name].entry.label: judge.values(_difference("student", name)) for name in dict.fromkeys(chosen)}
    weights = _difference("student", max(set(chosen), key=chosen.count))
    facts: dict = {"chosen": list(chosen)}
    controls = {"permuted pseudo-labels": judge.values(_difference("student", "student-permuted"))}
    if "oracle" in judge.results:
        room = np.array([judge.values(_difference("oracle", name))[place] for place, name in enumerate(chosen)])
        facts |= {"oracle": told(judge.spread(room)), "recovered": told(ratio(values, room))}
    if "student-clean" in judge.results:
        own["student that hears the pool clean"] = judge.values(_difference("student", "student-clean"))
    return Measured(values, weights, controls=controls, beside=own, facts=facts)


def _student(judge: Judge) -> Measured:
    found = _against_labels(judge)
    weights = _difference("student", "teacher")
    controls = {"labels alone": found.values, **found.controls}
    return Measured(judge.values(weights), weights, controls=controls)


def _smaller(judge: Judge) -> Measured:
    widths = sorted(judge.study.config.student_widths, reverse=True)
    weights = [_difference(f"student-w{width}", "student") for width in widths]
    alone = {
        f"width {width}, minus labels alone": judge.values(_difference(f"student-w{width}", f"supervised-w{width}"))
        for width in widths
        if f"supervised-w{width}" in judge.results
    }
    others = {f"width {width}": judge.values(one) for width, one in zip(widths[1:], weights[1:], strict=True)}
    return Measured(judge.values(weights[0]), weights[0], beside=others | alone, facts={"width": widths[0]})


def _iterations(judge: Judge) -> Measured | None:
    """Mean change per further generation, from the first student to the last."""
    names = recipes.generations(judge.study.config)
    if len(names) < 2:
        return None
    weights = {names[-1]: 1 / (len(names) - 1), names[0]: -1 / (len(names) - 1)}
    return Measured(judge.values(weights), weights)


def slope(judge: Judge, name: str) -> Weights:
    """ROC-AUC per doubling of the length that a model is trained and tested at."""
    lengths = judge.study.config.train_lengths
    names = [recipes.with_clip_seconds(judge.study.config, name, seconds) for seconds in lengths]
    return dict(zip(names, slope_weights(lengths).tolist(), strict=True))


def _lengths(judge: Judge) -> Measured | None:
    names = [name for name in recipes.LENGTH_MODELS if all(one in judge.results for one in slope(judge, name))]
    if len(names) < 2:
        return None
    own = {judge.results[name].entry.label: judge.values(slope(judge, name)) for name in names}
    weights = slope(judge, names[0]) | {name: -weight for name, weight in slope(judge, names[1]).items()}
    return Measured(judge.values(weights), weights, judge.results[names[1]].entry.label, beside=own)


def _augmentation(judge: Judge) -> Measured:
    """On the waveform chain itself, where the study has a model that hears it; prepared variants beside it."""
    fresh = "teacher-fresh" if "teacher-fresh" in judge.results else "teacher"
    weights, beside = _difference(fresh, "teacher-plain"), {}
    if fresh != "teacher":
        beside["prepared variants"] = judge.values(_difference("teacher", "teacher-plain"))
    for n in judge.study.config.scarcity:
        if f"teacher-plain-{n}" in judge.results:
            beside[f"prepared variants, {n} artists"] = judge.values(_difference(f"teacher-{n}", f"teacher-plain-{n}"))
    return Measured(judge.values(weights), weights, beside=beside)


def superiority(better: str, worse: str, doubt: str) -> dict[str, str]:
    return {
        NOT_SHOWN: f"{better} ROC-AUC by {{size}}, but a control does so as well",
        SUPPORTED: f"{better} ROC-AUC by {{size}}",
        CONTRADICTED: f"{worse} ROC-AUC; the difference is {{effect}}",
        INCONCLUSIVE: f"{doubt}; the estimated difference is {{effect}} ROC-AUC",
    }


_TOGETHER = (
    "Conventional MSD split, ROC-AUC: .8916 for the plain Transformer (authors' tutorial), .8972 with noisy student "
    "and augmentation together; these two do not separate them."
)

_CLAIMS = (
    Claim(
        "C1",
        "shared artists overstate",
        "A split that shares artists between train and test overstates the score.",
        contrast="model that has heard a test artist minus model that has not, within groups of artists",
        page="02_split_stratification",
        measure=_leak,
        subject="a split that shares artists",
        wording=superiority("overstates, where every test artist was heard,", "understates", "may or may not overstate the score"),
    ),
    Claim(
        "C2",
        "Transformer beats CNN, RNN",
        "The Transformer beats the CNN and recurrent baselines.",
        contrast="Transformer minus the strongest baseline on validation; all baselines together (Holm)",
        page="03_teacher_training",
        measure=_baselines,
        subject="the Transformer",
        wording=superiority("beats {versus} in", "falls short of {versus} in", "may or may not beat {versus}"),
        paper=(
            "Conventional MSD split, ROC-AUC / PR-AUC (authors' tutorial): Music Tagging Transformer .8916/.3358; "
            "Short-chunk ResNet .8898/.3280, Sample-level .8789/.2959, FCN .8744/.2970, CRNN .8499/.2469."
        ),
    ),
    Claim(
        "C3",
        "augmentation helps",
        "Data augmentation improves the teacher.",
        contrast="teacher with augmentation minus teacher without",
        page="03_teacher_training",
        measure=_augmentation,
        subject="data augmentation",
        wording=superiority("raises the teacher's", "lowers the teacher's", "may or may not improve the teacher"),
        paper=_TOGETHER,
    ),
    Claim(
        "C4a",
        "student beats its teacher",
        "A noisy student beats its converged teacher.",
        contrast="student minus its teacher",
        page="04_noisy_student",
        measure=_student,
        subject="the noisy student",
        wording=superiority("beats its teacher in", "falls short of its teacher in", "may or may not beat its teacher"),
        paper=_TOGETHER,
    ),
    Claim(
        "C4b",
        "unlabelled music helps",
        "A noisy student beats the best model that is trained on the same labels alone.",
        contrast="student minus the better supervised control on validation",
        page="04_noisy_student",
        measure=_against_labels,
        subject="unlabelled music",
        wording=superiority("raises", "lowers", "may or may not help"),
    ),
    Claim(
        "C5",
        "smaller student is no worse",
        "A student smaller than its teacher (KD) does at least as well as an equal one (KE).",
        contrast="KD student minus KE student",
        page="04_noisy_student",
        measure=_smaller,
        subject="the smaller student (KD)",
        wording={
            SUPPORTED: "does at least as well as the equal one (KE) up to {margin} ROC-AUC; the difference is {effect}",
            CONTRADICTED: "falls short of the equal one (KE) by more than {margin} ROC-AUC; the difference is {effect}",
            INCONCLUSIVE: "may or may not fall short of the equal one (KE) by {margin} ROC-AUC; the estimated difference is {effect}",
        },
        rule="non-inferiority",
        margin=-0.005,
        paper="ROC-AUC .9217 on the CALS split with a student smaller than its teacher.",
    ),
    Claim(
        "C6",
        "little change per iteration",
        "Further iterations bring little.",
        contrast="change per further iteration of teacher and student",
        page="04_noisy_student",
        measure=_iterations,
        subject="a further iteration",
        wording={
            SUPPORTED: "changes ROC-AUC by less than {margin}; the change is {effect}",
            CONTRADICTED: "changes ROC-AUC by more than {margin}; the change is {effect}",
            INCONCLUSIVE: "may or may not change ROC-AUC by {margin}; the estimated change is {effect}",
        },
        rule="equivalence",
        margin=0.005,
        unit="ROC-AUC per iteration",
        paper='Further iterations brought "no significant performance gain" on the MSD (authors\' tutorial).',
    ),
    Claim(
        "C7",
        "gain per doubling of length",
        "Longer input serves the Transformer better than a CNN.",
        contrast="slope of the Transformer minus slope of the CNN, per doubling of the length that they are trained and tested at",
        page="05_input_length_robustness",
        measure=_lengths,
        subject="with longer input the Transformer",
        wording={
            SUPPORTED: "gains {size} ROC-AUC more than the {versus} per doubling of the length",
            CONTRADICTED: "gains less than the {versus}; the difference is {effect} ROC-AUC per doubling of the length",
            INCONCLUSIVE: "may or may not gain more than the {versus}; the estimated difference is {effect} ROC-AUC per doubling",
        },
        unit="ROC-AUC per doubling of the input length",
    ),
)
CLAIMS: dict[str, Claim] = {claim.id: claim for claim in _CLAIMS}
