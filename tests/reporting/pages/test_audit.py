"""The audit as text, CSV and page; the page also in a browser."""

from __future__ import annotations

import pandas as pd
import pytest

from mtt.collections.audit import Audit
from mtt.reporting.pages.audit import ON_PAGE, ON_TERMINAL, audit_text, write_audit


def audit(*rows: tuple[str, str, str, str]) -> Audit:
    return Audit("mine", 1234, 20.5, pd.DataFrame(rows, columns=["track_id", "path", "problem", "detail"]))


def test_text_counts_first_and_lists_the_first_of_each_kind():
    many = [(f"t{i}", f"{i}.mp3", "clipped", "2% of the samples") for i in range(ON_TERMINAL + 5)]
    text = audit_text(audit(("a", "a.mp3", "silent", "level -90 dB"), *many))
    lines = text.splitlines()
    assert lines[0] == f"mine: 1,234 tracks, 20.5 hours; {ON_TERMINAL + 6} problems of 2 kinds, 0 hints."
    assert lines[1].split()[:2] == ["1", "silent"] and lines[2].split()[:2] == [str(ON_TERMINAL + 5), "clipped"]
    assert sum("2% of the samples" in line for line in lines) == ON_TERMINAL
    assert lines[-1] == "  ... and 5 more; a report (--out report.csv) lists all"
    assert audit_text(audit()) == "mine: 1,234 tracks, 20.5 hours; no problem found."


def test_text_holds_nothing_that_a_terminal_obeys():
    text = audit_text(audit(("\x1b[2Jid", "a\rb.mp3", "silent", "\x07detail")))
    assert text.replace("\n", "").isprintable()


def test_csv_has_every_row_as_the_contract_says(tmp_path):
    rows = [(f'"{i}", of', f"{i}\n.mp3", "clipped", "ä") for i in range(ON_PAGE + 1)]
    read = pd.read_csv(write_audit(audit(*rows), tmp_path / "report.csv"), dtype=str)
    assert list(read.columns) == ["track_id", "path", "problem", "detail"]
    assert list(read.itertuples(index=False, name=None)) == rows


@pytest.mark.parametrize("width", [1280, 380])
def test_page_shows_counts_then_problems_and_asks_for_nothing(visit, tmp_path, hostile, width):
    rows = [(hostile, hostile, "unreadable", hostile), *[(f"t{i}", f"{i}.mp3", "clipped", "2%") for i in range(ON_PAGE + 2)]]
    path = write_audit(audit(*rows), tmp_path / "report.html")
    page, requests, complaints = visit(path.as_uri(), width)
    assert page.locator("h1").inner_text() == "Audit of a collection"
    first, *others = page.locator("table").all()
    counts = first.locator("tbody tr").all_inner_texts()
    assert [text.split()[:2] for text in counts] == [["unreadable", "1"], ["clipped", str(ON_PAGE + 2)]]
    assert page.locator("h2").all_inner_texts()[-2:] == ["unreadable", "clipped"]
    assert others[0].locator("tbody :is(th, td)").all_inner_texts() == [hostile] * 3
    assert others[1].locator("tbody tr").count() == ON_PAGE
    assert f"The first {ON_PAGE} of {ON_PAGE + 2}; a report in CSV lists all." in page.locator("main").inner_text()
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert page.evaluate("window.hacked === undefined")
    assert (requests, complaints) == ([path.as_uri()], [])


def test_page_of_a_clean_collection_says_so(tmp_path):
    page = write_audit(audit(), tmp_path / "report.html").read_text()
    assert "no problem found" in page and "Every file can be used" in page and "<table" not in page
