"""Songs of the embedded corpus as symbolic music: form, harmony, parts, and the tags that follow from them.

Conventions: times are seconds from the start of the track, tempo is in beats per minute. A song is an excerpt of
`seconds` in sections; parts enter and leave with the sections. Instrument tags and the timeline come from the notes
themselves, moods from mode, tempo and the number of notes, so that every tag is true of what sounds.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from mtt.synthetic.genres import GENRES, INSTRUMENTS, PROGRAMS, Genre, Role
from mtt.synthetic.patterns import SCALES, Chord, Melody, Note, bass_bar, chord_bar, drum_bar, parse_chord

MOODS = ("happy", "sad", "energetic", "mellow")
TEMPI = ("slow", "fast")
TAG_KINDS: dict[str, str] = (
    dict.fromkeys(GENRES, "genre") | dict.fromkeys(INSTRUMENTS, "instrument") | dict.fromkeys(MOODS, "mood") | dict.fromkeys(TEMPI, "tempo")
)
PRESENCE = {"drums": 0.88, "bass": 0.9, "comp": 0.75, "pad": 0.65, "lead": 0.6, "fill": 0.5}  # share of the sections
GAP = 1.0  # seconds of rest that split an instrument's time on the timeline
LEVELS = {"drums": 0.0, "bass": -2.0, "comp": -4.0, "lead": -2.0, "fill": -7.0, "pad": -8.0}  # dB


@dataclass(frozen=True)
class Style:
    """What an artist brings to every song: biases in [-1, 1], favourite programs, and how each instrument is liked."""

    tempo_bias: float = 0.0
    minor_bias: float = 0.0
    programs: dict[tuple[str, str], int] | None = None  # (tag, part of the texture) -> General MIDI program
    taste: dict[str, float] | None = None  # tag -> factor on the odds of being chosen
    levels: dict[str, float] | None = None  # tag -> dB


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
    parts: tuple[Part, ...]

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
        present = {self.genre, *(part.instrument for part in self.parts), *self._feelings()}
        return [tag for tag in TAG_KINDS if tag in present]

    @property
    def activity(self) -> float:
        """Strokes per second: simultaneous notes count once."""
        onsets = np.unique(np.concatenate([np.round(part.notes[:, 0], 2) for part in self.parts]))
        return len(onsets) / self.seconds

    def _feelings(self) -> set[str]:
        loud = any(part.instrument in ("drums", "distorted guitar") for part in self.parts)
        feelings = {
            "happy": not self.minor and self.tempo >= 96,
            "sad": self.minor and self.tempo <= 104,
            "energetic": loud and self.tempo >= 112 and self.activity >= 7.0,
            "mellow": self.activity <= 4.5 or (not loud and self.tempo <= 100),
            "slow": self.tempo < 84,
            "fast": self.tempo >= 132,
        }
        return {name for name, holds in feelings.items() if holds}


def merge_spans(starts: np.ndarray, ends: np.ndarray, gap: float) -> list[tuple[float, float]]:
    """Union of the intervals [start, end), those less than ``gap`` apart joined; sorted, rounded to milliseconds."""
    spans: list[list[float]] = []
    for start, end in sorted(zip(starts.tolist(), ends.tolist(), strict=True)):
        if spans and start - spans[-1][1] < gap:
            spans[-1][1] = max(spans[-1][1], end)
        else:
            spans.append([start, end])
    return [(round(start, 3), round(end, 3)) for start, end in spans]


@dataclass(frozen=True)
class _Frame:
    """What the parts of one song share."""

    genre: Genre
    tempo: float
    minor: bool
    meter: int
    tonic: int
    chords: list[Chord]  # of each bar
    sections: list[int]  # of each bar
    rng: np.random.Generator


def compose(genre_name: str, style: Style, seconds: float, rng: np.random.Generator) -> Song:
    """Draw one song. A part sounds in at least one section, the main accompaniment in all: a song is never empty."""
    genre = GENRES[genre_name]
    low, high = genre.tempo
    position = np.clip(rng.beta(2, 2) + 0.25 * style.tempo_bias, 0.0, 1.0)
    tempo = round(float(low * (high / low) ** position), 2)
    minor = bool(rng.random() < np.clip(genre.minor + 0.25 * style.minor_bias, 0.02, 0.98))
    meter = int(rng.choice(genre.meters))
    tonic = int(rng.integers(12))
    lead_in = float(rng.uniform(0.0, min(0.4, 0.03 * seconds)))
    bar_seconds = meter * 60.0 / tempo
    n_bars = math.ceil((seconds - lead_in) / bar_seconds)
    progressions = genre.minor_progressions if minor else genre.major_progressions
    numerals = progressions[int(rng.integers(len(progressions)))].split()
    chords = [parse_chord(numerals[bar % len(numerals)], tonic) for bar in range(n_bars)]
    frame = _Frame(genre, tempo, minor, meter, tonic, chords, _sections(n_bars), rng)
    parts = []
    taken: set[str] = set()
    for role in genre.roles:
        if rng.random() < role.chance:
            part = _perform(role, style, frame, lead_in, seconds, taken)
            taken.add(part.instrument)
            parts += [part] if len(part.notes) else []
    return Song(genre_name, tempo, minor, seconds, tuple(parts))


def _sections(n_bars: int) -> list[int]:
    """Section of each bar: four bars long, shorter in short excerpts; a stray last bar joins the section before."""
    length = 4 if n_bars >= 10 else 2 if n_bars >= 4 else 1
    last = max(0, (n_bars - 1) // length - (1 if n_bars % length == 1 and length > 1 else 0))
    return [min(bar // length, last) for bar in range(n_bars)]


def _perform(role: Role, style: Style, frame: _Frame, lead_in: float, seconds: float, taken: set[str]) -> Part:
    """Choose the instrument and what it plays in each section, then write out its notes in seconds."""
    rng = frame.rng
    odds = {tag: weight * (style.taste or {}).get(tag, 1.0) for tag, weight in role.instruments.items()}
    odds = {tag: weight for tag, weight in odds.items() if tag not in taken} or odds
    weights = np.array(list(odds.values()))
    instrument = str(rng.choice(list(odds), p=weights / weights.sum()))
    group = role.programs if role.programs in PROGRAMS[instrument] else "any" if "any" in PROGRAMS[instrument] else "lead"
    choices = PROGRAMS[instrument][group]
    program = int(rng.choice(choices))
    if style.programs and rng.random() < 0.85:
        program = style.programs[instrument, group]
    present = _presence(role, max(frame.sections) + 1, rng)
    notes = _to_seconds(_play(role, frame, present), frame, lead_in, seconds)
    level = LEVELS[role.name] + (style.levels or {}).get(instrument, 0.0) + rng.normal(0.0, 1.5)
    return Part(instrument, program, notes, float(level))


def _presence(role: Role, n_sections: int, rng: np.random.Generator) -> np.ndarray:
    """In which sections a part plays: the genre's indispensable one in all, the others come and go."""
    chance = 1.0 if role.chance == 1.0 else PRESENCE[role.name]
    present = rng.random(n_sections) < chance
    present[int(rng.integers(max(1, n_sections - 1)))] = True  # not only in the last section, which the excerpt's end may cut short
    return present


def _play(role: Role, frame: _Frame, present: np.ndarray) -> list[Note]:
    """The part's notes, in beats from the song's first bar."""
    rng, meter = frame.rng, frame.meter
    style = str(rng.choice(role.styles))
    variants = rng.permutation(12)[:2]
    centre = {"comp": 58, "fill": 64, "pad": 60}.get(role.name, 72) + int(rng.integers(-3, 4))
    melody = Melody(SCALES[frame.genre.scale, frame.minor], frame.tonic, centre, frame.genre.density, meter, rng)
    notes: list[Note] = []
    for bar, (chord, section) in enumerate(zip(frame.chords, frame.sections, strict=True)):
        if not present[section]:
            continue
        following = frame.chords[(bar + 1) % len(frame.chords)]
        if role.name == "drums":
            opens = bar == 0 or frame.sections[bar - 1] != section
            closes = bar + 1 < len(frame.chords) and frame.sections[bar + 1] != section
            played = drum_bar(style, int(variants[section % 2]), meter, opens and section > 0, closes, rng)
        elif role.name == "bass":
            played = bass_bar(style, chord, following, meter, rng)
        elif style == "melody":
            played = melody.bar(bar, chord)
        else:
            played = chord_bar(style, int(variants[section % 2]), chord, meter, centre)
        notes += [(bar * meter + start, duration, pitch, velocity) for start, duration, pitch, velocity in played]
    return notes


def _to_seconds(notes: list[Note], frame: _Frame, lead_in: float, seconds: float) -> np.ndarray:
    """Swing, small human deviations, and beats to seconds; notes past the end are dropped or cut."""
    table = np.array(notes, dtype=np.float64).reshape(-1, 4)
    beats, fraction = np.divmod(table[:, 0], 1.0)
    swing = frame.genre.swing
    fraction = np.where(fraction < 0.5, fraction * 2 * swing, swing + (fraction - 0.5) * 2 * (1 - swing))
    table[:, 0] = lead_in + (beats + fraction) * 60.0 / frame.tempo
    table[:, 0] = np.maximum(table[:, 0] + frame.rng.normal(0.0, 0.004, len(table)), 0.0)
    table[:, 1] = np.minimum(table[:, 1] * 60.0 / frame.tempo, seconds - table[:, 0])
    table[:, 3] = np.clip(table[:, 3] * frame.rng.normal(1.0, 0.06, len(table)), 0.05, 1.0)
    table = table[table[:, 1] > 0.02]
    return table[np.argsort(table[:, 0], kind="stable")]
