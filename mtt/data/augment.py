"""Random effects on batches of waveforms: the augmentation chain of the Music Tagging Transformer.

Conventions: waveforms are float32 tensors of shape (batch, samples) at ``SAMPLE_RATE``, on the CPU or a CUDA device, full scale ±1. An
effect takes waveforms and what was drawn for them, and changes every example. Parameters are drawn on the CPU, so they are the same for
every device; noise and rooms come from a seed per example, and their samples differ between kinds of device. Neighbours in a batch change
an example by no more than rounding. Chain, order, probabilities and ranges: Won et al., ISMIR 2021, who use torchaudio-augmentations.
To add an effect, write its function and give it a line in ``EFFECTS``.
"""

import functools
import math
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np
import scipy
import torch
from torch import Tensor
from torch.nn.functional import pad

from mtt.config import SAMPLE_RATE, AugmentConfig
from mtt.settings import SettingsError

ECHO_VOLUME = 0.5  # of the delayed sound, relative to the direct one
WET = 0.5  # share of the reverberated sound; the rest is direct
CUTOFFS = {"low_pass_hz": (2200.0, 4000.0), "high_pass_hz": (200.0, 1200.0)}
FILTER_TAIL = 20.0  # time constants after which a filter's response is below the resolution of float32
SEGMENT_SECONDS, OVERLAP_SECONDS = 0.070, 0.016  # WSOLA: from segment to segment in the output; cross-faded
SEARCH_SECONDS = 0.020  # WSOLA: range in which a segment may start, so that periods down to 50 Hz can be aligned
COARSE = 4  # WSOLA searches at a quarter of the rate, then refines
RATIO_TERMS, CENTS_TOLERANCE = range(32, 257), 1.5  # denominators of a resampling ratio, and how near it must come
ZERO_CROSSINGS, ROLLOFF = 16, 0.95  # of the resampler's sinc: on each side; cut-off relative to the Nyquist frequency

Drawn = Mapping[str, Tensor]  # what was drawn for an effect: by parameter, (batch,) on the CPU


@dataclass(frozen=True)
class Effect:
    """One effect of the chain. ``probability`` and ``ranges`` are the authors' values; ``AugmentConfig`` may give others."""

    name: str
    about: str  # what it does to a sound, for readers
    probability: float
    apply: Callable[[Tensor, Drawn], Tensor]  # drawn are the parameters of ``ranges`` (float64, uniform) and a ``seed`` (int64)
    ranges: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    limits: tuple[float, float] = (0.0, math.inf)  # of what its parameters can be

    def draw(self, batch: int, ranges: Mapping[str, tuple[float, float]], seed: int) -> tuple[Tensor, Drawn]:
        """A number in [0, 1) for each example, which decides whether it is chosen, and what ``apply`` wants; the effect's own stream."""
        generator = _stream(seed, self.name)
        chance = torch.rand(batch, generator=generator, dtype=torch.float64)
        drawn = {"seed": torch.randint(2**62, (batch,), generator=generator)}
        for name, usual in self.ranges.items():
            low, high = ranges.get(name, usual)
            drawn[name] = low + (high - low) * torch.rand(batch, generator=generator, dtype=torch.float64)
        return chance, drawn


def augment(waveforms: Tensor, config: AugmentConfig | None, seed: int) -> Tensor:
    """Pass each example of ``waveforms`` (batch, samples) through its own random selection of effects; None is no augmentation.

    Each effect draws from a stream of its own, named after it, so a change to one leaves what the others do as it was. Examples to which
    no effect applies are bit-identical to the input; where there are only such, the input itself is returned. The others are limited to
    [-1, 1], as by a sound card. Raises ``SettingsError`` as ``check_config`` does.
    """
    if config is None:
        return waveforms
    check_config(config)
    result = waveforms
    passed = torch.rand(len(waveforms), generator=_stream(seed, "clip_share"), dtype=torch.float64) < config.clip_share
    limit = torch.full((len(waveforms), 1), math.inf)
    for name, effect in EFFECTS.items():
        chance, drawn = effect.draw(len(waveforms), config.ranges, seed)
        chosen = (passed & (chance < config.probability.get(name, effect.probability))).nonzero().squeeze(1)
        if not len(chosen):
            continue
        result = waveforms.clone() if result is waveforms else result
        rows, own = chosen.to(result.device), {parameter: values[chosen] for parameter, values in drawn.items()}
        result.index_copy_(0, rows, effect.apply(result.index_select(0, rows), own))
        limit[chosen] = 1.0
    limit = limit.to(result.device)
    return waveforms if result is waveforms else result.clamp_(-limit, limit)


def augmented(clips: Tensor, config: AugmentConfig | None, seed: int) -> Tensor:
    """``augment`` of waveforms; mel spectrograms (batch, n_mels, frames) as they are: they were augmented as waveforms, or not at all."""
    return augment(clips, config, seed) if clips.ndim == 2 else clips


def apply_effect(name: str, waveforms: Tensor, seed: int) -> Tensor:
    """Apply the effect ``name`` to every example, with parameters drawn from its ranges. Raises ``SettingsError`` for an unknown name."""
    check_config(AugmentConfig(probability={name: 1.0}))
    return EFFECTS[name].apply(waveforms, EFFECTS[name].draw(len(waveforms), {}, seed)[1])


def check_config(config: AugmentConfig) -> None:
    """Raise ``SettingsError`` for an effect or parameter that does not exist and a range that an effect cannot have."""
    owners = {parameter: effect for effect in EFFECTS.values() for parameter in effect.ranges}
    for given, names, kind in ((config.probability, EFFECTS, "effect"), (config.ranges, owners, "parameter of an effect")):
        if unknown := [name for name in given if name not in names]:
            raise SettingsError(f"augment: {unknown[0]!r} is no {kind}; there are {', '.join(names)}")
    for name, (low, high) in config.ranges.items():
        least, most = owners[name].limits
        if not least <= low <= high <= most:
            raise SettingsError(f"augment.ranges.{name}: must be (lowest, highest) within {least:g} and {most:g}, not ({low:g}, {high:g})")


def stream_seed(seed: int, step: int, name: str) -> int:
    """The seed of the random stream ``name`` at a step: no other name, step or ``seed`` has the same."""
    return int(np.random.SeedSequence([seed, step, zlib.crc32(name.encode())]).generate_state(1, np.uint64)[0] >> 1)


def _stream(seed: int, name: str) -> torch.Generator:
    return torch.Generator().manual_seed(stream_seed(seed, 0, name))


def _normal(seed: int, samples: int, device: torch.device) -> Tensor:
    return torch.randn(samples, device=device, generator=torch.Generator(device).manual_seed(seed))


def add_noise(x: Tensor, drawn: Drawn) -> Tensor:
    """Add white Gaussian noise; its standard deviation is a ratio (the authors say "SNR") of the example's: silence stays silent."""
    variance = torch.linalg.vector_norm(x, dim=1).square() / x.shape[1] - x.mean(1).square()
    scales = drawn["noise_ratio"].to(x) * variance.clamp(min=0.0).sqrt()
    y = torch.empty_like(x)
    for source, target, scale, seed in zip(x, y, scales, drawn["seed"].tolist(), strict=True):
        torch.addcmul(source, _normal(seed, len(source), x.device), scale, out=target)
    return y


def apply_gain(x: Tensor, drawn: Drawn) -> Tensor:
    """Multiply by 10^(dB / 20)."""
    return x * 10.0 ** (drawn["gain_db"].to(x)[:, None] / 20.0)


def filter_pass(x: Tensor, drawn: Drawn) -> Tensor:
    """First-order Butterworth low- or high-pass, at even chances, by the bilinear transform, as Essentia's, which the authors call.

    Its exact frequency response: 1 / (1 + jt), or jt / (1 + jt) where high-pass, with t = tan(pi f / fs) / tan(pi fc / fs).
    """
    kind = drawn["seed"] % 2 == 0
    cutoff = torch.where(kind, drawn["high_pass_hz"], drawn["low_pass_hz"])
    tail = math.ceil(FILTER_TAIL * SAMPLE_RATE / (2.0 * math.pi * cutoff.min().item()))
    size = scipy.fft.next_fast_len(x.shape[1] + tail, real=True)
    high_pass, cutoff = kind.to(x)[:, None], cutoff.to(x)[:, None]
    angle = torch.arange(size // 2 + 1, device=x.device) * (math.pi / size)
    t = angle.tan().abs() / (cutoff * (math.pi / SAMPLE_RATE)).tan()  # abs: rounding may take pi / 2 to the other side
    low = (t * t).add_(1.0).reciprocal_()
    sign = 1.0 - 2.0 * high_pass  # the high-pass is 1 - low-pass
    return _convolve(x, torch.complex(torch.addcmul(high_pass, sign, low), t.mul_(low).mul_(-sign)), size)


def add_delay(x: Tensor, drawn: Drawn) -> Tensor:
    """One echo of half the volume, by whole samples: y[t] = (x[t] + 0.5 x[t - d]) / 2, the authors' formula."""
    y = x / 2.0
    # One addition in the time domain is cheaper than complex exponentials in an FFT.
    for source, target, delay in zip(x, y, drawn["delay_ms"].tolist(), strict=True):
        samples = min(round(delay * SAMPLE_RATE / 1000.0), len(source))
        target[samples:].add_(source[: len(source) - samples], alpha=ECHO_VOLUME / 2.0)
    return y


def add_reverb(x: Tensor, drawn: Drawn) -> Tensor:
    """Half the direct sound, half its convolution with unit-energy Gaussian noise that decays by 60 dB in RT60 seconds."""
    lengths = [max(2, round(seconds * SAMPLE_RATE)) for seconds in drawn["reverb_seconds"].tolist()]
    rooms = torch.zeros(len(lengths), max(lengths), device=x.device)
    for room, length, seed in zip(rooms, lengths, drawn["seed"].tolist(), strict=True):
        decay = torch.arange(1, length, device=x.device).mul(-3.0 * math.log(10.0) / length).exp_()  # to -60 dB
        noise = decay.mul_(_normal(seed, length - 1, x.device))
        room[1:length] = noise * (WET / torch.linalg.vector_norm(noise))
    rooms[:, 0] = 1.0 - WET
    size = scipy.fft.next_fast_len(x.shape[1] + rooms.shape[1], real=True)
    return _convolve(x, torch.fft.rfft(rooms, size), size)


def _convolve(x: Tensor, response: Tensor, size: int) -> Tensor:
    """``x`` through a filter of the frequency response (batch, bins); ``size`` leaves room for its tail, so that nothing wraps around."""
    return torch.fft.irfft(torch.fft.rfft(x, size).mul_(response), size)[:, : x.shape[1]]


def shift_pitch(x: Tensor, drawn: Drawn) -> Tensor:
    """Resampling, then WSOLA time stretching (Verhelst & Roelands, ICASSP 1993) as in SoX, whose ``pitch`` the authors call.

    Duration and tempo stay; the shift is exact within 1.5 cents (3.5 below 7 cents). Onsets move by up to 10 ms (half of
    ``SEARCH_SECONDS``) for small shifts and 30 ms for ±700 cents.
    """
    hop, overlap, search = (
        COARSE * math.ceil(seconds * SAMPLE_RATE / COARSE) for seconds in (SEGMENT_SECONDS, OVERLAP_SECONDS, SEARCH_SECONDS)
    )
    reach = hop + overlap + search
    track, rates = _resample(x, drawn["pitch_cents"].tolist(), margin=2 * reach)
    middles = torch.arange(0, x.shape[1], hop, device=x.device) + (hop + overlap) / 2.0  # of the segments in the output
    starts = (middles * rates - reach / 2.0).clamp(min=0.0).long()
    positions = _align(track, starts // COARSE, hop, overlap, search)
    rows = torch.arange(len(x), device=x.device)[:, None]
    segments = track.unfold(1, hop + overlap, 1)[rows, positions]
    fall = torch.cos(torch.arange(overlap, device=x.device) * (math.pi / 2.0 / overlap)).square()
    segments[:, 1:, :overlap].lerp_(segments[:, :-1, hop:], fall)
    return segments[:, :, :hop].flatten(1)[:, : x.shape[1]]


def _resample(x: Tensor, cents: list[float], margin: int) -> tuple[Tensor, Tensor]:
    """Each example faster or slower by some ``cents``, then ``margin`` samples of silence or more; new lengths over old ones (batch, 1)."""
    ratios = [_ratio(c) for c in cents]
    lengths = [math.ceil(x.shape[1] * after / before) for after, before in ratios]
    tracks = x.new_zeros(len(x), COARSE * math.ceil((max(lengths) + margin) / COARSE))
    for row, track, length, (after, before) in zip(x, tracks, lengths, ratios, strict=True):
        kernel = _polyphase_kernel(after, before, x.device)
        frames = pad(row, ((len(kernel) - before) // 2, len(kernel) + before)).unfold(0, len(kernel), before)
        track[:length] = (frames @ kernel).flatten()[:length]
    return tracks, torch.tensor([[after / before] for after, before in ratios], dtype=torch.float64, device=x.device)


def _ratio(cents: float) -> tuple[int, int]:
    """Small integers (after, before): playing ``before`` samples as ``after`` shifts the pitch by about ``cents``."""
    pairs = [(round(before * 2.0 ** (-cents / 1200.0)), before) for before in RATIO_TERMS]
    errors = [abs(1200.0 * math.log2(after / before) + cents) for after, before in pairs]
    return next((pair for pair, error in zip(pairs, errors, strict=True) if error <= CENTS_TOLERANCE), pairs[int(np.argmin(errors))])


@functools.lru_cache(maxsize=256)
def _polyphase_kernel(after: int, before: int, device: torch.device) -> Tensor:
    """(taps, after): what ``after`` new samples take from ``before`` old ones and those around (Hann-windowed sinc)."""
    cutoff = min(1.0, after / before) * ROLLOFF
    width = math.ceil(ZERO_CROSSINGS / cutoff)
    taps = torch.arange(-width, before + width, dtype=torch.float64, device=device)[:, None]  # made where it is used: a GPU waits less
    distance = torch.arange(after, dtype=torch.float64, device=device) * before / after - taps
    window = torch.cos((distance / width).clamp(-1.0, 1.0) * (math.pi / 2.0)).square()
    return (torch.sinc(cutoff * distance) * window * cutoff).float()


def _align(track: Tensor, starts: Tensor, hop: int, overlap: int, search: int) -> Tensor:
    """WSOLA: where each segment is read, (batch, segments), within ``search`` after ``starts`` (in COARSE samples).

    A segment starts where the track is most like what would have followed the segment before: first at a COARSE-th of the rate, one
    segment after another; then within ±COARSE samples, all segments at once.
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


_CHAIN = (  # in the order in which they are applied
    Effect("polarity", "the sign of every sample changes; nothing is heard", 0.8, lambda x, drawn: -x),
    Effect("noise", "white noise under the music", 0.3, add_noise, {"noise_ratio": (0.3, 0.5)}),
    Effect("gain", "quieter", 0.2, apply_gain, {"gain_db": (-20.0, -1.0)}, limits=(-math.inf, math.inf)),
    Effect("filter", "the high or the low frequencies are taken away", 0.8, filter_pass, CUTOFFS, limits=(1.0, 0.49 * SAMPLE_RATE)),
    Effect("delay", "an echo of half the volume", 0.5, add_delay, {"delay_ms": (200.0, 450.0)}),
    Effect("pitch", "higher or lower, at the same tempo", 0.4, shift_pitch, {"pitch_cents": (-700.0, 700.0)}, limits=(-1200.0, 1200.0)),
    Effect("reverb", "as in a room", 0.3, add_reverb, {"reverb_seconds": (0.2, 1.2)}),  # RT60
)
EFFECTS = {effect.name: effect for effect in _CHAIN}
