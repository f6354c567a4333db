"""Models that map waveforms to tag logits, and the folders that keep them. In reading order:

``frontend``     what all models share: their registry, the mel spectrogram, the rules for input length
``transformer``  the Music Tagging Transformer
``baselines``    the earlier systems that it is compared with
``musicnn``      a published tagger whose weights can be had
``build``        from a configuration to a model
``mels``         spectrograms of whole tracks, made once
``checkpoint``   model folders, and training that starts from one
``official``     published weights, turned into model folders
``handmade``     features made by hand, without any network
"""
# ruff: noqa: F401 (all names are for others to import; with their import, the models are registered)

from mtt.models.baselines import CRNN, FCN, SampleCNN, ShortChunkResNet
from mtt.models.build import build_model
from mtt.models.checkpoint import CheckpointError, load_model, read_initial_weights, save_model, start_from
from mtt.models.frontend import MODELS
from mtt.models.musicnn import Musicnn
from mtt.models.official import import_musicnn, import_official
from mtt.models.transformer import MusicTaggingTransformer
