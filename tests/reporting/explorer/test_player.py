"""The player's sound is the waveform, its HTML harmless and always the same, its cursor where time runs."""

from __future__ import annotations

import base64
import io
import re

import numpy as np
import pytest
import soundfile
from PIL import Image

from mtt.config import SAMPLE_RATE
from mtt.data.audio import encode_mp3
from mtt.reporting import figures
from mtt.reporting.explorer.player import Player, gallery, time_area
from tests.reporting.explorer.made import noise, timeline, tune


def decoded(mp3):
    return soundfile.read(io.BytesIO(mp3), dtype="float32")


@pytest.mark.parametrize("seconds", [0.05, 1.0, 10.01])
def test_mp3_has_the_waveform_in_it(seconds):
    wave = tune(seconds=seconds) + 0.1 * noise(seconds)
    page = Player(wave, timeline(), "A")._repr_html_()
    heard, rate = decoded(base64.b64decode(re.search(r'src="data:audio/mpeg;base64,([^"]+)"', page)[1]))
    assert (rate, heard.shape) == (SAMPLE_RATE, wave.shape)
    assert np.corrcoef(heard, wave)[0, 1] > 0.99


def test_mp3_costs_seven_kilobytes_a_second():
    assert 6900 < (len(encode_mp3(noise(11))) - len(encode_mp3(noise(1)))) / 10 < 7100


def test_loud_sound_is_clipped_not_wrapped():
    heard, _ = decoded(encode_mp3(8 * tune(seconds=1)))
    assert np.corrcoef(heard, np.clip(8 * tune(seconds=1), -1, 1))[0, 1] > 0.98


def test_html_is_the_same_every_time_and_names_no_id_and_no_address():
    pages = [Player(noise(1), timeline(), "A", "b")._repr_html_() for _ in range(2)]
    page = re.sub(r"<svg.*?</svg>", "", pages[0], flags=re.DOTALL)
    assert pages[0] == pages[1] and " id=" not in page
    assert not re.search(r"https?:|//\w|@import|url\((?!#)", re.sub(r"base64,[^\"]+", "", pages[0]))


def test_cursor_area_is_where_the_axes_are_on_the_image():
    picture = timeline(2)
    axes = picture.figure.axes[0]
    axes.set_facecolor("#123456")
    axes.grid(visible=False)
    pixels = np.asarray(Image.open(io.BytesIO(picture.png())).convert("RGB")).astype(int)
    inside = np.abs(pixels - [0x12, 0x34, 0x56]).max(axis=2) < 12
    columns, rows, area = np.flatnonzero(inside.any(axis=0)), np.flatnonzero(inside.any(axis=1)), time_area(picture.figure)
    height, width = inside.shape
    found = [area["left"] * width, area["top"] * height, area["width"] * width, area["height"] * height]
    np.testing.assert_allclose(np.array(found) / 100, [columns[0], rows[0], np.ptp(columns) + 1, np.ptp(rows) + 1], atol=3)
    assert (area["start"], area["end"]) == (0.0, 2.0)


def test_cursor_spans_all_time_axes_and_no_colour_bar():
    alone, below = figures.mel_spectrogram(noise(1), "nothing"), figures.timeline({"piano": [(0.0, 1.0)]}, noise(1), "nothing")
    for picture, count in ((alone, 1), (below, 2)):
        picture.png()
        area, axes = time_area(picture.figure), [one.get_position() for one in picture.figure.axes[:count]]
        assert (area["left"], area["left"] + area["width"]) == pytest.approx((100 * axes[0].x0, 100 * axes[0].x1))
        assert (area["top"], area["height"]) == pytest.approx((100 * (1 - axes[0].y1), 100 * (axes[0].y1 - axes[-1].y0)))
    assert alone.figure.axes[0].get_position().x1 < alone.figure.axes[1].get_position().x0


def test_gallery_holds_every_player_and_the_script_once():
    page = gallery([Player(noise(0.1, seed), timeline(), f"clip {seed}") for seed in range(3)])._repr_html_()
    assert re.findall(r"<strong>(clip \d)</strong>", page) == ["clip 0", "clip 1", "clip 2"]
    assert page.count("<script>") == 1
    assert "no track to hear" in gallery([])._repr_html_()  # as where no missing label is found
