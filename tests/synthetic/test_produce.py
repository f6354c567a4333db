"""The soundfont is in tune, notes are pure functions, parts sound when the timeline says, and a chain does to the sound what it says."""

from dataclasses import replace

import librosa
import numpy as np
import pytest

from mtt.config import SAMPLE_RATE
from mtt.synthetic import produce as production
from mtt.synthetic import soundfont
from mtt.synthetic.artists import EQ_POINTS, STYLES, Chain, draw_chain, make_artists
from mtt.synthetic.compose import compose, merge_spans
from mtt.synthetic.produce import impulse_response, mix, play, produce

CLEAN = Chain(0.0, (0.0,) * len(EQ_POINTS), 10_500.0, 0.2, -60.0, -90.0, -20.0, 1)
BRIEF = 0.35
ARTISTS = make_artists(0, 5)
sample = production._sound.__wrapped__  # without the cache


@pytest.fixture(scope="module")
def song():
    return compose("pop", ARTISTS[0], 12.0, BRIEF, np.random.default_rng(5))


@pytest.fixture(scope="module")
def dry(song):
    return mix(song)


def detuning(program: int, pitch: int) -> float:
    """Semitones between a note's pitch, found by YIN around the expected one, and ``pitch``."""
    hertz = librosa.midi_to_hz(pitch)
    audio = sample(program, pitch, False, 1.0)[2000:14_000]
    f0 = librosa.yin(audio, fmin=hertz / 3, fmax=hertz * 3, sr=SAMPLE_RATE, frame_length=4096)
    return abs(float(np.median(librosa.hz_to_midi(f0)) - pitch))


@pytest.mark.parametrize(("program", "pitch"), [(0, 50), (0, 60), (30, 57), (33, 40), (61, 60), (73, 72), (65, 75), (75, 63)])
def test_notes_are_in_tune(program, pitch):
    assert detuning(program, pitch) < 0.3


def test_the_correction_of_the_soundfont_is_needed_and_leaves_the_file_whole(monkeypatch):
    monkeypatch.setattr(soundfont, "path", lambda: str(soundfont.shipped()))
    assert detuning(61, 60) > 1.0
    original = soundfont.shipped().read_bytes()
    content = soundfont.corrected(original)
    begin = original.rindex(b"pdta") - 8
    assert content[12:begin] == original[12:begin]
    assert int.from_bytes(content[4:8], "little") == len(content) - 8
    samples = np.frombuffer(soundfont._chunks(content[begin + 12 :])[b"shdr"], soundfont._SAMPLE)[:-1]
    alto = samples[samples["name"] == b"AltoHiB"]  # has room for a guard behind its loop
    assert len(alto) > 0 and (alto["end"] - alto["loop_end"] >= 3).all()
    assert (samples["loop_start"] >= samples["start"]).all()


def test_a_note_does_not_depend_on_what_was_rendered_before():
    keys = [(65, 75, False, 1.0), (48, 60, False, 1.0), (0, 38, True, 0.5), (2, 55, False, 0.5)]
    first, again = [sample(*key) for key in keys], [sample(*key) for key in reversed(keys)]
    assert all(np.array_equal(a, b) for a, b in zip(first, reversed(again), strict=True))


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
    assert louder.std() / play(part, song.seconds).std() == pytest.approx(10 ** (6 / 20), rel=1e-3)


@pytest.mark.parametrize("genre", ["house", "rock", "reggae"])
def test_tempo_of_the_audio_is_the_composed_tempo(genre):
    made = compose(genre, ARTISTS[0], 15.0, BRIEF, np.random.default_rng(2))
    found = float(librosa.feature.tempo(y=mix(made), sr=SAMPLE_RATE, hop_length=256)[0])
    ratios = np.array([found / (made.tempo * multiple) for multiple in (0.5, 2 / 3, 1.0, 4 / 3, 2.0)])
    assert np.abs(ratios - 1).min() < 0.04


def test_production_is_bounded_and_reproducible(dry):
    for seed, style in enumerate(STYLES):
        chain = draw_chain(style, np.random.default_rng(seed))
        wet = produce(dry, chain, np.random.default_rng(0))
        assert wet.shape == dry.shape and wet.dtype == np.float32 and np.abs(wet).max() <= 1.0
        assert np.array_equal(wet, produce(dry, chain, np.random.default_rng(0)))
        assert 20 * np.log10(wet.std()) == pytest.approx(chain.loudness, abs=3.0)


def test_equaliser_and_band_limit():
    def level(hertz: float, **changed) -> float:
        response = np.abs(np.fft.rfft(impulse_response(replace(CLEAN, **changed)), 8192))
        return 20 * np.log10(response[round(hertz / SAMPLE_RATE * 8192)])

    assert level(3500, equaliser=(0.0, 0.0, 0.0, 0.0, 6.0, 0.0)) - level(3500) == pytest.approx(6.0, abs=0.3)
    assert level(8000, bandwidth=3500.0) < level(8000) - 40.0


def test_noise_floor_is_heard_in_silence(dry):
    ending = np.where(np.arange(len(dry)) < len(dry) - SAMPLE_RATE, dry, np.float32(0))
    wet = produce(ending, replace(CLEAN, noise_level=-40.0), np.random.default_rng(0))
    assert 20 * np.log10(wet[-SAMPLE_RATE // 2 :].std()) == pytest.approx(CLEAN.loudness - 40.0, abs=4.0)


def test_an_artist_can_be_heard():
    """The same music through each chain: between artists the sound differs more than between songs."""
    pieces = [mix(compose("rock", ARTISTS[0], 4.0, BRIEF, np.random.default_rng(seed))) for seed in range(2)]
    wet = [[produce(piece, artist.chain, np.random.default_rng(0)) for piece in pieces] for artist in ARTISTS]
    centroids = np.log([[librosa.feature.spectral_centroid(y=audio, sr=SAMPLE_RATE).mean() for audio in row] for row in wet])
    relative = centroids - centroids.mean(axis=0)
    assert relative.mean(axis=1).var() > 4 * relative.var(axis=1).mean()
