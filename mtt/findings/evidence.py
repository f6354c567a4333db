"""Whether a study's explanations hold: localisation and deletion of its models, in its first replicate.

Conventions: one test track of each of at most ``config.explained_artists`` artists, drawn before any result is known; window and
clips of the model's clip length. The rows of every track are kept in the cell's folder and read back. An entry of ``records`` is what
results.json holds under ``explanations``.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
import torch
from joblib import Parallel, delayed
from tqdm import tqdm

from mtt.config import SAMPLE_RATE
from mtt.data.corpus import Corpus
from mtt.explain.deletion import SHARE, DeletionTest, summarise_deletion, track_deletion
from mtt.explain.localisation import EXPLANATIONS, MEAN, summarise_localisation, track_localisation
from mtt.explain.recording import count_tokens
from mtt.files import kept_arrays
from mtt.models.transformer import MusicTaggingTransformer
from mtt.study.cells import THREADS, Cell, threads
from mtt.study.replicates import Replicate
from mtt.study.workspace import Result

EVIDENCE_VERSION = 1  # raise when the same cell and tracks would give other rows
LEAST_ARTISTS = 5  # of whom a tag counts for localisation: one of a single artist would weigh as much as one of thirty
NAMES = {"curve": "tag curve", "attention": "CLS attention", "rollout": "attention rollout"}  # of EXPLANATIONS, for readers
CHANCE = 0.5  # ROC-AUC of a curve that knows nothing


@dataclass(frozen=True)
class Evidence:
    """What was found, by model: ``localisation`` tables and ``deletion`` tests; ``missing`` says in a sentence why one is not there."""

    localisation: dict[str, pd.DataFrame] = field(default_factory=dict)
    deletion: dict[str, DeletionTest] = field(default_factory=dict)
    missing: dict[str, str] = field(default_factory=dict)  # "localisation" or "deletion" -> the reason


def evidence_tracks(replicate: Replicate) -> list[str]:
    """One test track of each artist, of as many artists as the profile has time for; they depend on the split alone."""
    ids = pd.Index(replicate.ids("test")).sort_values()
    drawn = ids[np.random.default_rng(0).permutation(len(ids))]
    return list(replicate.corpus.artists.loc[drawn].drop_duplicates().index[: replicate.config.explained_artists])


def gather(replicate: Replicate, results: Sequence[Result]) -> Evidence:
    """Localisation of every model and the deletion test of those with attention; made once, several side by side."""
    corpus, ids = replicate.corpus, evidence_tracks(replicate)
    cells = {result.name: result.first for result in results}
    attentive = {name: model for name, cell in cells.items() if isinstance(model := cell.load_model(), MusicTaggingTransformer)}
    missing = _reasons(corpus, ids, attentive)
    wanted = {"localisation": cells, "deletion": attentive}
    jobs = [(test, name) for test, models in wanted.items() if test not in missing for name in models]
    work = [delayed(_rows)(test, cells[name], corpus, ids) for test, name in jobs]
    with threads(THREADS):  # several in one process: starting others would take longer than the work of a small profile
        made = Parallel(1 if torch.cuda.is_available() else -1, prefer="threads", return_as="generator")(work)
        rows = list(tqdm(made, total=len(jobs), desc="testing explanations", unit="test", disable=not replicate.progress))
    found = Evidence(missing=missing)
    for (test, name), table in zip(jobs, rows, strict=True):
        if test == "deletion":
            found.deletion[name] = summarise_deletion(table, replicate.config.resamples)
        elif len(table):
            found.localisation[name] = summarise_localisation(with_enough_artists(table), replicate.config.resamples)
    if not found.localisation:
        missing.setdefault("localisation", f"No instrument plays for a part only of any of the {len(ids)} tracks that were looked at.")
    return found


def with_enough_artists(rows: pd.DataFrame) -> pd.DataFrame:
    """The rows (columns ``tag``, ``artist``) of tags that LEAST_ARTISTS artists or more count for; all rows where no tag has so many."""
    enough = rows.groupby("tag")["artist"].transform("nunique") >= LEAST_ARTISTS
    return rows[enough] if enough.any() else rows


def _reasons(corpus: Corpus, ids: Sequence[str], attentive: Mapping[str, MusicTaggingTransformer]) -> dict[str, str]:
    """What cannot be tested on this collection and these models, and why."""
    found = {}
    if corpus.timeline is None:
        found["localisation"] = "Nobody wrote down who plays when in this collection, so that curves cannot be held against the truth."
    elif not set(corpus.timeline["instrument"]) & set(corpus.tags):
        found["localisation"] = "None of the instruments of the timeline is a tag here, so that curves cannot be held against the truth."
    tagged = corpus.true_labels(ids).any(axis=1)
    if corpus.artists.loc[ids][tagged].nunique() < 2:
        found["deletion"] = "There are fewer than two test artists with tags, too few for a deletion test with intervals."
    elif any(count_tokens(model, round(model.clip_seconds * SAMPLE_RATE)) < 2 for model in attentive.values()):
        found["deletion"] = "Clips are so short that a model sees a single frame of them: there is none to take away."
    return found


def _rows(test: str, cell: Cell, corpus: Corpus, ids: list[str]) -> pd.DataFrame:
    """One row a track (and tag), read back where they were made for this cell and these tracks."""

    def make() -> dict[str, np.ndarray]:
        model = cell.load_model()
        table = track_deletion(model, corpus, ids) if test == "deletion" else track_localisation(model, corpus, ids)
        return {name: np.array(list(column)) for name, column in table.items()}

    return pd.DataFrame(kept_arrays(cell.folder, test, [EVIDENCE_VERSION, cell.fingerprint, corpus.digest, corpus.tags, ids], make))


def records(found: Evidence) -> list[dict]:
    """Entries for results.json, the localisation of each model before its deletion test; numbers that are not known are None."""
    entries = []
    for name, table in found.localisation.items():
        mean = table.loc[MEAN]
        about = {"n_tracks": int(mean["tracks"]), "n_artists": int(mean["artists"]), "n_tags": len(table) - 1}
        for kind in EXPLANATIONS:
            effect, *interval = mean[[kind, f"{kind}_lo", f"{kind}_hi"]].astype(float).tolist()
            if np.isfinite(effect):
                entry = {"model": name, "test": "localisation", "explanation": kind, "metric": "ROC-AUC", "effect": effect}
                entries.append(entry | {"interval": interval if np.isfinite(interval).all() else None, "chance": CHANCE, **about})
    for name, test in found.deletion.items():
        random, shifted = test.versus_random, test.versus_shifted
        entry = {"model": name, "test": "deletion", "explanation": "attention", "metric": "probability drop", "share": SHARE}
        entry |= {"effect": random.value, "interval": [random.lo, random.hi]}
        entry |= {"elsewhere": shifted.value, "elsewhere_interval": [shifted.lo, shifted.hi]}
        drops = {row.Index: {"drop": row.drop, "interval": [row.lo, row.hi]} for row in test.summary.itertuples()}
        entries.append(entry | {"drops": drops, "n_tracks": len(test.drops), "n_artists": test.drops["artist"].nunique()})
    return entries
