"""Players and the explorer as people meet them: sound, cursor, hands and keys agree, on a large screen and a phone, and nothing leaves."""

from __future__ import annotations

import html
import re

import numpy as np
import pytest

from mtt.config import SAMPLE_RATE
from mtt.reporting.explorer.page import embedded_page, encode_scene
from mtt.reporting.explorer.player import Player
from mtt.reporting.figures.draw import Picture
from tests.reporting.explorer.made import SECONDS, scene, scene_of_curves, timeline, tune

CURSOR = """() => { const slider = document.querySelector('[role=slider]'), cursor = slider.firstElementChild.getBoundingClientRect();
  return cursor.left + cursor.width / 2 - slider.getBoundingClientRect().left; }"""
CURSOR_SHARE = "player => parseFloat(player.querySelector('[role=slider] > i').style.left)"
KINDS = ["player", "explorer"]


def player(title="A tune", hertz=220.0):
    return Player(tune(hertz), timeline(), title)._repr_html_()


def content(kind):
    return [player()] if kind == "player" else []


def lanes(page):
    return [text.strip() for text in page.locator(".lane:visible .name b").all_inner_texts()]


# --- What both do ---


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("width", "scheme"), [(1280, "light"), (380, "dark")])
def test_cursor_stands_at_the_moment_that_sounds(visit, kind, width, scheme):
    seen = visit(*content(kind), width=width, scheme=scheme)
    slider = seen.page.locator("[role=slider]")
    whole = slider.bounding_box()["width"]
    for seconds in (0.0, 1.0, 3.0, 6.5, 7.9):
        seen.seek(seconds)
        assert seen.page.evaluate(CURSOR) == pytest.approx(whole * seconds / SECONDS, abs=2)
        assert slider.get_attribute("aria-valuenow") == f"{seconds:.1f}"
    seen.seek(1.0)
    slider.focus()
    seen.page.keyboard.press("Space")
    seen.wait("document.querySelector('audio').currentTime > 1.3")
    place, time = seen.page.evaluate(  # in one frame, after the page's own turn in it
        f"() => new Promise(done => requestAnimationFrame(() => done([({CURSOR})(), document.querySelector('audio').currentTime])))"
    )
    assert place == pytest.approx(whole * time / SECONDS, abs=2)
    assert seen.fits() and seen.quiet


@pytest.mark.parametrize("kind", KINDS)
def test_click_and_drag_seek(visit, kind):
    seen = visit(*content(kind))
    box = seen.page.locator("[role=slider]").bounding_box()
    x, y = (lambda seconds: box["x"] + box["width"] * seconds / SECONDS), box["y"] + box["height"] / 2
    for seconds in (2.0, 5.5, 0.5):
        seen.page.mouse.click(x(seconds), y)
        assert seen.now() == pytest.approx(seconds, abs=0.05)
    seen.page.mouse.down()
    seen.page.mouse.move(x(7), y - 40)
    assert seen.now() == pytest.approx(7.0, abs=0.05)
    seen.page.mouse.up()
    seen.page.mouse.move(x(1), y)  # let go
    seen.page.mouse.click(box["x"] - 30, y)  # beside it: a name or a number of the axis is no moment
    assert seen.now() == pytest.approx(7.0, abs=0.05)
    assert seen.quiet


@pytest.mark.parametrize("kind", KINDS)
def test_keys_move_and_play(visit, kind):
    seen = visit(*content(kind))
    seen.page.locator("[role=slider]").focus()
    keys = [("ArrowRight", 1), ("ArrowRight", 2), ("ArrowLeft", 1), ("End", 8), ("ArrowLeft", 7), ("Home", 0), ("ArrowLeft", 0)]
    for key, seconds in [*keys, ("ArrowUp", 1), ("ArrowDown", 0)]:
        seen.page.keyboard.press(key)
        assert seen.now() == pytest.approx(seconds, abs=0.05), key
    seen.page.keyboard.press("Space")
    seen.wait("document.querySelector('audio').currentTime > .3")
    seen.page.keyboard.press("Space")
    assert seen.paused() and seen.page.evaluate("scrollY") == 0
    assert seen.quiet


def test_hostile_words_do_not_run(visit, hostile):
    hostile += "</script><!-- x&amp;\u2028\u2029"
    picture = Picture(timeline().figure, hostile)
    seen = visit(Player(tune(), picture, hostile, hostile)._repr_html_())
    assert seen.page.evaluate("window.hacked === undefined")
    assert seen.page.locator("strong").inner_text() == hostile and seen.page.locator("svg").get_attribute("aria-label") == hostile
    assert seen.quiet
    assert seen.page.get_by_role("slider", name="Position in " + hostile).count() == 1
    known = {"title": hostile, "artist": hostile, "note": hostile, "labels": [hostile], "truth": {hostile: [(0, 1)]}}
    bad = scene_of_curves({hostile: {hostile: 0.5}}, **known)
    seen = visit(bad, bad)
    seen.page.locator("#tracks button").last.click()
    seen.page.locator("#gram-on").click()
    seen.page.get_by_label("Beside").select_option(index=1)
    assert seen.page.evaluate("window.hacked === undefined")
    assert seen.page.locator("#track-title").inner_text() == f"{hostile} {hostile}"
    assert seen.quiet


# --- Players ---


def test_players_do_not_collide_and_one_plays_at_a_time(visit):
    """In three outputs, each with its own copy of the script; the last two hold the same player."""
    seen = visit(player("One"), player("Twin", 330), player("Twin", 330))
    seen.seek(4.0, 1)
    shown = [handle.evaluate(CURSOR_SHARE) for handle in seen.page.query_selector_all(".mtt-player")]
    np.testing.assert_allclose(shown, [0, 50, 0], atol=0.01)
    sliders = seen.page.locator("[role=slider]")
    sliders.first.focus()
    seen.page.keyboard.press("ArrowRight")
    assert seen.now() == pytest.approx(1.0, abs=0.05)  # bound once: one second, not three
    for place in (0, 2):
        sliders.nth(place).focus()
        seen.page.keyboard.press("Space")
        seen.wait("place => !document.querySelectorAll('audio')[place].paused", place)
        seen.wait("[...document.querySelectorAll('audio')].filter(audio => !audio.paused).length === 1")
    assert seen.quiet


# --- The explorer ---


def test_keys_and_clicks_change_the_track_and_stop_the_sound(visit):
    seen = visit()
    title, play, keyboard = seen.page.locator("#track-title"), seen.page.locator("#play"), seen.page.keyboard
    play.focus()
    keyboard.press("Space")
    seen.wait("document.querySelector('audio').currentTime > .2")
    assert play.inner_text() == "Pause"
    seen.page.locator("#tracks button").first.focus()
    keyboard.press("ArrowDown")
    assert title.inner_text().startswith("Second tune")
    assert seen.page.evaluate("document.activeElement.textContent").startswith("Second tune")
    assert seen.paused() and seen.now() == 0 and play.inner_text() == "Play"
    keyboard.press("ArrowDown")  # the last one
    assert seen.page.locator("#tracks [aria-current=true]").inner_text().startswith("Second tune")
    keyboard.press("ArrowUp")
    assert title.inner_text().startswith("First tune")
    keyboard.press("Tab")
    assert seen.page.evaluate("document.activeElement.id") == "play"
    seen.page.locator("#tracks button").nth(1).click()
    assert seen.paused() and title.inner_text().startswith("Second tune")
    seen.page.locator(".lane .name").nth(1).click()  # a name is no moment
    assert seen.now() == 0
    assert seen.quiet


def test_keys_belong_to_the_page_until_the_sound_has_the_focus(visit):
    seen = visit()
    seen.page.set_viewport_size({"width": 1000, "height": 300})
    for key in ("ArrowRight", "ArrowDown"):
        seen.page.keyboard.press(key)
    seen.wait("scrollY > 0")
    assert seen.now() == 0 and seen.page.locator("#track-title").inner_text().startswith("First tune")
    seen.page.locator(".plot.spectrogram").click()  # in its middle
    seen.page.keyboard.press("ArrowRight")
    assert seen.now() == pytest.approx(SECONDS / 2 + 1, abs=0.05) and seen.quiet


def test_tags_and_models_are_switched_on_and_off(visit):
    seen = visit()
    button = seen.page.get_by_role("button", name=re.compile("^(sad|piano|teacher|student)"))
    named = {name: button.filter(has_text=name) for name in ("sad", "piano", "teacher", "student")}
    assert lanes(seen.page) == ["Spectrogram", "piano", "drums", "jazz", "rock", "Attention"]
    assert named["piano"].get_attribute("aria-label") == "piano, true, but missing from the labels"
    named["sad"].click()
    named["piano"].click()
    assert lanes(seen.page) == ["Spectrogram", "drums", "jazz", "rock", "sad", "Attention"]
    assert named["sad"].get_attribute("aria-pressed") == "true"
    curves = seen.page.locator(".plot.tag").first.locator(".curve")
    assert curves.count() == 2
    named["teacher"].click()
    assert curves.count() == 1 and "dashed" not in curves.get_attribute("class")
    named["student"].click()
    assert curves.count() == 0
    assert seen.page.locator("#reading").inner_text().startswith("At 0.0 s: no model is switched on")
    assert seen.quiet


def test_curves_and_truth_are_drawn_where_they_are(visit):
    page = visit().page
    piano, jazz, box = (
        page.locator(".plot.tag").nth(0),
        page.locator(".plot.tag").nth(2),
        "path => { const b = path.getBBox(); return [b.y, b.height]; }",
    )
    assert piano.locator(".curve").first.evaluate(box) == pytest.approx([0.75, 0], abs=0.01)  # the teacher, always at 0.25
    assert piano.locator(".curve").last.evaluate(box) == pytest.approx([0, 1], abs=0.01)  # the student, from 0 to 1
    whole, bar = piano.bounding_box(), piano.locator(".truth").bounding_box()
    assert (bar["x"] - whole["x"], bar["width"]) == pytest.approx((whole["width"] / 2, whole["width"] / 2), abs=1)
    assert jazz.locator("rect").count() == 0


def test_attention_of_each_head_can_be_chosen(visit):
    seen = visit()
    chooser = seen.page.get_by_role("combobox", name="Which attention")
    *options, together = chooser.locator("option").all_inner_texts()
    drawn = set()
    assert len(options) == 2 + 2 * 5
    for option in options:
        chooser.select_option(option)
        chooser = seen.page.get_by_role("combobox", name="Which attention")
        assert chooser.input_value() == option
        drawn.add(seen.page.evaluate("document.querySelector('.attention').innerHTML"))
    assert len(drawn) == len(options)
    chooser.select_option(together)
    scales = seen.page.locator(".attention .label:last-child").all_inner_texts()
    assert len(scales) == 2 * 4 and len(set(scales)) == 1
    assert seen.quiet


def test_a_screen_reader_hears_the_moment_and_what_is_in_it(visit):
    seen = visit()
    seen.seek(6.0)
    expected = (
        "At 6.0 s: teacher: drums 0.80, jazz 0.70, rock 0.60, piano 0.25; student: drums 0.80, piano 0.75, jazz 0.70, rock 0.60; "
        "really playing: piano, drums."
    )
    slider = seen.page.get_by_role("slider", name="Position in the track")
    assert slider.get_attribute("aria-valuetext") == expected and slider.get_attribute("aria-valuemax") == "8.0"
    slider.press("ArrowLeft")
    seen.wait("document.getElementById('spoken').textContent.startsWith('At 5.0 s: ')")
    assert seen.page.get_by_role("status").count() == 1
    named = "each => each.ariaLabel || each.labels?.length || each.textContent.trim()"
    assert seen.page.locator("button, select").evaluate_all(f"all => all.every({named})")


def test_in_a_notebook_a_page_goes_on_where_the_one_before_it_was(visit, tmp_path):
    """The widget puts a new document into a new frame whenever a control changes."""
    documents = [html.escape(embedded_page(encode_scene(made))) for made in (scene(), scene(attends=False), scene("Another tune"))]
    frames = [f'<iframe allow="autoplay" srcdoc="{document}" style="width:100%;height:50px"></iframe>' for document in documents]
    seen = visit()
    (tmp_path / "notebook.html").write_text(f"<!DOCTYPE html><body>{frames[0]}</body>")
    seen.page.goto((tmp_path / "notebook.html").as_uri())

    def framed(text=None):
        if text is not None:
            seen.page.evaluate("text => { document.body.innerHTML = text; }", text)
        seen.wait("frames.length === 1 && frames[0].document.getElementById('sound')?.readyState >= 1")
        return seen.page.main_frame.child_frames[0]

    frame = framed()
    assert frame.locator("h1.unseen").count() == 1 and not frame.locator(".tracks").is_visible()
    seen.wait("Math.abs(document.querySelector('iframe').clientHeight - frames[0].document.documentElement.offsetHeight) <= 1")
    assert seen.page.locator("iframe").bounding_box()["height"] > 300
    frame.get_by_role("button", name="sad").click()
    assert frame.locator("#switches").inner_text().split() == ["teacher", "student"] and frame.locator("#switches button").count() == 0
    frame.locator("#play").click()
    seen.wait("document.getElementById('sound').currentTime > .5", within=frame)
    frame.locator("#play").click()
    moment = frame.evaluate("document.getElementById('sound').currentTime")
    frame = framed(frames[1])
    seen.wait(f"Math.abs(document.getElementById('sound').currentTime - {moment}) < .05", within=frame)
    assert frame.get_by_role("button", name="sad").get_attribute("aria-pressed") == "true"
    frame = framed(frames[2])  # another track begins at its beginning, with tags of its own
    assert frame.evaluate("document.getElementById('sound').paused && document.getElementById('sound').currentTime === 0")
    assert frame.get_by_role("button", name="sad").get_attribute("aria-pressed") == "false"
    assert seen.quiet


def test_a_long_recording_is_read_in_minutes(visit):
    seen = visit(scene(wave=np.zeros(100 * SAMPLE_RATE, np.float32), attends=False))
    seen.seek(61.5)
    assert seen.page.locator("#reading").inner_text().startswith("At 1:01.5: teacher: ")
    assert (seen.page.locator("#now").inner_text(), seen.page.locator("#length").inner_text()) == ("1:01.5", "1:40.0")
    assert seen.page.locator("#axis").inner_text().split("\n")[:3] == ["0:00", "0:10", "0:20"]


@pytest.mark.parametrize("width", [1280, 380])
def test_one_track_alone_and_one_without_attention(visit, width):
    seen = visit(scene(attends=False, truth={}, true_labels=None), width=width)
    assert "Attention" not in lanes(seen.page) and not seen.page.locator(".tracks").is_visible()
    seen.page.locator(".help summary").click()
    assert not seen.page.locator("#about-truth").is_visible() and not seen.page.locator("#about-attention").is_visible()
    assert seen.page.locator("#track-title").inner_text().startswith("First tune")
    assert seen.fits() and seen.quiet
