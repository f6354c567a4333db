"""Full disks and places that are read only: one line with the user's path, the reason and the remedy, and nothing half done is left."""

import ctypes
import os
import resource
import shlex
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from mtt.files import ALLOCATOR, HOST, PlaceError, alone, kept_arrays, place_fault, write_whole
from tests.tiny import GOLDEN

FULL = "no space left on device; free some room, or give another place"


def mounted(folder: Path, options: str) -> Iterator[Path]:
    folder.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", options, "none", folder], capture_output=True).returncode:
        pytest.skip("only root mounts a small disk")
    yield folder
    subprocess.run(["umount", "--lazy", folder], check=True)


@pytest.fixture
def small(tmp_path) -> Iterator[Path]:
    """A disk of 64 kB, of which 16 are taken."""
    for folder in mounted(tmp_path / "small", "size=64k"):
        (folder / "mine").write_bytes(bytes(16_000))
        yield folder


@pytest.fixture
def sealed(tmp_path) -> Iterator[Path]:
    """A disk that can only be read."""
    yield from mounted(tmp_path / "sealed", "size=64k,ro")


@pytest.fixture
def limit() -> Iterator[None]:
    """No file may have more than 20 kB."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, before)


def below(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


@pytest.mark.parametrize(
    ("command", "named"),
    [
        ("pack music/tracks.csv small/new/pack", "small/new/pack: packing needs 0.05 GB"),
        ("split many.csv --out small/new/split.csv", f"small/new/split.csv: {FULL}"),
        ("audit many.csv --out small/new/report.csv", f"small/new/report.csv: {FULL}"),
        ("explain music/b.flac --model model --out small/new/page.html", f"small/new/page.html: {FULL}"),
        (f"import-official {shlex.quote(str(GOLDEN))} small/new/model", f"small/new/model/model.safetensors: {FULL}"),
    ],
)
def test_a_full_disk_is_told_and_left_as_it_was(mtt, music, model, small, command, named):
    rows = [f"music/{'b.flac' if n == 0 else f'gone {n}.flac'},artist {n % 500},{'a|b' if n % 2 else 'a'}" for n in range(3000)]
    Path("many.csv").write_text("\n".join(["path,artist,tags", *rows]))
    code, _, errors = mtt(command)
    assert code == 1 and errors[-1].startswith("mtt: ") and named in errors[-1] and "Traceback" not in "".join(errors), errors
    assert below(small) == ["mine"]


def test_training_on_a_full_disk_says_which_file_did_not_fit(mtt, tiny_table, small, monkeypatch):
    monkeypatch.setenv("MTT_HOME", str(small / "home"))
    Path("job.toml").write_text(f'collection = "{tiny_table}"\nprofile = "smoke"\n')
    code, _, errors = mtt("train --config job.toml")
    assert code == 1 and errors[-1].startswith(f"mtt: {small}/home/") and "no space left on device; free some room" in errors[-1]
    assert not [path for path in below(small) if "partial" in path]


@pytest.mark.parametrize(
    ("command", "told"),
    [
        ("split music/tracks.csv --out sealed/s.csv", "sealed/s.csv: nothing can be written in "),
        ("explain music/b.flac --model model --out sealed/p.html", "sealed/p.html: nothing can be written in "),
        ("pack music/tracks.csv sealed", "sealed/pack.json: nothing can be written in "),
        ("pack music/tracks.csv sealed/new", "sealed/new/pack.json: nothing can be written in "),
        ("study --profile smoke --out sealed/pages", "sealed/pages"),
    ],
)
def test_a_place_that_can_only_be_read_is_told(mtt, music, model, sealed, command, told):
    code, out, errors = mtt(command)
    assert (code, out) == (1, "") and errors[-1].startswith("mtt: ") and told in errors[-1] and "ead-only file system" in errors[-1], errors
    assert below(sealed) == []


@pytest.mark.parametrize("home", ["sealed", "music/b.flac", "music/b.flac/home"])
def test_caches_that_cannot_be_written_are_done_without(mtt, music, sealed, tmp_path, home, monkeypatch, caplog):
    code, expected, _ = mtt("audit music/tracks.csv")
    monkeypatch.setenv("MTT_HOME", str(tmp_path / home))
    for command in ("audit music/tracks.csv", "audit music/tracks.csv --out made.csv --force"):
        assert mtt(command)[:2] == (code, expected)
    assert [record.message.split(":")[0] for record in caplog.records] == [str(tmp_path / home / "cache")]
    code, _, errors = mtt("pack music/tracks.csv packed")
    assert code == 0 and Path("packed", "pack.json").exists(), errors


def test_a_file_that_is_too_large_for_a_limit_leaves_nothing(tmp_path, limit):
    with pytest.raises(PlaceError, match=r"new/deep/large: file too large; free some room, or give another place$"):
        write_whole(tmp_path / "new" / "deep" / "large", bytes(30_000))
    assert below(tmp_path) == []
    write_whole(tmp_path / "new" / "deep" / "small", bytes(10_000))
    assert below(tmp_path) == ["new", "new/deep", "new/deep/small"]


def test_what_cannot_be_kept_is_made_each_time(tmp_path, limit):
    made = []
    for _ in range(2):
        found = kept_arrays(tmp_path / "cell", "large", 1, lambda: {"a": made.append(1) or np.zeros(30_000)})
        assert found["a"].shape == (30_000,)
    assert len(made) == 2 and below(tmp_path) == []


def test_a_folder_that_another_writer_takes_back_is_made_again(tmp_path, monkeypatch):
    """One that gives up removes the folders that it made, while they are empty."""
    folder, make, taken = tmp_path / "new", Path.mkdir, []

    def made(path, **options):
        make(path, **options)
        if path == folder and len(taken) < 3:
            taken.append(path)
            path.rmdir()

    monkeypatch.setattr(Path, "mkdir", made)
    assert write_whole(folder / "file", "whole").read_text() == "whole" and len(taken) == 3


def test_leftovers_of_a_killed_process_go_when_the_file_is_written_again(tmp_path):
    process = subprocess.Popen(["true"])
    process.wait()
    owners = (f"{HOST}{process.pid}", f"{HOST}{os.getppid()}", f"other-host-{process.pid}")
    dead, living, elsewhere = (tmp_path / f".a[1].csv.{owner}.partial" for owner in owners)
    for path in (dead, living, elsewhere):
        path.write_text("half a fi")
    write_whole(tmp_path / "a[1].csv", "whole")
    assert below(tmp_path) == sorted([living.name, elsewhere.name, "a[1].csv"])


@pytest.mark.skipif(sys.platform != "linux", reason="nothing tells there")
def test_leftovers_go_also_where_nobody_takes_note_of_the_dead(tmp_path):
    with subprocess.Popen(["true"]) as process:
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)  # it stays in the table
        (tmp_path / f".a.csv.{HOST}{process.pid}.partial").write_text("half a fi")
        write_whole(tmp_path / "a.csv", "whole")
    assert below(tmp_path) == ["a.csv"]


def test_errors_of_the_system_are_told_in_words(tmp_path):
    with pytest.raises(OSError) as caught:
        (tmp_path / "gone").read_text()
    assert place_fault(caught.value) == f"{tmp_path}/gone: no such file or directory; correct the path, or give another place"
    assert place_fault(OSError("something else")) == "something else"


def test_a_lock_leaves_no_empty_folder(tmp_path):
    with pytest.raises(ZeroDivisionError), alone(tmp_path / "new" / ".lock"):
        raise ZeroDivisionError
    assert below(tmp_path) == []


def test_a_lock_holds_also_while_its_folder_comes_and_goes(tmp_path):
    inside = []

    def enter(turn: int) -> int:
        with alone(tmp_path / "new" / "lock"):
            inside.append(turn)
            time.sleep(0.001)
            together = len(inside)
            inside.remove(turn)
        return together

    with ThreadPoolExecutor(8) as pool:
        assert set(pool.map(enter, range(200))) == {1}


@pytest.mark.skipif(not hasattr(ctypes.CDLL(None), "mallopt"), reason="is about glibc")
@pytest.mark.parametrize(("user", "kept"), [({}, True), ({"MALLOC_MMAP_THRESHOLD_": "131072"}, False)])
def test_freed_memory_is_kept_unless_the_user_says_otherwise(user, kept):
    code = (
        "import numpy, pathlib; from mtt.files import keep_freed_memory; keep_freed_memory()\n"
        "megabytes = lambda: int(pathlib.Path('/proc/self/statm').read_text().split()[1]) * 4096 / 1e6\n"
        "before = megabytes(); numpy.ones(25_000_000); print(megabytes() - before)"
    )
    surroundings = {name: value for name, value in os.environ.items() if name not in ALLOCATOR} | user
    done = subprocess.run([sys.executable, "-c", code], env=surroundings, capture_output=True, text=True, check=True)
    assert (float(done.stdout) > 150) == kept
