"""Programs in processes of their own, to which something happens at a named point (see ``hook/sitecustomize.py``)."""

import json
import os
import signal
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
MTT = ("-m", "mtt")


@dataclass(frozen=True)
class Ended:
    code: int
    out: str
    errors: list[str]  # lines of standard error
    events: int  # how many matched the fault's point
    struck: bool


def start(arguments: tuple[str, ...], folder: Path, **environment: str) -> subprocess.Popen:
    """Python with these arguments in ``folder``, in a process group of its own; its MTT_HOME is ``folder/home``."""
    surroundings = {**os.environ, "PYTHONPATH": str(ROOT), "MTT_HOME": str(folder / "home"), **environment}
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True, "errors": "replace"}
    return subprocess.Popen([sys.executable, *arguments], cwd=folder, env=surroundings, start_new_session=True, **pipes)


def run(
    arguments: tuple[str, ...],
    folder: Path,
    point: str = "",
    at: int = 0,
    after: bool = False,
    sent: int = signal.SIGKILL,
    **environment: str,
) -> Ended:
    """Run Python to its end, or until ``sent`` strikes at the ``at``-th event that matches ``point``."""
    with tempfile.TemporaryDirectory() as notes:
        if point:
            fault = {"point": point, "at": at, "after": after, "signal": int(sent), "notes": notes}
            environment |= {"FAULT": json.dumps(fault), "PYTHONPATH": f"{Path(__file__).parent / 'hook'}:{ROOT}"}
        process = start(arguments, folder, **environment)
        out, errors = process.communicate(timeout=900)
        counted, struck = Path(notes, "events"), Path(notes, "struck").exists()
        lines = [line for line in errors.replace("\r", "\n").splitlines() if line.strip()]
        return Ended(process.returncode, out, lines, counted.stat().st_size if counted.exists() else 0, struck)
