"""Random effects on batches of waveforms: the augmentation chain of the Music Tagging Transformer.

Conventions: waveforms are float32 tensors of shape (batch, samples), on the CPU or a CUDA device, full scale ±1. An
effect takes waveforms and its parameters, one value for each example or one for all, and changes every example it is
given; no gradient flows through it. ``augment`` draws the parameters and gives each effect its examples, in the order
of ``EFFECTS``. They are drawn on the CPU, so they are the same for every device; noise and rooms come from a seed per
example, and their samples differ between kinds of device. Neighbours in a batch change an example by no more
than rounding. Chain, order, probabilities and ranges: Won et al., ISMIR 2021, who use torchaudio-augmentations. After
the chain, the examples it changed are clamped to [-1, 1], as by a sound card; single effects do not clamp.

noise   white and Gaussian; its standard deviation is a ratio (the authors say "SNR") of the example's
filter  first-order Butterworth low- or high-pass by the bilinear transform, as Essentia's, which the authors call:
        -3 dB at the cut-off, 6 dB per octave; causal, applied as its exact frequency response
delay   y[t] = (x[t] + 0.5 x[t - d]) / 2, the authors' formula: one echo of half the volume
pitch   resampling, then WSOLA time stretching (Verhelst & Roelands, ICASSP 1993) as in SoX, whose ``pitch`` the authors
        call: duration and tempo stay, the shift is exact within 1.5 cents (3.5 below 7 cents)
reverb  half the direct sound, half its convolution with unit-energy Gaussian noise that decays by 60 dB in RT60 seconds
"""

from __future__ import annotations

import functools
import math
import zlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import torch
from scipy.fft import next_fast_len
from torch import Tensor
from torch.nn.functional import pad

from mtt.config import SAMPLE_RATE, AugmentConfig, SettingsError

ECHO_VOLUME = 0.5  # of the delayed sound, relative to the direct one
WET = 0.5  # share of the reverberated sound; the rest is direct
FILTER_TAIL = 20.0  # time constants after which a filter's response is below the resolution of float32
SEGMENT_SECONDS, OVERLAP_SECONDS = 0.070, 0.016  # WSOLA: from segment to segment in the output; cross-faded
SEARCH_SECONDS = 0.020  # WSOLA: range in which a segment may start, so that periods down to 50 Hz can be aligned
COARSE = 4  # WSOLA searches at a quarter of the rate, then refines
RATIO_TERMS, CENTS_TOLERANCE = range(32, 257), 1.5  # denominators of a resampling ratio, and how near it must come
ZERO_CROSSINGS, ROLLOFF = 16, 0.95  # of the resampler's sinc: on each side; cut-off relative to the Nyquist frequency

Values = Tensor | float | int | bool  # one for each example, or one for all
Drawn = dict[str, Tensor]  # parameters of an effect, (batch,) each


@dataclass(frozen=True)
class Effect:
    """One effect of the chain: all that there is to know of it stands here.

    ``apply`` takes waveforms (batch, samples), what was drawn for them and the sample rate. Drawn is one value an example for each of
    ``ranges`` (float64, uniform) and a ``seed`` (int64). ``probability`` and ``ranges`` are the authors' values; ``AugmentConfig`` may
    give others.
    """

    name: str
    probability: float
    ranges: Mapping[str, tuple[float, float]]
    apply: Callable[[Tensor, Drawn, int], Tensor]
    about: str  # what it does to a sound, for readers

    def draw(self, batch: int, ranges: Mapping[str, tuple[float, float]], seed: int) -> tuple[Tensor, Drawn]:
        """A number in [0, 1) for each example, which decides whether it is chosen, and what ``apply`` wants; the effect's own stream."""
        generator = _stream(seed, self.name)
        chance = torch.rand(batch, generator=generator, dtype=torch.float64)
        drawn = {"seed": torch.randint(2**62, (batch,), generator=generator)}
        for name, (low, high) in (self.ranges | {name: ranges[name] for name in self.ranges if name in ranges}).items():
            drawn[name] = low + (high - low) * torch.rand(batch, generator=generator, dtype=torch.float64)
        return chance, drawn


def check_config(config: AugmentConfig) -> None:
    """Raise ``SettingsError`` for an effect or parameter that does not exist and a range that runs backwards."""
    known = {name: value for effect in EFFECTS.values() for name, value in effect.ranges.items()}
    for given, names, kind in ((config.probability, EFFECTS, "effect"), (config.ranges, known, "parameter of an effect")):
        if unknown := [name for name in given if name not in names]:
            raise SettingsError(f"augment: {unknown[0]!r} is no {kind}; there are {', '.join(names)}")
    if wrong := [name for name, (low, high) in config.ranges.items() if low > high]:
        raise SettingsError(f"augment.ranges.{wrong[0]}: must be (lowest, highest), not {config.ranges[wrong[0]]}")


def augment(waveforms: Tensor, config: AugmentConfig, seed: int, sample_rate: int = SAMPLE_RATE) -> Tensor:
    """Pass each example through its own random selection of effects.

    ``waveforms`` (batch, samples) -> the same shape, float32. Each effect draws from a stream of its own, named after it, so a change to
    one leaves what the others do as it was. Examples to which no effect applies are bit-identical to the input; where there are only
    such, the input itself is returned. The others are limited to [-1, 1]. Raises ValueError for input that is not a finite, non-empty,
    two-dimensional floating-point tensor, ``SettingsError`` as ``check_config`` does.
    """
    check_config(config)
    waveforms = _checked(waveforms)
    batch = len(waveforms)
    passed = torch.rand(batch, generator=_stream(seed, "clip_share"), dtype=torch.float64) < config.clip_share
    masks, drawn = {}, {}
    for name, effect in EFFECTS.items():
        chance, drawn[name] = effect.draw(batch, config.ranges, seed)
        masks[name] = passed & (chance < config.probability.get(name, effect.probability))
    active = torch.stack(list(masks.values())).any(0)
    if not active.any():
        return waveforms
    result = waveforms.clone()
    for effect, mask, values in _fused(masks, drawn):
        if mask.any():
            chosen = mask.nonzero().squeeze(1)
            rows, own = chosen.to(result.device), {name: value.index_select(0, chosen) for name, value in values.items()}
            result.index_copy_(0, rows, effect(result.index_select(0, rows), own, sample_rate))
    limit = torch.where(active, 1.0, math.inf).to(result.device)[:, None]
    return result.clamp_(-limit, limit)


def _fused(masks: dict[str, Tensor], drawn: dict[str, Drawn]) -> Iterator[tuple[Callable, Tensor, Drawn]]:
    """Each effect with its examples and what was drawn for them. With no pitch shift between them, filter, delay and reverb commute, and
    filter and reverb share one FFT.
    """
    both = masks["filter"] & masks["reverb"] & ~masks["pitch"]
    for name, effect in EFFECTS.items():
        yield effect.apply, (masks[name] & ~both if name in ("filter", "reverb") else masks[name]), drawn[name]
    room = {f"room_{name}": value for name, value in drawn["reverb"].items()}
    yield _filter_in_room, both, drawn["filter"] | room


def apply_effect(name: str, waveforms: Tensor, seed: int, sample_rate: int = SAMPLE_RATE) -> Tensor:
    """Apply the effect ``name`` to every example, with parameters drawn from its ranges. Raises ``SettingsError`` for an unknown name."""
    check_config(AugmentConfig(probability={name: 1.0}))
    waveforms = _checked(waveforms)
    return EFFECTS[name].apply(waveforms, EFFECTS[name].draw(len(waveforms), {}, seed)[1], sample_rate)


def _stream(seed: int, name: str) -> torch.Generator:
    """The random stream of ``name`` under ``seed``."""
    return torch.Generator().manual_seed((seed * 0x9E3779B1 + zlib.crc32(name.encode())) % 2**63)


def invert_polarity(waveforms: Tensor) -> Tensor:
    """Change every sign."""
    return -_checked(waveforms)


def add_noise(waveforms: Tensor, ratio: Values, seed: Values) -> Tensor:
    """Add white Gaussian noise of ``ratio`` times each example's standard deviation; a silent example stays silent."""
    x = _checked(waveforms)
    variance = torch.linalg.vector_norm(x, dim=1).square() / x.shape[1] - x.mean(1).square()
    scales = x.new_tensor(_values("ratio", ratio, x)) * variance.clamp(min=0.0).sqrt()
    y = torch.empty_like(x)
    for source, target, scale, row_seed in zip(x, y, scales, _values("seed", seed, x), strict=True):
        torch.addcmul(source, _normal(row_seed, len(source), x.device), scale, out=target)
    return y


def apply_gain(waveforms: Tensor, gain_db: Values) -> Tensor:
    """Multiply each example by 10^(``gain_db`` / 20)."""
    x = _checked(waveforms)
    return x * 10.0 ** (x.new_tensor(_values("gain_db", gain_db, x, -math.inf))[:, None] / 20.0)


def filter_pass(waveforms: Tensor, cutoff_hz: Values, high_pass: Values, sample_rate: int = SAMPLE_RATE) -> Tensor:
    """Low-pass, or high-pass where ``high_pass``, with -3 dB at ``cutoff_hz`` (1 Hz to 0.49 of the sample rate)."""
    return _convolve(_checked(waveforms), sample_rate, (cutoff_hz, high_pass), None)


def add_delay(waveforms: Tensor, delay_ms: Values, sample_rate: int = SAMPLE_RATE) -> Tensor:
    """Mix each example with its echo, ``delay_ms`` later (rounded to samples): (direct + 0.5 echo) / 2."""
    x = _checked(waveforms)
    y = x / 2.0
    # An echo by whole samples is one addition in the time domain, cheaper than complex exponentials in an FFT.
    for source, target, delay in zip(x, y, _values("delay_ms", delay_ms, x), strict=True):
        samples = min(round(delay * sample_rate / 1000.0), len(source))
        target[samples:].add_(source[: len(source) - samples], alpha=ECHO_VOLUME / 2.0)
    return y


def add_reverb(waveforms: Tensor, seconds: Values, seed: Values, sample_rate: int = SAMPLE_RATE) -> Tensor:
    """Place each example in a random room whose sound decays by 60 dB in ``seconds`` (RT60), half dry and half wet."""
    return _convolve(_checked(waveforms), sample_rate, None, (seconds, seed))


def shift_pitch(waveforms: Tensor, cents: Values, sample_rate: int = SAMPLE_RATE) -> Tensor:
    """Shift the pitch by ``cents`` (100 a semitone, at most ±1200), keeping duration and tempo.

    Onsets move by up to 10 ms (half of ``SEARCH_SECONDS``) for small shifts and 30 ms for ±700 cents.
    """
    x = _checked(waveforms)
    hop, overlap, search = (
        COARSE * math.ceil(seconds * sample_rate / COARSE) for seconds in (SEGMENT_SECONDS, OVERLAP_SECONDS, SEARCH_SECONDS)
    )
    reach = hop + overlap + search
    track, rates = _resample(x, _values("cents", cents, x, -1200.0, 1200.0), margin=2 * reach)
    middles = torch.arange(0, x.shape[1], hop, device=x.device) + (hop + overlap) / 2.0  # of the segments in the output
    starts = (middles * rates - reach / 2.0).clamp(min=0.0).long()
    positions = _align(track, starts // COARSE, hop, overlap, search)
    rows = torch.arange(len(x), device=x.device)[:, None]
    segments = track.unfold(1, hop + overlap, 1)[rows, positions]
    fall = torch.cos(torch.arange(overlap, device=x.device) * (math.pi / 2.0 / overlap)).square()
    segments[:, 1:, :overlap].lerp_(segments[:, :-1, hop:], fall)
    return segments[:, :, :hop].flatten(1)[:, : x.shape[1]]


def _cutoff(drawn: Drawn) -> tuple[Tensor, Tensor]:
    """(cutoff_hz, high_pass) of the filter: one of its two kinds, at even chances."""
    high_pass = drawn["seed"] % 2 == 0
    return torch.where(high_pass, drawn["high_pass_hz"], drawn["low_pass_hz"]), high_pass


def _filter_in_room(x: Tensor, drawn: Drawn, rate: int) -> Tensor:
    return _convolve(x, rate, _cutoff(drawn), (drawn["room_reverb_seconds"], drawn["room_seed"]))


_CHAIN = (  # in the order in which they are applied
    Effect("polarity", 0.8, {}, lambda x, drawn, rate: invert_polarity(x), "the sign of every sample changes; nothing is heard"),
    Effect(
        "noise",
        0.3,
        {"noise_ratio": (0.3, 0.5)},  # its standard deviation over the signal's
        lambda x, drawn, rate: add_noise(x, drawn["noise_ratio"], drawn["seed"]),
        "white noise under the music",
    ),
    Effect("gain", 0.2, {"gain_db": (-20.0, -1.0)}, lambda x, drawn, rate: apply_gain(x, drawn["gain_db"]), "quieter"),
    Effect(
        "filter",
        0.8,
        {"low_pass_hz": (2200.0, 4000.0), "high_pass_hz": (200.0, 1200.0)},
        lambda x, drawn, rate: filter_pass(x, *_cutoff(drawn), rate),
        "the high or the low frequencies are taken away",
    ),
    Effect(
        "delay",
        0.5,
        {"delay_ms": (200.0, 450.0)},
        lambda x, drawn, rate: add_delay(x, drawn["delay_ms"], rate),
        "an echo of half the volume",
    ),
    Effect(
        "pitch",
        0.4,
        {"pitch_cents": (-700.0, 700.0)},
        lambda x, drawn, rate: shift_pitch(x, drawn["pitch_cents"], rate),
        "higher or lower, at the same tempo",
    ),
    Effect(
        "reverb",
        0.3,
        {"reverb_seconds": (0.2, 1.2)},  # RT60
        lambda x, drawn, rate: add_reverb(x, drawn["reverb_seconds"], drawn["seed"], rate),
        "as in a room",
    ),
)
EFFECTS = {effect.name: effect for effect in _CHAIN}


def _convolve(x: Tensor, sample_rate: int, passed: tuple | None, room: tuple | None) -> Tensor:
    """Filter (cutoff_hz, high_pass) and room (seconds, seed) in one FFT, padded so that no tail wraps to the start."""
    tail = 0
    if passed:
        cutoff = _values("cutoff_hz", passed[0], x, 1.0, 0.49 * sample_rate)
        tail += math.ceil(FILTER_TAIL * sample_rate / (2.0 * math.pi * min(cutoff)))
    if room:
        rooms = _rooms(_values("seconds", room[0], x), _values("seed", room[1], x), sample_rate, x.device)
        tail += rooms.shape[1]
    size = next_fast_len(x.shape[1] + tail, real=True)
    spectrum = torch.fft.rfft(x, size)
    if passed:
        kinds = x.new_tensor([cutoff, _values("high_pass", passed[1], x)])
        spectrum.mul_(_filter_response(size, *kinds[:, :, None], sample_rate))
    if room:
        spectrum.mul_(torch.fft.rfft(rooms, size))
    return torch.fft.irfft(spectrum, size)[:, : x.shape[1]]


def _filter_response(size: int, cutoff: Tensor, high_pass: Tensor, sample_rate: int) -> Tensor:
    """(batch, bins): 1 / (1 + jt), or jt / (1 + jt) where high-pass, with t = tan(pi f / fs) / tan(pi fc / fs)."""
    angle = torch.arange(size // 2 + 1, device=cutoff.device) * (math.pi / size)
    t = angle.tan().abs() / (cutoff * (math.pi / sample_rate)).tan()  # abs: rounding may take pi / 2 to the other side
    low = (t * t).add_(1.0).reciprocal_()
    sign = 1.0 - 2.0 * high_pass  # the high-pass is 1 - low-pass
    return torch.complex(torch.addcmul(high_pass, sign, low), t.mul_(low).mul_(-sign))


def _rooms(seconds: list[float], seeds: list[int], sample_rate: int, device: torch.device) -> Tensor:
    """(batch, longest): the direct sound, then exponentially decaying noise, each response as long as its RT60."""
    lengths = [max(2, round(s * sample_rate)) for s in seconds]
    rooms = torch.zeros(len(lengths), max(lengths), device=device)
    for room, length, seed in zip(rooms, lengths, seeds, strict=True):
        decay = torch.arange(1, length, device=device).mul(-3.0 * math.log(10.0) / length).exp_()  # to -60 dB
        noise = decay.mul_(_normal(seed, length - 1, device))
        room[1:length] = noise * (WET / torch.linalg.vector_norm(noise))
    rooms[:, 0] = 1.0 - WET
    return rooms


def _resample(x: Tensor, cents: list[float], margin: int) -> tuple[Tensor, Tensor]:
    """Play each example faster or slower, by a ratio of integers next to ``cents``: one matrix product each.

    Returns the result, with at least ``margin`` samples of silence after it, and new lengths over old ones (batch, 1).
    """
    ratios = [_ratio(c) for c in cents]
    lengths = [math.ceil(x.shape[1] * after / before) for after, before in ratios]
    tracks = x.new_zeros(len(x), COARSE * math.ceil((max(lengths) + margin) / COARSE))
    for row, track, length, (after, before) in zip(x, tracks, lengths, ratios, strict=True):
        kernel = _polyphase_kernel(after, before, x.device)
        frames = pad(row, ((len(kernel) - before) // 2, len(kernel) + before)).unfold(0, len(kernel), before)
        track[:length] = (frames @ kernel).flatten()[:length]
    rates = [[after / before] for after, before in ratios]
    return tracks, torch.tensor(rates, dtype=torch.float64, device=x.device)


def _ratio(cents: float) -> tuple[int, int]:
    """Small integers (after, before): playing ``before`` samples as ``after`` shifts the pitch by about ``cents``."""
    pairs = [(round(before * 2.0 ** (-cents / 1200.0)), before) for before in RATIO_TERMS]
    errors = [abs(1200.0 * math.log2(after / before) + cents) for after, before in pairs]
    near = [pair for pair, error in zip(pairs, errors, strict=True) if error <= CENTS_TOLERANCE]
    return near[0] if near else pairs[errors.index(min(errors))]


@functools.lru_cache(maxsize=256)
def _polyphase_kernel(after: int, before: int, device: torch.device) -> Tensor:
    """(taps, after): what ``after`` new samples take from ``before`` old ones and those around (Hann-windowed sinc)."""
    cutoff = min(1.0, after / before) * ROLLOFF
    width = math.ceil(ZERO_CROSSINGS / cutoff)
    taps = torch.arange(-width, before + width, dtype=torch.float64)[:, None]
    distance = torch.arange(after, dtype=torch.float64) * before / after - taps
    window = torch.cos((distance / width).clamp(-1.0, 1.0) * (math.pi / 2.0)).square()
    return (torch.sinc(cutoff * distance) * window * cutoff).float().to(device)


def _align(track: Tensor, starts: Tensor, hop: int, overlap: int, search: int) -> Tensor:
    """WSOLA: where each segment is read, (batch, segments), within ``search`` after ``starts`` (in COARSE samples).

    A segment starts where the track is most like (normalised correlation) what would have followed the segment before:
    first at a COARSE-th of the rate, one segment after another; then within ±COARSE samples, all segments at once.
    """
    rows = torch.arange(len(track), device=track.device)
    coarse = track.unflatten(1, (-1, COARSE)) @ track.new_ones(COARSE)
    step, length, lags = hop // COARSE, overlap // COARSE, search // COARSE
    energy = pad(coarse.double().square().cumsum(1), (1, 0)).unfold(1, length + 1, 1)
    weights = (energy[..., -1] - energy[..., 0]).clamp(min=1e-12).rsqrt().float()
    weights = weights.unfold(1, lags, 1)[rows[:, None], starts]
    windows, regions = coarse.unfold(1, length, 1), coarse.unfold(1, length + lags - 1, 1)
    positions = starts.clone()
    for k in range(1, starts.shape[1]):
        expected = windows[rows, positions[:, k - 1] + step]
        candidates = regions[rows, starts[:, k]].unfold(1, length, 1)
        positions[:, k] += ((candidates * expected[:, None]).sum(2) * weights[:, k]).argmax(1)
    positions *= COARSE
    first = (positions[:, 1:] - COARSE).clamp(0, track.shape[1] - overlap - 2 * COARSE)
    expected = track.unfold(1, overlap, 1)[rows[:, None], positions[:, :-1] + hop]
    regions = track.unfold(1, overlap + 2 * COARSE, 1)[rows[:, None], first]
    errors = [torch.linalg.vector_norm(regions[..., i : i + overlap] - expected, dim=2) for i in range(2 * COARSE + 1)]
    # Moving one segment moves what is expected to follow it, so the corrections add up.
    positions[:, 1:] += (first + torch.stack(errors).argmin(0) - positions[:, 1:]).cumsum(1)
    return positions.clamp(0, track.shape[1] - hop - overlap)


def _normal(seed: int, samples: int, device: torch.device) -> Tensor:
    return torch.randn(samples, device=device, generator=torch.Generator(device).manual_seed(seed))


def _checked(waveforms: Tensor) -> Tensor:
    """The waveforms as float32, if they are what an effect can work on."""
    if not isinstance(waveforms, Tensor) or not waveforms.is_floating_point():
        kind = getattr(waveforms, "dtype", type(waveforms).__name__)
        raise ValueError(f"waveforms must be a floating-point tensor, got {kind}")
    if waveforms.ndim != 2 or not waveforms.numel():
        raise ValueError(f"waveforms must have shape (batch, samples), neither 0, got {tuple(waveforms.shape)}")
    # NaN and infinity show in the sum; only then is it worth looking for the row.
    if not waveforms.sum().isfinite() and (rows := (~waveforms.isfinite()).any(1)).any():
        raise ValueError(f"waveforms hold NaN or infinity in row {rows.int().argmax().item()}; leave such clips out")
    return (waveforms.detach() if waveforms.requires_grad else waveforms).float()


def _values(name: str, values: Values, x: Tensor, low: float = 0.0, high: float = math.inf) -> list:
    """A parameter as a list of one number for each example, all within their range."""
    numbers = torch.as_tensor(values).flatten().tolist()
    if len(numbers) not in (1, len(x)):
        raise ValueError(f"{name} must be one value or one for each of {len(x)} examples, got {len(numbers)} values")
    if bad := [number for number in numbers if not low <= number <= high]:
        raise ValueError(f"{name} must be between {low:g} and {high:g}, got {bad[0]:g}")
    return numbers if len(numbers) == len(x) else numbers * len(x)
