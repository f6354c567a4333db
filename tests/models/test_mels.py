"""Spectrograms made once: the same as the model's own, whatever is made beside them."""

import numpy as np
import pytest
import torch

from mtt.config import SAMPLE_RATE, AugmentConfig, ModelConfig
from mtt.data.batches import ClipBatches
from mtt.models.frontend import SILENCE_DB, MelSpectrogram
from mtt.models.mels import make_mels

CONFIG = ModelConfig(n_fft=1024, hop=512, n_mels=32)
NOISY = AugmentConfig(clip_share=1.0)


@pytest.fixture
def made(tiny_corpus, tmp_path):
    ids = list(tiny_corpus.tracks.index)
    return make_mels(tmp_path / "mels", tiny_corpus, ids[:3], ids[3:6], CONFIG, NOISY, 2, progress=False), ids


def test_a_clean_clip_is_what_the_model_would_hear(made, tiny_corpus):
    mels, ids = made
    wave = torch.from_numpy(tiny_corpus.read(ids[4]))[None]
    whole = MelSpectrogram(CONFIG)(wave)[0]
    clip = mels.clips([ids[4]], [0.4], 0.5)[0]
    first = round(0.4 * SAMPLE_RATE / CONFIG.hop)
    assert clip.shape == (32, 1 + round(0.5 * SAMPLE_RATE) // CONFIG.hop)
    torch.testing.assert_close(clip, whole[:, first : first + clip.shape[1]], atol=0.07, rtol=0)
    np.testing.assert_allclose(mels.seconds(ids[:6]), tiny_corpus.seconds(ids[:6]), atol=CONFIG.hop / SAMPLE_RATE)


def test_draws_choose_among_the_variants(made):
    mels, ids = made
    clean, first, second, again = (mels.clips([ids[4]], [0.0], 0.5, draw)[0] for draw in (None, [0.1], [0.9], [0.4]))
    assert not torch.equal(clean, first) and not torch.equal(first, second) and torch.equal(first, again)
    assert torch.equal(mels.clips([ids[0]], [0.0], 0.5, [0.9]), mels.clips([ids[0]], [0.0], 0.5))  # kept clean alone


def test_what_a_short_track_lacks_is_silence(made, tiny_corpus):
    mels, ids = made
    clip = mels.clips([ids[0]], [0.0], 60.0)[0]
    frames = 1 + round(tiny_corpus.seconds(ids[:1])[0] * SAMPLE_RATE) // CONFIG.hop
    assert (clip[:, frames:] == SILENCE_DB).all() and (clip[:, : frames - 1] > SILENCE_DB).any()


def test_a_track_is_the_same_whatever_is_made_beside_it(made, tiny_corpus, tmp_path):
    mels, ids = made
    alone = make_mels(tmp_path / "alone", tiny_corpus, [], ids[4:5], CONFIG, NOISY, 2, progress=False)
    for draw in (None, [0.1], [0.9]):
        assert torch.equal(mels.clips(ids[4:5], [0.2], 0.5, draw), alone.clips(ids[4:5], [0.2], 0.5, draw))


def test_what_is_there_is_kept_and_what_is_missing_made(made, tiny_corpus):
    mels, ids = made
    (index,) = mels.folder.glob("varied*.json")
    content, kept = index.with_suffix(".npy").read_bytes(), index.stat().st_mtime_ns
    make_mels(mels.folder, tiny_corpus, ids[:3], ids[3:6], CONFIG, NOISY, 2, progress=False)
    assert index.stat().st_mtime_ns == kept
    index.unlink()  # as after a kill between the two files
    make_mels(mels.folder, tiny_corpus, ids[:3], ids[3:6], CONFIG, NOISY, 2, progress=False)
    assert index.with_suffix(".npy").read_bytes() == content


def test_batches_follow_from_seed_and_step(made):
    mels, ids = made
    batches = ClipBatches(mels, ids[3:6], 4, 0.5, seed=1, slots=3)
    one, other = batches.batch(7), ClipBatches(mels, ids[3:6], 4, 0.5, seed=1, slots=3).batch(7)
    assert torch.equal(one.clips, other.clips) and one.clips.shape == (4, 32, 22)
    clean = ClipBatches(mels, ids[3:6], 4, 0.5, seed=1, slots=3, varied=False).batch(7)
    assert not torch.equal(one.clips, clean.clips) and np.array_equal(one.rows, clean.rows)
