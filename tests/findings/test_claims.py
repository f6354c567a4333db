"""The rules at their borders, what each claim is judged by, and the entries of results.json, from scores that are known."""

import json
import math
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from mtt.config import FULL
from mtt.evaluation.replicates import over_replicates
from mtt.findings import judge as judging
from mtt.findings import reference
from mtt.findings.claims import CLAIMS, entry, page_claims
from mtt.findings.judge import Judge, leak_effects
from mtt.study import recipes
from tests.findings.made import judge

TEACHER, STUDENT = [0.80, 0.82, 0.84], [0.81, 0.835, 0.85]  # the student is ahead by 0.01, 0.015 and 0.01
LONG, PERMUTED = [0.79, 0.81, 0.83], [0.795, 0.815, 0.835]
STUDENTS = {"teacher": TEACHER, "student": STUDENT, "supervised-long": LONG, "student-permuted": PERMUTED}


@pytest.fixture(autouse=True)
def converged(monkeypatch):
    """All models are converged but those whose names a test adds."""
    names: list[str] = []
    rows = [{"model": "student", "state": "past its best"}]
    monkeypatch.setattr(judging, "convergence", lambda _: [*rows, *({"model": name, "state": "not converged"} for name in names)])
    return names


def told(name: str, found: Judge) -> dict:
    return entry(CLAIMS[name], found, CLAIMS[name].measure(found))


def test_claims_have_the_margins_of_the_plan():
    superiority = dict.fromkeys(("C1", "C2", "C3", "C4a", "C4b", "C7"), ("superiority", 0.0))
    assert {key: (claim.rule, claim.margin) for key, claim in CLAIMS.items()} == superiority | {
        "C5": ("non-inferiority", -0.005), "C6": ("equivalence", 0.005)
    }  # fmt: skip
    assert max(len(claim.label) for claim in CLAIMS.values()) <= 28  # it stands beside the verdict, on a phone too


@pytest.mark.parametrize(
    ("claim", "lo", "hi", "expected"),
    [
        ("C3", math.nextafter(0, 1), 0.02, "supported"),
        ("C3", 0.001, math.inf, "supported"),
        ("C3", 0.0, 0.02, "inconclusive"),
        ("C3", -0.02, 0.0, "inconclusive"),
        ("C3", -math.inf, math.inf, "inconclusive"),  # one replicate
        ("C3", -0.02, math.nextafter(0, -1), "contradicted"),
        ("C5", -0.004, -0.001, "supported"),  # worse than KE, but by less than the margin
        ("C5", -0.005, 0.002, "inconclusive"),
        ("C5", -0.02, -0.005, "inconclusive"),
        ("C5", -0.02, -0.0051, "contradicted"),
        ("C6", 0.001, 0.004, "supported"),  # a change, but a small one
        ("C6", -0.005, 0.004, "inconclusive"),
        ("C6", -0.004, 0.005, "inconclusive"),
        ("C6", 0.005, 0.02, "inconclusive"),
        ("C6", 0.0051, 0.02, "contradicted"),
        ("C6", -0.02, -0.0051, "contradicted"),
    ],
)
def test_borders_belong_to_neither_side(claim, lo, hi, expected):
    assert CLAIMS[claim].verdict(lo, hi) == expected


def test_what_a_control_does_as_well_is_not_shown():
    above, touching = over_replicates([0.01, 0.011, 0.012]), SimpleNamespace(lo=0.0)
    assert CLAIMS["C3"].verdict(0.1, 0.2, [above, above]) == "supported"
    assert CLAIMS["C3"].verdict(0.1, 0.2, [above, touching]) == "not shown"
    assert CLAIMS["C3"].verdict(-0.1, 0.2, [touching]) == "inconclusive"
    for lo, hi in ((0.02, 0.01), (math.nan, 0.1), (0.1, math.nan)):
        with pytest.raises(ValueError, match="C3: .* is no interval"):
            CLAIMS["C3"].verdict(lo, hi)


def test_an_entry_has_the_t_interval_of_its_replicates_and_its_controls():
    again = {name: scores[:2] for name, scores in STUDENTS.items()} | {"student": [value + 0.004 for value in STUDENT[:2]]}
    found = told("C4a", judge(STUDENTS, again=again))
    reach = stats.t.ppf(0.975, 2) * np.std([0.01, 0.015, 0.01], ddof=1) / math.sqrt(3)
    assert found == json.loads(json.dumps(found))
    assert found["by_replicate"] == pytest.approx([0.01, 0.015, 0.01])
    assert found["interval"] == pytest.approx([0.035 / 3 - reach, 0.035 / 3 + reach]) and found["interval"][0] > 0
    assert {name: one["effect"] for name, one in found["controls"].items()} == {
        "labels alone": pytest.approx(0.035 / 3), "permuted pseudo-labels": pytest.approx(0.05 / 3)
    }  # fmt: skip
    assert (found["verdict"], found["replicates"], found["n_tracks"], found["n_artists"]) == ("supported", 3, 24, 12)
    assert found["variance"]["training"] == pytest.approx(0.004 / math.sqrt(2)) and found["variance"]["artists"] > 0
    undone = told("C4a", judge(STUDENTS | {"student-permuted": [0.82, 0.83, 0.86]}))
    assert undone["verdict"] == "not shown" and undone["interval"] == found["interval"] and undone["variance"]["training"] is None


def test_no_claim_is_judged_of_models_that_longer_training_would_make_better(converged, monkeypatch):
    gains = {name: [value + 0.001 * place for place, value in enumerate(STUDENT)] for name in recipes.generations(FULL)}
    known = STUDENTS | gains
    for model in ("teacher", "student-permuted"):  # which the claim is about, and which would explain it away
        converged[:] = [model]
        assert told("C4a", judge(known))["verdict"] == "not converged"
    assert told("C6", judge(known))["verdict"] == "supported"
    monkeypatch.setattr(judging, "convergence", lambda _: [])  # was not looked at
    assert told("C6", judge(known))["verdict"] == "not converged"
    for grew, verdict in ((0.004, "not converged"), (0.002, "inconclusive")):
        own = judge(STUDENTS, kind="splits")
        own.study.budgets = [{"exposure": 100, "valid": 0.8}, {"exposure": 200, "valid": 0.8 + grew}]
        assert told("C4a", own)["verdict"] == verdict
        assert own.converged([]) and own.converged(["teacher"]) == (grew < 0.003)


def test_the_control_is_chosen_on_validation_in_each_replicate():
    valid = {"teacher": [0.7, 0.9, 0.7], "supervised-long": [0.8, 0.8, 0.8]}
    found = told("C4b", judge(STUDENTS | {"oracle": [0.89, 0.92, 0.93]}, valid))
    assert found["facts"]["chosen"] == ["supervised-long", "teacher", "supervised-long"]
    assert found["by_replicate"] == pytest.approx([0.02, 0.015, 0.02])
    assert found["facts"]["oracle"]["by_replicate"] == pytest.approx([0.1, 0.1, 0.1])
    assert found["facts"]["recovered"]["effect"] == pytest.approx(0.055 / 0.3)
    assert list(found["beside"]) == ["labels alone, as long", "teacher"] and list(found["controls"]) == ["permuted pseudo-labels"]


@pytest.mark.parametrize(
    ("behind", "verdict"),
    [
        ([0.00999, 0.01, 0.01001], "supported"),
        ([0.00693, 0.01, 0.01307], "inconclusive"),  # p 0.03 each, of four
        ([-0.01, 0.0, 0.02], "inconclusive"),
        ([-0.01001, -0.01, -0.00999], "contradicted"),
    ],
)
def test_all_baselines_are_beaten_together_and_validation_names_the_strongest(behind, verdict, converged):
    names = ("sample-cnn", "short-chunk-resnet", "crnn", "fcn", "hand-made")
    scores = {"teacher": TEACHER} | {name: [t - one for t, one in zip(TEACHER, behind, strict=True)] for name in names}
    scores["hand-made"] = [0.9] * 3  # no model of the family
    found = told("C2", judge(scores, {"crnn": [0.99] * 3}))
    assert found["verdict"] == verdict and found["versus"] == "CRNN (the strongest baseline on validation)"
    assert found["by_replicate"] == pytest.approx(behind) and len(found["beside"]) == 4
    converged.append("fcn")  # is not the strongest, but may be
    assert told("C2", judge(scores, {"crnn": [0.99] * 3}))["verdict"] == "not converged"
    assert (found["interval"][0] > 0) == (behind[0] > 0)


def test_an_iteration_counts_by_step_and_a_smaller_student_at_its_widest():
    scores = {"student": STUDENT, "generation-2": [0.9] * 3, "generation-3": [value + 0.004 for value in STUDENT]}
    scores |= {"student-w32": [value - 0.001 for value in STUDENT], "student-w16": TEACHER, "supervised-w16": LONG}
    further, smaller = told("C6", judge(scores)), told("C5", judge(scores))
    assert further["by_replicate"] == pytest.approx([0.002] * 3) and further["verdict"] == "supported"
    assert smaller["by_replicate"] == pytest.approx([-0.001] * 3) and smaller["facts"] == {"width": 32}
    assert list(smaller["beside"]) == ["width 16", "width 16, minus labels alone"]
    assert CLAIMS["C6"].measure(judge(STUDENTS, iterations=1)) is None


def test_lengths_are_compared_by_their_slopes_per_doubling():
    scores = {"teacher-2s": [0.80, 0.81], "teacher": [0.82, 0.83], "teacher-8s": [0.84, 0.85]}
    cnn = {"short-chunk-resnet-2s": [0.70, 0.70], "short-chunk-resnet": [0.75, 0.75], "short-chunk-resnet-8s": [0.80, 0.80]}
    found = told("C7", judge(scores | cnn))
    assert found["by_replicate"] == pytest.approx([-0.03, -0.03]) and found["versus"] == "short-chunk ResNet"
    assert [one["effect"] for one in found["beside"].values()] == pytest.approx([0.02, 0.05])
    assert page_claims(judge(scores), "05_input_length_robustness") == []  # no second model to compare


def test_augmentation_is_judged_on_the_chain_itself_with_prepared_variants_beside():
    scores = {"teacher": TEACHER, "teacher-plain": LONG, "teacher-fresh": STUDENT}
    found = told("C3", judge(scores))
    assert found["by_replicate"] == pytest.approx([0.02, 0.025, 0.02])
    assert found["beside"]["prepared variants"]["effect"] == pytest.approx(0.01)
    del scores["teacher-fresh"]
    assert told("C3", judge(scores))["by_replicate"] == pytest.approx([0.01] * 3)


def test_leakage_is_measured_within_groups():
    """Either model ranks the group that it heard perfectly, the other at chance, and scores its own group's tracks higher throughout."""
    ids, labels = [f"t{n}" for n in range(9)], np.array([[0], [1], [0], [1], [0], [1], [0], [1], [0]])
    crossover = pd.DataFrame({"group": list("aaaabbbb"), "role": "evaluation", "artist": list("ppqqrrss")}, ids[:0:-1])
    labelled = pd.DataFrame(labels, ids)
    heard, chance = labels[1:, 0], np.zeros(8)
    in_a = np.array([False] * 4 + [True] * 4)  # in the order of the test tracks
    by = {"a": np.where(in_a, 10 + heard, chance), "b": np.where(in_a, chance, 10 + heard)}
    corpus = SimpleNamespace(true_labels=lambda wanted: labelled.loc[list(wanted)].to_numpy())
    replicate = SimpleNamespace(crossover=crossover, corpus=corpus, ids=lambda name: ids)
    results = {
        f"leak-{name}": SimpleNamespace(cells=[SimpleNamespace(scores=lambda sets, own=own: np.append(99, own)[:, None])])
        for name, own in by.items()
    }
    found = leak_effects(Judge(SimpleNamespace(replicates=[replicate], results=results)))
    assert {name: one.tolist() for name, one in found.items()} == {"effect": [0.5], "none": [0.5], "half": [0.625], "all": [1.0]}


def test_the_interval_follows_what_replicates_are():
    composed, splits, published = (judge(STUDENTS, kind=kind) for kind in ("composed", "splits", "published"))
    independent, overlapping = (one.spread([0.01, 0.02, 0.03]) for one in (composed, splits))
    assert overlapping.half_width / independent.half_width == pytest.approx(math.sqrt((1 / 3 + 24 / 12) / (1 / 3)))
    same = published.score("student-permuted") - published.score("supervised-long")  # by 0.005 in every replicate
    assert published.spread(same.values).half_width == pytest.approx(0, abs=1e-12)
    boot = published.bootstrap(1)
    scores = [boot.distribution(published.results[name].cells[1].scores("test")) for name in ("student-permuted", "supervised-long")]
    assert published.artist_errors(same)[1] == pytest.approx(np.std(scores[0] - scores[1], ddof=1))
    assert published.spread(same).half_width > 1.9 * published.artist_errors(same).mean()
    controls = told("C4a", published)["controls"].values()  # they are as unsure of the artists as the effect is
    assert min(one["interval"][1] - one["interval"][0] for one in controls) > 2 * published.artist_errors(same).mean()


def test_a_demo_run_is_held_against_the_reference_and_no_other_run_is(monkeypatch):
    known = {"id": "C4a", "verdict": "supported", **judging.told(over_replicates([0.010, 0.012, 0.014]))}
    monkeypatch.setattr(reference, "reference", lambda: {"claims": [known]})
    low, high = 0.012 - 0.002 * math.sqrt(4 / 3) * stats.t.ppf(0.975, 2), 0.012 + 0.002 * math.sqrt(4 / 3) * stats.t.ppf(0.975, 2)
    found = told("C4a", judge(STUDENTS, profile="demo"))
    assert found["reference"]["prediction"] == pytest.approx([low, high]) and found["reference"]["agrees"] == [True] * 3
    far = told("C4a", judge(STUDENTS | {"student": [0.81, 0.90, 0.85]}, profile="demo"))
    assert far["reference"]["agrees"] == [True, False, True]
    unknown = told("C4b", judge(STUDENTS, profile="demo"))
    others = [told("C4a", judge(STUDENTS)), told("C4a", judge(STUDENTS, kind="splits", profile="demo"))]
    others.append(told("C4a", judge(STUDENTS, profile="demo", exposure=2000)))
    assert [one["reference"] for one in (unknown, *others)] == [None] * 4
    assert [reference.standing(one) for one in (found, far, unknown)] == ["agrees", "differs", "supported"]
    assert reference.agreement([found, far, unknown, *others]) == (1, 2)


def test_a_slope_over_other_lengths_than_the_references_is_not_held_against_it(monkeypatch):
    known = {"id": "C7", "verdict": "supported", **judging.told(over_replicates([0.010, 0.012, 0.014]))}
    monkeypatch.setattr(reference, "reference", lambda: {"claims": [known]})
    names = ["teacher", "short-chunk-resnet", "teacher-2s", "short-chunk-resnet-2s", "teacher-8s", "short-chunk-resnet-8s"]
    scores = {name: [0.8, 0.81, 0.79] for name in names}
    assert told("C7", judge(scores, profile="demo"))["reference"]["agrees"] == [False] * 3
    shorter = judge({name: scores[name] for name in names[:4]}, profile="demo", train_lengths=(2.0, 4.0))
    assert told("C7", shorter)["reference"] is None
