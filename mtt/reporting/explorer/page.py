"""The explorer: a page on which one hears a track and sees, at the same moment, what each model hears in it and where it looks.

Conventions: time is in seconds. The page holds its scenes as JSON: numbers as base64 of one byte each (probabilities in steps of 1/255,
attention in steps of 1/255 of its largest), sound as MP3, spectrograms as grey JPEG.
"""

import base64
import io
import os
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from PIL import Image
from tqdm import tqdm

from mtt.config import ModelConfig
from mtt.data.audio import encode_mp3
from mtt.explain.attention import AttentionCurves
from mtt.explain.spectrogram import MEL_TICKS, RANGE_DB, decibels, mel_power
from mtt.models import load_model
from mtt.models.frontend import TaggingModel
from mtt.reporting.explorer.portable import portable_models
from mtt.reporting.explorer.scenes import Heard, Scene, Track, heard_by, song_track
from mtt.reporting.explorer.song import Song
from mtt.reporting.figures.style import BLUE, GREEN, PAGE_COLOURS, PURPLE, VERMILLION, model_colour
from mtt.reporting.pages.frame import CONTENT_SECURITY_POLICY, Page, page_text, render_page

COLUMNS = 1200  # of a spectrogram's picture, at most
SHOWN_AT_FIRST = 7  # tags: those that the note is about, the likeliest, and then the true ones
LIKELIEST = 4
CURVE_COLOURS = (BLUE, GREEN, VERMILLION, PURPLE)  # the truth has orange
TICKS = [[f"{hertz / 1000:g} kHz", round(share, 4)] for hertz, share in MEL_TICKS.items() if hertz >= 1000]  # beside a spectrogram
MARKS = {  # of a tag, by whether it is labelled and whether it is true (None: not known)
    (True, None): ("✓", "in the labels"),
    (True, True): ("✓", "true, and in the labels"),
    (False, True): ("✓ no label", "true, but missing from the labels"),
    (True, False): ("✗", "in the labels, but not true"),
}


def render_explorer(
    scenes: Sequence[Scene],
    out: str | Path,
    pages: Sequence[Page] = (),
    provenance: Mapping | None = None,
    title: str = "Explorer",
    models: Mapping[str, TaggingModel] | None = None,
) -> Path:
    """Write scenes, each of one model at least, as one offline page and return ``out``.

    The page carries ``models``, by name, for the reader's own songs; without scenes it waits for one. Raises ``MttError`` for a model that
    no page can carry.
    """
    lede = "What do the models hear, when, and where do they look? Play a track; click anywhere to go there."
    if not scenes:
        lede = "Drop a song on this page: what is in it, when, and where does the model look?"
    told = {"title": title, "lede": lede, "description": lede, "pages": pages, "provenance": provenance}
    carried = _carried(models) if models else None
    policy = f"{CONTENT_SECURITY_POLICY}; worker-src blob:" if models else CONTENT_SECURITY_POLICY
    return render_page(Path(out), "explorer.html.j2", scenes=[encode_scene(scene) for scene in scenes], carried=carried, csp=policy, **told)


def embedded_page(scene: dict) -> str:
    """The explorer of one encoded scene as the document of a frame in a notebook; it goes on where the last one there was."""
    return page_text("explorer_embedded.html.j2", "explorer", title="Explorer", scenes=[scene], carried=None)


def model_page(models: Sequence[str | Path], out: str | Path) -> Path:
    """Write a page that tags and explains songs by itself, with the models in these folders. Raises ``MttError`` as ``render_explorer``."""
    return render_explorer(
        [], out, title="A music tagger", models={name: load_model(folder) for name, folder in short_names(models).items()}
    )


def song_page(song: Song, models: Sequence[str | Path], out: str | Path) -> Path:
    """Write the explorer of a song, as the models in these folders see it. Raises ``CheckpointError`` for a folder that holds no model."""
    track, loaded = song_track(song), {name: load_model(folder) for name, folder in short_names(models).items()}
    listening = tqdm(loaded.items(), "listening", unit="model", leave=False, disable=None)
    scene = Scene(track, {name: heard_by(model, track.recording) for name, model in listening})
    return render_explorer([scene], out, title=song.name)


def short_names(folders: Sequence[str | Path]) -> dict[str, Path]:
    """Each folder once, under the shortest end of its path that no other has: ``student``, but ``a/teacher`` beside ``b/teacher``."""
    paths = list({Path(folder).resolve(): Path(os.path.abspath(folder)) for folder in folders}.values())  # once, by the name that was given
    names = {}
    for path in paths:
        ends = (path.parts[-length:] for length in range(1, len(path.parts) + 1))
        shortest = next(end for end in ends if sum(other.parts[-len(end) :] == end for other in paths) == 1)
        names[Path(*shortest).as_posix()] = path
    return names


def encode_scene(scene: Scene, sound: Mapping | None = None) -> dict:
    """A scene as the page's script reads it; every value is JSON. ``sound``: what ``encode_sound`` gives for its track, if known."""
    track, tags = scene.track, scene.tags
    true = track.labels if track.true_labels is None else track.true_labels
    wanted = [tag for tag in track.about if tag in tags] + tags[:LIKELIEST] + [tag for tag in tags if tag in true]
    shown = set(list(dict.fromkeys(wanted))[:SHOWN_AT_FIRST])
    return {
        "title": track.title,
        "artist": track.artist,
        "note": track.note,
        "seconds": round(track.recording.seconds, 3),
        **(encode_sound(track) if sound is None else sound),
        "tags": [_encode_tag(tag, track, tag in shown) for tag in tags],
        "models": [_encode_model(name, heard, tags, place) for place, (name, heard) in enumerate(scene.heard.items())],
    }


def encode_sound(track: Track) -> dict:
    """Sound and spectrogram of a track: what takes time and does not depend on a model."""
    wave, hop = track.wave, ModelConfig().hop
    power = mel_power(np.pad(wave, (0, max(0, ModelConfig().n_fft - len(wave)))))[:, : max(1, round(len(wave) / hop))]
    joined = -(-power.shape[1] // COLUMNS)
    power = np.maximum.reduceat(power, np.arange(0, power.shape[1], joined), axis=1)
    grey, buffer = quantise(1 + decibels(power, power.max())[::-1] / RANGE_DB), io.BytesIO()  # low frequencies at the bottom
    Image.fromarray(grey).save(buffer, format="JPEG", quality=72, optimize=True)
    sound = encode_mp3(wave) if track.mp3 is None else track.mp3.result()
    return {"sound": _base64(sound), "spectrogram": _base64(buffer.getvalue()), "ticks": TICKS}


def _carried(models: Mapping[str, TaggingModel]) -> dict:
    """What the page's script needs for a song that comes later: the models, and how spectrograms are drawn."""
    given = [entry | {"colour": _colour(entry["name"], place)} for place, entry in enumerate(portable_models(models))]
    settings = {name: getattr(ModelConfig(), name) for name in ("n_fft", "hop", "n_mels", "sample_rate")}
    return {"models": given, "picture": settings | {"range": RANGE_DB, "columns": COLUMNS}, "ticks": TICKS}


def quantise(values: np.ndarray) -> np.ndarray:
    """Values in 0 to 1 as uint8, in 255 steps: off by at most half a step."""
    return np.rint(np.clip(values, 0, 1) * 255).astype(np.uint8)


def _encode_tag(tag: str, track: Track, shown: bool) -> dict:
    """``mark``: how the labels stand to the truth; ``spans``: None where it is not known when a tag sounds, empty where it never does."""
    mark, means = MARKS.get((tag in track.labels, None if track.true_labels is None else tag in track.true_labels), ("", ""))
    spans = np.round(track.truth[tag], 3).tolist() if tag in track.truth else None
    return {"name": tag, "mark": mark, "means": means, "spans": spans, "shown": shown}


def _encode_model(name: str, heard: Heard, tags: list[str], place: int) -> dict:
    curves, attention = heard
    return {
        "name": name,
        "colour": _colour(name, place),
        "window": round(min(curves.window, 2 * float(curves.times[0])), 3),
        "times": np.round(curves.times, 3).tolist(),
        "columns": [curves.tags.index(tag) if tag in curves.tags else -1 for tag in tags],  # -1 where the model does not know the tag
        "probabilities": _base64(quantise(curves.probabilities.T).tobytes()),  # tag by tag
        "attention": None if attention is None else _encode_attention(attention),
    }


def _colour(name: str, place: int) -> str:
    """The style's name for a model's own colour; for that of its ``place`` where it has none."""
    colour = model_colour(name)
    return PAGE_COLOURS[colour if colour in CURVE_COLOURS else CURVE_COLOURS[place % len(CURVE_COLOURS)]]


def _encode_attention(attention: AttentionCurves) -> dict:
    """A row for each view that the page offers."""
    rows = {"rollout": attention.rollout, "mean of all heads": attention.heads.mean(axis=(0, 1))}
    for layer, heads in enumerate(attention.heads, start=1):
        rows[f"layer {layer}, mean"] = heads.mean(axis=0)
        rows |= {f"layer {layer}, head {head}": row for head, row in enumerate(heads, start=1)}
    values = np.stack(list(rows.values()))
    largest = np.maximum(values.max(axis=1), 1e-6)
    return {
        "times": np.round(attention.times, 3).tolist(),
        "names": list(rows),
        "largest": [float(f"{value:.6g}") for value in largest],
        "rows": _base64(quantise(values / largest[:, None]).tobytes()),
    }


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode("ascii")
