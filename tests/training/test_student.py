import numpy as np
import pytest
import torch
from torch.nn.functional import binary_cross_entropy_with_logits as cross_entropy

from mtt.data.batches import Batch, ClipBatches
from mtt.evaluation.predict import predict_clips
from mtt.models import build_model
from mtt.training.fit import Supervised
from mtt.training.student import Imitation, MissingLabelMask, NoisyStudent, clip_scores
from tests.tiny import TINY_MODEL, TINY_TRAIN

NOISE = TINY_TRAIN.augment


@pytest.fixture(scope="module")
def parts(tiny_data):
    corpus, train, pool = tiny_data.corpus, tiny_data.ids("train"), tiny_data.ids("unlabelled")
    teacher = build_model(TINY_MODEL, 3, seed=5)
    return {
        "labelled": ClipBatches(corpus, train, 2, 1.0, 0, slots=2),
        "labels": corpus.labels[corpus.rows(train)],
        "pool": ClipBatches(corpus, pool, 2, 1.0, 1, slots=2),
        "scores": predict_clips(teacher, corpus, pool, 1.0, 2),
    }


def make(parts, augmentation=NOISE, pool_augmentation=NOISE, seed=0, **options) -> NoisyStudent:
    return NoisyStudent(**parts, augmentation=augmentation, pool_augmentation=pool_augmentation, seed=seed, **options)


class Ear(torch.nn.Module):
    """Answers with given logits, whatever it hears, and keeps it."""

    def __init__(self, logits=None):
        super().__init__()
        self.weight, self.logits, self.heard = torch.nn.Parameter(torch.zeros(1)), logits, []

    def forward(self, x):
        self.heard.append(x.clone())
        return self.weight + (torch.zeros(len(x), 3) if self.logits is None else torch.tensor(self.logits))


def listen(objective, step=0) -> torch.Tensor:
    """What a student hears in a step."""
    ear = Ear()
    objective.loss(ear, step, next(iter(objective.draw(step, step + 1))))
    return ear.heard[0]


def test_the_loss_is_the_sum_of_both_halves_as_written_in_the_paper(parts):
    objective = make(parts, None, None, unlabelled_weight=0.5)
    student = build_model(TINY_MODEL, 3, seed=1).eval()
    labelled, pool = drawn = next(iter(objective.draw(0, 1)))
    assert objective.tracks(drawn) == [parts["labelled"].track_ids[row] for row in labelled.rows] + [
        parts["pool"].track_ids[row] for row in pool.rows
    ]
    y = torch.as_tensor(parts["labels"][labelled.rows], dtype=torch.float32)
    soft = torch.from_numpy(parts["scores"][pool.rows, pool.slots])
    expected = cross_entropy(student(labelled.clips), y) + 0.5 * cross_entropy(student(pool.clips), soft)
    assert objective.loss(student, 0, (labelled, pool)).item() == pytest.approx(expected.item(), abs=1e-5)


def test_imitating_counts_a_rare_tag_as_much_as_a_frequent_one():
    random = np.random.default_rng(0)
    logits = random.normal([0.0, -8.0, -4.0], [1.0, 0.5, 0.0], (6, 2, 3)).astype(np.float32)
    batch = Batch(torch.zeros(4, 10), np.arange(4), np.array([0, 1, 0, 1]), ["a", "b", "c", "d"])
    objective = Imitation(ClipBatches(Lengths(), list("abcdef"), 4, 1.0, 0, slots=2), 1 / (1 + np.exp(-logits)))
    told = logits[batch.rows, batch.slots]

    def loss(off) -> float:
        return objective.loss(Ear((told + off).tolist()), 0, batch).item()

    assert loss(0.0) == pytest.approx(0.0, abs=1e-4)
    spread = logits.reshape(-1, 3).std(axis=0, ddof=1)
    frequent, rare = (loss(spread * [tag == 0, tag == 1, False]) for tag in (0, 1))
    assert frequent == pytest.approx(1 / 3, rel=1e-2) and rare == pytest.approx(1 / 3, rel=1e-2)
    assert objective.mean == pytest.approx(logits.mean(axis=(0, 1)), abs=1e-2)


class Lengths:
    """A source of tracks of ten seconds that are not read."""

    def seconds(self, track_ids):
        return np.full(len(track_ids), 10.0)


def test_the_student_hears_noise_unless_it_is_switched_off(parts):
    clean = torch.cat([half.clips for half in next(iter(make(parts).draw(0, 1)))])
    for noise in (NOISE, None):
        for pool_noise in (NOISE, None):
            heard = listen(make(parts, noise, pool_noise))
            assert torch.equal(heard[:2], clean[:2]) == (noise is None) and torch.equal(heard[2:], clean[2:]) == (pool_noise is None)


def test_the_noise_of_one_half_is_that_of_no_other_half_seed_or_step(parts):
    """The noise of seed 0's pool was once that of seed 1's labelled clips."""
    same = {**parts, "pool": parts["labelled"], "scores": np.zeros((len(parts["labels"]), 2, 3))}  # clips alike: only noise differs
    drawn = next(iter(make(same).draw(0, 1)))
    heard = []
    for seed in (0, 1, 2):
        for step in (0, 1):
            ear = Ear()
            make(same, seed=seed).loss(ear, step, drawn)
            heard += [half.numpy().tobytes() for half in ear.heard[0].split(2)]
    assert len(set(heard)) == len(heard) == 12
    labelled_only, ear = Supervised(parts["labelled"], parts["labels"], NOISE, 0), Ear()
    labelled_only.loss(ear, 0, drawn[0])
    assert ear.heard[0].numpy().tobytes() == heard[0]  # a student hears its labelled half as a teacher does


def test_the_mask_keeps_all_but_the_negatives_above_the_tags_percentile():
    scores = np.linspace(0, 1, 101).reshape(101, 1, 1).repeat(2, axis=2)
    labels = np.zeros((101, 2), dtype=int)
    labels[100, 0] = 1
    mask = MissingLabelMask(scores, labels, 90.0)
    np.testing.assert_allclose(mask.thresholds, [0.891, 0.9])
    kept = mask.kept(Batch(torch.zeros(101, 1), np.arange(101), np.zeros(101, int)), torch.from_numpy(labels))
    assert (~kept[:, 0]).sum() == 10 and kept[100, 0] and (~kept[:, 1]).sum() == 10


@pytest.mark.parametrize(("threshold", "expected"), [(1.0, 4.639342 / 6), (0.5, 3.012818 / 4)])
def test_the_masked_loss_is_the_mean_over_the_labels_that_are_kept(threshold, expected):
    """By hand: the first clip's labels cost log 2, log(1 + e) and log(1 + e), the second's log 2, log(1 + 1/e) and log(1 + 1/e)."""
    labels, scores = np.array([[1, 0, 1], [0, 1, 0]]), np.array([[[0.9, 0.8, 0.9]], [[0.1, 0.9, 0.8]]])
    mask = MissingLabelMask(scores, labels, 100.0)
    mask.thresholds = torch.full((3,), threshold)  # at 0.5 one negative of each clip is ignored, at 1 none
    clips = Batch(torch.zeros(2, 10), np.array([0, 1]), np.array([0, 0]))
    objective = NoisyStudent(None, labels, None, scores, None, None, 0, unlabelled_weight=0.0, mask=mask)
    loss = objective.loss(Ear([[0.0, 1.0, -1.0]] * 4), 0, (clips, clips))
    assert loss.item() == pytest.approx(expected, abs=1e-5)


def test_clips_from_other_slots_than_the_scores_are_refused(parts, tiny_data):
    anywhere = ClipBatches(tiny_data.corpus, tiny_data.ids("unlabelled"), 2, 1.0, 1)
    with pytest.raises(ValueError, match="not drawn from the 2 slots"):
        clip_scores(parts["scores"], anywhere.batch(0))
