"""A replicate: one corpus (or one split of a collection), its training sets, and one training of every model, all from one number.

Conventions: everything is made when first asked for and read back afterwards. Of the embedded corpus a replicate's number is the seed of
another corpus; of a collection that of another split by artist; of a collection with a split of its own that of the trainings alone.
"""

from __future__ import annotations

from dataclasses import replace
from functools import cached_property, partial
from pathlib import Path

import numpy as np
import pandas as pd

from mtt.collections.duplicates import clean, find_duplicates
from mtt.collections.load import load_corpus
from mtt.config import InitialWeights, StudyConfig, SyntheticConfig
from mtt.data.corpus import TAGGED, Corpus
from mtt.evaluation.predict import over_tracks, predict_clips
from mtt.files import MttError, alone, fingerprint, home, kept_arrays
from mtt.models.checkpoint import loaded
from mtt.models.mels import Mels, make_mels
from mtt.settings import SettingsError
from mtt.splits.check import SETS, SplitAudit, audit_split
from mtt.splits.make import leak_crossover, nested_sets, split_corpus, write_split
from mtt.study.cells import TrainingData
from mtt.study.recipes import LABELLED
from mtt.study.schedule import Job


def tagged_by(corpus: Corpus, tagger: InitialWeights, clips: int, progress: bool = True) -> Corpus:
    """The corpus with a model's tags for labels, as its name says. Of each tag as many tracks have it as its probabilities add up to.

    So a study of music without tags can be made; it tells how well models agree with that one, not with listeners.
    """
    ids = list(corpus.tracks.index)

    def make() -> dict[str, np.ndarray]:
        listen = partial(_track_scores, tagger.folder, replace(corpus, fingerprints={}), clips)
        return {"scores": over_tracks(listen, ids, f"{Path(tagger.folder).name} tags the tracks", progress)}

    scores = kept_arrays(home() / "cache", "tagged", [corpus.digest, tagger.weights_sha256, clips, ids], make)["scores"]
    rank = (-scores).argsort(axis=0, kind="stable").argsort(axis=0, kind="stable")
    labels = (rank < np.rint(scores.sum(axis=0))).astype(np.uint8)
    tags, digest = list(loaded(tagger.folder).tags), fingerprint([corpus.digest, tagger.weights_sha256])
    name = f"{corpus.name}{TAGGED}{Path(tagger.folder).name}"
    return replace(corpus, name=name, tags=tags, labels=labels, digest=digest)


def _track_scores(folder: str, corpus: Corpus, clips: int, track_ids: list[str]) -> np.ndarray:
    model = loaded(folder)
    return predict_clips(model, corpus, track_ids, model.clip_seconds, clips).mean(axis=1)


class Replicate:
    """The replicate ``number`` of a study with these settings, in ``folder``."""

    def __init__(self, config: StudyConfig, number: int, folder: Path, progress: bool = True) -> None:
        self.config, self.number, self.folder, self.progress = config, number, folder, progress

    @property
    def corpus_config(self) -> SyntheticConfig:
        """The embedded corpus of this number, with as many artists as the study's sets need."""
        config = self.config
        trained = max(config.labelled_artists or 1, *config.scarcity, 1)
        sizes = {"labelled_artists": trained + sum(config.held_out), "unlabelled_artists": max(config.pool_artists or 0, *config.pools, 0)}
        return replace(config.corpus, seed=self.number, **sizes)

    @property
    def is_composed(self) -> bool:
        return self.config.collection == "synthetic"

    @cached_property
    def collection(self) -> Corpus:
        """All usable tracks, before cleaning. Raises ``MttError`` where no track has a tag, or none differs from the others."""
        corpus = load_corpus(self.config.collection, self.corpus_config, progress=self.progress)
        if not corpus.labels.any() and self.config.features_from is not None:
            corpus = tagged_by(corpus, self.config.features_from, self.config.chunks, self.progress)
        name, taught = self.config.collection, corpus.labels[corpus.is_labelled]
        if not corpus.labels.any():
            remedy = "fill the column tags of those that are to teach and to test, or let a tagger do it: --teacher MODEL"
            raise MttError(f"{name}: no track has a tag; {remedy}")
        if (taught == taught[0]).all():
            tags = " and ".join(repr(tag) for tag, has in zip(corpus.tags, taught[0], strict=True) if has)
            raise MttError(f"{name}: all {len(taught)} tagged tracks have the same, {tags}, so that nothing tells them apart; tag more")
        return corpus

    @cached_property
    def cleaned(self) -> tuple[pd.Index, pd.DataFrame]:
        """(kept track_ids, removed tracks: track_id, path, problem, detail)."""
        tracks, duplicates = self.collection.tracks, find_duplicates(self.collection.tracks["digest"], self.collection.fingerprints)
        return clean(tracks, self.collection.is_labelled, duplicates)

    @cached_property
    def split(self) -> pd.Series:
        """track_id -> train, valid, test, unlabelled or excluded; see ``split_corpus``."""
        split = split_corpus(self.collection.keep(self.cleaned[0]), self.asked_ratios, self.number)
        write_split(split, self.folder / "split.csv")
        return split

    @property
    def asked_ratios(self) -> tuple[float, ...]:
        """Shares of train, valid and test to split by."""
        if not self.is_composed:
            return self.config.ratios
        total = self.corpus_config.labelled_artists
        return tuple(count / total for count in (total - sum(self.config.held_out), *self.config.held_out))

    @property
    def ratios(self) -> tuple[float, ...]:
        """The shares that tags are compared with: those asked for, or those that the collection's split has."""
        if not self.collection.has_split:
            return self.asked_ratios
        sizes = [len(self.ids(name)) for name in SETS]
        return tuple(size / sum(sizes) for size in sizes)

    @cached_property
    def tag_counts(self) -> pd.DataFrame:
        """Positives of each tag in each labelled set, and whether the tag is kept: enough everywhere, and a track without it."""
        corpus, sizes = self.collection, [len(self.ids(name)) for name in SETS]
        counts = {name: corpus.labels[corpus.rows(self.ids(name))].sum(axis=0) for name in SETS}
        table = pd.DataFrame(counts, index=pd.Index(corpus.tags, name="tag")).astype(int)
        return table.assign(kept=((table >= self.config.minimum_positives) & (table < sizes)).all(axis=1))

    @cached_property
    def corpus(self) -> Corpus:
        """The tracks and tags that models are trained and tested on. Raises ``MttError`` where no tag has enough tracks."""
        kept = self.tag_counts.index[self.tag_counts["kept"]]
        if not len(kept):
            best = self.tag_counts[list(SETS)].min(axis=1).idxmax()
            counts = ", ".join(f"{self.tag_counts.at[best, name]} in {name}" for name in SETS)
            raise MttError(
                f"{self.collection.name}: no tag has {self.config.minimum_positives} positives in each of train, valid and test, and a "
                f"track without it (the nearest, {best!r}, has {counts}); add tracks or artists, or join rare tags"
            )
        return self.collection.keep(self.split.index, kept)

    @cached_property
    def crossover(self) -> pd.DataFrame:
        """The cross-over experiment on artist leakage: track_id -> group, role, artist."""
        return leak_crossover(self.split, self.collection.artists[self.split.index], seed=0)

    @cached_property
    def audit(self) -> SplitAudit:
        corpus = self.corpus
        return audit_split(self.split, corpus.tracks["artist"], corpus.labels, self.ratios, corpus.tags)

    def ids(self, name: str) -> list[str]:
        return list(self.split.index[self.split == name])

    @cached_property
    def groups(self) -> dict[str, list[str]]:
        """The training sets by name: of labelled tracks, of the pool, and the two of the leak experiment."""
        config, train, pool = self.config, self.ids("train"), self.ids("unlabelled")
        found = {f"{LABELLED}-{size}": ids for size, ids in self._nested(train, (*config.scarcity, config.labelled_artists)).items()}
        found[LABELLED] = found.get(f"{LABELLED}-{config.labelled_artists}", train)
        artists = self.corpus.artists
        order = np.random.default_rng(self.number).permutation(artists[pool].unique())
        sizes = {f"pool-{size}": size for size in config.pools} | {"pool": config.pool_artists or len(order)}
        found |= {name: [i for i in pool if artists[i] in set(order[:size])] or found[LABELLED] for name, size in sizes.items()}
        if "style" in self.corpus.tracks:
            style, count = self.corpus.tracks["style"], config.labelled_artists
            found[f"{LABELLED}-studio"] = self._nested([i for i in train if style[i] == "studio"], [count])[count]
            for kind in ("studio", "home"):
                found[f"pool-{kind}"] = [i for i in found["pool"] if style[i] == kind]
        for name, part in self.crossover[self.crossover["role"] == "train"].groupby("group"):
            found[f"group {name}"] = found[LABELLED] + list(part.index)
        return found

    def _nested(self, train: list[str], sizes) -> dict[int, list[str]]:
        wanted = [size for size in sizes if size is not None]
        return nested_sets(train, self.corpus.artists[train], self.corpus.labels[self.corpus.rows(train)], wanted, self.number)

    @cached_property
    def data(self) -> TrainingData:
        """What models are trained on; their spectrograms are there once ``prepare`` was called."""
        config, corpus = self.config, replace(self.corpus, fingerprints={})
        return TrainingData(corpus, self.split, self.groups, config.chunks, config.pool_slots, self.mels if config.train.prepared else None)

    @cached_property
    def mels(self) -> Mels:
        model, train = self.config.teacher, self.config.train
        shape = [model.n_fft, model.hop, model.n_mels, str(train.augment), train.prepared]
        return Mels(self.folder / f"mels-{fingerprint([self.corpus.digest, shape, *self._heard])}", model.hop)

    @cached_property
    def _heard(self) -> tuple[list[str], list[str]]:
        """The tracks that are needed whole, and those to train on."""
        return [*self.ids("valid"), *self.ids("test")], sorted({track_id for ids in self.groups.values() for track_id in ids})

    def prepare(self) -> None:
        """Make the spectrograms that are missing, where the study trains on some."""
        model, train = self.config.teacher, self.config.train
        if train.prepared:
            whole, trained = self._heard
            folder = self.mels.folder
            with alone(folder.with_name(f".{folder.name}.lock")):  # cells of a cluster start together
                make_mels(folder, self.data.corpus, whole, trained, model, train.augment, train.prepared, self.progress)

    def job(self, recipe, again: bool = False) -> Job:
        """The cell of a recipe in this replicate, or its second training."""
        for part in recipe.chain:
            for name in (part.training_set, part.student.pool if part.student else LABELLED):
                if name not in self.groups:
                    raise SettingsError(f"pool: {name!r} is no set of tracks; there are {', '.join(self.groups)}")
        seeded = recipe.with_seed(self.number)
        return Job(self.folder, seeded.again() if again else seeded, self.data)
