"""Executed notebook to page: what is kept, what is dropped, what is escaped, and how formulas are told from prices."""

from __future__ import annotations

import logging
import xml.etree.ElementTree as ElementTree

import nbformat
import pytest
from bs4 import BeautifulSoup

from mtt import files
from mtt.reporting.pages import frame
from mtt.reporting.pages.cells import prepare_notebook, read_settings, tidy_tables
from mtt.reporting.pages.formulas import formula
from mtt.reporting.pages.frame import Page, duration, provenance_rows
from mtt.reporting.pages.notebook import render_notebook, render_page


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


def test_nothing_is_loaded_by_address(soup):
    for tag in soup.find_all(src=True):
        assert tag["src"].startswith("data:"), tag.name
    for tag in soup.find_all("link"):
        assert tag["href"].startswith("data:")


def test_contents_list_names_the_headings_in_order(soup):
    links = soup.select("nav.contents a")
    assert [link.text for link in links] == ["How it works", "Half batches", "Results"]
    assert [soup.find(id=link["href"][1:]).name for link in links] == ["h2", "h3", "h2"]
    assert links[1].find_parent("ol").find_parent("li").a.text == "How it works"


def test_equal_headings_get_different_anchors(pages, tmp_path):
    prose = markdown("## Main\n\n## Main\n\n## Main", pages, tmp_path)
    assert [heading["id"] for heading in prose.find_all("h2")] == ["main-2", "main-3", "main-4"]


def test_navigation_marks_the_page_and_leads_on(soup, pages):
    links = soup.select("header.site nav a")
    assert [link["href"] for link in links] == ["index.html", *(f"{page.slug}.html" for page in pages)]
    assert [link["href"] for link in links if link.get("aria-current") == "page"] == ["04_noisy_student.html"]
    assert soup.find(rel="prev")["href"] == "03_teacher_training.html"
    assert soup.find(rel="next")["href"] == "05_input_length_robustness.html"


def test_first_and_last_page_have_no_neighbour_beyond(notebook, pages, study, tmp_path):
    assert rendered(notebook, pages, study, tmp_path, pages[0].slug).find(rel="prev")["href"] == "index.html"
    assert rendered(notebook, pages, study, tmp_path, pages[-1].slug).find(rel="next") is None


def test_the_question_is_asked_once(soup, notebook, pages, study, tmp_path):
    assert soup.find(class_="lede") is None  # the notebook's first cell asks it
    other = rendered(notebook, pages, study, tmp_path, "06_explore")
    assert other.find(class_="lede").text == "What does the model listen to?"


def test_code_is_folded_and_noise_is_gone(soup):
    folds = soup.select("details.code")
    assert len(folds) == 5 and not any(fold.has_attr("open") for fold in folds)
    text = soup.get_text()
    assert "WARNING noise" not in text and "10%|" not in text and "0/10" not in text
    assert [pre.get_text() for pre in soup.select(".output pre")] == ["done\n"]
    assert text.count("An interactive control stands here") == 1


def test_a_control_leads_to_the_explorer_where_there_is_one(notebook, pages, study, tmp_path):
    note = "An interactive control stands here when the notebook runs in JupyterLab"
    without = rendered(notebook, pages, study, tmp_path)
    assert f"{note}." in without.get_text() and without.find(href="explorer.html") is None
    (tmp_path / "explorer.html").write_text("x")
    assert rendered(notebook, pages, study, tmp_path).find("a", href="explorer.html").find_parent("p").get_text().startswith(note)


def test_settings_show_the_values_of_this_run(soup):
    rows = [[cell.get_text(" ", strip=True) for cell in row.find_all(["th", "td"])] for row in soup.select(".settings tr")]
    assert rows == [
        ["setting", "value", "meaning"],
        ["profile", "'demo'", "sizes of everything"],
        ["seed", "7 set for this run", "of all randomness"],
        ["verbose", "False", ""],
    ]


def test_settings_of_a_cell_with_a_magic_are_left_to_the_code():
    assert read_settings("%matplotlib inline\nx = 1") == []
    assert read_settings("a.b = 1\nx, y = 1, 2\nz = -3  # depth: metres") == [("z", "-3", "depth: metres")]


def test_numbers_in_tables_stand_right(soup):
    table = soup.find("table", class_="dataframe")
    assert table.parent["class"] == ["table-box"] and "border" not in table.attrs
    assert [th.text for th in table.select("thead th.num")] == ["ROC-AUC"]
    assert [td.text for td in table.select("td.num")] == ["0.932 [0.921, 0.941]", "0.930 [0.919, 0.940]"]
    assert soup.select("main style") == []


def test_a_column_with_words_is_not_numeric_and_gaps_do_not_matter():
    cells = "".join(f"<tr><th>{i}</th><td>{a}</td><td>{b}</td></tr>" for i, (a, b) in enumerate([("1", "NaN"), ("x", "2.5")]))
    html = f'<table class="dataframe"><thead><tr><th></th><th>a</th><th>b</th></tr></thead><tbody>{cells}</tbody></table>'
    assert [td.text for td in BeautifulSoup(tidy_tables(html), "html.parser").select(".num")] == ["b", "NaN", "2.5"]


def test_a_table_with_a_script_is_left_alone():
    html = '<table class="dataframe"><tr><td>1</td></tr></table><script>if (1 < 2 && true) {}</script>'
    assert tidy_tables(html) == html


def test_pictures_keep_their_alternative_text(soup):
    assert [image["alt"] for image in soup.find_all("img")] == ["Two bars", 'A "bar"']
    assert soup.figure.figcaption.text == "The student is ahead."


def test_scripts_of_a_player_pass_unchanged(soup):
    assert any('= 1 < 2 && "playing"' in script.text for script in soup.find_all("script"))


def test_formulas_become_mathml_and_prices_and_code_do_not(soup):
    prose = soup.find(class_="prose")
    formulas = prose.find_all("math")
    assert [math["display"] for math in formulas] == ["inline", "block", "inline"]
    assert formulas[0]["alttext"] == r"\tilde y = \sigma(f_\theta(x))"
    assert "It costs $3, or from $5 to $10 an hour" in prose.text
    assert [code.text for code in prose.select("p code")] == ["$HOME", "$x$", "$$x$$"]
    assert prose.pre.get_text() == 'price = "$x$"\n'


@pytest.mark.parametrize(
    ("source", "formulas"),
    [
        ("$x$ and $y$.", ["x", "y"]),
        ("2$\\times$ faster, $x$-axis", ["\\times", "x"]),
        ("US$5 and C$6", []),
        ("$5-$10 or 5 $ and 6 $", []),
        (r"\$x\$", []),
        (r"$a \$ b$", [r"a \$ b"]),
        ("`a $x` and `$y`", []),
        ("in text $$z^2$$ too", ["z^2"]),
        ("\\begin{equation}q\\end{equation}", ["q"]),
        ("**$b$** and\n\n- $c$\n\n| $d$ |\n|---|\n| e |", ["b", "c", "d"]),
        ("```\n$$x$$\n```\n\n    $$y$$", []),
    ],
)
def test_what_counts_as_a_formula(source, formulas, pages, tmp_path):
    assert [math["alttext"] for math in markdown(source, pages, tmp_path).find_all("math")] == formulas


def test_mathml_is_well_formed_and_reads_as_words():
    for latex in (r"a<b", r"\text{a < b > c}", r"\mathrm{softmax}(QK^\top/\sqrt{d})", r"\hat y > 0"):
        ElementTree.fromstring(formula(latex, block=False))
    assert "<mi>softmax</mi>" in formula(r"\mathrm{softmax}", block=False)
    assert "<mo>&lt;</mo>" in formula("a<b", block=False)


@pytest.mark.parametrize("latex", [r"\unknowncommand{x}", r"\left( x", "x^"])
def test_an_unreadable_formula_is_shown_as_source_with_a_warning(latex, caplog):
    with caplog.at_level(logging.WARNING):
        assert formula(latex, block=True) == f"<code>{latex}</code>"
    assert latex in caplog.records[0].args


def test_hostile_text_in_a_formula_stays_text():
    assert "<script" not in formula(r"\text{<script>alert(1)</script>}", block=False)


def test_markdown_made_by_code_cannot_carry_html(soup, hostile):
    shown = soup.select(".output .prose")[0]
    assert shown.strong.text == hostile and shown.find(["script", "img"]) is None
    assert shown.math is not None


def test_hostile_titles_and_provenance_are_escaped(notebook, hostile, tmp_path):
    pages = [Page(1, "one", f"Title {hostile}", f"Why {hostile}?")]
    soup = rendered(notebook, pages, {"collection": hostile, hostile: hostile, "versions": {hostile: 1}}, tmp_path, "one")
    assert soup.h1.text == f"Title {hostile}" and soup.find(class_="lede").text == f"Why {hostile}?"
    assert not soup.find_all(onload=True) and not soup.find_all("img", onerror=True)
    assert [script for script in soup.find_all("script") if script.text == "window.hacked=1"] == []
    assert any(definition.text == hostile for definition in soup.find_all("dd"))


def test_network_pictures_become_links_and_local_ones_are_embedded(pages, tmp_path):
    (tmp_path / "dot.svg").write_text("<svg xmlns='http://www.w3.org/2000/svg'/>")
    prose = markdown("![far](https://example.org/x.png) ![near](dot.svg)", pages, tmp_path)
    assert prose.a["href"] == "https://example.org/x.png" and prose.a.text == "far"
    assert [image["src"][:26] for image in prose.find_all("img")] == ["data:image/svg+xml;base64,"]


def test_the_error_stream_is_dropped_before_rendering(notebook):
    kept = [output.get("name") for cell in prepare_notebook(notebook).cells for output in cell.get("outputs", ())]
    assert "stdout" in kept and "stderr" not in kept


def test_preparing_leaves_the_notebook_as_it_was(notebook):
    before = nbformat.writes(notebook)
    prepare_notebook(notebook)
    assert nbformat.writes(notebook) == before


def test_an_error_in_the_notebook_is_shown(pages, tmp_path):
    output = nbformat.v4.new_output("error", ename="ValueError", evalue="bad <b>", traceback=["\x1b[31mValueError\x1b[0m: bad <b>"])
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("boom()", outputs=[output])])
    assert "ValueError: bad <b>" in rendered(notebook, pages, {}, tmp_path).find("pre", class_="error").text


def test_wrong_files_are_named(notebook, pages, tmp_path):
    nbformat.write(notebook, tmp_path / "executed.ipynb")
    with pytest.raises(ValueError, match=r"other\.html: not the name of a page .*01_data_exploration\.html"):
        render_notebook(tmp_path / "executed.ipynb", tmp_path / "other.html", pages, {})
    (tmp_path / "broken.ipynb").write_text("no notebook")
    with pytest.raises(ValueError, match=r"broken\.ipynb: not a notebook"):
        render_notebook(tmp_path / "broken.ipynb", tmp_path / "06_explore.html", pages, {})


def test_the_same_notebook_gives_the_same_bytes(notebook, pages, study, tmp_path):
    nbformat.write(notebook, tmp_path / "executed.ipynb")
    out = tmp_path / "06_explore.html"
    first, second = (render_notebook(tmp_path / "executed.ipynb", out, pages, study).read_bytes() for _ in range(2))
    assert first == second
    assert sorted(path.name for path in tmp_path.iterdir()) == ["06_explore.html", "executed.ipynb"]


def test_a_large_page_is_written_with_a_warning(monkeypatch, caplog, tmp_path):
    monkeypatch.setattr(frame, "MAX_PAGE_BYTES", 1000)
    with caplog.at_level(logging.WARNING):
        out = render_page(tmp_path / "big.html", title="Big")
    assert out.stat().st_size > 1000
    assert [record.getMessage().split(",")[0] for record in caplog.records] == [f"big.html: {out.stat().st_size / 1e6:.1f} MB"]


def test_a_failed_write_leaves_the_old_page(monkeypatch, tmp_path):
    out = render_page(tmp_path / "page.html", title="Old")
    before = out.read_bytes()
    monkeypatch.setattr(files.os, "replace", lambda *_: (_ for _ in ()).throw(OSError("disk full")))
    with pytest.raises(OSError, match="disk full"):
        render_page(out, title="New")
    assert out.read_bytes() == before and [path.name for path in tmp_path.iterdir()] == ["page.html"]


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (4.25, "4.2 s"),
        (42, "42 s"),
        (59.4, "59 s"),
        (252, "4 min 12 s"),
        (3600, "1 h 00 min"),
        ("long", "long"),
        (True, "True"),
    ],
)
def test_durations(seconds, text):
    assert duration(seconds) == text


def test_provenance_is_ordered_and_without_gaps():
    given = {
        "seconds": 61,
        "extra_note": "x",
        "profile": "demo",
        "seeds": [],
        "versions": {"torch": "2.11"},
        "commit": None,
    }
    assert provenance_rows(given) == [
        ("Profile", "demo"), ("Versions", "torch 2.11"), ("Time taken", "1 min 01 s"), ("Extra note", "x"),
    ]  # fmt: skip
