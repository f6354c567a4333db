"""The examples of CONTRIBUTING.md, run as they stand: each adds one object, and the study knows it everywhere."""

import re
import subprocess
import sys
from pathlib import Path

import numpy as np

from tests.tiny import write_audio

ROOT = Path(__file__).parents[1]
USE = """
import numpy as np
import torch

from mtt.collections import published
from mtt.collections.load import collection_help, load_corpus
from mtt.config import SMOKE, AugmentConfig, ModelConfig
from mtt.data.augment import augment
from mtt.models import build_model, load_model, save_model
from mtt.reporting import figures
from mtt.reporting.pages import words
from mtt.study import recipes

published.__path__.append(sys.argv[2])
assert "toys:ROOT" in collection_help() and "toys that squeak" in collection_help()
corpus = load_corpus("toys:" + sys.argv[1], cache=sys.argv[1] + "/cache", progress=False)
assert len(corpus) == 2 and corpus.tags == ["toy"] and list(corpus.artists) == ["a", "b"]

model = build_model(ModelConfig(architecture="loudness"), 2, seed=0)
save_model(model, sys.argv[1] + "/model", ["x", "y"])
assert load_model(sys.argv[1] + "/model")(torch.zeros(3, 22050)).shape == (3, 2)

only = AugmentConfig(probability={name: float(name == "offset") for name in EFFECTS}, ranges={"volts": (0.05, 0.05)})
assert torch.allclose(augment(torch.zeros(2, 100), only, seed=0), torch.tensor(0.05))

entry = {"id": "C8", "effect": 0.01, "interval": [0.005, 0.02], "by_replicate": [0.01], "verdict": CLAIMS["C8"].verdict(0.005, 0.02)}
entry |= {"versus": "", "reference": None, "replicates": 2}
said = words.claim(entry)
assert said.startswith("Supported: noise raises the student's ROC-AUC by 0.010"), said
assert words.headline([entry]) == "Of 9 claims, 1\\u00a0supported, 8 not tested in this run."

assert figures.tempo([90, 120]).alt == "Histogram of the tempi of 2 tracks." and figures.tempo([90, 120]).png()

assert recipes.lineup(SMOKE)["student-doubtful"].colour == "#AA4499"
assert recipes.recipe(SMOKE, "student-doubtful").student.unlabelled_weight == 0.5
print("all six are known")
"""


def test_every_example_of_contributing_adds_what_it_says(tmp_path):
    data_set, *examples = re.findall(r"```python\n(.*?)```", (ROOT / "CONTRIBUTING.md").read_text(), re.DOTALL)
    (tmp_path / "published").mkdir()
    (tmp_path / "published" / "toys.py").write_text(data_set)
    for name in ("a1.wav", "b1.wav"):
        wave = 0.1 * np.random.default_rng(ord(name[0])).standard_normal(44_100)
        write_audio(tmp_path / "toys" / "audio" / name, wave.astype(np.float32))
    (tmp_path / "use.py").write_text("\n".join(["import sys", *examples, USE]))
    command = [sys.executable, tmp_path / "use.py", tmp_path / "toys", tmp_path / "published"]
    done = subprocess.run(command, cwd=ROOT, env={"PYTHONPATH": str(ROOT), "PATH": ""}, capture_output=True, text=True, timeout=300)
    assert done.stdout == "all six are known\n", done.stderr[-2000:]
    assert len(examples) == 5
