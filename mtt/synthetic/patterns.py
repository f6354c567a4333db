"""Patterns, as plain tables, and how the parts of a song play a bar of them: drum beats with fills, bass lines, chords and melodies.

Conventions: a pattern is one bar of sixteen steps (four to the beat): ``X`` accent, ``x`` stroke, ``o`` ghost stroke, ``.`` rest; a bar of
three beats uses the first twelve. A note is ``(start, duration, pitch, velocity)`` with start and duration in steps (from the bar's start),
pitch as a MIDI note number and velocity in (0, 1]. ``length`` is a bar's, in steps.
"""

import re

import numpy as np

Note = tuple[float, float, int, float]
Chord = tuple[int, ...]  # pitch classes, the root first

STEPS = 4  # of a beat
BASS_LOW_E, LOW_E = 28, 40  # pitches of the lowest strings of a bass and of a guitar
VELOCITY = {"X": 1.0, "x": 0.75, "o": 0.4}

DRUMS = {  # note of the General MIDI percussion map, and the seconds in which a stroke falls by 1/e
    "kick": (36, 0.14), "rim": (37, 0.06), "snare": (38, 0.12), "clap": (39, 0.1), "closed hat": (42, 0.04), "low tom": (43, 0.22),
    "open hat": (46, 0.22), "mid tom": (47, 0.2), "crash": (49, 0.6), "high tom": (50, 0.18), "ride": (51, 0.3), "tambourine": (54, 0.1),
    "cowbell": (56, 0.12), "muted conga": (62, 0.08), "conga": (63, 0.14), "claves": (75, 0.05),
}  # fmt: skip
TOMS = ("snare", "high tom", "mid tom", "low tom")  # in the order of a fill
CALM = ("light", "jazz", "latin")  # styles whose fills are short and land on no kick

# Style and, for each drum, its bar. A song uses two beats of its style, for every other section.
BEATS: tuple[tuple[str, dict[str, str]], ...] = (
    ("rock", {"kick": "X.......X.x.....", "snare": "....X.......X...", "closed hat": "X.x.x.x.X.x.x.x."}),
    ("rock", {"kick": "X..x..x.X.......", "snare": "....X..o....X..o", "open hat": "X...x...X...x..."}),
    ("rock", {"kick": "X.....x.x.x.....", "snare": "....X.......X...", "ride": "X.x.x.x.X.x.x.x."}),
    ("pop", {"kick": "X.....x.X.......", "snare": "....X.......X...", "closed hat": "x.x.x.x.x.x.x.x."}),
    ("pop", {"kick": "X...x...X...x...", "clap": "....X.......X...", "closed hat": "xoxoxoxoxoxoxoxo"}),
    ("pop", {"kick": "X..x....X..x....", "snare": "....X.......X...", "closed hat": "x.x.x.x.x.x.....", "open hat": "..............x."}),
    ("metal", {"kick": "XxxxXxxxXxxxXxxx", "snare": "....X.......X...", "crash": "X.......x.......", "ride": "x...x...x...x..."}),
    ("metal", {"kick": "X.xxX.xxX.xxX.xx", "snare": "....X.......X...", "open hat": "x...x...x...x..."}),
    ("metal", {"kick": "X.x.X.x.X.x.X.x.", "snare": ".x.x.x.x.x.x.x.x", "ride": "x.x.x.x.x.x.x.x."}),
    ("jazz", {"ride": "X...x.x.X...x.x.", "closed hat": "....x.......x...", "kick": "o.......o.......", "snare": "......o........."}),
    ("jazz", {"ride": "X...x.x.X...x.x.", "closed hat": "....x.......x...", "snare": "..o.......o...x.", "kick": "......x........."}),
    ("house", {"kick": "X...X...X...X...", "open hat": "..x...x...x...x.", "clap": "....X.......X..."}),
    ("house", {"kick": "X...X...X...X...", "open hat": "..x...x...x...x.", "closed hat": "xoxoxoxoxoxoxoxo", "clap": "....X.......X..o"}),
    ("house", {"kick": "X...X...X...X.x.", "closed hat": "o.xoo.xoo.xoo.xo", "rim": "...x..x....x...."}),
    ("hip-hop", {"kick": "X.......x.X.....", "snare": "....X.......X...", "closed hat": "x.x.x.x.x.x.x.x."}),
    ("hip-hop", {"kick": "X..x......X..x..", "clap": "....X.......X...", "closed hat": "x.xxx.x.xxx.x.xx"}),
    ("hip-hop", {"kick": "X.x....x..X.....", "snare": "....X..o.o..X...", "closed hat": "x.x.x.x.x.x.x..."}),
    ("light", {"kick": "x.......x.......", "tambourine": "....x.......x...", "snare": "....o.o.....o.o."}),
    ("light", {"kick": "x.......x.......", "rim": "....x.......x...", "closed hat": "o...o...o...o..."}),
    ("shuffle", {"ride": "X...x.x.X...x.x.", "kick": "X.......X.......", "snare": "....X.......X..."}),
    ("shuffle", {"closed hat": "X.x.X.x.X.x.X.x.", "kick": "X.....x.X.......", "snare": "....X.......X.x."}),
    ("reggae", {"kick": "........X.......", "rim": "........X.......", "closed hat": "x.X.x.X.x.X.x.X."}),
    ("reggae", {"kick": "X.......X.......", "rim": "....o...X..o....", "closed hat": "x.xox.x.x.xox.x."}),
    ("reggae", {"kick": "X...X...X...X...", "snare": "........X.....o.", "closed hat": "..X...X...X...X."}),
    ("latin", {"claves": "X..X..X...X.X...", "conga": "....x.xx....x.xx", "muted conga": "x.x.....x.x.....", "kick": "...x..x....x..x."}),
    ("latin", {"cowbell": "X.x.X.xxX.x.X.xx", "conga": "......xx......xx", "rim": "..X...X.X..X....", "kick": "...x...x...x...x"}),
    ("latin", {"rim": "X..X..X...X..X..", "closed hat": "xoxoxoxoxoxoxoxo", "kick": "X..xX..xX..xX..x"}),
)

# Voicing, steps that a stroke is held (None: until the next one), and rhythms, of which a song uses two.
COMPING = {
    "strum": ("chord", None, ("X.x.x.x.X.x.x.x.", "X...x.x...x.x.x.", "X..x..x.X..x..x.")),
    "power": ("power", None, ("X.......X.......", "X...x.X.....x.x.", "X.....X.....X...")),
    "chug": ("power", 0.9, ("XxxxXxxxXxxxXxxx", "X.xxX.xxX.xxX.xx", "X.x.XxX.x.x.XxX.")),
    "offbeat": ("chord", 1.0, ("..X...X...X...X.", "..Xo..X...Xo..X.", "....X.......X...")),
    "bubble": ("chord", 0.9, (".ox..ox..ox..ox.", "o.x.o.x.o.x.o.x.")),
    "stabs": ("chord", 1.6, ("..x....x..x.....", "X..x......x..x..", "....x.....x..x..", "X.....x....x....")),
    "montuno": ("octaves", 1.5, ("X.xx.xx.x.xx.xx.", "X.x.xx.x.xx.xx.x")),
    "shuffle": ("chord", 1.6, ("X.x.X.x.X.x.X.x.", "X...X.x.X...X.x.")),
    "sustain": ("chord", None, ("X...............", "X.......x.......")),
    "arpeggio": ("arpeggio", 4.0, ("x.x.x.x.x.x.x.x.", "x.xxx.x.x.xxx.x.", "x...x...x...x...")),
    "alberti": ("arpeggio", 2.0, ("x.x.x.x.x.x.x.x.", "xxxxxxxxxxxxxxxx")),
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

SCALES = {  # semitones above the tonic, in major and in minor
    "diatonic": ((0, 2, 4, 5, 7, 9, 11), (0, 2, 3, 5, 7, 8, 10)),
    "pentatonic": ((0, 2, 4, 7, 9), (0, 3, 5, 7, 10)),
    "blues": ((0, 3, 4, 5, 7, 9, 10), (0, 3, 5, 6, 7, 10)),
}
_DEGREES = {"i": 0, "ii": 2, "iii": 4, "iv": 5, "v": 7, "vi": 9, "vii": 11}
_SEVENTH = {"": (), "7": (10,), "maj7": (11,)}
_NUMERAL = re.compile(r"(b?)([IViv]+)(maj7|7|)")


def parse_chord(numeral: str, tonic: int) -> Chord:
    """``bVII``, ``ii7`` or ``IVmaj7`` in the key of pitch class ``tonic``."""
    flat, degree, suffix = _NUMERAL.fullmatch(numeral).groups()
    root = tonic + _DEGREES[degree.lower()] - len(flat)
    return tuple((root + interval) % 12 for interval in (0, 4 if degree.isupper() else 3, 7, *_SEVENTH[suffix]))


def lowest(pitch_class: int, bound: int) -> int:
    """The lowest pitch of a class that is not below ``bound``."""
    return bound + (pitch_class - bound) % 12


def strokes(rhythm: str, length: int) -> list[tuple[int, float, int]]:
    """(step, velocity, steps to the next stroke or the bar's end) of each stroke."""
    steps = [step for step, symbol in enumerate(rhythm[:length]) if symbol != "."]
    return [(step, VELOCITY[rhythm[step]], end - step) for step, end in zip(steps, [*steps[1:], length], strict=True)]


def chord_bar(style: str, variant: int, chord: Chord, length: int, centre: int) -> list[Note]:
    """One bar of accompaniment."""
    voicing, hold, rhythms = COMPING[style]
    pitches = sorted(lowest(tone, centre - 6) for tone in chord)  # chords then follow by small steps
    root = lowest(chord[0], LOW_E)
    played = {  # by the strokes in turn
        "chord": [pitches],
        "power": [[root, root + 7, root + 12]],
        "arpeggio": [[pitch] for pitch in (*pitches, pitches[0] + 12, *pitches[:0:-1])],  # up to the octave and down again
        "octaves": [[pitch, pitch + 12] for pitch in pitches],
    }[voicing]
    return [
        (step, min(hold or gap, length - step), pitch, velocity)
        for index, (step, velocity, gap) in enumerate(strokes(rhythms[variant % len(rhythms)], length))
        for pitch in played[index % len(played)]
    ]


def bass_bar(style: str, chord: Chord, following: Chord, length: int, rng: np.random.Generator) -> list[Note]:
    """One bar of bass; a walking line goes through chord tones and approaches ``following``'s root by a semitone."""
    rhythm, intervals = BASS[style]
    root, following_root = (lowest(each[0], BASS_LOW_E) for each in (chord, following))
    notes = []
    for index, (step, velocity, gap) in enumerate(strokes(rhythm, length)):
        pitch = root + intervals[index % len(intervals)]
        if style == "walking" and index:
            pitch = lowest(int(rng.choice(chord)), root)
            if step + gap == length:
                pitch = following_root + int(rng.choice((-1, 1)))
        notes.append((step, 0.95 * gap, pitch, velocity))
    return notes


def drum_bar(style: str, variant: int, length: int, crash: bool, fill: bool, rng: np.random.Generator) -> list[Note]:
    """One bar of drums, with small deviations; ``crash`` opens a section, ``fill`` ends it with a run of toms."""
    beats = [bars for name, bars in BEATS if name == style]
    calm = style in CALM
    fill_from = length - (1 if calm else int(rng.integers(1, 3))) * STEPS if fill else length
    played = []  # step, steps, drum, velocity
    for drum, rhythm in beats[variant % len(beats)].items():
        for step, velocity, _ in strokes(rhythm, length):
            if step < fill_from and (velocity == 1.0 or rng.random() > 0.06):
                played.append((step, 1, drum, velocity))
    if crash:
        played.append((0, 4, "crash", 0.8))
    for step in range(fill_from, length):
        if rng.random() < 0.8:
            played.append((step, 1, TOMS[(step - fill_from) * len(TOMS) // (length - fill_from)], 0.5 + 0.5 * rng.random()))
    if fill and not calm:
        played.append((fill_from, 1, "kick", 0.8))
    return [(step, steps, DRUMS[drum][0], velocity) for step, steps, drum, velocity in played]


class Melody:
    """A tune within an octave of ``centre``: a motif of two bars that returns over other chords. ``scale`` are pitch classes."""

    def __init__(self, scale: set[int], centre: int, density: float, length: int, rng: np.random.Generator) -> None:
        self.length, self.rng, self.density = length, rng, density
        self.ladder = [pitch for pitch in range(centre - 9, centre + 13) if pitch % 12 in scale]
        self.motif = [self._phrase() for _ in range(2)]
        self.rung = len(self.ladder) // 2

    def _phrase(self) -> list[tuple[int, int]]:
        """Steps of the bar with moves along the scale; strong beats are likelier than weak ones, calmer tunes have no sixteenths."""
        weak = 0.35 if self.density >= 0.75 else 0.0
        odds = [self.density * (1.3, weak, 0.9, weak)[step % STEPS] for step in range(self.length)]
        played = [step for step, chance in enumerate(odds) if self.rng.random() < chance] or [0]
        return [(step, int(self.rng.choice((-2, -1, -1, 0, 1, 1, 2, 3)))) for step in played]

    def bar(self, index: int, chord: Chord) -> list[Note]:
        """The tune's ``index``-th bar, over ``chord``."""
        phrase = self.motif[index % 2] if self.rng.random() < 0.75 else self._phrase()
        ends = [step for step, _ in phrase[1:]] + [self.length]
        notes = []
        for (step, move), end in zip(phrase, ends, strict=True):
            self.rung = min(max(self.rung + move, 0), len(self.ladder) - 1)
            if step % STEPS == 0:
                tones = [rung for rung, pitch in enumerate(self.ladder) if pitch % 12 in chord]
                self.rung = min(tones or [self.rung], key=lambda rung: abs(rung - self.rung))
            notes.append((step, min(0.92 * (end - step), 6), self.ladder[self.rung], 0.7 + 0.3 * self.rng.random()))
        return notes
