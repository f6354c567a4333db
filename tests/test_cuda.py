"""What a GPU computes is what the CPU does. Without a GPU these are skipped."""

import numpy as np
import pytest
import torch

from mtt.config import ModelConfig, StudentConfig
from mtt.evaluation.predict import predict_clips
from mtt.models import load_model
from mtt.models.build import MODELS, build_model
from mtt.study.cells import make_cell
from mtt.study.recipes import Recipe
from mtt.training import fit as training
from tests.tiny import TINY_MODEL, TINY_TRAIN

pytestmark = pytest.mark.cuda


@pytest.mark.parametrize("architecture", MODELS)
def test_every_model_gives_the_probabilities_and_gradients_of_the_cpu(architecture):
    torch.manual_seed(0)
    model = build_model(ModelConfig(architecture=architecture, channels=16, width=32, heads=4, layers=2, dropout=0.0), 5)
    clips = 0.1 * torch.randn(3, 88_200)
    found = {}
    for device in ("cpu", "cuda"):
        model.to(device).zero_grad(set_to_none=True)
        model.train()(clips.to(device)).sigmoid().sum().backward()
        norm = torch.cat([part.grad.flatten() for part in model.parameters() if part.grad is not None]).norm()
        with torch.no_grad(), torch.autocast(device, torch.bfloat16):
            rounded = model.eval()(clips.to(device)).float().sigmoid().cpu()
        with torch.no_grad():
            found[device] = model(clips.to(device)).sigmoid().cpu(), rounded, norm.cpu()
    (exact, _, slope), (own, rounded, own_slope) = found["cpu"], found["cuda"]
    assert torch.allclose(own, exact, atol=1e-4)
    assert torch.allclose(rounded, exact, atol=1e-2)
    assert torch.allclose(own_slope, slope, rtol=1e-2)


def test_a_teacher_and_its_student_train_there_and_their_scores_are_those_of_the_cpu(tiny_data, tmp_path, monkeypatch):
    """The student is killed after its first evaluation, and ends as one that was left alone, within what a GPU's sums vary by."""
    teacher = Recipe("teacher", TINY_MODEL, TINY_TRAIN)
    student = Recipe("student", TINY_MODEL, TINY_TRAIN, student=StudentConfig(width=16), teacher=teacher)
    for root in (tmp_path / "whole", tmp_path / "cut"):
        make_cell(root, teacher, tiny_data)
    whole = make_cell(tmp_path / "whole", student, tiny_data)
    record = training._Run.record

    def killed(run, row):
        record(run, row)
        raise KeyboardInterrupt

    monkeypatch.setattr(training._Run, "record", killed)
    with pytest.raises(KeyboardInterrupt):
        make_cell(tmp_path / "cut", student, tiny_data)
    monkeypatch.undo()
    resumed = make_cell(tmp_path / "cut", student, tiny_data)
    assert next(whole.load_model().parameters()).is_cuda
    np.testing.assert_allclose(resumed.scores("test"), whole.scores("test"), atol=0.02)
    on_cpu = load_model(whole.folder, device="cpu")
    ids, clips = tiny_data.ids("test"), tiny_data.song_clips
    scores = predict_clips(on_cpu, tiny_data.corpus, ids, TINY_TRAIN.clip_seconds, clips, "float32").mean(axis=1)
    np.testing.assert_allclose(whole.scores("test"), scores, atol=0.02)  # bfloat16 against float32
