"""The house style: colours that can be read, labels that keep apart, pictures that are the same every time."""

from __future__ import annotations

import base64
import io
import re

import matplotlib
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.colors import to_rgb
from PIL import Image

from mtt.config import ARCHITECTURES
from mtt.reporting.figures.draw import canvas, listed, signed, spread, with_interval
from mtt.reporting.figures.picture import Picture, render
from mtt.reporting.figures.style import (
    BLUE,
    GREEN,
    GREY,
    MODEL_COLOURS,
    ORANGE,
    kind_colours,
    model_colour,
    styled,
    text_colour,
)


@styled
def bars(title="Three bars", alt="Bar chart: 3, 1, 2.", caption=""):
    figure, axes = canvas(title, 2.0)
    axes[0, 0].bar(["a", "b", "c"], [3, 1, 2])
    return Picture(figure, alt, caption)


def contrast_on_white(colour):
    channels = np.array(to_rgb(colour))
    linear = np.where(channels <= 0.03928, channels / 12.92, ((channels + 0.055) / 1.055) ** 2.4)
    return 1.05 / (linear @ [0.2126, 0.7152, 0.0722] + 0.05)


def test_html_is_a_figure_that_carries_its_picture_and_its_words():
    page = bars(alt='Bars: "a" < 3', caption="A leads & stays.")._repr_html_()
    assert re.fullmatch(r"<figure [^>]*><img [^>]*><figcaption [^>]*>A leads &amp; stays\.</figcaption></figure>", page)
    assert 'alt="Bars: &quot;a&quot; &lt; 3"' in page
    encoded = re.search(r'src="data:image/png;base64,([^"]+)"', page)[1]
    assert Image.open(io.BytesIO(base64.b64decode(encoded))).size == (1200, 320)
    assert "figcaption" not in bars()._repr_html_()


def test_same_figure_same_bytes_and_small():
    first, second = bars()._repr_html_(), bars()._repr_html_()
    assert first == second
    assert len(first) < 20_000


def test_palette_is_used_only_where_it_changes_nothing_visible():
    figure, axes = canvas("Colours", 3.0)
    across, down = np.meshgrid(np.linspace(0, 1, 300), np.linspace(0, 1, 300))
    rainbow = np.stack([across, down, 1 - across * down], axis=-1)
    axes[0, 0].imshow(rainbow)
    assert Image.open(io.BytesIO(render(figure))).mode == "RGB"
    flat = bars()
    assert Image.open(io.BytesIO(flat.png())).mode == "P"
    full = io.BytesIO()
    with matplotlib.rc_context():
        flat.figure.savefig(full, format="png", dpi=160)
    shown = np.asarray(Image.open(io.BytesIO(flat.png())).convert("RGB"), float)
    assert np.abs(shown - np.asarray(Image.open(full).convert("RGB"), float)).max() <= 12


@pytest.mark.parametrize("kind", ["png", "svg"])
def test_save_writes_the_same_file_each_time(tmp_path, kind):
    paths = [tmp_path / f"{name}.{kind}" for name in "ab"]
    for path in paths:
        assert bars().save(path) == path
    assert paths[0].read_bytes() == paths[1].read_bytes()
    assert sorted(tmp_path.iterdir()) == paths


def test_save_refuses_other_kinds(tmp_path):
    with pytest.raises(ValueError, match=r"a\.gif: a picture is saved as \.png or \.svg"):
        bars().save(tmp_path / "a.gif")


def test_drawing_leaves_global_settings_alone():
    before = dict(matplotlib.rcParams)
    bars()._repr_html_()
    assert dict(matplotlib.rcParams) == before


def test_every_architecture_has_its_own_colour():
    colours = [model_colour(name) for name in ARCHITECTURES]
    assert len(set(colours)) == len(ARCHITECTURES)
    assert set(colours) <= set(MODEL_COLOURS.values())


@pytest.mark.parametrize(
    ("name", "known"),
    [
        ("KE student, iteration 2", "student KE"),
        ("student-kd", "student KD"),
        ("kd1", "student KD"),
        ("Short-chunk ResNet", "short_chunk_resnet"),
        ("Sample-level CNN", "sample_cnn"),
        ("FCN", "fcn"),
        ("CRNN", "crnn"),
        ("teacher, no augmentation", "teacher without augmentation"),
        ("teacher_shared_artists", "teacher on shared artists"),
        ("Music Tagging Transformer", "teacher"),
        ("teacher", "teacher"),
        ("teacher-plain", "teacher without augmentation"),
        ("student-2", "student KE"),
        ("student-distilled", "student KD"),
        ("control-no-noise", "control"),
        ("hand-made features", "hand-made features"),
    ],
)
def test_a_model_is_known_by_the_words_in_its_name(name, known):
    assert model_colour(name) == MODEL_COLOURS[known]


def test_unknown_model_is_grey():
    assert model_colour("mystery") == GREY


def test_known_kinds_keep_their_colour_whatever_else_there_is():
    colours = kind_colours(["era", "genre", "instrument", "zither"])
    assert (colours["genre"], colours["instrument"]) == (BLUE, ORANGE)
    assert len(set(colours.values())) == 4
    assert kind_colours(["mood"]) == {"mood": GREEN}


@pytest.mark.parametrize("colour", sorted(set(MODEL_COLOURS.values())))
def test_text_colour_is_readable_on_white(colour):
    assert contrast_on_white(text_colour(colour)) >= 4.5


def test_text_colour_leaves_readable_colours_alone():
    assert text_colour(BLUE) == BLUE.lower()


@given(st.lists(st.floats(-2, 2), max_size=12), st.floats(0.01, 0.5))
def test_spread_keeps_labels_apart_in_order_and_moves_no_more_than_it_must(places, gap):
    places = sorted(places)
    moved = spread(places, gap)
    assert len(moved) == len(places)
    assert all(later - earlier >= gap - 1e-9 for earlier, later in zip(moved, moved[1:], strict=False))
    if all(later - earlier >= gap for earlier, later in zip(places, places[1:], strict=False)):
        np.testing.assert_allclose(moved, places, atol=1e-9)
    np.testing.assert_allclose(np.sum(moved), np.sum(places), atol=1e-8)


def test_spread_stays_inside_where_there_is_room():
    np.testing.assert_allclose(spread([0.0, 0.0, 0.9], 0.1, 0, 1), [0.0, 0.1, 0.9])
    np.testing.assert_allclose(spread([0.3, 1.0, 1.0, 1.0], 0.2, 0, 1), [0.3, 0.6, 0.8, 1.0])


def test_words_of_numbers():
    row = {"estimate": -0.0123, "low": -0.02, "high": 0.001}
    assert with_interval(row, sign=True) == "−0.012 [−0.020, +0.001]"
    assert [signed(value) for value in (0.02, 0.0, -0.5)] == ["+0.02", "0", "−0.5"]
    assert listed(["a", "b", "c"], most=2) == "a; b; and 1 more"
