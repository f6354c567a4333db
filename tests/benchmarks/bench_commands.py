"""What a user waits for, by the wall: commands from start to end, and the songs of a library, one after the other and in parallel.

    python tests/benchmarks/bench_commands.py

Songs are stereo MP3s of four minutes; models are the paper's compact student and one of the demo's size. A command's baseline is what
Python and torch take to start.
"""

import subprocess
import sys
import tempfile
import time
from pathlib import Path

from frame import fastest, music, show, size
from torch import nn

from mtt.config import DEMO, PAPER, ModelConfig
from mtt.explain.tagging import tag_file, tag_files
from mtt.files import keep_freed_memory
from mtt.models import build_model, save_model
from tests.tiny import write_audio

SECONDS, RATE, SONGS, ALONE = size(240, 3), 44_100, 48, 8
SIZES = {"compact": ModelConfig(width=64), "small": DEMO.teacher}


def command(*words: str):
    return lambda: subprocess.run([sys.executable, *words], check=True, capture_output=True)


def saved(config: ModelConfig, folder: Path) -> nn.Module:
    tags = [f"tag {number}" for number in range(50)]
    model = build_model(config, len(tags), seed=0).eval()
    model.tags, model.clip_seconds = tags, PAPER.train.clip_seconds
    save_model(model, folder, tags, {"clip_seconds": model.clip_seconds})
    return model


def main() -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        models = {part: saved(config, folder / part) for part, config in SIZES.items()}
        songs = [folder / f"{number}.mp3" for number in range(SONGS)]
        write_audio(songs[0], music(SECONDS, RATE, 2), RATE)
        for path in songs[1:]:
            path.hardlink_to(songs[0])
        took = {"import torch": command("-c", "import torch"), "--help": command("-m", "mtt", "--help")}
        for part in SIZES:
            took[f"tag of one song, {part}"] = command("-m", "mtt", "tag", str(songs[0]), "--model", str(folder / part))
            page = ["--out", str(folder / "page.html"), "--force"]
            took[f"explain of one song, {part}"] = command("-m", "mtt", "explain", str(songs[0]), "--model", str(folder / part), *page)
        show("a command", {what: fastest(run, 2, time.perf_counter) for what, run in took.items()})
        keep_freed_memory()  # as every command does
        for part, model in models.items():
            parameters = sum(one.numel() for one in model.parameters())
            title = f"tagging a song of {SECONDS} s of a library of {SONGS}, {part}, {parameters:,} parameters"
            alone = fastest(lambda model=model: [tag_file(model, path) for path in songs[:ALONE]], 1, time.perf_counter)
            together = fastest(lambda model=model: [*tag_files(model, songs)], 1, time.perf_counter)
            show(title, {"one after the other": alone / ALONE, "tag_files": together / SONGS})


if __name__ == "__main__":
    main()
