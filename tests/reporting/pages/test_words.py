"""What pages say follows from the numbers."""

import json

import pytest

from mtt.findings.claims import CLAIMS
from mtt.reporting.pages import words
from mtt.study.recipes import LINEUP
from tests.reporting.conftest import claim_entry as entry

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
    assert words.claim(entry(*figures)) == SENTENCES[figures]


@pytest.mark.parametrize("claim", list(CLAIMS))
@pytest.mark.parametrize(("effect", "lo", "hi"), [(0.03, 0.02, 0.04), (-0.03, -0.04, -0.02), (0.0, -0.04, 0.04)])
def test_every_sentence_states_verdict_effect_interval_and_size_of_the_test(claim, effect, lo, hi):
    found = entry(claim, effect, lo, hi)
    text = words.claim(json.loads(json.dumps(found)))
    assert text.startswith(f"{found['verdict'].capitalize()}: ")
    assert f"{abs(effect):.3f}" in text and "540 tracks of 90 artists, 1 seed)." in text
    assert f"95% interval {lo:.3f} to {hi:.3f}".replace("-", "−") in text
    assert "{" not in text and "None" not in text


def test_the_other_side_and_the_counts_are_named():
    text = words.claim(entry("C2", 0.026, 0.018, 0.034, versus="the short-chunk ResNet", tracks=1, artists=1, seeds=3))
    assert text.startswith("Supported: the Transformer beats the short-chunk ResNet in ROC-AUC by 0.026 ")
    assert text.endswith("1 track of 1 artist, 3 seeds).")


def test_rounding_never_moves_a_border_across_zero_or_the_margin():
    assert "0.0002 to 0.0340" in words.claim(entry("C1", 0.026, 0.0002, 0.034))
    assert "−0.00496 to 0.00200" in words.claim(entry("C5", -0.001, -0.00496, 0.002))
    assert "0.000 to 0.034" in words.claim(entry("C1", 0.026, 0.0, 0.034))  # a true zero needs no more digits


def test_single_trainings_that_disagree_are_named():
    told = words.claim(entry("C3", -0.004, -0.009, 0.001, by_seed=[0.0036, -0.0034, -0.0128], seeds=3))
    assert told.endswith("3 seeds). Single trainings disagree: +0.004, −0.003, −0.013.")
    assert words.claim(entry("C3", -0.004, -0.009, 0.001, by_seed=[-0.001, -0.007], seeds=2)).endswith("2 seeds).")


LOWER, UNSURE, HIGHER = [-0.017, -0.020, -0.014], [0.001, -0.002, 0.004], [0.009, 0.007, 0.011]


@pytest.mark.parametrize(
    ("found", "said"),
    [
        ((LOWER, UNSURE, LOWER), "So it is not shown that the pseudo-labels, the new audio or the noise help here."),
        ((LOWER, HIGHER, UNSURE), "So the new audio helps here; it is not shown that the pseudo-labels or the noise help."),
        ((HIGHER, HIGHER, HIGHER), "So the pseudo-labels, the new audio and the noise help here."),
    ],
)
def test_controls_say_what_the_student_owes_to_what(found, said):
    controls = [name for name, known in LINEUP.items() if known.kind == "control"]
    beside = {"controls": dict(zip(controls, found, strict=True))}
    text = words.note(entry("C4", *HIGHER, beside=beside))
    assert text.endswith(said) and "below the 0.005" not in text
    assert words.note(entry("C4", 0.0038, 0.002, 0.005, beside=beside)).startswith(
        "The difference is below the 0.005 that C6 calls little."
    )
    if found[0] is LOWER:
        assert "−0.017 [−0.020, −0.014] (as many steps and clips as a student, all of them labelled)" in text


def test_notes_quote_what_stands_beside_a_verdict():
    assert "in a split of random tracks 52% of the test tracks" in words.note(
        entry("C1", *HIGHER, beside={"leaked_share": 0.523, "arms": {}})
    )
    slopes = {"teacher": [-0.004, -0.005, -0.003], "fcn": [0.0, -0.001, 0.001]}
    assert words.note(entry("C7", *HIGHER, beside={"slopes": slopes})) == (
        "Change per doubling of the length: teacher −0.0040 [−0.0050, −0.0030], fcn 0.0000 [−0.0010, +0.0010]."
    )
    short = words.note(entry("C2", *HIGHER, beside={"others": {"fcn": LOWER}, "one_step": {"models": ["crnn", "fcn"], "clip": 2.0}}))
    assert short.startswith(
        "Against the other baselines the difference is −0.017 [−0.020, −0.014] (fcn). After their convolutions crnn and fcn have a single"
    )
    assert "recurrence then has nothing to follow" in short
    assert words.note(entry("C2", *HIGHER, beside={"others": {}, "one_step": {"models": [], "clip": 2.0}})) == ""


def test_the_opening_page_counts_verdicts():
    found = [entry("C1", *HIGHER), entry("C3", *UNSURE), entry("C4", *LOWER)]
    assert words.headline(found) == "Of 7 claims, 1\u00a0supported, 1\u00a0contradicted, 1\u00a0inconclusive, 4 not tested in this run."
    assert words.headline([]) == "None of 7 claims was tested in this run."


def test_limits_say_what_the_run_was():
    study, found = {"collection": "synthetic", "profile": "demo", "seeds": [0, 1]}, [entry("C1", *HIGHER), entry("C3", *UNSURE)]
    text = " ".join(words.limits(study, found))
    assert "The music is synthetic" in text and "averaged over 2 seeds" in text and "not corrected for testing 2 claims" in text
    other = " ".join(words.limits({"collection": "msd:X", "profile": "demo", "seeds": [0]}, found[:1]))
    assert "The collection is msd:X." in other and "One seed" in other and "corrected" not in other
    for changes in ({}, {"corpus_seed": 1}, {"profile": "smoke"}, {"collection": "mine"}):  # earlier settings met the same tracks
        assert ("earlier settings were" in " ".join(words.limits(study | changes, []))) == (not changes)
