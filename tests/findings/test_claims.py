"""Every branch of the verdict rules and their borders, the entries of results.json, and what is measured for a claim."""

import json
import math
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from mtt.evaluation.bootstrap import Bootstrap, Difference
from mtt.findings import claims
from mtt.findings.claims import CLAIMS, Claim, Judge, Measured

SUPERIORITY = ["C1", "C2", "C3", "C4", "C7"]
LABELS = np.array([[1], [0], [1], [0]])


def measured(effect, lo, hi, **options) -> Measured:
    difference = Difference(effect, lo, hi, (hi - lo) / 4, "roc_auc", np.array([lo, hi]), options.pop("by_seed", ()))
    return Measured(difference, Bootstrap(LABELS, list("aabb"), resamples=2), **options)


def test_seven_claims_with_the_margins_of_the_plan():
    assert list(CLAIMS) == [f"C{number}" for number in range(1, 8)]
    assert {key: (claim.rule, claim.margin) for key, claim in CLAIMS.items()} == {
        **{key: ("superiority", 0.0) for key in SUPERIORITY},
        "C5": ("non-inferiority", -0.005),
        "C6": ("equivalence", 0.005),
    }
    assert max(len(claim.label) for claim in CLAIMS.values()) <= 28  # it stands beside the verdict, on a phone too


@pytest.mark.parametrize("claim", SUPERIORITY)
@pytest.mark.parametrize(
    ("lo", "hi", "expected"),
    [
        (0.001, 0.02, "supported"),
        (math.nextafter(0, 1), 0.02, "supported"),
        (0.0, 0.02, "inconclusive"),
        (-0.001, 0.02, "inconclusive"),
        (0.0, 0.0, "inconclusive"),
        (-0.02, 0.0, "inconclusive"),
        (-0.02, math.nextafter(0, -1), "contradicted"),
        (-0.02, -0.001, "contradicted"),
    ],
)
def test_superiority(claim, lo, hi, expected):
    assert CLAIMS[claim].verdict(lo, hi) == expected


@pytest.mark.parametrize(
    ("lo", "hi", "expected"),
    [
        (0.001, 0.01, "supported"),
        (-0.004, -0.001, "supported"),  # worse than KE, but by less than the margin
        (-0.005, 0.002, "inconclusive"),
        (-0.006, 0.002, "inconclusive"),
        (-0.02, -0.005, "inconclusive"),
        (-0.02, -0.0051, "contradicted"),
    ],
)
def test_non_inferiority(lo, hi, expected):
    assert CLAIMS["C5"].verdict(lo, hi) == expected


@pytest.mark.parametrize(
    ("lo", "hi", "expected"),
    [
        (-0.004, 0.004, "supported"),
        (0.001, 0.004, "supported"),  # a change, but a small one
        (-0.005, 0.004, "inconclusive"),
        (-0.004, 0.005, "inconclusive"),
        (-0.02, 0.02, "inconclusive"),
        (0.005, 0.02, "inconclusive"),
        (-0.02, -0.005, "inconclusive"),
        (0.0051, 0.02, "contradicted"),
        (-0.02, -0.0051, "contradicted"),
    ],
)
def test_equivalence(lo, hi, expected):
    assert CLAIMS["C6"].verdict(lo, hi) == expected


@pytest.mark.parametrize(("lo", "hi"), [(0.02, 0.01), (math.nan, 0.1), (0.1, math.nan), (-math.inf, 0.1), (0.1, math.inf)])
def test_what_is_no_interval_has_no_verdict(lo, hi):
    for claim in CLAIMS.values():
        with pytest.raises(ValueError, match=f"{claim.id}: .* is no interval"):
            claim.verdict(lo, hi)


def test_single_trainings_disagree_where_they_lie_on_both_sides_of_a_border():
    assert CLAIMS["C3"].is_torn((0.004, -0.003)) and not CLAIMS["C3"].is_torn((-0.001, -0.007)) and not CLAIMS["C3"].is_torn(())
    assert CLAIMS["C5"].is_torn((-0.006, -0.002)) and not CLAIMS["C5"].is_torn((-0.004, 0.004))  # its border is -0.005
    assert CLAIMS["C6"].is_torn((0.004, 0.006)) and not CLAIMS["C6"].is_torn((-0.004, 0.004))


def test_an_entry_holds_what_results_json_needs():
    found = CLAIMS["C1"].entry(measured(np.float64(0.026), 0.018, 0.034, by_seed=(np.float64(0.03), 0.02), beside={"x": 1}), seeds=2)
    assert found == json.loads(json.dumps(found))
    about = {"id": "C1", "claim": CLAIMS["C1"].statement, "metric": "roc_auc", "effect": 0.026, "interval": [0.018, 0.034]}
    about |= {"by_seed": [0.03, 0.02], "verdict": "supported", "n_tracks": 4, "n_artists": 2, "seeds": 2, "beside": {"x": 1}}
    assert found.items() >= (about | {"rule": "superiority", "margin": 0.0, "paper": None, "versus": None}).items()
    assert CLAIMS["C2"].entry(measured(0.1, 0.0, 0.2, versus="the FCN"), 1)["versus"] == "the FCN"


def test_a_toy_claim_is_one_object_and_a_page_judges_its_own(monkeypatch):
    def measure(judge: Judge) -> Measured:
        return measured(judge.study.effect, -1.0, 1.0)

    toy = Claim("C8", "toys", "Toys squeak.", "toy minus none", "07_toys", measure, "a toy", {"inconclusive": "may squeak {effect}"})
    silent = replace(toy, id="C9", measure=lambda judge: None)  # the collection cannot answer
    monkeypatch.setattr(claims, "CLAIMS", CLAIMS | {claim.id: claim for claim in (toy, silent)})

    study = SimpleNamespace(effect=0.5, config=SimpleNamespace(seeds=(0, 1)))
    (entry,) = Judge(study).claims("07_toys")
    assert (entry["id"], entry["effect"], entry["verdict"], entry["seeds"]) == ("C8", 0.5, "inconclusive", 2)
