"""The earlier systems that the Music Tagging Transformer is compared with.

Layers follow the reference implementations of Won, Ferraro, Bogdanov, Serra: "Evaluation of CNN-based automatic music tagging models", SMC
2020 (``minzwon/sota-music-tagging-models``), with three differences: the input is that of the Transformer (128 mel bands, hop 512 at 22 050
Hz), and pools span about as many octaves and seconds as there; pools keep the incomplete last window and the last stage is pooled globally,
so that input of any length works; dropout is ``config.dropout``. With ``config.longest_step`` they pool less over time, so that clips
shorter than their papers' keep some steps. ``config.channels`` (c below) is the base width, 128 in the reference; parameters are counted
with 50 tags.
"""

from collections.abc import Sequence
from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mtt.config import ModelConfig
from mtt.models.frontend import MelTaggingModel, ResidualBlock, TaggingModel, check_input, convolve, score_windows
from mtt.settings import SettingsError

Pair = tuple[int, int]  # mel x time


class ConvBlock(nn.Module):
    """Convolution-BN, max-pool with ``ceil_mode``, ReLU; (batch, channels, height, time) in and out."""

    def __init__(self, in_channels: int, out_channels: int, kernel: Pair = (3, 3), stride: Pair = (1, 1), pool: Pair = (1, 1)) -> None:
        super().__init__()
        padding = (kernel[0] // 2, kernel[1] // 2)
        self.conv = nn.Conv2d(in_channels, out_channels, kernel, stride=stride, padding=padding)
        self.bn = nn.BatchNorm2d(out_channels)
        self.pool = nn.MaxPool2d(pool, ceil_mode=True) if max(pool) > 1 else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(self.pool(self.bn(convolve(self.conv, x))))


def time_pools(config: ModelConfig, published: Sequence[int], smallest: int, frame: int = 1) -> list[int]:
    """By what each stage shortens time: as ``published``, or by ``smallest`` as long as a step spans no more than ``longest_step`` frames.

    ``frame`` is what a mel frame has of the units that are pooled.
    """
    if config.longest_step is None:
        return list(published)
    pools, step = [], 1
    for stage in published:
        pools.append(min(stage, smallest) if step * min(stage, smallest) <= config.longest_step * frame else 1)
        step *= pools[-1]
    return pools


def check_even(config: ModelConfig) -> None:
    """Raise ``SettingsError`` for a base width that cannot be halved."""
    if config.channels % 2:
        raise SettingsError(f"channels: expected an even number, the first layer has half of it, got {config.channels}")


def _conv_blocks(config: ModelConfig, sizes: Sequence[int], pools: Sequence[Pair]) -> nn.Sequential:
    times = time_pools(config, [time for _, time in pools], 2)
    stages = zip(pairwise(sizes), [(mel, time) for (mel, _), time in zip(pools, times, strict=True)], strict=True)
    return nn.Sequential(*(ConvBlock(*size, pool=pool) for size, pool in stages))


class FCN(MelTaggingModel):
    """Fully convolutional network on the mel spectrogram of a whole clip.

    Choi, Fazekas, Sandler: "Automatic tagging using deep convolutional neural networks", ISMIR 2016; layers as in Won 2020. Five 3x3
    convolutions with c/2, c, c, c, c/2 channels, then the global maximum. 447 732 parameters.
    """

    architecture = "fcn"
    label = "FCN"
    about = "fully convolutional network on the mel spectrogram (Choi 2016)"
    colour = "#CC79A7"
    native_seconds = 29.1
    pools = ((2, 4), (2, 4), (2, 4), (4, 3), (4, 4))  # mel x time: 128 bands, 17.8 s
    check = staticmethod(check_even)

    def __init__(self, config: ModelConfig, n_tags: int) -> None:
        super().__init__(config, n_tags)
        c = config.channels
        sizes = (1, c // 2, c, c, c, c // 2)
        self.blocks = _conv_blocks(config, sizes, self.pools)
        self.head = nn.Sequential(nn.Dropout(config.dropout), nn.Linear(c // 2, n_tags))


class CRNN(MelTaggingModel):
    """2-D CNN, then a two-layer GRU over time.

    Choi, Fazekas, Sandler, Cho: "Convolutional recurrent neural networks for music classification", ICASSP 2017; layers as in Won 2020.
    Four 3x3 convolutions with c/2, c, c, c channels, ``config.width`` hidden units, the last step classified. 394 100 parameters with 32
    units.
    """

    architecture = "crnn"
    label = "CRNN"
    about = "convolutional recurrent network on the mel spectrogram (Choi 2017)"
    colour = "#7A7A7A"
    native_seconds = 29.1
    pools = ((2, 2), (4, 2), (4, 4), (4, 4))  # mel x time: 128 bands, 1.49 s
    check = staticmethod(check_even)

    def __init__(self, config: ModelConfig, n_tags: int) -> None:
        super().__init__(config, n_tags)
        c = config.channels
        sizes = (1, c // 2, c, c, c)
        self.blocks = _conv_blocks(config, sizes, self.pools)
        self.gru = nn.GRU(c, config.width, num_layers=2, batch_first=True)
        self.head = nn.Sequential(nn.Dropout(config.dropout), nn.Linear(config.width, n_tags))

    def score_mel(self, mel: Tensor) -> Tensor:
        steps = self.blocks(self.as_image(mel)).amax(dim=2).transpose(1, 2)  # (batch, steps, c)
        # A handful of steps: float32 costs nothing, and the recurrence keeps its precision.
        with torch.autocast(steps.device.type, enabled=False):
            hidden, _ = self.gru(steps.float())
        return self.head(hidden[:, -1])


class ShortChunkResNet(MelTaggingModel):
    """Seven residual 3x3 blocks of stride 2 on a short mel chunk, global maximum, dense head (Won et al. 2020).

    c, c, 2c, 2c, 2c, 2c, 4c channels. 12 104 244 parameters.
    """

    architecture = "short_chunk_resnet"
    label = "short-chunk ResNet"
    about = "residual CNN on the mel spectrogram (Won 2020)"
    colour = "#D55E00"
    native_seconds = 3.69

    def __init__(self, config: ModelConfig, n_tags: int) -> None:
        super().__init__(config, n_tags)
        c = config.channels
        sizes = (1, c, c, 2 * c, 2 * c, 2 * c, 2 * c, 4 * c)
        strides = [(2, time) for time in time_pools(config, 7 * [2], 2)]
        self.blocks = nn.Sequential(*(ResidualBlock(*size, stride=one) for size, one in zip(pairwise(sizes), strides, strict=True)))
        self.head = nn.Sequential(
            nn.Linear(4 * c, 4 * c), nn.BatchNorm1d(4 * c), nn.ReLU(), nn.Dropout(config.dropout), nn.Linear(4 * c, n_tags)
        )


class SampleCNN(TaggingModel):
    """Convolutions of size 3 on the raw waveform.

    Lee, Park, Kim, Nam: "Sample-level deep convolutional neural networks for music auto-tagging using raw waveforms", SMC 2017; the model
    for 3^10 = 59 049 samples, of which longer input averages. A convolution of stride 3 and nine with max-pooling by 3: c, c, c, then six
    with 2c and one with 4c channels, a 1x1 convolution, the mean over time. 1 869 874 parameters. The convolutions are two-dimensional with
    a height of 1: three times faster on a CPU than one-dimensional ones.
    """

    architecture = "sample_cnn"
    label = "Sample-level CNN"
    about = "CNN on the raw waveform (Lee 2017)"
    colour = "#8A6D1B"
    native_seconds = 59_049 / 22_050

    def __init__(self, config: ModelConfig, n_tags: int) -> None:
        super().__init__(config, n_tags)
        c = config.channels
        sizes = (c, c, c, *6 * (2 * c,), 4 * c)
        first, *pools = time_pools(config, 10 * [3], 3, config.hop)
        self.blocks = nn.Sequential(
            ConvBlock(1, c, kernel=(1, 3), stride=(1, first)),
            *(ConvBlock(*size, kernel=(1, 3), pool=(1, pool)) for size, pool in zip(pairwise(sizes), pools, strict=True)),
            ConvBlock(4 * c, 4 * c, kernel=(1, 1)),
        )
        self.head = nn.Sequential(nn.Dropout(config.dropout), nn.Linear(4 * c, n_tags))

    def forward(self, waveform: Tensor) -> Tensor:
        check_input(waveform, ("batch", "samples"), "waveform")
        return score_windows(self._score, waveform, self.max_frames * self.config.hop - 1, dim=-1)

    def _score(self, waveform: Tensor) -> Tensor:
        return self.head(self.blocks(waveform[:, None, None, :]).mean(dim=(2, 3)))
