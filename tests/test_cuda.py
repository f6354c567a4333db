"""What a GPU computes is what the CPU does. Without a GPU these are skipped."""

import copy

import numpy as np
import pytest
import torch

from mtt.config import ModelConfig, StudentConfig
from mtt.evaluation.predict import predict_clips
from mtt.models import load_model
from mtt.models.build import MODELS, build_model
from mtt.study.cells import make_cell
from mtt.study.recipes import Recipe
from tests.tiny import TINY_MODEL, TINY_TRAIN

pytestmark = pytest.mark.cuda


@pytest.mark.parametrize("architecture", MODELS)
def test_every_model_gives_the_probabilities_and_gradients_of_the_cpu(architecture):
    torch.manual_seed(0)
    model = build_model(ModelConfig(architecture=architecture, channels=16, width=32, heads=4, layers=2, dropout=0.0), 5)
    clips = 0.1 * torch.randn(3, 88_200)
    found = {}
    for device in ("cpu", "cuda"):
        own = copy.deepcopy(model).to(device)
        own.train()(clips.to(device)).sigmoid().sum().backward()
        norm = torch.cat([part.grad.flatten() for part in own.parameters() if part.grad is not None]).norm()
        with torch.no_grad():
            exact = own.eval()(clips.to(device)).sigmoid()
            with torch.autocast(device, torch.bfloat16):
                rounded = own(clips.to(device)).float().sigmoid()
        found[device] = exact.cpu(), rounded.cpu(), norm.cpu()
    (exact, _, slope), (own, rounded, own_slope) = found["cpu"], found["cuda"]
    assert torch.allclose(own, exact, atol=1e-4)
    assert torch.allclose(rounded, exact, atol=1e-2)
    assert torch.allclose(own_slope, slope, rtol=1e-2)


def test_a_teacher_and_its_student_train_there_and_their_scores_are_those_of_the_cpu(tiny_data, tmp_path, killed_once):
    """A teacher that is killed after its first evaluation, and its student, end as those left alone, but for the order of a GPU's sums."""
    teacher = Recipe("teacher", TINY_MODEL, TINY_TRAIN)
    student = Recipe("student", TINY_MODEL, TINY_TRAIN, student=StudentConfig(width=16), teacher=teacher)
    with pytest.raises(KeyboardInterrupt):
        make_cell(tmp_path / "cut", teacher, tiny_data)
    killed_once()
    for root in (tmp_path / "whole", tmp_path / "cut"):
        make_cell(root, teacher, tiny_data)
    whole, resumed = (make_cell(root, student, tiny_data) for root in (tmp_path / "whole", tmp_path / "cut"))
    assert next(whole.load_model().parameters()).is_cuda
    np.testing.assert_allclose(resumed.scores("test"), whole.scores("test"), atol=0.02)
    on_cpu = load_model(whole.folder, device="cpu")
    ids, clips = tiny_data.ids("test"), tiny_data.song_clips
    scores = predict_clips(on_cpu, tiny_data.corpus, ids, TINY_TRAIN.clip_seconds, clips, "float32").mean(axis=1)
    np.testing.assert_allclose(whole.scores("test"), scores, atol=0.02)  # bfloat16 against float32
