"""The benchmarks still run, on small sizes."""

import subprocess
import sys
from pathlib import Path

import pytest


@pytest.mark.long
def test_every_benchmark_leaves_its_rows():
    command = [sys.executable, "-m", "tests.benchmarks", "--tiny"]
    done = subprocess.run(command, cwd=Path(__file__).parents[1], capture_output=True, text=True, timeout=900)
    assert done.returncode == 0 and "FAILED" not in done.stdout, done.stdout + done.stderr[-2000:]
