"""The opening page: verdicts counted, effects placed, models compared, gaps named, everything escaped."""

from __future__ import annotations

import json
import math

import pytest
from bs4 import BeautifulSoup

from mtt.reporting.pages.forest import forest_panels, interval, margin_values, number, signed, ticks
from mtt.reporting.pages.index import claim_rows, headline, limits, model_rows, record_table, render_index


def rendered(results, pages, folder, **more) -> BeautifulSoup:
    out = render_index(results, folder / "index.html", pages, **more)
    return BeautifulSoup(out.read_text(encoding="utf-8"), "html.parser")


def test_the_headline_counts_the_verdicts(results):
    text = headline(claim_rows(results["claims"])).replace("\xa0", " ")
    assert text == "Of 7 claims, 5 supported, 1 contradicted, 1 inconclusive in this run."
    text = headline(claim_rows(results["claims"][:3])).replace("\xa0", " ")
    assert text == "Of 7 claims, 2 supported, 1 inconclusive, 4 not tested in this run."
    assert headline(claim_rows(None)) == "None of 7 claims was tested in this run."


def test_every_claim_is_shown_with_its_verdict_and_the_papers_figure(results, pages, tmp_path):
    soup = rendered(results, pages, tmp_path)
    claims = soup.select("article.claim")
    assert [claim.find(class_="verdict").text for claim in claims] == [entry["verdict"] for entry in results["claims"]]
    assert "Transformer .8916, Short-chunk ResNet .8898." in claims[1].text
    assert "The student is worse here." in claims[3].text
    assert "non-inferiority, margin −0.005" in claims[4].text and "margin ±0.005" in claims[5].text


def test_the_plot_has_words_for_those_who_cannot_see_it(results, pages, tmp_path):
    soup = rendered(results, pages, tmp_path)
    svg = soup.find("svg", class_="forest")
    for target in svg["aria-labelledby"].split():
        assert svg.find(id=target) is not None
    assert "C4, student beats its teacher: −0.0051 [−0.0093, −0.0011], contradicted." in svg.desc.text
    rows = soup.select("details.numbers tbody tr")
    assert [row.find_all("td")[1].text for row in rows] == [signed(entry["effect"]) for entry in results["claims"]]


def test_marks_stand_where_their_numbers_say(results):
    (panel,) = forest_panels(claim_rows(results["claims"]))
    low, high = -0.0093, 0.034  # the outermost numbers span the plot between its sides of 4 per cent
    for row, entry in zip(panel["rows"], results["claims"], strict=True):
        assert row["x"] == pytest.approx(4 + 92 * (entry["effect"] - low) / (high - low), abs=0.01)
        assert row["low"] <= row["x"] <= row["high"]
    rows = {row["id"]: row for row in panel["rows"]}
    zero = next(tick["x"] for tick in panel["ticks"] if tick["text"] == "0")
    assert [len(rows[name]["margins"]) for name in ("C4", "C5", "C6")] == [0, 1, 2]
    assert rows["C5"]["margins"][0] == rows["C6"]["margins"][0] < zero
    assert rows["C6"]["margins"][1] - zero == pytest.approx(zero - rows["C6"]["margins"][0], abs=0.02)


def test_different_metrics_do_not_share_an_axis(results):
    results["claims"][0]["metric"] = "pr_auc"
    panels = forest_panels(claim_rows(results["claims"]))
    assert [(panel["axis"], len(panel["rows"])) for panel in panels] == [
        ("difference in PR-AUC", 1), ("difference in ROC-AUC", 6),
    ]  # fmt: skip


def test_margins_are_borders_as_the_rules_have_them():
    assert margin_values("superiority", 0.0) == []
    assert margin_values("non-inferiority", -0.005) == [-0.005]
    assert margin_values("equivalence", 0.005) == [-0.005, 0.005]
    assert margin_values("superiority", None) == margin_values(None, "x") == []


@pytest.mark.parametrize(("low", "high"), [(-0.0093, 0.034), (0.0, 1e-6), (-1.0, 0.0), (-3e-4, 8e-4), (-17.0, 90.0)])
def test_ticks_are_round_few_and_inside(low, high):
    marks = ticks(low, high)
    assert 2 <= len(marks) <= 6 and 0.0 in marks
    assert all(low - 1e-12 <= mark <= high + 1e-12 for mark in marks)
    steps = {round(b - a, 12) for a, b in zip(marks, marks[1:], strict=False)}
    assert len(steps) == 1 and f"{steps.pop():e}"[0] in "125"


def test_numbers_that_are_none():
    assert [number(value) for value in (1, 0.5, True, "1", None, math.nan, math.inf)] == [1, 0.5] + [None] * 5
    assert interval([0.2, 0.1]) == (0.1, 0.2)
    assert interval([0.1, None]) is interval([1]) is interval("ab") is interval(None) is None
    assert [signed(value) for value in (0.0123, -0.0123, 0.0, -0.00001)] == ["+0.0123", "−0.0123", "0.0000", "0.0000"]


def test_models_are_ranked_and_only_a_clear_winner_is_bold(results, pages, tmp_path):
    assert [model["name"] for model in model_rows(results["models"])] == ["KE student", "teacher", "hand-made features"]
    soup = rendered(results, pages, tmp_path)
    assert [bold.text for bold in soup.select("section[aria-labelledby=models] b")] == ["0.945"]
    results["models"][1]["roc_auc_interval"] = [0.935, 0.95]  # touches the teacher's
    assert rendered(results, pages, tmp_path).select("section[aria-labelledby=models] b") == []


def test_a_model_without_numbers_is_still_listed():
    (row,) = model_rows([{"name": "x", "roc_auc": None}, {"parameters": 3}, "no record"])
    assert (row["name"], row["parameters"], row["seconds"], row["roc_auc"]["value"]) == ("x", "–", "–", None)


def test_cards_link_to_the_pages_that_exist(results, pages, tmp_path):
    for page in pages[:2]:
        (tmp_path / f"{page.slug}.html").write_text("x")
    soup = rendered(results, pages, tmp_path, findings={"01_data_exploration": "There are 26 tags."})
    cards = soup.select(".cards li")
    assert [card.a["href"] for card in cards if card.a] == [f"{page.slug}.html" for page in pages[:2]]
    assert "There are 26 tags." in cards[0].text and "Not part of this run." not in cards[0].text
    assert all("Not part of this run." in card.text for card in cards[2:])


def test_lengths_are_shown_as_a_table(results, pages, tmp_path):
    section = rendered(results, pages, tmp_path).find("section", attrs={"aria-labelledby": "lengths"})
    rows = [[cell.text for cell in row.find_all(["th", "td"])] for row in section.find_all("tr")]
    assert rows == [["model", "5 s", "30 s"], ["teacher", "0.9300", "0.9400"], ["fcn", "0.9100", "–"]]
    assert record_table({"a": {"x": [0.1, 0.2]}, "b": {"x": None}}, "T", "t")["rows"] == [
        ["a", "[0.1000, 0.2000]"],
        ["b", "–"],
    ]
    assert record_table("text", "T", "t") is record_table([], "T", "t") is record_table(None, "T", "t") is None


def test_explanations_are_told_of_the_student_first_and_shown_of_all(results, pages, tmp_path):
    section = rendered(results, pages, tmp_path).find("section", attrs={"aria-labelledby": "attends"})
    said = [paragraph.text for paragraph in section.find_all("p")]
    assert said == ["The tag curve of the student points.", "The CLS attention of the student does not.", "Without them the student loses."]
    assert "The tag curve of the short-chunk-resnet points." in section.details.text and "Rollout." not in section.text
    tables = [[[cell.text for cell in row.find_all(["th", "td"])] for row in table.find_all("tr")] for table in section.find_all("table")]
    assert tables[0][0] == ["model", "tag curve", "CLS attention", "attention rollout"]
    assert tables[0][2:] == [
        ["student", "0.740 [0.710, 0.770]", "0.500 [0.480, 0.520]", "0.500"],
        ["short-chunk-resnet", "0.690 [0.660, 0.720]", "–", "–"],
    ]
    row = ["student", "+0.0310 [+0.0200, +0.0400]", "+0.0120 [+0.0020, +0.0220]", "−0.0010 [−0.0040, +0.0020]"]
    assert tables[1][2] == row
    assert [f"over {count} test artists" in table.caption.text for count, table in zip((40, 41), section.find_all("table"), strict=True)]


def test_explanations_that_are_partial_or_missing_leave_a_page(results, pages, tmp_path):
    results["explanations"] = [entry for entry in results["explanations"] if entry["test"] == "deletion"]  # no timeline
    section = rendered(results, pages, tmp_path).find("section", attrs={"aria-labelledby": "attends"})
    assert len(section.find_all("table")) == 1 and len(section.find_all("p")) == 1
    for partial in ([], [{"model": "x"}], [{"model": "x", "effect": math.nan}]):
        results["explanations"] = partial
        assert rendered(results, pages, tmp_path).find("section", attrs={"aria-labelledby": "attends"}) is None
    results["explanations"] = [{"model": "x", "test": "deletion", "effect": 0.1, "drops": 3}, {"model": "y", "effect": 0.2}]
    section = rendered(results, pages, tmp_path).find("section", attrs={"aria-labelledby": "attends"})
    assert [cell.text for cell in section.find_all("td")] == ["–", "+0.1000", "–"]


def test_limits_say_what_the_run_was(study, results):
    claims = claim_rows(results["claims"])
    text = " ".join(limits(study, claims))
    assert "synthetic" in text and "2 seeds" in text and "testing 7 claims" in text
    text = " ".join(limits({"collection": "msd:X", "seeds": [0]}, claims[:1]))
    assert "msd:X" in text and "One seed" in text and "not corrected" not in text


def test_earlier_settings_are_told_of_where_they_were_tested_on_the_same_tracks():
    told = {"profile": "demo", "collection": "synthetic", "seeds": [0]}
    assert "earlier settings were" in " ".join(limits(told, []))
    for other in ({"corpus_seed": 1}, {"profile": "smoke"}, {"collection": "mine"}):
        assert "earlier settings were" not in " ".join(limits({**told, **other}, []))


def test_a_note_follows_the_sentence_of_its_claim(results, pages, tmp_path):
    results["claims"][3]["note"] = "Yet a control does better."
    said = [claim.p.text for claim in rendered(results, pages, tmp_path).select("article.claim")]
    assert said[3].endswith(" Yet a control does better.") and "control" not in "".join(said[:3] + said[4:])


def test_a_run_of_one_seed_says_so_beside_its_bars(study, results, pages, tmp_path):
    for seeds, warned in (([0], True), ([0, 1], False)):
        index = render_index({**results, "study": {**study, "seeds": seeds}}, tmp_path / "index.html", pages)
        assert ("Every model was trained once" in index.read_text()) == warned


def test_the_single_trainings_are_drawn_and_those_that_disagree_are_named(study, results, pages, tmp_path):
    assert not rendered(results, pages, tmp_path).select(".seed")
    for claim in results["claims"]:
        claim["by_seed"] = {"C1": [0.02, 0.03], "C3": [-0.001, 0.004], "C5": [-0.006, -0.001]}.get(claim["id"], [])
    soup = rendered(results, pages, tmp_path)
    assert len(soup.select("svg.forest .seed")) == 6 and "Every model was trained 2 times" in soup.text
    (row,) = [row for row in soup.select(".numbers tbody tr") if row.th.text.startswith("C3")]
    assert "−0.0010, +0.0040" in [cell.text for cell in row.find_all("td")]
    text = " ".join(limits(study, claim_rows(results["claims"])))
    assert "C3, C5: single trainings fall on both sides" in text  # C5's margin is -0.005


@pytest.mark.parametrize(
    "results",
    [
        {},
        {"study": None, "claims": None, "models": None, "lengths": None, "explanations": None, "findings": None},
        {"study": [], "claims": {}, "models": {"a": 1}, "lengths": [1, 2], "explanations": {"a": 1}},
        {"claims": [{}, {"id": "C1"}, {"id": "C2", "effect": math.nan, "interval": [None, 1], "verdict": None}, 3]},
        {"claims": [{"id": "C9", "effect": 0.0, "interval": [0.0, 0.0], "verdict": "strange", "paper": {"roc_auc": 0.9}}]},
        {"claims": [{"id": "C1", "claim": 5, "metric": 3, "effect": 1, "seeds": [0, 1], "margin": "x", "rule": 2}]},
        {"models": [{"name": 3, "roc_auc": "high", "roc_auc_interval": 3, "seconds": math.inf, "parameters": 1.5}]},
    ],
)
def test_partial_results_never_break_the_page(results, pages, tmp_path):
    soup = rendered(results, pages, tmp_path)
    assert len(soup.select("article.claim")) >= 7
    assert "None" not in soup.main.get_text().replace("None of 7", "").replace("None of 8", "")


def test_hostile_results_stay_text(results, pages, hostile, tmp_path):
    def poisoned(value):
        if isinstance(value, dict):
            return {key: poisoned(item) for key, item in value.items()} | {hostile: hostile}
        if isinstance(value, list):
            return [poisoned(item) for item in value]
        return hostile if isinstance(value, str) and not value.startswith("C") else value

    results = json.loads(json.dumps(poisoned(results)))
    soup = rendered(results, pages, tmp_path, findings={page.slug: hostile for page in pages})
    assert soup.find("script") is None and soup.find("img") is None
    assert not soup.find_all(onload=True) and hostile in soup.text
