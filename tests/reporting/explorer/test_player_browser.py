"""The player as a listener meets it: the cursor follows the sound, clicks and keys move it, players do not collide."""

from __future__ import annotations

import numpy as np
import pytest

from mtt.reporting.explorer.player import Player, compare, gallery
from mtt.reporting.figures.draw import Picture, canvas, time_axis

RATE, SECONDS = 22_050, 8.0
POLICY = "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src data:; media-src data:"
CURSOR_PIXEL = """player => { const cursor = player.querySelector('[role=slider] > div').getBoundingClientRect();
  const image = player.querySelector('img').getBoundingClientRect();
  return (cursor.left + cursor.width / 2 - image.left) / image.width; }"""


def tune(hertz=220.0):
    return (0.2 * np.sin(2 * np.pi * hertz * np.arange(int(SECONDS * RATE)) / RATE)).astype(np.float32)


def picture():
    figure, axes = canvas("Who plays when", 2.0)
    axes[0, 0].barh(["piano", "saxophone"], [3, 5], left=[0, 3])
    time_axis(axes[0, 0], SECONDS)
    return Picture(figure, "Timeline: piano 0 to 3 s, saxophone 3 to 8 s")


@pytest.fixture
def show(browser, tmp_path):
    """Opens a page that holds the given HTML; returns the page, the requests it made and what its console said."""
    contexts = []

    def opened(*bodies, width=1280):
        context = browser.new_context(viewport={"width": width, "height": 900})
        contexts.append(context)
        page, requests, complaints = context.new_page(), [], []
        page.on("request", lambda request: requests.append(request.url))
        page.on("console", lambda message: complaints.append(message.text))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        path = tmp_path / "page.html"
        head = f'<meta charset="utf-8"><meta http-equiv="Content-Security-Policy" content="{POLICY}"><title>Sound</title>'
        path.write_text(f"<!doctype html><html lang='en'><head>{head}</head><body>{''.join(bodies)}</body></html>")
        page.goto(path.as_uri())
        wait(page, "[...document.querySelectorAll('audio')].every(a => a.readyState >= 1)")
        return page, [url for url in requests if not url.startswith(("data:", "file:"))], complaints

    yield opened
    for context in contexts:
        context.close()


def wait(page, expression, argument=None):
    """Playwright's own waiting needs eval, which the pages' policy forbids."""
    for _ in range(500):
        if page.evaluate(expression, argument):
            return
        page.wait_for_timeout(20)
    pytest.fail(f"never true: {expression}")


def seek(page, seconds, place=0):
    page.evaluate(
        """([seconds, place]) => new Promise(done => {
        const audio = document.querySelectorAll('audio')[place];
        audio.addEventListener('seeked', () => requestAnimationFrame(done), {once: true});
        audio.currentTime = seconds; })""",
        [seconds, place],
    )


def now(page, place=0):
    return page.evaluate("place => document.querySelectorAll('audio')[place].currentTime", place)


@pytest.mark.parametrize("width", [1280, 380])
def test_cursor_stands_at_the_moment_that_sounds(show, width):
    sound = picture()
    page, requests, complaints = show(Player(tune(), RATE, sound, "A tune")._repr_html_(), width=width)
    axes = sound.figure.axes[0]
    image = page.locator("img").bounding_box()["width"]
    for seconds in (0.0, 1.0, 3.0, 6.5, 7.9):
        seek(page, seconds)
        figure_x = axes.transData.transform((seconds, 0))[0] / sound.figure.bbox.width  # where matplotlib drew that second
        assert page.eval_on_selector(".mtt-player", CURSOR_PIXEL) * image == pytest.approx(figure_x * image, abs=2)
        assert page.locator("[role=slider]").get_attribute("aria-valuenow") == f"{seconds:.1f}"
    assert page.evaluate("document.querySelector('audio').duration") == pytest.approx(SECONDS, abs=0.1)
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert (requests, complaints) == ([], [])


def test_click_and_drag_seek(show):
    page, _, complaints = show(Player(tune(), RATE, picture(), "A tune")._repr_html_())
    box = page.locator("[role=slider]").bounding_box()
    y = box["y"] + box["height"] / 2
    for seconds in (2.0, 5.5, 0.5):
        page.mouse.click(box["x"] + box["width"] * seconds / SECONDS, y)
        assert now(page) == pytest.approx(seconds, abs=0.05)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] * 7 / SECONDS, y)
    assert now(page) == pytest.approx(7.0, abs=0.05)
    page.mouse.up()
    assert complaints == []


def test_keys_move_and_play(show):
    page, _, complaints = show(Player(tune(), RATE, picture(), "A tune")._repr_html_())
    page.locator("[role=slider]").focus()
    for key, seconds in (
        ("ArrowRight", 1),
        ("ArrowRight", 2),
        ("ArrowLeft", 1),
        ("End", 8),
        ("ArrowLeft", 7),
        ("Home", 0),
        ("ArrowLeft", 0),
    ):
        page.keyboard.press(key)
        assert now(page) == pytest.approx(seconds, abs=0.05), key
    page.keyboard.press("Space")
    wait(page, "document.querySelector('audio').currentTime > .3")
    cursor = page.eval_on_selector(".mtt-player", "e => parseFloat(e.querySelector('[role=slider] > div').style.left)")
    assert 100 * 0.1 / SECONDS < cursor < 100 * 4 / SECONDS
    page.keyboard.press("Space")
    assert page.evaluate("document.querySelector('audio').paused")
    assert page.evaluate("scrollY") == 0
    assert complaints == []


def test_figure_scrolls_along_on_a_phone(show):
    page, _, complaints = show(Player(tune(), RATE, picture(), "A tune")._repr_html_(), width=380)
    inside = """() => { const cursor = document.querySelector('[role=slider] > div').getBoundingClientRect();
        return cursor.left > 0 && cursor.right < innerWidth; }"""
    seek(page, 7.0)
    assert not page.evaluate(inside)
    page.locator("[role=slider]").focus()
    page.keyboard.press("Space")
    wait(page, inside)
    assert complaints == []


def test_players_do_not_collide_and_one_plays_at_a_time(show):
    """The last two are the same player twice."""
    twin = Player(tune(330), RATE, picture(), "Twin")
    page, _, complaints = show(compare(Player(tune(), RATE, picture(), "One"), twin)._repr_html_(), twin._repr_html_())
    places = "player => parseFloat(player.querySelector('[role=slider] > div').style.left)"
    seek(page, 4.0, 1)
    shown = [handle.evaluate(places) for handle in page.query_selector_all(".mtt-player")]
    np.testing.assert_allclose(shown, [0, 50, 0], atol=0.01)
    sliders = page.locator("[role=slider]")
    for place in (0, 2):
        sliders.nth(place).focus()
        page.keyboard.press("Space")
        wait(page, "place => !document.querySelectorAll('audio')[place].paused", place)
        wait(page, "[...document.querySelectorAll('audio')].filter(a => !a.paused).length === 1")
    assert complaints == []


def test_script_of_a_later_output_leaves_earlier_players_alone(show):
    """As JupyterLab does it: each output brings its own copy of the script."""
    player = Player(tune(), RATE, picture(), "A tune")._repr_html_()
    page, _, complaints = show(player, *[Player(tune(330), RATE, title="B")._repr_html_()] * 2)
    page.locator("[role=slider]").focus()
    page.keyboard.press("ArrowRight")
    assert now(page) == pytest.approx(1.0, abs=0.05)  # bound once: one second, not three
    assert complaints == []


def test_hostile_words_do_not_run(show, hostile):
    sound = Player(tune(), RATE, Picture(picture().figure, hostile), hostile, hostile)
    page, requests, complaints = show(sound._repr_html_())
    assert page.evaluate("window.hacked === undefined")
    assert hostile in page.locator("strong").inner_text()
    assert page.locator("img").get_attribute("alt") == hostile
    assert (requests, complaints) == ([], [])


def test_gallery_gives_way_on_a_phone(show):
    players = [Player(tune(), RATE, title=f"Clip {k}") for k in range(3)]
    for width, columns in ((1280, 3), (380, 1)):
        page, _, _ = show(gallery(players, columns=3)._repr_html_(), width=width)
        lefts = {round(player.bounding_box()["x"]) for player in page.locator(".mtt-player").all()}
        assert len(lefts) == columns
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
