"""What a model hears in a track and where it looks, as sounds with pictures under a moving cursor.

Conventions: excerpts are as long as the clips that the model was trained on, since it has learned no positions beyond them; times are
seconds from the start of the excerpt.
"""

from dataclasses import dataclass

import numpy as np
from torch import nn

from mtt.config import SAMPLE_RATE
from mtt.explain.attention import AttentionMaps, attention_maps
from mtt.reporting import figures
from mtt.reporting.explorer.player import Player
from mtt.reporting.explorer.scenes import Scene, Track
from mtt.reporting.figures.draw import Picture

TAGS = 8  # in a picture


def curve_player(scene: Scene, model: str) -> Player:
    """The whole track under the tag curves of one model: tags that the note is about, then the true and the likeliest ones."""
    track, curves = scene.track, scene.heard[model].curves
    true = track.labels if track.true_labels is None else track.true_labels
    wanted = [tag for tag in dict.fromkeys([*track.about, *true, *scene.tags]) if tag in curves.tags][:TAGS]
    truth = {tag: spans for tag, spans in track.truth.items() if tag in wanted}
    probabilities = np.stack([curves.curve(tag) for tag in wanted], axis=1)
    picture = figures.tag_curves(curves.times, probabilities, wanted, truth, track.wave, f"Tags over time: {model}")
    return Player(track.wave, picture, track.name, track.note)


@dataclass(frozen=True)
class Look:
    """An excerpt ``wave`` of a track, ``start`` seconds from its beginning, as the model ``name`` attends to it; made by ``look``."""

    track: Track
    name: str
    start: float
    wave: np.ndarray
    maps: AttentionMaps

    def over_time(self) -> Player:
        """The excerpt under what CLS gives each moment, layer by layer, and the rollout."""
        layers = range(self.maps.maps.shape[0])
        rows = {f"layer {layer + 1}": self.maps.cls(layer) for layer in layers} | {"rollout": self.maps.rollout()}
        picture = figures.attention_over_time(self.maps.times, rows, self.wave, f"Where the {self.name} looks")
        about = f"From {self.start:.1f} s on. What CLS gives each moment, mean over heads."
        return Player(self.wave, picture, self.track.name, about)

    def heads(self) -> Picture:
        """Frames by frames, a map for each layer and head."""
        return figures.attention_heads(self.maps.maps[:, :, 1:, 1:], self.maps.times, f"Which moment looks at which: {self.name}")


def look(scene: Scene, name: str, model: nn.Module) -> Look:
    """An excerpt of a scene's track and the attention of ``model``, a Transformer, in it.

    It is the clip around the first moment at which what the track is shown for begins to sound, or the middle of the track.
    """
    track = scene.track
    entries = [start for tag in track.about for start, _ in track.truth.get(tag, ()) if start > 0]
    seconds = track.recording.seconds
    middle = min(entries) if entries else seconds / 2
    start = max(0.0, min(middle - model.clip_seconds / 2, seconds - model.clip_seconds))
    first = round(start * SAMPLE_RATE)
    wave = track.wave[first : first + round(model.clip_seconds * SAMPLE_RATE)]
    return Look(track, name, start, wave, attention_maps(model, wave))
