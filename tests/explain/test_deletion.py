import dataclasses

import numpy as np
import pandas as pd
import pytest
import torch

from mtt.config import SAMPLE_RATE
from mtt.explain.deletion import _drop_tokens, _fill_mean, _masks, deletion_test, most
from mtt.models import build_model
from tests.explain.planted import Attends, bursts
from tests.tiny import TINY_MODEL


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    """A burst of 5 of the 32 frames of the middle clip: 20% of them hold it all."""
    return bursts(tmp_path_factory.mktemp("bursts"), start=2.7, seconds=0.4)


@pytest.mark.parametrize("fill", ["mean", "drop"])
@pytest.mark.parametrize("ranking", ["attention", "rollout"])
def test_attention_that_carries_the_tag_is_found_faithful(corpus, fill, ranking):
    found = deletion_test(Attends(), corpus, list(corpus.tracks.index), clips=1, fill=fill, ranking=ranking)
    # With the burst the probability is above 0.95, without it below 0.1; other frames matter little.
    assert found.summary.at["attended", "drop"] > 0.8
    assert found.summary.loc[["random", "shifted"], "drop"].abs().max() < 0.3
    assert found.faithful and found.versus_random.lo > 0.6 and found.versus_shifted.lo > 0.6
    assert found.versus_random.effect == pytest.approx(found.summary.at["attended", "drop"] - found.summary.at["random", "drop"])
    assert list(found.drops.columns) == ["artist", "attended", "random", "shifted"] and list(found.drops.index) == list(corpus.tracks.index)


def test_attention_to_what_speaks_against_the_tag_is_not_faithful(corpus):
    quiet = dataclasses.replace(corpus, labels=corpus.labels[:, ::-1])
    found = deletion_test(Attends(), quiet, list(corpus.tracks.index), clips=1)
    assert not found.faithful and found.versus_random.hi < -0.6


def test_a_model_that_hears_nothing_loses_nothing(corpus):
    found = deletion_test(Attends(weight=0.0), corpus, list(corpus.tracks.index), clips=2, resamples=20)
    assert found.drops[["attended", "random", "shifted"]].eq(0).all(axis=None)
    assert (found.versus_random.effect, found.versus_random.lo, found.versus_random.hi) == (0, 0, 0) and not found.faithful


def test_only_true_tags_count_and_tracks_without_one_are_left_out(corpus):
    labels = corpus.labels.copy()
    labels[2] = 0
    kept = deletion_test(Attends(), dataclasses.replace(corpus, labels=labels), list(corpus.tracks.index), clips=1, resamples=20)
    every = deletion_test(Attends(), corpus, list(corpus.tracks.index), clips=1, resamples=20)
    assert list(kept.drops.index) == [i for i in corpus.tracks.index if i != "t2"]
    assert kept.drops.loc["t0"].equals(every.drops.loc["t0"])
    both = deletion_test(
        Attends(), dataclasses.replace(corpus, labels=np.ones_like(labels)), list(corpus.tracks.index), clips=1, resamples=20
    )
    assert both.summary["drop"].abs().max() < 1e-6  # what "loud" loses, "quiet" gains


def test_the_seed_decides(corpus):
    model = build_model(TINY_MODEL, 2, seed=0)
    model.clip_seconds, ids = 1.0, list(corpus.tracks.index)
    first, again, other = (deletion_test(model, corpus, ids, seed=seed, clips=1, resamples=20) for seed in (0, 0, 1))
    pd.testing.assert_frame_equal(first.drops, again.drops, check_exact=True)
    np.testing.assert_array_equal(first.versus_random.values, again.versus_random.values)
    assert first.drops["attended"].equals(other.drops["attended"]) and not first.drops["random"].equals(other.drops["random"])


def test_dropping_tokens_is_masking_them_out_of_attention():
    model = build_model(dataclasses.replace(TINY_MODEL, layers=3), 3, seed=0).eval()
    generator = torch.Generator().manual_seed(0)
    tokens = torch.randn(2, 10, 16, generator=generator)
    mask = torch.zeros(2, 10, dtype=torch.bool)
    mask[0, [1, 4, 7]] = mask[1, [0, 8, 9]] = True
    with torch.inference_mode():
        blocked = torch.nn.functional.pad(mask, (1, 0))[:, None, None, :]
        x = model._with_cls(tokens)
        for layer in model.layers:  # the layer's own steps, with minus infinity at the masked keys
            q, k, v = layer.queries_keys_values(x)
            scores = (q @ k.transpose(-2, -1) / np.sqrt(q.shape[-1])).masked_fill(blocked, -torch.inf)
            x = x + layer.to_out((torch.softmax(scores, dim=-1) @ v).transpose(1, 2).flatten(2))
            x = x + layer.mlp(layer.mlp_norm(x))
        torch.testing.assert_close(_drop_tokens(model, tokens, mask), model.head(x[:, 0]), rtol=0, atol=1e-5)


def test_filling_changes_the_masked_frames_alone():
    model = build_model(TINY_MODEL, 3, seed=0).eval()
    heard = []
    model.tokens = lambda mel: heard.append(mel) or torch.zeros(len(mel), mel.shape[-1] // 4, 16)
    mel = torch.randn(2, 32, 43, generator=torch.Generator().manual_seed(0))
    mask = torch.zeros(2, 10, dtype=torch.bool)
    mask[0, 3] = mask[1, 9] = True
    _fill_mean(model, mel, mask)
    changed = (heard[0] != mel).any(dim=1)
    assert torch.nonzero(changed).tolist() == [[0, 12], [0, 13], [0, 14], [0, 15], [1, 36], [1, 37], [1, 38], [1, 39]]
    torch.testing.assert_close(heard[0][0, :, 13], mel[0].mean(dim=1))


def test_masks_of_controls_hold_as_many_frames_and_shifted_ones_the_same_runs():
    attended = most(np.random.default_rng(0).random((3, 20)), 0.2)
    masks = _masks(attended, [np.random.default_rng(i) for i in range(3)])
    assert masks.shape == (11, 3, 20) and (masks.sum(axis=2) == 4).all()
    np.testing.assert_array_equal(masks[0], attended)
    for shifted in masks[6:]:
        for moved, mask in zip(shifted, attended, strict=True):
            assert not np.array_equal(moved, mask) and any(np.array_equal(moved, np.roll(mask, i)) for i in range(20))


def test_the_most():
    np.testing.assert_array_equal(most(np.array([[1.0, 3.0, 2.0, 3.0, 0.0]]), 0.4), [[False, True, False, True, False]])
    assert most(np.ones((1, 5)), 0.01).sum() == 1 and most(np.ones((1, 5)), 0.99).sum() == 4


@pytest.mark.parametrize(
    ("arguments", "match"),
    [
        ({"share": 0.0}, "share must lie between 0 and 1 and clips be at least 1, not 0.0 and 4"),
        ({"clips": 0}, "clips be at least 1, not 0.2 and 0"),
        ({"ranking": "gradient"}, "ranking must be one of attention, rollout, not 'gradient'"),
        ({"fill": "silence"}, "fill must be one of mean, drop, not 'silence'"),
    ],
)
def test_wrong_arguments(corpus, arguments, match):
    with pytest.raises(ValueError, match=match):
        deletion_test(Attends(), corpus, list(corpus.tracks.index), **arguments)


def test_what_cannot_be_tested(corpus):
    ids = list(corpus.tracks.index)
    with pytest.raises(ValueError, match="FCN has no attention"):
        deletion_test(build_model(dataclasses.replace(TINY_MODEL, architecture="fcn"), 2, seed=0), corpus, ids)
    with pytest.raises(ValueError, match="bursts: none of the 8 tracks has a tag that the model knows"):
        deletion_test(Attends(), dataclasses.replace(corpus, labels=0 * corpus.labels), ids)
    with pytest.raises(ValueError, match="all tracks are by one artist"):
        deletion_test(Attends(), corpus, ids[:2])
    short = Attends()
    short.clip_seconds = 1000 / SAMPLE_RATE
    with pytest.raises(ValueError, match="give one frame, and taking it away leaves none"):
        deletion_test(short, corpus, ids)
