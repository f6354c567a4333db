"""The house style: pictures that are the same every time and follow the page, colours that can be read, labels that keep apart."""

from __future__ import annotations

import base64
import io
import re
import xml.etree.ElementTree as ElementTree

import matplotlib
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.colors import to_rgb
from PIL import Image

from mtt.config import FULL
from mtt.reporting import figures
from mtt.reporting.figures import draw
from mtt.reporting.figures.draw import Picture, canvas, figure, spread
from mtt.reporting.figures.style import BLUE, GREY, model_colour, text_colour
from mtt.study.recipes import lineup

COLOURS = {name: entry.colour for name, entry in lineup(FULL).items()}


@figure
def three_bars(title="Three bars", alt="Bar chart: 3, 1, 2."):
    sheet, axes = canvas(title, 2.0)
    axes[0, 0].bar(["a", "b", "$c$"], [3, 1, 2], color=BLUE)
    return Picture(sheet, alt)


def contrast_on_white(colour):
    channels = np.array(to_rgb(colour))
    linear = np.where(channels <= 0.03928, channels / 12.92, ((channels + 0.055) / 1.055) ** 2.4)
    return 1.05 / (linear @ [0.2126, 0.7152, 0.0722] + 0.05)


def test_a_decorated_function_is_a_figure_of_the_house():
    assert figures.three_bars is three_bars and "three_bars" in dir(figures)
    before = dict(matplotlib.rcParams)
    assert figures.three_bars()._repr_html_() == three_bars()._repr_html_()
    assert three_bars().figure.axes[0].yaxis.get_gridlines()[0].get_color() == "#E6E6E6"
    assert dict(matplotlib.rcParams) == before
    with pytest.raises(AttributeError, match="there is no figure 'four_bars'; there are .*models_plot.*three_bars"):
        figures.four_bars()


def test_html_is_a_figure_that_carries_its_picture_and_its_words(monkeypatch):
    drawn = three_bars(alt='Bars: "a" < 3')
    assert re.fullmatch(r"<figure [^>]*><svg .*</svg></figure>", drawn._repr_html_(), re.DOTALL)
    monkeypatch.setattr(draw, "LARGEST_SVG", 1000)  # characters
    page = drawn._repr_html_()
    assert re.fullmatch(r"<figure [^>]*><img [^>]*></figure>", page) and len(page) < 20_000
    assert 'alt="Bars: &quot;a&quot; &lt; 3"' in page and 'width="1200" height="320"' in page
    encoded = re.search(r'src="data:image/png;base64,([^"]+)"', page)[1]
    assert Image.open(io.BytesIO(base64.b64decode(encoded))).size == (1200, 320)


def test_svg_stands_in_a_page_and_follows_its_theme(hostile):
    svg = three_bars(hostile, hostile).svg("forest")
    assert svg == three_bars(hostile, hostile).svg("forest")
    root = ElementTree.fromstring(svg.replace("xlink:href", "href"))
    assert root.get("role") == "img" and root.get("aria-label") == hostile and root.get("class") == "forest"
    assert " ".join(hostile.split()) in " ".join(" ".join(text.itertext()) for text in root.iter("text"))
    assert not any(group.get("id") for group in root.iter("g"))
    styles = " ".join(element.get("style", "") for element in root.iter())
    assert "fill: var(--blue,#0072B2)" in styles and "fill: var(--paper,#FFFFFF)" in styles and "var(--sans," in styles
    assert not re.search(r"(fill|stroke): #", styles)
    first, second = (set(re.findall(r'id="([^"]+)"', one)) for one in (svg, three_bars().svg()))
    assert first and not first & second  # two of them stand on one page


@pytest.mark.parametrize(
    ("name", "known"),
    [
        *((name, name) for name in COLOURS),
        ("student-2", "student"),
        ("labels alone, as long", "supervised-long"),
        ("student-w24", "student-w32"),
        ("short_chunk ResNet", "short-chunk-resnet"),
        ("mystery", None),
    ],
)
def test_a_model_is_known_by_what_its_name_begins_with(name, known):
    assert model_colour(name) == COLOURS.get(known, GREY)


@pytest.mark.parametrize("colour", sorted(set(COLOURS.values())))
def test_text_colour_is_readable_on_white(colour):
    readable = text_colour(colour)
    assert contrast_on_white(readable) >= 4.5
    assert readable == colour.lower() or contrast_on_white(colour) < 4.5


@given(st.lists(st.floats(-2, 2), max_size=12), st.floats(0.01, 0.5))
def test_spread_keeps_labels_apart_in_order_and_moves_no_more_than_it_must(places, gap):
    places = sorted(places)
    moved = spread(places, gap, -np.inf, np.inf)
    assert len(moved) == len(places)
    assert all(later - earlier >= gap - 1e-9 for earlier, later in zip(moved, moved[1:], strict=False))
    if all(later - earlier >= gap for earlier, later in zip(places, places[1:], strict=False)):
        np.testing.assert_allclose(moved, places, atol=1e-9)
    np.testing.assert_allclose(np.sum(moved), np.sum(places), atol=1e-8)
