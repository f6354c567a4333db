"""A tiny collection of real audio files in the four formats, and the smallest model that trains on it."""

import csv
import io
from pathlib import Path

import numpy as np
import soundfile

from mtt.config import SAMPLE_RATE, AugmentConfig, ModelConfig, TrainConfig

GOLDEN = Path(__file__).parent / "data" / "golden" / "teacher_small.ckpt"
TAGS = {"low": 110.0, "middle": 440.0, "high": 1760.0}  # a tag is a tone that sounds
N_ARTISTS, TRACKS_EACH = 12, 3
TINY_MODEL = ModelConfig(channels=4, width=16, heads=2, layers=1, n_mels=32)
TINY_TRAIN = TrainConfig(steps=6, batch_size=4, clip_seconds=1.0, learning_rate=1e-3, evaluate_every=2, augment=AugmentConfig())


def write_collection(folder: Path, n_artists: int = N_ARTISTS, tracks_each: int = TRACKS_EACH) -> Path:
    """Tracks of 2 s, one to two tones each; the last third of the artists is unlabelled."""
    random = np.random.default_rng(7)
    rows = []
    for artist in range(n_artists):
        for number in range(tracks_each):
            tags = sorted(random.choice(list(TAGS), size=random.integers(1, 3), replace=False))
            time = np.arange(2 * SAMPLE_RATE) / SAMPLE_RATE
            wave = sum(0.2 * np.sin(2 * np.pi * TAGS[tag] * (1 + 0.01 * artist) * time) for tag in tags)
            wave = (wave + 0.02 * random.standard_normal(len(time))).astype(np.float32)
            path = f"audio/artist{artist:02d}_{number}.{('wav', 'flac', 'mp3', 'ogg')[(artist + number) % 4]}"
            (folder / "audio").mkdir(parents=True, exist_ok=True)
            write_audio(folder / path, wave)
            rows.append({"path": path, "artist": f"artist {artist}", "tags": "" if artist >= n_artists * 2 // 3 else "|".join(tags)})
    table = folder / "tracks.csv"
    with open(table, "w", newline="") as file:
        writer = csv.DictWriter(file, ["path", "artist", "tags"])
        writer.writeheader()
        writer.writerows(rows)
    return table


def encode_audio(wave: np.ndarray, rate: int = SAMPLE_RATE, format: str = "WAV") -> bytes:
    """Mono (samples,) or multichannel (samples, channels) sound as WAV or FLAC (16 bit), OGG or MP3."""
    buffer, subtypes = io.BytesIO(), {"OGG": "VORBIS", "MP3": "MPEG_LAYER_III"}
    soundfile.write(buffer, np.clip(wave, -1.0, 1.0), rate, format=format, subtype=subtypes.get(format, "PCM_16"))
    return buffer.getvalue()


def write_audio(path: Path, wave: np.ndarray, rate: int = SAMPLE_RATE) -> None:
    """Sound in the format that the path's ending names; its folder is made."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(encode_audio(wave, rate, path.suffix[1:].upper()))
