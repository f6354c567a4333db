"""The set-up: environment.yml and the lock against pyproject.toml; run_all.sh on make-believe machines.

Nothing here uses the network: the Python of a make-believe machine is a script that plays its part.
"""

import os
import re
import shutil
import signal
import subprocess
import sys
import time
import tomllib
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

import mtt

ROOT = Path(__file__).resolve().parents[1]
# distribution → conda-forge's name, where the two differ
CONDA_NAMES = {"torch": "pytorch", "soundfile": "pysoundfile", "soxr": "soxr-python", "playwright": "playwright-python"}
TOOLS = "bash sh env dirname awk cat df id ls mkdir mv rm sleep tail touch uname".split()


@pytest.fixture(scope="module")
def project() -> dict:
    return tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


@pytest.fixture(scope="module")
def requirements(project) -> list[Requirement]:
    return [Requirement(text) for text in project["dependencies"] + project["optional-dependencies"]["dev"]]


@pytest.fixture(scope="module")
def lock() -> dict[str, list[tuple[Requirement, int]]]:
    """Distribution → (its pin, number of hashes) of each of its entries in the lock."""
    entries: dict[str, list[tuple[Requirement, int]]] = {}
    for block in re.split(r"\n(?=\S)", (ROOT / "requirements.lock").read_text()):
        if not block.startswith("#"):
            pin = Requirement(block.split("\\\n")[0].strip())
            entries.setdefault(canonicalize_name(pin.name), []).append((pin, block.count("--hash=sha256:")))
    return entries


def test_environment_yml_has_the_packages_and_ranges_of_pyproject(project, requirements):
    assert yaml.safe_load((ROOT / "CITATION.cff").read_text())["version"] == mtt.__version__
    entries = yaml.safe_load((ROOT / "environment.yml").read_text())["dependencies"]
    pip = next(entry["pip"] for entry in entries if isinstance(entry, dict))
    conda = [entry for entry in entries if isinstance(entry, str) and entry != "pip"]
    distributions = {conda_name: name for name, conda_name in CONDA_NAMES.items()}
    listed = {}
    for one in map(Requirement, conda + pip[:-1]):
        name = canonicalize_name(one.name)
        listed[distributions.get(name, name)] = one.specifier
    expected = {canonicalize_name(requirement.name): requirement.specifier for requirement in requirements}
    assert listed == expected | {"python": Requirement(f"python{project['requires-python']}").specifier}
    assert pip[-1] == "-e ."


@pytest.mark.parametrize("python", ["3.11", "3.13"])
@pytest.mark.parametrize(("system", "machine"), [("linux", "x86_64"), ("darwin", "arm64")])
def test_lock_pins_each_requirement_once_on_every_platform(requirements, lock, python, system, machine):
    known = {"python_version": python, "python_full_version": f"{python}.4", "os_name": "posix"}
    known |= {"sys_platform": system, "platform_system": system.title(), "platform_machine": machine}
    for requirement in requirements:
        pins = [pin for pin, _ in lock.get(canonicalize_name(requirement.name), [])]
        (pin,) = [pin for pin in pins if pin.marker is None or pin.marker.evaluate(known)]
        assert requirement.specifier.contains(str(pin.specifier).removeprefix("==")), f"the lock has {pin}: compile it anew"


def test_lock_has_hashes_and_no_addresses_and_the_command_that_wrote_it_stands_in_pyproject(lock):
    text = (ROOT / "requirements.lock").read_text()
    command = text.splitlines()[1].removeprefix("#").strip()
    assert command.startswith("uv pip compile ") and command in (ROOT / "pyproject.toml").read_text()
    assert [str(pin) for pins in lock.values() for pin, hashes in pins if hashes == 0] == []
    assert [str(pin) for pins in lock.values() for pin, _ in pins if pin.url] == []
    assert re.findall(r"\S*(?:://|file:)\S*", text) == []
    assert re.findall(r"^\s*(?:-i|-f|--(?!hash=)\S*).*", text, re.MULTILINE) == []


class Machine:
    """A checkout, with a space in its name, and a PATH of a few commands and whatever Python a test puts there."""

    def __init__(self, folder: Path):
        names = ("my checkout", "bin", "home", "work here")
        self.checkout, self.bin, self.home, self.work = (folder / name for name in names)
        for path in (self.checkout, self.bin, self.home, self.work):
            path.mkdir()
        for name in ("run_all.sh", "pyproject.toml", "requirements.lock"):
            shutil.copy(ROOT / name, self.checkout)
        for tool in TOOLS:
            (self.bin / tool).symlink_to(shutil.which(tool))

    def program(self, name: str, script: str) -> Path:
        path = self.bin / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.unlink(missing_ok=True)
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(0o755)
        return path

    def recorder(self, name: str) -> Path:
        """A Python that meets every requirement and says how it is called."""
        return self.program(name, 'case "$1" in -c) ;; *) printf "[%s]" "$PWD" "$PYTHONPATH" "$@" ;; esac')

    def command(self, *arguments: str) -> list[str]:
        return [str(self.bin / "bash"), str(self.checkout / "run_all.sh"), *arguments]

    def environment(self, **variables) -> dict[str, str]:
        return {"PATH": str(self.bin), "HOME": str(self.home)} | {k: str(v) for k, v in variables.items()}

    def run(self, *arguments: str, **variables) -> subprocess.CompletedProcess:
        return subprocess.run(self.command(*arguments), cwd=self.work, env=self.environment(**variables), capture_output=True, text=True)


@pytest.fixture
def machine(tmp_path):
    return Machine(tmp_path)


def words(text: str) -> list[str]:
    return re.findall(r"\[(.*?)\]", text)


@pytest.mark.parametrize("script", ["run_all.sh", ".ci/run"])
def test_scripts_parse_and_are_executable(script):
    subprocess.run(["bash", "-n", ROOT / script], check=True)
    assert os.access(ROOT / script, os.X_OK)


def test_help_makes_nothing_and_asks_python_for_the_options_of_the_study(machine):
    alone = machine.run("--help")
    assert (alone.returncode, alone.stderr) == (0, "") and "usage: run_all.sh" in alone.stdout and "lab [JUPYTER" in alone.stdout
    assert not (machine.checkout / ".venv").exists()
    told = machine.run("-h", MTT_PYTHON=machine.recorder("mypython"))
    assert "[-m][mtt][study][--help]" in told.stdout and "[-m][mtt][collections]" in told.stdout


def test_python_judges_every_argument_of_the_study_in_the_callers_folder(machine):
    arguments = ["--profile=smoke", "--collection", "my tracks.csv", "--out", "pages", "-p", "SEED", "-1", "-p", "A", "b c", "--nonsense"]
    result = machine.run(*arguments, MTT_PYTHON=machine.recorder("mypython"))
    assert result.returncode == 0, result.stderr
    assert words(result.stdout) == [str(machine.work), str(machine.checkout), "-m", "mtt", "study", *arguments]
    assert words(machine.run(MTT_PYTHON=machine.recorder("mypython")).stdout)[2:] == ["-m", "mtt", "study"]


@pytest.mark.parametrize("variable", ["VIRTUAL_ENV", "CONDA_PREFIX"])
def test_active_environment_is_used_as_it_is(machine, variable):
    machine.recorder("active/bin/python")
    result = machine.run("lab", "--no-browser", **{variable: machine.bin / "active"})
    expected = ["-m", "jupyterlab", f"--notebook-dir={machine.checkout}/notebooks", "--no-browser"]
    assert words(result.stdout)[2:] == expected, result.stderr
    assert not (machine.checkout / ".venv").exists()


def test_test_runs_ruff_then_pytest_with_the_given_arguments(machine):
    result = machine.run("test", "-k", "a or b", MTT_PYTHON=machine.recorder("mypython"))
    _, check, layout, tests = result.stdout.split("[-m]")
    assert check.startswith("[ruff][check][.]") and layout.startswith("[ruff][format][--check]")
    assert words(tests) == ["pytest", "-k", "a or b"]
    several = machine.run("test", MTT_PYTHON=machine.recorder("mypython")).stdout.split("[-m]")[-1]
    assert words(several)[:2] == ["pytest", "-n"]


def test_real_interpreter_is_checked_against_pyproject(machine):
    """An environment that lacks a package is refused by name: here one with nothing but Python's own library."""
    bare = machine.program("bare", f'exec "{sys.executable}" -I -S "$@"')
    for python, reason in ((bare, "lacks packaging; install it there, or unset MTT_PYTHON"), ("nowhere/python", "is not a program")):
        result = machine.run(MTT_PYTHON=python)
        assert (result.returncode, result.stderr) == (1, f"run_all.sh: MTT_PYTHON={python} {reason}\n")


@pytest.mark.parametrize(
    ("python3", "reason"),
    [
        (None, "no Python 3.11, 3.12 or 3.13 was found; install one"),
        ('echo "3.9"', "no Python 3.11, 3.12 or 3.13 was found (python3 is Python 3.9); install one"),
        ('case "$2" in *ensurepip*) exit 1;; *) echo "3.12";; esac', "apt-get install python3.12-venv"),
    ],
)
def test_unfit_python_is_named_with_the_remedy(machine, python3, reason):
    if python3:
        machine.program("python3", python3)
    result = machine.run()
    assert result.returncode == 1 and reason in result.stderr and len(result.stderr.splitlines()) == 1
    assert not (machine.checkout / ".venv").exists()


def installing_python(machine: Machine, uv: str = "true", pip: str = "true") -> None:
    """A python3 whose `venv` copies it into the environment, where scripts play `uv pip install` and `pip install`."""
    machine.program(
        "python3",
        f"""
        echo "$@" >>"{machine.home}/calls"
        case "$*" in
            *version_info*hashlib* | *hashlib*version_info*) echo abc ;;
            *"print("*version_info*) echo 3.11 ;;
            "-m venv "*) mkdir -p "$3/bin" && cat "$0" >"$3/bin/python" && /bin/chmod +x "$3/bin/python" ;;
            *"uv pip install"*) {uv} ;;
            *"pip install"*" -r requirements.lock") {pip} ;;
            *"mtt study"*) echo "the study runs" ;;
        esac
        """,
    )


def test_environment_is_made_once(machine):
    installing_python(machine)
    first, second = machine.run(), machine.run()
    assert (first.returncode, first.stdout) == (0, "the study runs\n"), first.stderr
    assert (second.returncode, second.stdout, second.stderr) == (0, "the study runs\n", "")
    calls = (machine.home / "calls").read_text()
    assert calls.count("-m venv ") == 1
    assert len(re.findall("uv pip install.*--require-hashes -r requirements.lock", calls)) == 1
    tools = (machine.checkout / ".venv/tools.txt").read_text()
    assert re.findall(r"^\S+==", tools, re.MULTILINE) == ["setuptools==", "uv=="]
    assert tools.count("--hash=") > 2


@pytest.mark.parametrize("change", [lambda stamp: stamp.rename(stamp.with_name(".mtt-older")), Path.unlink])
def test_an_environment_of_another_lock_is_made_anew_and_one_that_is_not_ours_completed(machine, change):
    installing_python(machine)
    machine.run()
    (machine.checkout / ".venv/mine").touch()
    change(machine.checkout / ".venv/.mtt-abc")
    assert machine.run().returncode == 0
    assert (machine.checkout / ".venv/mine").exists() == (change is Path.unlink) and not list(machine.checkout.glob(".venv.old*"))


def test_failed_installation_shows_the_log_and_is_made_anew(machine):
    installing_python(machine, uv='echo "the mirror is down"; exit 1', pip="exit 1")
    result = machine.run()
    assert result.returncode == 1 and "the mirror is down" in result.stderr
    assert result.stderr.splitlines()[-1].startswith("run_all.sh: the packages could not be installed (see above); ")
    installing_python(machine, uv='case "$*" in *"-r requirements.lock"*) exit 1 ;; esac')
    result = machine.run()
    assert (result.returncode, result.stdout) == (0, "the study runs\n") and "trying pip" in result.stderr, result.stderr
    assert re.search("-m pip install .*--no-index --no-deps --editable .", (machine.home / "calls").read_text())


def test_full_disk_is_said_before_downloading(machine):
    installing_python(machine)
    machine.program("df", 'echo "Filesystem 1024-blocks Used Available"; echo "disk 100 99 1000000 99% /"')
    result = machine.run()
    assert result.returncode == 1 and re.search(r"the environment needs \d GB and \S.* has 1 GB free; make room", result.stderr)


@pytest.mark.parametrize("stubborn", ["", "trap '' TERM; "])
def test_interrupted_installation_exits_130_and_goes_on_the_next_time(machine, stubborn):
    installing_python(machine, uv=f'{stubborn}echo "$$" >"{machine.home}/pid"; exec sleep 60')
    process = subprocess.Popen(machine.command(), cwd=machine.work, env=machine.environment(), stderr=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 30
    while not (machine.home / "pid").exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    errors = process.communicate(timeout=30)[1]
    assert process.returncode == 130
    assert errors.splitlines()[-1] == "run_all.sh: stopped; run it again to go on"
    with pytest.raises(ProcessLookupError):
        for _ in range(100):  # what is dead stands in the table until somebody takes note
            os.kill(int((machine.home / "pid").read_text()), 0)
            time.sleep(0.1)
    installing_python(machine)
    result = machine.run()
    assert (result.returncode, result.stdout) == (0, "the study runs\n"), result.stderr
