"""Cost, memory and borders of the explanations, on one thread, for a model of the demo profile's size; of an hour, on two, for the paper's
compact student.

    python tests/benchmarks/bench_explain.py [--model runs/demo/teacher --corpus]

Baseline of the ratios: one plain pass of the same model over the same audio in 5 s clips, in batches of 96 s. ``--corpus`` also takes the
embedded corpus's music, for localisation, deletion and the borders of windows.
"""

import argparse
import tempfile
import time
from pathlib import Path

import numpy as np
import soundfile
import torch
from frame import fastest, peak_gb, show, size

from mtt.collections.load import load_corpus
from mtt.config import DEMO, SAMPLE_RATE, ModelConfig
from mtt.explain.attention import curves_with_attention
from mtt.explain.curves import tag_curves
from mtt.explain.deletion import summarise_deletion, track_deletion
from mtt.explain.localisation import summarise_localisation, track_localisation
from mtt.files import keep_freed_memory
from mtt.models import build_model, load_model
from mtt.models.frontend import TaggingModel

WINDOW, HOP, TRACKS = 5.0, 0.5, 40


@torch.inference_mode()
def scores(model: TaggingModel, wave: np.ndarray, starts: np.ndarray) -> np.ndarray:
    """Of windows that are cut from the waveform and scored from scratch."""
    length = int(WINDOW * SAMPLE_RATE)
    cut = torch.from_numpy(np.stack([wave[start : start + length] for start in starts if start + length <= len(wave)]))
    return torch.cat([torch.sigmoid(model(part)) for part in cut.split(int(96 / WINDOW))]).numpy()


def naive_curve(model: TaggingModel, wave: np.ndarray) -> np.ndarray:
    """At the places of the curve."""
    step = 4 * model.config.hop
    return scores(model, wave, np.rint(np.arange(0, len(wave), HOP * SAMPLE_RATE) / step).astype(int) * step)


def cost(model: TaggingModel, wave: np.ndarray) -> None:
    functions = {
        "one plain pass": lambda: scores(model, wave, np.arange(0, len(wave), int(WINDOW * SAMPLE_RATE))),
        "tag curve": lambda: tag_curves(model, wave, WINDOW, HOP),
        "tag curve and attention": lambda: curves_with_attention(model, wave, WINDOW, HOP),
        "naive tag curve": lambda: naive_curve(model, wave),
    }
    show(f"{len(wave) / SAMPLE_RATE:.0f} s of audio", {name: fastest(function) for name, function in functions.items()})


def memory(model: TaggingModel) -> None:
    """From five minutes of audio in a file to an hour."""
    random = np.random.default_rng(0)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "long.wav"
        for minutes in (size(5, 1), size(60, 2)):
            with soundfile.SoundFile(path, "w", SAMPLE_RATE, 1) as file:
                for _ in range(minutes):
                    file.write(0.1 * random.standard_normal(60 * SAMPLE_RATE, dtype=np.float32))
            started = time.perf_counter()
            points = len(curves_with_attention(model, path, WINDOW, HOP)[0].times)
            took = time.perf_counter() - started
            print(f"a file of {minutes} min: {points} points, peak memory so far {peak_gb():.2f} GB")
            show(f"curves and attention of a file of {minutes} min", {"listening to it": 60.0 * minutes, "ours": took})


def on_music(model: TaggingModel) -> None:
    corpus = load_corpus("synthetic", DEMO.corpus, progress=False)
    model.tags = model.tags or corpus.tags
    ids = list(corpus.tracks.index[corpus.truth.any(axis=1)][-TRACKS:])
    waves = [corpus.read(track_id) for track_id in ids[:10]]
    pairs = [(tag_curves(model, wave, WINDOW, HOP).probabilities, naive_curve(model, wave)) for wave in waves]
    different = np.concatenate([np.abs(found[: len(cut)] - cut[: len(found)]) for found, cut in pairs])
    spread = np.mean([cut.std(axis=0) for _, cut in pairs])
    print(f"curve against cut windows: mean |difference| {different.mean():.4f}, 99th percentile {np.quantile(different, 0.99):.4f}")
    print(f"standard deviation of a curve over its track: {spread:.4f}")
    print(summarise_localisation(track_localisation(model, corpus, ids)).round(3).to_string())
    found = summarise_deletion(track_deletion(model, corpus, ids))
    print(found.summary.round(4).to_string())
    for name, difference in (("random", found.versus_random), ("shifted", found.versus_shifted)):
        print(f"attended minus {name}: {difference.effect:.4f} [{difference.lo:.4f}, {difference.hi:.4f}]")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", help="model folder; a random model of the demo profile's size if not given")
    parser.add_argument("--corpus", action="store_true", help="music of the embedded corpus, made if it is not there")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    keep_freed_memory()  # as every command does
    tagger = (load_model(arguments.model) if arguments.model else build_model(DEMO.teacher, 26, seed=0)).eval()
    cost(tagger, (0.1 * np.random.default_rng(0).standard_normal(size(120, 20) * SAMPLE_RATE)).astype(np.float32))
    torch.set_num_threads(2)
    memory(build_model(ModelConfig(width=64), 50, seed=0).eval())
    torch.set_num_threads(1)
    if arguments.corpus:
        on_music(tagger)
