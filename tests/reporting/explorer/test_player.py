"""The player's sound is the waveform, its HTML harmless and always the same, its cursor where time runs."""

from __future__ import annotations

import base64
import io
import re

import numpy as np
import pytest
import soundfile
from matplotlib.figure import Figure
from PIL import Image

from mtt.reporting import figures
from mtt.reporting.explorer.player import Player, compare, encode_mp3, gallery, time_area
from mtt.reporting.figures.draw import Picture, canvas, time_axis

RATE = 22_050


def sound(seconds=2.0, seed=0):
    """A chord under a slow envelope, with a little noise."""
    time = np.arange(int(seconds * RATE)) / RATE
    chord = sum(np.sin(2 * np.pi * hertz * time) for hertz in (220, 277.2, 329.6)) / 6
    noise = 0.01 * np.random.default_rng(seed).standard_normal(time.size)
    return ((0.6 + 0.4 * np.sin(2 * np.pi * 0.7 * time)) * chord + noise).astype(np.float32)


def timeline(seconds=2.0):
    figure, axes = canvas("Who plays when", 2.0)
    axes[0, 0].barh(["piano", "flute"], [1, 1], left=[0, 1])
    time_axis(axes[0, 0], seconds)
    return Picture(figure, "Timeline: piano 0 to 1 s, flute 1 to 2 s")


def mp3_of(page):
    return base64.b64decode(re.search(r'src="data:audio/mpeg;base64,([^"]+)"', page)[1])


@pytest.mark.parametrize("seconds", [0.05, 1.0, 10.01])
def test_mp3_has_the_waveform_in_it(seconds):
    waveform = sound(seconds)
    decoded, rate = soundfile.read(io.BytesIO(mp3_of(Player(waveform, RATE)._repr_html_())), dtype="float32")
    assert rate == RATE and decoded.ndim == 1
    assert decoded.size == waveform.size
    assert np.corrcoef(decoded, waveform)[0, 1] > 0.99


def test_mp3_costs_seven_kilobytes_a_second():
    assert 6900 < (len(encode_mp3(sound(11), RATE)) - len(encode_mp3(sound(1), RATE))) / 10 < 7100


def test_loud_sound_is_clipped_not_wrapped():
    decoded, _ = soundfile.read(io.BytesIO(encode_mp3(np.full(RATE, 3.0, np.float32) * sound(1), RATE)))
    assert np.corrcoef(decoded, np.clip(3 * sound(1), -1, 1))[0, 1] > 0.98


@pytest.mark.parametrize(
    ("waveform", "rate", "match"),
    [
        (np.zeros((2, 100)), RATE, r"a waveform of shape \(2, 100\); give mono"),
        (np.zeros(0), RATE, r"a waveform of shape \(0,\)"),
        (np.array([0, 0, np.inf]), RATE, "sample 2 of the waveform is not finite"),
        (np.zeros(100), 20_000, "MP3 has no rate of 20000 Hz; resample to one of 8000"),
    ],
)
def test_waveform_is_checked(waveform, rate, match):
    with pytest.raises(ValueError, match=match):
        Player(waveform, rate)


def test_html_is_the_same_every_time_and_names_the_content():
    pages = [Player(sound(), RATE, timeline(), "A", "b")._repr_html_() for _ in range(2)]
    assert pages[0] == pages[1]
    names = [re.search(r'data-player="(\w{12})"', page)[1] for page in (pages[0], Player(sound(seed=1), RATE)._repr_html_())]
    assert names[0] != names[1]
    assert " id=" not in pages[0]


def test_html_names_no_address():
    page = Player(sound(), RATE, timeline(), "A")._repr_html_()
    assert not re.search(r"https?:|//\w|@import|url\(", re.sub(r"base64,[^\"]+", "", page))


def test_title_and_description_are_text(hostile):
    page = Player(sound(0.1), RATE, timeline(), hostile, hostile)._repr_html_()
    assert hostile not in page
    assert page.count("<script>") == 1
    assert "onerror=window" not in re.sub(r'"[^"]*"|>[^<]*<', "", page)


def test_player_has_names_for_those_who_do_not_see_it():
    page = Player(sound(), RATE, timeline(), "A song")._repr_html_()
    assert 'role="group" aria-label="A song"' in page
    assert 'role="slider" tabindex="0" aria-label="Position in A song" aria-valuemin="0.0" aria-valuemax="2.0"' in page
    assert 'aria-label="Sound of A song"' in page
    assert 'alt="Timeline: piano 0 to 1 s' in page


def test_compact_player_has_no_figure():
    page = Player(sound(), RATE, title="A")._repr_html_()
    assert "<img" not in page and "slider" not in page.split("<script>")[0]


def test_cursor_area_is_where_the_axes_are_on_the_image():
    picture = timeline()
    axes = picture.figure.axes[0]
    axes.set_facecolor("#123456")
    axes.grid(visible=False)
    pixels = np.asarray(Image.open(io.BytesIO(picture.png())).convert("RGB")).astype(int)
    columns = np.flatnonzero((np.abs(pixels - [0x12, 0x34, 0x56]).max(axis=2) < 12).any(axis=0))
    rows = np.flatnonzero((np.abs(pixels - [0x12, 0x34, 0x56]).max(axis=2) < 12).any(axis=1))
    left, right, top, bottom, start, end = time_area(picture.figure)
    height, width = pixels.shape[:2]
    np.testing.assert_allclose([left * width, right * width], [columns[0], columns[-1] + 1], atol=2)
    np.testing.assert_allclose([top * height, bottom * height], [rows[0], rows[-1] + 1], atol=2)
    assert (start, end) == (0.0, 2.0)


def test_cursor_spans_all_time_axes_and_no_colour_bar():
    picture = figures.before_after(sound(), sound(), RATE, "nothing")
    picture.png()
    left, right, top, bottom, *_ = time_area(picture.figure)
    upper, lower, bar = (axes.get_position() for axes in picture.figure.axes)
    assert (left, right) == (upper.x0, upper.x1) and right < bar.x0
    assert (top, bottom) == (1 - upper.y1, 1 - lower.y0)


def test_bare_figure_uses_its_first_axes():
    figure = Figure()
    figure.subplots().set_xlim(3, 5)
    assert 'data-from="3.0" data-to="5.0"' in Player(sound(), RATE, figure, "A")._repr_html_()


def test_figures_that_one_cursor_cannot_serve_are_refused():
    with pytest.raises(ValueError, match="a figure without axes"):
        time_area(Figure())
    figure = Figure()
    for axes, end in zip(figure.subplots(2), (1, 2), strict=True):
        axes.set(xlim=(0, end), gid="time")
    with pytest.raises(ValueError, match="time axes differ in place or limits"):
        time_area(figure)


def test_gallery_and_comparison_hold_every_player():
    players = [Player(sound(0.1, seed), RATE, title=f"clip {seed}") for seed in range(3)]
    page = gallery(players)._repr_html_()
    assert re.findall(r"<strong>(clip \d)</strong>", page) == ["clip 0", "clip 1", "clip 2"]
    assert compare(*players[:2])._repr_html_().count("<audio ") == 2
    with pytest.raises(ValueError, match="no players"):
        gallery([])
