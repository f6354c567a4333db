"""A folder of good and bad files through the command line: each is told with its reason, and the good ones are done.

Bad tables are driven by ``tests/reading/test_tables.py``.
"""

import shlex

import pandas as pd

from mtt.collections.load import load_corpus
from tests.reading.bad_files import HEADERS, REASONS


def test_files_that_can_serve_are_done_and_the_others_are_told(mtt, model, tmp_path):
    (tmp_path / "music").mkdir()
    paths = {name: f"music/{name}.mp3" for name in (*HEADERS, *REASONS)}
    for name, (make, *_) in HEADERS.items():
        (tmp_path / paths[name]).write_bytes(make())
    for name, (make, _) in REASONS.items():
        (tmp_path / paths[name]).write_bytes(make) if isinstance(make, bytes) else make(tmp_path / paths[name])
    table = {"path": [f"{name}.mp3" for name in paths], "artist": list(paths), "tags": "x"}
    pd.DataFrame(table).to_csv(tmp_path / "music" / "tracks.csv", index=False)
    before = {path: path.read_bytes() for path in (tmp_path / "music").iterdir() if path.is_file()}

    assert mtt("audit music/tracks.csv --out audit.csv")[0] == mtt("pack music/tracks.csv pack")[0] == 0
    code, _, errors = mtt(f"tag {shlex.join(paths.values())} --model model --top 1 --out tags.csv")
    assert code == 1 and not any("Traceback" in line for line in errors)
    assert {path: path.read_bytes() for path in before} == before  # nothing lost

    audited, packed = pd.read_csv("audit.csv").set_index("path"), load_corpus("pack").tracks.index
    tagged = pd.read_csv("tags.csv").set_index("path")["probability"]
    unreadable, cut = (audited.loc[audited["problem"] == problem, "detail"] for problem in ("unreadable", "cut_short"))
    copies = audited.index[audited["problem"].isin(["exact_duplicate", "near_duplicate"])]
    for name, (_, said) in REASONS.items():
        assert said in unreadable[f"{name}.mp3"] and f"{name}.mp3" not in packed and paths[name] not in tagged
        told = "no audio file" if name == "folder" else said  # a folder stands for the files in it
        assert any(paths[name] in line and told in line for line in errors), name
    for name, (_, _, said) in HEADERS.items():
        file = f"{name}.mp3"
        assert (said in cut[file] if said else file not in cut) and (file in packed or file in copies), name
        assert 0 <= tagged[paths[name]] <= 1
