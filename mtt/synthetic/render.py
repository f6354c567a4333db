"""The embedded corpus: several hundred invented artists and their tracks, with labels as imperfect as in the wild and
the truth beside them.

Conventions: times are seconds, audio is mono 16-bit PCM WAV at `mtt.config.SAMPLE_RATE`. A *piece* is one song by one
artist, a pure function of (seed, artist number, track number): the same configuration gives the same bytes with any
number of workers. A *release* is a row of ``tracks.csv``: a piece as published, perhaps a duplicate or an unusable
file.

In the folder: ``audio/NN/<track_id>.wav``; ``tracks.csv`` (the collection: path, artist, tags, track_id, title,
album), written last; ``truth.csv`` (complete tags of every usable track), ``timeline.csv`` (which instrument sounds
when), ``planted.csv`` (the known problems) and ``corpus.json`` (configuration, generator version, tags and kinds).
"""

from __future__ import annotations

import csv
import functools
import io
import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import joblib
import numpy as np
import soundfile
from scipy import signal
from tqdm.auto import tqdm

from mtt.config import SAMPLE_RATE, SyntheticConfig, to_dict
from mtt.files import write_whole
from mtt.synthetic.artists import Artist, credits, make_artists
from mtt.synthetic.compose import TAG_KINDS, Song, compose
from mtt.synthetic.produce import mix, produce
from mtt.synthetic.releases import DAMAGES, Release, plan

__all__ = ["TAG_KINDS", "make_corpus"]

GENERATOR_VERSION = 1  # raise it with every change that alters the output
NOT_AUDIO = b"<!DOCTYPE html>\n<html><head><title>404 Not Found</title></head><body><h1>Not Found</h1></body></html>\n"

# Purposes of random streams, beside those of mtt.synthetic.artists and mtt.synthetic.releases.
_PIECE, _MISSING, _COPY = 20, 21, 22


def make_corpus(folder: Path | str, config: SyntheticConfig, workers: int | None = None, progress: bool = True) -> Path:
    """Write the corpus of ``config`` into ``folder`` and return the path of its ``tracks.csv``.

    ``workers`` processes render (default: one a core); the result does not depend on their number. A complete folder is
    returned at once, an interrupted one is continued. Raises ValueError where the folder holds another corpus.
    """
    folder = Path(folder)
    tracks_csv = folder / "tracks.csv"
    _claim(folder, config)
    if tracks_csv.is_file():
        return tracks_csv
    releases = plan(config)
    batches = _by_artist(config, releases)
    workers = min(workers or joblib.cpu_count(), len(batches))
    pool = joblib.Parallel(n_jobs=workers, return_as="generator_unordered", batch_size=1)
    facts: dict[int, Facts] = {}
    with tqdm(total=len(releases), unit="track", desc="Rendering", disable=not progress) as bar:
        for done in pool(joblib.delayed(_write_batch)(folder, config, batch) for batch in batches):
            facts |= done
            bar.update(len(done))
    _write_tables(folder, config, releases, facts)
    return tracks_csv


def _claim(folder: Path, config: SyntheticConfig) -> None:
    """Write ``corpus.json``, or see that the one there is of the same corpus."""
    identity = {
        "generator": GENERATOR_VERSION,
        "config": to_dict(config),
        "sample_rate": SAMPLE_RATE,
        "tags": TAG_KINDS,
    }
    path = folder / "corpus.json"
    if not path.is_file():
        if (folder / "tracks.csv").exists():
            raise ValueError(f"{folder / 'tracks.csv'} exists without corpus.json: not a synthetic corpus, choose another folder")
        write_whole(path, json.dumps(identity, indent=1).encode())
    elif json.loads(path.read_text(encoding="utf-8")) != identity:
        raise ValueError(f"{path} describes another corpus (other settings or generator): choose another folder or remove this one")


# Planning -------------------------------------------------------------------------------------------------------------


@functools.lru_cache(maxsize=2)
def _artists(seed: int, count: int) -> list[Artist]:
    return make_artists(seed, count)


def artists(config: SyntheticConfig) -> list[Artist]:
    """The corpus's artists: the labelled ones first, then the unlabelled."""
    return _artists(config.seed, config.labelled_artists + config.unlabelled_artists)


def _by_artist(config: SyntheticConfig, releases: Iterable[Release]) -> list[list[Release]]:
    """Batches for the workers: an artist's releases share a filter, artists of the same genres share samples."""
    batches: dict[int, list[Release]] = {}
    for release in releases:
        batches.setdefault(release.artist, []).append(release)
    return [batches[number] for number in sorted(batches, key=lambda number: list(artists(config)[number].genres))]


# Rendering ------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Facts:
    """What is true of a release."""

    tags: tuple[str, ...]
    timeline: tuple[tuple[str, float, float], ...]


def compose_piece(config: SyntheticConfig, artist: Artist, track: int) -> Song:
    """The song an artist plays on a track."""
    rng = np.random.default_rng([config.seed, _PIECE, artist.number, track, 0])
    genre = str(rng.choice(list(artist.genres), p=list(artist.genres.values())))
    return compose(genre, artist.style, config.seconds, rng)


def render_piece(config: SyntheticConfig, artist: Artist, track: int, song: Song) -> np.ndarray:
    """The recording of ``song``, (round(seconds * SAMPLE_RATE),) float32."""
    return produce(mix(song), artist.chain, np.random.default_rng([config.seed, _PIECE, artist.number, track, 1]))


def _write_batch(folder: Path, config: SyntheticConfig, batch: list[Release]) -> dict[int, Facts]:
    """Write the batch's files that are not there yet; return the facts of all, by serial."""
    facts = {}
    for release in batch:
        artist = artists(config)[release.artist]
        song = compose_piece(config, artist, release.track)
        cut = _trim(config, release)
        shifted = ((tag, round(max(start - cut, 0.0), 3), round(end - cut, 3)) for tag, start, end in song.timeline)
        facts[release.serial] = Facts(tuple(song.tags), tuple(span for span in shifted if span[2] > span[1]))
        path = folder / release.path
        if not path.is_file():
            write_whole(path, _file_bytes(config, release, artist, song))
    return facts


def _file_bytes(config: SyntheticConfig, release: Release, artist: Artist, song: Song) -> bytes:
    if release.problem == "not_audio":
        return NOT_AUDIO
    if release.problem == "truncated":  # nothing at all, or broken off within the header
        return b"" if release.serial % 2 else _wav(np.zeros(SAMPLE_RATE, dtype=np.float32))[:36]
    if release.problem == "silent":
        return _wav(np.zeros(round(config.seconds * SAMPLE_RATE), dtype=np.float32))
    audio = render_piece(config, artist, release.track, song)
    return _wav(audio if release.copy is None else _remaster(config, release, audio))


def _trim(config: SyntheticConfig, release: Release) -> float:
    """Seconds cut from the start of a near duplicate, up to 2% of the track; 0 for the others."""
    if release.copy is None:
        return 0.0
    return round(float(np.random.default_rng([config.seed, _COPY, release.copy, 0]).uniform(0.1, 1.0)) * 0.02 * config.seconds, 3)


def _remaster(config: SyntheticConfig, release: Release, audio: np.ndarray) -> np.ndarray:
    """A near duplicate: trimmed, at another level, and either with a narrower band or through an MP3 encoder."""
    rng = np.random.default_rng([config.seed, _COPY, release.copy, 1])
    audio = audio[round(_trim(config, release) * SAMPLE_RATE) :] * np.float32(10 ** (rng.uniform(-8.0, -1.0) / 20))
    if release.copy % 2:
        low_pass = signal.butter(4, rng.uniform(3000.0, 7000.0), fs=SAMPLE_RATE, output="sos")
        return signal.sosfilt(low_pass, audio).astype(np.float32)
    encoded = io.BytesIO()
    soundfile.write(encoded, audio, SAMPLE_RATE, format="MP3")
    encoded.seek(0)
    return soundfile.read(encoded, dtype="float32")[0]


def _wav(audio: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    soundfile.write(buffer, audio, SAMPLE_RATE, format="WAV", subtype="PCM_16")
    return buffer.getvalue()


# Tables ---------------------------------------------------------------------------------------------------------------


def _write_tables(folder: Path, config: SyntheticConfig, releases: list[Release], facts: dict[int, Facts]) -> None:
    """Truth, timeline and planted problems, then the collection itself."""
    identifiers = {release.serial: release.track_id for release in releases}
    usable = [release for release in releases if release.problem not in DAMAGES]
    truth = [(release.track_id, "|".join(facts[release.serial].tags)) for release in usable]
    timeline = [(release.track_id, *span) for release in usable for span in facts[release.serial].timeline]
    planted = [(release.track_id, release.problem, identifiers.get(release.other, "")) for release in releases if release.problem]
    write_whole(folder / "truth.csv", _csv(("track_id", "tags"), truth))
    write_whole(folder / "timeline.csv", _csv(("track_id", "instrument", "start", "end"), timeline))
    write_whole(folder / "planted.csv", _csv(("track_id", "problem", "other"), planted))
    rows = [_row(config, release, facts[release.serial].tags) for release in releases]
    write_whole(folder / "tracks.csv", _csv(("path", "artist", "tags", "track_id", "title", "album"), rows))


def _row(config: SyntheticConfig, release: Release, tags: tuple[str, ...]) -> tuple[str, ...]:
    name = "" if release.problem == "no_artist" else artists(config)[release.credited].name
    observed = _observed(config, release.serial, tags) if release.tagged else []
    return (
        release.path,
        name,
        "|".join(observed),
        release.track_id,
        *credits(config.seed, release.artist, release.track),
    )


def _observed(config: SyntheticConfig, serial: int, tags: tuple[str, ...]) -> list[str]:
    """The tags somebody wrote down: each is missing with probability ``missing_labels``, but one always remains."""
    draws = np.random.default_rng([config.seed, _MISSING, serial]).random(len(tags))
    kept = [tag for tag, draw in zip(tags, draws, strict=True) if draw >= config.missing_labels]
    return kept or [tags[int(np.argmax(draws))]]


def _csv(header: tuple[str, ...], rows: Iterable[tuple]) -> bytes:
    buffer = io.StringIO(newline="")
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(rows)
    return buffer.getvalue().encode()
