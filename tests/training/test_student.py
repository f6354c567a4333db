import numpy as np
import pytest
import torch
from torch.nn import functional as F

from mtt.data.batches import ClipBatches
from mtt.models import build_model
from mtt.training.student import MissingLabelMask, NoisyStudent, OnTheFly, Precomputed, pseudo_label
from tests.tiny import TINY_MODEL, TINY_TRAIN


@pytest.fixture
def parts(tiny_data):
    corpus = tiny_data.corpus
    train, pool = tiny_data.ids("train"), tiny_data.ids("unlabelled")
    teacher = build_model(TINY_MODEL, 3, seed=5)
    return {
        "teacher": teacher,
        "labelled": ClipBatches(corpus, train, 2, 1.0, 0, slots=2),
        "labels": corpus.labels[corpus.rows(train)],
        "pool": ClipBatches(corpus, pool, 2, 1.0, 1, slots=2),
        "scores": pseudo_label(teacher, corpus, pool, 1.0, 2),
        "train_scores": pseudo_label(teacher, corpus, train, 1.0, 2),
    }


def make(parts, pseudo_labels, **options):
    noise = options.pop("pool_augmentation", TINY_TRAIN.augment)
    return NoisyStudent(parts["labelled"], parts["labels"], parts["pool"], pseudo_labels, TINY_TRAIN.augment, noise, 0, **options)


def loss_of(objective, step=0):
    student = build_model(TINY_MODEL, 3, seed=1).eval()
    drawn = next(iter(objective.draw(step, step + 1)))
    return objective.loss(student, step, drawn).item()


def test_precomputed_and_on_the_fly_pseudo_labels_give_the_same_loss(parts):
    for step in range(4):
        fly, table = (loss_of(make(parts, p), step) for p in (OnTheFly(parts["teacher"]), Precomputed(parts["scores"])))
        assert fly == pytest.approx(table, abs=1e-5)


def test_the_loss_is_the_sum_of_both_halves_as_written_in_the_paper(parts):
    objective = make(parts, Precomputed(parts["scores"]), unlabelled_weight=0.5, pool_augmentation=None)
    objective.augmentation = None
    student = build_model(TINY_MODEL, 3, seed=1).eval()
    labelled, pool = next(iter(objective.draw(0, 1)))
    y = torch.as_tensor(parts["labels"][labelled.rows], dtype=torch.float32)
    soft = torch.from_numpy(parts["scores"][pool.rows, pool.slots])
    expected = F.binary_cross_entropy_with_logits(student(labelled.waveforms), y)
    expected = expected + 0.5 * F.binary_cross_entropy_with_logits(student(pool.waveforms), soft)
    assert objective.loss(student, 0, (labelled, pool)).item() == pytest.approx(expected.item(), abs=1e-5)


def test_the_teacher_hears_clean_clips_in_evaluation_mode_and_gets_no_gradient(parts):
    heard = []

    class Spy(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.weight = torch.nn.Parameter(torch.zeros(1))

        def forward(self, x):
            heard.append((x.clone(), self.training))
            return self.weight + torch.zeros(len(x), 3)

    spy = Spy().train()
    objective = make(parts, OnTheFly(spy))
    drawn = next(iter(objective.draw(0, 1)))
    objective.loss(build_model(TINY_MODEL, 3, seed=1), 0, drawn).backward()
    ((clips, training),) = heard
    assert torch.equal(clips, drawn[1].waveforms) and not training and spy.weight.grad is None


def test_the_student_hears_noise_unless_it_is_switched_off(parts):
    heard = []

    class Ear(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.weight = torch.nn.Parameter(torch.zeros(1))

        def forward(self, x):
            heard.append(x.clone())
            return self.weight + torch.zeros(len(x), 3)

    for noise in (TINY_TRAIN.augment, None):
        objective = make(parts, Precomputed(parts["scores"]), pool_augmentation=noise)
        drawn = next(iter(objective.draw(0, 1)))
        objective.loss(Ear(), 0, drawn)
        assert torch.equal(heard[-1][2:], drawn[1].waveforms) == (noise is None)


def test_the_mask_ignores_exactly_the_negatives_above_the_tags_percentile():
    scores = np.linspace(0, 1, 101).reshape(101, 1, 1).repeat(2, axis=2)
    labels = np.zeros((101, 2), dtype=int)
    labels[100, 0] = 1
    mask = MissingLabelMask.from_scores(scores, labels, 90.0)
    np.testing.assert_allclose(mask.thresholds, [0.891, 0.9])
    ignored = mask.ignored(scores[:, 0], labels)
    assert ignored[:, 0].sum() == 10 and not ignored[100, 0] and ignored[:, 1].sum() == 10
    with pytest.raises(ValueError, match=r"mask_percentile must be in \(0, 100\], not 0"):
        MissingLabelMask.from_scores(scores, labels, 0)


def test_a_masked_label_gives_no_gradient(parts):
    everything = MissingLabelMask(np.full(3, -1.0))
    masked = make(
        parts, Precomputed(parts["scores"]), unlabelled_weight=0.0, mask=everything, teacher_on_labelled=Precomputed(parts["train_scores"])
    )
    plain = make(parts, Precomputed(parts["scores"]), unlabelled_weight=0.0)
    student = build_model(TINY_MODEL, 3, seed=1).eval()
    labelled, pool = next(iter(plain.draw(0, 1)))
    positives = parts["labels"][labelled.rows].astype(bool)
    logits = student(torch.cat([distort_like(masked, labelled), pool.waveforms]))[: len(positives)]
    expected = (
        F.binary_cross_entropy_with_logits(logits, torch.tensor(positives).float(), reduction="none")[torch.tensor(positives)].sum()
        / positives.size
    )
    assert masked.loss(student, 0, (labelled, pool)).item() == pytest.approx(expected.item(), abs=1e-5)
    assert plain.loss(student, 0, (labelled, pool)).item() > expected.item()


def distort_like(objective, labelled):
    objective.augmentation = None
    return labelled.waveforms


def test_wrong_slots_and_a_mask_without_scores_are_refused(parts, tiny_data):
    anywhere = ClipBatches(tiny_data.corpus, tiny_data.ids("unlabelled"), 2, 1.0, 1)
    with pytest.raises(ValueError, match="not drawn from the 2 slots"):
        Precomputed(parts["scores"])(anywhere.batch(0))
    with pytest.raises(ValueError, match="give teacher_on_labelled"):
        make(parts, Precomputed(parts["scores"]), mask=MissingLabelMask(np.zeros(3)))
