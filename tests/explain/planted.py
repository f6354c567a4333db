"""Models and recordings whose explanations are known."""

from pathlib import Path

import numpy as np
import pandas as pd
import torch
from torch import Tensor, nn

from mtt.config import SAMPLE_RATE, ModelConfig
from mtt.data.corpus import Corpus
from mtt.models import MusicTaggingTransformer
from tests.tiny import write_audio

SECONDS = 6.0
TAGS = ["loud", "quiet"]


def noise(seconds: float) -> np.ndarray:
    """Noise that swells and fades, so that moments differ."""
    time = np.arange(int(seconds * SAMPLE_RATE)) / SAMPLE_RATE
    return np.clip(np.random.default_rng(0).standard_normal(len(time)) * 0.1 ** (1 + 2 * np.sin(time)), -1, 1).astype(np.float32)


class Level(nn.Module):
    """Tags a window by its level: ``loud`` grows with it, ``quiet`` falls."""

    n_tags, tags, clip_seconds = 2, TAGS, 0.5

    def __init__(self) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.ones(()))

    def forward(self, waveform: Tensor) -> Tensor:
        level = self.scale * waveform.square().mean(dim=1)
        return torch.stack([level, -level], dim=1)


class Attends(MusicTaggingTransformer):
    """A Transformer whose CLS token attends to loud frames e^(2 * gain) times as much as to quiet ones, and tags what it attends to.

    A token is ±(1, -1, 0, 0), plus for loud; CLS is (0, 0, 1, -1), so its query meets the keys of the tokens alone.
    """

    def __init__(self, gain: float = 3.0, weight: float = 3.0) -> None:
        super().__init__(ModelConfig(channels=1, width=4, heads=1, layers=1, n_mels=32), 2)
        self.tags, self.clip_seconds = TAGS, 3.0
        layer = self.layers[0]
        changed = [layer.to_qkv.weight, layer.to_out.weight, layer.to_out.bias, layer.mlp[3].weight, layer.mlp[3].bias]
        with torch.no_grad():
            for parameter in (*changed, *self.head[1].parameters(), self.positions):
                parameter.zero_()
            self.cls_token.copy_(torch.tensor([0.0, 0.0, 1.0, -1.0]))
            layer.to_qkv.weight[0, 2] = gain  # query: is it CLS?
            layer.to_qkv.weight[4, 0] = layer.to_qkv.weight[8, 0] = 1.0  # key and value: is it loud?
            layer.to_out.weight[0, 0] = 1.0
            self.head[1].weight[:, 0] = torch.tensor([weight, -weight])

    def tokens(self, x: Tensor) -> Tensor:
        mel = self.check_mel(self.spectrogram(x) if x.ndim == 2 else x)
        count = mel.shape[-1] // 4
        level = mel[..., : 4 * count].mean(dim=1).unflatten(1, (count, 4)).mean(dim=2)
        sign = torch.where(level > -40.0, 1.0, -1.0)
        return torch.stack([sign, -sign, 0 * sign, 0 * sign], dim=2)


def bursts(folder: Path, start: float, seconds: float, artists: int = 4, each: int = 2, truth: str = "loud") -> Corpus:
    """Tracks of 6 s that are silent but for a burst of noise, which begins a little later from artist to artist."""
    random = np.random.default_rng(3)
    tracks, timeline = [], []
    for number in range(artists * each):
        artist = number // each
        first = start + 0.05 * artist
        wave = np.zeros(int(SECONDS * SAMPLE_RATE), dtype=np.float32)
        burst = slice(int(first * SAMPLE_RATE), int((first + seconds) * SAMPLE_RATE))
        wave[burst] = np.clip(0.3 * random.standard_normal(burst.stop - burst.start), -1, 1)
        write_audio(folder / f"{number}.wav", wave)
        tracks.append({"track_id": f"t{number}", "path": f"{number}.wav", "artist": f"artist {artist}", "seconds": SECONDS})
        timeline += [(f"t{number}", tag, first, first + seconds) for tag in TAGS]
    labels = np.tile(np.array([[tag == truth for tag in TAGS]], dtype=np.uint8), (len(tracks), 1))
    played = pd.DataFrame(timeline, columns=["track_id", "instrument", "start", "end"])
    return Corpus("bursts", folder, pd.DataFrame(tracks).set_index("track_id"), TAGS, labels, timeline=played)
