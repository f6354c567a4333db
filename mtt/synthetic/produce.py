"""From symbolic music to a recording: a sampler for the notes and a production chain for the sound.

Conventions: audio is mono float32 at ``mtt.config.SAMPLE_RATE``; levels are in dB, frequencies in Hz, times in seconds.

The notes are samples of ``mtt.synthetic.soundfont``. symusic 0.5.9 ignores velocity and plays most envelopes without decay or release, and
its answer depends on what the same synthesizer rendered before. So each note is rendered by a fresh synthesizer, which makes it a pure
function of program and pitch, and envelopes, velocities and the mix are applied here.
"""

import functools

import numpy as np
import scipy
from symusic import Note, Score, Synthesizer, Track

from mtt.config import SAMPLE_RATE
from mtt.synthetic import soundfont
from mtt.synthetic.artists import EQ_POINTS, Chain
from mtt.synthetic.compose import Part, Song
from mtt.synthetic.patterns import DRUMS

TICKS_PER_SECOND = 1000  # symusic's ticks per quarter note are 500 at its default tempo of 120 beats per minute
SHORTEST, LONGEST = 0.5, 8.0  # seconds of a sampled note; lengths between are rounded up to powers of two, to share samples
FIR_TAPS = 1023

# Seconds in which a note of a program falls by 1/e, at middle C (higher notes decay faster); programs not named here sustain.
DECAY = {
    0: 1.6, 1: 1.6, 2: 0.9, 3: 1.6, 4: 1.1,  # pianos
    24: 0.7, 25: 0.8, 26: 0.9, 27: 0.9, 28: 0.2, 29: 3.0, 30: 4.0,  # guitars
    32: 0.8, 33: 1.2, 34: 1.2, 35: 1.2, 36: 0.7, 37: 0.7, 38: 2.0, 39: 2.0,  # basses
    45: 0.4, 62: 1.5, 88: 3.0,  # plucked strings, synthetic brass, a pad
}  # fmt: skip
DRUM_DECAY = dict(DRUMS.values())
ATTACK = {44: 0.05, 48: 0.06, 49: 0.2, 50: 0.1, 51: 0.15, 88: 0.03, 89: 0.25, 90: 0.02, 94: 0.2, 95: 0.3}  # seconds; others 2 ms
RELEASE = {"piano": 0.12, "drums": 0.02, "bass": 0.03, "strings": 0.15, "synth": 0.12, "acoustic guitar": 0.12}  # seconds; others 0.06


def gain(level: float) -> float:
    """The factor that ``level`` dB are."""
    return 10 ** (level / 20)


@functools.lru_cache(maxsize=1000)  # some 100 MB: joblib replaces a worker that grows by 300 MB
def _sound(program: int, pitch: int, is_drum: bool, seconds: float) -> np.ndarray:
    """One note of ``seconds``, with attack and decay, at the sample's own level."""
    track = Track(program=program, is_drum=is_drum)
    track.notes.append(Note(0, int(seconds * TICKS_PER_SECOND), pitch, 100))
    score = Score(TICKS_PER_SECOND // 2)
    score.tracks.append(track)
    audio = np.asarray(Synthesizer(soundfont.path(), SAMPLE_RATE, 1).render(score, stereo=False))[0, : int(seconds * SAMPLE_RATE)]
    time = np.arange(len(audio), dtype=np.float32) / SAMPLE_RATE
    decay = DRUM_DECAY[pitch] if is_drum else DECAY.get(program, np.inf) * 2.0 ** ((60 - pitch) / 24)
    attack = 0.0005 if is_drum else ATTACK.get(program, 0.002)
    envelope = np.exp(-time / np.float32(decay)) * np.minimum(time / np.float32(attack), 1.0)
    sound = (audio * envelope).astype(np.float32)
    sound.flags.writeable = False  # shared by the cache
    return sound


def play(part: Part, seconds: float) -> np.ndarray:
    """The part alone, (round(seconds * SAMPLE_RATE),), scaled to its level in the mix while it sounds."""
    length = round(seconds * SAMPLE_RATE)
    is_drum = part.instrument == "drums"
    release = round(RELEASE.get(part.instrument, 0.06) * SAMPLE_RATE)
    fade = np.linspace(1.0, 0.0, release, dtype=np.float32)
    stem = np.zeros(length, dtype=np.float32)
    for start, duration, pitch, velocity in part.notes.tolist():
        duration = 5 * DRUM_DECAY[int(pitch)] if is_drum else duration  # a stroke rings as long as its drum does
        first = round(start * SAMPLE_RATE)
        frames = min(round(duration * SAMPLE_RATE) + release, round(LONGEST * SAMPLE_RATE))
        bucket = max(SHORTEST, 2.0 ** np.ceil(np.log2(frames / SAMPLE_RATE)))
        sound = _sound(part.program, int(pitch), is_drum, float(bucket))[:frames] * np.float32(velocity**1.5)
        tail = min(release, len(sound))
        sound[len(sound) - tail :] *= fade[release - tail :]
        stop = min(first + len(sound), length)
        stem[first:stop] += sound[: stop - first]
    return _at_level(stem, part.level)


def _at_level(audio: np.ndarray, level: float) -> np.ndarray:
    return audio * np.float32(gain(level) / _active_rms(audio))


def _active_rms(audio: np.ndarray, block: int = 2048) -> float:
    """Root mean square over the blocks in which there is sound, so that rests do not make an instrument louder; never 0."""
    power = np.square(audio[: len(audio) // block * block]).reshape(-1, block).mean(axis=1)
    sounding = power[power > 1e-3 * power.max()]
    return max(float(np.sqrt(sounding.mean())) if sounding.size else 0.0, 1e-6)


def mix(song: Song) -> np.ndarray:
    """All parts together, dry."""
    return functools.reduce(np.add, (play(part, song.seconds) for part in song.parts))


@functools.lru_cache(maxsize=64)
def impulse_response(chain: Chain) -> np.ndarray:
    """Equaliser, band limit and room as one filter, (FIR_TAPS + room,); delays by FIR_TAPS // 2 samples."""
    frequencies = np.linspace(0.0, SAMPLE_RATE / 2, 257)
    levels = np.interp(np.log(np.maximum(frequencies, 20.0)), np.log(EQ_POINTS), chain.equaliser)
    slope = 48.0 * np.log2(np.maximum(frequencies, 1.0) / chain.bandwidth)  # dB lost an octave above the band limit
    gains = gain(levels - np.maximum(slope, 0.0))
    gains[0] = 0.0  # no constant offset
    equaliser = scipy.signal.firwin2(FIR_TAPS, frequencies, gains, fs=SAMPLE_RATE)
    rng = np.random.default_rng(chain.room_seed)
    time = np.arange(round(0.8 * chain.room_seconds * SAMPLE_RATE)) / SAMPLE_RATE
    room = rng.standard_normal(len(time)) * 10 ** (-3.0 * time / chain.room_seconds)
    room[: int(rng.integers(60, 500))] = 0.0  # before the first reflection
    room *= gain(chain.room_level) / np.sqrt(np.square(room).sum())
    room[0] = 1.0
    return scipy.signal.fftconvolve(room, equaliser).astype(np.float32)


def produce(audio: np.ndarray, chain: Chain, rng: np.random.Generator) -> np.ndarray:
    """The finished recording of ``audio`` (samples,), same length, within [-1, 1]; ``rng`` draws the noise."""
    audio = audio / np.float32(_active_rms(audio))
    if chain.drive > 0:
        audio = np.tanh(audio * np.float32(chain.drive)) / np.float32(np.tanh(chain.drive))
    audio = audio + rng.standard_normal(len(audio), dtype=np.float32) * np.float32(gain(chain.noise_level))
    delay = FIR_TAPS // 2
    audio = _at_level(scipy.signal.oaconvolve(audio, impulse_response(chain))[delay : delay + len(audio)], chain.loudness)
    knee = 0.7  # what lies within is left, what is above is bent towards full scale
    over = np.abs(audio) > knee
    audio[over] = np.sign(audio[over]) * (knee + (1 - knee) * np.tanh((np.abs(audio[over]) - knee) / (1 - knee)))
    return audio
