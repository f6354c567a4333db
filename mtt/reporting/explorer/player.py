"""Sound that can be heard beside its picture: an audio element whose position moves as a cursor over a figure's time
axes.

Conventions: sound is mono, coded as constant-rate MP3 (56 kbit/s at 22 050 Hz: 7 kB a second, 9.4 kB as page text)
inside the page; a constant rate lets every browser seek exactly. Time is in seconds from the start of the waveform.
The page needs no request, so its policy may be ``default-src 'none'`` with inline scripts and styles and ``data:``
images and media. The same sound and figure give the same bytes. Nothing is found by an id, so a player may stand on a
page twice.

Keys, once the figure has the focus: left and right arrow one second, Home and End, space to play or pause. Click or
drag to seek.
"""

from __future__ import annotations

import base64
import hashlib
import html
import io
from collections.abc import Sequence

import numpy as np
import soundfile
from matplotlib.figure import Figure

from mtt.reporting.figures.draw import DISPLAY_WIDTH, LEAST_WIDTH, TIME_AXIS, Picture

MP3_RATES = (8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100, 48000)  # Hz, the rates that the format has
COMPRESSION = 0.7  # of soundfile's 0–1; the smallest rate at 22 050 Hz whose header still keeps the exact length
COMPACT_WIDTH, FIGURE_WIDTH = 250, 420  # CSS pixels, the least width of a gallery's columns
CURSOR = "position:absolute;top:0;bottom:0;left:0;width:2px;margin-left:-1px;background:#D55E00;box-shadow:0 0 0 1px #fff"

SCRIPT = """
for (const player of document.querySelectorAll('.mtt-player:not([data-ready])')) {
  player.dataset.ready = 'yes';
  const audio = player.querySelector('audio'), area = player.querySelector('[role=slider]');
  audio.addEventListener('play', () => {
    for (const other of document.querySelectorAll('.mtt-player audio')) if (other !== audio) other.pause();
  });
  if (!area) continue;
  const from = Number(area.dataset.from), to = Number(area.dataset.to), cursor = area.firstElementChild;
  const draw = () => {
    const time = audio.currentTime, place = (time - from) / (to - from);
    cursor.style.left = 100 * place + '%';
    cursor.style.visibility = place < 0 || place > 1 ? 'hidden' : 'visible';
    area.setAttribute('aria-valuenow', time.toFixed(1));
    area.setAttribute('aria-valuetext', time.toFixed(1) + ' seconds');
  };
  const frame = area.parentElement.parentElement;
  const follow = () => {
    draw();
    frame.scrollLeft = area.offsetLeft + cursor.offsetLeft - frame.clientWidth / 2;  // where the figure is wider than the page
    if (!audio.paused) requestAnimationFrame(follow);
  };
  const seek = time => { audio.currentTime = Math.min(Math.max(time, 0), audio.duration || to); draw(); };
  const point = event => {
    const box = area.getBoundingClientRect();
    seek(from + (event.clientX - box.left) / box.width * (to - from));
  };
  const keys = {
    ArrowLeft: () => seek(audio.currentTime - 1), ArrowRight: () => seek(audio.currentTime + 1),
    ArrowDown: () => seek(audio.currentTime - 1), ArrowUp: () => seek(audio.currentTime + 1),
    Home: () => seek(0), End: () => seek(audio.duration || to),
    ' ': () => audio.paused ? audio.play().catch(() => {}) : audio.pause(),
  };
  area.addEventListener('click', point);
  area.addEventListener('pointermove', event => {
    if (event.pointerType === 'mouse' && event.buttons & 1) point(event);
  });
  area.addEventListener('keydown', event => {
    if (!keys[event.key] || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault(); event.stopPropagation(); keys[event.key]();
  });
  for (const name of ['timeupdate', 'seeking', 'seeked', 'loadedmetadata']) audio.addEventListener(name, draw);
  audio.addEventListener('play', follow);
  draw();
}
"""


class Player:
    """A sound with a title, and with a figure over which a cursor follows the sound; shows itself in Jupyter and in
    an offline page.

    Args:
        waveform: (samples,) mono in [-1, 1]; what lies outside is clipped.
        sample_rate: Hz, one of ``MP3_RATES``.
        picture: a ``Picture`` or a figure with at least one axes over seconds (one that carries the gid
            ``TIME_AXIS``; a bare figure's first axes otherwise). None gives the compact form: title and sound.
        title: shown above and read out.
        description: a sentence under the title.

    Raises:
        ValueError: the waveform is empty, not mono or not finite, the rate is not an MP3 rate, or the time axes do
            not line up.
    """

    def __init__(
        self,
        waveform: np.ndarray,
        sample_rate: int,
        picture: Picture | Figure | None = None,
        title: str = "Listen",
        description: str = "",
    ) -> None:
        self.mp3 = encode_mp3(waveform, sample_rate)
        self.seconds = np.size(waveform) / sample_rate
        self.picture = Picture(picture, title) if isinstance(picture, Figure) else picture
        self.title = title
        self.description = description

    def _repr_html_(self) -> str:
        stage = "" if self.picture is None else _stage(self.picture, self.title)
        words = f"<strong>{html.escape(self.title)}</strong>"
        if self.description:
            words += f" <span>{html.escape(self.description)}</span>"
        source = base64.b64encode(self.mp3).decode("ascii")
        body = (
            f'<p style="margin:0 0 .4em">{words}</p>{stage}'
            f'<audio controls preload="metadata" aria-label="Sound of {html.escape(self.title)}" '
            f'style="display:block;width:100%" src="data:audio/mpeg;base64,{source}"></audio>'
        )
        name = hashlib.sha256(body.encode()).hexdigest()[:12]
        return (
            f'<div class="mtt-player" data-player="{name}" data-seconds="{self.seconds:.3f}" role="group" '
            f'aria-label="{html.escape(self.title)}" style="margin:1em 0;max-width:{DISPLAY_WIDTH}px;min-width:0">'
            f"{body}<script>{SCRIPT}</script></div>"
        )


class Gallery:
    """Several players in as many columns as the page has room for."""

    def __init__(self, players: Sequence[Player], columns: int | None = None) -> None:
        if not players:
            raise ValueError("gallery: no players; give at least one")
        self.players = list(players)
        self.columns = columns

    def _repr_html_(self) -> str:
        least = COMPACT_WIDTH if all(player.picture is None for player in self.players) else FIGURE_WIDTH
        share = f"max({least}px,calc({100 / self.columns:.4f}% - 1.2em))" if self.columns else f"{least}px"
        template = f"repeat(auto-fill,minmax(min(100%,{share}),1fr))"
        grid = f"--mtt-figure:{FIGURE_WIDTH}px;display:grid;gap:0 1.2em;grid-template-columns:{template}"
        return f'<div style="{grid}">{"".join(player._repr_html_() for player in self.players)}</div>'


def gallery(players: Sequence[Player], columns: int | None = None) -> Gallery:
    """``players`` in a grid that gives way to one column on a narrow page; ``columns`` limits how many stand side by
    side.
    """
    return Gallery(players, columns)


def compare(before: Player, after: Player) -> Gallery:
    """Two players side by side, or one above the other on a narrow page; playing one pauses the other."""
    return Gallery([before, after], columns=2)


def encode_mp3(waveform: np.ndarray, sample_rate: int) -> bytes:
    """Mono MP3 of constant rate; decoded, it has the waveform's length to the sample at 22 050 Hz."""
    waveform = np.asarray(waveform, dtype=np.float32)
    if waveform.ndim != 1 or waveform.size == 0:
        raise ValueError(f"a waveform of shape {waveform.shape}; give mono samples, shape (samples,)")
    if not np.isfinite(waveform).all():
        raise ValueError(f"sample {int(np.argmin(np.isfinite(waveform)))} of the waveform is not finite; clean it first")
    if sample_rate not in MP3_RATES:
        raise ValueError(f"MP3 has no rate of {sample_rate} Hz; resample to one of {', '.join(map(str, MP3_RATES))}")
    buffer = io.BytesIO()
    settings = {
        "format": "MP3",
        "subtype": "MPEG_LAYER_III",
        "bitrate_mode": "CONSTANT",
        "compression_level": COMPRESSION,
    }
    soundfile.write(buffer, np.clip(waveform, -1, 1), sample_rate, **settings)
    return buffer.getvalue()


def time_area(figure: Figure) -> tuple[float, float, float, float, float, float]:
    """Where time runs on a drawn figure: left, right, top, bottom as shares of the image (top left is 0, 0), first
    and last second.

    Raises:
        ValueError: the figure has no axes, or its time axes differ in place or limits.
    """
    if not figure.axes:
        raise ValueError("a figure without axes; draw something over time, or pass no figure")
    over_time = [axes for axes in figure.axes if axes.get_gid() == TIME_AXIS] or figure.axes[:1]
    boxes = np.array([axes.get_position().extents for axes in over_time])
    limits = np.array([axes.get_xlim() for axes in over_time])
    if np.ptp(boxes[:, [0, 2]], axis=0).max() > 1e-6 or np.ptp(limits, axis=0).max() > 1e-9:
        raise ValueError("the figure's time axes differ in place or limits, so one cursor cannot serve them; share x between them")
    left, right = boxes[0, [0, 2]]
    return tuple(map(float, (left, right, 1 - boxes[:, 3].max(), 1 - boxes[:, 1].min(), *limits[0])))


def _stage(picture: Picture, title: str) -> str:
    """The figure with a focusable area over its time axes that holds the cursor."""
    image = picture.image()  # drawing settles the layout, so the area is asked for afterwards
    left, right, top, bottom, start, end = time_area(picture.figure)
    sides = {"left": left, "width": right - left, "top": top, "height": bottom - top}
    place = ";".join(f"{side}:{100 * share:.4f}%" for side, share in sides.items())
    return (
        f'<div style="overflow-x:auto"><div style="position:relative;min-width:{LEAST_WIDTH}">{image}'
        f'<div role="slider" tabindex="0" aria-label="Position in {html.escape(title)}" aria-valuemin="{start:.1f}" '
        f'aria-valuemax="{end:.1f}" aria-valuenow="0" data-from="{start!r}" data-to="{end!r}" '
        'data-lm-suppress-shortcuts="true" '
        f'style="position:absolute;{place};cursor:crosshair"><div style="{CURSOR}"></div></div></div></div>'
    )
