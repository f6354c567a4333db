"""The invented artists of the embedded corpus: names, favourite genres, instruments, sound, and titles of tracks.

Conventions: an artist is a pure function of (seed, number); its tracks are numbered from 0. An artist's habits (tempo, mode, programs, mix)
and production chain are heard on every track, so a model can tell artists apart: that is what a split sharing artists leaks.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mtt.synthetic.compose import Style
from mtt.synthetic.genres import GENRES, INSTRUMENTS
from mtt.synthetic.produce import Chain, draw_chain

# Purposes of random streams: one stream never serves two, so changing one draw leaves the others alone.
_DECK, _ARTIST, _CREDITS = 1, 2, 3

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
    "{adjective} {noun}",
    "The {noun}",
    "{noun} Song",
    "After the {noun}",
    "{adjective}",
    "Under a {adjective} {noun}",
    "No More {noun}",
    "Letter to {first}",
)


@dataclass(frozen=True)
class Artist:
    """One invented artist. ``genres`` maps the favourites to the share of the artist's songs."""

    number: int
    name: str
    genres: dict[str, float]
    style: Style
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
        while (name := _name(rng)) in names:
            pass
        names.add(name)
        artists.append(Artist(number, name, genres, _style(rng), draw_chain(rng)))
    return artists


def _favourites(first: str, rng: np.random.Generator) -> dict[str, float]:
    """One to three genres: the first from the deck, the others by popularity."""
    others = [name for name in GENRES if name != first]
    popularity = np.array([GENRES[name].popularity for name in others])
    shares = ((1.0,), (0.65, 0.35), (0.5, 0.3, 0.2))[int(rng.choice(3, p=(0.25, 0.45, 0.3)))]
    extra = rng.choice(others, size=len(shares) - 1, replace=False, p=popularity / popularity.sum())
    return dict(zip([first, *extra.tolist()], shares, strict=True))


def _style(rng: np.random.Generator) -> Style:
    return Style(
        tempo_bias=float(rng.uniform(-1.0, 1.0)),
        minor_bias=float(rng.uniform(-1.0, 1.0)),
        programs={(tag, part): int(rng.choice(choices)) for tag, parts in INSTRUMENTS.items() for part, choices in parts.items()},
        taste={tag: float(np.exp(rng.normal(0.0, 1.4))) for tag in INSTRUMENTS},
        levels={tag: float(rng.normal(0.0, 2.5)) for tag in INSTRUMENTS},
    )


def _words(rng: np.random.Generator) -> dict[str, str]:
    return {"adjective": str(rng.choice(_ADJECTIVES)), "noun": str(rng.choice(_NOUNS)), "first": str(rng.choice(_FIRST))}


def _name(rng: np.random.Generator) -> str:
    """A person, a band, or a project; some 4 000 names."""
    words = _words(rng)
    plural = _plural(words["noun"])
    kinds = (
        f"{words['first']} {rng.choice(_LAST)}",
        f"The {words['adjective']} {plural}",
        f"{words['adjective']} {words['noun']}",
        f"{rng.choice(_FIRST)} & the {plural}",
    )
    return kinds[int(rng.choice(4, p=(0.4, 0.3, 0.2, 0.1)))]


def _plural(noun: str) -> str:
    if noun == "Wolf":
        return "Wolves"
    return noun[:-1] + "ies" if noun.endswith("y") and noun[-2] not in "aeiou" else noun + "s"


def _title(rng: np.random.Generator) -> str:
    words = _words(rng)
    return str(rng.choice(_TITLES)).format(**words)


def credits(seed: int, artist: int, track: int) -> tuple[str, str]:
    """(title, album) of an artist's track; about five tracks share an album."""
    album = _title(np.random.default_rng([seed, _CREDITS, artist, 0, track // 5]))
    return _title(np.random.default_rng([seed, _CREDITS, artist, 1, track])), album
