"""Distillation: a Transformer for real music, from unlabelled music and a tagger that somebody else trained.

Conventions: the noisy student of the paper (section 3.3) without its labelled half, on logits. The teacher hears evenly spaced clips clean,
the student prepared augmented variants of them. A tenth of the artists is held out for validation and a tenth for the test; *agreement* is
the correlation of the student's probabilities of held-out tracks with the teacher's, over tracks, as a mean over tags. The work lies in
a folder of ``runs`` and goes on where it was stopped.
"""

from __future__ import annotations

import math
import time
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import scipy
import torch
from torch import nn
from tqdm import tqdm

from mtt.collections.duplicates import clean, find_duplicates
from mtt.collections.load import load_corpus
from mtt.config import AugmentConfig, ModelConfig, TrainConfig
from mtt.data.batches import ClipBatches, Source
from mtt.data.corpus import Corpus
from mtt.evaluation.metrics import roc_auc
from mtt.evaluation.predict import over_tracks, pick_device, predict_clips
from mtt.files import MttError, fingerprint, home, kept_arrays, read_json, write_json
from mtt.models import build_model, load_model, save_model
from mtt.models.checkpoint import DESCRIPTION, loaded
from mtt.models.mels import make_mels
from mtt.training.fit import fit, seconds_a_step
from mtt.training.student import Imitation

SIZES = {  # small enough for a page; and the paper's compact student, at half its rate of frames
    "small": ModelConfig(channels=16, width=64, heads=4, layers=2, n_fft=2048, hop=1024, n_mels=64),
    "compact": ModelConfig(channels=128, width=64, heads=8, layers=4, n_fft=2048, hop=1024),
}
RATES = {"small": 3e-3, "compact": 1e-3}
TRAIN = TrainConfig(batch_size=32, clip_seconds=6.0, schedule="cosine", warmup_steps=100, weight_decay=0.01, prepared=4)
SLOTS = 10  # places of a track that the teacher hears
PASSES = 400  # at most, over the tracks
HELD_OUT = 0.1  # of the artists, for validation and again for the test
EVALUATIONS = 20


@dataclass(frozen=True)
class Distilled:
    """What came of it: the model's folder, and on held-out tracks a row a tag.

    ``agreement`` has ``correlation``, ``logit_correlation`` and ``difference`` (mean absolute), and where the collection has labels of the
    teacher's tags ``positives`` and ROC-AUC of ``student`` and ``teacher``.
    """

    folder: Path
    agreement: pd.DataFrame
    tracks: dict[str, int]


def distill(
    collection: str | Path, teacher: str | Path, out: str | Path, size: str = "small", minutes: float = 30.0, progress: bool = True
) -> Distilled:
    """Train a student of the model in ``teacher`` on ``collection`` within about ``minutes`` and write it to the folder ``out``.

    Raises ``MttError`` for a collection of fewer than three artists, and as ``load_corpus`` and ``load_model`` do.
    """
    started, shape = time.monotonic(), SIZES[size]
    tagger = load_model(teacher)
    corpus = _cleaned(load_corpus(collection, progress=progress))
    sets = held_out_sets(corpus)
    about = [corpus.digest, read_json(Path(teacher) / DESCRIPTION)["weights_sha256"], TRAIN.clip_seconds, SLOTS]
    work = home() / "runs" / f"distill-{corpus.name}-{fingerprint(about)}"
    listen = partial(_teacher_scores, work, about, str(teacher), replace(corpus, fingerprints={}))
    scores = {name: over_tracks(listen, ids, f"the teacher listens ({name})", progress) for name, ids in sets.items()}
    kept = work / f"mels-{fingerprint([shape.n_fft, shape.hop, shape.n_mels, TRAIN.prepared])}"
    held_out = [*sets["valid"], *sets["test"]]
    mels = make_mels(kept, corpus, held_out, sets["train"], shape, AugmentConfig(), TRAIN.prepared, progress)
    model = build_model(replace(shape, dropout=0.1), tagger.n_tags, seed=0).to(pick_device())
    batches = ClipBatches(mels, sets["train"], TRAIN.batch_size, TRAIN.clip_seconds, seed=0, slots=SLOTS)
    objective, folder = Imitation(batches, scores["train"]), work / f"logits-{size}-{minutes:g}"
    with torch.no_grad():
        model.head[-1].bias.copy_(objective.mean)  # it begins with what is usual
    train = _sized(folder, objective, model, size, len(sets["train"]), 60 * minutes - (time.monotonic() - started))
    with tqdm(total=train.steps, desc="distilling", unit="step", disable=not progress) as bar:

        def validate(student: nn.Module) -> float:
            found = agreement(heard(student, mels, sets["valid"]), scores["valid"].mean(axis=1))["correlation"].mean()
            bar.set_postfix_str(f"agreement {found:.3f}", refresh=False)
            return found

        fit(model, objective, validate, train, folder, 0, lambda step: bar.update(step - bar.n))
    found = agreement(heard(model, mels, sets["test"]), scores["test"].mean(axis=1), tagger.tags)
    found = found.join(_against_labels(corpus, sets["test"], tagger.tags, heard(model, mels, sets["test"]), scores["test"].mean(axis=1)))
    tracks = {name: len(ids) for name, ids in sets.items()}
    provenance = {
        "distilled_from": tagger.provenance,
        "collection": {"name": corpus.name, "tracks": tracks, "labels": "none were used"},
        "clip_seconds": TRAIN.clip_seconds,
        "training": {"steps": train.steps, "batch_size": train.batch_size, "minutes": minutes},
        "agreement": {name: round(float(found[name].mean()), 4) for name in ("correlation", "logit_correlation", "difference")},
    }
    return Distilled(save_model(model.cpu(), out, tagger.tags, provenance), found, tracks)


def _cleaned(corpus: Corpus) -> Corpus:
    """Without copies: the same music on both sides would count as agreement."""
    duplicates = find_duplicates(corpus.tracks["digest"], corpus.fingerprints)
    return corpus.keep(clean(corpus.tracks, corpus.is_labelled, duplicates)[0])


def held_out_sets(corpus: Corpus) -> dict[str, list[str]]:
    """Tracks of ``train``, ``valid`` and ``test``, by artist; a track without one counts as one. Raises ``MttError`` for too few."""
    ids = corpus.tracks.index
    artists = pd.Series(np.where(corpus.artists == "", "track " + ids, "artist " + corpus.artists), ids)
    order = np.random.default_rng(0).permutation(artists.unique())
    if len(order) < 3:
        raise MttError(f"{corpus.name}: {len(order)} artists; distilling needs three, of whom two are held out: add music of others")
    count = max(1, round(HELD_OUT * len(order)))
    parts = {"valid": order[:count], "test": order[count : 2 * count], "train": order[2 * count :]}
    return {name: list(ids[artists.isin(part)]) for name, part in parts.items()}


def _teacher_scores(work: Path, about: list, teacher: str, corpus: Corpus, ids: list[str]) -> np.ndarray:
    """The teacher's probabilities (n_tracks, SLOTS, n_tags) of evenly spaced clips; what is there is read back."""

    def make() -> dict[str, np.ndarray]:
        return {"scores": predict_clips(loaded(teacher), corpus, ids, TRAIN.clip_seconds, SLOTS)}

    return kept_arrays(work / "scores", "scores", [*about, ids], make)["scores"]


def heard(model: nn.Module, source: Source, ids: list[str]) -> np.ndarray:
    """The model's probabilities (n_tracks, n_tags), the mean over the clips that the teacher heard."""
    return predict_clips(model, source, ids, TRAIN.clip_seconds, SLOTS).mean(axis=1)


def agreement(student: np.ndarray, teacher: np.ndarray, tags: list[str] | None = None) -> pd.DataFrame:
    """Per tag: ``correlation`` of probabilities (n_tracks, n_tags) over tracks, ``logit_correlation``, ``difference`` (mean absolute)."""
    logits = (scipy.special.logit(np.clip(one.astype(float), 1e-6, 1 - 1e-6)) for one in (student, teacher))
    table = {"correlation": _correlation(student, teacher), "logit_correlation": _correlation(*logits)}
    names = pd.Index(range(student.shape[1]) if tags is None else tags, name="tag")
    return pd.DataFrame(table | {"difference": np.abs(student - teacher).mean(axis=0)}, names)


def _correlation(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Pearson's, of each column; 0 where a column does not vary."""
    a, b = a - a.mean(axis=0), b - b.mean(axis=0)
    norms = np.sqrt((a * a).sum(axis=0) * (b * b).sum(axis=0))
    return np.divide((a * b).sum(axis=0), norms, out=np.zeros(a.shape[1]), where=norms > 0)


def _against_labels(corpus: Corpus, ids: list[str], tags: list[str], student: np.ndarray, teacher: np.ndarray) -> pd.DataFrame:
    """ROC-AUC of both on the labelled tracks among ``ids``, for tags that the collection knows by the same name, whatever its case."""
    own = {tag.casefold(): column for column, tag in enumerate(corpus.tags)}
    places = [place for place, tag in enumerate(tags) if tag.casefold() in own]
    rows = corpus.is_labelled[ids].to_numpy()
    labels = corpus.labels[corpus.rows(ids)][rows][:, [own[tags[place].casefold()] for place in places]]
    names = pd.Index([tags[place] for place in places], name="tag")
    if not labels.size:
        return pd.DataFrame(columns=["positives", "student", "teacher"])
    table = {name: roc_auc(labels, one[rows][:, places]) for name, one in (("student", student), ("teacher", teacher))}
    return pd.DataFrame({"positives": labels.sum(axis=0), **table}, names).dropna()


def _sized(folder: Path, objective: Imitation, model: nn.Module, size: str, tracks: int, seconds: float) -> TrainConfig:
    """Settings with the steps that fit in ``seconds`` on this machine, at most PASSES over the tracks; kept for when it goes on."""
    known = read_json(folder / "steps.json")
    if known is None:
        rate = seconds_a_step(model, objective, TRAIN, seed=0)
        most = PASSES * tracks / TRAIN.batch_size
        known = {"steps": max(EVALUATIONS, round(min(0.9 * seconds / rate, most)))}
        write_json(folder / "steps.json", known)
    steps, rate = known["steps"], RATES[size]
    return replace(TRAIN, steps=steps, learning_rate=rate, warmup_steps=min(100, steps // 5), evaluate_every=math.ceil(steps / EVALUATIONS))
