"""Mel spectrograms of whole tracks, made once: clean, and of prepared augmented variants.

Conventions: spectrograms are those of ``MelSpectrogram``, kept as (frames, n_mels) float16 in dB (steps of 0.06 dB near 100). A track to
train on is its middle EXCERPT seconds, and its variants are that after the augmentation chain; other tracks are whole and clean. A clip
starts at the frame nearest to where it was asked for and has as many frames as a waveform of its length. What a track's spectrograms are
follows from its sound and its name, not from what else is made.
"""

import io
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path

import numpy as np
import torch
from joblib import Parallel, delayed
from torch import Tensor
from tqdm import tqdm

from mtt.config import SAMPLE_RATE, AugmentConfig, ModelConfig
from mtt.data.augment import augment, stream_seed
from mtt.data.corpus import Corpus
from mtt.files import leave_interrupts, read_json, write_json, write_whole
from mtt.models.frontend import SILENCE_DB, MelSpectrogram

EXCERPT = 60.0  # seconds
SHARD = 16  # tracks in a file


@dataclass(frozen=True)
class Mels:
    """The spectrograms in a folder; a ``Source`` of clips. Made by ``make_mels``."""

    folder: Path
    hop: int

    @cached_property
    def index(self) -> dict[str, tuple[str, int, int, int]]:
        """track_id -> file, first row, frames of one spectrogram, variants."""
        parts = (read_json(path) for path in sorted(self.folder.glob("*.json")))
        return {track_id: tuple(place) for part in parts for track_id, place in part.items()}

    def seconds(self, track_ids: Sequence[str]) -> np.ndarray:
        """Length of what is kept of each track, (n_tracks,)."""
        return np.array([(self.index[track_id][2] - 1) * self.hop / SAMPLE_RATE for track_id in track_ids])

    def clips(self, track_ids: Sequence[str], starts: Sequence[float], seconds: float, draws: Sequence[float] | None = None) -> Tensor:
        """Clips (n, n_mels, frames) in dB; what a short track lacks is silence. ``draws`` (0 to 1) choose variants; None is clean."""
        length = 1 + round(seconds * SAMPLE_RATE) // self.hop
        found = []
        for place, (track_id, start) in enumerate(zip(track_ids, starts, strict=True)):
            name, first, frames, variants = self.index[track_id]
            if draws is not None and variants:
                first += frames * (1 + int(draws[place] * variants))
            begin = max(0, min(round(start * SAMPLE_RATE / self.hop), frames - length))
            clip = _rows(self.folder / name)[first + begin : first + min(begin + length, frames)]
            found.append(np.pad(clip, ((0, length - len(clip)), (0, 0)), constant_values=SILENCE_DB))
        return torch.from_numpy(np.stack(found)).transpose(1, 2).float()


@lru_cache(maxsize=1024)
def _rows(path: Path) -> np.ndarray:
    return np.load(path, mmap_mode="r", allow_pickle=False)


def make_mels(
    folder: Path,
    corpus: Corpus,
    whole: Sequence[str],
    trained: Sequence[str],
    config: ModelConfig,
    augmentation: AugmentConfig | None,
    variants: int,
    progress: bool = True,
) -> Mels:
    """Make what is missing in ``folder`` of the tracks that are needed ``whole`` and of those to be ``trained`` on, in parallel."""
    jobs = []
    for ids, count in ((whole, 0), (trained, variants)):
        ordered = sorted(set(ids))
        for first in range(0, len(ordered), SHARD):
            part = ordered[first : first + SHARD]
            name = f"{'varied' if count else 'whole'}-{first // SHARD:05d}"
            if set(read_json(folder / f"{name}.json") or ()) != set(part):
                jobs.append(delayed(_write_shard)(folder, name, corpus, part, config, augmentation, count))
    if jobs:
        folder.mkdir(parents=True, exist_ok=True)
        done = Parallel(n_jobs=-1, return_as="generator_unordered", batch_size=1, initializer=leave_interrupts)(jobs)
        for _ in tqdm(done, total=len(jobs), desc="spectrograms", unit=f"{SHARD} tracks", disable=not progress):
            pass
    return Mels(folder, config.hop)


def _write_shard(
    folder: Path, name: str, corpus: Corpus, ids: Sequence[str], config: ModelConfig, augmentation: AugmentConfig | None, variants: int
) -> None:
    torch.set_num_threads(1)
    spectrogram, places, rows, at = MelSpectrogram(config), {}, [], 0
    for track_id in ids:
        seconds = float(corpus.tracks.at[track_id, "seconds"])
        excerpt = (max(0.0, (seconds - EXCERPT) / 2), EXCERPT) if variants else ()
        waves = torch.from_numpy(corpus.read(track_id, *excerpt))[None].repeat(1 + variants, 1)
        if variants:
            waves[1:] = augment(waves[1:], augmentation, stream_seed(zlib.crc32(track_id.encode()), 0, "variants"))
        mels = spectrogram(waves).transpose(1, 2).numpy().astype(np.float16)
        places[track_id] = (f"{name}.npy", at, mels.shape[1], variants)
        rows += list(mels)
        at += mels.shape[0] * mels.shape[1]
    buffer = io.BytesIO()
    np.save(buffer, np.concatenate(rows))
    write_whole(folder / f"{name}.npy", buffer.getvalue())
    write_json(folder / f"{name}.json", places)
