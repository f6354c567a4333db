"""The explorer as people meet it: sound, cursor, lanes and keys agree, on a large screen and on a phone, and nothing leaves the page."""

from __future__ import annotations

import html

import numpy as np
import pytest

from mtt.explain.attention import AttentionCurves
from mtt.explain.curves import TagCurves
from mtt.reporting.explorer.page import embedded_page, encode_scene, render_explorer
from mtt.reporting.explorer.scenes import Scene

RATE, SECONDS = 22_050, 8.0
TAGS = ["piano", "drums", "jazz", "rock", "sad", "fast"]
CURSOR = """() => { const c = document.getElementById('cursor').getBoundingClientRect();
  const a = document.querySelector('canvas').getBoundingClientRect();
  return c.left + c.width / 2 - a.left; }"""
# How much of a lane is neither paper, panel nor grid: the number of its pixels that have a colour to them.
COLOURED = """index => { const c = document.querySelectorAll('canvas')[index];
  const d = c.getContext('2d').getImageData(0, 0, c.width, c.height).data;
  let n = 0; for (let i = 0; i < d.length; i += 4) n += Math.max(d[i], d[i+1], d[i+2]) - Math.min(d[i], d[i+1], d[i+2]) > 40; return n; }"""


def scene(title="First tune", artist="Somebody", **changes):
    """The teacher hears piano at 0.25 all along; the student's probability of it rises from 0 at 0 s to 1 at 8 s."""
    times = np.arange(0, 8.5, 0.5)
    teacher = np.tile([0.25, 0.8, 0.7, 0.6, 0.1, 0.05], (len(times), 1))
    student = teacher.copy()
    student[:, 0] = times / 8
    frames, random = np.arange(0.05, 8, 0.1), np.random.default_rng(0)
    names = {"teacher": teacher, "student": student}
    fields = {
        "wave": (0.2 * np.sin(2 * np.pi * 220 * np.arange(int(SECONDS * RATE)) / RATE)).astype(np.float32),
        "sample_rate": RATE,
        "curves": {name: TagCurves(times, values, TAGS, 3.0, 0.5) for name, values in names.items()},
        "attention": {
            name: AttentionCurves(frames, random.random((2, 4, len(frames))), *random.random((2, len(frames)))) for name in names
        },
        "labels": ["drums"],
        "true_labels": ["piano", "drums"],
        "truth": {"piano": [(4.0, 8.0)], "drums": [(0.0, 8.0)], "sad": []},
    }
    return Scene(title, artist, "A clear success: it is a tune.", **(fields | changes))


@pytest.fixture
def show(browser, tmp_path):
    """Opens the explorer of the given scenes; returns the page, its requests to elsewhere and what its console said."""
    contexts = []

    def opened(*scenes, width=1280, scheme="light", **options):
        context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme, **options)
        contexts.append(context)
        page, requests, complaints = context.new_page(), [], []
        page.on("request", lambda request: requests.append(request.url))
        page.on("console", lambda message: complaints.append(message.text))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.goto(render_explorer(scenes or [scene(), scene("Second tune", "Other")], tmp_path / "explorer.html").as_uri())
        wait(page, "document.getElementById('sound').readyState >= 1")
        return page, Elsewhere(requests), complaints

    yield opened
    for context in contexts:
        context.close()


class Elsewhere:
    """What was asked for that the page does not hold itself."""

    def __init__(self, requests):
        self.requests = requests

    def __call__(self):
        return [url for url in self.requests if not url.startswith(("data:", "file:", "blob:null/"))]


def wait(page, expression, argument=None):
    """Playwright's own waiting needs eval, which the pages' policy forbids."""
    for _ in range(500):
        if page.evaluate(expression, argument):
            return
        page.wait_for_timeout(20)
    pytest.fail(f"never true: {expression}")


def seek(page, seconds):
    page.evaluate(
        """seconds => new Promise(done => { const audio = document.getElementById('sound');
        audio.addEventListener('seeked', () => requestAnimationFrame(done), {once: true}); audio.currentTime = seconds; })""",
        seconds,
    )


def now(page):
    return page.evaluate("document.getElementById('sound').currentTime")


def paused(page):
    return page.evaluate("document.getElementById('sound').paused")


def lanes(page):
    return [text.strip() for text in page.locator(".lane .name b").all_inner_texts()]


def fits(page):
    return page.evaluate("document.documentElement.scrollWidth <= innerWidth")


@pytest.mark.parametrize(("width", "scheme"), [(1280, "light"), (380, "dark")])
def test_cursor_stands_in_every_lane_at_the_moment_that_sounds(show, width, scheme):
    page, elsewhere, complaints = show(width=width, scheme=scheme)
    boxes = [canvas.bounding_box() for canvas in page.locator("canvas").all()]
    assert len({(box["x"], box["width"]) for box in boxes}) == 1  # one time axis
    for seconds in (0.0, 1.0, 3.0, 6.5, 7.9):
        seek(page, seconds)
        assert page.evaluate(CURSOR) == pytest.approx(boxes[0]["width"] * seconds / SECONDS, abs=2)
    assert page.locator("#now").inner_text() == "0:07.9"
    page.locator("#play").click()
    seek(page, 1.0)
    wait(page, "document.getElementById('sound').currentTime > 1.3")
    place, time = page.evaluate(  # in one frame, after the page's own turn in it
        f"() => new Promise(done => requestAnimationFrame(() => done([({CURSOR})(), document.getElementById('sound').currentTime])))"
    )
    assert place == pytest.approx(boxes[0]["width"] * time / SECONDS, abs=2)
    assert page.locator("#play").inner_text() == "Pause"
    page.locator("#play").click()
    assert page.evaluate(CURSOR) == pytest.approx(boxes[0]["width"] * now(page) / SECONDS, abs=2)
    assert fits(page)
    assert (elsewhere(), complaints) == ([], [])


def test_click_and_drag_in_any_lane_seek(show):
    page, _, complaints = show()
    for lane, seconds in ((0, 2.0), (2, 5.5), (5, 0.5)):
        box = page.locator("canvas").nth(lane).bounding_box()
        page.mouse.click(box["x"] + box["width"] * seconds / SECONDS, box["y"] + box["height"] / 2)
        assert now(page) == pytest.approx(seconds, abs=0.05)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] * 7 / SECONDS, box["y"] - 40)
    assert now(page) == pytest.approx(7.0, abs=0.05)
    page.mouse.up()
    page.mouse.move(box["x"], box["y"])
    assert now(page) == pytest.approx(7.0, abs=0.05)
    page.locator(".lane .name").nth(1).click()  # a name is no moment
    assert now(page) == pytest.approx(7.0, abs=0.05)
    assert complaints == []


def test_tap_seeks_on_a_phone(show):
    page, _, complaints = show(width=380, has_touch=True, is_mobile=True)
    box = page.locator("canvas").nth(1).bounding_box()
    page.touchscreen.tap(box["x"] + box["width"] * 3 / SECONDS, box["y"] + box["height"] / 2)
    wait(page, "Math.abs(document.getElementById('sound').currentTime - 3) < .05")
    assert complaints == []


def test_keys_play_move_and_change_the_track(show):
    page, _, complaints = show()
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
    wait(page, "document.getElementById('sound').currentTime > .3")
    page.keyboard.press("ArrowDown")
    assert page.locator("#track-title").inner_text().startswith("Second tune")
    assert paused(page) and now(page) == 0
    page.keyboard.press("ArrowDown")  # the last one
    assert page.locator("[aria-current]").all_inner_texts()[-1].startswith("Second tune")
    page.keyboard.press("ArrowUp")
    assert page.locator("#track-title").inner_text().startswith("First tune")
    page.keyboard.press("Space")
    wait(page, "!document.getElementById('sound').paused")
    page.keyboard.press("Space")
    assert paused(page)
    page.locator("#play").focus()
    page.keyboard.press("Space")  # the button's own
    wait(page, "!document.getElementById('sound').paused")
    assert page.evaluate("scrollY") == 0
    assert complaints == []


def test_choosing_a_track_stops_the_sound(show):
    page, _, complaints = show()
    page.locator("#play").click()
    wait(page, "document.getElementById('sound').currentTime > .2")
    page.locator("#tracks button").nth(1).click()
    assert paused(page) and now(page) == 0
    assert page.locator("#play").inner_text() == "Play"
    page.locator("#play").click()
    wait(page, "document.getElementById('sound').currentTime > .2")
    assert complaints == []


def test_tags_and_models_are_switched_on_and_off(show):
    page, _, complaints = show()
    assert lanes(page) == ["Spectrogram", "piano", "drums", "jazz", "rock", "Attention"]
    page.get_by_role("button", name="sad").click()
    page.get_by_role("button", name="piano, there, but missing from the labels").click()
    assert lanes(page) == ["Spectrogram", "drums", "jazz", "rock", "sad", "Attention"]
    assert page.get_by_role("button", name="sad").get_attribute("aria-pressed") == "true"
    page.get_by_role("button", name="piano").click()
    both = page.evaluate(COLOURED, 1)  # the lane in which they differ
    page.get_by_role("button", name="teacher").click()
    one = page.evaluate(COLOURED, 1)
    page.get_by_role("button", name="student").click()
    assert both > one > page.evaluate(COLOURED, 1)
    assert page.locator("#reading").inner_text().startswith("At 0.0 s: no model is switched on")
    assert complaints == []


def test_truth_is_drawn_where_it_is_known(show):
    page, _, _ = show()
    orange = """([index, share]) => { const c = document.querySelectorAll('canvas')[index], d = c.getContext('2d')
        .getImageData(Math.round(c.width * share), c.height - 4, 1, 1).data; return d[0] > 150 && d[2] < 80; }"""
    piano, drums, jazz = 1, 2, 3
    assert [page.evaluate(orange, [piano, share]) for share in (0.1, 0.45, 0.55, 0.9)] == [False, False, True, True]
    assert page.evaluate(orange, [drums, 0.1]) and not page.evaluate(orange, [jazz, 0.1])


def test_attention_of_each_head_can_be_chosen(show):
    page, _, complaints = show()
    shown = "() => document.querySelectorAll('canvas')[5].toDataURL()"
    chooser, seen = page.get_by_role("combobox", name="Which attention"), set()
    for value in ("rollout", "mean", "all", "0/mean", "0/0", "1/3"):
        chooser.select_option(value)
        seen.add(page.evaluate(shown))
        assert page.get_by_role("combobox", name="Which attention").input_value() == value
    assert len(seen) == 6 and page.locator("select option").count() == 3 + 2 * 5
    assert complaints == []


def test_a_screen_reader_hears_the_moment_and_what_is_in_it(show):
    page, _, _ = show()
    seek(page, 6.0)
    expected = (
        "At 6.0 s: teacher: drums 0.80, jazz 0.70, rock 0.60, piano 0.25; student: drums 0.80, piano 0.75, jazz 0.70, rock 0.60; "
        "really playing: piano, drums."
    )
    slider = page.get_by_role("slider", name="Position in the track")
    assert slider.get_attribute("aria-valuetext") == expected
    assert (slider.get_attribute("aria-valuenow"), slider.get_attribute("aria-valuemax")) == ("6.0", "8.0")
    page.keyboard.press("ArrowLeft")
    wait(page, "document.getElementById('spoken').textContent.startsWith('At 5.0 s: ')")
    assert page.get_by_role("status").count() == 1
    unnamed = page.evaluate("[...document.querySelectorAll('button, select')].filter(e => !(e.ariaLabel || e.textContent.trim())).length")
    assert unnamed == 0


def test_hostile_words_do_not_run(show, hostile):
    curves = {hostile: TagCurves(np.array([1.0]), np.array([[0.5]]), [hostile], 1.0, 0.5)}
    bad = scene(hostile, hostile, curves=curves, attention={}, labels=[hostile], true_labels=None, truth={hostile: [(0, 1)]})
    page, elsewhere, complaints = show(bad, bad)
    page.keyboard.press("ArrowDown")
    assert page.evaluate("window.hacked === undefined")
    assert page.locator("#track-title").inner_text() == f"{hostile} {hostile}"
    assert (elsewhere(), complaints) == ([], [])


def test_in_a_notebook_a_page_goes_on_where_the_one_before_it_was(show, tmp_path):
    """The widget puts a new document into a new frame whenever a control changes."""
    page, elsewhere, complaints = show()
    documents = [html.escape(embedded_page(encode_scene(made), "key")) for made in (scene(), scene(attention={}), scene("Another tune"))]
    frames = [f'<iframe allow="autoplay" srcdoc="{document}" style="width:100%;height:50px"></iframe>' for document in documents]
    (tmp_path / "notebook.html").write_text(f"<!DOCTYPE html><body>{frames[0]}</body>")
    page.goto((tmp_path / "notebook.html").as_uri())

    def framed():
        wait(page, "frames.length === 1 && frames[0].document.getElementById('sound')?.readyState >= 1")
        return page.main_frame.child_frames[0]

    frame = framed()
    assert frame.locator("h1.unseen").count() == 1 and not frame.locator(".tracks").is_visible()
    wait(page, "Math.abs(document.querySelector('iframe').clientHeight - frames[0].document.documentElement.offsetHeight) <= 1")
    assert page.locator("iframe").bounding_box()["height"] > 300
    frame.get_by_role("button", name="sad").click()
    frame.get_by_role("button", name="teacher").click()
    frame.locator("#play").click()
    wait(page, "frames[0].document.getElementById('sound').currentTime > .5")
    frame.locator("#play").click()
    moment = frame.evaluate("document.getElementById('sound').currentTime")
    page.evaluate("text => { document.body.innerHTML = text; }", frames[1])
    frame = framed()
    wait(page, f"Math.abs(frames[0].document.getElementById('sound').currentTime - {moment}) < .05")
    pressed = {name: frame.get_by_role("button", name=name).get_attribute("aria-pressed") for name in ("sad", "teacher", "student")}
    assert pressed == {"sad": "true", "teacher": "false", "student": "true"}
    page.evaluate("text => { document.body.innerHTML = text; }", frames[2])  # another track begins at its beginning, with tags of its own
    frame = framed()
    assert frame.evaluate("document.getElementById('sound').paused && document.getElementById('sound').currentTime === 0")
    assert frame.get_by_role("button", name="sad").get_attribute("aria-pressed") == "false"
    assert (elsewhere(), complaints) == ([], [])


def test_a_long_recording_is_read_in_minutes(show):
    long = scene(wave=np.zeros(100 * RATE, np.float32), attention={})
    page, _, _ = show(long)
    seek(page, 61.5)
    assert page.locator("#reading").inner_text().startswith("At 1:01.5: teacher: ")
    assert (page.locator("#now").inner_text(), page.locator("#length").inner_text()) == ("1:01.5", "1:40.0")


@pytest.mark.parametrize("width", [1280, 380])
def test_one_track_alone_and_one_without_attention(show, width):
    page, elsewhere, complaints = show(scene(attention={}, truth=None, true_labels=None), width=width)
    assert "Attention" not in lanes(page) and not page.locator(".tracks").is_visible()
    page.keyboard.press("ArrowDown")
    assert page.locator("#track-title").inner_text().startswith("First tune")
    assert fits(page)
    assert (elsewhere(), complaints) == ([], [])
