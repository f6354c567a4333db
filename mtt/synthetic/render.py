"""The embedded corpus as files: tracks of invented artists, with labels as imperfect as in the wild and the truth beside them.

Conventions: times are seconds, audio is mono 16-bit PCM WAV at ``mtt.config.SAMPLE_RATE``. A *piece* is one song by one artist, a pure
function of (seed, artist number, track number): the same configuration gives the same bytes with any number of workers. In the folder:
``audio/NN/<track_id>.wav``; ``tracks.csv`` (the collection: path, artist, tags, track_id, title, album), written last; ``truth.csv`` (of
every usable track: its complete tags, those its annotator observed, published or not, and its artist's production style),
``timeline.csv`` (which instrument sounds when), ``planted.csv`` (the known problems) and ``corpus.json`` (what identifies the corpus, its
configuration, the tags and their kinds).
"""

import io
from collections.abc import Iterable
from pathlib import Path

import joblib
import numpy as np
import pandas as pd
import scipy
import soundfile
from tqdm.auto import tqdm

from mtt.config import SAMPLE_RATE, SyntheticConfig
from mtt.files import MttError, alone, fingerprint, leave_interrupts, read_json, write_json, write_whole
from mtt.settings import identity, to_dict
from mtt.synthetic.artists import Artist, credits, make_artists
from mtt.synthetic.compose import TAG_KINDS, Song, compose
from mtt.synthetic.produce import gain, mix, produce
from mtt.synthetic.releases import DAMAGES, Release, plan

GENERATOR_VERSION = 2  # raise it with every change that alters the output: cached corpora are then rendered anew
FORGOTTEN = (0.25, 2.6)  # range of the tags' factors on the share of missing labels, evenly filled; their mean is nearly 1
MOST_MISSING = 0.9  # probability
NOT_AUDIO = b"<!DOCTYPE html>\n<html><head><title>404 Not Found</title></head><body><h1>Not Found</h1></body></html>\n"

# Purposes of random streams, beside those of mtt.synthetic.artists and mtt.synthetic.releases.
_PIECE, _MISSING, _COPY, _FORGOTTEN, _ANNOTATOR = 20, 21, 22, 23, 24

Facts = tuple[list[str], list[tuple[str, float, float]]]  # what is true of a release: its tags and its timeline


def corpus_name(config: SyntheticConfig) -> str:
    """What identifies the corpus of ``config`` as this generator makes it; the name of its folder in a cache."""
    return f"synthetic-{fingerprint([GENERATOR_VERSION, SAMPLE_RATE, list(TAG_KINDS.items()), identity(config)])}"


def make_corpus(folder: str | Path, config: SyntheticConfig, workers: int | None = None, progress: bool = True) -> Path:
    """Write the corpus of ``config`` into ``folder`` and return the path of its ``tracks.csv``.

    ``workers`` processes render (default: one a core); the result does not depend on their number. A complete folder is returned at once,
    an interrupted one is continued, one that another process is rendering is waited for. Raises ``MttError`` where the folder holds
    something else.
    """
    folder = Path(folder)
    tracks_csv = folder / "tracks.csv"
    if tracks_csv.is_file():
        _claim(folder, config)
        return tracks_csv
    with alone(folder.with_name(f".{folder.name}.lock")):
        _claim(folder, config)
        if not tracks_csv.is_file():
            _render(folder, config, workers, progress)
    return tracks_csv


def _render(folder: Path, config: SyntheticConfig, workers: int | None, progress: bool) -> None:
    artists = make_artists(config.seed, config.labelled_artists + config.unlabelled_artists)
    releases = plan(config)
    batches: dict[int, list[Release]] = {}  # an artist's releases share a filter
    for release in releases:
        batches.setdefault(release.artist, []).append(release)
    alike = sorted((artists[number] for number in batches), key=lambda artist: list(artist.genres))  # the same genres share samples
    jobs = min(workers or joblib.effective_n_jobs(), len(alike))
    pool = joblib.Parallel(n_jobs=jobs, return_as="generator_unordered", batch_size=1, initializer=leave_interrupts)
    facts: dict[int, Facts] = {}
    with tqdm(total=len(releases), unit="track", desc="Rendering", disable=not progress) as bar:
        for done in pool(joblib.delayed(_write_batch)(folder, config, artist, batches[artist.number]) for artist in alike):
            facts |= done
            bar.update(len(done))
    _write_tables(folder, config, artists, releases, facts)


def _claim(folder: Path, config: SyntheticConfig) -> None:
    """Write ``corpus.json``, or see that the one there is of the same corpus."""
    about = {"name": corpus_name(config), "generator": GENERATOR_VERSION, "config": to_dict(config), "tags": TAG_KINDS}
    found = read_json(folder / "corpus.json")
    if found is None and not any((folder / name).exists() for name in ("tracks.csv", "audio")):
        write_json(folder / "corpus.json", about)
    elif not isinstance(found, dict) or found.get("name") != about["name"]:
        raise MttError(f"{folder} holds something else than this synthetic corpus: choose another folder, or remove this one")


def _write_batch(folder: Path, config: SyntheticConfig, artist: Artist, releases: list[Release]) -> dict[int, Facts]:
    """Write the files of an artist's releases that are not there yet; the facts of all, by serial."""
    facts = {}
    for release in releases:
        song = song_of(config, artist, release.track)
        cut = _trim(config, release)
        shifted = [(tag, round(max(start - cut, 0.0), 3), round(end - cut, 3)) for tag, start, end in song.timeline]
        facts[release.serial] = song.tags, [(tag, start, end) for tag, start, end in shifted if end > start]
        if not (folder / release.path).is_file():
            write_whole(folder / release.path, _file_bytes(config, release, artist, song))
    return facts


def song_of(config: SyntheticConfig, artist: Artist, track: int) -> Song:
    """The artist's song of this number."""
    rng = np.random.default_rng([config.seed, _PIECE, artist.number, track, 0])
    genre = str(rng.choice(list(artist.genres), p=list(artist.genres.values())))
    return compose(genre, artist, config.seconds, config.brief_parts, rng)


def recording(config: SyntheticConfig, artist: Artist, track: int, song: Song) -> np.ndarray:
    """(samples,) of a song of the artist's, played and produced."""
    return produce(mix(song), artist.chain, np.random.default_rng([config.seed, _PIECE, artist.number, track, 1]))


def _file_bytes(config: SyntheticConfig, release: Release, artist: Artist, song: Song) -> bytes:
    if release.problem == "not_audio":
        return NOT_AUDIO
    if release.problem == "truncated":  # nothing at all, or broken off within the header
        return b"" if release.serial % 2 else _encoded(np.zeros(SAMPLE_RATE, dtype=np.float32))[:36]
    if release.problem == "silent":
        return _encoded(np.zeros(round(config.seconds * SAMPLE_RATE), dtype=np.float32))
    audio = recording(config, artist, release.track, song)
    return _encoded(audio if release.copy is None else _remaster(config, release, audio))


def _trim(config: SyntheticConfig, release: Release) -> float:
    """Seconds cut from the start of a near duplicate, up to 2% of the track; 0 for the others."""
    if release.copy is None:
        return 0.0
    return round(float(np.random.default_rng([config.seed, _COPY, release.copy, 0]).uniform(0.1, 1.0)) * 0.02 * config.seconds, 3)


def _remaster(config: SyntheticConfig, release: Release, audio: np.ndarray) -> np.ndarray:
    """A near duplicate: trimmed, at another level, and either with a narrower band or through an MP3 encoder."""
    rng = np.random.default_rng([config.seed, _COPY, release.copy, 1])
    audio = audio[round(_trim(config, release) * SAMPLE_RATE) :] * np.float32(gain(rng.uniform(-8.0, -1.0)))
    if release.copy % 2:
        low_pass = scipy.signal.butter(4, rng.uniform(3000.0, 7000.0), fs=SAMPLE_RATE, output="sos")
        return scipy.signal.sosfilt(low_pass, audio).astype(np.float32)
    return soundfile.read(io.BytesIO(_encoded(audio, "MP3")), dtype="float32")[0]


def _encoded(audio: np.ndarray, kind: str = "WAV") -> bytes:
    """A file of soundfile's default encoding; of WAV, 16-bit PCM."""
    buffer = io.BytesIO()
    soundfile.write(buffer, audio, SAMPLE_RATE, format=kind)
    return buffer.getvalue()


def _write_tables(folder: Path, config: SyntheticConfig, artists: list[Artist], releases: list[Release], facts: dict[int, Facts]) -> None:
    """Truth, timeline and planted problems, then the collection itself."""
    ids = {release.serial: release.track_id for release in releases}
    seen = {release.serial: "|".join(observed(config, release.credited, release.serial, facts[release.serial][0])) for release in releases}
    usable = [release for release in releases if release.problem not in DAMAGES]
    truth = (
        (release.track_id, "|".join(facts[release.serial][0]), seen[release.serial], artists[release.artist].style) for release in usable
    )
    timeline = ((release.track_id, *span) for release in usable for span in facts[release.serial][1])
    planted = ((release.track_id, release.problem, ids.get(release.other, "")) for release in releases if release.problem)
    _write_csv(folder / "truth.csv", "track_id tags observed style", truth)
    _write_csv(folder / "timeline.csv", "track_id instrument start end", timeline)
    _write_csv(folder / "planted.csv", "track_id problem other", planted)
    rows = []
    for release in releases:
        name = "" if release.problem == "no_artist" else artists[release.credited].name
        tags = seen[release.serial] if release.tagged else ""
        rows.append((release.path, name, tags, release.track_id, *credits(config.seed, release.artist, release.track)))
    _write_csv(folder / "tracks.csv", "path artist tags track_id title album", rows)


def observed(config: SyntheticConfig, artist: int, serial: int, tags: list[str]) -> list[str]:
    """The tags that the annotator of ``artist`` wrote down of release ``serial``; one of ``tags`` always remains.

    A tag is missing with probability ``missing_labels``, times a factor of the tag, times one of the annotator, at most `MOST_MISSING`.
    """
    forgotten = np.exp(np.random.default_rng([config.seed, _FORGOTTEN]).permutation(np.linspace(*np.log(FORGOTTEN), len(TAG_KINDS))))
    factors = dict(zip(TAG_KINDS, forgotten.tolist(), strict=True))
    annotator = np.exp(np.random.default_rng([config.seed, _ANNOTATOR, artist]).normal(-0.125, 0.5))
    missing = np.minimum(config.missing_labels * annotator * np.array([factors[tag] for tag in tags]), MOST_MISSING)
    margins = np.random.default_rng([config.seed, _MISSING, serial]).random(len(tags)) - missing
    kept = [tag for tag, margin in zip(tags, margins, strict=True) if margin >= 0.0]
    return kept or [tags[int(np.argmax(margins))]]


def _write_csv(path: Path, columns: str, rows: Iterable[tuple]) -> None:
    write_whole(path, pd.DataFrame(rows, columns=columns.split()).to_csv(index=False, lineterminator="\n"))
