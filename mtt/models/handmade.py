"""The baseline without deep learning: statistics of hand-made features and logistic regression.

Conventions: a track's middle EXCERPT_SECONDS are described by mean and standard deviation over time of 20 MFCCs and their differences,
12 chroma bins, 7 bands of spectral contrast, spectral centroid, bandwidth, roll-off, flatness and zero-crossing rate. Features are
librosa's, the classifier is scikit-learn's: one regression per tag on standardised features.
"""

import librosa
import numpy as np
from joblib import Parallel, delayed
from sklearn.linear_model import LogisticRegression
from sklearn.multiclass import OneVsRestClassifier
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler
from tqdm import tqdm

from mtt.config import SAMPLE_RATE
from mtt.data.corpus import Corpus
from mtt.files import leave_interrupts

N_FFT, HOP, N_MFCC = 2048, 2048, 20
EXCERPT_SECONDS = 15.0


def describe(wave: np.ndarray) -> np.ndarray:
    """Feature vector (n_features,) float32 of mono audio (samples,) at 22 050 Hz."""
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


def describe_tracks(corpus: Corpus, track_ids: list[str], workers: int = -1, progress: bool = True) -> np.ndarray:
    """(n_tracks, n_features), read and computed in parallel."""
    chunks = [track_ids[i : i + 16] for i in range(0, len(track_ids), 16)]
    parts = Parallel(n_jobs=workers, return_as="generator", initializer=leave_interrupts)(
        delayed(_describe_chunk)(corpus, chunk) for chunk in chunks
    )
    bar = tqdm(parts, total=len(chunks), desc="hand-made features", unit="batch", disable=not progress)
    return np.concatenate(list(bar))


def _describe_chunk(corpus: Corpus, track_ids: list[str]) -> np.ndarray:
    starts = [max(0.0, (corpus.tracks.at[i, "seconds"] - EXCERPT_SECONDS) / 2) for i in track_ids]
    return np.stack([describe(corpus.read(i, start, EXCERPT_SECONDS)) for i, start in zip(track_ids, starts, strict=True)])


def fit_logistic_regression(features: np.ndarray, labels: np.ndarray) -> Pipeline:
    """One L2-regularised regression per tag; ``predict_proba`` gives (n_tracks, n_tags)."""
    regression = LogisticRegression(C=0.1, max_iter=1000)
    return make_pipeline(StandardScaler(), OneVsRestClassifier(regression)).fit(features, labels)
