"""Each effect is judged by what it does to a signal; the chain by its statistics, order, and reproducibility."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest
import scipy.signal
import torch

from mtt.config import SAMPLE_RATE, AugmentConfig
from mtt.data.augment import (
    EFFECTS,
    add_delay,
    add_noise,
    add_reverb,
    apply_effect,
    apply_gain,
    augment,
    filter_pass,
    invert_polarity,
    sample_settings,
    shift_pitch,
)

SECOND = SAMPLE_RATE
NOTHING = AugmentConfig(**dict.fromkeys(EFFECTS, 0.0))


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def noise(batch: int, samples: int, seed: int = 0, level: float = 0.1) -> torch.Tensor:
    return level * torch.randn(batch, samples, generator=generator(seed))


def tone(frequency: float, seconds: float = 1.0, harmonics: int = 1) -> torch.Tensor:
    time = torch.arange(round(seconds * SAMPLE_RATE), dtype=torch.float64) / SAMPLE_RATE
    partials = [torch.sin(2 * math.pi * h * frequency * time + h) / h for h in range(1, harmonics + 1)]
    return (0.3 * sum(partials)).float()[None]


def impulse(samples: int) -> torch.Tensor:
    x = torch.zeros(1, samples)
    x[0, 0] = 1.0
    return x


def decibels(ratio: torch.Tensor | float) -> float:
    return 20.0 * math.log10(float(ratio))


def fundamental(x: torch.Tensor) -> float:
    """Frequency of the highest peak of a long spectrum, by parabolic interpolation of its logarithm."""
    x = x[SECOND // 5 : -SECOND // 5].double()
    size = 1 << 19
    spectrum = torch.fft.rfft(x * torch.hann_window(len(x), dtype=x.dtype), size).abs()
    peak = spectrum.argmax().item()
    left, middle, right = spectrum[peak - 1 : peak + 2].log().tolist()
    return (peak + 0.5 * (left - right) / (left - 2 * middle + right)) * SAMPLE_RATE / size


# Single effects


def test_polarity_changes_every_sign():
    x = noise(2, 100)
    assert torch.equal(invert_polarity(x), -x)


def test_noise_has_the_asked_for_ratio_and_is_white():
    x = tone(440.0, 3.0).repeat(3, 1) + torch.tensor([[0.0], [0.0], [0.5]])  # an offset is no signal
    ratios = torch.tensor([0.3, 0.5, 0.4])
    added = add_noise(x, ratios, torch.tensor([1, 2, 3])) - x
    assert added.std(1) / x.std(1) == pytest.approx(ratios.numpy(), rel=0.01)
    power = torch.fft.rfft(added).abs().square()
    halves = power[:, : power.shape[1] // 2].mean(1) / power[:, power.shape[1] // 2 :].mean(1)
    assert halves == pytest.approx(np.ones(3), abs=0.04)
    assert abs(torch.corrcoef(added)[0, 1]) < 0.02


def test_noise_of_an_example_depends_on_its_own_seed_only():
    x = noise(3, 1000)
    together = add_noise(x, 0.4, torch.tensor([7, 8, 7]))
    assert torch.equal(together[1:2], add_noise(x[1:2], 0.4, 8))
    assert torch.allclose((together[0] - x[0]) / x[0].std(), (together[2] - x[2]) / x[2].std(), atol=1e-5)


def test_gain_is_in_decibels():
    x = noise(3, 1000)
    gains = [-20.0, -6.5, 0.0]
    y = apply_gain(x, torch.tensor(gains))
    assert [decibels(b.norm() / a.norm()) for a, b in zip(x, y, strict=True)] == pytest.approx(gains, abs=1e-4)


@pytest.mark.parametrize("high_pass", [False, True])
@pytest.mark.parametrize("cutoff", [200.0, 1200.0, 2200.0, 4000.0])
def test_filter_is_3_db_down_at_the_cutoff_and_falls_by_6_db_an_octave(cutoff, high_pass):
    size = SECOND  # a bin is 1 Hz
    gain = torch.fft.rfft(filter_pass(impulse(size), cutoff, high_pass)).abs()[0]
    assert decibels(gain[round(cutoff)]) == pytest.approx(-3.01, abs=0.05)
    passed, stopped = (8000.0, 20.0) if high_pass else (20.0, 10800.0)
    assert decibels(gain[round(passed)]) == pytest.approx(0.0, abs=0.7)
    assert decibels(gain[round(stopped)]) < -10.0
    if high_pass:
        assert decibels(gain[40] / gain[20]) == pytest.approx(6.02, abs=0.2)


@pytest.mark.parametrize(("kind", "cutoff"), [("lowpass", 2200.0), ("highpass", 200.0), ("highpass", 40.0)])
def test_filter_is_the_first_order_butterworth_of_scipy(kind, cutoff):
    x = noise(2, 5000)
    b, a = scipy.signal.butter(1, cutoff, kind, fs=SAMPLE_RATE)
    expected = scipy.signal.lfilter(b, a, x.double().numpy())
    assert filter_pass(x, cutoff, kind == "highpass").numpy() == pytest.approx(expected, abs=1e-6)


def test_filter_does_not_wrap_the_end_to_the_start():
    x = torch.zeros(1, 4096)
    x[0, -1] = 1.0
    assert filter_pass(x, 30.0, True)[0, :4000].abs().max() < 1e-7


def test_each_example_has_its_own_filter():
    x = noise(2, 3000)
    together = filter_pass(x, torch.tensor([2500.0, 300.0]), torch.tensor([False, True]))
    alone = torch.cat([filter_pass(x[:1], 2500.0, False), filter_pass(x[1:], 300.0, True)])
    assert torch.allclose(together, alone, atol=1e-6)


def test_delay_is_one_echo_at_half_the_volume():
    x = impulse(SECOND).repeat(3, 1)
    y = add_delay(x, torch.tensor([200.0, 333.3, 450.0]))
    for row, milliseconds in zip(y, (200.0, 333.3, 450.0), strict=True):
        echo = round(milliseconds * SAMPLE_RATE / 1000)
        assert row.nonzero().flatten().tolist() == [0, echo]
        assert row[[0, echo]].tolist() == [0.5, 0.25]


def test_delay_shows_in_the_autocorrelation():
    y = add_delay(noise(1, 2 * SECOND), 300.0)[0]
    power = torch.fft.rfft(y, 4 * SECOND).abs().square()
    correlation = torch.fft.irfft(power)[: 2 * SECOND]
    lag = 1000 + correlation[1000:].argmax().item()
    assert lag == round(0.3 * SAMPLE_RATE)
    assert (correlation[lag] / correlation[0]).item() == pytest.approx(0.5 / 1.25, abs=0.08)


def test_echo_beyond_the_end_is_not_heard():
    x = noise(1, 100)
    assert torch.equal(add_delay(x, 450.0), x / 2)


@pytest.mark.parametrize("frequency", [82.4, 220.0, 1000.0, 3000.0])
def test_pitch_shifts_by_the_asked_for_cents(frequency):
    cents = torch.tensor([-700.0, -433.0, -100.0, 0.0, 50.0, 250.0, 700.0])
    x = tone(frequency, 2.0, harmonics=3 if frequency < 1000 else 1)
    y = shift_pitch(x.repeat(len(cents), 1), cents)
    assert y.shape == (len(cents), x.shape[1])
    measured = [1200 * math.log2(fundamental(row) / frequency) for row in y]
    assert measured == pytest.approx(cents.tolist(), abs=4.0)
    # Segments are joined in phase: a tone stays a tone, as loud as it was.
    assert y.norm(dim=1) / x.norm() == pytest.approx(np.ones(len(cents)), abs=0.01)


@pytest.mark.parametrize("cents", [-3.0, 1.0, 6.0])
def test_tiny_pitch_shifts_are_within_four_cents(cents):
    assert 1200 * math.log2(fundamental(shift_pitch(tone(440.0, 2.0), cents)[0]) / 440.0) == pytest.approx(cents, abs=4)


@pytest.mark.parametrize("cents", [-700.0, -200.0, 300.0, 700.0])
def test_pitch_shift_keeps_the_tempo(cents):
    x = torch.zeros(1, 3 * SECOND)
    onsets = torch.arange(0.25, 3.0, 0.5)
    for onset in onsets:  # decaying bursts, twice a second
        burst = tone(500.0, 0.1)[0] * torch.linspace(1, 0, SECOND // 10)
        x[0, round(onset.item() * SECOND) :][: len(burst)] = burst
    envelope = shift_pitch(x, cents)[0].abs()
    for onset in onsets:
        start = round(onset.item() * SECOND) - SECOND // 5
        heard = (envelope[start : start + 2 * SECOND // 5] > 0.1).nonzero()[0].item() + start
        # Half the range of the search, and half a segment that is not stretched itself; 3 ms for the rise of the burst.
        bound = 0.010 + 0.043 * abs(2 ** (-cents / 1200) - 1) + 0.003
        assert heard / SECOND == pytest.approx(onset.item(), abs=bound)


def test_no_pitch_shift_gives_the_signal_back():
    x = filter_pass(filter_pass(noise(2, SECOND), 1000.0, False), 1000.0, False)
    middle = slice(100, -100)
    assert (shift_pitch(x, 0.0) - x)[:, middle].norm() / x[:, middle].norm() < 0.01


def test_chords_keep_their_partials():
    chord = sum(tone(frequency, 2.0) for frequency in (220.0, 277.2, 329.6)) / 3
    y = shift_pitch(chord, 300.0)[0]
    spectrum = torch.fft.rfft(y * torch.hann_window(len(y))).abs()
    frequencies = torch.fft.rfftfreq(len(y), 1 / SAMPLE_RATE)
    near = torch.zeros_like(frequencies, dtype=torch.bool)
    for frequency in (220.0, 277.2, 329.6):
        near |= (frequencies - frequency * 2 ** (300 / 1200)).abs() < 12.0
    assert (spectrum[near].square().sum() / spectrum.square().sum()).item() > 0.9


@pytest.mark.parametrize("seconds", [0.2, 0.5, 1.2])
def test_reverb_decays_by_60_db_in_the_asked_for_time(seconds):
    response = add_reverb(impulse(2 * SECOND).repeat(4, 1), seconds, torch.arange(4)).double()
    assert response[:, 0] == pytest.approx(np.full(4, 0.5))
    assert response[:, 1:].norm(dim=1) == pytest.approx(np.full(4, 0.5), abs=1e-3)
    energy = response[:, 1:].square().flip(1).cumsum(1).flip(1)  # Schroeder 1965
    levels = 10 * torch.log10(energy / energy[:, :1])
    for level in levels:
        first, last = ((level <= bound).int().argmax().item() for bound in (-5.0, -35.0))
        assert 2 * (last - first) / SAMPLE_RATE == pytest.approx(seconds, rel=0.1)


def test_reverb_is_the_convolution_with_its_response():
    x = noise(1, 3000)
    response = add_reverb(impulse(3000), 0.1, 5)
    expected = scipy.signal.convolve(x[0].double(), response[0].double())[:3000]
    assert add_reverb(x, 0.1, 5)[0].numpy() == pytest.approx(expected, abs=1e-6)
    assert not torch.equal(add_reverb(x, 0.1, 6), add_reverb(x, 0.1, 5))


@pytest.mark.parametrize("name", EFFECTS)
def test_each_effect_survives_silence_and_short_clips(name):
    assert torch.equal(apply_effect(name, torch.zeros(2, 5000), generator()), torch.zeros(2, 5000))
    for samples in (1, 2, 333, 2000, 4321):
        y = apply_effect(name, noise(2, samples), generator())
        assert y.shape == (2, samples) and y.dtype == torch.float32 and y.isfinite().all()


@pytest.mark.parametrize("name", EFFECTS)
def test_apply_effect_changes_every_example_and_keeps_the_input(name):
    x = noise(4, 20_000)
    kept = x.clone()
    y = apply_effect(name, x, generator(), AugmentConfig(**dict.fromkeys(EFFECTS, 0.0)))
    assert torch.equal(x, kept)
    assert ((y - x).norm(dim=1) / x.norm(dim=1) > 0.02).all()
    assert torch.equal(y, apply_effect(name, x, generator()))


# Settings


def test_settings_follow_the_probabilities_and_ranges():
    config, batch = AugmentConfig(clip_share=0.7), 40_000
    settings = sample_settings(batch, config, generator(3))
    for name in EFFECTS:
        share = 0.7 * getattr(config, name)
        deviation = math.sqrt(share * (1 - share) / batch)
        assert getattr(settings, name).double().mean().item() == pytest.approx(share, abs=4 * deviation), name
    untouched = ~torch.stack([getattr(settings, name) for name in EFFECTS]).any(0)
    by_chance = math.prod(1 - getattr(config, name) for name in EFFECTS)
    assert untouched.double().mean().item() == pytest.approx(0.3 + 0.7 * by_chance, abs=0.01)
    for name in ("noise_ratio", "gain_db", "delay_ms", "pitch_cents", "reverb_seconds"):
        check_uniform(getattr(settings, name), getattr(config, name))
    assert settings.high_pass.double().mean().item() == pytest.approx(0.5, abs=0.01)
    check_uniform(settings.cutoff_hz[settings.high_pass], config.high_pass_hz)
    check_uniform(settings.cutoff_hz[~settings.high_pass], config.low_pass_hz)
    assert len(settings.noise_seed.unique()) == len(settings.reverb_seed.unique()) == batch


def check_uniform(values: torch.Tensor, bounds: tuple[float, float]) -> None:
    low, high = bounds
    assert low <= values.min() and values.max() <= high
    quarters = torch.histc(values.double(), 4, low, high) / len(values)
    assert quarters == pytest.approx(np.full(4, 0.25), abs=0.015)


def test_effects_are_independent_of_each_other():
    settings = sample_settings(40_000, AugmentConfig(), generator(4))
    masks = torch.stack([getattr(settings, name) for name in EFFECTS]).double()
    correlation = torch.corrcoef(masks) - torch.eye(len(EFFECTS))
    assert correlation.abs().max() < 4 / math.sqrt(40_000)


def test_changing_one_probability_leaves_the_other_draws():
    one = sample_settings(50, AugmentConfig(), generator())
    two = sample_settings(50, AugmentConfig(noise=1.0, delay_ms=(1.0, 2.0)), generator())
    assert two.noise.all() and not one.noise.all()
    for field in dataclasses.fields(one):
        if field.name not in ("noise", "delay_ms"):
            assert torch.equal(getattr(one, field.name), getattr(two, field.name)), field.name


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"noise": 1.5}, "AugmentConfig.noise is a probability between 0 and 1, got 1.5"),
        ({"clip_share": -0.1}, "AugmentConfig.clip_share is a probability"),
        ({"delay_ms": (450.0, 200.0)}, r"AugmentConfig.delay_ms must be \(lowest, highest\)"),
        ({"pitch_cents": (0.0, math.inf)}, "AugmentConfig.pitch_cents must be"),
    ],
)
def test_impossible_configurations_are_named(change, message):
    with pytest.raises(ValueError, match=message):
        sample_settings(2, AugmentConfig(**change), generator())


# The chain


def test_chain_is_the_effects_one_after_the_other():
    """Fusing filter and reverb, and choosing rows, changes nothing but rounding."""
    x = noise(24, 9000)
    settings = sample_settings(24, AugmentConfig(), generator(11))
    assert (settings.filter & settings.reverb & ~settings.pitch).any() and (settings.reverb & settings.pitch).any()
    for i in range(24):
        s, y = settings.at(torch.tensor([i])), x[i : i + 1]
        steps = [
            (s.polarity, lambda y: invert_polarity(y)),
            (s.noise, lambda y, s=s: add_noise(y, s.noise_ratio, s.noise_seed)),
            (s.gain, lambda y, s=s: apply_gain(y, s.gain_db)),
            (s.filter, lambda y, s=s: filter_pass(y, s.cutoff_hz, s.high_pass)),
            (s.delay, lambda y, s=s: add_delay(y, s.delay_ms)),
            (s.pitch, lambda y, s=s: shift_pitch(y, s.pitch_cents)),
            (s.reverb, lambda y, s=s: add_reverb(y, s.reverb_seconds, s.reverb_seed)),
        ]
        for applies, step in steps:
            y = step(y) if applies else y
        assert torch.allclose(augment(x, AugmentConfig(), generator(11))[i], y[0], atol=1e-5), i


def test_chain_is_bit_identical_for_a_seed_and_ignores_the_global_one():
    x = noise(8, 8000)
    torch.manual_seed(1)
    first = augment(x, AugmentConfig(), generator(5))
    state = torch.get_rng_state()
    torch.manual_seed(2)
    torch.randn(3)
    assert torch.equal(first, augment(x, AugmentConfig(), generator(5)))
    assert not torch.equal(first, augment(x, AugmentConfig(), generator(6)))
    torch.manual_seed(1)
    assert torch.equal(state, torch.get_rng_state())  # nothing was drawn from it


def test_examples_of_a_batch_are_treated_differently():
    y = augment(noise(1, 4000).repeat(12, 1), AugmentConfig(), generator())
    assert len({row.numpy().tobytes() for row in y}) == 12


def test_chain_without_effects_returns_the_input_itself():
    x = noise(4, 1000, level=2.0)  # not even limited
    assert augment(x, NOTHING, generator()) is x
    assert augment(x, AugmentConfig(clip_share=0.0), generator()) is x


def test_clips_left_out_are_bit_identical_and_the_others_limited():
    x = noise(64, 500, level=3.0)
    config = dataclasses.replace(AugmentConfig(clip_share=0.5), noise=1.0)
    chosen = sample_settings(64, config, generator(9)).noise
    kept = x.clone()
    y = augment(x, config, generator(9))
    assert 16 < chosen.sum() < 48
    assert torch.equal(x, kept) and torch.equal(y[~chosen], x[~chosen])
    assert (y[chosen] != x[chosen]).any(1).all() and y[chosen].abs().max() == 1.0


def test_chain_carries_no_gradient_and_takes_other_precisions():
    x = noise(4, 3000)
    y = augment(x.clone().requires_grad_(), AugmentConfig(), generator())
    assert not y.requires_grad
    assert torch.equal(augment(x.double(), AugmentConfig(), generator()), y)


@pytest.mark.parametrize(
    ("waveforms", "message"),
    [
        (torch.zeros(100), r"shape \(batch, samples\), neither 0, got \(100,\)"),
        (torch.zeros(2, 0), r"got \(2, 0\)"),
        (torch.zeros(0, 100), r"got \(0, 100\)"),
        (torch.zeros(2, 100, dtype=torch.int16), "floating-point tensor, got torch.int16"),
        (np.zeros((2, 100)), "floating-point tensor, got float64"),
        ([[0.0]], "floating-point tensor, got list"),
        (torch.tensor([[0.0, 1.0], [math.nan, 0.0]]), "NaN or infinity in row 1"),
        (torch.tensor([[-math.inf, math.inf], [0.0, 0.0]]), "NaN or infinity in row 0"),
    ],
)
def test_bad_waveforms_are_named(waveforms, message):
    with pytest.raises(ValueError, match=message):
        augment(waveforms, AugmentConfig(), generator())


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda x: add_noise(x, torch.ones(3), 0), "ratio must be one value or one for each of 2 examples, got 3"),
        (lambda x: add_noise(x, -0.1, 0), "ratio must be between 0 and inf, got -0.1"),
        (lambda x: filter_pass(x, 20_000.0, False), "cutoff_hz must be between 1 and 10804.5, got 20000"),
        (lambda x: shift_pitch(x, 1300.0), "cents must be between -1200 and 1200, got 1300"),
        (lambda x: add_delay(x, math.nan), "delay_ms must be between 0 and inf, got nan"),
        (lambda x: add_reverb(x, -1.0, 0), "seconds must be between 0 and inf, got -1"),
        (lambda x: apply_effect("chorus", x, generator()), "no effect is called 'chorus'; choose one of polarity"),
    ],
)
def test_bad_parameters_are_named(call, message):
    with pytest.raises(ValueError, match=message):
        call(noise(2, 100))


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_chain_on_a_gpu_draws_the_same_settings():
    x = noise(16, SECOND)
    config = dataclasses.replace(AugmentConfig(), noise=0.0, reverb=0.0)  # their samples differ between devices
    y = augment(x.cuda(), config, generator(2)).cpu()
    expected = augment(x, config, generator(2))
    shifted = sample_settings(16, config, generator(2)).pitch
    assert torch.allclose(y[~shifted], expected[~shifted], atol=1e-4)
    assert augment(x.cuda(), AugmentConfig(), generator(2)).isfinite().all()
