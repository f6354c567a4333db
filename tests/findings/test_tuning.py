"""Settings are chosen on corpora that no result comes from."""

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest

from mtt.config import DEMO, SMOKE, TUNING, StudyConfig
from mtt.files import read_json
from mtt.findings import tuning
from mtt.findings.reference import FOLDER
from mtt.settings import SettingsError
from mtt.study.parameters import ParameterError
from mtt.study.workspace import configure
from tests.findings.made import judge

SCORES = {"teacher": [0.8, 0.8], "student": [0.81, 0.82], "supervised-long": [0.7, 0.7], "student-permuted": [0.7, 0.7]}


def made(config: StudyConfig, *_) -> SimpleNamespace:
    """A study whose models gain 0.001 from twice the exposure, and students of all labels 0.01."""
    study = judge(SCORES).study
    study.config, study.progress, study.make_named = config, False, lambda names: study.results
    study.replicates = [SimpleNamespace(**vars(study.first), number=n, job=lambda recipe: recipe, prepare=lambda: None) for n in range(2)]
    return study


def trained(jobs, progress):
    gain = {"student-doubled": 0.01}
    values = [0.8 + gain.get(job.name, 0.001 if job.name.endswith("-doubled") else 0.0) for job in jobs]
    return [SimpleNamespace(metrics={"valid": {"roc_auc": value}}) for value in values]


def test_tuning_tells_who_is_not_converged_on_corpora_of_its_own(tmp_path, monkeypatch):
    monkeypatch.setattr(tuning, "FOLDER", tmp_path)
    monkeypatch.setattr(tuning, "Study", made)
    monkeypatch.setattr(tuning, "make_cells", trained)
    monkeypatch.setattr(tuning, "CLAIMS", {"C4a": tuning.CLAIMS["C4a"]})
    found = tuning.tune(replace(DEMO, scarcity=(12,), retrained=1), corpora=2, progress=False)
    assert found["settings"]["first_replicate"] == TUNING and (found["settings"]["replicates"], found["settings"]["retrained"]) == (2, 0)
    changes = {(row["model"], row["artists"]): row["change"] for row in found["convergence"]}
    assert changes == {
        ("teacher-12", 12): pytest.approx(0.001), ("student-12", 12): pytest.approx(0.001),
        ("teacher", 48): pytest.approx(0.001), ("student", 48): pytest.approx(0.01),
        ("short-chunk-resnet", 48): pytest.approx(0.001), ("fcn", 48): pytest.approx(0.001),
        ("teacher-2s", 48): pytest.approx(0.001), ("short-chunk-resnet-2s", 48): pytest.approx(0.001),
    }  # fmt: skip
    (power,) = found["power"]
    assert power["id"] == "C4a" and power["sd"] == pytest.approx(0.01 / 2**0.5 / 1)
    assert power["smallest"]["2"] > power["smallest"]["5"] > power["smallest"]["10"]
    assert read_json(tmp_path / "tuning.json")["convergence"] == found["convergence"]


def test_twice_the_exposure_is_twice_the_steps():
    recipe = made(DEMO).lineup["student"].recipe
    assert tuning._doubled(recipe).exposure == 2 * recipe.exposure


def test_no_result_comes_from_a_tuning_corpus():
    with pytest.raises(ParameterError, match=r"'first_replicate': must be below 900: corpora from there on serve to choose settings"):
        configure({"profile": "smoke", "first_replicate": TUNING})
    with pytest.raises(SettingsError, match="replicates: 2 from 899 on reach 900, where corpora for tuning begin"):
        replace(SMOKE, first_replicate=TUNING - 1, replicates=2)
    assert replace(SMOKE, first_replicate=TUNING - 2, replicates=2) and replace(SMOKE, first_replicate=TUNING, replicates=2)
    assert replace(SMOKE, collection="music.csv", first_replicate=TUNING - 1, replicates=2).replicates == 2  # it has no tuning corpora
    root = Path(__file__).parents[2]
    for path in (FOLDER / "reference.json", root / "reports" / "results.json"):
        assert all(number < TUNING for number in (read_json(path) or {"study": {}})["study"].get("replicates", [])), path
