"""Features made by hand, for a baseline without deep learning.

Conventions: a track (of a long one the middle LONGEST seconds) is described by mean and standard deviation over time of 20 MFCCs and
their differences, 12 chroma bins, 7 bands of spectral contrast, spectral centroid, bandwidth, roll-off, flatness and zero-crossing rate,
all as librosa computes them.
"""

import fcntl
import functools
import importlib.util
from contextlib import suppress
from types import ModuleType

import numpy as np

from mtt.config import SAMPLE_RATE
from mtt.data.corpus import Corpus

N_FFT, HOP, N_MFCC = 2048, 2048, 20
LONGEST = 300.0  # seconds


@functools.cache
def load_librosa() -> ModuleType:
    """librosa with its compiled functions, one process at a time.

    numba keeps them in a cache beside librosa. Two processes that fill it together can leave halves of different compilations there, and
    every later process that calls such a function ends with a segmentation fault.
    """
    with open(importlib.util.find_spec("librosa").origin, "rb") as library:
        with suppress(OSError):  # a file system without locks
            fcntl.flock(library, fcntl.LOCK_EX)
        importlib.import_module("librosa.feature.spectral")  # brings all that are compiled when imported
    return importlib.import_module("librosa")


def describe(wave: np.ndarray) -> np.ndarray:
    """Feature vector (n_features,) float32 of mono audio (samples,) at 22 050 Hz."""
    librosa = load_librosa()
    magnitude = np.abs(librosa.stft(wave, n_fft=N_FFT, hop_length=HOP))
    mel = librosa.feature.melspectrogram(S=magnitude**2, sr=SAMPLE_RATE)
    mfcc = librosa.feature.mfcc(S=librosa.power_to_db(mel), n_mfcc=N_MFCC)
    rows = [
        mfcc,
        np.diff(mfcc, axis=1, prepend=mfcc[:, :1]),
        librosa.feature.chroma_stft(S=magnitude**2, sr=SAMPLE_RATE, tuning=0.0),
        librosa.feature.spectral_contrast(S=magnitude, sr=SAMPLE_RATE),
        librosa.feature.spectral_centroid(S=magnitude, sr=SAMPLE_RATE),
        librosa.feature.spectral_bandwidth(S=magnitude, sr=SAMPLE_RATE),
        librosa.feature.spectral_rolloff(S=magnitude, sr=SAMPLE_RATE),
        librosa.feature.spectral_flatness(S=magnitude),
        librosa.feature.zero_crossing_rate(wave, frame_length=N_FFT, hop_length=HOP),
    ]
    frames = np.concatenate([row[:, : mfcc.shape[1]] for row in rows])
    return np.concatenate([frames.mean(axis=1), frames.std(axis=1)]).astype(np.float32)


def describe_tracks(corpus: Corpus, track_ids: list[str]) -> np.ndarray:
    """(n_tracks, n_features)."""
    starts = np.maximum(0.0, (corpus.seconds(track_ids) - LONGEST) / 2)
    return np.stack([describe(corpus.read(i, start, LONGEST)) for i, start in zip(track_ids, starts, strict=True)])
