"""What a user waits for, by the wall: commands from start to end, and the songs of a library, one after the other and in parallel.

    python tests/benchmarks/bench_commands.py

Songs are stereo MP3s of four minutes, the model has the size of the paper's compact student. A command's baseline is what Python and torch
take to start.
"""

import subprocess
import sys
import tempfile
import time
from pathlib import Path

from frame import fastest, music, show, size

from mtt.config import PAPER, ModelConfig
from mtt.data.audio import write_audio
from mtt.explain.tagging import MANY, tag_file, tag_files
from mtt.models import build_model, save_model

SECONDS, RATE = size(240, 3), 44_100


def command(*words: str):
    return lambda: subprocess.run([sys.executable, *words], check=True, capture_output=True)


def main() -> None:
    with tempfile.TemporaryDirectory() as name:
        folder, tags = Path(name), [f"tag {number}" for number in range(50)]
        model = build_model(ModelConfig(width=64), len(tags), seed=0).eval()
        model.tags, model.clip_seconds = tags, PAPER.train.clip_seconds
        save_model(model, folder / "model", tags, {"clip_seconds": model.clip_seconds})
        songs = [folder / f"{number}.mp3" for number in range(MANY)]
        for number, path in enumerate(songs):
            write_audio(path, music(SECONDS, RATE, 2, number), RATE)
        took = {
            "import torch": command("-c", "import torch"),
            "--help": command("-m", "mtt", "--help"),
            "tag of one song": command("-m", "mtt", "tag", str(songs[0]), "--model", str(folder / "model")),
        }
        show("a command", {what: fastest(run, clock=time.perf_counter) for what, run in took.items()})
        ways = {"one after the other": lambda: [tag_file(model, path) for path in songs], "tag_files": lambda: [*tag_files(model, songs)]}
        parameters = sum(one.numel() for one in model.parameters())
        title = f"tagging a song of {SECONDS} s of a library, {parameters:,} parameters"
        show(title, {how: fastest(run, 1, time.perf_counter) / len(songs) for how, run in ways.items()})


if __name__ == "__main__":
    main()
