"""Parameters of the study: what a notebook's parameters cell, papermill and the command line may set.

Conventions: None means the profile's value. Nothing heavy is imported here, so that a mistake on the command line is answered at once.
"""

from __future__ import annotations

import ast
from collections.abc import Mapping, Sequence

from mtt.config import PROFILES, SettingsError, SplitConfig, StudyConfig, read_settings

PARAMETERS: dict[str, str] = {  # name -> the field of StudyConfig that it sets; "" where there is more to it
    "profile": "",
    "collection": "collection",
    "corpus_seed": "corpus.seed",
    "study": "",
    "seeds": "",
    "steps": "train.steps",
    "student_steps": "student_steps",
    "clip_seconds": "train.clip_seconds",
    "teacher_width": "teacher.width",
    "student_width": "student_width",
    "iterations": "iterations",
    "init_from": "",
}
TEXTS = ("profile", "study", "init_from")  # of those with more to it


class ParameterError(SettingsError):
    """A parameter that does not exist or has a value that it cannot have; the message names it."""

    exit_code = 2  # of the command line: wrong usage


def check_parameters(given: Mapping[str, object]) -> dict[str, object]:
    """The parameters that are not None. Raises ``ParameterError`` for an unknown one and for a value that it cannot have."""
    if unknown := [name for name in given if name not in PARAMETERS]:
        raise ParameterError(f"unknown parameter {unknown[0]!r}; the parameters are {', '.join(PARAMETERS)}")
    found = {name: value for name, value in given.items() if value is not None}
    if wrong := [name for name in TEXTS if not isinstance(found.get(name, ""), str)]:
        raise ParameterError(f"parameter {wrong[0]!r}: must be text, not {found[wrong[0]]!r}")
    if not is_folder_name(found.get("study", "study")):
        raise ParameterError(f"parameter 'study': must be a plain folder name, not {found['study']!r}")
    apply_parameters(found)
    return found


def apply_parameters(given: Mapping[str, object]) -> StudyConfig:
    """The profile's settings with the given parameters in place, but for ``study`` and ``init_from``. Raises ``ParameterError``."""
    profile = given.get("profile", "demo")
    if profile not in PROFILES:
        raise ParameterError(f"unknown profile {profile!r}; the profiles are {', '.join(PROFILES)}")
    if "corpus_seed" in given and given.get("collection", "synthetic") != "synthetic":
        raise ParameterError("parameter 'corpus_seed' is of the embedded corpus; leave it out with 'collection'")
    settings = PROFILES[profile]
    changes = {name: (PARAMETERS[name], value) for name, value in given.items() if PARAMETERS[name]}
    if "seeds" in given:
        seeds = given["seeds"]
        if not isinstance(seeds, int) or isinstance(seeds, bool) or not 1 <= seeds <= 1000:
            raise ParameterError(f"parameter 'seeds': must be a whole number from 1 to 1000, not {seeds!r}")
        changes["seeds"] = ("seeds", list(range(seeds)))
    for name, (place, value) in changes.items():
        *section, field = place.split(".")
        try:
            settings = read_settings(StudyConfig, {section[0]: {field: value}} if section else {field: value}, settings)
        except SettingsError as error:
            raise ParameterError(f"parameter {name!r}: {str(error).removeprefix(f'{place}: ')}") from error
    return settings


def is_folder_name(name: str) -> bool:
    """Whether a study's folder in runs/ can have this name."""
    return name not in ("", ".", "..") and name.isprintable() and "/" not in name and len(name.encode()) <= 200


def split_options(ratios: Sequence[float], seed: int) -> SplitConfig:
    """The options of the command ``split``. Raises ``ParameterError``."""
    try:
        return SplitConfig(ratios=tuple(ratios), seed=seed)
    except SettingsError as error:
        raise ParameterError(f"--{error}") from error


def parse_parameters(words: Sequence[str]) -> dict[str, object]:
    """``-p NAME VALUE -p NAME VALUE ...`` as typed, with values read as papermill reads them. Raises ``ParameterError``."""
    parsed: dict[str, object] = {}
    while words:
        flag, *rest = words
        if flag not in ("-p", "--parameter") or len(rest) < 2:
            raise ParameterError(f"cannot read {flag!r}; parameters are given as -p NAME VALUE")
        name, text, *words = rest
        if name in parsed:
            raise ParameterError(f"parameter {name!r} is given twice")
        parsed[name] = _typed(text)
    return parsed


def _typed(text: str) -> object:
    try:
        value = ast.literal_eval(text)
    except (ValueError, SyntaxError, MemoryError, RecursionError):  # the last two of thousands of brackets
        return text
    return value if isinstance(value, int | float | None) else text
