"""The instruments and the twelve genres of the embedded corpus, as plain tables.

Conventions: programs are General MIDI numbers from 0. Chords are Roman numerals relative to the major scale of the tonic (``bVI`` is a
major triad on the flat sixth; lower case is minor). Styles are names in the tables of ``mtt.synthetic.patterns``.
"""

from dataclasses import dataclass

# Tag -> part of the texture -> programs. An artist has a favourite of each: its piano stays the same piano. All are drawn, in this
# order, so what is added or taken away changes every artist, even where no genre asks for the part ("mute", "slap").
INSTRUMENTS: dict[str, dict[str, tuple[int, ...]]] = {
    "piano": {"any": (0, 1, 2, 3, 4)},
    "acoustic guitar": {"any": (24, 25)},
    "electric guitar": {"any": (26, 27), "mute": (28,)},
    "distorted guitar": {"any": (29, 30)},
    "synth": {"lead": (80, 81, 82, 87), "pad": (88, 89, 90, 94, 95, 50, 51), "any": (81, 62, 63, 90)},
    "strings": {"lead": (40, 110, 41), "pad": (48, 49, 44), "any": (48, 45, 42)},
    "brass": {"lead": (56, 57, 59), "any": (61, 60, 57)},
    "saxophone": {"any": (64, 65, 66, 67)},
    "flute": {"any": (73, 74, 75, 72)},
    "organ": {"any": (16, 17, 18, 19)},
    "bass": {"any": (33, 34, 35), "acoustic": (32,), "synth": (38, 39), "slap": (36, 37)},
    "drums": {"any": (0, 8, 16), "electronic": (24, 25), "jazz": (32, 40)},
}


@dataclass(frozen=True)
class Role:
    """One part of the texture. ``instruments`` maps tag to weight; ``chance`` is that a song has the part at all."""

    name: str  # in ``mtt.synthetic.compose.ROLES``
    instruments: dict[str, float]
    chance: float
    styles: tuple[str, ...]  # one of them for a song
    programs: str = "any"  # part of the texture, where the instrument has it


@dataclass(frozen=True)
class Genre:
    """Ranges and choices from which a song of the genre is drawn. ``swing`` 0.5 is straight, 2/3 is a triplet feel."""

    tempo: tuple[float, float]  # beats per minute
    minor: float  # probability of the minor mode
    progressions: tuple[tuple[str, ...], tuple[str, ...]]  # of the major, of the minor mode; a chord a bar
    roles: tuple[Role, ...]
    swing: float = 0.5
    density: float = 0.5  # of melodies, 0 to 1
    meters: tuple[int, ...] = (4,)
    scale: str = "diatonic"  # in ``mtt.synthetic.patterns.SCALES``
    popularity: float = 1.0


GENRES: dict[str, Genre] = {
    "rock": Genre(
        tempo=(104, 150), minor=0.35, scale="pentatonic", popularity=2.0,
        progressions=(("I V vi IV", "I IV V IV", "I bVII IV I"), ("i bVI bIII bVII", "i bVII bVI bVII", "i iv bVI bVII")),
        roles=(
            Role("drums", {"drums": 1.0}, 0.92, ("rock",)),
            Role("bass", {"bass": 1.0}, 0.85, ("eighths", "roots")),
            Role("comp", {"distorted guitar": 0.55, "electric guitar": 0.45}, 1.0, ("strum", "power")),
            Role("fill", {"acoustic guitar": 0.3, "organ": 0.4, "piano": 0.3}, 0.4, ("sustain", "strum")),
            Role("lead", {"electric guitar": 0.5, "distorted guitar": 0.4, "saxophone": 0.1}, 0.55, ("melody",)),
        )),
    "pop": Genre(
        tempo=(92, 130), minor=0.3, popularity=2.0,
        progressions=(("I V vi IV", "vi IV I V", "I vi IV V", "IV I V vi"), ("i bVI bIII bVII", "i iv bVII bIII")),
        roles=(
            Role("drums", {"drums": 1.0}, 0.8, ("pop",)),
            Role("bass", {"bass": 1.0}, 0.75, ("roots", "eighths", "syncopated")),
            Role("comp", {"piano": 0.4, "acoustic guitar": 0.25, "electric guitar": 0.2, "synth": 0.15}, 1.0, ("strum", "arpeggio")),
            Role("pad", {"synth": 0.5, "strings": 0.5}, 0.55, ("sustain",), "pad"),
            Role("lead", {"synth": 0.35, "piano": 0.2, "flute": 0.15, "saxophone": 0.15, "brass": 0.15}, 0.6, ("melody",), "lead"),
        )),
    "metal": Genre(
        tempo=(120, 184), minor=0.95, density=0.85,
        progressions=(("I bVII bVI bVII",), ("i bVI bVII i", "i bII i bVII", "i bIII bVI bII")),
        roles=(
            Role("drums", {"drums": 1.0}, 0.95, ("metal",)),
            Role("bass", {"bass": 1.0}, 0.85, ("eighths", "sixteenths")),
            Role("comp", {"distorted guitar": 1.0}, 1.0, ("chug", "power")),
            Role("pad", {"strings": 0.5, "synth": 0.25, "organ": 0.25}, 0.25, ("sustain",), "pad"),
            Role("lead", {"distorted guitar": 0.7, "electric guitar": 0.3}, 0.6, ("melody",)),
        )),
    "jazz": Genre(
        tempo=(84, 196), minor=0.4, swing=0.66, density=0.8,
        progressions=(("ii7 V7 Imaj7 VI7", "Imaj7 vi7 ii7 V7", "iii7 VI7 ii7 V7"), ("i7 iv7 bVII7 bIIImaj7", "i7 bVI7 V7 i7")),
        roles=(
            Role("drums", {"drums": 1.0}, 0.75, ("jazz",), "jazz"),
            Role("bass", {"bass": 1.0}, 0.85, ("walking",), "acoustic"),
            Role("comp", {"piano": 0.6, "electric guitar": 0.3, "organ": 0.1}, 1.0, ("stabs",)),
            Role("lead", {"saxophone": 0.45, "brass": 0.35, "flute": 0.1, "piano": 0.1}, 0.9, ("melody",), "lead"),
            Role("fill", {"brass": 0.6, "saxophone": 0.4}, 0.25, ("sustain",)),
        )),
    "classical": Genre(
        tempo=(60, 136), minor=0.45, density=0.6, meters=(4, 4, 3),
        progressions=(("I IV V I", "I vi ii V", "I V vi iii IV I ii V"), ("i iv V i", "i bVI iv V", "i V i bVII bIII bVI iv V")),
        roles=(
            Role("comp", {"strings": 0.5, "piano": 0.5}, 1.0, ("alberti", "sustain", "arpeggio"), "pad"),
            Role("lead", {"strings": 0.4, "flute": 0.3, "brass": 0.15, "piano": 0.15}, 0.85, ("melody",), "lead"),
            Role("pad", {"strings": 0.7, "brass": 0.2, "organ": 0.1}, 0.55, ("sustain",), "pad"),
            Role("fill", {"flute": 0.4, "brass": 0.3, "strings": 0.3}, 0.35, ("sustain", "arpeggio")),
        )),
    "house": Genre(
        tempo=(116, 134), minor=0.7, density=0.6,
        progressions=(("I V vi IV", "IV V iii vi"), ("i7 bVII bVI7 bVII", "i iv bVI V", "i7 i7 iv7 iv7")),
        roles=(
            Role("drums", {"drums": 1.0}, 0.92, ("house",), "electronic"),
            Role("bass", {"bass": 1.0}, 0.8, ("offbeat", "octaves"), "synth"),
            Role("comp", {"synth": 0.65, "piano": 0.35}, 1.0, ("stabs", "offbeat")),
            Role("pad", {"synth": 0.7, "strings": 0.3}, 0.5, ("sustain",), "pad"),
            Role("lead", {"synth": 0.8, "flute": 0.1, "brass": 0.1}, 0.5, ("melody",), "lead"),
        )),
    "hip-hop": Genre(
        tempo=(74, 100), minor=0.8, swing=0.56, density=0.4, scale="pentatonic",
        progressions=(("I vi ii V", "Imaj7 IV I V"), ("i bVI i bVII", "i7 iv7 i7 V7", "i i bVI V")),
        roles=(
            Role("drums", {"drums": 1.0}, 0.9, ("hip-hop",), "electronic"),
            Role("bass", {"bass": 1.0}, 0.75, ("long", "syncopated"), "synth"),
            Role("comp", {"piano": 0.45, "synth": 0.2, "strings": 0.2, "electric guitar": 0.15}, 1.0, ("arpeggio", "stabs")),
            Role("lead", {"flute": 0.3, "synth": 0.3, "brass": 0.2, "saxophone": 0.2}, 0.45, ("melody",), "lead"),
            Role("pad", {"synth": 0.6, "strings": 0.4}, 0.35, ("sustain",), "pad"),
        )),
    "folk": Genre(
        tempo=(80, 136), minor=0.3, meters=(4, 4, 3),
        progressions=(("I IV I V", "I V vi IV", "I bVII IV I"), ("i bVII i bVII", "i bIII bVII i")),
        roles=(
            Role("drums", {"drums": 1.0}, 0.15, ("light",), "jazz"),
            Role("bass", {"bass": 1.0}, 0.4, ("alternating",), "acoustic"),
            Role("comp", {"acoustic guitar": 1.0}, 1.0, ("arpeggio", "strum")),
            Role("lead", {"strings": 0.5, "flute": 0.35, "acoustic guitar": 0.15}, 0.75, ("melody",), "lead"),
            Role("fill", {"piano": 0.4, "organ": 0.2, "strings": 0.4}, 0.3, ("sustain",)),
        )),
    "blues": Genre(
        tempo=(64, 124), minor=0.25, swing=0.66, density=0.55, scale="blues",
        progressions=(("I7 I7 I7 I7 IV7 IV7 I7 I7 V7 IV7 I7 V7",), ("i7 i7 i7 i7 iv7 iv7 i7 i7 bVI7 V7 i7 V7",)),
        roles=(
            Role("drums", {"drums": 1.0}, 0.8, ("shuffle",)),
            Role("bass", {"bass": 1.0}, 0.85, ("walking", "shuffle")),
            Role("comp", {"electric guitar": 0.6, "piano": 0.3, "acoustic guitar": 0.1}, 1.0, ("shuffle", "stabs")),
            Role("fill", {"organ": 0.6, "piano": 0.3, "brass": 0.1}, 0.5, ("sustain", "stabs")),
            Role("lead", {"electric guitar": 0.5, "saxophone": 0.3, "distorted guitar": 0.2}, 0.75, ("melody",)),
        )),
    "reggae": Genre(
        tempo=(66, 94), minor=0.4, density=0.45, scale="pentatonic",
        progressions=(("I IV I V", "I V vi IV", "I ii I ii"), ("i iv i iv", "i bVII i bVII", "i bVII bVI bVII")),
        roles=(
            Role("drums", {"drums": 1.0}, 0.9, ("reggae",)),
            Role("bass", {"bass": 1.0}, 0.92, ("dub",)),
            Role("comp", {"electric guitar": 0.75, "piano": 0.25}, 1.0, ("offbeat",)),
            Role("fill", {"organ": 1.0}, 0.7, ("bubble",)),
            Role("lead", {"brass": 0.45, "saxophone": 0.3, "flute": 0.1, "synth": 0.15}, 0.5, ("melody",)),
        )),
    "ambient": Genre(
        tempo=(54, 86), minor=0.55, density=0.2,
        progressions=(("Imaj7 IVmaj7", "I iii IV I", "Imaj7 ii7"), ("i bVI", "i7 bVImaj7 iv7 bVI", "i bVII bVI bVI")),
        roles=(
            Role("drums", {"drums": 1.0}, 0.08, ("light",), "electronic"),
            Role("bass", {"bass": 1.0}, 0.25, ("long",), "synth"),
            Role("pad", {"synth": 0.65, "strings": 0.3, "organ": 0.05}, 1.0, ("sustain",), "pad"),
            Role("comp", {"piano": 0.4, "synth": 0.4, "acoustic guitar": 0.2}, 0.6, ("arpeggio",), "pad"),
            Role("lead", {"piano": 0.35, "flute": 0.35, "synth": 0.2, "strings": 0.1}, 0.55, ("melody",), "lead"),
        )),
    "latin": Genre(
        tempo=(92, 132), minor=0.5, density=0.65,
        progressions=(("I IV V IV", "ii7 V7 Imaj7 Imaj7", "I V V I"), ("i iv V V", "i bVII bVI V", "i7 iv7 V7 i7")),
        roles=(
            Role("drums", {"drums": 1.0}, 0.88, ("latin",)),
            Role("bass", {"bass": 1.0}, 0.8, ("tumbao",), "acoustic"),
            Role("comp", {"piano": 0.55, "acoustic guitar": 0.45}, 1.0, ("montuno", "stabs")),
            Role("lead", {"brass": 0.45, "flute": 0.25, "saxophone": 0.2, "acoustic guitar": 0.1}, 0.75, ("melody",), "lead"),
            Role("fill", {"brass": 0.7, "strings": 0.3}, 0.3, ("stabs", "sustain")),
        )),
}  # fmt: skip
