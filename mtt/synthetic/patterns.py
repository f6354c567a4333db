"""How the parts of a song play one bar: chords, bass lines, drum beats with fills, and melodies.

Conventions: a note is ``(start, duration, pitch, velocity)`` with start and duration in beats (from the bar's start),
pitch as a MIDI note number and velocity in (0, 1]. Rhythms are strings of sixteenth steps as in `mtt.synthetic.genres`.
Roman numerals are relative to the major scale.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np

from mtt.synthetic.genres import (
    CRASH,
    DRUM_STYLES,
    HIGH_TOM,
    KICK,
    LOW_TOM,
    MID_TOM,
    SNARE,
)

Note = tuple[float, float, int, float]

STEPS_PER_BEAT = 4
VELOCITY = {"X": 1.0, "x": 0.75, "o": 0.4}
SCALES = {
    ("diatonic", False): (0, 2, 4, 5, 7, 9, 11),
    ("diatonic", True): (0, 2, 3, 5, 7, 8, 10),
    ("pentatonic", False): (0, 2, 4, 7, 9),
    ("pentatonic", True): (0, 3, 5, 7, 10),
    ("blues", False): (0, 3, 4, 5, 7, 9, 10),
    ("blues", True): (0, 3, 5, 6, 7, 10),
}
_DEGREES = {"i": 0, "ii": 2, "iii": 4, "iv": 5, "v": 7, "vi": 9, "vii": 11}
_NUMERAL = re.compile(r"(b?)([IViv]+)(maj7|7|)")


@dataclass(frozen=True)
class Chord:
    """Pitch class of the root and the intervals above it, in semitones."""

    root: int
    intervals: tuple[int, ...]

    @property
    def pitch_classes(self) -> tuple[int, ...]:
        return tuple((self.root + interval) % 12 for interval in self.intervals)

    def voiced(self, centre: int) -> list[int]:
        """One pitch for each chord tone, within a tritone of ``centre``: chords then follow by small steps."""
        return sorted(centre - 6 + (pitch_class - centre + 6) % 12 for pitch_class in self.pitch_classes)


def parse_chord(numeral: str, tonic: int) -> Chord:
    """``bVII`` or ``ii7`` in the key of pitch class ``tonic``. Raises ValueError for what is no such numeral."""
    match = _NUMERAL.fullmatch(numeral)
    if match is None or match[2].lower() not in _DEGREES:
        raise ValueError(f"chord {numeral!r} is no Roman numeral: write it like I, ii7, bVII or IVmaj7")
    flat, degree, suffix = match.groups()
    triad = (0, 4, 7) if degree.isupper() else (0, 3, 7)
    seventh = {"": (), "7": (10,), "maj7": (11,)}[suffix]
    return Chord((tonic + _DEGREES[degree.lower()] - len(flat)) % 12, triad + seventh)


@dataclass(frozen=True)
class Comping:
    """A way to play chords. ``hold`` is how long a stroke lasts, in steps; None is until the next stroke."""

    rhythms: tuple[str, ...]
    voicing: str  # "chord", "power", "arpeggio" or "octaves"
    hold: float | None = None


COMPING = {
    "strum": Comping(("X.x.x.x.X.x.x.x.", "X...x.x...x.x.x.", "X..x..x.X..x..x."), "chord"),
    "power": Comping(("X.......X.......", "X...x.X.....x.x.", "X.....X.....X..."), "power"),
    "chug": Comping(("XxxxXxxxXxxxXxxx", "X.xxX.xxX.xxX.xx", "X.x.XxX.x.x.XxX."), "power", 0.9),
    "offbeat": Comping(("..X...X...X...X.", "..Xo..X...Xo..X.", "....X.......X..."), "chord", 1.0),
    "bubble": Comping((".ox..ox..ox..ox.", "o.x.o.x.o.x.o.x."), "chord", 0.9),
    "stabs": Comping(("..x....x..x.....", "X..x......x..x..", "....x.....x..x..", "X.....x....x...."), "chord", 1.6),
    "montuno": Comping(("X.xx.xx.x.xx.xx.", "X.x.xx.x.xx.xx.x"), "octaves", 1.5),
    "shuffle": Comping(("X.x.X.x.X.x.X.x.", "X...X.x.X...X.x."), "chord", 1.6),
    "sustain": Comping(("X...............", "X.......x......."), "chord"),
    "arpeggio": Comping(("x.x.x.x.x.x.x.x.", "x.xxx.x.x.xxx.x.", "x...x...x...x..."), "arpeggio", 4.0),
    "alberti": Comping(("x.x.x.x.x.x.x.x.", "xxxxxxxxxxxxxxxx"), "arpeggio", 2.0),
}

# Rhythm and, for each stroke in turn, the interval above the root.
BASS = {
    "eighths": ("X.x.x.x.X.x.x.x.", (0,)),
    "sixteenths": ("XxxxXxxxXxxxXxxx", (0,)),
    "roots": ("X.......x.....x.", (0, 0, 7)),
    "syncopated": ("X..x..x...x.x...", (0, 0, 7, 0, 10)),
    "offbeat": ("..X...X...X...X.", (0,)),
    "octaves": ("X.x.X.x.X.x.X.x.", (0, 12)),
    "long": ("X...............", (0,)),
    "dub": ("X..x....x.x.....", (0, 0, 7, 5)),
    "tumbao": ("......X.....X...", (7, 0)),
    "alternating": ("X.......X.......", (0, 7)),
    "shuffle": ("X.x.X.x.X.x.X.x.", (0, 0, 7, 7, 9, 9, 7, 7)),
    "walking": ("X...x...x...x...", (0,)),
}


def strokes(rhythm: str, meter: int) -> list[tuple[int, float, int]]:
    """(step, velocity, steps to the next stroke or the bar's end) of each stroke in one bar of ``meter`` beats."""
    steps = [step for step, symbol in enumerate(rhythm[: meter * STEPS_PER_BEAT]) if symbol != "."]
    ends = [*steps[1:], meter * STEPS_PER_BEAT]
    return [(step, VELOCITY[rhythm[step]], end - step) for step, end in zip(steps, ends, strict=True)]


def chord_bar(style: str, variant: int, chord: Chord, meter: int, centre: int) -> list[Note]:
    """One bar of accompaniment."""
    comping = COMPING[style]
    pitches = chord.voiced(centre)
    if comping.voicing == "power":
        root = 40 + (chord.root - 40) % 12  # from the guitar's low E
        pitches = [root, root + 7, root + 12]
    notes = []
    for index, (step, velocity, gap) in enumerate(strokes(comping.rhythms[variant % len(comping.rhythms)], meter)):
        if comping.voicing == "arpeggio":
            played = [[*pitches, pitches[0] + 12, *pitches[:0:-1]][index % (2 * len(pitches))]]
        elif comping.voicing == "octaves":
            played = [pitches[index % len(pitches)], pitches[index % len(pitches)] + 12]
        else:
            played = pitches
        duration = min(comping.hold or gap, meter * STEPS_PER_BEAT - step) / STEPS_PER_BEAT
        notes += [(step / STEPS_PER_BEAT, duration, pitch, velocity) for pitch in played]
    return notes


def bass_bar(style: str, chord: Chord, following: Chord, meter: int, rng: np.random.Generator) -> list[Note]:
    """One bar of bass; a walking line goes through chord tones and approaches ``following``'s root by a semitone."""
    rhythm, intervals = BASS[style]
    root = 28 + (chord.root - 28) % 12  # from the bass guitar's low E
    beats = strokes(rhythm, meter)
    notes = []
    for index, (step, velocity, gap) in enumerate(beats):
        pitch = root + intervals[index % len(intervals)]
        if style == "walking" and index:
            pitch = root + chord.intervals[int(rng.integers(len(chord.intervals)))]
            if index == len(beats) - 1:
                pitch = 28 + (following.root - 28) % 12 + int(rng.choice((-1, 1)))
        notes.append((step / STEPS_PER_BEAT, 0.95 * gap / STEPS_PER_BEAT, pitch, velocity))
    return notes


def drum_bar(style: str, variant: int, meter: int, crash: bool, fill: bool, rng: np.random.Generator) -> list[Note]:
    """One bar of drums, with small deviations; ``crash`` opens a section, ``fill`` ends it with a run of toms."""
    pattern = DRUM_STYLES[style][variant % len(DRUM_STYLES[style])]
    quiet = style in ("light", "jazz", "latin")
    fill_from = (meter - (1 if quiet else int(rng.integers(1, 3)))) * STEPS_PER_BEAT if fill else meter * STEPS_PER_BEAT
    notes = []
    for drum, rhythm in pattern.items():
        for step, velocity, _ in strokes(rhythm, meter):
            if step < fill_from and (velocity == 1.0 or rng.random() > 0.06):
                notes.append((step / STEPS_PER_BEAT, 0.25, drum, velocity))
    if crash:
        notes.append((0.0, 1.0, CRASH, 0.8))
    toms = (SNARE, HIGH_TOM, MID_TOM, LOW_TOM)
    for step in range(fill_from, meter * STEPS_PER_BEAT):
        if rng.random() < 0.8:
            drum = toms[(step - fill_from) * len(toms) // (meter * STEPS_PER_BEAT - fill_from)]
            notes.append((step / STEPS_PER_BEAT, 0.25, drum, 0.5 + 0.5 * rng.random()))
    if fill and not quiet:
        notes.append((fill_from / STEPS_PER_BEAT, 0.25, KICK, 0.8))
    return notes


class Melody:
    """A tune built from a two-bar motif that returns, moved to the chord of the moment, with small changes.

    ``density`` in (0, 1] is about the share of eighth notes that are played; the line stays within an octave of
    ``centre``.
    """

    def __init__(self, scale: tuple[int, ...], tonic: int, centre: int, density: float, meter: int, rng: np.random.Generator) -> None:
        self.meter, self.rng, self.density = meter, rng, density
        self.ladder = [pitch for pitch in range(centre - 9, centre + 13) if (pitch - tonic) % 12 in scale]
        self.motif = [self._phrase() for _ in range(2)]
        self.rung = len(self.ladder) // 2

    def _phrase(self) -> list[tuple[int, int]]:
        """Steps of the bar (eighths) with moves along the scale; the strong beats are likelier than the weak ones."""
        odds = [self.density * (1.3 if step % 4 == 0 else 0.9 if step % 2 == 0 else 0.35) for step in range(self.meter * STEPS_PER_BEAT)]
        if self.density < 0.75:  # no sixteenths in calmer tunes
            odds[1::2] = [0.0] * len(odds[1::2])
        played = [step for step, chance in enumerate(odds) if self.rng.random() < chance] or [0]
        return [(step, int(self.rng.choice((-2, -1, -1, 0, 1, 1, 2, 3)))) for step in played]

    def bar(self, index: int, chord: Chord) -> list[Note]:
        """The tune's ``index``-th bar, over ``chord``."""
        phrase = self.motif[index % 2] if self.rng.random() < 0.75 else self._phrase()
        ends = [step for step, _ in phrase[1:]] + [self.meter * STEPS_PER_BEAT]
        notes = []
        for (step, move), end in zip(phrase, ends, strict=True):
            self.rung = min(max(self.rung + move, 0), len(self.ladder) - 1)
            if step % 4 == 0:
                self.rung = self._nearest_chord_tone(chord)
            duration = min(0.92 * (end - step), 6) / STEPS_PER_BEAT
            notes.append((step / STEPS_PER_BEAT, duration, self.ladder[self.rung], 0.7 + 0.3 * self.rng.random()))
        return notes

    def _nearest_chord_tone(self, chord: Chord) -> int:
        tones = [rung for rung, pitch in enumerate(self.ladder) if pitch % 12 in chord.pitch_classes]
        return min(tones or [self.rung], key=lambda rung: abs(rung - self.rung))
