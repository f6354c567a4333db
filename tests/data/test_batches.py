import numpy as np
import pytest
import torch

from mtt.data.batches import ClipBatches, evaluation_clips, read_clip, slot_starts


def test_a_batch_depends_on_seed_and_step_alone(tiny_corpus):
    ids = list(tiny_corpus.tracks.index)
    one, two = (ClipBatches(tiny_corpus, ids, 4, 0.5, seed=3) for _ in range(2))
    for _ in one.iterate(0, 5):
        pass
    torch.testing.assert_close(one.batch(7).waveforms, two.batch(7).waveforms, rtol=0, atol=0)
    assert not torch.equal(one.batch(7).waveforms, ClipBatches(tiny_corpus, ids, 4, 0.5, seed=4).batch(7).waveforms)


def test_reading_ahead_gives_the_batches_in_order(tiny_corpus):
    batches = ClipBatches(tiny_corpus, list(tiny_corpus.tracks.index), 4, 0.5, seed=0)
    for step, batch in enumerate(batches.iterate(2, 12), start=2):
        torch.testing.assert_close(batch.waveforms, batches.batch(step).waveforms, rtol=0, atol=0)


def test_an_epoch_visits_every_track_once_in_its_own_order(tiny_corpus):
    ids = list(tiny_corpus.tracks.index)
    batches = ClipBatches(tiny_corpus, ids, 6, 0.5, seed=1)
    per_epoch = len(ids) // 6
    epochs = [np.concatenate([batches.batch(e * per_epoch + s).rows for s in range(per_epoch)]) for e in range(2)]
    for rows in epochs:
        assert sorted(rows) == list(range(len(ids)))
    assert list(epochs[0]) != list(epochs[1])


def test_slots_are_the_clips_that_evaluation_reads(tiny_corpus):
    ids = list(tiny_corpus.tracks.index[:5])
    batch = ClipBatches(tiny_corpus, ids, 5, 0.75, seed=0, slots=3).batch(0)
    clips = {
        (r, s): w
        for rows, slots, waves in evaluation_clips(tiny_corpus, ids, 0.75, 3, 4)
        for r, s, w in zip(rows, slots, waves, strict=True)
    }
    assert len(clips) == 15
    for wave, row, slot in zip(batch.waveforms, batch.rows, batch.slots, strict=True):
        torch.testing.assert_close(wave, clips[row, slot], rtol=0, atol=0)


def test_slots_span_the_track():
    np.testing.assert_allclose(slot_starts(30.0, 3.0, 4), [0, 9, 18, 27])
    np.testing.assert_allclose(slot_starts(2.0, 3.0, 3), [0, 0, 0])
    np.testing.assert_allclose(slot_starts(30.0, 10.0, 1), [10.0])


def test_short_tracks_are_padded_with_silence(tiny_corpus):
    clip = read_clip(tiny_corpus, tiny_corpus.tracks.index[0], 0.0, 5.0)
    assert len(clip) == 5 * 22050 and np.abs(clip[: 2 * 22050]).max() > 0.1 and not clip[3 * 22050 :].any()


def test_no_tracks_is_refused(tiny_corpus):
    with pytest.raises(ValueError, match="no tracks to draw batches from"):
        ClipBatches(tiny_corpus, [], 4, 1.0, seed=0)


def test_parts_of_a_batch_are_together_the_batch(tiny_corpus):
    ids = list(tiny_corpus.tracks.index)
    for slots in (None, 3):
        whole = ClipBatches(tiny_corpus, ids, 6, 0.5, seed=1, slots=slots).batch(4)
        parts = [ClipBatches(tiny_corpus, ids, 6, 0.5, seed=1, slots=slots, part=(i, 3)).batch(4) for i in range(3)]
        for i, part in enumerate(parts):
            assert torch.equal(part.waveforms, whole.waveforms[i::3])
            assert list(part.rows) == list(whole.rows[i::3]) and list(part.slots) == list(whole.slots[i::3])
