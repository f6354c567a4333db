import json

import pytest

from mtt.files import MttError
from mtt.findings import reference
from mtt.findings.reference import keep_reference


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
