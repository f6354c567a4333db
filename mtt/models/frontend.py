"""What every tagging model shares: its registry, the mel spectrogram, the convolutional blocks and the rules for input length.

Conventions: waveforms are mono, (batch, samples), float, at ``config.sample_rate``; mel spectrograms are (batch, n_mels, frames) in dB;
logits are (batch, tags), float32. Frame ``i`` is centred on sample ``i * hop``, so there are ``1 + samples // hop`` frames. Convolutions
run in the channels_last memory format, several times faster on a CPU, and under autocast in bfloat16; the spectrogram is float32.

Input too short for one step of a model gets zeros appended (-100 dB). Input longer than the Transformer has positions (``4 * max_positions
+ 3`` frames, 47.6 s with the defaults) is cut into the fewest windows that fit, of equal length (give or take one step), which are scored
one after the other; the result is the logit of their mean *probability*, as the method averages the chunks of a song.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch
import torch.nn.functional as F
import torchaudio.functional as AF
from torch import Tensor, nn

from mtt.config import ModelConfig

MIN_FRAMES = 4  # one token of the Transformer
SILENCE_DB = -100.0  # of a power of zero: 10 log10(FLOOR)
FLOOR = 1e-10  # power below which dB are clamped (torchaudio's default)
NARROW = 4  # frames; see ``convolve``


def check_input(x: Tensor, shape: tuple[str, ...], name: str) -> None:
    """Raise ValueError unless ``x`` is a non-empty floating-point tensor with the named axes."""
    if x.ndim != len(shape) or not x.is_floating_point() or x.numel() == 0:
        raise ValueError(f"{name}: expected a non-empty float tensor ({', '.join(shape)}), got {x.dtype} {tuple(x.shape)}")


def pad_end(x: Tensor, length: int, value: float = 0.0) -> Tensor:
    """``x`` with ``value`` appended to its last axis up to ``length``."""
    missing = length - x.shape[-1]
    return F.pad(x, (0, missing), value=value) if missing > 0 else x


def mean_probability(logits: Tensor) -> Tensor:
    """Logit of the mean probability over the first axis; exact also where the probabilities round to 0 or 1."""
    positive = torch.logsumexp(F.logsigmoid(logits), dim=0)
    negative = torch.logsumexp(F.logsigmoid(-logits), dim=0)
    return positive - negative


def score_windows(score: Callable[[Tensor], Tensor], x: Tensor, longest: int, dim: int) -> Tensor:
    """Logits (batch, tags): ``score(x)``, window by window where axis ``dim`` exceeds ``longest`` (the module's rule for long input)."""
    windows = -(-x.shape[dim] // longest)
    if windows <= 1:
        return score(x).float()
    return mean_probability(torch.stack([score(part).float() for part in torch.tensor_split(x, windows, dim)]))


@contextmanager
def evaluating(model: nn.Module) -> Iterator[None]:
    """Evaluation mode without gradients; the model is left in the mode it was in."""
    was_training = model.training
    model.eval()
    try:
        with torch.inference_mode():
            yield
    finally:
        model.train(was_training)


class MelSpectrogram(nn.Module):
    """(batch, samples) -> (batch, n_mels, 1 + samples // hop), in dB, float32.

    torchaudio's ``MelSpectrogram`` and ``AmplitudeToDB``: power, periodic Hann window, reflected at the borders, HTK mel filters without
    norm from 0 Hz to half the sample rate, 10 log10, clamped at 1e-10, no ``top_db``.
    """

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.n_fft, self.hop = config.n_fft, config.hop
        # Reflection needs more samples than it adds on a side.
        self.min_samples = max((MIN_FRAMES - 1) * config.hop, config.n_fft // 2 + 1)
        bins, top = config.n_fft // 2 + 1, config.sample_rate / 2
        with torch.device("cpu"):  # they are in no file, so they are real in a model that waits for its weights on "meta" too
            filters = AF.melscale_fbanks(bins, 0.0, top, config.n_mels, config.sample_rate, None, "htk")
            self.register_buffer("window", torch.hann_window(config.n_fft), persistent=False)
            self.register_buffer("filters", filters, persistent=False)  # (n_fft // 2 + 1, n_mels)

    def forward(self, waveform: Tensor) -> Tensor:
        """Mel spectrogram in dB; zeros are appended to a waveform shorter than ``min_samples``."""
        return 10.0 * torch.log10(self.power(waveform).clamp(min=FLOOR)).contiguous()

    def power(self, waveform: Tensor) -> Tensor:
        """The power in each mel band and frame, (batch, n_mels, frames)."""
        check_input(waveform, ("batch", "samples"), "waveform")
        with torch.autocast(waveform.device.type, enabled=False):
            waveform = pad_end(waveform.float(), self.min_samples)
            padded = F.pad(waveform, (self.n_fft // 2, self.n_fft // 2), mode="reflect")
            spectrum = torch.stft(padded, self.n_fft, self.hop, window=self.window, center=False, return_complex=True)
            power = torch.addcmul(spectrum.real.square(), spectrum.imag, spectrum.imag)  # 8 times faster than abs().square()
            return torch.matmul(power.transpose(1, 2), self.filters).transpose(1, 2)


def convolve(conv: nn.Conv2d, x: Tensor) -> Tensor:
    """``conv(x)``, in float32 where a strided convolution meets an image of at most NARROW frames.

    There oneDNN's bfloat16 weight gradient (torch 2.11, channels_last) leaves the taps that only see padding unwritten: noise or NaN.
    """
    if x.shape[-1] > NARROW or conv.stride == (1, 1):
        return conv(x)
    with torch.autocast(x.device.type, enabled=False):
        return conv(x.float())


class ResidualBlock(nn.Module):
    """conv3x3-BN-ReLU-conv3x3-BN plus a skip, then max-pool and ReLU; (batch, channels, mel, time) in and out.

    The skip is conv3x3-BN where the block changes the channels or strides, the identity otherwise (Won et al. 2020 and 2021).
    """

    def __init__(self, in_channels: int, out_channels: int, stride: int | tuple[int, int] = 1, pool: tuple[int, int] | None = None) -> None:
        super().__init__()
        self.conv_1 = nn.Conv2d(in_channels, out_channels, 3, stride=stride, padding=1)
        self.bn_1 = nn.BatchNorm2d(out_channels)
        self.conv_2 = nn.Conv2d(out_channels, out_channels, 3, padding=1)
        self.bn_2 = nn.BatchNorm2d(out_channels)
        self.projects = stride not in (1, (1, 1)) or in_channels != out_channels
        if self.projects:
            self.conv_3 = nn.Conv2d(in_channels, out_channels, 3, stride=stride, padding=1)
            self.bn_3 = nn.BatchNorm2d(out_channels)
        self.pool = nn.MaxPool2d(pool) if pool else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        y = self.bn_2(self.conv_2(F.relu(self.bn_1(convolve(self.conv_1, x)), inplace=True)))
        skip = self.bn_3(convolve(self.conv_3, x)) if self.projects else x
        return F.relu(self.pool(skip + y))


MODELS: dict[str, type["TaggingModel"]] = {}  # by architecture


class TaggingModel(nn.Module, ABC):
    """A model that maps waveforms (batch, samples) of any length to logits (batch, tags).

    A subclass that names its ``architecture`` is one of MODELS from then on. It carries what the study says of it in the class attributes
    below, judges its settings in ``check``, and ends in ``head``, a Sequential whose last module gives the logits.
    """

    architecture: str  # its name in settings and model folders
    label: str  # its name for readers
    about: str  # what it is, with its source
    colour: str  # on every page
    native_seconds: float  # clip length of its paper

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        if "architecture" in vars(cls):  # else a variant of its parent
            MODELS[cls.architecture] = cls

    def __init__(self, config: ModelConfig, n_tags: int) -> None:
        super().__init__()
        self.config, self.n_tags = config, n_tags
        self.tags: list[str] | None = None  # names of the outputs
        self.clip_seconds = self.native_seconds  # clip length it was trained on
        self.provenance: dict = {}
        self.head = nn.Sequential()

    @classmethod
    def check(cls, config: ModelConfig) -> None:
        """Raise ``SettingsError``, naming the field, where ``config`` makes no model of this class."""

    @abstractmethod
    def forward(self, waveform: Tensor) -> Tensor:
        """Logits (batch, tags) of waveforms (batch, samples) of any length; ValueError for anything else."""

    def features(self, x: Tensor) -> Tensor:
        """What the last layer of ``head`` is given for input ``x`` of the model, (batch, n): the mean over the windows of long input."""
        given: list[Tensor] = []
        watch = self.head[-1].register_forward_pre_hook(lambda _, inputs: given.append(inputs[0].float()))
        try:
            self(x)
        finally:
            watch.remove()
        return torch.stack(given).mean(dim=0)

    @property
    def max_frames(self) -> int:
        """Frames that are seen whole: all that the Transformer has positions for, in every model."""
        return MIN_FRAMES * self.config.max_positions + MIN_FRAMES - 1


class MelTaggingModel(TaggingModel):
    """A tagging model on mel spectrograms; unless it scores them otherwise, ``head`` is given the maximum of each channel of ``blocks``."""

    def __init__(self, config: ModelConfig, n_tags: int) -> None:
        super().__init__(config, n_tags)
        self.spectrogram = MelSpectrogram(config)
        self.input_bn = nn.BatchNorm2d(1)

    def score_mel(self, mel: Tensor) -> Tensor:
        """Logits of a mel spectrogram of MIN_FRAMES to ``max_frames`` frames."""
        return self.head(self.blocks(self.as_image(mel)).amax(dim=(2, 3)))

    def forward(self, x: Tensor) -> Tensor:
        """Logits (batch, tags) of waveforms, or of mel spectrograms as ``from_mel`` takes them."""
        return self.from_mel(x if x.ndim == 3 else self.spectrogram(x))

    def from_mel(self, mel: Tensor) -> Tensor:
        """Logits (batch, tags) of mel spectrograms (batch, n_mels, frames) as ``spectrogram`` gives them."""
        return score_windows(self.score_mel, self.check_mel(mel), self.max_frames, dim=-1)

    def check_mel(self, mel: Tensor) -> Tensor:
        """The mel spectrogram, padded to MIN_FRAMES; ValueError where it is not one of this model's."""
        check_input(mel, ("batch", "n_mels", "frames"), "mel spectrogram")
        if mel.shape[1] != self.config.n_mels:
            raise ValueError(f"mel spectrogram: expected {self.config.n_mels} mel bands, got {mel.shape[1]}")
        return pad_end(mel, MIN_FRAMES, SILENCE_DB)

    def as_image(self, mel: Tensor) -> Tensor:
        """Normalised input of the convolutions, (batch, 1, n_mels, frames)."""
        return self.input_bn(mel.unsqueeze(1))
