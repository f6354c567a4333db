"""What pages say of explanations follows from the numbers."""

import numpy as np
import pytest

from mtt.reporting.pages import words as remarks


@pytest.mark.parametrize(
    ("bounds", "says"),
    [
        ([0.8, 0.95], "points at the moments"),
        ([0.52, 0.58], "points weakly at"),
        ([0.45, 0.55], "is not shown to point at"),
        ([0.42, 0.48], "points weakly away from"),
        ([0.2, 0.35], "points away from"),
        (None, "was scored, on too few artists for an interval"),
    ],
)
def test_the_words_on_localisation_follow_the_interval(bounds, says):
    effect = 0.5 if bounds is None else float(np.mean(bounds))
    about = {"test": "localisation", "model": "student", "explanation": "curve", "effect": effect, "interval": bounds}
    text = remarks.explanation(about)
    assert text.startswith(f"The tag curve of the student {says}") and f"ROC-AUC {effect:.3f}" in text


@pytest.mark.parametrize(
    ("random", "elsewhere", "says"),
    [
        ([0.1, 0.2], [0.1, 0.2], "so in this test the tags do rest on what it attends to"),
        ([-0.2, -0.1], [0.1, 0.2], "so in this test its attention is not faithful"),
        ([0.1, 0.2], [-0.2, -0.1], "so in this test its attention is not faithful"),
        ([0.1, 0.2], [-0.1, 0.1], "so it is not shown that its attention is faithful"),
    ],
)
def test_the_words_on_deletion_follow_both_controls(random, elsewhere, says):
    about = {"test": "deletion", "model": "student", "explanation": "attention", "share": 0.2, "drops": {"attended": {"drop": 0.3}}}
    about |= {"effect": float(np.mean(random)), "interval": random, "elsewhere": float(np.mean(elsewhere)), "elsewhere_interval": elsewhere}
    text = remarks.explanation(about)
    assert says in text and "Without the 20% of frames" in text and "lose 0.3000 of probability" in text
    assert f"That is 0.1500 {'more' if random[0] > 0 else 'less'} than without random frames" in text
