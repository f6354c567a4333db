"""The explorer: a page on which one hears a track and sees, at the same moment, what each model hears in it and where it looks.

Conventions: scenes (module ``scenes``) share one time axis, in seconds. The page holds them as JSON: numbers as base64 of one byte
each (probabilities in steps of 1/255, attention in steps of 1/255 of its largest), sound as MP3, spectrograms as grey JPEG. ``<``, ``>``,
``&`` and all but ASCII are escaped, so that no title can end the script.
"""

from __future__ import annotations

import base64
import io
import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import librosa
import numpy as np
from markupsafe import Markup
from PIL import Image

from mtt.config import SAMPLE_RATE, ModelConfig
from mtt.explain.attention import AttentionCurves
from mtt.explain.curves import TagCurves
from mtt.explain.recording import Recording
from mtt.models import load_model
from mtt.reporting.explorer.player import encode_mp3
from mtt.reporting.explorer.scenes import Scene, Segments, choose_scenes, corpus_scene, scene_of
from mtt.reporting.figures.sound import FREQUENCIES, RANGE_DB, mel_power
from mtt.reporting.figures.style import BLUE, GREEN, PURPLE, VERMILLION, model_colour
from mtt.reporting.pages.frame import TEMPLATES, Page, duration, page_text, render_page

__all__ = ["Scene", "choose_scenes", "corpus_scene", "explain_file", "render_explorer", "scene_of"]

LONGEST = 600.0  # seconds of a file that are shown
COLUMNS = 1200  # of a spectrogram's picture, at most
SHOWN_AT_FIRST = 7  # tags: those that the note is about, the likeliest, and then the true ones
LIKELIEST = 4
# Colours that the page has for light and dark; the truth has orange.
PAGE_COLOURS = {BLUE: "--blue", GREEN: "--green", VERMILLION: "--vermillion", PURPLE: "--purple"}


def render_explorer(
    scenes: Sequence[Scene],
    out: Path,
    pages: Sequence[Page] = (),
    provenance: Mapping | None = None,
    title: str = "Explorer",
    lede: str = "What do the models hear, when, and where do they look? Play a track; click anywhere to go there.",
) -> Path:
    """Write the scenes as one offline page and return ``out``. Raises ``ValueError`` where there is no scene, or one without a model."""
    scenes = list(scenes)
    if not scenes or not all(scene.curves for scene in scenes):
        raise ValueError("explorer: nothing to show; give at least one scene, each with the curves of at least one model")
    return render_page(
        Path(out),
        "explorer.html.j2",
        title=title,
        lede=lede,
        description=lede,
        pages=pages,
        provenance=provenance,
        several=len(scenes) > 1,
        **_program([encode_scene(scene) for scene in scenes]),
    )


def embedded_page(scene: dict, key: str) -> str:
    """The explorer of one encoded scene as the document of a frame in a notebook.

    Of pages with the same ``key`` that follow each other in one window, each goes on where the last one was.
    """
    return page_text("explorer_embedded.html.j2", "explorer", title="Explorer", key=key, several=False, **_program([scene]))


def _program(scenes: list[dict]) -> dict:
    """Style, script and data of the page."""
    return {"css": _source("style.css") + _source("explorer.css"), "script": _source("explorer.js"), "data": as_script_json(scenes)}


def explain_file(audio: Path, models: Mapping[str, Path] | Path, out: Path) -> Path:
    """Write the explorer of one file, as the models in these folders see it; of a long file its first ten minutes.

    Raises ``AudioError`` for a file that cannot be read and ``CheckpointError`` for a folder that holds no model.
    """
    audio = Path(audio)
    folders = models if isinstance(models, Mapping) else {Path(models).resolve().name: models}
    recording = Recording(audio)
    whole = recording.seconds <= LONGEST
    note = "" if whole else f"The first {duration(LONGEST)} of {duration(recording.seconds)}."
    wave = recording.read(0, round(LONGEST * SAMPLE_RATE))
    scene = scene_of({name: load_model(folder) for name, folder in folders.items()}, wave, audio.name, note=note)
    return render_explorer([scene], out, title=audio.name)


def encode_scene(scene: Scene, sound: Mapping | None = None) -> dict:
    """A scene as the page's script reads it; every value is JSON. ``sound``: what ``encode_sound`` gives for its waveform, if known."""
    if len(scene.wave) == 0 or any(len(curves.times) == 0 for curves in scene.curves.values()):
        raise ValueError(f"{scene.title}: no sound or no points; give a longer recording")
    tags = scene.tags
    true = list(scene.labels or []) if scene.true_labels is None else list(scene.true_labels)
    wanted = [tag for tag in scene.about if tag in tags] + tags[:LIKELIEST] + [tag for tag in tags if tag in true]
    shown = set(list(dict.fromkeys(wanted))[:SHOWN_AT_FIRST])
    return {
        "title": scene.title,
        "artist": scene.artist,
        "note": scene.note,
        "seconds": round(scene.seconds, 3),
        **(encode_sound(scene.wave, scene.sample_rate) if sound is None else sound),
        "knowsTruth": scene.true_labels is not None,
        "tags": [
            {
                "name": tag,
                "shown": tag in shown,
                "labelled": tag in (scene.labels or ()),
                "true": tag in true,
                "spans": _encode_spans((scene.truth or {}).get(tag)),
            }
            for tag in tags
        ],
        "models": [
            _encode_model(name, curves, tags, scene.attention.get(name), place) for place, (name, curves) in enumerate(scene.curves.items())
        ],
    }


def encode_sound(wave: np.ndarray, sample_rate: int) -> dict:
    """Sound and spectrogram of a scene: what takes time and does not depend on a model."""
    return {"sound": _base64(encode_mp3(wave, sample_rate)), **_spectrogram(wave, sample_rate)}


def _encode_spans(spans: Segments | None) -> list[list[float]] | None:
    """None where it is not known when a tag sounds, empty where it never does."""
    return None if spans is None else [[round(float(start), 3), round(float(end), 3)] for start, end in spans]


def quantise(values: np.ndarray, largest: float = 1.0) -> np.ndarray:
    """Values in 0 to ``largest`` as uint8, in 255 steps: off by at most half a step."""
    return np.rint(np.clip(np.asarray(values, float) / largest, 0, 1) * 255).astype(np.uint8)


def as_script_json(value: object) -> Markup:
    """JSON that may stand in a script element, whatever its texts hold."""
    text = json.dumps(value, ensure_ascii=True, allow_nan=False, separators=(",", ":"))
    return Markup(text.replace("&", "\\u0026").replace("<", "\\u003c").replace(">", "\\u003e"))


def _encode_model(name: str, curves: TagCurves, tags: list[str], attention: AttentionCurves | None, place: int) -> dict:
    colour = PAGE_COLOURS.get(model_colour(name), list(PAGE_COLOURS.values())[place % len(PAGE_COLOURS)])
    columns = [curves.tags.index(tag) if tag in curves.tags else -1 for tag in tags]
    return {
        "name": name,
        "colour": colour,
        "window": round(min(curves.window, 2 * float(curves.times[0])), 3),
        "times": np.round(curves.times, 3).tolist(),
        "columns": columns,  # of each of the scene's tags, -1 where the model does not know it
        "probabilities": _base64(quantise(curves.probabilities.T).tobytes()),  # tag by tag
        "attention": None if attention is None else _encode_attention(attention),
    }


def _encode_attention(attention: AttentionCurves) -> dict:
    layers, heads, frames = attention.heads.shape
    rows = np.concatenate((attention.heads.reshape(-1, frames), attention.rollout[None]))
    largest = np.maximum(rows.max(axis=1), 1e-6)
    return {
        "times": np.round(attention.times, 3).tolist(),
        "layers": layers,
        "heads": heads,
        "largest": [float(f"{value:.6g}") for value in largest],
        "rows": _base64(quantise(rows, largest[:, None]).tobytes()),  # layer by layer, head by head, then the rollout
    }


def _spectrogram(wave: np.ndarray, sample_rate: int) -> dict:
    """The mel spectrogram as a grey picture, low frequencies at the bottom, and the places of its ticks from the bottom."""
    power = mel_power(np.pad(wave, (0, max(0, ModelConfig().n_fft - len(wave)))), sample_rate)
    power = power[:, : max(1, round(len(wave) / ModelConfig().hop))]
    joined = -(-power.shape[1] // COLUMNS)
    power = np.maximum.reduceat(power, np.arange(0, power.shape[1], joined), axis=1)
    level = 10 * np.log10(np.maximum(power / max(power.max(), 1e-10), 10 ** (-RANGE_DB / 10)))
    buffer = io.BytesIO()
    Image.fromarray(quantise(1 + level[::-1] / RANGE_DB)).save(buffer, format="JPEG", quality=72, optimize=True)
    top = librosa.hz_to_mel(sample_rate / 2, htk=True)
    ticks = [[f"{hertz / 1000:g} kHz", round(float(librosa.hz_to_mel(hertz, htk=True) / top), 4)] for hertz in FREQUENCIES[1:]]
    return {"spectrogram": _base64(buffer.getvalue()), "ticks": [tick for tick in ticks if tick[1] < 1]}


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode("ascii")


def _source(name: str) -> Markup:
    return Markup((TEMPLATES / name).read_text(encoding="utf-8"))
