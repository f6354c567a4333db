"""The claims of the study: what is measured for each, the rule that judges it, and its words.

Conventions: effects are those of ``mtt.findings.judge``. Borders of a rule belong to neither side: an interval that ends on one is
*inconclusive*, and so is whatever fewer than LEAST replicates say. *Superiority* and *non-inferiority* ask for an interval above the
margin, *equivalence* for one between minus and plus the margin; a claim is contradicted where the whole interval lies outside of that. A
claim with *controls* that would explain its effect away is *not shown* unless the effect against each of them is above 0 too. No rule
judges a claim about models that longer training would make better, as far as is known: it is *not converged*.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from mtt.evaluation.replicates import Spread, holm, smallest_effect
from mtt.findings import judge as measures
from mtt.findings.judge import Judge, Measured, told
from mtt.findings.reference import compare

VERDICTS = ("supported", "contradicted", "inconclusive", "not shown", "not converged")
SUPPORTED, CONTRADICTED, INCONCLUSIVE, NOT_SHOWN, NOT_CONVERGED = VERDICTS
HEADLINE = "C4b"  # the claim that the study is about
LEAST = 3  # replicates; the spread of two says too little of others
METRIC = "ROC-AUC"


@dataclass(frozen=True)
class Claim:
    """A claim and how it is measured and judged.

    ``subject`` and ``wording`` make its sentences: ``wording[verdict]`` (of an open one, INCONCLUSIVE's) follows the subject and may hold
    ``{effect}`` (always signed), ``{size}`` (the effect, signed only if negative), ``{margin}`` and ``{versus}``.
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
    aside: str = ""  # what a reader must know beside its sentence, of the kinds of ``words.ASIDES``
    settings: tuple[str, ...] = ()  # what is measured depends on: with others it is something else
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


def page_claims(judge: Judge, page: str) -> list[dict]:
    """The entries of the claims that a page measures; those that the collection cannot answer are left out."""
    found = {claim.id: claim.measure(judge) for claim in CLAIMS.values() if claim.page == page}
    return [entry(CLAIMS[name], judge, one) for name, one in found.items() if one is not None]


def entry(claim: Claim, judge: Judge, found: Measured) -> dict:
    """The claim's entry in ``results.json``, of JSON types."""
    spread, controls = judge.spread(found.effect), {name: judge.spread(one) for name, one in found.controls.items()}
    together = holm([judge.spread(one) for one in found.family]) if found.family else [spread]
    lo, hi = (min(ends) for ends in zip(*((one.lo, one.hi) for one in together), strict=True))
    replicates, values = judge.study.replicates, list(found.effect.values)
    verdict = claim.verdict(lo, hi, list(controls.values())) if len(values) >= LEAST else INCONCLUSIVE
    judged = [found.effect, *found.family, *found.controls.values()]
    converged = judge.converged({name for effect in judged for weights in effect.weights for name in weights})
    return {name: getattr(claim, name) for name in ("id", "contrast", "rule", "margin", "unit", "paper")} | {
        "claim": claim.statement,
        "metric": METRIC,
        **told(spread),
        "verdict": verdict if converged else NOT_CONVERGED,
        "versus": found.versus,
        "controls": {name: told(one) for name, one in controls.items()},
        "beside": {name: told(judge.spread(one)) for name, one in found.beside.items()},
        "variance": judge.budget(found.effect),
        "smallest_effect": smallest_effect(spread.sd, spread.n) if spread.n > 1 and spread.sd > 0 else None,
        "facts": dict(found.facts),
        "reference": compare(judge.study.config, claim.id, values, claim.settings),
        "replicates": len(values),
        "n_tracks": int(np.mean([len(one.ids("test")) for one in replicates])),
        "n_artists": int(np.mean([one.corpus.artists.loc[one.ids("test")].nunique() for one in replicates])),
    }


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
        aside="heard",
        measure=measures.leak,
        subject="a split that shares artists",
        wording=superiority("overstates, where every test artist was heard,", "understates", "may or may not overstate the score"),
    ),
    Claim(
        "C2",
        "Transformer beats CNN, RNN",
        "The Transformer beats the CNN and recurrent baselines.",
        contrast="Transformer minus the strongest baseline on validation; all baselines together (Holm)",
        page="03_teacher_training",
        aside="others",
        measure=measures.baselines,
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
        aside="others",
        measure=measures.augmentation,
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
        aside="controls",
        measure=measures.over_teacher,
        subject="the noisy student",
        wording=superiority("beats its teacher in", "falls short of its teacher in", "may or may not beat its teacher"),
        paper=_TOGETHER,
    ),
    Claim(
        HEADLINE,
        "unlabelled music helps",
        "A noisy student beats the best model that is trained on the same labels alone.",
        contrast="student minus the better supervised control on validation",
        page="04_noisy_student",
        aside="headroom",
        measure=measures.over_labels,
        subject="unlabelled music",
        wording=superiority("raises", "lowers", "may or may not help"),
    ),
    Claim(
        "C5",
        "smaller student is no worse",
        "A student smaller than its teacher (KD) does at least as well as an equal one (KE).",
        contrast="KD student minus KE student",
        page="04_noisy_student",
        aside="others",
        measure=measures.smaller_student,
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
        measure=measures.further_iterations,
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
        aside="slopes",
        measure=measures.longer_input,
        settings=("train_lengths",),
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
