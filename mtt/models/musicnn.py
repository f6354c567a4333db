"""musicnn (Pons, Serra: "musicnn: pre-trained convolutional neural networks for music audio tagging", ISMIR 2019 late-breaking demo).

For B clips: log-mel spectrogram at 16 kHz (B, n_mels, frames) -> patches of 187 frames, 3 s -> convolutions that are as high as many mels
(timbre) or as long as a second (rhythm), each reduced to its maximum over frequency -> three convolutions over time -> maximum and mean
over time -> dense layers. The score of a recording is the mean probability of its patches; frames that do not fill the last one are
dropped. What is shorter than a patch is repeated until it fills one, as clips were in its training (``pad_short`` in its settings).

Computes what the published code and weights compute (``official.import_musicnn``, tests/data/golden), in float32; under autocast, the wide
convolutions alone in bfloat16, which moves probabilities of music by less than 0.002, of a pure sweep by up to 0.012.
"""

from dataclasses import replace

import torch
import torch.nn.functional as F
import torchaudio.functional as AF
from torch import Tensor, nn

from mtt.config import SAMPLE_RATE, ModelConfig
from mtt.models.frontend import MelSpectrogram, TaggingModel, check_input, score_windows
from mtt.settings import SettingsError

RATE = 16_000  # Hz, of the audio that it hears
PATCH = 187  # frames
LARGEST_HALF = 65_504.0  # of a float16
KAISER_BEST = {  # the filter that the published code resampled with (``librosa.load`` at that time)
    "lowpass_filter_width": 64,
    "rolloff": 0.9475937167399596,
    "resampling_method": "sinc_interp_kaiser",
    "beta": 14.769656459379492,
}


class LogMelSpectrogram(MelSpectrogram):
    """(batch, samples) at ``config.sample_rate`` -> (batch, n_mels, frames), log10(10 000 power + 1), float32.

    At 16 kHz: Slaney mels with Slaney norm from 0 to 8 kHz; ``n_fft`` and ``hop`` of the configuration are samples there. Powers are
    rounded to float16, as the spectrograms were that it was trained on.
    """

    def __init__(self, config: ModelConfig) -> None:
        super().__init__(replace(config, sample_rate=RATE))
        self.given_rate = config.sample_rate
        with torch.device("cpu"):
            self.filters = AF.melscale_fbanks(len(self.filters), 0.0, RATE / 2, config.n_mels, RATE, "slaney", "slaney")

    def forward(self, waveform: Tensor) -> Tensor:
        check_input(waveform, ("batch", "samples"), "waveform")
        with torch.autocast(waveform.device.type, enabled=False):
            return self.log_mel(AF.resample(waveform.float(), self.given_rate, RATE, **KAISER_BEST))

    def log_mel(self, waveform: Tensor) -> Tensor:
        """Of a waveform at 16 kHz."""
        power = self.power(waveform).clamp(max=LARGEST_HALF).half().float()
        return torch.log10(10_000.0 * power + 1.0).contiguous()


def _norm(channels: int) -> nn.BatchNorm1d:
    return nn.BatchNorm1d(channels, eps=1e-3, momentum=0.01)  # TensorFlow's defaults


class PooledConv(nn.Module):
    """Convolution, ReLU, batch normalisation, then the maximum over frequency: (batch, 1, time, mels) -> (batch, filters, time).

    Time is padded to keep its length, frequency is not. In eval mode the maximum is taken first, for what follows rises or falls with it:
    where the normalisation falls (a negative weight), the convolution is negated, so that its maximum is the minimum. Patches then go
    one by one, so that what a convolution gives stays in the processor's cache.
    """

    def __init__(self, filters: int, frames: int, mels: int) -> None:
        super().__init__()
        self.conv, self.bn = nn.Conv2d(1, filters, (frames, mels)), _norm(filters)
        self.padding = (0, 0, (frames - 1) // 2, frames // 2)

    def forward(self, x: Tensor, dtype: torch.dtype) -> Tensor:
        x = F.pad(x, self.padding)
        if self.training:
            heard = F.relu(self.conv(x))
            return self.bn(heard.flatten(2)).unflatten(2, heard.shape[2:]).amax(dim=3)
        sign = torch.where(self.bn.weight < 0, -1.0, 1.0)[:, None]
        weight = self.conv.weight.flatten(1) * sign
        highest = torch.cat([self._highest(patch, weight, dtype) for patch in x.split(1)])
        return self.bn(F.relu(highest * sign + self.conv.bias[:, None]))

    def _highest(self, x: Tensor, weight: Tensor, dtype: torch.dtype) -> Tensor:
        """Maximum over frequency of the convolution with ``weight`` (filters, frames * mels)."""
        frames, mels = self.conv.kernel_size
        if mels == 1 or dtype == torch.float32:
            return F.conv2d(x, weight.view(self.conv.weight.shape)).amax(dim=3)
        rows = x[:, 0].to(dtype).unfold(1, frames, 1).unfold(2, mels, 1).flatten(3)  # a convolution of this shape is slow in bfloat16
        return F.linear(rows, weight.to(dtype)).amax(dim=2).transpose(1, 2).float()


class Musicnn(TaggingModel):
    """Convolutions shaped after music on the log-mel spectrogram, patch by patch. 787 159 parameters with 50 tags at the published size.

    ``config.channels`` (c) is 128 there: 1.6 c timbral filters of either height, 0.4 c temporal ones of each length, c / 2 channels behind
    them. ``config.width`` is that of the penultimate layer, 200. ``PUBLISHED`` has it all.
    """

    architecture = "musicnn"
    label = "musicnn"
    about = "musically motivated CNN on the mel spectrogram (Pons 2019)"
    colour = "#332288"
    native_seconds = 3.0

    @classmethod
    def check(cls, config: ModelConfig) -> None:
        if config.sample_rate not in (RATE, SAMPLE_RATE):
            raise SettingsError(f"sample_rate: expected {SAMPLE_RATE} Hz, or {RATE}, which musicnn hears, got {config.sample_rate}")
        for name in ("channels", "n_mels"):
            if getattr(config, name) < 3:
                raise SettingsError(f"{name}: expected at least 3, the smallest layer has a part of them, got {getattr(config, name)}")

    def __init__(self, config: ModelConfig, n_tags: int) -> None:
        super().__init__(config, n_tags)
        timbral, temporal, middle = int(1.6 * config.channels), int(1.6 * config.channels / 4), config.channels // 2
        self.spectrogram = LogMelSpectrogram(config)
        self.input_bn = nn.BatchNorm2d(1, eps=1e-3, momentum=0.01)
        self.pooled = nn.ModuleList(
            [PooledConv(timbral, 7, int(share * config.n_mels)) for share in (0.4, 0.7)]
            + [PooledConv(temporal, frames, 1) for frames in (128, 64, 32)]
        )
        heard = 2 * timbral + 3 * temporal
        self.middle = nn.ModuleList(
            nn.Sequential(nn.Conv1d(inputs, middle, 7, padding=3), nn.ReLU(), _norm(middle)) for inputs in (heard, middle, middle)
        )
        summary = 2 * (heard + 3 * middle)
        self.head = nn.Sequential(
            *(_norm(summary), nn.Dropout(config.dropout), nn.Linear(summary, config.width), nn.ReLU()),
            *(_norm(config.width), nn.Dropout(config.dropout), nn.Linear(config.width, n_tags)),
        )

    def forward(self, waveform: Tensor) -> Tensor:
        return self.from_mel(self.spectrogram(waveform))

    def from_mel(self, mel: Tensor) -> Tensor:
        """Logits (batch, tags) of spectrograms (batch, n_mels, frames) as ``spectrogram`` gives them, of any length."""
        frames = mel.shape[-1]
        if frames < PATCH:
            mel = mel.repeat(1, 1, -(-PATCH // frames))[..., :PATCH]
        return score_windows(self.score_patch, mel[..., : max(1, frames // PATCH) * PATCH], PATCH, dim=-1)

    def score_patch(self, mel: Tensor) -> Tensor:
        """Logits (batch, tags) of patches (batch, n_mels, 187)."""
        device = mel.device.type
        dtype = torch.get_autocast_dtype(device) if torch.is_autocast_enabled(device) else torch.float32
        with torch.autocast(device, enabled=False):
            image = self.input_bn(mel.transpose(1, 2).unsqueeze(1).contiguous())
            heard = [torch.cat([conv(image, dtype) for conv in self.pooled], dim=1)]
            heard.append(self.middle[0](heard[0]))
            for layer in self.middle[1:]:
                heard.append(layer(heard[-1]) + heard[-1])
            x = torch.cat(heard, dim=1)
            return self.head(torch.stack((x.amax(dim=2), x.mean(dim=2)), dim=2).flatten(1))


PUBLISHED = ModelConfig(Musicnn.architecture, channels=128, width=200, dropout=0.5, n_fft=512, hop=256, n_mels=96)
