"""A study: collection, split, stages and results of one run of the notebooks, in one folder.

Conventions: everything is made when first asked for and read back afterwards; notebooks share nothing but this folder. Parameters are
those of ``mtt.study.parameters``.
"""

from __future__ import annotations

import ast
import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np
import pandas as pd

from mtt.collections.duplicates import clean, find_duplicates
from mtt.collections.load import load_corpus, parse_source
from mtt.collections.table import CollectionError
from mtt.config import PROFILES, StudyConfig, home, to_dict
from mtt.data.corpus import Corpus
from mtt.evaluation.bootstrap import Bootstrap, Difference, estimate, paired_contrast, paired_difference
from mtt.files import write_json
from mtt.models import read_initial_weights
from mtt.splits.make import SETS, SplitAudit, audit_split, leak_crossover, split_corpus, write_split
from mtt.study import recipes
from mtt.study.cells import Stage, TrainingData, make_stages
from mtt.study.claims import assess, sentence
from mtt.study.handmade import make_handmade_stage
from mtt.study.parameters import PARAMETERS, ParameterError, check_parameters
from mtt.study.recipes import Recipe

OWN_RATIOS = (0.7, 0.15, 0.15)  # of a collection that is not the embedded one


def configure(parameters: Mapping[str, object]) -> StudyConfig:
    """The profile's settings with the given parameters in place. Raises ``ParameterError``."""
    given = check_parameters(parameters)
    config = PROFILES[given.get("profile", "demo")]
    train, teacher = config.train, config.teacher
    if "steps" in given:
        train = replace(train, steps=given["steps"], evaluate_every=min(train.evaluate_every, given["steps"]))
    if "clip_seconds" in given:
        train = replace(train, clip_seconds=float(given["clip_seconds"]))
    if "init_from" in given:
        if "teacher_width" in given:
            raise ParameterError("parameter 'teacher_width' cannot be given with 'init_from': the folder's model has its own width")
        teacher, initial = read_initial_weights(given["init_from"])
        config = replace(config, init_from=initial)
    if "teacher_width" in given:
        teacher = replace(teacher, width=given["teacher_width"])
    for name, width in (("teacher_width", teacher.width), ("student_width", given.get("student_width", teacher.heads))):
        if width % teacher.heads:
            raise ParameterError(f"parameter {name!r} must be a multiple of the {teacher.heads} attention heads, not {width}")
    config = replace(config, train=train, teacher=teacher)
    for name in ("student_steps", "student_width", "iterations"):
        if name in given:
            config = replace(config, **{name: given[name]})
    if "seeds" in given:
        config = replace(config, seeds=tuple(range(given["seeds"])))
    collection = given.get("collection", "synthetic")
    if "corpus_seed" in given:
        if collection != "synthetic":
            raise ParameterError("parameter 'corpus_seed' is of the embedded corpus; leave it out with 'collection'")
        config = replace(config, corpus=replace(config.corpus, seed=given["corpus_seed"]))
    return config if collection == "synthetic" else replace(config, collection=collection, ratios=OWN_RATIOS)


def open_study(progress: bool = True, **parameters) -> Study:
    """The study with these parameters (see ``PARAMETERS``), made or read back. Raises ``ParameterError``."""
    config = configure(parameters)
    stem = "" if config.collection == "synthetic" else f"-{parse_source(config.collection).folder_name}"
    stem += f"-corpus{config.corpus.seed}" if config.corpus.seed else ""
    name = parameters.get("study") or f"{config.profile}{stem}"
    if Path(name).name != name:
        raise ParameterError(f"parameter 'study' must be a plain folder name, not {name!r}")
    return Study(config, home() / "runs" / name, progress)


def notebook_study(namespace: Mapping[str, object]) -> Study:
    """The study of a notebook, from its ``globals()``: the parameters cell and what papermill injected after it.

    Raises ``ParameterError`` for an injected name that is no parameter, before anything runs.
    """
    injected = [cell for cell in namespace.get("In", []) if cell.startswith("# Parameters")]
    names = {t.id for cell in injected for node in ast.parse(cell).body if isinstance(node, ast.Assign) for t in node.targets}
    check_parameters(dict.fromkeys(sorted(names)))
    pd.set_option("display.max_colwidth", None)  # tables of a notebook show whole texts
    return open_study(**{name: namespace[name] for name in PARAMETERS if name in namespace})


@dataclass(frozen=True)
class Result:
    """The stages of one recipe, one per seed."""

    name: str
    stages: list[Stage]
    teacher: str = ""  # the name of the result it learned from

    def scores(self, name: str = "test") -> np.ndarray:
        """(n_seeds, n_tracks, n_tags) song-level probabilities on ``"valid"`` or ``"test"``."""
        return np.stack([stage.scores(name) for stage in self.stages])

    @property
    def parameters(self) -> int:
        return self.stages[0].metrics["parameters"]

    @property
    def seconds(self) -> float:
        return float(np.mean([stage.metrics["training_seconds"] for stage in self.stages]))

    @property
    def validation(self) -> float:
        """Macro ROC-AUC on the validation set, mean over seeds: what choices may be based on."""
        return float(np.mean([stage.metrics["valid"]["roc_auc"] for stage in self.stages]))


class Study:
    """See the module's docstring; made by ``open_study``."""

    def __init__(self, config: StudyConfig, folder: Path, progress: bool = True) -> None:
        self.config, self.folder, self.progress = config, folder, progress

    @cached_property
    def collection(self) -> Corpus:
        """All usable tracks, before cleaning. Raises ``CollectionError`` where no track has a tag."""
        corpus = load_corpus(self.config.collection, self.config.corpus, progress=self.progress)
        if not corpus.labels.any():
            name = self.config.collection
            raise CollectionError(f"{name}: no track has a tag; fill the column tags of those that are to teach and to test")
        write_json(self.folder / "study.json", to_dict(self.config))  # for readers; a collection that is refused leaves no folder
        return corpus

    @cached_property
    def duplicates(self) -> pd.DataFrame:
        """Exact and near duplicates: track_id, other, problem, detail."""
        return find_duplicates(self.collection.tracks["digest"], self.collection.fingerprints)

    @cached_property
    def cleaned(self) -> tuple[pd.Index, pd.DataFrame]:
        """(kept track_ids, removed tracks: track_id, path, problem, detail)."""
        return clean(self.collection.tracks, self.collection.is_labelled, self.duplicates)

    @cached_property
    def split(self) -> pd.Series:
        """track_id -> train, valid, test, unlabelled or excluded; see ``split_corpus``."""
        split = split_corpus(self.collection.keep_tracks(self.cleaned[0]), self.config.ratios)
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
        """Positives of each tag in each labelled set, and whether the tag is kept (enough of them everywhere)."""
        corpus = self.collection
        counts = {name: corpus.labels[corpus.rows(self.split.index[self.split == name])].sum(axis=0) for name in SETS}
        table = pd.DataFrame(counts, index=pd.Index(corpus.tags, name="tag")).astype(int)
        return table.assign(kept=(table >= self.config.minimum_positives).all(axis=1))

    @cached_property
    def corpus(self) -> Corpus:
        """The tracks and tags that the study trains and tests on."""
        kept = self.tag_counts.index[self.tag_counts["kept"]]
        if not len(kept):
            best = self.tag_counts[list(SETS)].min(axis=1).idxmax()
            counts = ", ".join(f"{self.tag_counts.at[best, name]} in {name}" for name in SETS)
            raise ValueError(
                f"{self.collection.name}: no tag has {self.config.minimum_positives} positives in each of train, valid and test "
                f"(the nearest, {best!r}, has {counts}); add tracks or artists, or join rare tags"
            )
        return self.collection.keep_tracks(self.split.index).keep_tags(kept)

    @cached_property
    def data(self) -> TrainingData:
        trained = self.crossover[self.crossover["role"] == "train"]
        groups = {f"group {name}": list(part.index) for name, part in trained.groupby("group")}
        return TrainingData(replace(self.corpus, fingerprints={}), self.split, groups, self.config.chunks, self.config.pool_slots)

    @cached_property
    def crossover(self) -> pd.DataFrame:
        """The cross-over experiment on artist leakage: track_id -> group, role, artist."""
        return leak_crossover(self.split, self.collection.artists[self.split.index], seed=0)

    @cached_property
    def audit(self) -> SplitAudit:
        corpus = self.corpus
        return audit_split(self.split, corpus.artists, corpus.labels, self.ratios, corpus.tags, self.duplicates)

    def ids(self, name: str) -> list[str]:
        return list(self.split.index[self.split == name])

    def make(self, *wanted: Recipe) -> list[Result]:
        """The results of recipes, each over all seeds; what is missing is trained, several models side by side."""
        seeded = [recipe.with_seed(seed) for recipe in wanted for seed in self.config.seeds]
        stages = make_stages(self.folder, seeded, self.data, progress=self.progress)
        n = len(self.config.seeds)
        teachers = [recipe.teacher.name if recipe.teacher else "" for recipe in wanted]
        return [Result(recipe.name, stages[i * n : (i + 1) * n], teachers[i]) for i, recipe in enumerate(wanted)]

    def make_handmade(self) -> Result:
        """The baseline without deep learning."""
        return Result("hand-made", [make_handmade_stage(self.folder, self.data, self.progress)])

    def bootstrap(self, name: str = "test") -> Bootstrap:
        """Artist-clustered resamples of a set, scored against the cleanest labels there are."""
        return self.bootstrap_of(self.ids(name))

    def leak_experiment(self) -> tuple[list[dict], pd.DataFrame]:
        """Claim C1 (no entry where too few test artists have two tracks), and both arms: estimate, low, high."""
        if self.crossover.empty:
            return [], pd.DataFrame(columns=["estimate", "low", "high"])
        boot, heard, unheard = self.leak_arms(*self.make(*recipes.crossover(self.config)))
        claim = self.claim("C1", paired_difference(boot, heard, unheard), boot)
        arms = {"by the model that has heard the artist": heard, "by the other model": unheard}
        rows = {name: estimate(boot, scores) for name, scores in arms.items()}
        table = {name: {"estimate": found.value, "low": found.lo, "high": found.hi} for name, found in rows.items()}
        return [claim], pd.DataFrame.from_dict(table, orient="index").rename_axis("scored")

    def leak_arms(self, a: Result, b: Result) -> tuple[Bootstrap, np.ndarray, np.ndarray]:
        """Resamples of the evaluation tracks, their scores by the model that has heard their artist, and by the other one."""
        evaluated = self.crossover[self.crossover["role"] == "evaluation"]
        rows = pd.Index(self.ids("test")).get_indexer(evaluated.index)
        in_a = (evaluated["group"] == "a").to_numpy()[None, :, None]
        by_a, by_b = a.scores()[:, rows], b.scores()[:, rows]
        return self.bootstrap_of(list(evaluated.index)), np.where(in_a, by_a, by_b), np.where(in_a, by_b, by_a)

    @cached_property
    def _bootstraps(self) -> dict[tuple[str, ...], Bootstrap]:
        return {}

    @property
    def sweep_ids(self) -> list[str]:
        """The tracks on which input lengths are compared: half of each test artist's, since what counts is the number of artists."""
        return list(self.crossover.index[self.crossover["role"] == "evaluation"]) or self.ids("test")

    def bootstrap_of(self, ids: list[str]) -> Bootstrap:
        """Artist-clustered resamples of these tracks."""
        key = tuple(ids)
        if key not in self._bootstraps:
            artists = self.corpus.artists.loc[ids].to_numpy()
            self._bootstraps[key] = Bootstrap(self.corpus.true_labels(ids), artists, self.config.resamples, seed=0)
        return self._bootstraps[key]

    def compare(self, a: Result, b: Result, metric: str = "roc_auc", name: str = "test") -> Difference:
        """a - b on the same tracks, with its interval."""
        return paired_difference(self.bootstrap(name), a.scores(name), b.scores(name), metric)

    def change_per_iteration(self, family: list[Result], name: str = "test") -> Difference:
        """Mean change of ROC-AUC per further iteration, from the first student to the last. Needs two generations."""
        if len(family) < 2:
            raise ParameterError("parameter 'iterations' must be at least 2: with one generation there is no change to measure")
        first, last = family[0].scores(name), family[-1].scores(name)
        steps = len(family) - 1
        return paired_contrast(self.bootstrap(name), [last, first], [1 / steps, -1 / steps])

    def student_comparisons(self, made: Mapping[str, Result]) -> dict[str, Difference]:
        """Each student minus its teacher, and the first student minus its controls."""
        student = made["student"]
        pairs = {
            f"{name} minus {made[name].teacher}": (made[name], made[made[name].teacher])
            for name in made
            if name != "student" and "student" in name and made[name].teacher in made
        }
        controls = {f"student minus {name}": (student, made[name]) for name in made if name.startswith("control")}
        pairs = {"student minus teacher": (student, made["teacher"]), **pairs, **controls}
        return {name: self.compare(a, b) for name, (a, b) in pairs.items()}

    def all_claims(self, fresh: list[dict]) -> list[dict]:
        """The claims that earlier pages recorded together with ``fresh`` ones, in order."""
        found = {entry["id"]: entry for page in self.recorded().values() for entry in page.get("claims", [])}
        found |= {entry["id"]: entry for entry in fresh}
        return [found[claim_id] for claim_id in sorted(found)]

    def claim(
        self, claim_id: str, difference: Difference, bootstrap: Bootstrap | None = None, versus: str | None = None, note: str = ""
    ) -> dict:
        """The entry of a claim, with its sentence and what to know beside it; ``versus`` names the other side where the study chose it."""
        boot = bootstrap or self.bootstrap()
        entry = assess(claim_id, difference, boot.n_tracks, boot.n_artists, len(self.config.seeds), versus)
        return {**entry, "sentence": sentence(entry), "note": note}

    def model_row(self, result: Result, name: str = "test") -> dict:
        """A model's line in results.json."""
        boot = self.bootstrap(name)
        row: dict = {"name": result.name, "parameters": result.parameters, "seconds": round(result.seconds, 1)}
        for metric in ("roc_auc", "pr_auc"):
            found = estimate(boot, result.scores(name), metric)
            row |= {metric: found.value, f"{metric}_interval": [found.lo, found.hi]}
        return row

    def record(self, page: str, **sections) -> None:
        """Keep what a page found: ``claims``, ``models``, ``lengths``, ``explanations``, ``finding``."""
        write_json(self.folder / "results" / f"{page}.json", sections)

    def recorded(self) -> dict[str, dict]:
        """What the pages found so far, by page."""
        files = sorted((self.folder / "results").glob("*.json"))
        return {file.stem: json.loads(file.read_text()) for file in files}
