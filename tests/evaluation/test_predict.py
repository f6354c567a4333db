import numpy as np
import pytest
import torch
from torch import nn

from mtt.data.batches import slot_starts
from mtt.evaluation import predict
from mtt.evaluation.predict import clips_to_cover, effective_precision, predict_clips
from mtt.models import build_model
from tests.tiny import TINY_MODEL


class Loudness(nn.Module):
    """Scores one tag by the level of the clip, another by its length: what a clip holds can be told from its score."""

    n_tags = 2

    def __init__(self) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.ones(1))

    def forward(self, waveform: torch.Tensor) -> torch.Tensor:
        level = waveform.float().square().mean(dim=1).sqrt()
        return self.scale * torch.stack([level, torch.full_like(level, waveform.shape[1] / 22050)], dim=1)


def test_clip_scores_are_those_of_the_right_clips(tiny_corpus):
    ids = list(tiny_corpus.tracks.index[3:8])
    scores = predict_clips(Loudness(), tiny_corpus, ids, 0.5, 3)
    assert scores.shape == (5, 3, 2)
    for row, track in enumerate(ids):
        for slot, start in enumerate(slot_starts(tiny_corpus.tracks.at[track, "seconds"], 0.5, 3)):
            level = np.sqrt(np.mean(tiny_corpus.clips([track], [start], 0.5)[0].numpy().astype(np.float64) ** 2))
            assert scores[row, slot, 0] == pytest.approx(1 / (1 + np.exp(-level)), abs=1e-5)


def test_prediction_leaves_the_model_in_its_mode_and_ignores_dropout(tiny_corpus):
    model = build_model(TINY_MODEL, 3, seed=0).train()
    ids = list(tiny_corpus.tracks.index[:4])
    first = predict_clips(model, tiny_corpus, ids, 0.5, 2)
    assert model.training
    np.testing.assert_array_equal(first, predict_clips(model, tiny_corpus, ids, 0.5, 2))


@pytest.mark.parametrize("fast", [False, True])
def test_scores_are_computed_in_the_precision_that_is_asked_for(tiny_corpus, monkeypatch, fast):
    monkeypatch.setattr(predict, "bfloat16_is_fast", lambda device: fast)
    model, ids, heard = build_model(TINY_MODEL, 3, seed=0), list(tiny_corpus.tracks.index[:2]), []
    model.to_token.register_forward_hook(lambda _module, _inputs, output: heard.append(output.dtype))
    native = torch.bfloat16 if fast else torch.float32
    for precision, dtype in (("auto", native), ("float32", torch.float32), ("bfloat16", torch.bfloat16)):
        predict_clips(model, tiny_corpus, ids, 0.5, 1, precision=precision)
        assert set(heard) == {dtype} and len(heard) == 1
        assert effective_precision(precision, "cpu") == str(dtype).removeprefix("torch.")
        heard.clear()


def test_clips_to_cover():
    assert [clips_to_cover(30, s) for s in (1, 3, 7, 30, 60)] == [30, 10, 5, 1, 1]
