"""What pages say of claims, and the opening page of the whole, follows from the numbers."""

import pytest

from mtt.findings.claims import CLAIMS
from mtt.reporting.pages import words
from tests.reporting.entries import around, curves, entries, entry, scarcity, trap
from tests.reporting.reading import walls

UP, DOWN, OPEN = around(0.03), around(-0.03), around(0.0005)
SENTENCES = {
    (
        "C1",
        0.026,
    ): "Supported: a split that shares artists overstates, where every test artist was heard, ROC-AUC by 0.026 "
    "(interval 0.022 to 0.030; 5 replicates).",
    (
        "C5",
        -0.001,
    ): "Supported: the smaller student (KD) does at least as well as the equal one (KE) up to 0.005 ROC-AUC; the difference "
    "is −0.0010 (interval −0.0047 to 0.0027; 5 replicates).",
    ("C7", -0.02): "Contradicted: with longer input the Transformer gains less than the ResNet (the strongest baseline on validation); the "
    "difference is −0.020 ROC-AUC per doubling of the length (interval −0.024 to −0.016; 5 replicates).",
}


@pytest.mark.parametrize("figures", SENTENCES)
def test_sentences(figures):
    name, effect = figures
    versus = {"versus": "ResNet (the strongest baseline on validation)"} if name == "C7" else {}
    assert words.claim(entry(name, around(effect), **versus)) == SENTENCES[figures]


@pytest.mark.parametrize("claim", list(CLAIMS))
@pytest.mark.parametrize("values", [UP, DOWN, OPEN, around(0.01, n=1)])
def test_every_sentence_begins_with_its_verdict_and_says_how_sure_it_is(claim, values):
    found = entry(claim, values)
    text = words.claim(found)
    assert text.startswith(f"{found['verdict'].capitalize()}: ") and "{" not in text and "None" not in text
    assert ("no interval; 1 replicate)" if len(values) == 1 else "; 5 replicates)") in text


def test_rounding_never_moves_a_border_across_zero_or_the_margin():
    assert "0.0002 to" in words.claim(entry("C3", [0.004], interval=[0.0002, 0.0078]))
    assert "−0.00496 to" in words.claim(entry("C5", [-0.001], interval=[-0.00496, 0.002]))


def test_what_a_control_explains_is_not_called_supported():
    undone = entry("C4a", UP, controls={"labels alone": OPEN, "permuted pseudo-labels": UP})
    assert words.claim(undone).startswith(
        "Not shown: the noisy student beats its teacher in ROC-AUC by 0.030, but a control does so as well"
    )
    assert words.note(undone) == "The student is ahead of permuted pseudo-labels as well; it is not shown to be ahead of labels alone."


def test_beside_a_reference_a_run_agrees_or_differs_and_judges_nothing():
    same = entry("C4b", around(0.011, n=2), reference=around(0.01))
    assert words.claim(same) == (
        "Agrees on “unlabelled music helps”: 2 of 2 replicates (+0.011 on average) lie where the reference run "
        "(+0.010, supported) expects them."
    )  # fmt: skip
    other = entry("C4b", around(0.05, n=2), reference=around(0.01))
    assert words.claim(other).startswith("Differs on “unlabelled music helps”: 0 of 2 replicates")
    assert words.headline([same, other]) == "1 of 2 effects agree with the reference run."


def test_notes_follow_the_intervals_of_what_stands_beside_a_claim():
    heard = words.note(entry("C1", UP, facts={"heard": {"none": 0.87, "half": 0.88, "all": 0.89}}))
    assert heard.startswith("That is at most: here every test artist was heard. ROC-AUC goes from 0.870")
    others = words.note(entry("C2", UP, beside={"FCN": UP, "CRNN": OPEN, "hand-made": DOWN}))
    assert others == "Beside it, above zero: FCN; not shown to differ from zero: CRNN; below zero: hand-made."
    slopes = words.note(entry("C7", DOWN, beside={"teacher": OPEN, "FCN": UP}))
    assert slopes == "Each for itself, per doubling: teacher is not shown to gain or lose and FCN gains."
    bounded = {"recovered": {"effect": 0.27, "interval": [0.1, 0.45]}}
    assert "that is 27% [10, 45]." in words.note(entry("C4b", UP, facts=bounded))
    assert "is not known: its interval is unbounded" in words.note(entry("C4b", UP, facts={"recovered": {"effect": 3.1, "interval": None}}))
    assert words.note(entry("C6", OPEN)) == "" == words.note(entry("C3", OPEN))


@pytest.mark.parametrize(
    ("values", "controls", "says"),
    [
        (UP, {}, "Yes, here unlabelled music helps:"),
        (UP, {"permuted pseudo-labels": OPEN}, "It is not shown that unlabelled music helps here:"),
        (OPEN, {}, "It is open whether unlabelled music helps here:"),
        (DOWN, {}, "No, here unlabelled music does harm:"),
        (around(0.01, n=1), {}, "It is open whether"),
    ],
)
def test_the_answer_is_that_of_the_headline(values, controls, says):
    first, sure = words.answer([entry("C4b", values, controls=controls)], {})
    assert first.startswith(says)
    ahead = f"How sure: it is ahead in {sum(values > 0)} of 5 repetitions of the whole experiment, by"
    assert sure.startswith(ahead if len(values) > 1 else "How sure: a single run of the experiment says nothing of others.")


def test_when_it_helps_follows_the_curve():
    found, known = entries(), curves()
    _, when, sure = words.answer(found, known)
    assert when.startswith("The fewer labels, the more it adds: +0.034 with 12 labelled artists, +0.005 with 192.")
    assert when.endswith("At best it replaces the labels of about 6 artists.") and sure.endswith("(interval +0.005 to +0.013).")
    flat = [row | {"gain": known["scarcity"][-1]["gain"]} for row in scarcity()]
    assert "is not shown to depend on how many labels there are" in words.answer(found, {"scarcity": flat})[1]
    ends = [row | {"converged": 12 < row["artists"] < 192} for row in known["scarcity"]]
    assert words.answer(found, {"scarcity": ends})[1].startswith("The fewer labels, the more it adds: +0.021 with 24 labelled artists, ")
    open_headline = entry("C4b", UP, verdict="not converged")
    assert words.answer([open_headline], {})[0].startswith("It is open whether unlabelled music helps here: longer training may make")
    assert words.claim(open_headline).startswith("Not converged: unlabelled music may or may not help")
    helps, when, sure = words.answer(entries(2, reference=True), known, ["scarcity", "trap"])
    assert helps.startswith("Yes, in the reference run") and helps.endswith("; this run agrees.")
    assert "more it adds in the reference run:" in when and "in 5 of 5 repetitions of the whole experiment there" in sure
    assert sure.endswith("and in 2 of 2 here.") and words.answer(found[:1], known) == []


def test_where_verdict_and_interval_are_shown_the_sentence_does_without():
    assert words.short(entry("C3", OPEN)) == "Data augmentation may or may not improve the teacher."
    assert words.short(entry("C3", UP)) == "Data augmentation raises the teacher's ROC-AUC by 0.030."
    assert words.short(entry("C3", around(0.011, n=2), reference=around(0.01))).startswith("2 of 2 replicates (+0.011 on average) lie")


def test_the_trap_is_told_by_its_intervals():
    text = words.trap(trap(), own=True)
    assert "stopped at 8% of its exposure beats that teacher (+0.071), but falls short of the teacher that was trained to the end" in text
    assert words.trap(trap(), own=False).endswith("These are the reference run’s numbers.")


def test_the_opening_page_counts_verdicts():
    found = [entry("C1", UP), entry("C3", OPEN), entry("C4a", UP, controls={"labels alone": OPEN})]
    told = "Of 8 claims, 1\u00a0supported, 1\u00a0inconclusive, 1\u00a0not shown, 5 not tested in this run."
    assert words.headline(found) == told
    assert words.headline([]) == "None of 8 claims was tested in this run."


def test_limits_say_what_the_run_was(monkeypatch):
    study = {"collection": "synthetic", "profile": "full", "replicates": [100, 101, 102, 103, 104]}
    text = " ".join(words.limits(study, entries()))
    assert "composed by a program, not recorded" in text and "numbered from 900" in text and "This run has 5." in text
    assert "decide little" not in text and "not corrected for testing 8 claims" in text
    monkeypatch.setattr(words, "CHANGES", "One rule changed.")  # stands where the promise stands
    assert any("appear in no result" in one and one.endswith("One rule changed.") for one in words.limits(study, []))
    few = study | {"collection": "mine.csv", "replicates": [100, 101]}
    other = " ".join(words.limits(few, entries(2)))
    assert "The collection is mine.csv." in other and "2 replicates are too few for a verdict" in other
    assert "composed by a program" not in other
    assert "is held against it and gives no verdict" in " ".join(words.limits(study, entries(2, reference=True)))
    assert "This run has one: no interval is bounded." in " ".join(words.limits(study | {"replicates": [100]}, entries(1)))


def test_no_paragraph_quotes_more_than_a_reader_can_hold():
    for found, borrowed in ((entries(), []), (entries(2, reference=True), ["scarcity", "trap"]), (entries(1), [])):
        study = {"collection": "synthetic", "profile": "full", "replicates": [100] * found[0]["replicates"]}
        texts = [*words.answer(found, curves(), borrowed), *map(words.claim, found), *map(words.note, found), *words.limits(study, found)]
        texts += [words.trap(trap(), own=True), words.scarcity(own=False), words.headline(found)]
        assert walls("".join(f"<p>{text}</p>" for text in texts)) == []
    assert len(walls("<p>1 2.5 −3 4,000 +5 6</p><p>1 2 3 4 5</p>")) == 1
    assert words.block(["One.", "Two."]) == "> **Finding.** One.\n>\n> Two."


def test_the_student_is_told_against_each_control_by_itself_where_validation_chose_now_one_and_now_the_other():
    both = entry("C4b", UP, beside={"teacher": UP, "labels alone, as long": OPEN, "student that hears the pool clean": UP})
    assert "against each by itself, above zero: teacher; not shown to differ from zero: labels alone, as long." in words.note(both)
    assert "by itself" not in words.note(entry("C4b", UP, beside={"teacher": UP, "student that hears the pool clean": UP}))
