"""The opening page: the answer first, effects placed, models compared, gaps named, short, everything escaped."""

from __future__ import annotations

import pytest
from bs4 import BeautifulSoup

from mtt.reporting.pages import words
from mtt.reporting.pages.index import render_index
from tests.reporting.conftest import explanations
from tests.reporting.entries import curves, entries, entry, results, scarcity
from tests.reporting.reading import walls

DEMO = curves(2) | {"scarcity": scarcity((48,), 2), "trap": []}
CASES = {  # results, and the reference's
    "full": (results(entries(), curves(), sentence=words.claim), {}),
    "demo": (results(entries(2), DEMO, profile="demo", sentence=words.claim), {}),
    "demo beside the reference": (results(entries(2, reference=True), DEMO, profile="demo", sentence=words.claim), {"curves": curves()}),
    "a collection": (results(entries(1)[1:], {}, "mine.csv", sentence=words.claim), {"curves": curves()}),
}


def rendered(case, pages, folder) -> BeautifulSoup:
    found, known = CASES[case] if isinstance(case, str) else case
    return BeautifulSoup(render_index(found, folder / "index.html", pages, known).read_text(encoding="utf-8"), "html.parser")


def section(soup, name) -> BeautifulSoup | None:
    return soup.find("section", attrs={"aria-labelledby": name})


def cells(table) -> list[list[str]]:
    return [[cell.text for cell in row.find_all(["th", "td"])] for row in table.find_all("tr")]


@pytest.mark.parametrize("case", CASES)
def test_the_page_answers_first_and_is_short(case, pages, tmp_path):
    soup = rendered(case, pages, tmp_path)
    assert soup.select_one(".answer").text == words.answer(CASES[case][0]["claims"], {})[0]
    assert bool(soup.select(".badge")) == (case != "a collection")
    for hidden in (section(soup, "appendix"), *soup.main.find_all(["svg", "details"])):
        hidden.extract()
    assert 300 < len(soup.main.text.split()) <= 1100 and "**" not in soup.main.text


@pytest.mark.parametrize("case", CASES)
def test_no_paragraph_is_a_wall_of_numbers(case, pages, tmp_path):
    found, known = CASES[case]
    found["claims"] = [one | {"note": words.note(one)} for one in found["claims"]]
    assert walls(str(rendered((found, known), pages, tmp_path))) == []


def test_every_claim_stands_with_its_verdict_or_with_its_agreement(pages, tmp_path):
    for case in ("full", "demo beside the reference", "a collection"):
        told = {one["id"]: one for one in CASES[case][0]["claims"]}
        for article in rendered(case, pages, tmp_path).select("article.claim"):
            name, stands = article.h3.text.split()[0], article.find(class_="verdict").text
            if name not in told:
                assert stands == "not tested in this run"
            else:
                assert article.p.text == words.short(told[name]) and told[name]["sentence"].lower().startswith(stands)
    assert "8 of 8 effects agree with the reference run." in rendered("demo beside the reference", pages, tmp_path).text


def test_curves_are_the_runs_own_or_said_to_be_the_references(pages, tmp_path):
    own = section(rendered("full", pages, tmp_path), "when")
    assert len(own.find_all("svg")) == 4 and "reference" not in own.text  # each for a desk and for a phone
    borrowed = section(rendered("demo beside the reference", pages, tmp_path), "when")
    assert borrowed.text.count("reference run’s") == 2 and "points this run" in borrowed.svg["aria-label"]
    for case in ("demo", "a collection"):  # composed curves say nothing of recordings
        assert section(rendered(case, pages, tmp_path), "when") is None


def test_the_appendix_has_every_number_what_was_published_and_what_stands_beside(pages, tmp_path):
    found, known = CASES["full"]
    found["claims"][0]["note"] = "That is at most."
    appendix = section(rendered((found, known), pages, tmp_path), "appendix")
    rows = {row[0]: row[1:] for row in cells(appendix.table)}
    assert rows["C5 smaller student is no worse"][0] == "−0.003 [−0.007, +0.001]"
    assert rows["C5 smaller student is no worse"][3:5] == ["inconclusive", "non-inferiority, margin −0.005"]
    assert rows["C4b control: permuted pseudo-labels"][0] == "+0.029 [+0.025, +0.033]"
    assert "Short-chunk ResNet .8898" in appendix.text and "That is at most." in appendix.text


def test_models_are_ranked_and_only_a_clear_winner_is_bold(pages, tmp_path):
    found, known = CASES["full"]
    models = section(rendered((found, known), pages, tmp_path), "models")
    assert [row[0] for row in cells(models)[1:3]] == ["oracleoracle", "generation 2student"]
    assert models.b.text == "0.917 [0.910, 0.924]" and "Bold: the best" in models.caption.text
    assert cells(models)[1][3:] == ["310,000", "16,000", "4 min 00 s"]
    single = section(rendered("a collection", pages, tmp_path), "models")
    assert single.select("b") == [] and cells(single)[1][1] == "0.917"


def test_explanations_are_told_of_the_student(pages, tmp_path):
    found = CASES["full"][0] | {"explanations": explanations()}
    attends = section(rendered((found, {}), pages, tmp_path), "attends")
    said = [paragraph.text for paragraph in attends.find_all("p")]
    assert said == ["localisation of curve of student.", "localisation of attention of student.", "deletion of attention of student."]


def test_a_run_of_some_pages_shows_what_it_has(study, pages, tmp_path):
    empty = {name: [] for name in ("claims", "models", "explanations", "convergence")}
    soup = rendered(({"study": study, "findings": {}, **empty}, {}), pages, tmp_path)
    assert {claim.find(class_="verdict").text for claim in soup.select("article.claim")} == {"not tested in this run"}
    assert section(soup, "models") is None and len(soup.find_all("svg")) == 1 and soup.select(".answer") == []  # the method alone is drawn


def test_what_is_quoted_is_escaped(hostile, pages, tmp_path):
    found = results([entry("C2", [0.01, 0.012, 0.011], versus=hostile)], {})
    found["claims"][0]["note"] = hostile
    assert rendered((found, {}), pages, tmp_path).select("article script, article img, td script") == []
