"""Sound that can be heard beside its picture: an audio element whose position moves as a cursor over a figure's time axes.

Conventions: sound is (samples,) at 22 050 Hz, coded as MP3 of constant rate. Time is in seconds from the start. Nothing is found
by an id, so a player may stand on a page twice; each output brings ``player.js`` along.
"""

import base64
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from markupsafe import Markup
from matplotlib.figure import Figure
from matplotlib.transforms import Bbox

from mtt.data.audio import encode_mp3
from mtt.reporting.figures.draw import DISPLAY_WIDTH, LEAST_WIDTH, TIME_AXIS, Picture
from mtt.reporting.figures.style import DPI
from mtt.reporting.pages.frame import environment

FIGURE_WIDTH = 400  # CSS pixels, the least width of a gallery's columns
PHONE_STYLE = "--mtt-figure:320px"  # how narrow a picture may become that is drawn to stand beside another


class Player:
    """A sound with a title and a figure over which a cursor follows the sound; shows itself in Jupyter and in an offline page.

    ``waveform`` is (samples,), clipped to [-1, 1]; ``picture`` has axes of gid ``TIME_AXIS``; ``description`` stands beside the title.
    """

    def __init__(self, waveform: np.ndarray, picture: Picture, title: str, description: str = "", dpi: int = DPI) -> None:
        self.title, self.description = title, description
        picture.figure.suptitle("")  # the player has a title
        self.sound = base64.b64encode(encode_mp3(waveform)).decode("ascii")
        drawn = picture.svg(least=LEAST_WIDTH, dpi=dpi)
        self.image = Markup(drawn.replace('style="', 'style="display:block;width:100%;max-width:none!important;', 1))  # the cursor's frame
        self.area = time_area(picture.figure)  # of a drawn figure: drawing settles its layout

    def _repr_html_(self) -> str:
        return _html([self])


class Gallery(NamedTuple):
    players: Sequence[Player]
    style: str = ""
    choice: bool = False  # one at a time; the first is what the others were made from. Without scripts all stand below each other.

    def _repr_html_(self) -> str:
        return _html(*self) if self.players else "<p>There is no track to hear here.</p>"


def gallery(players: Sequence[Player], columns: int | None = None) -> Gallery:
    """``players`` in a grid that gives way to one column on a narrow page; ``columns`` limits how many stand side by side."""
    share = f"max({FIGURE_WIDTH}px,calc({100 / columns:.4f}% - 1.2em))" if columns else f"{FIGURE_WIDTH}px"
    grid = f"grid-template-columns:repeat(auto-fill,minmax(min(100%,{share}),1fr))"
    least = f"--mtt-figure:{FIGURE_WIDTH}px" if columns else PHONE_STYLE
    return Gallery(players, f"{least};display:grid;gap:0 1.2em;{grid}")


def _html(players: Sequence[Player], style: str = "", choice: bool = False) -> str:
    template = environment().get_template("player.html.j2")
    return template.render(players=players, style=style, choice=choice, display_width=DISPLAY_WIDTH, least_width=LEAST_WIDTH)


def time_area(figure: Figure) -> dict[str, float]:
    """Where time runs on a drawn figure: ``left, top, width, height`` in percent of the image, first and last second (``start, end``)."""
    over_time = [axes for axes in figure.axes if axes.get_gid() == TIME_AXIS]
    box, (start, end) = Bbox.union([axes.get_position() for axes in over_time]), over_time[0].get_xlim()
    shares = {"left": box.x0, "top": 1 - box.y1, "width": box.width, "height": box.height}
    return {name: 100 * float(share) for name, share in shares.items()} | {"start": float(start), "end": float(end)}
