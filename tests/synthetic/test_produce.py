"""Notes are pure functions, parts sound when the timeline says, and a chain does to the sound what it says."""

from __future__ import annotations

from dataclasses import replace

import librosa
import numpy as np
import pytest

from mtt.config import SAMPLE_RATE
from mtt.synthetic import produce as production
from mtt.synthetic.compose import Style, compose, merge_spans
from mtt.synthetic.produce import Chain, draw_chain, impulse_response, mix, play, produce

CLEAN = Chain(0.0, (0.0,) * 6, 10_500.0, 0.2, -60.0, -90.0, -20.0, 1)


@pytest.fixture(scope="module")
def song():
    return compose("pop", Style(), 12.0, np.random.default_rng(5))


def test_a_note_does_not_depend_on_what_was_rendered_before():
    keys = [(65, 75, False, 1.0), (48, 60, False, 1.0), (0, 38, True, 0.5), (2, 55, False, 0.5)]
    production._sound.cache_clear()
    first = [production._sound(*key) for key in keys]
    production._sound.cache_clear()
    again = [production._sound(*key) for key in reversed(keys)][::-1]
    assert all(np.array_equal(a, b) for a, b in zip(first, again, strict=True))


def test_a_part_is_silent_outside_its_notes_and_sounds_within(song):
    for part in song.parts:
        stem = play(part, song.seconds)
        assert stem.shape == (12 * SAMPLE_RATE,) and stem.dtype == np.float32
        sounding = np.zeros(len(stem), dtype=bool)
        ring = 3.2 if part.instrument == "drums" else 0.3  # cymbals; releases
        for start, end in merge_spans(part.notes[:, 0], part.notes[:, 0] + part.notes[:, 1], 0.05):
            first, last = round(start * SAMPLE_RATE), round(end * SAMPLE_RATE)
            sounding[max(first - 200, 0) : round((end + ring) * SAMPLE_RATE)] = True
            assert np.abs(stem[first : last + 1]).max() > 1e-4
        assert not stem[~sounding].any()


def test_levels_set_the_mix(song):
    part = song.parts[0]
    louder = play(replace(part, level=part.level + 6.0), song.seconds)
    assert np.sqrt(np.mean(louder**2) / np.mean(play(part, song.seconds) ** 2)) == pytest.approx(10 ** (6 / 20), rel=1e-3)


@pytest.mark.parametrize("genre", ["house", "rock", "reggae"])
def test_tempo_of_the_audio_is_the_composed_tempo(genre):
    made = compose(genre, Style(), 15.0, np.random.default_rng(2))
    found = float(librosa.feature.tempo(y=mix(made), sr=SAMPLE_RATE, hop_length=256)[0])
    ratios = np.array([found / (made.tempo * multiple) for multiple in (0.5, 2 / 3, 1.0, 4 / 3, 2.0)])
    assert np.abs(ratios - 1).min() < 0.04


def test_production_is_bounded_and_reproducible(song):
    dry = mix(song)
    for seed in range(3):
        chain = draw_chain(np.random.default_rng(seed))
        wet = produce(dry, chain, np.random.default_rng(0))
        assert wet.shape == dry.shape and wet.dtype == np.float32 and np.abs(wet).max() <= 1.0
        assert np.array_equal(wet, produce(dry, chain, np.random.default_rng(0)))
        assert 20 * np.log10(wet.std()) == pytest.approx(chain.loudness, abs=3.0)


def test_band_limit(song):
    dry = mix(song)
    spectra = {}
    for bandwidth in (3500.0, 10_500.0):
        power = np.abs(np.fft.rfft(produce(dry, replace(CLEAN, bandwidth=bandwidth), np.random.default_rng(0)))) ** 2
        frequencies = np.fft.rfftfreq(len(dry), 1 / SAMPLE_RATE)
        spectra[bandwidth] = power[frequencies > 8000].sum() / power.sum()
    assert spectra[3500.0] < 1e-3 * spectra[10_500.0]


def test_equaliser_gain():
    flat = np.abs(np.fft.rfft(impulse_response(CLEAN), 8192))
    bright = np.abs(np.fft.rfft(impulse_response(replace(CLEAN, equaliser=(0.0, 0.0, 0.0, 0.0, 6.0, 0.0))), 8192))
    at = round(3500 / SAMPLE_RATE * 8192)
    assert 20 * np.log10(bright[at] / flat[at]) == pytest.approx(6.0, abs=0.3)


def test_noise_floor_is_heard_in_silence(song):
    dry = mix(song).copy()
    dry[-SAMPLE_RATE:] = 0
    wet = produce(dry, replace(CLEAN, noise_level=-40.0), np.random.default_rng(0))
    floor = 20 * np.log10(wet[-SAMPLE_RATE // 2 :].std())
    assert floor == pytest.approx(CLEAN.loudness - 40.0, abs=4.0)
