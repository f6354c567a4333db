"""Songs of the embedded corpus as symbolic music: form, harmony, parts, and the tags that follow from them.

Conventions: times are seconds from the start of the track, tempo is in beats per minute. A song is an excerpt of ``seconds`` in sections;
parts enter and leave with them. Tags and timeline come from the notes, mode and tempo, so that they are true of what sounds.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from mtt.synthetic.artists import Artist
from mtt.synthetic.genres import GENRES, INSTRUMENTS, Role
from mtt.synthetic.patterns import SCALES, STEPS, Chord, Melody, bass_bar, chord_bar, drum_bar, parse_chord

GAP = 1.0  # seconds of rest that split an instrument's time on the timeline
FAVOURITE = 0.85  # share of the songs that are played on an artist's favourite program
ROLES = {  # share of the sections in which it plays, level (dB), pitch in the middle of its chords or melodies
    "drums": (0.88, 0.0, 72),
    "bass": (0.9, -2.0, 72),
    "comp": (0.75, -4.0, 58),
    "pad": (0.65, -8.0, 60),
    "lead": (0.6, -2.0, 72),
    "fill": (0.5, -7.0, 64),
}
MOODS: dict[str, Callable[[Song], bool]] = {
    "happy": lambda song: not song.minor and song.tempo >= 96,
    "sad": lambda song: song.minor and song.tempo <= 104,
    "energetic": lambda song: song.loud and song.tempo >= 112 and song.activity >= 7.0,
    "mellow": lambda song: song.activity <= 4.5 or (not song.loud and song.tempo <= 100),
}
TEMPI: dict[str, Callable[[Song], bool]] = {"slow": lambda song: song.tempo < 84, "fast": lambda song: song.tempo >= 132}
TAG_KINDS: dict[str, str] = {
    tag: kind for kind, tags in (("genre", GENRES), ("instrument", INSTRUMENTS), ("mood", MOODS), ("tempo", TEMPI)) for tag in tags
}


@dataclass(frozen=True)
class Part:
    """One instrument's notes, (n, 4): start and duration in seconds, pitch, velocity. ``level`` is its loudness, dB."""

    instrument: str
    program: int
    notes: np.ndarray
    level: float


@dataclass(frozen=True)
class Song:
    """A composed track and what is true of it."""

    genre: str
    tempo: float
    minor: bool
    seconds: float
    lead_in: float  # seconds before the first bar
    meter: int  # beats of a bar
    tonic: int  # pitch class
    chords: tuple[Chord, ...]  # of each bar
    parts: tuple[Part, ...] = ()

    @property
    def sections(self) -> list[int]:
        """Section of each bar: four bars long, shorter in short excerpts; a stray last bar joins the section before."""
        n_bars = len(self.chords)
        length = 4 if n_bars >= 10 else 2 if n_bars >= 4 else 1
        last = max(0, (n_bars - 1) // length - (1 if n_bars % length == 1 and length > 1 else 0))
        return [min(bar // length, last) for bar in range(n_bars)]

    @property
    def timeline(self) -> list[tuple[str, float, float]]:
        """(instrument, start, end) in seconds, sorted; rests shorter than `GAP` do not end an interval."""
        spans = []
        for instrument in sorted({part.instrument for part in self.parts}):
            notes = np.concatenate([part.notes for part in self.parts if part.instrument == instrument])
            spans += [(instrument, *span) for span in merge_spans(notes[:, 0], notes[:, 0] + notes[:, 1], GAP)]
        return spans

    @property
    def tags(self) -> list[str]:
        """The complete true tags, in the order of `TAG_KINDS`."""
        feelings = (name for name, holds in (MOODS | TEMPI).items() if holds(self))
        present = {self.genre, *(part.instrument for part in self.parts), *feelings}
        return [tag for tag in TAG_KINDS if tag in present]

    @property
    def activity(self) -> float:
        """Strokes per second: simultaneous notes count once."""
        onsets = np.unique(np.concatenate([np.round(part.notes[:, 0], 2) for part in self.parts]))
        return len(onsets) / self.seconds

    @property
    def loud(self) -> bool:
        return any(part.instrument in ("drums", "distorted guitar") for part in self.parts)


def merge_spans(starts: np.ndarray, ends: np.ndarray, gap: float) -> list[tuple[float, float]]:
    """Union of the intervals [start, end), those less than ``gap`` apart joined; sorted, rounded to milliseconds."""
    order = np.argsort(starts)
    starts, ends = starts[order], np.maximum.accumulate(ends[order])
    apart = starts[1:] - ends[:-1] >= gap
    spans = zip(starts[np.append(True, apart)].tolist(), ends[np.append(apart, True)].tolist(), strict=True)
    return [(round(start, 3), round(end, 3)) for start, end in spans]


def compose(genre: str, artist: Artist, seconds: float, rng: np.random.Generator) -> Song:
    """Draw one song of ``artist``. A part sounds in at least one section, the main accompaniment in all: a song is never empty."""
    ranges = GENRES[genre]
    low, high = ranges.tempo
    position = np.clip(rng.beta(2, 2) + 0.25 * artist.tempo_bias, 0.0, 1.0)
    tempo = round(float(low * (high / low) ** position), 2)
    minor = bool(rng.random() < np.clip(ranges.minor + 0.25 * artist.minor_bias, 0.02, 0.98))
    meter = int(rng.choice(ranges.meters))
    tonic = int(rng.integers(12))
    lead_in = float(rng.uniform(0.0, min(0.4, 0.03 * seconds)))
    n_bars = math.ceil((seconds - lead_in) / (meter * 60.0 / tempo))
    numerals = str(rng.choice(ranges.progressions[minor])).split()
    chords = tuple(parse_chord(numerals[bar % len(numerals)], tonic) for bar in range(n_bars))
    song = Song(genre, tempo, minor, seconds, lead_in, meter, tonic, chords)
    parts: list[Part] = []
    taken: set[str] = set()
    for role in ranges.roles:
        if rng.random() < role.chance:
            part = _perform(role, artist, song, taken, rng)
            taken.add(part.instrument)
            parts += [part] if len(part.notes) else []
    return replace(song, parts=tuple(parts))


def _perform(role: Role, artist: Artist, song: Song, taken: set[str], rng: np.random.Generator) -> Part:
    """Choose the instrument, the sections in which it plays and what it plays, and write out its notes."""
    presence, level, centre = ROLES[role.name]
    choices = [tag for tag in role.instruments if tag not in taken] or list(role.instruments)
    odds = np.array([role.instruments[tag] * artist.taste[tag] for tag in choices])
    instrument = str(rng.choice(choices, p=odds / odds.sum()))
    group = role.programs if role.programs in INSTRUMENTS[instrument] else "any"
    program = int(rng.choice(INSTRUMENTS[instrument][group]))
    if rng.random() < FAVOURITE:
        program = artist.programs[instrument, group]
    n_sections = song.sections[-1] + 1
    present = rng.random(n_sections) < (1.0 if role.chance == 1.0 else presence)  # what a genre cannot do without is always there
    present[int(rng.integers(max(1, n_sections - 1)))] = True  # not only in the last section, which the excerpt's end may cut short
    notes = _to_seconds(_play(role, song, present, centre, rng), song, rng)
    return Part(instrument, program, notes, float(level + artist.levels[instrument] + rng.normal(0.0, 1.5)))


def _play(role: Role, song: Song, present: np.ndarray, centre: int, rng: np.random.Generator) -> np.ndarray:
    """The part's notes, (n, 4), with start and duration in steps from the song's first bar."""
    genre, sections, length = GENRES[song.genre], song.sections, song.meter * STEPS
    style = str(rng.choice(role.styles))
    variants = rng.permutation(12)[:2]
    centre += int(rng.integers(-3, 4))
    scale = {(song.tonic + interval) % 12 for interval in SCALES[genre.scale][song.minor]}
    melody = Melody(scale, centre, genre.density, length, rng)  # of every part, so that a style that is added shifts no other draw
    notes = []
    for bar, (chord, section) in enumerate(zip(song.chords, sections, strict=True)):
        if not present[section]:
            continue
        variant = int(variants[section % 2])
        if role.name == "drums":
            opens = section > 0 and sections[bar - 1] != section
            closes = section < sections[-1] and sections[bar + 1] != section
            played = drum_bar(style, variant, length, opens, closes, rng)
        elif role.name == "bass":
            played = bass_bar(style, chord, song.chords[(bar + 1) % len(song.chords)], length, rng)
        elif style == "melody":
            played = melody.bar(bar, chord)
        else:
            played = chord_bar(style, variant, chord, length, centre)
        notes += [(bar * length + start, *rest) for start, *rest in played]
    return np.array(notes, dtype=np.float64).reshape(-1, 4)


def _to_seconds(notes: np.ndarray, song: Song, rng: np.random.Generator) -> np.ndarray:
    """Swing, small human deviations, and steps to seconds; notes past the end are dropped or cut."""
    swing = GENRES[song.genre].swing
    beats, fraction = np.divmod(notes[:, 0] / STEPS, 1.0)
    fraction = np.where(fraction < 0.5, fraction * 2 * swing, swing + (fraction - 0.5) * 2 * (1 - swing))
    notes[:, 0] = song.lead_in + (beats + fraction) * 60.0 / song.tempo
    notes[:, 0] = np.maximum(notes[:, 0] + rng.normal(0.0, 0.004, len(notes)), 0.0)
    notes[:, 1] = np.minimum(notes[:, 1] / STEPS * 60.0 / song.tempo, song.seconds - notes[:, 0])
    notes[:, 3] = np.clip(notes[:, 3] * rng.normal(1.0, 0.06, len(notes)), 0.05, 1.0)
    notes = notes[notes[:, 1] > 0.02]
    return notes[np.argsort(notes[:, 0], kind="stable")]
