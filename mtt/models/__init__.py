"""Models that map waveforms to tag logits, and the folders that keep them.

``frontend`` (what all share) → ``transformer`` → ``baselines`` → ``build`` → ``checkpoint`` → ``official``.
"""

from mtt.models.baselines import CRNN, FCN, SampleCNN, ShortChunkResNet
from mtt.models.build import build_model
from mtt.models.checkpoint import CheckpointError, load_model, read_initial_weights, save_model, start_from
from mtt.models.official import CALS_TAGS, import_official
from mtt.models.transformer import MusicTaggingTransformer

__all__ = [
    "CALS_TAGS",
    "CRNN",
    "FCN",
    "CheckpointError",
    "MusicTaggingTransformer",
    "SampleCNN",
    "ShortChunkResNet",
    "build_model",
    "import_official",
    "load_model",
    "read_initial_weights",
    "save_model",
    "start_from",
]
