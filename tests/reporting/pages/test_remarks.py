"""What notebook pages say follows from the numbers."""

import numpy as np
import pytest

from mtt.config import DEMO, SMOKE
from mtt.findings.reference import CONVERGED, GAINING, LOSING
from mtt.reporting.pages import remarks, tables
from mtt.study import recipes
from tests.reporting.reading import walls


def test_models_are_converged_where_twice_the_clips_change_little():
    states = {("teacher", 12): GAINING, ("student", 12): LOSING, ("teacher", 48): CONVERGED, ("fcn", 48): CONVERGED}
    rows = [
        {"model": model, "artists": artists, "exposure": 100, "margin": 0.003, "change": 0.001, "state": state}
        | {"valid": [0.8] * 2, "doubled": [0.8] * 2}
        for (model, artists), state in states.items()
    ]
    said = remarks.convergence(rows)
    assert "Not all are, on 2 tuning corpora: 1 of 4 would gain by longer training." in said
    assert "Some would lose: more clips than now lead past the best exposure." in said and said.endswith("they were not looked at.")
    assert list(tables.convergence(rows).index) == ["teacher", "student", "teacher", "fcn"]
    assert list(tables.convergence(rows)["state"]) == list(states.values())
    assert "on 2 tuning corpora that holds for every size" in remarks.convergence(rows[2:])
    assert "on one tuning corpus that" in remarks.convergence([rows[2] | {"valid": [0.8]}])
    assert "models are not known to be converged" in remarks.convergence([])


def test_a_student_is_told_to_see_as_many_labelled_clips_as_its_teacher():
    for config in (DEMO, SMOKE):
        seen = recipes.lineup(config)["teacher"].recipe.exposure
        text = remarks.student_batches(config)
        assert f"saw {seen:,} labelled clips. Its student sees {seen:,} too" in text and f"sees {2 * seen:,} labelled clips" in text


def test_the_smallest_effect_is_that_of_tuning_corpora_where_they_were_looked_at():
    entries = [{"id": "C4b", "smallest_effect": 0.0042, "replicates": 5}]
    assert remarks.power([], entries).endswith("0.004 ROC-AUC.") and "As much as it varies here, 5 replicates" in remarks.power([], entries)
    foreseen = [{"id": name, "sd": 0.01, "smallest": {"2": 0.1, "5": size}} for name, size in (("C1", 0.03), ("C4b", 0.02))]
    assert remarks.power(foreseen, entries).startswith(remarks.power([], entries)) and "promised 0.020 with five" in remarks.power(
        foreseen, entries
    )
    assert "does not say" in remarks.power([], [entries[0] | {"smallest_effect": None}])


def test_a_curve_that_a_profile_has_no_models_for_is_the_references():
    assert remarks.whose([1], [1]) == "" and "reference run" in remarks.whose([], [1]) and "--profile full" in remarks.whose([], [])


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
        ([0.1, 0.2], [0.1, 0.2], ": in this test the tags rest more on what it attends to"),
        ([0.002, 0.009], [0.001, 0.004], ": in this test the tags rest only a little more on what it attends to"),
        ([-0.2, -0.1], [0.1, 0.2], ": in this test the tags rest less on what it attends to than on other frames"),
        ([-0.009, -0.003], [0.001, 0.009], ": in this test the tags rest a little less on"),
        ([0.1, 0.2], [-0.1, 0.1], ": it is not shown that the tags rest more on what it attends to"),
    ],
)
def test_the_words_on_deletion_follow_both_controls_and_their_size(random, elsewhere, says):
    about = {"test": "deletion", "model": "student", "explanation": "attention", "share": 0.2, "drops": {"attended": {"drop": 0.3}}}
    about |= {"effect": float(np.mean(random)), "interval": random, "elsewhere": float(np.mean(elsewhere)), "elsewhere_interval": elsewhere}
    text = remarks.explanation(about)
    assert says in text and text.startswith("Taking away the 20% of frames") and "costs the true tags 0.300" in text
    assert walls(f"<p>{text}</p>") == []
    assert f"{'more' if random[0] > 0 else 'less'} than random frames" in text and "faithful" not in text


def test_large_models_that_longer_training_still_helps_are_not_called_converged():
    settings = {"teacher": {"channels": 128, "width": 256}, "train": {"clip_seconds": 10.0}, "labelled_artists": 1000}

    def told(longer: float) -> str:
        models = [{"name": "teacher", "roc_auc": 0.9}, {"name": "supervised-long", "roc_auc": longer}]
        return remarks.scale({"settings": settings, "models": models, "machine": "a GPU", "date": "2030-01-01"})

    assert "128 channels" in told(0.902) and "converged" not in told(0.902)
    assert "Not converged" in told(0.92) and "add 0.020" in told(0.92)
    assert "not trained yet" in remarks.scale({})


def test_attention_that_cls_keeps_for_itself_is_told_beside_an_even_share():
    maps = np.full((2, 3, 4, 4), 0.25)
    maps[-1, :, 0, 0] = 0.1, 0.4, 0.9
    assert "keeps 10% to 90%" in remarks.cls_share(maps) and remarks.cls_share(maps).endswith("an even share would be 25%.")


def row(label: str, kind: str, valid: float, **about) -> dict:
    return {"name": label, "label": label, "kind": kind, "valid": valid, "roc_auc": 0.8, "roc_auc_interval": [0.7, 0.9]} | about


def test_the_way_to_tag_a_collection_is_that_of_the_best_on_validation():
    models = [row("oracle", "oracle", 0.99), row("teacher", "supervised", 0.7), row("features of musicnn", "baseline", 0.8)]
    models.append(row("teacher, 9 artists", "supervised", 0.95, learns_from="labelled-9"))
    (said,) = remarks.way({"collection": "mine"}, models)
    assert said.startswith("To tag this music, take features of musicnn: with 0.800 on validation tracks it is the best model, 0.100")
    assert "before teacher, and has ROC-AUC 0.800 [0.700, 0.900]" in said and said.endswith("all labels.")
    assert remarks.way({"collection": "synthetic"}, models) == [] == remarks.way({"collection": "mine"}, models[:2])


def test_the_way_says_where_hand_made_features_do_as_well_and_what_more_labels_did():
    models = [row("teacher", "supervised", 0.7), row("student", "student", 0.72), row("hand-made", "baseline", 0.75)]
    sizes = [{"artists": artists, "supervised": {"effect": score}} for artists, score in ((12, 0.6), (24, 0.7), (48, 0.72))]
    said, beside, more = remarks.way({"collection": "mine"}, models, sizes)
    assert said.startswith("To tag this music, take student: with 0.720")
    assert beside.startswith("Hand-made features with a regression have 0.750 there")
    assert more == "From 24 to 48 labelled artists, training on labels alone gained +0.020 ROC-AUC."
    models[-1]["valid"] = 0.71
    assert len(remarks.way({"collection": "mine"}, models)) == 1
