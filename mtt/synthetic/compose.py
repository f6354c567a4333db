"""Songs of the embedded corpus as symbolic music: harmony, parts, and the tags that follow from them.

Conventions: times are seconds from the start of the track, tempo is in beats per minute. A song is an excerpt of ``seconds``, laid out by
its form (``mtt.synthetic.form``). Tags and timeline come from the notes, mode, tempo and form, so that they are true of what sounds.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from mtt.synthetic.artists import Artist
from mtt.synthetic.form import FORMS, Form, arrange, brief_stretch, draw_form
from mtt.synthetic.genres import GENRES, INSTRUMENTS, Role
from mtt.synthetic.patterns import SCALES, STEPS, Chord, Melody, Note, bass_bar, chord_bar, drum_bar, parse_chord

GAP = 1.0  # seconds of rest that split an instrument's time on the timeline
FAVOURITE = 0.85  # share of the songs that are played on an artist's favourite program
ROLES = {  # share of the sections in which it plays (unless it is brief), level (dB), pitch in the middle of its chords or melodies
    "drums": (0.88, 0.0, 72),
    "bass": (0.9, -2.0, 72),
    "comp": (0.75, -4.0, 58),
    "pad": (0.65, -8.0, 60),
    "lead": (0.6, -2.0, 72),
    "fill": (0.5, -7.0, 64),
}
MOODS: dict[str, Callable[["Song"], bool]] = {
    "happy": lambda song: not song.minor and song.tempo >= 96,
    "sad": lambda song: song.minor and song.tempo <= 104,
    "energetic": lambda song: song.loud and song.tempo >= 112 and song.activity >= 7.0,
    "mellow": lambda song: song.activity <= 4.5 or (not song.loud and song.tempo <= 100),
}
TEMPI: dict[str, Callable[["Song"], bool]] = {"slow": lambda song: song.tempo < 84, "fast": lambda song: song.tempo >= 132}
_KINDS = {"genre": GENRES, "instrument": INSTRUMENTS, "mood": MOODS, "tempo": TEMPI, "form": FORMS}
TAG_KINDS: dict[str, str] = {tag: kind for kind, tags in _KINDS.items() for tag in tags}


@dataclass(frozen=True)
class Part:
    """One instrument's notes, (n, 4): start and duration in seconds, pitch, velocity. ``level`` is its loudness, dB."""

    instrument: str
    program: int
    notes: np.ndarray
    level: float
    brief: bool = False  # sounds for one stretch only


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
    chords: tuple[Chord, ...]  # of each bar, before a change of key
    form: Form
    parts: tuple[Part, ...] = ()

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
        present = {self.genre, *(part.instrument for part in self.parts), *feelings, *self.form.tags}
        return [tag for tag in TAG_KINDS if tag in present]

    @property
    def activity(self) -> float:
        """Strokes per second: simultaneous notes count once."""
        onsets = np.unique(np.concatenate([np.round(part.notes[:, 0], 2) for part in self.parts]))
        return len(onsets) / self.seconds

    @property
    def loud(self) -> bool:
        return any(part.instrument in ("drums", "distorted guitar") and not part.brief for part in self.parts)


def merge_spans(starts: np.ndarray, ends: np.ndarray, gap: float) -> list[tuple[float, float]]:
    """Union of the intervals [start, end), those less than ``gap`` apart joined; sorted, rounded to milliseconds."""
    order = np.argsort(starts)
    starts, ends = starts[order], np.maximum.accumulate(ends[order])
    apart = starts[1:] - ends[:-1] >= gap
    spans = zip(starts[np.append(True, apart)].tolist(), ends[np.append(apart, True)].tolist(), strict=True)
    return [(round(start, 3), round(end, 3)) for start, end in spans]


def compose(genre: str, artist: Artist, seconds: float, brief_parts: float, rng: np.random.Generator) -> Song:
    """Draw one song of ``artist``. The main accompaniment plays throughout; another part is brief with probability ``brief_parts``."""
    ranges = GENRES[genre]
    low, high = ranges.tempo
    position = np.clip(rng.beta(2, 2) + 0.25 * artist.tempo_bias, 0.0, 1.0)
    tempo = round(float(low * (high / low) ** position), 2)
    minor = bool(rng.random() < np.clip(ranges.minor + 0.25 * artist.minor_bias, 0.02, 0.98))
    meter = int(rng.choice(ranges.meters))
    tonic = int(rng.integers(12))
    lead_in = float(rng.uniform(0.0, min(0.4, 0.03 * seconds)))
    n_bars = math.ceil((seconds - lead_in) / (meter * 60.0 / tempo))
    roles = [role for role in ranges.roles if rng.random() < role.chance]
    brief = np.array([role.chance < 1.0 and rng.random() < brief_parts for role in roles])
    form = draw_form(n_bars, int((~brief).sum()), artist.leaning, rng)
    song = Song(genre, tempo, minor, seconds, lead_in, meter, tonic, _chords(ranges.progressions[minor], tonic, form, rng), form)
    lasting = [role for role, is_brief in zip(roles, brief, strict=True) if not is_brief]
    playing = iter(arrange(form, np.array([1.0 if role.chance == 1.0 else ROLES[role.name][0] for role in lasting]), rng))
    parts: list[Part] = []
    taken: set[str] = set()
    for role, is_brief in zip(roles, brief, strict=True):
        part = _perform(role, artist, song, None if is_brief else next(playing), taken, rng)
        taken.add(part.instrument)
        parts += [part] if len(part.notes) else []
    return replace(song, parts=tuple(parts))


def _chords(progressions: tuple[str, ...], tonic: int, form: Form, rng: np.random.Generator) -> tuple[Chord, ...]:
    """The chord of each bar: a progression for each theme, or the other half of the only one first."""
    drawn = [progressions[index].split() for index in rng.permutation(len(progressions))[:2]]
    first, second = drawn if len(drawn) == 2 else (drawn[0], drawn[0][len(drawn[0]) // 2 :] + drawn[0][: len(drawn[0]) // 2])
    places = np.where(form.theme, form.repeats - form.n_opening, form.repeats).tolist()  # within the theme
    themes = [(first, second)[theme] for theme in form.theme]
    return tuple(parse_chord(theme[place % len(theme)], tonic) for theme, place in zip(themes, places, strict=True))


def _perform(role: Role, artist: Artist, song: Song, playing: np.ndarray | None, taken: set[str], rng: np.random.Generator) -> Part:
    """Choose the instrument and what it plays in the bars ``playing`` (None: a brief stretch), and write out its notes."""
    _, level, centre = ROLES[role.name]
    choices = [tag for tag in role.instruments if tag not in taken] or list(role.instruments)
    odds = np.array([role.instruments[tag] * artist.taste[tag] for tag in choices])
    instrument = str(rng.choice(choices, p=odds / odds.sum()))
    group = role.programs if role.programs in INSTRUMENTS[instrument] else "any"
    program = int(rng.choice(INSTRUMENTS[instrument][group]))
    if rng.random() < FAVOURITE:
        program = artist.programs[instrument, group]
    level = float(level + artist.levels[instrument] + rng.normal(0.0, 1.5))
    if playing is not None:
        return Part(instrument, program, _to_seconds(_play(role, song, playing, centre, rng), song, rng), level)
    first, end = brief_stretch(song.form, song.meter, 60.0 / song.tempo, song.seconds - song.lead_in, rng)
    bars = np.arange(len(song.chords)) * song.meter
    notes = _play(role, song, (bars > first - song.meter) & (bars < end), centre, rng)
    notes = notes[(notes[:, 0] >= first * STEPS) & (notes[:, 0] < end * STEPS)]
    notes[:, 1] = np.minimum(notes[:, 1], end * STEPS - notes[:, 0])
    return Part(instrument, program, _to_seconds(notes, song, rng), level, brief=True)


def _play(role: Role, song: Song, playing: np.ndarray, centre: int, rng: np.random.Generator) -> np.ndarray:
    """The part's notes in the bars ``playing``, (n, 4), with start and duration in steps from the song's first bar."""
    genre, form, length = GENRES[song.genre], song.form, song.meter * STEPS
    styles = rng.choice(role.styles, 2).tolist()  # of the two themes
    variant = int(rng.integers(12))
    centre += int(rng.integers(-3, 4))
    scale = {(song.tonic + interval) % 12 for interval in SCALES[genre.scale][song.minor]}
    melodies = [Melody(scale, centre, genre.density, length, rng) for _ in styles]  # of every part, so that all draw alike
    opens = np.diff(form.sections, prepend=0) > 0
    closes = np.append(opens[1:], False)
    written: dict[int, list[Note]] = {}
    notes = []
    for bar in np.flatnonzero(playing).tolist():
        source, chord, theme = int(form.repeats[bar]), song.chords[bar], int(form.theme[bar])
        if source < bar:
            played = written[source]
        elif role.name == "drums":
            played = drum_bar(styles[theme], variant + theme, length, bool(opens[bar]), bool(closes[bar]), rng)
        elif role.name == "bass":
            played = bass_bar(styles[theme], chord, song.chords[(bar + 1) % len(song.chords)], length, rng)
        elif styles[theme] == "melody":
            played = melodies[theme].bar(bar, chord)
        else:
            played = chord_bar(styles[theme], variant + theme, chord, length, centre)
        written[bar] = played
        shift = 0 if role.name == "drums" else int(form.shift[bar])
        strength = float(form.strength[bar])
        notes += [(bar * length + start, lasts, pitch + shift, strength * velocity) for start, lasts, pitch, velocity in played]
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
