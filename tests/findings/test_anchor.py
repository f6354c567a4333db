import json
from dataclasses import replace

import pytest

from mtt.config import SMOKE, AugmentConfig
from mtt.findings import anchor as module
from mtt.findings.anchor import anchor


@pytest.mark.slow
def test_the_anchor_sizes_itself_by_the_clock_and_goes_on_where_it_stopped(tmp_path, monkeypatch):
    monkeypatch.setenv("MTT_HOME", str(tmp_path / "home"))
    monkeypatch.setattr(module, "baselines", lambda config: ["fcn"])  # one of five
    config = replace(SMOKE, replicates=1, train=replace(SMOKE.train, augment=AugmentConfig(clip_share=0.0)))
    found = anchor(tmp_path / "anchor", 0.001, config, progress=False)
    assert found["exposure"] == max(4, round(0.06 * found["clips_per_second"] / module.TRAININGS))
    assert found["settings"]["exposure"] == found["exposure"]
    scores = {row["name"]: row["roc_auc"] for row in found["models"]}
    assert set(scores) >= {"teacher", "student", "supervised-long", "oracle", "fcn", "student-w8"}
    against = {"teacher": "teacher", "supervised-long": "labels alone, as long"}[found["control"]]
    pairs = {"student minus its teacher (C4a)": ("student", "teacher"), f"student minus {against} (C4b)": ("student", found["control"])}
    pairs |= {"Transformer minus FCN (C2)": ("teacher", "fcn"), "student, width 8 minus student (C5)": ("student-w8", "student")}
    for effect, (better, worse) in pairs.items():
        assert found["effects"][effect]["effect"] == pytest.approx(scores[better] - scores[worse])
    monkeypatch.setattr(module, "clips_per_second", None)  # it is known from then on
    again = anchor(tmp_path / "anchor", 5.0, config, progress=False)
    assert json.loads(json.dumps(again)) == json.loads(json.dumps(found))
