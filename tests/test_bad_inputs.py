"""A folder of good and bad files through the command line: each is told with its reason, and the good ones are done.

Bad tables are driven by ``tests/reading/test_tables.py``.
"""

import contextlib
import io
import os
import shlex

import pandas as pd
import pytest

from mtt import __main__ as command_line
from mtt.collections.load import load_corpus
from mtt.data.audio import write_audio
from tests.reading.bad_files import HEADERS, REASONS, sound

GOOD = ["good.wav", "good.flac", "good.mp3", "good.ogg"]
READABLE = {name for name, (_, _, said) in HEADERS.items() if not said}


@pytest.fixture(scope="module")
def done(tmp_path_factory, golden_model) -> dict:
    """The folder, and of each command its exit code, its standard output and its standard error."""
    folder = tmp_path_factory.mktemp("wild")
    music = folder / "music"
    music.mkdir()
    for name in GOOD:
        write_audio(music / name, sound(3.0 + GOOD.index(name)))
    for name, (make, *_) in HEADERS.items():
        (music / f"{name}.mp3").write_bytes(make())
    for name, (make, _) in REASONS.items():
        (music / f"{name}.mp3").write_bytes(make) if isinstance(make, bytes) else make(music / f"{name}.mp3")
    names = GOOD + [f"{name}.mp3" for name in (*HEADERS, *REASONS)]
    table = pd.DataFrame({"path": names, "artist": [f"artist {n}" for n in range(len(names))], "tags": "x"})
    table.to_csv(music / "tracks.csv", index=False)
    before = {path: path.read_bytes() for path in music.iterdir() if path.is_file()}
    found = {"music": music}
    old = os.getcwd()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MTT_HOME", str(folder / "home"))
        os.chdir(folder)
        try:
            for command in (
                "audit music/tracks.csv --out audit.csv",
                "pack music/tracks.csv pack",
                f"tag {' '.join(shlex.quote(f'music/{name}') for name in names)} --model {golden_model} --top 1 --out tags.csv",
                f"tag music --model {golden_model} --top 1 --out folder.csv",
            ):
                out, errors = (io.TextIOWrapper(io.BytesIO(), "utf-8", write_through=True) for _ in range(2))
                with contextlib.redirect_stdout(out), contextlib.redirect_stderr(errors), pytest.raises(SystemExit) as end:
                    command_line.main(shlex.split(command))
                name = "tag folder" if "folder.csv" in command else command.split()[0]
                found[name] = (end.value.code, *(stream.buffer.getvalue().decode() for stream in (out, errors)))
            found["corpus"] = load_corpus("pack")
        finally:
            os.chdir(old)
    found["audited"] = pd.read_csv(folder / "audit.csv").set_index("path")
    found["tags"] = pd.read_csv(folder / "tags.csv")
    assert {path: path.read_bytes() for path in music.iterdir() if path.is_file()} == before  # nothing lost
    return found


def test_commands_end_as_documented(done):
    codes = {name: done[name][0] for name in ("audit", "pack", "tag", "tag folder")}
    assert codes == {"audit": 0, "pack": 0, "tag": 1, "tag folder": 1}
    assert not any("Traceback" in done[name][2] for name in codes)


@pytest.mark.parametrize("name", REASONS)
def test_a_file_that_cannot_serve_is_told_and_left_out(done, name):
    said = REASONS[name][1]
    row = done["audited"].loc[[f"{name}.mp3"]]
    assert row["problem"].iloc[0] == "unreadable" and said in row["detail"].iloc[0]
    told = "no audio file" if name == "folder" else said  # a folder stands for the files in it
    assert any(f"music/{name}.mp3" in line and told in line for line in done["tag"][2].splitlines())
    assert f"{name}.mp3" not in done["corpus"].tracks.index and f"music/{name}.mp3" not in set(done["tags"]["path"])


@pytest.mark.parametrize("name", [*GOOD, *HEADERS])
def test_a_file_that_can_serve_is_done(done, name):
    file = name if name in GOOD else f"{name}.mp3"
    said = "" if name in GOOD else HEADERS[name][2]
    cut = done["audited"][done["audited"]["problem"] == "cut_short"]["detail"]
    assert said in cut[file] if said else file not in cut
    removed = done["audited"]["problem"].isin(["exact_duplicate", "near_duplicate"])
    assert file in done["corpus"].tracks.index or file in set(done["audited"].index[removed])
    assert done["tags"].loc[done["tags"]["path"] == f"music/{file}", "probability"].between(0, 1).all()
    assert f"music/{file}" in set(done["tags"]["path"])
