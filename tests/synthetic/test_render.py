"""The embedded corpus: same bytes from the same seed, imperfections as ordered, truth and timeline beside them."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from pathlib import Path

import librosa
import numpy as np
import pandas as pd
import pytest
import soundfile
from scipy import signal

from mtt.config import SAMPLE_RATE, SyntheticConfig
from mtt.synthetic import render as synthetic
from mtt.synthetic.artists import credits, make_artists
from mtt.synthetic.releases import plan
from mtt.synthetic.render import TAG_KINDS, make_corpus

CONFIG = SyntheticConfig(
    seed=3, labelled_artists=4, unlabelled_artists=2, tracks_per_artist=2, seconds=4.0,
    exact_duplicates=2, near_duplicates=4, unusable_files=4,
)  # fmt: skip


def table(folder: Path, name: str) -> pd.DataFrame:
    return pd.read_csv(folder / f"{name}.csv", keep_default_na=False, index_col="track_id" if name != "timeline" else None)


def digests(folder: Path) -> dict[str, str]:
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture(scope="module")
def corpus(tmp_path_factory) -> Path:
    return make_corpus(tmp_path_factory.mktemp("corpus"), CONFIG, workers=1, progress=False).parent


@pytest.fixture(scope="module")
def tracks(corpus) -> pd.DataFrame:
    return table(corpus, "tracks")


@pytest.fixture(scope="module")
def planted(corpus) -> pd.DataFrame:
    return table(corpus, "planted")


def audio(corpus: Path, tracks: pd.DataFrame, track_id: str) -> np.ndarray:
    samples, rate = soundfile.read(corpus / tracks.path[track_id], dtype="float32")
    assert rate == SAMPLE_RATE and samples.ndim == 1
    return samples


def test_same_bytes_with_any_number_of_workers(corpus, tmp_path):
    make_corpus(tmp_path / "two", CONFIG, workers=2, progress=False)
    assert digests(tmp_path / "two") == digests(corpus)


def test_an_interrupted_generation_is_continued(corpus, tmp_path, monkeypatch):
    write_whole, written = synthetic.write_whole, []

    def killed(path, content):
        if len(written) == 6:
            raise KeyboardInterrupt
        written.append(path)
        write_whole(path, content)

    monkeypatch.setattr(synthetic, "write_whole", killed)
    with pytest.raises(KeyboardInterrupt):
        make_corpus(tmp_path, CONFIG, workers=1, progress=False)
    assert not (tmp_path / "tracks.csv").exists()
    written.clear()
    monkeypatch.setattr(synthetic, "write_whole", lambda path, content: (written.append(path), write_whole(path, content)))
    make_corpus(tmp_path, CONFIG, workers=1, progress=False)
    assert digests(tmp_path) == digests(corpus)
    assert len(written) == len(plan(CONFIG)) - 5 + 4  # corpus.json and five tracks were there; four tables at the end


def test_a_complete_folder_is_returned_at_once(corpus, monkeypatch):
    monkeypatch.setattr(synthetic, "plan", lambda config: pytest.fail("planned again"))
    assert make_corpus(corpus, CONFIG) == corpus / "tracks.csv"


def test_another_corpus_in_the_folder_is_refused(corpus):
    with pytest.raises(ValueError, match="describes another corpus.*choose another folder"):
        make_corpus(corpus, replace(CONFIG, seed=4))


@pytest.mark.parametrize(
    ("change", "message"),
    [({"labelled_artists": 0}, "labelled_artists >= 1"), ({"seconds": 1.0}, "seconds is 1.0"),
     ({"missing_labels": 1.0}, "missing_labels is 1.0"),
     ({"near_duplicates": -1}, "must not be negative")],
)  # fmt: skip
def test_senseless_settings_are_refused(tmp_path, change, message):
    with pytest.raises(ValueError, match=message):
        make_corpus(tmp_path, replace(CONFIG, **change))


def test_tables_agree(corpus, tracks, planted):
    assert list(pd.read_csv(corpus / "tracks.csv").columns) == ["path", "artist", "tags", "track_id", "title", "album"]
    assert tracks.index.is_unique and (tracks.title != "").all() and (tracks.album != "").all()
    truth = table(corpus, "truth").tags.str.split("|").map(set)
    broken = set(planted.index[planted.problem.isin(["silent", "truncated", "not_audio"])])
    assert set(truth.index) == set(tracks.index) - broken
    observed = tracks.tags[tracks.tags != ""].str.split("|").map(set)
    assert all(observed[track] <= truth[track] for track in observed.index.intersection(truth.index))
    assert set().union(*truth) <= set(TAG_KINDS)
    assert json.loads((corpus / "corpus.json").read_text())["tags"] == TAG_KINDS
    timeline = table(corpus, "timeline")
    assert ((0 <= timeline.start) & (timeline.start < timeline.end) & (timeline.end <= CONFIG.seconds)).all()
    instruments = timeline.groupby("track_id").instrument.agg(set)
    assert all(instruments[track] == {tag for tag in truth[track] if TAG_KINDS[tag] == "instrument"} for track in truth.index)


def test_every_usable_file_is_audio_of_the_ordered_length(corpus, tracks):
    planted = table(corpus, "planted")
    for track_id in table(corpus, "truth").index:
        samples = audio(corpus, tracks, track_id)
        shorter = 0.02 * CONFIG.seconds + 0.1 if track_id in planted.index else 0.0
        assert CONFIG.seconds - shorter <= len(samples) / SAMPLE_RATE <= CONFIG.seconds + 0.1 and samples.std() > 0.005


def test_planted_problems(corpus, tracks, planted):
    counts = planted.problem.value_counts()
    assert counts["exact_duplicate"] == 2 and counts["near_duplicate"] == 4 and counts["no_artist"] == 2
    assert counts[["silent", "truncated", "not_audio"]].sum() == 4
    assert (tracks.artist[planted.index[planted.problem == "no_artist"]] == "").all()
    for track_id, problem in planted.problem.items():
        if problem in ("truncated", "not_audio"):
            with pytest.raises(soundfile.LibsndfileError):
                audio(corpus, tracks, track_id)
        elif problem == "silent":
            assert not audio(corpus, tracks, track_id).any()


def test_exact_duplicates_are_equal_and_some_are_credited_elsewhere(corpus, tracks, planted):
    pairs = planted[planted.problem == "exact_duplicate"].other
    for track_id, other in pairs.items():
        assert (corpus / tracks.path[track_id]).read_bytes() == (corpus / tracks.path[other]).read_bytes()
    assert {tracks.artist[track_id] == tracks.artist[other] for track_id, other in pairs.items()} == {True, False}


def test_near_duplicates_correlate_but_differ(corpus, tracks, planted):
    for track_id, other in planted[planted.problem == "near_duplicate"].other.items():
        copy, original = audio(corpus, tracks, track_id), audio(corpus, tracks, other)
        low_pass = signal.butter(4, 2500.0, fs=SAMPLE_RATE, output="sos")
        copy_low, original_low = signal.sosfilt(low_pass, copy), signal.sosfilt(low_pass, original)
        peak = np.abs(signal.fftconvolve(original_low, copy_low[::-1])).max()
        assert peak / np.sqrt(np.sum(copy_low**2) * np.sum(original_low**2)) > 0.8
        assert len(copy) != len(original)


def test_labels_are_missing_at_the_ordered_rate():
    config = SyntheticConfig(missing_labels=0.2)
    tags = tuple(TAG_KINDS)[:7]
    kept = np.mean([len(synthetic._observed(config, serial, tags)) / len(tags) for serial in range(2000)])
    assert kept == pytest.approx(0.8, abs=0.01)
    assert all(synthetic._observed(replace(config, missing_labels=0.99), serial, tags) for serial in range(200))


def test_plan_of_the_default_corpus():
    config = SyntheticConfig()
    releases = plan(config)
    ordinary = [release for release in releases if release.problem in ("", "no_artist")]
    assert len(ordinary) / 300 == pytest.approx(config.tracks_per_artist, rel=0.1)
    own = [release for release in ordinary if release.artist < config.labelled_artists]
    assert np.mean([not release.tagged for release in own]) == pytest.approx(0.05, abs=0.002)
    assert not any(release.tagged for release in releases if release.credited >= config.labelled_artists)
    assert abs(np.corrcoef(np.arange(len(releases)), [release.artist for release in releases])[0, 1]) < 0.1
    assert {release.artist for release in ordinary} == set(range(300))
    assert sorted(release.serial for release in releases) == list(range(len(releases)))


def test_artists_are_distinct_and_stable():
    artists = make_artists(0, 300)
    assert len({artist.name for artist in artists}) == 300
    assert make_artists(0, 12) == artists[:12] and make_artists(1, 12) != artists[:12]
    assert len({next(iter(artist.genres)) for artist in artists[:12]}) == 12
    assert credits(0, 5, 1) == credits(0, 5, 1) != credits(0, 6, 1)


def centroid(samples: np.ndarray) -> float:
    return float(librosa.feature.spectral_centroid(y=samples, sr=SAMPLE_RATE).mean())


def test_an_artist_can_be_heard():
    config = replace(CONFIG, seed=0, labelled_artists=5, unlabelled_artists=0)
    artists = synthetic.artists(config)
    song = synthetic.compose_piece(config, artists[0], 0)
    songs = [
        song,
        synthetic.compose_piece(config, artists[0], 1),
    ]  # the same music through each chain: only the sound differs
    dry = [synthetic.mix(made) for made in songs]
    centroids = np.array([
        [centroid(synthetic.produce(piece, artist.chain, np.random.default_rng(0))) for piece in dry]
        for artist in artists
    ])  # fmt: skip
    relative = np.log(centroids) - np.log(centroids).mean(axis=0)
    assert relative.mean(axis=1).var() > 4 * relative.var(axis=1).mean()
