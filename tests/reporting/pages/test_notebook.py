"""Executed notebook to page: what is kept, what is dropped, what is escaped, and how formulas are told from prices."""

from __future__ import annotations

import logging

import nbformat
import pandas as pd
import pytest
from bs4 import BeautifulSoup

from mtt.files import MttError
from mtt.reporting.pages import notebook as page_of_notebook
from mtt.reporting.pages.frame import Page, provenance_rows
from mtt.reporting.pages.notebook import render_notebook
from mtt.reporting.pages.table import shown
from tests.reporting.conftest import code


@pytest.fixture
def soup(notebook, pages, study, tmp_path) -> BeautifulSoup:
    return rendered(notebook, pages, study, tmp_path)


def rendered(notebook, pages, study, folder, slug="04_noisy_student") -> BeautifulSoup:
    nbformat.write(notebook, folder / "executed.ipynb")
    out = render_notebook(folder / "executed.ipynb", folder / f"{slug}.html", pages, study)
    return BeautifulSoup(out.read_text(encoding="utf-8"), "html.parser")


def markdown(source, pages, folder) -> BeautifulSoup:
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_markdown_cell(source)])
    return rendered(notebook, pages, {}, folder).find(class_="prose")


def test_the_page_has_one_title_landmarks_and_a_language(soup):
    assert soup.html["lang"] == "en"
    assert [h.text for h in soup.find_all("h1")] == ["Noisy student"]
    assert soup.title.text == "4 · Noisy student – Music Tagging Transformer study"
    assert len(soup.find_all("main")) == 1 and soup.body.find("a")["href"] == "#main"
    assert all(nav.get("aria-label") or nav.get("aria-labelledby") for nav in soup.find_all("nav"))


def test_the_policy_allows_nothing_but_what_is_inside(soup):
    policy = soup.find("meta", attrs={"http-equiv": "Content-Security-Policy"})["content"]
    directives = dict(part.strip().split(" ", 1) for part in policy.split(";"))
    assert directives["default-src"] == "'none'"
    sources = {source for value in directives.values() for source in value.split()}
    assert sources == {"'none'", "'unsafe-inline'", "data:", "blob:"}


def test_contents_and_navigation_name_headings_and_pages(soup, pages):
    links = soup.select("nav.contents a")
    assert [link.text for link in links] == ["How it works", "Results"]
    assert [soup.find(id=link["href"][1:]).name for link in links] == ["h2", "h2"]
    links = soup.select("header.site nav a")
    assert [link["href"] for link in links] == ["index.html", *(f"{page.slug}.html" for page in pages), "explorer.html"]
    assert [link["href"] for link in links if link.get("aria-current") == "page"] == ["04_noisy_student.html"]


def test_question_and_opening_come_before_the_contents(soup, pages):
    assert soup.main.get_text().count(pages[3].question) == 1 and soup.find(class_="lede").text == pages[3].question
    first, contents, section = soup.find("blockquote"), soup.select_one("nav.contents"), soup.select_one(".cell h2")
    places = [list(soup.main.find_all(True)).index(one) for one in (first, contents, section)]
    assert "scores higher" in first.text and places == sorted(places)


def test_code_that_gives_nothing_is_folded_with_the_next(pages, tmp_path):
    cells = [nbformat.v4.new_code_cell("a = 1"), code("show(a)", {"text/plain": "one"}), nbformat.v4.new_code_cell("b = 2")]
    folds = rendered(nbformat.v4.new_notebook(cells=cells), pages, {}, tmp_path).select("details.code")
    assert [fold.get_text().split("</>")[1].split() for fold in folds] == [["a", "=", "1", "show(a)"], ["b", "=", "2"]]


def test_code_is_folded_and_noise_is_gone(soup):
    folds = soup.select("details.code")
    assert len(folds) == 5 and not any(fold.has_attr("open") for fold in folds)
    text = soup.get_text()
    assert "WARNING noise" not in text and "10%|" not in text and "0/10" not in text
    assert [pre.get_text() for pre in soup.select(".output pre")] == ["done\n"]
    assert text.count("A control stands here in JupyterLab") == 1


def test_tables_name_rows_and_columns_and_numbers_stand_right(soup):
    table = soup.select_one(".output > .table-box > table")
    assert [[cell.text for cell in row.find_all(["th", "td"])] for row in table.find_all("tr")] == [
        ["model", "interval", "tracks", "trained, s"],
        ["KE student", "0.932 [0.921, 0.941]", "1,234", "–"],
        ["teacher", "0.930 [0.919, 0.940]", "34", "2.500"],
    ]
    assert [th["scope"] for th in table.find_all("th")] == ["col"] * 4 + ["row"] * 2
    assert all(("num" in cell.get("class", ())) == (place % 4 > 0) for place, cell in enumerate(table.find_all(["th", "td"])))
    assert table.find(class_="interval").text == "[0.921, 0.941]"


def test_columns_of_words_stand_left_and_no_header_is_empty(hostile):
    frame = pd.DataFrame({"a": ["1", "x"], "b": [-2.5, 3], "c": ["4 min 12 s", "9 s"], hostile: [hostile, "0"]}, index=["first", "second"])
    table = BeautifulSoup(shown(frame, digits=1, caption="All"), "html.parser")
    assert [th.text for th in table.select("th")] == ["a", "b", "c", hostile, "first", "second"] and table.caption.text == "All"
    assert [cell.text for cell in table.select("td.num")] == ["−2.5", "4 min 12 s", "3.0", "9 s"]
    assert table.select("td")[4].text == hostile and table.find("script") is None
    counted = BeautifulSoup(shown(frame.reset_index(drop=True)), "html.parser")
    assert [row.th.text for row in counted.select("tbody tr")] == ["1", "x"]
    assert [th.text for th in BeautifulSoup(shown(frame[["a"]].head(0)), "html.parser").select("th")] == ["a"]


def test_formulas_become_mathml_and_code_does_not(soup):
    prose = soup.select(".cell.prose")[1]
    formulas = prose.find_all("math")
    assert [math["display"] for math in formulas] == ["inline", "block", "inline"]
    assert formulas[0]["alttext"] == r"\tilde y = \sigma(f_\theta(x))"
    assert [code.text for code in prose.select("p code")] == ["$HOME", "$x$"] and prose.pre.get_text() == 'price = "$x$"\n'
    assert [image["alt"] for image in soup.find_all("img")] == ["Two bars", 'A "bar"']


def test_markdown_made_by_code_cannot_carry_html(soup, hostile):
    shown = soup.select(".output .prose")[0]
    assert shown.strong.text == hostile and shown.find(["script", "img"]) is None
    assert shown.math is None and "$n=3$" in shown.text  # a dollar of others is a dollar


def test_hostile_titles_and_provenance_are_escaped(notebook, hostile, tmp_path):
    pages = [Page(1, "one", f"Title {hostile}", f"Why {hostile}?")]
    soup = rendered(notebook, pages, {"collection": hostile, hostile: hostile, "versions": {hostile: 1}}, tmp_path, "one")
    assert soup.h1.text == f"Title {hostile}" and soup.find(class_="lede").text == f"Why {hostile}?"
    assert not soup.find_all(onload=True) and not soup.find_all("img", onerror=True)
    assert [script for script in soup.find_all("script") if script.text == "window.hacked=1"] == []
    assert any(definition.text == hostile for definition in soup.find_all("dd"))


def test_an_error_in_the_notebook_is_shown(pages, tmp_path):
    output = nbformat.v4.new_output("error", ename="ValueError", evalue="bad <b>", traceback=["\x1b[31mValueError\x1b[0m: bad <b>"])
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("boom()", outputs=[output])])
    assert "ValueError: bad <b>" in rendered(notebook, pages, {}, tmp_path).find("pre", class_="error").text


def test_a_broken_notebook_is_named(pages, tmp_path):
    (tmp_path / "broken.ipynb").write_text("no notebook")
    with pytest.raises(MttError, match=r"broken\.ipynb: not a notebook"):
        render_notebook(tmp_path / "broken.ipynb", tmp_path / "06_explore.html", pages, {})


def test_the_same_notebook_gives_the_same_bytes(notebook, pages, study, tmp_path):
    nbformat.write(notebook, tmp_path / "executed.ipynb")
    out = tmp_path / "06_explore.html"
    first, second = (render_notebook(tmp_path / "executed.ipynb", out, pages, study).read_bytes() for _ in range(2))
    assert first == second
    assert sorted(path.name for path in tmp_path.iterdir()) == ["06_explore.html", "executed.ipynb"]


def test_a_large_page_is_written_with_a_warning(monkeypatch, caplog, notebook, pages, study, tmp_path):
    nbformat.write(notebook, tmp_path / "executed.ipynb")
    monkeypatch.setattr(page_of_notebook, "MAX_PAGE_BYTES", 1000)
    with caplog.at_level(logging.WARNING):
        out = render_notebook(tmp_path / "executed.ipynb", tmp_path / "06_explore.html", pages, study)
    assert out.stat().st_size > 1000
    assert [record.getMessage().split(",")[0] for record in caplog.records] == [f"06_explore.html: {out.stat().st_size / 1e6:.1f} MB"]


def test_provenance_is_told_without_gaps():
    given = {"profile": "demo", "first_replicate": 3, "replicates": [0, 1], "commit": "", "versions": {"torch": "2.11"}, "seconds": 61}
    assert provenance_rows(given) == [
        ("Profile", "demo"), ("First replicate", "3"), ("Replicates", "0, 1"), ("Versions", "torch 2.11"), ("Time taken", "1 min 01 s"),
    ]  # fmt: skip
