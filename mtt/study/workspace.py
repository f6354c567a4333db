"""A study: settings and the folder that they have, its replicates, and the models that are made in each.

Conventions: everything is made when first asked for and read back afterwards; notebooks share nothing but the study's folder. A
folder holds one study: other settings or another collection get another one, by a name that follows from the parameters, and nothing that
is there is written over.
"""

from __future__ import annotations

import ast
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from itertools import takewhile
from pathlib import Path

import numpy as np
import pandas as pd

from mtt.collections.load import parse_source
from mtt.config import SAMPLE_RATE, TUNING, StudyConfig
from mtt.data.augment import check_config as check_augmentation
from mtt.data.corpus import Corpus
from mtt.files import MttError, fingerprint, home, keep_freed_memory, read_json, write_json
from mtt.models import read_initial_weights
from mtt.models.build import check_config as check_model
from mtt.models.checkpoint import identify
from mtt.models.handmade import describe_tracks
from mtt.settings import SettingsError, identity, to_dict
from mtt.study import recipes
from mtt.study.budget import Allowance, enough, find_plateau, fitted_clips
from mtt.study.cells import CELL_VERSION, Cell, folder_features, make_regression
from mtt.study.parameters import PARAMETERS, ParameterError, apply_parameters, check_parameters
from mtt.study.recipes import Entry
from mtt.study.replicates import Replicate
from mtt.study.schedule import Job, make_cells

IN_NAME = [
    name for name in PARAMETERS if name not in ("profile", "collection", "study", "init_from", "features_from", "minutes")
]  # of the folder, where given


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
    if "features_from" in given:
        config = replace(config, features_from=identify(given["features_from"]))
    for name, width in (("teacher_width", config.teacher.width), *(("student_width", width) for width in config.student_widths)):
        if width % config.teacher.heads:
            raise ParameterError(f"parameter {name!r}: must be a multiple of the {config.teacher.heads} attention heads, not {width}")
    if config.collection == "synthetic" and config.first_replicate >= TUNING:
        raise ParameterError(f"parameter 'first_replicate': must be below {TUNING}: corpora from there on serve to choose settings")
    try:
        check_study(config)
    except SettingsError as error:
        raise ParameterError(f"parameter 'teacher_width': {error}") from error
    return config


def absolute_parameters(parameters: Mapping[str, object]) -> dict[str, object]:
    """Checked parameters whose paths mean the same in every folder."""
    given = check_parameters(parameters)
    if "collection" in given:
        given["collection"] = parse_source(given["collection"]).absolute
    models = {name: os.path.abspath(os.path.expanduser(given[name])) for name in ("init_from", "features_from") if name in given}
    return given | models


def open_study(progress: bool = True, **parameters) -> Study:
    """The study with these parameters (see ``PARAMETERS``), made or read back. Raises ``ParameterError``."""
    config, given = configure(parameters), check_parameters(parameters)
    parts = [config.profile] + ([] if config.collection == "synthetic" else [parse_source(config.collection).folder_name])
    parts += [f"{name.replace('_', '-')}{given[name]}" for name in IN_NAME if name in given]
    for word, weights in (("from", config.init_from), ("features", config.features_from)):
        parts += [f"{word}-{weights.weights_sha256[:8]}"] if weights else []
    place, fitted = home() / "runs" / given.get("study", "-".join(parts)), "clip_seconds" not in given
    return Study(config, place, progress, renamed="study" not in given, fitted=fitted, minutes=given.get("minutes", 0))


def notebook_study(namespace: Mapping[str, object]) -> Study:
    """The study of a notebook, from its ``globals()``. Raises ``ParameterError`` where papermill injected what is no parameter."""
    injected = [cell for cell in namespace.get("In", []) if cell.startswith("# Parameters")]
    names = {t.id for cell in injected for node in ast.parse(cell).body if isinstance(node, ast.Assign) for t in node.targets}
    check_parameters(dict.fromkeys(sorted(names)))
    keep_freed_memory()
    pd.set_option("display.max_colwidth", None)  # tables of a notebook show whole texts
    return open_study(**{name: namespace[name] for name in PARAMETERS if name in namespace})


@dataclass(frozen=True)
class Result:
    """The cells of one model of the line-up, one for each replicate; ``again``: its second trainings, in the first replicates."""

    entry: Entry
    cells: list[Cell]
    again: list[Cell] = field(default_factory=list)

    @property
    def name(self) -> str:
        return self.entry.name

    @property
    def first(self) -> Cell:
        """That of the first replicate, whose tracks the pages show."""
        return self.cells[0]

    def values(self, metric: str = "roc_auc", sets: str = "test") -> np.ndarray:
        """Macro metric on the test set, or on ``"valid"`` against observed labels, (n_replicates,)."""
        return np.array([cell.metrics[sets][metric] for cell in self.cells])

    def training_pairs(self, metric: str = "roc_auc") -> np.ndarray:
        """Macro metric of first and second training, (n_pairs, 2)."""
        pairs = zip(self.cells, self.again, strict=False)
        return np.array([[cell.metrics["test"][metric] for cell in pair] for pair in pairs]).reshape(-1, 2)


class Study:
    """See the module's docstring. Where ``place`` has another study, this one gets a name with a mark if ``renamed``, else an error.

    ``fitted``: clips of a collection are shortened to what its tracks fill. ``minutes``: of training, or no limit (0).
    """

    def __init__(
        self, asked: StudyConfig, place: Path, progress: bool = True, *, renamed: bool = False, fitted: bool = False, minutes: float = 0
    ) -> None:
        self.asked, self.progress, self._place, self._renamed = asked, progress, place, renamed
        self._fitted, self.minutes = fitted, minutes

    @cached_property
    def budgets(self) -> list[dict]:
        """The exposures that were tried (``find_plateau``); none where one was asked for."""
        return [] if self.asked.exposure else find_plateau(self.first, self._allowance)

    @cached_property
    def _sized(self) -> StudyConfig:
        """The settings, with shorter clips where the tracks are short."""
        own = self._fitted and self.asked.collection != "synthetic"
        return fitted_clips(self.asked, self._collection.tracks["seconds"].to_numpy()) if own else self.asked

    @cached_property
    def whole(self) -> StudyConfig:
        """The settings as they are without a limit of time: with the exposure of the plateau where none was asked for."""
        return replace(self._sized, exposure=enough(self.budgets)) if self.budgets else self._sized

    @cached_property
    def config(self) -> StudyConfig:
        """The settings without what the minutes do not suffice for; all that they suffice for is there then."""
        return self.whole if self._allowance is None else self._within_minutes(self._allowance)

    @cached_property
    def _allowance(self) -> Allowance | None:
        return Allowance(self.minutes, self.first) if self.minutes else None

    def _within_minutes(self, allowance: Allowance) -> StudyConfig:
        """Train what there is time for: models of the first replicate by need, then whole replicates; the settings with just that."""
        possible = self._possible(self.whole)
        entries = [possible[name] for name in recipes.by_need(self.whole) if name in possible]
        if not self._is_made(possible["student"], 0):
            allowance.require(self._jobs(possible["student"], 0))
        places = range(1, self.whole.replicates)
        units = [self._jobs(entry, 0) for entry in entries]
        units += [[job for entry in entries for job in self._jobs(entry, place)] for place in places]
        while chosen := allowance.choose(units):
            self.train(chosen)
        kept = [entry for entry in entries if self._is_made(entry, 0)]
        replicates = 1 + len([*takewhile(lambda place: all(self._is_made(entry, place) for entry in kept), places)])
        left_out = [entry.name for entry in entries if entry not in kept]
        return replace(self.whole, left_out=(*self.whole.left_out, *left_out), replicates=replicates)

    @cached_property
    def left_out(self) -> list[Entry]:
        """The models that the minutes did not suffice for."""
        return [entry for name, entry in self._possible(self.whole).items() if name not in self.lineup]

    @cached_property
    def _collection(self) -> Corpus:
        return Replicate(self.asked, self.asked.first_replicate, self._place, self.progress).collection

    @cached_property
    def folder(self) -> Path:
        """The study's folder, with ``study.json``. Raises ``MttError`` where it holds another study."""
        mark = fingerprint([CELL_VERSION, identity(replace(self.asked, replicates=1)), self._collection.digest])
        places = [self._place, *([self._place.with_name(f"{self._place.name}-{mark}")] if self._renamed else [])]
        for place in places:
            found = read_json(place / "study.json")
            if found is None or found.get("mark") == mark:
                write_json(place / "study.json", {"mark": mark, **to_dict(self.asked)})
                return place
        remedy = "name another with -p study NAME, or move it away"
        raise MttError(f"{self._place}: holds a study of other settings or another collection: {remedy}")

    @property
    def replicates(self) -> list[Replicate]:
        return self._planned[: self.config.replicates]

    @cached_property
    def _planned(self) -> list[Replicate]:
        """The replicates that were asked for."""
        numbers = range(self.asked.first_replicate, self.asked.first_replicate + self.asked.replicates)
        return [Replicate(self._sized, number, self.folder / f"{number}", self.progress) for number in numbers]

    @property
    def first(self) -> Replicate:
        """The replicate whose tracks the pages show and play."""
        return self._planned[0]

    @cached_property
    def lineup(self) -> dict[str, Entry]:
        """The models of the study."""
        return self._possible(self.config)

    def _possible(self, config: StudyConfig) -> dict[str, Entry]:
        """The models that the collection can carry: no oracle where nobody labelled the pool, no set of more artists than there are."""
        groups = self.first.groups
        known = self.first.data.labels(groups["pool"]).any() and groups["pool"] != groups[recipes.LABELLED]
        whole = [groups[recipes.LABELLED], groups["pool"]]

        def possible(entry: Entry) -> bool:
            used = [] if entry.recipe is None else [entry.recipe.training_set]
            used += [entry.recipe.student.pool] if entry.recipe and entry.recipe.student else []
            found = [groups.get(name) for name in used if name not in (recipes.LABELLED, "pool")]
            return all(found) and not any(ids in whole for ids in found) and (entry.kind != "oracle" or known)

        return {name: entry for name, entry in recipes.lineup(config).items() if possible(entry)}

    def make(self, *names: str) -> list[Result]:
        """The results of models of the line-up over all replicates; what is missing is trained, side by side, in one go."""
        entries, jobs = [self.lineup[name] for name in names], []
        for place, _ in enumerate(self.replicates):
            for entry in (one for one in entries if one.recipe):
                jobs += [((entry.name, bool(again)), job) for again, job in enumerate(self._jobs(entry, place))]
        made: dict[tuple[str, bool], list[Cell]] = {}
        for (key, _), cell in zip(jobs, self.train([job for _, job in jobs]), strict=True):
            made.setdefault(key, []).append(cell)
        for name, (describe, about) in self._regressions.items():
            if name in names:
                made[name, False] = [make_regression(one.folder, name, describe, about, one.data, self.progress) for one in self.replicates]
        return [Result(entry, made[entry.name, False], made.get((entry.name, True), [])) for entry in entries]

    def _jobs(self, entry: Entry, place: int) -> list[Job]:
        """The training of a model in a replicate, and its second where the study has one."""
        again = [True] if place < self.whole.retrained and entry.name in recipes.core(self.whole) else []
        return [self._planned[place].job(entry.recipe, again=one) for one in (False, *again)]

    def _is_made(self, entry: Entry, place: int) -> bool:
        return all(job.cell for job in self._jobs(entry, place))

    @property
    def cells(self) -> dict[str, Job]:
        """All that the study trains, teachers too, by ``REPLICATE/NAME``."""
        entries = [entry for entry in self.lineup.values() if entry.recipe]
        jobs = [job for place, _ in enumerate(self.replicates) for entry in entries for job in self._jobs(entry, place)]
        return {f"{part.root.name}/{part.recipe.name}": part for job in jobs for part in (*job.teachers, job)}

    def train(self, jobs: Sequence[Job]) -> list[Cell]:
        """The cells of jobs of this study; what is missing is trained, side by side."""
        for replicate in self._planned:
            if any(job.root == replicate.folder and job.cell is None for job in jobs):
                replicate.prepare()
        return make_cells(jobs, self.progress)

    @property
    def _regressions(self) -> dict[str, tuple[Callable[[Corpus, list[str]], np.ndarray], list]]:
        """The baselines by regression: what describes tracks, and what identifies it."""
        found: dict = {recipes.HAND_MADE: (describe_tracks, [])}
        if (given := recipes.described_by(self.config)) is not None:
            found[recipes.FEATURES] = partial(folder_features, given.folder), [given.weights_sha256]
        return found

    def make_named(self, names: Sequence[str]) -> dict[str, Result]:
        """``make`` of several names, by name; those that the collection cannot carry are left out."""
        known = [name for name in dict.fromkeys(names) if name in self.lineup]
        return dict(zip(known, self.make(*known), strict=True))

    @cached_property
    def results(self) -> dict[str, Result]:
        """All models of the line-up."""
        return self.make_named(list(self.lineup))

    def record(self, page: str, **sections) -> None:
        """Keep what a page found: ``claims``, ``models``, ``curves``, ``explanations``, ``finding``."""
        write_json(self.folder / "results" / f"{page}.json", sections)

    def recorded(self) -> dict[str, dict]:
        """What the pages found so far, by page."""
        return {file.stem: read_json(file) for file in sorted((self.folder / "results").glob("*.json"))}
