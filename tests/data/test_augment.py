"""Each effect is judged by what it does to a signal; the chain by its statistics, order, and reproducibility."""

from __future__ import annotations

import functools
import math
from dataclasses import replace

import numpy as np
import pytest
import scipy.signal
import torch

from mtt.config import SAMPLE_RATE, AugmentConfig
from mtt.data.augment import EFFECTS, Effect, apply_effect, augment
from mtt.settings import SettingsError

SECOND = SAMPLE_RATE
ALWAYS, NEVER = dict.fromkeys(EFFECTS, 1.0), dict.fromkeys(EFFECTS, 0.0)


def effect(name: str, x: torch.Tensor, **drawn) -> torch.Tensor:
    """One effect with given parameters: a value for all examples, or one for each."""
    return EFFECTS[name].apply(x, {key: torch.as_tensor(value).expand(len(x)) for key, value in drawn.items()})


def filtered(x: torch.Tensor, cutoff: float, high_pass: bool) -> torch.Tensor:
    return effect("filter", x, low_pass_hz=cutoff, high_pass_hz=cutoff, seed=int(not high_pass))


def heard(x: torch.Tensor, seed: int, **settings) -> torch.Tensor:
    return augment(x, AugmentConfig(**settings), seed)


def noise(batch: int, samples: int, seed: int = 0, level: float = 0.1) -> torch.Tensor:
    return level * torch.randn(batch, samples, generator=torch.Generator().manual_seed(seed))


def tone(frequency: float, seconds: float = 1.0, harmonics: int = 1) -> torch.Tensor:
    time = torch.arange(round(seconds * SAMPLE_RATE), dtype=torch.float64) / SAMPLE_RATE
    partials = [torch.sin(2 * math.pi * h * frequency * time + h) / h for h in range(1, harmonics + 1)]
    return (0.3 * sum(partials)).float()[None]


def impulse(samples: int) -> torch.Tensor:
    x = torch.zeros(1, samples)
    x[0, 0] = 1.0
    return x


def fundamental(x: torch.Tensor) -> float:
    """Frequency of the highest peak of a long spectrum, by parabolic interpolation of its logarithm."""
    x = x[SECOND // 5 : -SECOND // 5].double()
    size = 1 << 19
    spectrum = torch.fft.rfft(x * torch.hann_window(len(x), dtype=x.dtype), size).abs()
    peak = spectrum.argmax().item()
    left, middle, right = spectrum[peak - 1 : peak + 2].log().tolist()
    return (peak + 0.5 * (left - right) / (left - 2 * middle + right)) * SAMPLE_RATE / size


def test_noise_has_the_asked_for_ratio_and_is_white():
    x = tone(440.0, 3.0).repeat(3, 1) + torch.tensor([[0.0], [0.0], [0.5]])  # an offset is no signal
    ratios = torch.tensor([0.3, 0.5, 0.4])
    added = effect("noise", x, noise_ratio=ratios, seed=torch.tensor([1, 2, 3])) - x
    assert added.std(1) / x.std(1) == pytest.approx(ratios.numpy(), rel=0.01)
    power = torch.fft.rfft(added).abs().square()
    halves = power[:, : power.shape[1] // 2].mean(1) / power[:, power.shape[1] // 2 :].mean(1)
    assert halves == pytest.approx(np.ones(3), abs=0.04)
    assert abs(torch.corrcoef(added)[0, 1]) < 0.02


def test_gain_is_in_decibels_and_polarity_a_change_of_sign():
    x = noise(3, 1000)
    assert torch.equal(effect("polarity", x), -x)
    gains = torch.tensor([-20.0, -6.5, 0.0])
    assert torch.allclose(effect("gain", x, gain_db=gains), x * 10 ** (gains[:, None] / 20), rtol=1e-5)


@pytest.mark.parametrize(("kind", "cutoff"), [("lowpass", 2200.0), ("lowpass", 4000.0), ("highpass", 40.0), ("highpass", 1200.0)])
def test_filter_is_the_first_order_butterworth_of_scipy(kind, cutoff):
    x = noise(2, 5000)
    b, a = scipy.signal.butter(1, cutoff, kind, fs=SAMPLE_RATE)
    expected = scipy.signal.lfilter(b, a, x.double().numpy())
    assert filtered(x, cutoff, kind == "highpass").numpy() == pytest.approx(expected, abs=1e-6)


def test_delay_is_one_echo_at_half_the_volume():
    x = impulse(SECOND).repeat(3, 1)
    y = effect("delay", x, delay_ms=torch.tensor([200.0, 333.3, 450.0]))
    for row, milliseconds in zip(y, (200.0, 333.3, 450.0), strict=True):
        echo = round(milliseconds * SAMPLE_RATE / 1000)
        assert row.nonzero().flatten().tolist() == [0, echo]
        assert row[[0, echo]].tolist() == [0.5, 0.25]
    assert torch.equal(effect("delay", x[:, :100], delay_ms=450.0), x[:, :100] / 2)  # an echo beyond the end is not heard


@pytest.mark.parametrize("frequency", [82.4, 220.0, 1000.0, 3000.0])
def test_pitch_shifts_by_the_asked_for_cents(frequency):
    cents = torch.tensor([-700.0, -433.0, -100.0, -3.0, 0.0, 1.0, 6.0, 50.0, 250.0, 700.0])
    x = tone(frequency, 2.0, harmonics=3 if frequency < 1000 else 1)
    y = effect("pitch", x.repeat(len(cents), 1), pitch_cents=cents)
    assert y.shape == (len(cents), x.shape[1])
    measured = [1200 * math.log2(fundamental(row) / frequency) for row in y]
    assert measured == pytest.approx(cents.tolist(), abs=4.0)
    # Segments are joined in phase: a tone stays a tone, as loud as it was.
    assert y.norm(dim=1) / x.norm() == pytest.approx(np.ones(len(cents)), abs=0.01)


@pytest.mark.parametrize("cents", [-700.0, -200.0, 300.0, 700.0])
def test_pitch_shift_keeps_the_tempo(cents):
    x = torch.zeros(1, 3 * SECOND)
    onsets = torch.arange(0.25, 3.0, 0.5)
    for onset in onsets:  # decaying bursts, twice a second
        burst = tone(500.0, 0.1)[0] * torch.linspace(1, 0, SECOND // 10)
        x[0, round(onset.item() * SECOND) :][: len(burst)] = burst
    envelope = effect("pitch", x, pitch_cents=cents)[0].abs()
    for onset in onsets:
        start = round(onset.item() * SECOND) - SECOND // 5
        heard = (envelope[start : start + 2 * SECOND // 5] > 0.1).nonzero()[0].item() + start
        # Half the range of the search, and half a segment that is not stretched itself; 3 ms for the rise of the burst.
        bound = 0.010 + 0.043 * abs(2 ** (-cents / 1200) - 1) + 0.003
        assert heard / SECOND == pytest.approx(onset.item(), abs=bound)


def test_chords_keep_their_partials():
    chord = sum(tone(frequency, 2.0) for frequency in (220.0, 277.2, 329.6)) / 3
    y = effect("pitch", chord, pitch_cents=300.0)[0]
    spectrum = torch.fft.rfft(y * torch.hann_window(len(y))).abs()
    frequencies = torch.fft.rfftfreq(len(y), 1 / SAMPLE_RATE)
    near = torch.zeros_like(frequencies, dtype=torch.bool)
    for frequency in (220.0, 277.2, 329.6):
        near |= (frequencies - frequency * 2 ** (300 / 1200)).abs() < 12.0
    assert (spectrum[near].square().sum() / spectrum.square().sum()).item() > 0.9


@pytest.mark.parametrize("seconds", [0.2, 0.5, 1.2])
def test_reverb_decays_by_60_db_in_the_asked_for_time(seconds):
    response = effect("reverb", impulse(2 * SECOND).repeat(4, 1), reverb_seconds=seconds, seed=torch.arange(4)).double()
    assert response[:, 0] == pytest.approx(np.full(4, 0.5))
    assert response[:, 1:].norm(dim=1) == pytest.approx(np.full(4, 0.5), abs=1e-3)
    energy = response[:, 1:].square().flip(1).cumsum(1).flip(1)  # Schroeder 1965
    levels = 10 * torch.log10(energy / energy[:, :1])
    for level in levels:
        first, last = ((level <= bound).int().argmax().item() for bound in (-5.0, -35.0))
        assert 2 * (last - first) / SAMPLE_RATE == pytest.approx(seconds, rel=0.1)


def test_reverb_is_the_convolution_with_its_response():
    x = noise(1, 3000)
    response = effect("reverb", impulse(3000), reverb_seconds=0.1, seed=5)
    expected = scipy.signal.convolve(x[0].double(), response[0].double())[:3000]
    assert effect("reverb", x, reverb_seconds=0.1, seed=5)[0].numpy() == pytest.approx(expected, abs=1e-6)
    assert not torch.equal(effect("reverb", x, reverb_seconds=0.1, seed=6), effect("reverb", x, reverb_seconds=0.1, seed=5))


@pytest.mark.parametrize("name", EFFECTS)
def test_each_effect_changes_every_example_keeps_the_input_and_survives_silence_and_short_clips(name):
    x = noise(4, 20_000)
    kept = x.clone()
    y = apply_effect(name, x, 0)
    assert torch.equal(x, kept)
    assert ((y - x).norm(dim=1) / x.norm(dim=1) > 0.02).all()
    assert torch.equal(y, apply_effect(name, x, 0))
    assert torch.equal(apply_effect(name, torch.zeros(2, 5000), 0), torch.zeros(2, 5000))
    for samples in (1, 2, 333, 2000, 4321):
        y = apply_effect(name, noise(2, samples), 0)
        assert y.shape == (2, samples) and y.dtype == torch.float32 and y.isfinite().all()


def chosen_and_drawn(batch: int, seed: int, **settings) -> tuple[dict[str, torch.Tensor], dict[str, dict[str, torch.Tensor]]]:
    """Which examples of a batch each effect of the chain is given, (batch,) bool, and what was drawn for them."""
    rows = {name: torch.zeros(batch, dtype=torch.bool) for name in EFFECTS}
    drawn: dict[str, dict[str, torch.Tensor]] = {}

    def spy(name: str, x: torch.Tensor, values: dict[str, torch.Tensor]) -> torch.Tensor:
        rows[name][x[:, 0].long()], drawn[name] = True, values
        return x

    with pytest.MonkeyPatch.context() as patch:
        for name, one in EFFECTS.items():
            patch.setitem(EFFECTS, name, replace(one, apply=functools.partial(spy, name)))
        heard(torch.arange(batch, dtype=torch.float32)[:, None], seed, **settings)
    return rows, drawn


def check_uniform(values: torch.Tensor, bounds: tuple[float, float]) -> None:
    low, high = bounds
    assert low <= values.min() and values.max() <= high
    quarters = torch.histc(values.double(), 4, low, high) / len(values)
    assert quarters == pytest.approx(np.full(4, 0.25), abs=0.02)


def test_draws_follow_the_probabilities_and_ranges():
    batch = 40_000
    rows, drawn = chosen_and_drawn(batch, 3, clip_share=0.7, probability={"noise": 0.6}, ranges={"delay_ms": (1.0, 2.0)})
    wanted = {name: 0.6 if name == "noise" else one.probability for name, one in EFFECTS.items()}
    for name, one in EFFECTS.items():
        assert rows[name].double().mean().item() == pytest.approx(0.7 * wanted[name], abs=0.01)
        assert len(drawn[name]["seed"].unique()) == rows[name].sum()
        for parameter, usual in one.ranges.items():
            check_uniform(drawn[name][parameter], (1.0, 2.0) if parameter == "delay_ms" else usual)
    untouched = ~torch.stack(list(rows.values())).any(0)
    assert untouched.double().mean().item() == pytest.approx(0.3 + 0.7 * math.prod(1 - p for p in wanted.values()), abs=0.01)
    assert (drawn["filter"]["seed"] % 2).double().mean().item() == pytest.approx(0.5, abs=0.01)  # high-pass where even


def test_changing_or_adding_an_effect_leaves_what_the_others_draw(monkeypatch):
    x = noise(24, 500)
    rows, drawn = chosen_and_drawn(50, 0)
    changed, others = chosen_and_drawn(50, 0, probability={"noise": 1.0}, ranges={"noise_ratio": (1.0, 2.0)})
    silent, before = heard(x, 0, probability=NEVER), heard(x, 0)
    toy = Effect("toy", "an offset", 0.5, lambda x, drawn: x + drawn["offset"].to(x)[:, None], {"offset": (1.0, 2.0)})
    monkeypatch.setitem(EFFECTS, "toy", toy)
    added, with_toy = chosen_and_drawn(50, 0)
    assert changed["noise"].all() and not rows["noise"].all() and 10 < added["toy"].sum() < 40
    for name in rows:
        if name != "noise":
            assert torch.equal(changed[name], rows[name]) and torch.equal(others[name]["seed"], drawn[name]["seed"])
        assert torch.equal(added[name], rows[name])
        assert all(torch.equal(with_toy[name][key], drawn[name][key]) for key in drawn[name])
    assert silent is x and torch.equal(heard(x, 0, probability={"toy": 0.0}), before)
    shifted = heard(x, 0, probability={**NEVER, "toy": 1.0}, ranges={"offset": (0.25, 0.25)})
    assert torch.equal(shifted, x + 0.25)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"probability": {"chorus": 0.5}}, "augment: 'chorus' is no effect; there are polarity, noise"),
        ({"ranges": {"delay_hz": (1.0, 2.0)}}, "augment: 'delay_hz' is no parameter of an effect; there are noise_ratio"),
        ({"ranges": {"delay_ms": (450.0, 200.0)}}, r"ranges.delay_ms: must be \(lowest, highest\) within 0 and inf, not \(450, 200\)"),
        ({"ranges": {"low_pass_hz": (2000.0, 20_000.0)}}, "augment.ranges.low_pass_hz: must be .* within 1 and 10804.5"),
        ({"ranges": {"pitch_cents": (-1300.0, 0.0)}}, "augment.ranges.pitch_cents: must be .* within -1200 and 1200"),
    ],
)
def test_impossible_configurations_are_named(settings, message):
    with pytest.raises(SettingsError, match=message):
        heard(noise(2, 100), 0, **settings)


def test_chain_is_the_effects_one_after_the_other():
    x = noise(24, 9000)
    rows, drawn = chosen_and_drawn(24, 11)
    assert (rows["filter"] & rows["reverb"] & ~rows["pitch"]).any() and (rows["reverb"] & rows["pitch"]).any()
    expected = x.clone()
    for name, one in EFFECTS.items():
        for place, row in enumerate(rows[name].nonzero().flatten()):  # alone: neighbours change nothing but rounding
            own = {key: values[place : place + 1] for key, values in drawn[name].items()}
            expected[row : row + 1] = one.apply(expected[row : row + 1], own)
    assert torch.allclose(heard(x, 11), expected, atol=1e-5)


def test_chain_is_bit_identical_for_a_seed_and_ignores_the_global_one():
    x = noise(8, 8000)
    torch.manual_seed(1)
    first = heard(x, 5)
    state = torch.get_rng_state()
    torch.manual_seed(2)
    torch.randn(3)
    assert torch.equal(first, heard(x, 5))
    assert not torch.equal(first, heard(x, 6)) and len({row.numpy().tobytes() for row in heard(x[:1].repeat(12, 1), 5)}) == 12
    torch.manual_seed(1)
    assert torch.equal(state, torch.get_rng_state())  # nothing was drawn from it


def test_clips_left_out_are_bit_identical_and_the_others_limited():
    x = noise(64, 500, level=3.0)
    assert heard(x, 0, probability=NEVER) is x and heard(x, 0, clip_share=0.0) is x and augment(x, None, 0) is x
    settings = {"clip_share": 0.5, "probability": {"noise": 1.0}}
    chosen = chosen_and_drawn(64, 9, **settings)[0]["noise"]
    kept = x.clone()
    y = heard(x, 9, **settings)
    assert 16 < chosen.sum() < 48
    assert torch.equal(x, kept) and torch.equal(y[~chosen], x[~chosen])
    assert (y[chosen] != x[chosen]).any(1).all() and y[chosen].abs().max() == 1.0


@pytest.mark.cuda
def test_chain_on_a_gpu_draws_the_same_parameters():
    x = noise(16, SECOND)
    settings = {"probability": {"noise": 0.0, "reverb": 0.0}}  # their samples differ between devices
    y, expected = heard(x.cuda(), 2, **settings).cpu(), heard(x, 2, **settings)
    shifted = chosen_and_drawn(16, 2)[0]["pitch"]
    assert torch.allclose(y[~shifted], expected[~shifted], atol=1e-4)
    assert heard(x.cuda(), 2).isfinite().all() and heard(x.cuda(), 2, probability=ALWAYS).isfinite().all()
