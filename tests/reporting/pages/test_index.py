"""The opening page: verdicts counted, effects placed, models compared, gaps named, everything escaped."""

from __future__ import annotations

import numpy as np
from bs4 import BeautifulSoup

from mtt.reporting.numbers import with_interval
from mtt.reporting.pages import tables
from mtt.reporting.pages.index import render_index
from mtt.study.recipes import LINEUP
from tests.reporting.conftest import claim_entry


def rendered(results, pages, folder) -> BeautifulSoup:
    return BeautifulSoup(render_index(results, folder / "index.html", pages).read_text(encoding="utf-8"), "html.parser")


def section(soup, name) -> BeautifulSoup | None:
    return soup.find("section", attrs={"aria-labelledby": name})


def cells(table) -> list[list[str]]:
    return [[cell.text for cell in row.find_all(["th", "td"])] for row in table.find_all("tr")]


def test_every_claim_is_shown_with_its_verdict_and_what_was_published(results, pages, tmp_path):
    results["claims"].pop()
    results["claims"][3]["note"] = "Yet a control does better."
    claims = rendered(results, pages, tmp_path).select("article.claim")
    verdicts = [claim.find(class_="verdict").text for claim in claims]
    assert verdicts == [*(entry["verdict"] for entry in results["claims"]), "not tested in this run"]
    assert "Short-chunk ResNet .8898" in claims[1].text
    assert claims[3].p.text == "What C4 found. Yet a control does better." and claims[2].p.text.strip() == "What C3 found."
    assert "Student minus its teacher; rule: superiority." in claims[3].text
    assert "non-inferiority, margin −0.005" in claims[4].text and "margin ±0.005" in claims[5].text


def test_the_plot_has_words_for_those_who_cannot_see_it(results, pages, tmp_path):
    found = section(rendered(results, pages, tmp_path), "found")
    assert "C4 student beats its teacher: −0.005 [−0.009, −0.001], contradicted" in found.svg["aria-label"]
    numbers = cells(found.table)[1:]
    assert [row[1] for row in numbers] == [with_interval(entry["effect"], *entry["interval"], 4, sign=True) for entry in results["claims"]]


def test_models_are_ranked_and_only_a_clear_winner_is_bold(results, pages, tmp_path):
    models = section(rendered(results, pages, tmp_path), "models")
    assert [bold.text for bold in models.select("b")] == ["0.945 [0.941, 0.949]"] and "Bold: the best" in models.caption.text
    rows = cells(models)
    assert [row[0] for row in rows[1:]] == ["KE student", f"teacher{LINEUP['teacher'].about}", "hand-made features"]
    assert rows[2][1:] == ["0.930 [0.925, 0.935]", "0.843 [0.830, 0.856]", "4,567,732", "5 min 12 s"]
    results["models"][1]["roc_auc_interval"] = [0.935, 0.95]  # touches the teacher's
    models = section(rendered(results, pages, tmp_path), "models")
    assert models.select("b") == [] and "Bold" not in models.caption.text


def test_cards_link_to_the_pages_that_exist(results, pages, tmp_path):
    for page in pages[:2]:
        (tmp_path / f"{page.slug}.html").write_text("x")
    cards = rendered(results, pages, tmp_path).select(".cards li")
    assert [card.a["href"] for card in cards if card.a] == [f"{page.slug}.html" for page in pages[:2]]
    assert "There are 26 tags" in cards[0].text and "C1 supported" in cards[1].text and "Not part of this run." not in cards[0].text
    assert all("Not part of this run." in card.text for card in cards[2:])


def test_lengths_are_shown_as_a_table(results, pages, tmp_path):
    rows = cells(section(rendered(results, pages, tmp_path), "lengths"))
    assert rows == [["model", "5 s", "30 s"], ["teacher", "0.9300", "0.9400"], ["fcn", "0.9100", "–"]]


def test_explanations_are_told_of_the_student_first_and_shown_of_all(results, pages, tmp_path):
    attends = section(rendered(results, pages, tmp_path), "attends")
    said = [paragraph.text for paragraph in attends.find_all("p")]
    assert said == ["localisation of curve of student.", "localisation of attention of student.", "deletion of attention of student."]
    assert "localisation of curve of short-chunk-resnet." in attends.details.text and "rollout of" not in attends.text
    rows = cells(attends.table)
    assert rows[0] == ["model", "tag curve", "CLS attention", "attention rollout", "loss"]
    assert rows[2] == ["student", "0.740 [0.710, 0.770]", "0.500 [0.480, 0.520]", "0.500", "+0.0120 [+0.0020, +0.0220]"]
    assert rows[3] == ["short-chunk-resnet", "0.690 [0.660, 0.720]", "–", "–", "–"]
    assert "over 40 test artists" in attends.caption.text and "over 41 test artists" in attends.caption.text


def test_without_a_timeline_deletion_alone_is_told(results, pages, tmp_path):
    results["explanations"] = [entry for entry in results["explanations"] if entry["test"] == "deletion"]
    attends = section(rendered(results, pages, tmp_path), "attends")
    assert cells(attends.table)[0] == ["model", "loss"] and "instrument" not in attends.caption.text


def test_a_run_of_some_pages_shows_what_it_has(results, pages, tmp_path):
    empty = {name: [] for name in ("claims", "models", "lengths", "explanations")}
    soup = rendered({"study": results["study"], "findings": {}, **empty}, pages, tmp_path)
    assert {claim.find(class_="verdict").text for claim in soup.select("article.claim")} == {"not tested in this run"}
    assert soup.find("table") is None and soup.find("svg") is None


def test_single_trainings_are_told_and_those_that_disagree_are_named(study, results, pages, tmp_path):
    for entry in results["claims"]:
        entry["by_seed"] = {"C1": [0.02, 0.03], "C3": [-0.001, 0.004], "C5": [-0.006, -0.001]}.get(entry["id"], [])
    soup = rendered(results, pages, tmp_path)
    assert "Every model was trained 2 times" in soup.text and cells(soup.table)[3][3] == "−0.0010, +0.0040"
    assert "C3, C5: single trainings fall on both sides" in section(soup, "sure").text  # C5's margin is -0.005
    study["seeds"] = [0]
    assert "Every model was trained once" in rendered(results, pages, tmp_path).text


def test_rows_of_the_plot_carry_margins_and_single_trainings():
    found = {"C1": (0.02, 0.01, 0.03, (0.01, 0.03)), "C5": (0.02, 0.01, 0.03), "C6": (0.001, 0.0, 0.002)}
    rows = tables.claims([claim_entry(name, *one) for name, one in found.items()])
    assert list(rows["by_seed"]) == [[0.01, 0.03], [], []]
    np.testing.assert_array_equal(rows[["margin_low", "margin_high"]], [[np.nan, np.nan], [-0.005, np.nan], [-0.005, 0.005]])
