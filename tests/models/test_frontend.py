import pytest
import torch
import torchaudio

from mtt.config import SAMPLE_RATE, ModelConfig
from mtt.models import frontend


@pytest.fixture(scope="module")
def spectrogram():
    return frontend.MelSpectrogram(ModelConfig())


def noise(*shape: int) -> torch.Tensor:
    return 0.1 * torch.randn(*shape, generator=torch.Generator().manual_seed(0))


def test_spectrogram_is_torchaudios(spectrogram):
    reference = torch.nn.Sequential(
        torchaudio.transforms.MelSpectrogram(SAMPLE_RATE, n_fft=1024, f_min=0, f_max=11_025, n_mels=128, power=2),
        torchaudio.transforms.AmplitudeToDB(),
    )
    waveform = noise(2, 40 * 512 + 77)
    torch.testing.assert_close(spectrogram(waveform), reference(waveform), rtol=0, atol=1e-3)


def test_mean_probability_is_the_mean_of_probabilities_and_never_saturates():
    logits = torch.tensor([[-2.0, 100.0, -300.0], [3.0, 120.0, -300.0]])
    combined = frontend.mean_probability(logits)
    torch.testing.assert_close(combined[0].sigmoid(), logits[:, 0].sigmoid().mean(), rtol=1e-6, atol=0)
    assert combined[1] == pytest.approx(100.69, abs=0.01)  # 1 - p is the mean of e^-100 and e^-120
    assert combined[2] == pytest.approx(-300.0, abs=1e-3)
