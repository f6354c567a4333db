from dataclasses import replace

import numpy as np
import pytest
import torch

from mtt.config import TrainConfig
from mtt.data.batches import ClipBatches
from mtt.models import build_model
from mtt.training.fit import STATE_FILE, Supervised, distort, fit, learning_rate
from tests.tiny import TINY_MODEL, TINY_TRAIN


def run(data, folder, config=TINY_TRAIN, seed=0, on_step=None):
    ids = data.ids("train")
    model = build_model(TINY_MODEL, len(data.corpus.tags), seed=seed)
    batches = ClipBatches(data.corpus, ids, config.batch_size, config.clip_seconds, seed)
    objective = Supervised(batches, data.corpus.labels[data.corpus.rows(ids)], config.augment, seed)
    valid = ClipBatches(data.corpus, data.ids("valid"), 6, config.clip_seconds, 99)
    held_out = Supervised(valid, data.corpus.labels[data.corpus.rows(data.ids("valid"))], None, 0)

    def validate(model):
        model.eval()
        with torch.no_grad():
            return held_out.loss(model, 0, valid.batch(0)).item()

    return model, fit(model, objective, validate, config, folder, seed, on_step)


def weights(model):
    return torch.cat([value.double().flatten() for value in model.state_dict().values()])


def test_same_seed_same_bits_other_seed_other_weights(tiny_data, tmp_path):
    one, first = run(tiny_data, tmp_path / "a")
    two, second = run(tiny_data, tmp_path / "b")
    assert torch.equal(weights(one), weights(two))
    assert first.drop(columns="seconds").equals(second.drop(columns="seconds"))
    three, _ = run(tiny_data, tmp_path / "c", seed=1)
    assert not torch.equal(weights(one), weights(three))


@pytest.mark.parametrize(("stop", "schedule"), [(1, "constant"), (2, "constant"), (3, "cosine"), (5, "constant"), (5, "cosine")])
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
    """(final weights, weights at each evaluation, history) of a training whose validation losses are given."""
    losses, seen = iter(losses), []
    model = build_model(TINY_MODEL, 3, seed=0)
    ids = tiny_data.ids("train")
    batches = ClipBatches(tiny_data.corpus, ids, 4, 1.0, 0)
    objective = Supervised(batches, tiny_data.corpus.labels[tiny_data.corpus.rows(ids)], None, 0)

    def validate(model):
        seen.append(weights(model).clone())
        return next(losses)

    history = fit(model, objective, validate, config, folder, 0)
    return weights(model), seen, history


def test_a_constant_rate_keeps_the_best_validation_weights_and_patience_stops_it(tiny_data, tmp_path):
    config = replace(TINY_TRAIN, steps=40, evaluate_every=2, patience=2)
    kept, seen, history = train_with_losses(tiny_data, tmp_path, config, [0.5, 0.3, 0.4, 0.6, 0.2, 0.1])
    assert list(history["valid_loss"]) == [0.5, 0.3, 0.4, 0.6]
    assert list(history["kept"]) == [False, True, False, False]
    assert torch.equal(kept, seen[1])


def test_a_cosine_schedule_runs_to_its_end_and_keeps_the_last_weights(tiny_data, tmp_path):
    config = replace(TINY_TRAIN, schedule="cosine", steps=8, evaluate_every=2, patience=1)
    kept, seen, history = train_with_losses(tiny_data, tmp_path, config, [0.5, 0.3, 0.4, 0.6])
    assert list(history["kept"]) == [False, False, False, True]
    assert torch.equal(kept, seen[3])


def test_a_loss_that_is_no_number_is_named(tiny_data, tmp_path):
    config = replace(TINY_TRAIN, learning_rate=1e30)
    with pytest.raises(FloatingPointError, match=r"training loss is (nan|inf) at step 1; lower the learning rate"):
        run(tiny_data, tmp_path, config)


def test_the_state_file_is_no_pickle_of_code(tiny_data, tmp_path):
    run(tiny_data, tmp_path)
    assert torch.load(tmp_path / STATE_FILE, weights_only=True)["step"] == TINY_TRAIN.steps


def test_learning_rates():
    constant = TrainConfig(learning_rate=1e-4)
    assert {learning_rate(constant, step) for step in (0, 10, 999)} == {1e-4}
    cosine = TrainConfig(steps=110, learning_rate=1.0, schedule="cosine", warmup_steps=10)
    np.testing.assert_allclose([learning_rate(cosine, s) for s in (0, 4, 9, 10, 60)], [0.1, 0.5, 1.0, 1.0, 0.5])
    assert learning_rate(cosine, 109) < 0.001
    with pytest.raises(ValueError, match="schedule must be"):
        learning_rate(TrainConfig(schedule="step"), 5)


def test_precision_must_be_known(tiny_data, tmp_path):
    with pytest.raises(ValueError, match="precision must be 'auto', 'float32' or 'bfloat16', not 'half'"):
        run(tiny_data, tmp_path, replace(TINY_TRAIN, precision="half"))


def test_no_augmentation_is_the_clip_itself():
    clips = torch.randn(2, 1000)
    assert distort(clips, None, 0, 0) is clips
    assert not torch.equal(distort(clips, TINY_TRAIN.augment, 0, 0), distort(clips, TINY_TRAIN.augment, 0, 1))
