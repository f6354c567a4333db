"""A sound as the models see it, as a picture needs it.

Conventions: the bands are the models' own (128 HTK mels without norm, n_fft 1024, hop 512), so that a picture shows what they see.
"""

import numpy as np
import torch

from mtt.config import SAMPLE_RATE, ModelConfig
from mtt.models.frontend import MelSpectrogram

RANGE_DB = 80.0  # shown below the loudest point
# The share of the (HTK) mel axis that lies below each of these frequencies, in Hz.
MEL_TICKS = {hertz: float(np.log1p(hertz / 700) / np.log1p(SAMPLE_RATE / 2 / 700)) for hertz in (500, 1000, 2000, 4000, 8000)}


def mel_power(waveform: np.ndarray) -> np.ndarray:
    """(mels, frames) of power of a waveform (samples,) by the models' own front end."""
    return MelSpectrogram(ModelConfig()).power(torch.from_numpy(np.asarray(waveform, dtype=np.float32))[None])[0].numpy()


def decibels(power: np.ndarray, loudest: float) -> np.ndarray:
    """``power`` in dB relative to ``loudest``, from −``RANGE_DB`` up."""
    return 10 * np.log10(np.maximum(power / max(loudest, 1e-10), 10 ** (-RANGE_DB / 10)))
