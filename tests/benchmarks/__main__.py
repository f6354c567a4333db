"""All benchmarks as one table: what, ours, baseline, ratio, spread, and the machine in its head; made for ten minutes of two quiet cores.

    python -m tests.benchmarks [NAME...] [--tiny]          python -m tests.benchmarks models audio

Every script runs in a process of its own and says more than its rows (on standard error). A ratio is of times of one process; the spread
is by how much the slowest of our runs took longer than the fastest, which counts. ``--tiny`` tries every line on small sizes.
"""

import argparse
import datetime
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import torch

FOLDER = Path(__file__).resolve().parent
ROOT = FOLDER.parents[1]
SCRIPTS = {path.stem.removeprefix("bench_"): path for path in sorted(FOLDER.glob("bench_*.py"))}


def rows_of(script: Path, tiny: bool) -> list[dict]:
    """What a script leaves; where it fails, what it left until then and a row that says so."""
    with tempfile.TemporaryDirectory() as folder:
        rows = Path(folder) / "rows"
        rows.touch()
        found = os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH"))))
        own = {"PYTHONPATH": found, "BENCHMARK_ROWS": str(rows)} | ({"BENCHMARK_TINY": "1"} if tiny else {})
        words = ["--tiny"] if tiny and script.stem == "bench_gpu" else []
        done = subprocess.run([sys.executable, script, *words], cwd=ROOT, env={**os.environ, **own}, stdout=sys.stderr)
        found = [json.loads(line) for line in rows.read_text().splitlines()]
    return found + ([{"what": f"{script.name} FAILED"}] if done.returncode else [])


def duration(seconds: float) -> str:
    for unit, many in (("s", 1.0), ("ms", 1e-3)):
        if seconds >= many:
            return f"{seconds / many:.3g} {unit}"
    return f"{seconds * 1e6:.3g} µs"


def machine() -> str:
    """The processor, or the GPU beside it."""
    lines = Path("/proc/cpuinfo").read_text().splitlines() if Path("/proc/cpuinfo").exists() else []
    named = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    parts = [f"{os.cpu_count()} cores of {named[0] if named else platform.processor() or platform.machine()}", f"torch {torch.__version__}"]
    return ", ".join(([torch.cuda.get_device_name()] if torch.cuda.is_available() else []) + parts)


def table(rows: list[dict]) -> str:
    """In Markdown."""
    lines = [f"| {machine()}, {datetime.date.today()} | ours | baseline | ratio | spread |", "|---|---|---|---|---|"]
    for row in rows:
        cells = [row["what"], *[""] * 4]
        if ours := row.get("ours"):
            baseline = f"{duration(row['baseline'])}, {row['named']}"
            cells[1:] = duration(ours), baseline, f"{row['baseline'] / ours:.3g}", f"{row['spread']:.0%}"
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", metavar="NAME", nargs="*", help=f"of {', '.join(SCRIPTS)}; all if none is given")
    parser.add_argument("--tiny", action="store_true")
    given = parser.parse_args()
    if unknown := set(given.names) - SCRIPTS.keys():
        parser.error(f"no benchmark is called {', '.join(sorted(unknown))}; there are {', '.join(SCRIPTS)}")
    started, made = time.perf_counter(), []
    for name in given.names or SCRIPTS:
        print(f"\n==== {name}, after {time.perf_counter() - started:.0f} s", file=sys.stderr, flush=True)
        made += rows_of(SCRIPTS[name], given.tiny)
    print(table(made))
    sys.exit(any("ours" not in row for row in made))
