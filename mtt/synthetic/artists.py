"""The invented artists of the embedded corpus: names, favourite genres, instruments, sound, and titles of tracks.

Conventions: an artist is a pure function of (seed, number); its tracks are numbered from 0. An artist's habits (tempo, mode, programs, mix)
and production chain are heard on every track, so a model can tell artists apart: that is what a split sharing artists leaks. Levels are in
dB, frequencies in Hz.
"""

from dataclasses import dataclass

import numpy as np

from mtt.synthetic.form import FORMS
from mtt.synthetic.genres import GENRES, INSTRUMENTS

# Purposes of random streams: one stream never serves two, so changing one draw leaves the others alone.
_DECK, _ARTIST, _CREDITS, _STYLE = 1, 2, 3, 4

EQ_POINTS = (60.0, 180.0, 500.0, 1400.0, 3500.0, 8000.0)  # Hz, where a chain's equaliser is set
_FIRST = (
    "Ada Anton Beatriz Bruno Carla Cedric Dalia Dmitri Elena Emil Farah Felix Greta Hugo Ines Ivo Jonas Juno Kaito Lena Lucia Magnus Mara "
    "Milo Nadia Nils Odile Oskar Paloma Quentin Rafael Rosa Samir Signe Tadeo Thea Ulla Viktor Wanda Yara Zeno"
).split()
_LAST = (
    "Almeida Bergström Castellan Delacroix Eriksen Ferrante Grünwald Hollis Ibarra Jansen Kovac Lindqvist Marlowe Novak Okafor Petrov "
    "Quintero Rossi Sandoval Takeda Ulrich Vasquez Whitlock Yilmaz Zielinski"
).split()
_ADJECTIVES = (
    "Amber Broken Copper Distant Electric Faded Golden Hollow Iron Jagged Lonesome Lunar Midnight Neon Northern Paper Quiet Restless Rusty "
    "Scarlet Silent Silver Sunken Velvet Violet Wandering Wild Winter"
).split()
_NOUNS = (
    "Anchor Antler Arcade Bird Canyon Circuit Comet Engine Falcon Garden Harbour Horizon Island Kingdom Lantern Machine Meadow Mirror "
    "Orchard Parade River Satellite Shadow Signal Station Sparrow Tiger Valley Wolf"
).split()
_TITLES = (
    "{adjective} {noun}, The {noun}, {noun} Song, After the {noun}, {adjective}, Under a {adjective} {noun}, "
    "No More {noun}, Letter to {first}"
).split(", ")
_WORDS = {"adjective": _ADJECTIVES, "noun": _NOUNS, "first": _FIRST}
_NAMES = {"{first} {last}": 0.4, "The {adjective} {noun}s": 0.3, "{adjective} {noun}": 0.2, "{other} & the {noun}s": 0.1}  # some 4 000


@dataclass(frozen=True)
class Chain:
    """An artist's sound: saturation, then equaliser, band limit and room, then noise floor and loudness."""

    drive: float  # 0 is clean, 3 is heavily saturated
    equaliser: tuple[float, ...]  # dB at EQ_POINTS
    bandwidth: float  # Hz, above which nothing passes
    room_seconds: float  # RT60
    room_level: float  # dB of the reverberation relative to the direct sound
    noise_level: float  # dB relative to the music
    loudness: float  # dB RMS re full scale
    room_seed: int


STYLES: dict[str, dict[str, tuple[float, float]]] = {  # ranges of a chain's fields; of the equaliser, dB that either end is tilted
    "studio": {
        "drive": (0.3, 1.0), "tilt": (-1.5, 1.5), "bandwidth": (7000.0, 10_800.0), "room_seconds": (0.15, 0.5),
        "room_level": (-22.0, -12.0), "noise_level": (-75.0, -55.0), "loudness": (-18.0, -13.0),
    },
    "home": {
        "drive": (0.8, 3.0), "tilt": (-7.0, -2.0), "bandwidth": (3000.0, 6000.0), "room_seconds": (0.5, 1.4),
        "room_level": (-14.0, -4.0), "noise_level": (-45.0, -30.0), "loudness": (-27.0, -20.0),
    },
}  # fmt: skip
CLEAN = {"studio": 0.7, "home": 0.2}  # share of the artists whose sound is not saturated


def draw_chain(style: str, rng: np.random.Generator) -> Chain:
    """A random but usable chain within the ranges of ``STYLES[style]``."""
    ranges = STYLES[style]
    bumps = rng.normal(0.0, 3.0, len(EQ_POINTS)) + rng.uniform(*ranges["tilt"]) * np.linspace(-1.0, 1.0, len(EQ_POINTS))
    driven = rng.random() >= CLEAN[style]
    return Chain(
        drive=float(driven * rng.uniform(*ranges["drive"])),
        equaliser=tuple(np.clip(bumps, -10.0, 10.0).round(2).tolist()),
        **{name: round(float(np.exp(rng.uniform(*np.log(ranges[name])))), 3) for name in ("bandwidth", "room_seconds")},
        **{name: round(float(rng.uniform(*ranges[name])), 2) for name in ("room_level", "noise_level", "loudness")},
        room_seed=int(rng.integers(2**31)),
    )


@dataclass(frozen=True)
class Artist:
    """One invented artist: favourites, habits, and sound."""

    number: int
    name: str
    genres: dict[str, float]  # favourite -> share of the songs
    tempo_bias: float  # -1 to 1
    minor_bias: float  # -1 to 1
    programs: dict[tuple[str, str], int]  # (tag, part of the texture) -> favourite General MIDI program
    taste: dict[str, float]  # tag -> factor on the odds of being chosen
    levels: dict[str, float]  # tag -> dB
    leaning: dict[str, float]  # tag of a form -> factor on its chance
    style: str  # in `STYLES`
    chain: Chain


def make_artists(seed: int, count: int) -> list[Artist]:
    """The first ``count`` artists of ``seed``. Every run of twelve has each genre as somebody's first favourite."""
    artists: list[Artist] = []
    names: set[str] = set()
    deck: list[str] = []
    shuffler = np.random.default_rng([seed, _DECK])
    for number in range(count):
        deck = deck or shuffler.permutation(list(GENRES)).tolist()
        rng = np.random.default_rng([seed, _ARTIST, number])
        genres = _favourites(deck.pop(), rng)
        name = ""
        while not name or name in names:
            name = _written(list(_NAMES), rng, list(_NAMES.values()), last=_LAST, other=_FIRST).replace("Wolfs", "Wolves")
        names.add(name)
        style = str(
            np.random.default_rng([seed, _STYLE, number // 2]).permutation(list(STYLES))[number % 2]
        )  # of two artists, one has each
        habits = {
            "tempo_bias": float(rng.uniform(-1.0, 1.0)),
            "minor_bias": float(rng.uniform(-1.0, 1.0)),
            "programs": {(tag, part): int(rng.choice(choices)) for tag, parts in INSTRUMENTS.items() for part, choices in parts.items()},
            "taste": {tag: float(np.exp(rng.normal(0.0, 1.4))) for tag in INSTRUMENTS},
            "levels": {tag: float(rng.normal(0.0, 2.5)) for tag in INSTRUMENTS},
            "leaning": {tag: float(min(np.exp(rng.normal(-0.1, 0.5)), 2.0)) for tag in FORMS},
        }
        artists.append(Artist(number, name, genres, **habits, style=style, chain=draw_chain(style, rng)))
    return artists


def _favourites(first: str, rng: np.random.Generator) -> dict[str, float]:
    """One to three genres: the first from the deck, the others by popularity."""
    others = [name for name in GENRES if name != first]
    popularity = np.array([GENRES[name].popularity for name in others])
    shares = ((1.0,), (0.65, 0.35), (0.5, 0.3, 0.2))[int(rng.choice(3, p=(0.25, 0.45, 0.3)))]
    extra = rng.choice(others, size=len(shares) - 1, replace=False, p=popularity / popularity.sum())
    return dict(zip([first, *extra.tolist()], shares, strict=True))


def _written(forms: list[str], rng: np.random.Generator, odds: list[float] | None = None, **more: list[str]) -> str:
    """One of ``forms``, with words in its gaps."""
    words = {kind: str(rng.choice(choices)) for kind, choices in {**_WORDS, **more}.items()}
    return str(rng.choice(forms, p=odds)).format(**words)


def credits(seed: int, artist: int, track: int) -> tuple[str, str]:
    """(title, album) of an artist's track; about five tracks share an album."""
    title, album = (_written(_TITLES, np.random.default_rng([seed, _CREDITS, artist, *of])) for of in ((1, track), (0, track // 5)))
    return title, album
