"""The embedded corpus: same bytes from the same seed, imperfections as ordered, truth and timeline beside them."""

import hashlib
from collections import Counter
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import soundfile
from scipy import signal

from mtt.collections.load import load_corpus
from mtt.config import SAMPLE_RATE, SyntheticConfig
from mtt.files import MttError, read_json
from mtt.synthetic import render
from mtt.synthetic.artists import STYLES
from mtt.synthetic.compose import TAG_KINDS
from mtt.synthetic.releases import DAMAGES, plan
from mtt.synthetic.render import make_corpus

CONFIG = SyntheticConfig(
    seed=3, labelled_artists=4, unlabelled_artists=2, tracks_per_artist=2, seconds=4.0,
    exact_duplicates=2, near_duplicates=4, unusable_files=4,
)  # fmt: skip


@pytest.fixture(scope="module")
def corpus(tmp_path_factory) -> SimpleNamespace:
    folder = make_corpus(tmp_path_factory.mktemp("corpus"), CONFIG, workers=1, progress=False).parent
    tables = {path.stem: pd.read_csv(path, keep_default_na=False, index_col="track_id") for path in folder.glob("*.csv")}
    return SimpleNamespace(folder=folder, **tables)


def digests(folder: Path) -> dict[str, str]:
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.rglob("*") if path.is_file()}


def audio(corpus: SimpleNamespace, track_id: str) -> np.ndarray:
    samples, rate = soundfile.read(corpus.folder / corpus.tracks.path[track_id], dtype="float32")
    assert rate == SAMPLE_RATE and samples.ndim == 1
    return samples


def test_same_bytes_with_any_number_of_workers(corpus, tmp_path):
    make_corpus(tmp_path / "two", CONFIG, workers=2, progress=False)
    assert digests(tmp_path / "two") == digests(corpus.folder)


def test_an_interrupted_generation_is_continued(corpus, tmp_path, monkeypatch):
    mix, left = render.mix, [None] * 6
    with monkeypatch.context() as patch, pytest.raises(IndexError):
        patch.setattr(render, "mix", lambda song: (left.pop(), mix(song))[1])
        make_corpus(tmp_path, CONFIG, workers=1, progress=False)
    rendered = {path: path.stat().st_ino for path in tmp_path.rglob("*.wav")}  # a file that is written again is another one
    assert len(rendered) >= 6 and not (tmp_path / "tracks.csv").exists()
    make_corpus(tmp_path, CONFIG, workers=1, progress=False)
    assert digests(tmp_path) == digests(corpus.folder)
    assert {path: path.stat().st_ino for path in rendered} == rendered


def test_a_complete_folder_is_returned_at_once(corpus, monkeypatch):
    monkeypatch.setattr(render, "plan", lambda config: pytest.fail("planned again"))
    assert make_corpus(str(corpus.folder), CONFIG) == corpus.folder / "tracks.csv"


def test_what_another_generator_or_other_settings_made_is_left_alone_and_rendered_anew(tmp_path, monkeypatch):
    config = SyntheticConfig(labelled_artists=1, unlabelled_artists=0, tracks_per_artist=1, seconds=3.0,
                             exact_duplicates=0, near_duplicates=0, unusable_files=0)  # fmt: skip
    made = []
    for version, settings in ((1, config), (1, replace(config, seed=1)), (2, config), (1, config)):
        monkeypatch.setattr(render, "GENERATOR_VERSION", version)
        made.append(load_corpus("synthetic", settings, cache=tmp_path, progress=False).root)
    assert len(set(made[:3])) == 3 and made[3] == made[0]


def test_another_corpus_in_the_folder_is_refused(corpus, tmp_path):
    with pytest.raises(MttError, match="something else.*choose another folder, or remove this one"):
        make_corpus(corpus.folder, replace(CONFIG, seed=4))
    (tmp_path / "tracks.csv").write_text("path,artist,tags\n")  # somebody's own music
    with pytest.raises(MttError, match="something else"):
        make_corpus(tmp_path, CONFIG)


def test_tables_agree(corpus):
    tracks, timeline = corpus.tracks, corpus.timeline
    assert [tracks.index.name, *tracks] == ["track_id", "path", "artist", "tags", "title", "album"]
    assert tracks.index.is_unique and (tracks.title != "").all() and (tracks.album != "").all()
    truth = corpus.truth.tags.str.split("|").map(set)
    assert set(truth.index) == set(tracks.index) - set(corpus.planted.index[corpus.planted.problem.isin(DAMAGES)])
    tagged = tracks.tags[tracks.tags != ""].str.split("|").map(set)
    assert all(tagged[track] <= truth[track] for track in tagged.index.intersection(truth.index))
    assert set().union(*truth) <= set(TAG_KINDS) and read_json(corpus.folder / "corpus.json")["tags"] == TAG_KINDS
    assert ((0 <= timeline.start) & (timeline.start < timeline.end) & (timeline.end <= CONFIG.seconds)).all()
    instruments = timeline.groupby("track_id").instrument.agg(set)
    assert all(instruments[track] == {tag for tag in truth[track] if TAG_KINDS[tag] == "instrument"} for track in truth.index)


def test_every_usable_file_is_audio_of_the_ordered_length(corpus):
    for track_id in corpus.truth.index:
        samples = audio(corpus, track_id)
        shorter = 0.02 * CONFIG.seconds + 0.1 if track_id in corpus.planted.index else 0.0
        assert CONFIG.seconds - shorter <= len(samples) / SAMPLE_RATE <= CONFIG.seconds + 0.1 and samples.std() > 0.005


def test_planted_problems(corpus):
    problems = corpus.planted.problem
    counts = problems.value_counts()
    assert counts[["exact_duplicate", "near_duplicate", "no_artist"]].tolist() == [2, 4, 2] and counts[list(DAMAGES)].sum() == 4
    assert (corpus.tracks.artist[problems.index[problems == "no_artist"]] == "").all()
    for track_id in problems.index[problems.isin(["truncated", "not_audio"])]:
        with pytest.raises(soundfile.LibsndfileError):
            audio(corpus, track_id)
    assert not any(audio(corpus, track_id).any() for track_id in problems.index[problems == "silent"])
    pairs = corpus.planted.other[problems == "exact_duplicate"]  # equal, and some credited elsewhere
    assert all(np.array_equal(audio(corpus, track_id), audio(corpus, other)) for track_id, other in pairs.items())
    assert {corpus.tracks.artist[track_id] == corpus.tracks.artist[other] for track_id, other in pairs.items()} == {True, False}


def test_near_duplicates_correlate_but_differ(corpus):
    low_pass = signal.butter(4, 2500.0, fs=SAMPLE_RATE, output="sos")
    for pair in corpus.planted.other[corpus.planted.problem == "near_duplicate"].items():
        copy, original = (signal.sosfilt(low_pass, audio(corpus, track_id)) for track_id in pair)
        peak = np.abs(signal.fftconvolve(original, copy[::-1])).max()
        assert len(copy) != len(original) and peak / np.sqrt(np.sum(copy**2) * np.sum(original**2)) > 0.8


def test_labels_are_missing_by_tag_and_by_annotator():
    config, tags, shown = SyntheticConfig(), list(TAG_KINDS), 12
    rng = np.random.default_rng(0)
    missing = np.full((300, 10, len(tags)), np.nan)
    for artist, track in np.ndindex(missing.shape[:2]):
        true = np.sort(rng.choice(len(tags), shown, replace=False))
        seen = render.observed(config, artist, 10 * artist + track, [tags[column] for column in true])
        missing[artist, track, true] = [tags[column] not in seen for column in true]
    by_tag, by_artist = np.nanmean(missing, axis=(0, 1)), np.nanmean(missing, axis=(1, 2))
    assert np.nanmean(missing) == pytest.approx(config.missing_labels, abs=0.02)
    assert 0.03 < by_tag.min() < 0.08 and 0.4 < by_tag.max() < 0.6
    assert np.quantile(by_artist, 0.1) < 0.15 and np.quantile(by_artist, 0.9) > 0.28
    always = replace(config, missing_labels=0.99)
    assert all(render.observed(always, artist, artist, tags[:7]) for artist in range(200))


def test_what_is_withheld_from_training_and_the_style_are_known(corpus, tmp_path):
    loaded = load_corpus("synthetic", CONFIG, cache=tmp_path, progress=False)
    labelled = loaded.is_labelled.to_numpy()
    assert 0 < labelled.sum() < len(loaded) and loaded.withheld.any(axis=1).all()
    assert (loaded.withheld <= loaded.truth).all() and (loaded.withheld[labelled] == loaded.labels[labelled]).all()
    told = corpus.truth.observed[loaded.tracks.index].str.split("|")
    assert all(
        {loaded.tags[column] for column in np.flatnonzero(row)} == set(told.iloc[number]) for number, row in enumerate(loaded.withheld)
    )
    assert set(loaded.tracks["style"]) == set(STYLES)
    kept = loaded.keep(loaded.tracks.index[:3], loaded.tags[::-1])
    assert np.array_equal(kept.withheld, loaded.withheld[:3, ::-1])


def test_plan_of_the_default_corpus():
    config = SyntheticConfig()
    n_artists = config.labelled_artists + config.unlabelled_artists
    releases = plan(config)
    ordinary = [release for release in releases if release.problem in ("", "no_artist")]
    assert len(ordinary) / n_artists == pytest.approx(config.tracks_per_artist, rel=0.1)
    own = [release for release in ordinary if release.artist < config.labelled_artists]
    assert np.mean([not release.tagged for release in own]) == pytest.approx(0.05, abs=0.002)
    assert not any(release.tagged for release in releases if release.credited >= config.labelled_artists)
    assert abs(np.corrcoef(np.arange(len(releases)), [release.artist for release in releases])[0, 1]) < 0.1
    assert set(Counter(release.artist for release in ordinary).values()) == {2, 3, 4}
    assert {release.artist for release in ordinary} == set(range(n_artists))
    assert sorted(release.serial for release in releases) == list(range(len(releases)))
