"""``Picture``: a figure that carries its own alternative text and conclusion, and shows itself in a notebook or an
offline page.

Conventions: 1200 image pixels for up to 900 CSS pixels; on a narrow page a figure shrinks to 500 CSS pixels and then
scrolls sideways inside its own frame, so that its text stays readable. The same figure gives the same bytes.
"""

from __future__ import annotations

import base64
import html
import io
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from PIL import Image

from mtt.files import write_whole
from mtt.reporting.figures.style import DPI, styled

DISPLAY_WIDTH = 900  # CSS pixels, at most
# A figure narrower than this would be too small to read, so it scrolls; a layout of several figures sets the variable.
LEAST_WIDTH = "var(--mtt-figure,500px)"
PALETTE_ERROR = 2.0  # largest root-mean-square error (of 255) at which a 256-colour palette counts as the same picture


@dataclass(frozen=True)
class Picture:
    """A matplotlib figure with the text that stands for it (``alt``) and the sentence under it (``caption``).

    Shown by Jupyter as ``<figure><img alt=… src="data:image/png;base64,…"><figcaption>…</figcaption></figure>``: no
    request, no script.
    """

    figure: Figure
    alt: str
    caption: str = ""

    def png(self) -> bytes:
        """The figure as PNG, 1200 pixels wide, in a 256-colour palette where that changes nothing visible."""
        return render(self.figure)

    def save(self, path: str | Path) -> Path:
        """Write the figure to ``path`` (.png or .svg), atomically and without a date in it."""
        path = Path(path)
        kind = path.suffix.lower().removeprefix(".")
        if kind not in ("png", "svg"):
            raise ValueError(f"{path.name}: a picture is saved as .png or .svg; change the file's suffix")
        write_whole(path, self.png() if kind == "png" else _svg(self.figure))
        return path

    def _repr_html_(self) -> str:
        caption = html.escape(self.caption)
        if caption:
            caption = f'<figcaption style="position:sticky;left:0">{caption}</figcaption>'
        return (
            f'<figure style="margin:1em 0;max-width:{DISPLAY_WIDTH}px;overflow-x:auto">{image_tag(self.png(), self.alt)}{caption}</figure>'
        )


@styled
def render(figure: Figure) -> bytes:
    """PNG bytes of ``figure`` on its full canvas (never cropped, so that axes positions hold on the image)."""
    _settle(figure)
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=DPI, metadata={"Software": None})
    return _reduced(buffer.getvalue())


def _settle(figure: Figure) -> None:
    """Lay the figure out once and for all: each pass of matplotlib's engine would move things by a little more."""
    if figure.get_layout_engine() is not None:
        for _ in range(2):
            figure.draw_without_rendering()
        figure.set_layout_engine("none")


def image_tag(png: bytes, alt: str) -> str:
    """An ``<img>`` with the picture inside it, as wide as its frame."""
    width, height = Image.open(io.BytesIO(png)).size
    source = base64.b64encode(png).decode("ascii")
    style = f"display:block;width:100%;min-width:{LEAST_WIDTH};max-width:none;height:auto"
    return f'<img alt="{html.escape(alt)}" width="{width}" height="{height}" style="{style}" src="data:image/png;base64,{source}">'


def _reduced(png: bytes) -> bytes:
    """The same picture with a palette, where that is smaller and its error is below what an eye would see."""
    image = Image.open(io.BytesIO(png)).convert("RGB")
    small = image.quantize(256, method=Image.Quantize.MAXCOVERAGE, kmeans=2, dither=Image.Dither.NONE)
    difference = np.asarray(small.convert("RGB"), np.float32) - np.asarray(image, np.float32)
    buffer = io.BytesIO()
    chosen = small if np.sqrt(np.mean(difference**2)) <= PALETTE_ERROR else image
    chosen.save(buffer, format="PNG", optimize=True)
    return min(buffer.getvalue(), png, key=len)


@styled
def _svg(figure: Figure) -> bytes:
    _settle(figure)
    buffer = io.BytesIO()
    figure.savefig(buffer, format="svg", metadata={"Date": None})
    return buffer.getvalue()
