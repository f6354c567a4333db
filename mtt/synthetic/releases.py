"""Which tracks the embedded corpus publishes: how many by whom, which lack tags or an artist, which are broken.

Conventions: a *release* is a row of ``tracks.csv``: a piece (artist and track number) as published, perhaps a
duplicate or an unusable file. Only numbers are drawn here; the music is made in `mtt.synthetic.render`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from mtt.config import SyntheticConfig

UNTAGGED_SHARE = 0.05  # of the labelled artists' tracks
WITHOUT_ARTIST = 2  # tracks
DAMAGES = ("silent", "truncated", "not_audio")

_COUNTS, _PLANT, _ORDER = 10, 11, 12  # purposes of random streams; mtt.synthetic.artists uses 1 to 3


@dataclass(frozen=True)
class Release:
    """One row of the collection. ``copy`` numbers near duplicates; ``credited`` is the artist it is published under."""

    artist: int
    track: int
    credited: int
    serial: int  # numbers the releases; draws which labels are missing
    problem: str = ""
    copy: int | None = None
    tagged: bool = True
    other: int | None = None  # serial of the release it duplicates
    track_id: str = ""

    @property
    def path(self) -> str:
        return f"audio/{self.track_id[3:5]}/{self.track_id}.wav"


def plan(config: SyntheticConfig) -> list[Release]:
    """Every release of the corpus, in the random order of ``tracks.csv``."""
    releases = []
    for artist in range(config.labelled_artists + config.unlabelled_artists):
        for track in range(_track_count(config, artist)):
            releases.append(Release(artist, track, artist, len(releases), tagged=artist < config.labelled_artists))
    labelled = [release.serial for release in releases if release.tagged]
    rng = np.random.default_rng([config.seed, _PLANT])
    shuffled = rng.permutation(labelled).tolist()
    for serial in shuffled[: max(1, round(UNTAGGED_SHARE * len(labelled)))]:
        releases[serial] = replace(releases[serial], tagged=False)
    for serial in shuffled[::-1][:WITHOUT_ARTIST]:
        releases[serial] = replace(releases[serial], problem="no_artist")
    sources = [serial for serial in shuffled if releases[serial].tagged and not releases[serial].problem] or labelled
    releases += _duplicates(config, releases, sources, rng)
    releases += _unusable(config, len(releases), rng)
    order = np.random.default_rng([config.seed, _ORDER])
    numbers = order.choice(10_000_000, size=len(releases), replace=False)
    named = [replace(release, track_id=f"syn{number:07d}") for release, number in zip(releases, numbers, strict=True)]
    return [named[index] for index in order.permutation(len(named))]


def _track_count(config: SyntheticConfig, artist: int) -> int:
    """Artists differ: a gamma-Poisson count around the mean, at least one and at most three times the mean."""
    rng = np.random.default_rng([config.seed, _COUNTS, artist])
    mean = config.tracks_per_artist
    return int(np.clip(rng.poisson((mean - 1) * rng.gamma(5.0, 0.2)) + 1, 1, 3 * mean))


def _duplicates(config: SyntheticConfig, releases: list[Release], sources: list[int], rng: np.random.Generator) -> Iterator[Release]:
    """Exact, then near duplicates of tagged tracks; every other one is credited to another artist, so it can leak."""
    n_artists = config.labelled_artists + config.unlabelled_artists
    first_serial = len(releases)  # fixed here: the caller extends the list while this runs
    for index in range(config.exact_duplicates + config.near_duplicates):
        original = releases[sources[index % len(sources)]]
        credited = original.artist
        if index % 2 and n_artists > 1:
            credited = int((original.artist + rng.integers(1, n_artists)) % n_artists)
        yield replace(
            original,
            credited=credited,
            serial=first_serial + index,
            problem="exact_duplicate" if index < config.exact_duplicates else "near_duplicate",
            copy=None if index < config.exact_duplicates else index,
            tagged=credited < config.labelled_artists,
            other=original.serial,
        )


def _unusable(config: SyntheticConfig, serial: int, rng: np.random.Generator) -> Iterator[Release]:
    """Further tracks of labelled artists whose files are broken."""
    for index in range(config.unusable_files):
        artist = int(rng.integers(config.labelled_artists))
        yield Release(artist, 3 * config.tracks_per_artist + index, artist, serial + index, problem=DAMAGES[index % len(DAMAGES)])
