"""What a model hears in a track and where it looks, as sounds with pictures under a moving cursor.

Conventions: a scene is that of ``scenes``; excerpts are as long as the clips that the model was trained on, since it has
learned no positions beyond them, and times are seconds from the start of the excerpt.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from torch import nn

from mtt.explain.attention import AttentionMaps, attention_maps
from mtt.reporting import figures
from mtt.reporting.explorer.player import Player
from mtt.reporting.explorer.scenes import Choice, Scene, choose_tracks, corpus_scene
from mtt.reporting.figures.draw import Picture
from mtt.study.evidence import NAMES, Evidence, records
from mtt.study.workspace import Result, Study

TAGS = 8  # in a picture


def told(found: Evidence, test: str) -> str:
    """A sentence for each model on one of the tests, as Markdown, rollout left to the table; the reason where there is none."""
    sentences = [entry["sentence"] for entry in records(found) if entry["test"] == test and entry["explanation"] != NAMES["rollout"]]
    return "\n".join(f"- {sentence}" for sentence in sentences) or found.missing[test]


def localisation_table(found: Evidence) -> pd.DataFrame:
    """The mean over tags of each model, with intervals: one row a model, a column for each explanation."""
    rows = {}
    for entry in records(found):
        if entry["test"] == "localisation":
            bounds = "" if entry["interval"] is None else " [{:.3f}, {:.3f}]".format(*entry["interval"])
            row = rows.setdefault(entry["model"], {})
            row[entry["explanation"]] = f"{entry['effect']:.3f}{bounds}"
            row |= {"tracks": str(entry["n_tracks"]), "artists": str(entry["n_artists"])}
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("model").fillna("–")


def example_tracks(study: Study, results: Mapping[str, Result], count: int = 4) -> list[Choice]:
    """The first of ``choose_tracks``, of every rule that finds one; where none does, the test track with the most tags."""
    ids = study.ids("test")
    richest = ids[int(study.corpus.true_labels(ids).sum(axis=1).argmax())]
    return choose_tracks(study, results, count) or [(richest, "The test track with the most tags.", [])]


def scenes(study: Study, choices: Sequence[Choice], results: Mapping[str, Result]) -> list[Scene]:
    """The scenes of these tracks, by the first seed's models."""
    models = {name: result.stages[0].load_model() for name, result in results.items()}
    return [corpus_scene(study.corpus, track_id, models, note, about) for track_id, note, about in choices]


def curve_player(scene: Scene, model: str) -> Player:
    """The whole track under the tag curves of one model: tags that the note is about, then the true and the likeliest ones."""
    curves = scene.curves[model]
    true = scene.labels if scene.true_labels is None else scene.true_labels
    wanted = [tag for tag in dict.fromkeys([*scene.about, *(true or ()), *scene.tags]) if tag in curves.tags][:TAGS]
    truth = {tag: spans for tag, spans in (scene.truth or {}).items() if tag in wanted}
    columns = [curves.tags.index(tag) for tag in wanted]
    picture = figures.tag_curves(
        curves.times, curves.probabilities[:, columns], wanted, truth, scene.wave, scene.sample_rate, f"Tags over time: {model}"
    )
    return Player(scene.wave, scene.sample_rate, picture, title=_title(scene), description=scene.note)


class Look:
    """One excerpt of a scene as a model attends to it; made by ``look``."""

    def __init__(self, scene: Scene, name: str, start: float, wave: np.ndarray, maps: AttentionMaps) -> None:
        self.scene, self.name, self.start, self.wave, self.maps = scene, name, start, wave, maps

    def over_time(self) -> Player:
        """The excerpt under what CLS gives each moment, layer by layer, and the rollout."""
        layers = range(self.maps.maps.shape[0])
        rows = {f"layer {layer + 1}": self.maps.cls(layer) for layer in layers} | {"rollout": self.maps.rollout()}
        title = f"Where the {self.name} looks"
        picture = figures.attention_over_time(self.maps.times, rows, self.wave, self.scene.sample_rate, title)
        about = f"From {self.start:.1f} s on. What CLS gives each moment, mean over heads."
        return Player(self.wave, self.scene.sample_rate, picture, title=_title(self.scene), description=about)

    def heads(self) -> Picture:
        """Frames by frames, a map for each layer and head."""
        return figures.attention_heads(self.maps.maps[:, :, 1:, 1:], self.maps.times, f"Which moment looks at which: {self.name}")

    def sentence(self) -> str:
        """How much attention stays near, and where CLS looks most."""
        near = np.abs(np.subtract.outer(self.maps.times, self.maps.times)) <= 0.5
        between = self.maps.between_frames()
        rollout = self.maps.rollout()
        return (
            f"Over all heads, {between[near].sum() / between.sum():.0%} of what frames give to frames stays within half a second "
            f"(looking everywhere alike it would be {near.mean():.0%}). By rollout the {self.name} looks most at "
            f"{self.maps.times[rollout.argmax()]:.1f} s of the excerpt, {rollout.max() / rollout.mean():.1f} times as much as on average."
        )


def look(scene: Scene, name: str, model: nn.Module) -> Look:
    """An excerpt of ``scene`` and the attention of ``model``, a Transformer, in it: the clip around what the scene is about, or its middle.

    Raises ``ValueError`` for a model without attention.
    """
    entries = [start for tag in scene.about for start, _ in (scene.truth or {}).get(tag, ()) if start > 0]
    middle = min(entries) if entries else scene.seconds / 2
    start = max(0.0, min(middle - model.clip_seconds / 2, scene.seconds - model.clip_seconds))
    first = round(start * scene.sample_rate)
    wave = scene.wave[first : first + round(model.clip_seconds * scene.sample_rate)]
    return Look(scene, name, start, wave, attention_maps(model, wave))


def _title(scene: Scene) -> str:
    return " – ".join(part for part in (scene.artist, scene.title) if part)
