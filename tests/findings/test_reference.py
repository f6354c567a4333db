import json
from dataclasses import replace

import pytest

from mtt.config import DEMO, FULL, SMOKE
from mtt.files import MttError
from mtt.findings import reference
from mtt.findings.reference import convergence, keep_reference


def test_the_results_of_a_full_run_become_the_reference_and_no_others(tmp_path, monkeypatch):
    monkeypatch.setattr(reference, "FOLDER", tmp_path / "kept")
    results = {"study": {"profile": "full", "collection": "synthetic"}, "claims": [1], "curves": {}, "models": [], "findings": {}}
    file = tmp_path / "results.json"
    file.write_text(json.dumps(results))
    assert json.loads(keep_reference(file).read_text()) == {name: results[name] for name in ("study", "claims", "curves", "models")}
    for other in ({"profile": "demo", "collection": "synthetic"}, {"profile": "full", "collection": "mine"}, None):
        file.write_text(json.dumps(results | {"study": other}))
        with pytest.raises(MttError, match="results.json: is no results.json of --profile full on the embedded corpus"):
            keep_reference(file)
    with pytest.raises(MttError, match="absent.json"):
        keep_reference(tmp_path / "absent.json")


def test_what_tuning_saw_of_convergence_counts_for_models_that_learn_so(monkeypatch):
    rows = convergence(FULL)
    assert rows and convergence(DEMO) == rows
    for row in rows:
        longer = {
            "not converged": row["change"] >= 0.003,
            "past its best": row["change"] <= -0.003,
            "converged": abs(row["change"]) < 0.003,
        }
        assert longer[row["state"]], row
    assert len({row["state"] for row in rows}) == 3
    others = [replace(DEMO, exposure=2000), replace(DEMO, collection="tracks.csv"), SMOKE]
    assert [convergence(other) for other in others] == [[], [], []]
    monkeypatch.setattr(reference, "tuning", dict)
    assert convergence(FULL) == []
