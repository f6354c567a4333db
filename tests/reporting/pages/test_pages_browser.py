"""The pages as a reader meets them: in a browser, off the network, on a desk and on a phone, with a keyboard."""

from __future__ import annotations

import functools
import http.server
import threading

import nbformat
import pytest

from mtt.reporting.explorer.page import encode_scene
from mtt.reporting.pages.index import render_index
from mtt.reporting.pages.notebook import render_notebook
from tests.reporting.explorer.made import scene
from tests.reporting.reading import FAULTS, OPENED, POOR_CONTRAST

SLUG = "04_noisy_student"


@pytest.fixture
def site(notebook, pages, study, results, tmp_path):
    """A folder with the opening page and one page of the study."""
    nbformat.write(notebook, tmp_path / "executed.ipynb")
    render_notebook(tmp_path / "executed.ipynb", tmp_path / f"{SLUG}.html", pages, study)
    render_index(results, tmp_path / "index.html", pages, hero=encode_scene(scene()))
    return tmp_path


@pytest.mark.parametrize("name", ["index", SLUG])
def test_a_page_asks_for_nothing_but_itself(site, visit, name):
    asked = []

    class Handler(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_):
            asked.append(self.path)

    with http.server.ThreadingHTTPServer(("localhost", 0), functools.partial(Handler, directory=site)) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        address = f"http://localhost:{server.server_port}/{name}.html"
        _, requests, complaints = visit(address, patient=True)
        server.shutdown()
    assert (requests, complaints, asked) == ([address], [], [f"/{name}.html"])


def test_even_a_cell_that_wants_the_network_gets_nothing(pages, visit, tmp_path):
    greedy = (
        '<script src="https://cdn.invalid/require.js"></script><img src="https://cdn.invalid/a.png" alt="">'
        '<link rel="stylesheet" href="https://cdn.invalid/a.css"><iframe src="https://cdn.invalid/"></iframe>'
        "<script>fetch('https://cdn.invalid/data').catch(function () { window.refused = true; });</script>"
    )
    cell = nbformat.v4.new_code_cell("x", outputs=[nbformat.v4.new_output("display_data", data={"text/html": greedy})])
    nbformat.write(nbformat.v4.new_notebook(cells=[cell]), tmp_path / "greedy.ipynb")
    out = render_notebook(tmp_path / "greedy.ipynb", tmp_path / f"{SLUG}.html", pages, {})
    page, _, complaints = visit(out.as_uri())
    page.wait_for_function("window.refused === true")
    assert len(complaints) >= 5 and all("Content Security Policy" in text or "violates" in text for text in complaints)


@pytest.mark.parametrize("name", ["index", SLUG])
def test_the_body_never_scrolls_sideways(site, visit, name):
    page, _, _ = visit((site / f"{name}.html").as_uri())
    page.evaluate(OPENED)
    for width in (1280, 380, 320):
        page.set_viewport_size({"width": width, "height": 800})
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        outside = page.evaluate(
            """width => [...document.querySelectorAll('main *')]
                 .filter(e => !e.closest('.table-box, .math.block, figure, svg, pre'))
                 .filter(e => e.getBoundingClientRect().right > width + 1)
                 .map(e => e.outerHTML.slice(0, 80))""",
            width,
        )
        assert outside == []


def test_a_track_plays_near_the_top_and_the_models_take_turns(site, visit):
    page, _, complaints = visit((site / "index.html").as_uri())
    assert page.locator("#track-title").inner_text() == "First tune Somebody"
    assert page.locator("#gram .row .name b").all_inner_texts()[:2] == ["piano", "drums"]
    assert page.locator("#gram rect.truth").count() == 2 and page.locator("#lanes .plot").count() == 1
    pressed = "[...document.querySelectorAll('#switches button')].map(each => each.getAttribute('aria-pressed'))"
    shares = "[...document.querySelector('#gram canvas').getContext('2d').getImageData(0, 0, 600, 1).data].filter((_, i) => i % 4 === 3)"
    assert page.evaluate(pressed) == ["false", "true"] and page.evaluate(shares)[::599] == pytest.approx([0, 255], abs=2)
    page.get_by_role("button", name="teacher").click()
    assert page.evaluate(pressed) == ["true", "false"] and page.evaluate(shares)[::599] == pytest.approx([64, 64], abs=2)
    assert page.locator("#reading").inner_text().startswith("At 0.0 s: teacher: drums 0.80")
    page.locator("#play").click()
    moves = "done => document.getElementById('sound').addEventListener('timeupdate', event => event.target.currentTime > .2 && done())"
    page.evaluate(f"() => new Promise({moves})")
    assert complaints == []


def test_the_first_tab_stop_skips_the_navigation(site, visit):
    page, _, _ = visit((site / "index.html").as_uri())
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Skip to the content"
    assert page.evaluate("document.activeElement.getBoundingClientRect().left") == 0
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "main"


def test_verdicts_differ_by_shape(site, visit):
    page, _, _ = visit((site / "index.html").as_uri())
    shapes = "[...document.querySelectorAll('.verdict')].map(e => [e.textContent, getComputedStyle(e, '::before').content])"
    assert {word: shape[1] for word, shape in page.evaluate(shapes)} == {"supported": "●", "contradicted": "◆", "inconclusive": "○"}


@pytest.mark.parametrize("name", ["index", SLUG])
@pytest.mark.parametrize("width", [1280, 390])
def test_a_page_has_no_fault_of_access(site, visit, name, width):
    page, _, _ = visit((site / f"{name}.html").as_uri(), width)
    page.evaluate(OPENED)
    assert page.evaluate(FAULTS) == []
    assert page.evaluate("[...document.querySelectorAll('details')].filter(e => e.children.length < 2).length") == 0
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        assert page.evaluate(POOR_CONTRAST) == []


def test_hostile_results_do_not_run(notebook, pages, results, hostile, visit, tmp_path):
    results["study"]["collection"] = results["study"]["machine"] = hostile
    for entry in results["claims"]:
        entry.update(sentence=hostile, note=hostile)
    for model in results["models"]:
        model["name"] = hostile
    for entry in results["explanations"]:
        entry["sentence"] = hostile
    results["findings"] = {page.slug: hostile for page in pages}
    index = render_index(results, tmp_path / "index.html", pages)
    nbformat.write(notebook, tmp_path / "executed.ipynb")
    other = render_notebook(tmp_path / "executed.ipynb", tmp_path / f"{SLUG}.html", pages, results["study"])
    for out in (index, other):
        page, requests, complaints = visit(out.as_uri())
        assert page.evaluate("window.hacked") is None
        assert requests == [out.as_uri()] and complaints == []
        assert page.get_by_text("window.hacked=1").count() > 0
