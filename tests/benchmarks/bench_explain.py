"""Cost, memory and borders of the explanations, on one thread, for a model of the demo profile's size.

    python tests/benchmarks/bench_explain.py [--model runs/demo/teacher --corpus --tracks 40] [--hour]

Baseline of the ratios: one plain pass of the same model over the same audio in 5 s clips, in batches of 96 s, in the same process. Times
are processor time, fastest of five, so that other work on the machine counts little. ``--corpus`` also
takes the embedded corpus's music, for localisation, deletion and the borders of windows; ``--hour`` alone follows the memory from five
minutes of audio in a file to an hour (Linux).
"""

from __future__ import annotations

import argparse
import resource
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import soundfile
import torch

from mtt.collections.load import load_corpus
from mtt.config import DEMO, SAMPLE_RATE
from mtt.data.corpus import Corpus
from mtt.explain.attention import attention_curves
from mtt.explain.curves import tag_curves
from mtt.explain.deletion import summarise_deletion, track_deletion
from mtt.explain.localisation import summarise_localisation, track_localisation
from mtt.models import build_model, load_model
from mtt.models.frontend import TaggingModel

WINDOW, HOP = 5.0, 0.5


def fastest(function: Callable, repeats: int = 5) -> float:
    seconds = []
    for _ in range(repeats + 1):
        start = time.process_time()
        function()
        seconds.append(time.process_time() - start)
    return min(seconds[1:])


@torch.inference_mode()
def plain(model: TaggingModel, wave: np.ndarray) -> None:
    length = int(WINDOW * SAMPLE_RATE)
    for clips in torch.from_numpy(wave[: len(wave) // length * length].reshape(-1, length)).split(int(96 / WINDOW)):
        model(clips)


def naive_curve(model: TaggingModel, wave: np.ndarray) -> np.ndarray:
    """Every window cut from the waveform and scored from scratch, at the places of the curve."""
    step, length = 4 * model.config.hop, int(WINDOW * SAMPLE_RATE)
    starts = np.rint(np.arange(0, len(wave) - length, HOP * SAMPLE_RATE) / step).astype(int) * step
    cut = torch.from_numpy(np.stack([wave[start : start + length] for start in starts if start + length <= len(wave)]))
    with torch.inference_mode():
        return torch.cat([torch.sigmoid(model(part)) for part in cut.split(int(96 / WINDOW))]).numpy()


def cost(model: TaggingModel, wave: np.ndarray) -> None:
    baseline = fastest(lambda: plain(model, wave))
    print(f"{len(wave) / SAMPLE_RATE:.0f} s of audio, one plain pass in {WINDOW:g} s clips: {1000 * baseline:.0f} ms")
    for name, function in {
        "tag curve": lambda: tag_curves(model, wave, WINDOW, HOP),
        "attention curve": lambda: attention_curves(model, wave, WINDOW, HOP),
        "naive tag curve": lambda: naive_curve(model, wave),
    }.items():
        print(f"{name:16s} {WINDOW:g} s windows every {HOP:g} s: {fastest(function) / baseline:.2f} times the plain pass")


def borders(model: TaggingModel, waves: list[np.ndarray]) -> None:
    """What the music beyond a window's borders does to the curve."""
    pairs = [(tag_curves(model, wave, WINDOW, HOP).probabilities, naive_curve(model, wave)) for wave in waves]
    different = np.concatenate([np.abs(found[: len(cut)] - cut[: len(found)]) for found, cut in pairs])
    spread = np.mean([cut.std(axis=0) for _, cut in pairs])
    print(f"curve against cut windows: mean |difference| {different.mean():.4f}, 99th percentile {np.quantile(different, 0.99):.4f}")
    print(f"standard deviation of a curve over its track: {spread:.4f}")


def scores(model: TaggingModel, corpus: Corpus, ids: list[str]) -> None:
    start = time.process_time()
    table = summarise_localisation(track_localisation(model, corpus, ids))
    print(f"localisation, {len(ids)} tracks: {time.process_time() - start:.1f} s\n{table.round(3).to_string()}")
    start = time.process_time()
    found = summarise_deletion(track_deletion(model, corpus, ids))
    print(f"deletion, {len(ids)} tracks: {time.process_time() - start:.1f} s\n{found.summary.round(4).to_string()}")
    for name, difference in (("random", found.versus_random), ("shifted", found.versus_shifted)):
        print(f"attended minus {name}: {difference.effect:.4f} [{difference.lo:.4f}, {difference.hi:.4f}]")


def hour(model: TaggingModel) -> None:
    random, seen = np.random.default_rng(0), []
    model.blocks.register_forward_hook(lambda *_: seen.append(current_memory()))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "long.wav"
        for minutes in (5, 60):
            with soundfile.SoundFile(path, "w", SAMPLE_RATE, 1) as file:
                for _ in range(minutes):
                    file.write(0.1 * random.standard_normal(60 * SAMPLE_RATE, dtype=np.float32))
            seen[:] = [before := current_memory()]
            start = time.process_time()
            curves = tag_curves(model, path, WINDOW, HOP)
            seconds = time.process_time() - start
            print(
                f"{minutes} min: {len(curves.times)} points, {seconds:.1f} s; {before:.0f} MB before, at most {max(seen):.0f} MB in a block"
            )


def current_memory() -> float:
    """Resident memory of this process in MB (Linux)."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize() / 2**20


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", help="model folder; a random model of the demo profile's size if not given")
    parser.add_argument("--corpus", action="store_true", help="music of the embedded corpus, made if it is not there")
    parser.add_argument("--tracks", type=int, default=40)
    parser.add_argument("--hour", action="store_true")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    model = load_model(arguments.model) if arguments.model else build_model(DEMO.teacher, 26, seed=0)
    model.eval()
    if arguments.hour:
        return hour(model)
    noise = (0.1 * np.random.default_rng(0).standard_normal(120 * SAMPLE_RATE)).astype(np.float32)
    cost(model, noise)
    if arguments.corpus:
        corpus = load_corpus("synthetic", DEMO.corpus, progress=False)
        model.tags = model.tags or corpus.tags
        ids = list(corpus.tracks.index[corpus.truth.any(axis=1)][-arguments.tracks :])
        borders(model, [corpus.read(track_id) for track_id in ids[:10]])
        scores(model, corpus, ids)


if __name__ == "__main__":
    main()
