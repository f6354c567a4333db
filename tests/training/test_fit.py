from dataclasses import replace

import numpy as np
import pytest
import torch

from mtt.config import TrainConfig
from mtt.data.batches import ClipBatches
from mtt.files import MttError
from mtt.models import build_model
from mtt.training.fit import STATE_FILE, Supervised, fit, learning_rate
from tests.tiny import TINY_MODEL, TINY_TRAIN


def supervised(data, name="train", augmentation=None, size=4, seed=0) -> Supervised:
    ids = data.ids(name)
    return Supervised(ClipBatches(data.corpus, ids, size, 1.0, seed), data.corpus.labels[data.corpus.rows(ids)], augmentation, seed)


def run(data, folder, config=TINY_TRAIN, seed=0, on_step=None):
    model, held_out = build_model(TINY_MODEL, len(data.corpus.tags), seed=seed), supervised(data, "valid", size=6, seed=99)

    def validate(model):
        model.eval()
        with torch.no_grad():
            return held_out.loss(model, 0, held_out.batches.batch(0)).item()

    return model, fit(model, supervised(data, "train", config.augment, seed=seed), validate, config, folder, seed, on_step)


def weights(model):
    return torch.cat([value.double().flatten() for value in model.state_dict().values()])


def test_same_seed_same_bits_other_seed_other_weights(tiny_data, tmp_path):
    one, first = run(tiny_data, tmp_path / "a")
    two, second = run(tiny_data, tmp_path / "b")
    assert torch.equal(weights(one), weights(two))
    assert first.drop(columns="seconds").equals(second.drop(columns="seconds"))
    three, _ = run(tiny_data, tmp_path / "c", seed=1)
    assert not torch.equal(weights(one), weights(three))


@pytest.mark.parametrize(("stop", "schedule"), [(1, "constant"), (4, "constant"), (5, "cosine")])
def test_training_stopped_after_any_step_ends_in_the_same_bits(tiny_data, tmp_path, stop, schedule):
    config = replace(TINY_TRAIN, schedule=schedule)
    whole, history = run(tiny_data, tmp_path / "whole", config)

    def interrupt(step):
        if step == stop:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(tiny_data, tmp_path / "cut", config, on_step=interrupt)
    torch.rand(7)  # the global random state must not matter
    resumed, after = run(tiny_data, tmp_path / "cut", config)
    assert torch.equal(weights(whole), weights(resumed))
    assert after.drop(columns="seconds").equals(history.drop(columns="seconds"))


def test_training_lowers_the_loss(tiny_data, tmp_path):
    config = replace(TINY_TRAIN, steps=60, evaluate_every=20, learning_rate=5e-3, augment=None)
    _, history = run(tiny_data, tmp_path, config)
    assert history["train_loss"].iloc[-1] < 0.7 * history["train_loss"].iloc[0]


def train_with_losses(tiny_data, folder, config, losses):
    """(final weights, weights at each evaluation, history) of a training whose validation scores are given."""
    losses, seen = iter(losses), []
    model = build_model(TINY_MODEL, 3, seed=0)

    def validate(model):
        seen.append(weights(model).clone())
        return next(losses)

    history = fit(model, supervised(tiny_data), validate, config, folder, 0)
    return weights(model), seen, history


def test_a_constant_rate_keeps_the_best_validation_weights_and_patience_stops_it(tiny_data, tmp_path):
    config = replace(TINY_TRAIN, steps=40, evaluate_every=2, patience=2)
    kept, seen, history = train_with_losses(tiny_data, tmp_path, config, [0.5, 0.7, 0.6, 0.4, 0.8, 0.9])
    assert list(history["valid_roc_auc"]) == [0.5, 0.7, 0.6, 0.4]
    assert list(history["kept"]) == [False, True, False, False]
    assert torch.equal(kept, seen[1])


def test_a_cosine_schedule_runs_to_its_end_and_keeps_the_last_weights(tiny_data, tmp_path):
    config = replace(TINY_TRAIN, schedule="cosine", steps=8, evaluate_every=2, patience=1)
    kept, seen, history = train_with_losses(tiny_data, tmp_path, config, [0.5, 0.3, 0.4, 0.6])
    assert list(history["kept"]) == [False, False, False, True]
    assert torch.equal(kept, seen[3])


def test_a_loss_that_is_no_number_names_step_and_tracks_and_keeps_the_last_good_state(tiny_data, tmp_path, monkeypatch):
    """Here the clips of step 3 are the fault; once they are mended, training goes on and ends in the bits of one without the fault."""
    whole, _ = run(tiny_data, tmp_path / "whole")
    ids, batch = tiny_data.ids("train"), ClipBatches.batch

    def faulty(batches, step):
        drawn = batch(batches, step)
        return replace(drawn, clips=drawn.clips * float("inf")) if step == 3 and batches.track_ids == ids else drawn

    monkeypatch.setattr(ClipBatches, "batch", faulty)
    message = r"training loss is nan at step 3 \(tracks .+\); the state after 2 steps is kept in .*: lower"
    with pytest.raises(MttError, match=message) as caught:
        run(tiny_data, tmp_path / "cut")
    drawn = supervised(tiny_data).batches.batch(3)
    assert ", ".join(ids[row] for row in drawn.rows) in str(caught.value)
    state = torch.load(tmp_path / "cut" / STATE_FILE, weights_only=True)
    assert state["step"] == 2 and all(value.isfinite().all() for value in state["model"].values())
    monkeypatch.undo()
    resumed, _ = run(tiny_data, tmp_path / "cut")
    assert torch.equal(weights(whole), weights(resumed))


def test_a_validation_score_that_is_no_number_keeps_the_last_good_state(tiny_data, tmp_path):
    with pytest.raises(MttError, match=r"validation score is nan after step 3; the state after 2 steps is kept in .*lower"):
        train_with_losses(tiny_data, tmp_path, TINY_TRAIN, [0.5, float("nan")])
    assert torch.load(tmp_path / STATE_FILE, weights_only=True)["step"] == 2
    with pytest.raises(MttError, match=r"validation score is inf after step 1; nothing is kept: lower"):
        train_with_losses(tiny_data, tmp_path / "new", TINY_TRAIN, [float("inf")])


def test_learning_rates():
    constant = TrainConfig(learning_rate=1e-4)
    assert {learning_rate(constant, step) for step in (0, 10, 999)} == {1e-4}
    cosine = TrainConfig(steps=110, learning_rate=1.0, schedule="cosine", warmup_steps=10)
    np.testing.assert_allclose([learning_rate(cosine, s) for s in (0, 4, 9, 10, 60)], [0.1, 0.5, 1.0, 1.0, 0.5])
    assert learning_rate(cosine, 109) < 0.001
