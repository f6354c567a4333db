"""The corrected soundfont is in tune and leaves the renderer nothing arbitrary to read."""

from __future__ import annotations

import librosa
import numpy as np
import pytest
from symusic import Note, Score, Synthesizer, Track

from mtt.config import SAMPLE_RATE
from mtt.synthetic import soundfont


def render(path: str, program: int, pitch: int) -> np.ndarray:
    track = Track(program=program)
    track.notes.append(Note(0, 480, pitch, 100))
    score = Score(240)
    score.tracks.append(track)
    return np.asarray(Synthesizer(path, SAMPLE_RATE, 1).render(score, stereo=False))[0]


def detuning(audio: np.ndarray, pitch: int) -> float:
    """Semitones between the note's pitch, found by YIN around the expected one, and ``pitch``."""
    expected = librosa.midi_to_hz(pitch)
    f0 = librosa.yin(audio[2000:14_000], fmin=expected / 3, fmax=expected * 3, sr=SAMPLE_RATE, frame_length=4096)
    return float(np.median(librosa.hz_to_midi(f0)) - pitch)


@pytest.mark.parametrize(("program", "pitch"), [(0, 50), (0, 60), (30, 57), (33, 40), (61, 60), (73, 72), (65, 75), (75, 63)])
def test_notes_are_in_tune(program, pitch):
    assert abs(detuning(render(soundfont.path(), program, pitch), pitch)) < 0.3


def test_the_correction_is_needed():
    assert abs(detuning(render(str(soundfont.shipped()), 61, 60), 60)) > 1.0


def test_loops_leave_a_guard_where_the_sample_has_room():
    content = soundfont.corrected(soundfont.shipped().read_bytes())
    chunks = soundfont._chunks(content[content.rindex(b"pdta") + 4 :])
    samples = np.frombuffer(chunks["shdr"], soundfont._SAMPLE)[:-1]
    alto = samples[samples["name"] == b"AltoHiB"]
    assert len(alto) > 0 and (alto["end"] - alto["loop_end"] >= 3).all()
    assert (samples["loop_start"] >= samples["start"]).all()


def test_correction_keeps_the_samples_and_the_file_whole():
    original = soundfont.shipped().read_bytes()
    content = soundfont.corrected(original)
    begin = original.rindex(b"pdta") - 8
    assert content[12:begin] == original[12:begin]
    assert int.from_bytes(content[4:8], "little") == len(content) - 8
