"""Every branch of the verdict rules, their borders, the entries of results.json and the wording of the sentences."""

import dataclasses
import json
import math

import numpy as np
import pytest

from mtt.evaluation.bootstrap import Difference
from mtt.study.claims import CLAIMS, assess, sentence, verdict

SUPERIORITY = ["C1", "C2", "C3", "C4", "C7"]


def difference(effect, lo, hi, metric="roc_auc"):
    return Difference(effect, lo, hi, (hi - lo) / 4, metric, np.array([lo, hi]))


def entry(claim, effect, lo, hi, **options):
    return assess(claim, difference(effect, lo, hi), n_tracks=540, n_artists=90, seeds=1, **options)


def test_seven_claims_with_the_margins_of_the_plan():
    assert list(CLAIMS) == [f"C{number}" for number in range(1, 8)]
    assert {key: (claim.rule, claim.margin) for key, claim in CLAIMS.items()} == {
        **{key: ("superiority", 0.0) for key in SUPERIORITY},
        "C5": ("non-inferiority", -0.005),
        "C6": ("equivalence", 0.005),
    }
    assert {claim.metric for claim in CLAIMS.values()} == {"roc_auc"}


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
    assert verdict(CLAIMS[claim], lo, hi) == expected


@pytest.mark.parametrize(
    ("lo", "hi", "expected"),
    [
        (0.001, 0.01, "supported"),
        (-0.004, 0.002, "supported"),
        (-0.004, -0.001, "supported"),  # worse than KE, but by less than the margin
        (-0.005, 0.002, "inconclusive"),
        (-0.006, 0.002, "inconclusive"),
        (-0.02, -0.004, "inconclusive"),
        (-0.02, -0.005, "inconclusive"),
        (-0.02, -0.0051, "contradicted"),
    ],
)
def test_non_inferiority(lo, hi, expected):
    assert verdict(CLAIMS["C5"], lo, hi) == expected


@pytest.mark.parametrize(
    ("lo", "hi", "expected"),
    [
        (-0.004, 0.004, "supported"),
        (0.001, 0.004, "supported"),  # a change, but a small one
        (0.0, 0.0, "supported"),
        (-0.005, 0.004, "inconclusive"),
        (-0.004, 0.005, "inconclusive"),
        (-0.02, 0.02, "inconclusive"),
        (0.004, 0.02, "inconclusive"),
        (0.005, 0.02, "inconclusive"),
        (-0.02, -0.005, "inconclusive"),
        (0.0051, 0.02, "contradicted"),
        (-0.02, -0.0051, "contradicted"),
    ],
)
def test_equivalence(lo, hi, expected):
    assert verdict(CLAIMS["C6"], lo, hi) == expected


@pytest.mark.parametrize("claim", list(CLAIMS))
def test_bad_intervals_are_refused(claim):
    with pytest.raises(ValueError, match=f"{claim}: the interval from 0.02 to 0.01 runs backwards"):
        verdict(CLAIMS[claim], 0.02, 0.01)
    for lo, hi in ((math.nan, 0.1), (0.1, math.nan), (-math.inf, 0.1), (0.1, math.inf)):
        with pytest.raises(ValueError, match=f"{claim}: the interval from .* is not finite"):
            verdict(CLAIMS[claim], lo, hi)


def test_an_unknown_rule_is_refused():
    with pytest.raises(ValueError, match="rule 'majority' is unknown"):
        verdict(dataclasses.replace(CLAIMS["C1"], rule="majority"), 0.0, 0.1)


def test_entry_holds_what_results_json_needs():
    found = entry("C1", 0.026, 0.018, 0.034)
    assert found == json.loads(json.dumps(found))
    assert (
        found.items()
        >= {
            "id": "C1",
            "claim": CLAIMS["C1"].statement,
            "metric": "roc_auc",
            "effect": 0.026,
            "interval": [0.018, 0.034],
            "verdict": "supported",
            "n_tracks": 540,
            "n_artists": 90,
            "seeds": 1,
            "rule": "superiority",
            "margin": 0.0,
            "paper": None,
        }.items()
    )


def test_entry_keeps_the_effect_of_each_seed():
    several = dataclasses.replace(difference(0.02, 0.01, 0.03), by_seed=(np.float64(0.03), np.float64(0.01)))
    assert assess("C1", several, n_tracks=540, n_artists=90, seeds=2)["by_seed"] == [0.03, 0.01]
    assert entry("C1", 0.026, 0.018, 0.034)["by_seed"] == []


def test_single_trainings_that_disagree_are_named_in_the_sentence():
    def told(claim, *by_seed):
        several = dataclasses.replace(difference(-0.004, -0.009, 0.001), by_seed=by_seed)
        return sentence(assess(claim, several, n_tracks=540, n_artists=90, seeds=len(by_seed)))

    assert told("C3", 0.0036, -0.0034, -0.0128).endswith("3 seeds). Single trainings disagree: +0.004, −0.003, −0.013.")
    assert told("C3", -0.001, -0.007).endswith("2 seeds).")
    assert "disagree" in told("C5", -0.006, -0.002) and "disagree" not in told("C5", -0.004, 0.004)  # its border is -0.005
    assert "disagree" in told("C6", 0.004, 0.006) and "disagree" not in told("C6", -0.004, 0.004)


def test_entry_turns_numpy_numbers_into_plain_ones():
    values = (np.float64(0.026), np.float64(0.018), np.float64(0.034))
    found = assess("C1", difference(*values), np.int64(540), np.int64(90), np.int64(1))
    assert found == entry("C1", 0.026, 0.018, 0.034)
    json.dumps(found)


def test_bad_entries_are_refused():
    good = difference(0.01, 0.0, 0.02)
    with pytest.raises(ValueError, match="claim 'C8' is unknown; choose one of C1, C2, C3, C4, C5, C6, C7"):
        assess("C8", good, 1, 1, 1)
    with pytest.raises(ValueError, match="C5 is judged by roc_auc, not pr_auc"):
        assess("C5", difference(0.01, 0.0, 0.02, "pr_auc"), 1, 1, 1)
    with pytest.raises(ValueError, match="C1: the effect is nan"):
        assess("C1", difference(math.nan, 0.0, 0.02), 1, 1, 1)
    with pytest.raises(ValueError, match="C1: n_artists is 0"):
        assess("C1", good, 10, 0, 1)
    with pytest.raises(ValueError, match="C1: seeds is 0"):
        assess("C1", good, 10, 5, 0)


SENTENCES = {
    ("C1", 0.026, 0.018, 0.034): "Supported: a split that shares artists overstates ROC-AUC by 0.026 "
    "(95% interval 0.018 to 0.034; 540 tracks of 90 artists, 1 seed).",
    ("C1", -0.01, -0.018, -0.004): "Contradicted: a split that shares artists understates ROC-AUC; the difference is "
    "−0.010 (95% interval −0.018 to −0.004; 540 tracks of 90 artists, 1 seed).",
    ("C1", 0.006, -0.004, 0.016): "Inconclusive: a split that shares artists may or may not overstate the score; the "
    "estimated difference is +0.006 ROC-AUC (95% interval −0.004 to 0.016; 540 tracks of 90 artists, 1 seed).",
    ("C2", 0.026, 0.018, 0.034): "Supported: the Transformer beats the CNN and recurrent baselines in ROC-AUC by "
    "0.026 (95% interval 0.018 to 0.034; 540 tracks of 90 artists, 1 seed).",
    ("C5", -0.002, -0.004, 0.001): "Supported: the smaller student (KD) does at least as well as the equal one (KE) "
    "up to 0.005 ROC-AUC; the difference is −0.002 (95% interval −0.004 to 0.001; 540 tracks of 90 artists, 1 seed).",
    ("C6", 0.012, 0.008, 0.016): "Contradicted: a further iteration changes ROC-AUC by more than 0.005; the change is "
    "+0.012 (95% interval 0.008 to 0.016; 540 tracks of 90 artists, 1 seed).",
    ("C7", -0.012, -0.016, -0.008): "Contradicted: with longer input the Transformer keeps less than the pure CNN; the "
    "difference is −0.012 ROC-AUC per doubling of the length (95% interval −0.016 to −0.008; "
    "540 tracks of 90 artists, 1 seed).",
}


@pytest.mark.parametrize("figures", SENTENCES)
def test_sentences(figures):
    assert sentence(entry(*figures)) == SENTENCES[figures]


@pytest.mark.parametrize("claim", list(CLAIMS))
@pytest.mark.parametrize(("effect", "lo", "hi"), [(0.03, 0.02, 0.04), (-0.03, -0.04, -0.02), (0.0, -0.04, 0.04)])
def test_every_sentence_states_verdict_effect_interval_and_size_of_the_test(claim, effect, lo, hi):
    found = entry(claim, effect, lo, hi)
    text = sentence(json.loads(json.dumps(found)))
    assert text.startswith(f"{found['verdict'].capitalize()}: ")
    assert f"{abs(effect):.3f}" in text and "540 tracks of 90 artists, 1 seed)." in text
    assert f"95% interval {lo:.3f} to {hi:.3f}".replace("-", "−") in text
    assert "{" not in text and "None" not in text


def test_the_other_side_can_be_named():
    text = sentence(entry("C2", 0.026, 0.018, 0.034, versus="the short-chunk ResNet"))
    assert text.startswith("Supported: the Transformer beats the short-chunk ResNet in ROC-AUC by 0.026 ")


def test_rounding_never_moves_a_border_across_zero_or_the_margin():
    assert "0.0002 to 0.0340" in sentence(entry("C1", 0.026, 0.0002, 0.034))
    assert "−0.00496 to 0.00200" in sentence(entry("C5", -0.001, -0.00496, 0.002))
    assert "0.000 to 0.034" in sentence(entry("C1", 0.026, 0.0, 0.034))  # a true zero needs no more digits


def test_counts_agree_in_number():
    text = sentence(assess("C4", difference(0.01, 0.004, 0.02), n_tracks=1, n_artists=1, seeds=3))
    assert text.endswith("1 track of 1 artist, 3 seeds).")


def test_a_sentence_refuses_a_verdict_that_its_interval_does_not_give():
    forged = {**entry("C1", 0.006, -0.004, 0.016), "verdict": "supported"}
    with pytest.raises(ValueError, match="C1 is entered as supported but its interval from -0.004 to 0.016"):
        sentence(forged)
