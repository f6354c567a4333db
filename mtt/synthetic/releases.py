"""Which tracks the embedded corpus publishes: how many by whom, which lack tags or an artist, which are broken.

Conventions: a *release* is a row of ``tracks.csv``: a piece (artist and track number) as published, perhaps a duplicate or an unusable
file. Only numbers are drawn here; the music is made in ``mtt.synthetic.render``.
"""

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
    releases: list[Release] = []
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
    sound = [releases[serial] for serial in shuffled if releases[serial].tagged and not releases[serial].problem]
    releases += _duplicates(config, sound or [releases[serial] for serial in labelled], len(releases), rng)
    for index in range(config.unusable_files):  # further tracks of labelled artists
        artist = int(rng.integers(config.labelled_artists))
        track = 3 * config.tracks_per_artist + index
        releases.append(Release(artist, track, artist, len(releases), problem=DAMAGES[index % len(DAMAGES)]))
    order = np.random.default_rng([config.seed, _ORDER])
    numbers = order.choice(10_000_000, size=len(releases), replace=False)
    return [replace(releases[index], track_id=f"syn{numbers[index]:07d}") for index in order.permutation(len(releases))]


def _track_count(config: SyntheticConfig, artist: int) -> int:
    """The mean, or one more or less; at least one."""
    spread = min(1, config.tracks_per_artist - 1)
    return config.tracks_per_artist + int(np.random.default_rng([config.seed, _COUNTS, artist]).integers(-spread, spread + 1))


def _duplicates(config: SyntheticConfig, originals: list[Release], serial: int, rng: np.random.Generator) -> list[Release]:
    """Exact, then near duplicates, numbered from ``serial``; every other one is credited to another artist, so it can leak."""
    n_artists = config.labelled_artists + config.unlabelled_artists
    copies = []
    for index in range(config.exact_duplicates + config.near_duplicates):
        original = originals[index % len(originals)]
        artist, near = original.artist, index >= config.exact_duplicates
        if index % 2 and n_artists > 1:
            artist = int((artist + rng.integers(1, n_artists)) % n_artists)
        copy = replace(original, credited=artist, serial=serial + index, tagged=artist < config.labelled_artists, other=original.serial)
        copies.append(replace(copy, problem="near_duplicate" if near else "exact_duplicate", copy=index if near else None))
    return copies
