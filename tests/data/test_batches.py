import threading

import numpy as np
import pytest
import torch

from mtt.data.batches import ClipBatches, evaluation_clips, read_ahead, slot_starts


@pytest.fixture(scope="module")
def ids(tiny_corpus):
    return list(tiny_corpus.tracks.index)


def test_a_batch_depends_on_seed_and_step_alone(tiny_corpus, ids):
    batches = ClipBatches(tiny_corpus, ids, 4, 0.5, seed=3)
    ahead = list(batches.iterate(2, 12))
    assert len(ahead) == 10
    for step, batch in enumerate(ahead, start=2):
        assert torch.equal(batch.clips, ClipBatches(tiny_corpus, ids, 4, 0.5, seed=3).batch(step).clips)
    assert not torch.equal(batches.batch(7).clips, ClipBatches(tiny_corpus, ids, 4, 0.5, seed=4).batch(7).clips)


def test_an_epoch_visits_every_track_once_in_its_own_order_which_is_drawn_once(tiny_corpus, ids, monkeypatch):
    """Tracks and places come from the streams (seed, 0, epoch) and (seed, 1, step), as in every study that was ever run."""
    drawn, default_rng = [], np.random.default_rng
    monkeypatch.setattr(np.random, "default_rng", lambda seed: drawn.append(seed) or default_rng(seed))
    size, n = 10, len(ids)  # some batches lie in two epochs
    batches = [ClipBatches(tiny_corpus, ids, size, 0.5, seed=7, slots=5).batch] * (3 * n // size)
    got = [batch(step) for step, batch in enumerate(batches)]
    rows = np.concatenate([batch.rows for batch in got])
    orders = [default_rng([7, 0, epoch]).permutation(n) for epoch in range(3)]
    assert sorted(orders[0]) == sorted(orders[1]) == list(range(n)) and list(orders[0]) != list(orders[1])
    assert list(rows) == list(np.concatenate(orders)[: len(rows)])
    assert all(list(batch.slots) == list(default_rng([7, 1, step]).integers(5, size=size)) for step, batch in enumerate(got))
    assert [seed for seed in drawn if seed[1] == 0] == [[7, 0, 0], [7, 0, 1], [7, 0, 2]]


def test_clips_start_anywhere_without_slots(tiny_corpus, ids):
    batch = ClipBatches(tiny_corpus, ids, 4, 0.5, seed=7).batch(3)
    lengths = tiny_corpus.tracks["seconds"].to_numpy()[batch.rows]
    starts = np.random.default_rng([7, 1, 3]).random(4) * (lengths - 0.5)
    for wave, row, start in zip(batch.clips, batch.rows, starts, strict=True):
        np.testing.assert_array_equal(wave, tiny_corpus.clips([ids[row]], [start], 0.5)[0])
    assert (batch.slots == -1).all()


def test_slots_are_the_clips_that_evaluation_reads(tiny_corpus, ids, monkeypatch):
    monkeypatch.setattr("mtt.data.batches.BATCH_SECONDS", 3.0)
    batch = ClipBatches(tiny_corpus, ids[:5], 5, 0.75, seed=0, slots=3).batch(0)
    parts = evaluation_clips(tiny_corpus, ids[:5], 0.75, 3)
    clips = {(r, s): wave for rows, slots, waves in parts for r, s, wave in zip(rows, slots, waves, strict=True)}
    assert len(clips) == 15
    for wave, row, slot in zip(batch.clips, batch.rows, batch.slots, strict=True):
        assert torch.equal(wave, clips[row, slot])


def test_slots_span_the_track():
    np.testing.assert_allclose(slot_starts(30.0, 3.0, 4), [0, 9, 18, 27])
    np.testing.assert_allclose(slot_starts(2.0, 3.0, 3), [0, 0, 0])
    np.testing.assert_allclose(slot_starts(30.0, 10.0, 1), [10.0])


def test_short_tracks_are_padded_with_silence(tiny_corpus, ids):
    clip = tiny_corpus.clips([ids[0]], [0.0], 5.0)[0]
    assert len(clip) == 5 * 22050 and np.abs(clip[: 2 * 22050]).max() > 0.1 and not clip[3 * 22050 :].any()


@pytest.mark.parametrize("slots", [None, 3])
def test_parts_of_a_batch_are_together_the_batch(tiny_corpus, ids, slots):
    whole = ClipBatches(tiny_corpus, ids, 6, 0.5, seed=1, slots=slots).batch(4)
    for i in range(3):
        part = ClipBatches(tiny_corpus, ids, 6, 0.5, seed=1, slots=slots, part=(i, 3)).batch(4)
        assert torch.equal(part.clips, whole.clips[i::3])
        assert list(part.rows) == list(whole.rows[i::3]) and list(part.slots) == list(whole.slots[i::3])


def test_reading_ahead_keeps_the_order_stays_a_few_jobs_ahead_and_passes_errors_on():
    begun, fourth = [], threading.Event()

    def job(number):
        begun.append(number)
        if number == 4:
            fourth.set()
        return 1 / (9 - number)

    results = read_ahead(job, range(20))
    assert next(results) == 1 / 9 and fourth.wait(10) and max(begun) == 4
    assert [next(results) for _ in range(8)] == [1 / (9 - number) for number in range(1, 9)]
    with pytest.raises(ZeroDivisionError):
        next(results)
