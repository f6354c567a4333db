"""How a track of the embedded corpus comes to be: what is drawn at each step, as a picture, and how it sounds by then.

Conventions: the track is the one of most parts among the first ``CANDIDATES`` labelled ones in order of id. What is heard is its middle.
"""

import textwrap
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from mtt.config import SAMPLE_RATE
from mtt.reporting import figures
from mtt.reporting.explorer.player import Player
from mtt.reporting.figures.draw import Picture
from mtt.reporting.figures.style import HALF
from mtt.reporting.numbers import joined, number
from mtt.study.replicates import Replicate
from mtt.synthetic.artists import Artist, make_artists
from mtt.synthetic.compose import Song
from mtt.synthetic.produce import mix
from mtt.synthetic.releases import Release, plan
from mtt.synthetic.render import observed, recording, song_of

CANDIDATES = 20
SECONDS, SMALL = 4.0, 88  # of each sound; dots an inch of a spectrogram
KEYS = ("C", "C♯", "D", "E♭", "E", "F", "F♯", "G", "A♭", "A", "B♭", "B")
PIANO = 0  # General MIDI program


class _Made(NamedTuple):
    release: Release
    artist: Artist
    other: Artist  # whose production is of the other style
    song: Song

    @property
    def key(self) -> str:
        return f"{KEYS[self.song.tonic]} {'minor' if self.song.minor else 'major'}"


def _example(replicate: Replicate) -> _Made:
    config, known = replicate.corpus_config, replicate.collection
    releases = sorted((one for one in plan(config) if one.tagged and not one.problem), key=lambda one: one.track_id)
    artists = make_artists(config.seed, config.labelled_artists + config.labelled_artists % 2)
    found = [one for one in releases if one.track_id in known.tracks.index][:CANDIDATES]
    made = [_Made(one, artists[one.artist], artists[one.artist ^ 1], song_of(config, artists[one.artist], one.track)) for one in found]
    return max(made, key=lambda one: len(one.song.parts))


def picture(replicate: Replicate) -> Picture | None:
    """Artist, song, instruments, production and labels of one track; None where music was recorded, not composed."""
    if not replicate.is_composed:
        return None
    made = _example(replicate)
    artist, song, chain = made.artist, made.song, made.artist.chain
    written = observed(replicate.corpus_config, artist.number, made.release.serial, song.tags)
    lost = joined(tag for tag in song.tags if tag not in written)
    steps = {
        "artist": [artist.name, *(f"{genre} {share:.0%}" for genre, share in artist.genres.items()), f"{artist.style} recordings"],
        "song": [song.genre, f"{song.tempo:.0f} beats a minute", made.key, joined(song.form.tags) or "no particular form"],
        "instruments": [joined(sorted({part.instrument for part in song.parts}))],
        "production": [
            f"overdrive {number(chain.drive, 1)}" if chain.drive else "no overdrive",
            f"up to {chain.bandwidth / 1000:.1f} kHz",
            f"room of {number(chain.room_seconds, 1)} s",
        ],
        "labels": [f"{len(song.tags)} tags are true", f"{len(written)} were written down", f"(not: {lost})" if lost else ""],
    }
    return figures.making({name: "\n".join(textwrap.fill(line, 19) for line in lines if line) for name, lines in steps.items()})


def sounds(replicate: Replicate) -> list[Player]:
    """The track's notes on a piano, on its instruments, produced, and produced in the other style; none of recorded music."""
    if not replicate.is_composed:
        return []
    made, config = _example(replicate), replicate.corpus_config
    _, artist, other, song = made
    pitched = tuple(replace(part, program=PIANO, instrument="piano") for part in song.parts if part.instrument != "drums")
    notes = _excerpt(mix(replace(song, parts=pitched)), song.seconds)
    start, end = _span(song.seconds)
    names = dict.fromkeys(part.instrument for part in song.parts if part.instrument != "drums")
    shown = {name: np.concatenate([part.notes for part in song.parts if part.instrument == name]) for name in names}
    told = f"{song.genre.capitalize()} in {made.key}, {song.tempo:.0f} beats a minute: all notes but the drums’, on a piano."
    players = [Player(notes, figures.notes(shown, start, end, "Song", HALF), "Song", told, SMALL)]
    steps = {
        "Instruments": (mix(song), f"The same notes on {joined(sorted({part.instrument for part in song.parts}))}, dry."),
        "Production": (recording(config, artist, made.release.track, song), f"As {artist.name} publish it, in {artist.style} style."),
        "The other style": (recording(config, other, made.release.track, song), f"As {other.name} would, in {other.style} style."),
    }
    for title, (wave, said) in steps.items():
        wave = _excerpt(wave, song.seconds)
        players.append(Player(wave, figures.mel_spectrogram(wave, title, width=HALF), title, said, SMALL))
    return players


def _span(seconds: float) -> tuple[float, float]:
    start = max(0.0, (seconds - SECONDS) / 2)
    return start, min(start + SECONDS, seconds)


def _excerpt(wave: np.ndarray, seconds: float) -> np.ndarray:
    """As loud as it may be."""
    start, end = (round(moment * SAMPLE_RATE) for moment in _span(seconds))
    return 0.8 * wave[start:end] / max(np.abs(wave[start:end]).max(), 1e-6)
