"""The seven claims of the study: what is measured for each, the rule that judges it, and the judge that has the intervals.

Conventions: an *effect* is macro ROC-AUC, signed so that a positive one favours the claim; its interval is the 95% artist-clustered one of
``mtt.evaluation.bootstrap``. A verdict compares the interval with borders that were fixed before any result. Borders belong to neither
side: an interval that ends on one is *inconclusive*. *Superiority* and *non-inferiority* ask for an interval above the margin,
*equivalence* for one between minus and plus the margin; a claim is contradicted where the whole interval lies outside of that.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from mtt.evaluation.bootstrap import Bootstrap, Difference, contrast, estimate, paired_difference
from mtt.splits.check import audit_split
from mtt.splits.make import comparator_splits
from mtt.study import lengths, recipes
from mtt.study.parameters import ParameterError
from mtt.study.workspace import Result, Study

SUPPORTED, CONTRADICTED, INCONCLUSIVE = VERDICTS = ("supported", "contradicted", "inconclusive")
LENGTH_MODELS = ("teacher", "short-chunk-resnet", "crnn", "fcn")  # whose scores are swept over input lengths


@dataclass(frozen=True)
class Measured:
    """What a claim is judged by."""

    effect: Difference
    boot: Bootstrap  # of the tracks that it was measured on
    versus: str | None = None  # the other side by name, where the claim's wording asks for it
    beside: dict = field(default_factory=dict)  # what a reader must know, as JSON types; differences in it are [effect, lo, hi]


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
    unit: str = "ROC-AUC"
    paper: str | None = None  # what the authors or their tutorial reported, where a comparable figure was published

    @property
    def borders(self) -> tuple[float, ...]:
        """Where the verdict changes."""
        return (-self.margin, self.margin) if self.rule == "equivalence" else (self.margin,)

    def verdict(self, lo: float, hi: float) -> str:
        """The rule applied to an interval. ``ValueError`` for one that is not finite or runs backwards."""
        if not -math.inf < lo <= hi < math.inf:
            raise ValueError(f"{self.id}: {lo} to {hi} is no interval")
        least, most = self.borders if self.rule == "equivalence" else (self.margin, math.inf)
        inside, outside = least < lo and hi < most, hi < least or lo > most
        return SUPPORTED if inside else CONTRADICTED if outside else INCONCLUSIVE

    def is_torn(self, by_seed: Sequence[float]) -> bool:
        """Whether single trainings lie on both sides of a border of the rule; not where there are none."""
        return bool(by_seed) and any(min(by_seed) <= border <= max(by_seed) for border in self.borders)

    def entry(self, found: Measured, seeds: int) -> dict:
        """The claim's entry in ``results.json``, of JSON types."""
        effect, (value, *interval) = found.effect, told(found.effect)
        return {name: getattr(self, name) for name in ("id", "contrast", "rule", "margin", "unit", "paper")} | {
            "claim": self.statement,
            "metric": effect.metric,
            "effect": value,
            "interval": interval,
            "by_seed": [float(one) for one in effect.by_seed],
            "verdict": self.verdict(effect.lo, effect.hi),
            "n_tracks": found.boot.n_tracks,
            "n_artists": found.boot.n_artists,
            "seeds": seeds,
            "versus": found.versus,
            "beside": found.beside,
        }


class Judge:
    """The intervals of a study: artist-clustered resamples of its sets, drawn once and used for every model."""

    def __init__(self, study: Study) -> None:
        self.study = study
        self._bootstraps: dict[tuple[str, ...], Bootstrap] = {}

    def bootstrap(self, tracks: str | Sequence[str] = "test") -> Bootstrap:
        """Resamples of a set or of these tracks, scored against the cleanest labels there are."""
        ids = self.study.ids(tracks) if isinstance(tracks, str) else list(tracks)
        if (key := tuple(ids)) not in self._bootstraps:
            corpus = self.study.corpus
            artists = corpus.artists.loc[ids].to_numpy()
            self._bootstraps[key] = Bootstrap(corpus.true_labels(ids), artists, self.study.config.resamples, seed=0)
        return self._bootstraps[key]

    def compare(self, a: Result, b: Result, name: str = "test") -> Difference:
        """ROC-AUC of a minus that of b on the same tracks, with its interval."""
        return paired_difference(self.bootstrap(name), a.scores(name), b.scores(name))

    def claims(self, page: str) -> list[dict]:
        """The entries of the claims that a page measures; those that the collection cannot answer are left out."""
        found = {claim.id: claim.measure(self) for claim in CLAIMS.values() if claim.page == page}
        return [CLAIMS[name].entry(one, len(self.study.config.seeds)) for name, one in found.items() if one is not None]

    def model_row(self, result: Result) -> dict:
        """A model's line in results.json."""
        seconds = float(np.mean([cell.metrics["training_seconds"] for cell in result.cells]))
        row: dict = {"name": result.name, "parameters": result.first.metrics["parameters"], "seconds": round(seconds, 1)}
        for metric in ("roc_auc", "pr_auc"):
            found = estimate(self.bootstrap(), result.scores(), metric)
            row |= {metric: found.value, f"{metric}_interval": [found.lo, found.hi]}
        return row

    def leak_arms(self, a: Result, b: Result) -> tuple[Bootstrap, np.ndarray, np.ndarray]:
        """Resamples of the evaluation tracks, their scores by the model that has heard their artist, and by the other one."""
        evaluated = self.study.crossover[self.study.crossover["role"] == "evaluation"]
        rows = self.study.split.index[self.study.split == "test"].get_indexer(evaluated.index)
        in_a = (evaluated["group"] == "a").to_numpy()[None, :, None]
        by_a, by_b = a.scores()[:, rows], b.scores()[:, rows]
        return self.bootstrap(evaluated.index), np.where(in_a, by_a, by_b), np.where(in_a, by_b, by_a)


def told(found: Difference) -> list[float]:
    """A difference as JSON: [effect, lo, hi]."""
    return [float(found.effect), float(found.lo), float(found.hi)]


def _leak(judge: Judge) -> Measured | None:
    study = judge.study
    if study.crossover.empty:  # fewer than four test artists with two tracks
        return None
    boot, heard, unheard = judge.leak_arms(*study.make("leak-a", "leak-b"))
    arms = lengths.estimates(boot, {"heard": heard, "unheard": unheard}, "arm").T.to_dict("list")
    corpus, ratios = study.corpus, study.ratios
    by_track = comparator_splits(corpus.artists, corpus.labels, ratios)["random tracks"]
    leaked = audit_split(by_track, corpus.artists, corpus.labels, ratios, corpus.tags).leaked_test_share
    return Measured(paired_difference(boot, heard, unheard), boot, beside={"arms": arms, "leaked_share": leaked})


def _baselines(judge: Judge) -> Measured:
    teacher, *others = judge.study.make("teacher", *recipes.baselines(judge.study.config))
    strongest = max(others, key=lambda result: result.validation)
    steps = lengths.time_steps(judge.study.config)["steps in time"]
    beside = {
        "others": {result.name: told(judge.compare(teacher, result)) for result in others if result is not strongest},
        "one_step": {"models": list(steps.index[steps == 1]), "clip": judge.study.config.train.clip_seconds},
    }
    versus = f"the strongest baseline on validation ({strongest.name})"
    return Measured(judge.compare(teacher, strongest), judge.bootstrap(), versus, beside)


def _pair(a: str, b: str) -> Callable[[Judge], Measured]:
    """The model ``a`` minus the model ``b``."""
    return lambda judge: Measured(judge.compare(*judge.study.make(a, b)), judge.bootstrap())


def _student(judge: Judge) -> Measured:
    controls = [name for name, entry in recipes.LINEUP.items() if entry.kind == "control"]
    student, teacher, *others = judge.study.make("student", "teacher", *controls)
    beside = {"controls": {result.name: told(judge.compare(student, result)) for result in others}}
    return Measured(judge.compare(student, teacher), judge.bootstrap(), beside=beside)


def _iterations(judge: Judge) -> Measured:
    """Mean change per further iteration, from the first student to the last."""
    names = recipes.generations(judge.study.config)
    if len(names) < 2:
        raise ParameterError("parameter 'iterations': must be at least 2: with one generation there is no change to measure")
    first, last = judge.study.make(names[0], names[-1])
    weight = 1 / (len(names) - 1)
    return Measured(contrast(judge.bootstrap(), [last.scores(), first.scores()], [weight, -weight]), judge.bootstrap())


def _lengths(judge: Judge) -> Measured:
    study, boot = judge.study, judge.bootstrap(judge.study.sweep_ids)
    found = lengths.sweep(study, study.make(*LENGTH_MODELS))
    beside = {"slopes": {name: told(slope) for name, slope in lengths.slopes(study, boot, found).items()}}
    effect = lengths.slope_difference(study, boot, found["teacher"], found["short-chunk-resnet"])
    return Measured(effect, boot, "the short-chunk ResNet", beside)


def superiority(better: str, worse: str, doubt: str) -> dict[str, str]:
    return {
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
        contrast="split that shares artists minus artist-level split",
        page="02_split_stratification",
        measure=_leak,
        subject="a split that shares artists",
        wording=superiority("overstates", "understates", "may or may not overstate the score"),
    ),
    Claim(
        "C2",
        "Transformer beats CNN, RNN",
        "The Transformer beats the CNN and recurrent baselines.",
        contrast="Transformer minus the strongest baseline",
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
        measure=_pair("teacher", "teacher-plain"),
        subject="data augmentation",
        wording=superiority("raises the teacher's", "lowers the teacher's", "may or may not improve the teacher"),
        paper=_TOGETHER,
    ),
    Claim(
        "C4",
        "student beats its teacher",
        "A noisy student beats its teacher.",
        contrast="student minus its teacher",
        page="04_noisy_student",
        measure=_student,
        subject="the noisy student",
        wording=superiority("beats its teacher in", "falls short of its teacher in", "may or may not beat its teacher"),
        paper=_TOGETHER,
    ),
    Claim(
        "C5",
        "smaller student is no worse",
        "A student smaller than its teacher (KD) does at least as well as an equal one (KE).",
        contrast="KD student minus KE student",
        page="04_noisy_student",
        measure=_pair("student-distilled", "student"),
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
        "With longer input the Transformer holds its score while the pure CNN loses.",
        contrast="slope of the Transformer minus slope of the CNN, per doubling of input length",
        page="05_input_length_robustness",
        measure=_lengths,
        subject="with longer input the Transformer",
        wording={
            SUPPORTED: "keeps {size} ROC-AUC more than {versus} per doubling of the length",
            CONTRADICTED: "keeps less than {versus}; the difference is {effect} ROC-AUC per doubling of the length",
            INCONCLUSIVE: "may or may not keep more than {versus}; the estimated difference is {effect} ROC-AUC per doubling",
        },
        unit="ROC-AUC per doubling of the input length",
    ),
)
CLAIMS: dict[str, Claim] = {claim.id: claim for claim in _CLAIMS}
CLAIMS: dict[str, Claim] = {claim.id: claim for claim in _CLAIMS}
