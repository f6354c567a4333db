"""The seven claims of the study, the rule that judges each, and the sentence that reports the judgement.

Conventions
-----------
- An *effect* is macro ROC-AUC, signed so that a positive one favours the claim; its interval is the 95%
  artist-clustered one of :mod:`mtt.evaluation.bootstrap`.
- A verdict compares the interval with borders that were fixed before any result. Borders belong to neither side: an
  interval that ends on one is *inconclusive*.

  ================  ================================  ===========================  =========
  rule              supported                         contradicted                 claims
  ================  ================================  ===========================  =========
  superiority       lo > margin                       hi < margin                  C1-C4, C7
  non-inferiority   lo > margin                       hi < margin                  C5
  equivalence       -margin < lo and hi < margin      hi < -margin or lo > margin  C6
  ================  ================================  ===========================  =========

- The margin is 0 for C1-C4, -0.005 for C5 and 0.005 for C6. C7 is a difference of slopes, Transformer minus CNN, for
  which the study's plan gives no margin, so it is judged as a superiority claim with margin 0.
- ``paper`` quotes what the authors or their tutorial reported, where a comparable figure was published; None where
  none was.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from mtt.evaluation.bootstrap import Difference

SUPPORTED, CONTRADICTED, INCONCLUSIVE = "supported", "contradicted", "inconclusive"
RULES = ("superiority", "non-inferiority", "equivalence")
DIGITS, MOST_DIGITS = 3, 6  # decimals of a quoted figure: more than 3 where rounding would move it onto a border


LABELS = {  # short enough to stand beside the verdict in the forest plot, on a narrow screen too
    "C1": "shared artists overstate",
    "C2": "Transformer beats CNN, RNN",
    "C3": "augmentation helps",
    "C4": "student beats its teacher",
    "C5": "smaller student is no worse",
    "C6": "little change per iteration",
    "C7": "gain per doubling of length",
}


@dataclass(frozen=True)
class Claim:
    """A claim and how it is judged.

    ``subject`` and ``wording`` make its sentences: ``wording[verdict]`` follows the subject and may hold ``{effect}``
    (always signed), ``{size}`` (the effect, signed only if negative), ``{margin}`` and ``{versus}``.
    """

    id: str
    statement: str
    contrast: str  # what the effect is: a minus b
    subject: str
    wording: dict[str, str]
    rule: str = "superiority"
    margin: float = 0.0
    metric: str = "roc_auc"
    unit: str = "ROC-AUC"
    versus: str | None = None  # the other side, where the study may choose it
    paper: str | None = None

    @property
    def label(self) -> str:
        """A few words that stand beside a verdict."""
        return LABELS[self.id]

    @property
    def borders(self) -> tuple[float, ...]:
        """Where the verdict changes."""
        return (-self.margin, self.margin) if self.rule == "equivalence" else (self.margin,)


def _superiority(better: str, worse: str, doubt: str) -> dict[str, str]:
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
        "A split that shares artists between train and test overstates the score.",
        contrast="split that shares artists minus artist-level split",
        subject="a split that shares artists",
        wording=_superiority("overstates", "understates", "may or may not overstate the score"),
    ),
    Claim(
        "C2",
        "The Transformer beats the CNN and recurrent baselines.",
        contrast="Transformer minus the strongest baseline",
        subject="the Transformer",
        wording=_superiority("beats {versus} in", "falls short of {versus} in", "may or may not beat {versus}"),
        versus="the CNN and recurrent baselines",
        paper=(
            "Conventional MSD split, ROC-AUC / PR-AUC (authors' tutorial): Music Tagging Transformer .8916/.3358; "
            "Short-chunk ResNet .8898/.3280, Sample-level .8789/.2959, FCN .8744/.2970, CRNN .8499/.2469."
        ),
    ),
    Claim(
        "C3",
        "Data augmentation improves the teacher.",
        contrast="teacher with augmentation minus teacher without",
        subject="data augmentation",
        wording=_superiority("raises the teacher's", "lowers the teacher's", "may or may not improve the teacher"),
        paper=_TOGETHER,
    ),
    Claim(
        "C4",
        "A noisy student beats its teacher.",
        contrast="student minus its teacher",
        subject="the noisy student",
        wording=_superiority("beats its teacher in", "falls short of its teacher in", "may or may not beat its teacher"),
        paper=_TOGETHER,
    ),
    Claim(
        "C5",
        "A student smaller than its teacher (KD) does at least as well as an equal one (KE).",
        contrast="KD student minus KE student",
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
        "Further iterations bring little.",
        contrast="change per further iteration of teacher and student",
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
        "With longer input the Transformer holds its score while the pure CNN loses.",
        contrast="slope of the Transformer minus slope of the CNN, per doubling of input length",
        subject="with longer input the Transformer",
        wording={
            SUPPORTED: "keeps {size} ROC-AUC more than {versus} per doubling of the length",
            CONTRADICTED: "keeps less than {versus}; the difference is {effect} ROC-AUC per doubling of the length",
            INCONCLUSIVE: "may or may not keep more than {versus}; the estimated difference is {effect} ROC-AUC per doubling",
        },
        versus="the pure CNN",
        unit="ROC-AUC per doubling of the input length",
    ),
)
CLAIMS: dict[str, Claim] = {claim.id: claim for claim in _CLAIMS}


def verdict(claim: Claim, lo: float, hi: float) -> str:
    """The rule of ``claim`` applied to an interval: ``"supported"``, ``"contradicted"`` or ``"inconclusive"``.

    Raises
    ------
    ValueError : a border that is not finite, ``lo`` above ``hi``, or a claim whose rule is unknown
    """
    if not (math.isfinite(lo) and math.isfinite(hi)):
        raise ValueError(f"{claim.id}: the interval from {lo} to {hi} is not finite; score models on a set that defines its tags")
    if lo > hi:
        raise ValueError(f"{claim.id}: the interval from {lo} to {hi} runs backwards; give its lower border first")
    if claim.rule not in RULES:
        raise ValueError(f"{claim.id}: rule {claim.rule!r} is unknown; choose one of {', '.join(RULES)}")
    if claim.rule == "equivalence":
        inside = -claim.margin < lo and hi < claim.margin
        outside = hi < -claim.margin or lo > claim.margin
    else:
        inside, outside = lo > claim.margin, hi < claim.margin
    return SUPPORTED if inside else CONTRADICTED if outside else INCONCLUSIVE


def is_torn(claim: Claim, by_seed: Sequence[float]) -> bool:
    """Whether single trainings lie on both sides of a border of the rule; not where there are none."""
    return bool(by_seed) and any(min(by_seed) <= border <= max(by_seed) for border in claim.borders)


def assess(claim_id: str, difference: Difference, n_tracks: int, n_artists: int, seeds: int, versus: str | None = None) -> dict:
    """The claim's entry in ``results.json``.

    Parameters
    ----------
    claim_id : ``"C1"`` to ``"C7"``
    difference : the effect, in the claim's metric and signed as its ``contrast`` says
    n_tracks, n_artists : size of the test set
    seeds : number of training seeds that were averaged
    versus : the other side by name ("the short-chunk ResNet"), for C2 and C7, whose baselines the study chooses

    Returns
    -------
    dict of JSON types: ``id, claim, contrast, rule, margin, metric, unit, effect, interval`` [lo, hi], ``by_seed`` (the
        effect of each seed where there are several, else empty), ``verdict, n_tracks, n_artists, seeds, versus, paper``

    Raises
    ------
    ValueError : an unknown claim, another metric than the claim's, figures that are not finite, or counts below 1
    """
    if claim_id not in CLAIMS:
        raise ValueError(f"claim {claim_id!r} is unknown; choose one of {', '.join(CLAIMS)}")
    claim = CLAIMS[claim_id]
    if difference.metric != claim.metric:
        raise ValueError(f"{claim_id} is judged by {claim.metric}, not {difference.metric}; compute the difference in {claim.metric}")
    if not math.isfinite(difference.effect):
        raise ValueError(f"{claim_id}: the effect is {difference.effect}; score the models on tags that the test set defines")
    counts = {"n_tracks": int(n_tracks), "n_artists": int(n_artists), "seeds": int(seeds)}
    for name, count in counts.items():
        if count < 1:
            raise ValueError(f"{claim_id}: {name} is {count}; at least 1 is needed")
    return {
        "id": claim.id,
        "claim": claim.statement,
        "contrast": claim.contrast,
        "rule": claim.rule,
        "margin": claim.margin,
        "metric": claim.metric,
        "unit": claim.unit,
        "effect": float(difference.effect),
        "interval": [float(difference.lo), float(difference.hi)],
        "by_seed": [float(effect) for effect in difference.by_seed],
        "verdict": verdict(claim, difference.lo, difference.hi),
        **counts,
        "versus": versus or claim.versus,
        "paper": claim.paper,
    }


def sentence(entry: dict) -> str:
    """A plain sentence that reports an entry of :func:`assess`, fresh or read back, worded by its verdict.

    Example: "Supported: a split that shares artists overstates ROC-AUC by 0.026 (95% interval 0.018 to 0.034; 540
    tracks of 90 artists, 1 seed)." Where single trainings lie on both sides of a border of the rule, it names their effects.

    Raises
    ------
    ValueError : an entry whose verdict is not the one its interval gives
    """
    claim = CLAIMS[entry["id"]]
    lo, hi = entry["interval"]
    expected = verdict(claim, lo, hi)
    if entry["verdict"] != expected:
        found = f"{claim.id} is entered as {entry['verdict']}"
        raise ValueError(f"{found} but its interval from {lo} to {hi} makes it {expected}; assess it again")
    effect = entry["effect"]
    digits = _decimals((effect, lo, hi), (0.0, *claim.borders))
    text = claim.wording[expected].format(
        effect=_figure(effect, digits, plus=True),
        size=_figure(effect, digits),
        margin=f"{abs(claim.margin):g}",
        versus=entry["versus"],
    )
    interval = f"95% interval {_figure(lo, digits)} to {_figure(hi, digits)}"
    tracks, artists = _count(entry["n_tracks"], "track"), _count(entry["n_artists"], "artist")
    seeds = _count(entry["seeds"], "seed")
    said = f"{expected.capitalize()}: {claim.subject} {text} ({interval}; {tracks} of {artists}, {seeds})."
    by_seed = entry.get("by_seed", ())
    if not is_torn(claim, by_seed):
        return said
    digits = _decimals(tuple(by_seed), (0.0, *claim.borders))
    return f"{said} Single trainings disagree: {', '.join(_figure(effect, digits, plus=True) for effect in by_seed)}."


def _decimals(values: tuple[float, ...], borders: tuple[float, ...]) -> int:
    """Fewest decimals, from DIGITS to MOST_DIGITS, that leave every value on its side of every border."""

    def keeps_sides(digits: int) -> bool:
        rounded = ((round(value, digits), value) for value in values)
        return all(_side(short, border) == _side(value, border) for short, value in rounded for border in borders)

    return next((digits for digits in range(DIGITS, MOST_DIGITS) if keeps_sides(digits)), MOST_DIGITS)


def _side(value: float, border: float) -> int:
    return (value > border) - (value < border)


def _figure(value: float, digits: int, plus: bool = False) -> str:
    """``value`` with a true minus sign; no sign on a zero."""
    text = f"{abs(value):.{digits}f}"
    if not float(text):
        return text
    return ("−" if value < 0 else "+" if plus else "") + text


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
