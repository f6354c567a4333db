"""A study: settings and the folder that they have, the collection, its split and the cells that are made of them.

Conventions: everything is made when first asked for and read back afterwards; notebooks share nothing but the study's folder. A
folder holds one study: other settings or another collection get another one, by a name that follows from the parameters, and nothing that
is there is written over.
"""

from __future__ import annotations

import ast
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np
import pandas as pd

from mtt.collections.duplicates import clean, find_duplicates
from mtt.collections.load import load_corpus, parse_source
from mtt.config import SAMPLE_RATE, StudyConfig
from mtt.data.augment import check_config as check_augmentation
from mtt.data.corpus import Corpus
from mtt.files import MttError, fingerprint, home, read_json, write_json
from mtt.models import read_initial_weights
from mtt.models.build import check_config as check_model
from mtt.settings import SettingsError, identity, to_dict
from mtt.splits.check import SETS, SplitAudit, audit_split
from mtt.splits.make import leak_crossover, split_corpus, write_split
from mtt.study import recipes
from mtt.study.cells import CELL_VERSION, Cell, TrainingData, make_handmade
from mtt.study.parameters import PARAMETERS, ParameterError, apply_parameters, check_parameters
from mtt.study.recipes import HAND_MADE, Recipe
from mtt.study.schedule import make_cells

IN_NAME = [name for name in PARAMETERS if name not in ("profile", "collection", "study", "init_from")]  # of the folder, where given


def started_from(config: StudyConfig, init_from: str | Path | None) -> StudyConfig:
    """The settings with the shape and weights of a model folder, where one is given. Raises ``CheckpointError``."""
    if init_from is None:
        return config
    shape, initial = read_initial_weights(init_from)
    return replace(config, teacher=shape, init_from=initial)


def check_study(config: StudyConfig) -> None:
    """Raise ``SettingsError`` for a teacher that cannot be built and an augmentation that does not exist."""
    if config.teacher.sample_rate != SAMPLE_RATE:
        raise SettingsError(f"model.sample_rate: must be {SAMPLE_RATE}, the rate of all audio inside the program")
    check_model(config.teacher)
    if config.train.augment is not None:
        check_augmentation(config.train.augment)


def configure(parameters: Mapping[str, object]) -> StudyConfig:
    """The profile's settings with the given parameters in place. Raises ``ParameterError``, and ``CheckpointError`` for ``init_from``."""
    given = check_parameters(parameters)
    config = started_from(apply_parameters(given), given.get("init_from"))
    for name, width in (("teacher_width", config.teacher.width), ("student_width", config.student_width)):
        if width % config.teacher.heads:
            raise ParameterError(f"parameter {name!r}: must be a multiple of the {config.teacher.heads} attention heads, not {width}")
    try:
        check_study(config)
    except SettingsError as error:
        raise ParameterError(f"parameter 'teacher_width': {error}") from error
    return config


def open_study(progress: bool = True, **parameters) -> Study:
    """The study with these parameters (see ``PARAMETERS``), made or read back. Raises ``ParameterError``."""
    config, given = configure(parameters), check_parameters(parameters)
    parts = [config.profile] + ([] if config.collection == "synthetic" else [parse_source(config.collection).folder_name])
    parts += [f"{name.replace('_', '-')}{given[name]}" for name in IN_NAME if name in given]
    parts += [f"from-{config.init_from.weights_sha256[:8]}"] if config.init_from else []
    return Study(config, home() / "runs" / given.get("study", "-".join(parts)), progress, renamed="study" not in given)


def notebook_study(namespace: Mapping[str, object]) -> Study:
    """The study of a notebook, from its ``globals()``. Raises ``ParameterError`` where papermill injected what is no parameter."""
    injected = [cell for cell in namespace.get("In", []) if cell.startswith("# Parameters")]
    names = {t.id for cell in injected for node in ast.parse(cell).body if isinstance(node, ast.Assign) for t in node.targets}
    check_parameters(dict.fromkeys(sorted(names)))
    pd.set_option("display.max_colwidth", None)  # tables of a notebook show whole texts
    return open_study(**{name: namespace[name] for name in PARAMETERS if name in namespace})


@dataclass(frozen=True)
class Result:
    """The cells of one recipe, one per seed."""

    name: str
    cells: list[Cell]
    teacher: str = ""  # the name of the result it learned from

    @property
    def first(self) -> Cell:
        """That of the first seed."""
        return self.cells[0]

    def scores(self, name: str = "test") -> np.ndarray:
        """(n_seeds, n_tracks, n_tags) song-level probabilities on ``"valid"`` or ``"test"``."""
        return np.stack([cell.scores(name) for cell in self.cells])

    @property
    def validation(self) -> float:
        """Macro ROC-AUC on the validation set, mean over seeds: what choices may be based on."""
        return float(np.mean([cell.metrics["valid"]["roc_auc"] for cell in self.cells]))


class Study:
    """See the module's docstring. Where ``place`` has another study, this one gets a name with a mark if ``renamed``, else an error."""

    def __init__(self, config: StudyConfig, place: Path, progress: bool = True, renamed: bool = False) -> None:
        self.config, self.progress, self._place, self._renamed = config, progress, place, renamed

    @cached_property
    def folder(self) -> Path:
        """The study's folder, with ``study.json``. Raises ``MttError`` where it holds another study."""
        mark = fingerprint([CELL_VERSION, identity(self.config), self.collection.digest])
        places = [self._place, *([self._place.with_name(f"{self._place.name}-{mark}")] if self._renamed else [])]
        for place in places:
            found = read_json(place / "study.json")
            if found is None or found.get("mark") == mark:
                write_json(place / "study.json", {"mark": mark, **to_dict(self.config)})
                return place
        remedy = "name another with -p study NAME, or move it away"
        raise MttError(f"{self._place}: holds a study of other settings or another collection: {remedy}")

    @cached_property
    def collection(self) -> Corpus:
        """All usable tracks, before cleaning. Raises ``MttError`` where no track has a tag, or none differs from the others."""
        corpus = load_corpus(self.config.collection, self.config.corpus, progress=self.progress)
        name, taught = self.config.collection, corpus.labels[corpus.is_labelled]
        if not corpus.labels.any():
            raise MttError(f"{name}: no track has a tag; fill the column tags of those that are to teach and to test")
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
        split = split_corpus(self.collection.keep(self.cleaned[0]), self.config.ratios)
        write_split(split, self.folder / "split.csv")
        return split

    @property
    def ratios(self) -> tuple[float, ...]:
        """The shares of train, valid and test that tags are compared with: those asked for, or those that the collection's split has."""
        if not self.collection.has_split:
            return self.config.ratios
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
        """The tracks and tags that the study trains and tests on. Raises ``MttError`` where no tag has enough tracks."""
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

    @property
    def sweep_ids(self) -> list[str]:
        """The tracks on which input lengths are compared: half of each test artist's, since what counts is the number of artists."""
        return list(self.crossover.index[self.crossover["role"] == "evaluation"]) or self.ids("test")

    @cached_property
    def audit(self) -> SplitAudit:
        corpus = self.corpus
        return audit_split(self.split, corpus.tracks["artist"], corpus.labels, self.ratios, corpus.tags)

    def ids(self, name: str) -> list[str]:
        return list(self.split.index[self.split == name])

    @cached_property
    def data(self) -> TrainingData:
        trained = self.crossover[self.crossover["role"] == "train"]
        groups = {f"group {name}": list(part.index) for name, part in trained.groupby("group")}
        return TrainingData(replace(self.corpus, fingerprints={}), self.split, groups, self.config.chunks, self.config.pool_slots)

    def make(self, *wanted: str | Recipe) -> list[Result]:
        """The results of models, by their names in the line-up or by recipes, over all seeds; what is missing is trained side by side."""
        chosen = [recipes.recipe(self.config, one) if isinstance(one, str) else one for one in wanted if one != HAND_MADE]
        seeded = [one.with_seed(seed) for one in chosen for seed in self.config.seeds]
        cells = iter(make_cells(self.folder, seeded, self.data, progress=self.progress))
        made = [Result(one.name, [next(cells) for _ in self.config.seeds], one.teacher.name if one.teacher else "") for one in chosen]
        for place in (place for place, one in enumerate(wanted) if one == HAND_MADE):
            made.insert(place, Result(HAND_MADE, [make_handmade(self.folder, self.data, self.progress)]))
        return made

    def make_named(self, names: Sequence[str]) -> dict[str, Result]:
        """``make`` of several names, by name."""
        return dict(zip(names, self.make(*names), strict=True))

    def record(self, page: str, **sections) -> None:
        """Keep what a page found: ``claims``, ``models``, ``lengths``, ``explanations``, ``finding``."""
        write_json(self.folder / "results" / f"{page}.json", sections)

    def recorded(self) -> dict[str, dict]:
        """What the pages found so far, by page."""
        return {file.stem: read_json(file) for file in sorted((self.folder / "results").glob("*.json"))}
