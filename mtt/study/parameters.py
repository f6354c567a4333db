"""What a user may set of a study: by the parameters that a notebook, papermill and the command line take, or in a file (``job``).

Conventions: None means the profile's value. Nothing heavy is imported here, so that a mistake on the command line is answered at once; what
only models and effects can judge is judged by ``workspace.check_study``.
"""

from __future__ import annotations

import ast
import math
from collections.abc import Mapping, Sequence
from dataclasses import replace

from mtt.config import PROFILES, YARDSTICKS, SplitConfig, StudyConfig
from mtt.files import UsageError
from mtt.settings import SettingsError, read_settings

OWN_RATIOS = (0.7, 0.15, 0.15)  # of a collection that is not the embedded one
PARAMETERS: dict[str, str] = {  # name -> the field of StudyConfig that it sets; "" where there is more to it
    "profile": "",
    "collection": "collection",
    "study": "",
    "replicates": "replicates",
    "first_replicate": "first_replicate",
    "labelled_artists": "labelled_artists",
    "pool_artists": "pool_artists",
    "exposure": "exposure",
    "clip_seconds": "train.clip_seconds",
    "teacher_width": "teacher.width",
    "student_width": "student_widths",
    "iterations": "iterations",
    "init_from": "",
    "features_from": "",
    "minutes": "",
}
TEXTS = ("profile", "study", "init_from", "features_from", "recipe")  # that are no fields of StudyConfig


class ParameterError(SettingsError, UsageError):
    """A parameter that does not exist or has a value that it cannot have; the message names it."""


def settings_of(given: Mapping[str, object], changes: Mapping[str, object], names: Mapping[str, str]) -> StudyConfig:
    """The settings of the profile that is ``given`` with ``changes`` (sections within sections) in place, but for model folders.

    ``SettingsError`` begins with the user's name of a field; ``names`` has those that are not as in StudyConfig.
    """
    for name in TEXTS:
        if not isinstance(given.get(name, ""), str):
            raise SettingsError(f"{name}: must be text, not {given[name]!r}")
    profile, study = given.get("profile", "demo"), given.get("study", "study")
    if profile not in PROFILES:
        raise SettingsError(f"profile: {profile!r} is none of {', '.join(PROFILES)}")
    if study in ("", ".", "..") or "/" in study or not study.isprintable() or len(study.encode()) > 200:  # no folder in runs/
        raise SettingsError(f"study: {study!r} is no plain folder name")
    if "init_from" in given and "teacher" in changes:
        name = next(name for place, name in names.items() if place.startswith("teacher"))
        raise SettingsError(f"{name}: cannot be given with init_from, whose folder's model has its own shape")
    default = PROFILES[profile]
    if changes.get("collection", "synthetic") != "synthetic":
        default = replace(default, ratios=OWN_RATIOS)
        if profile in ("demo", "full"):  # all labels that there are, for as long as it takes
            left_out = tuple(name for name in default.left_out if name not in YARDSTICKS)
            default = replace(default, labelled_artists=None, pool_artists=None, exposure=None, left_out=left_out)
    try:
        return read_settings(StudyConfig, changes, default)
    except SettingsError as error:
        place, _, fault = str(error).partition(": ")
        known = next((known for known in names if f"{place}.".startswith(f"{known}.")), "")
        raise SettingsError(f"{names.get(known, '')}{place.removeprefix(known)}: {fault}") from error


def check_parameters(given: Mapping[str, object]) -> dict[str, object]:
    """The parameters that are not None. Raises ``ParameterError`` for an unknown one and for a value that it cannot have."""
    if unknown := [name for name in given if name not in PARAMETERS]:
        raise ParameterError(f"unknown parameter {unknown[0]!r}; the parameters are {', '.join(PARAMETERS)}")
    found = {name: value for name, value in given.items() if value is not None}
    minutes = found.get("minutes", 1)
    if isinstance(minutes, bool) or not isinstance(minutes, int | float) or not 0 < minutes < math.inf:
        raise ParameterError(f"parameter 'minutes': must be a number above 0, not {minutes!r}")
    apply_parameters(found)
    return found


def apply_parameters(given: Mapping[str, object]) -> StudyConfig:
    """The profile's settings with the given parameters in place, but for ``init_from``. Raises ``ParameterError``."""
    changes: dict = {}
    for name in given:
        *section, field = PARAMETERS[name].split(".")
        if field:
            (changes.setdefault(section[0], {}) if section else changes)[field] = given[name]
    try:
        if "student_widths" in changes:
            changes["student_widths"] = [changes["student_widths"]]
        return settings_of(
            given, changes, {"student_widths.0": "student_width"} | {place: name for name, place in PARAMETERS.items() if place}
        )
    except SettingsError as error:
        name, _, fault = str(error).partition(": ")
        if name not in PARAMETERS:  # of several settings that do not fit: the parameter among them is at fault
            name, fault = next((one for one in given if PARAMETERS[one].startswith(f"{name}.")), [*given][-1]), str(error)
        raise ParameterError(f"parameter {name!r}: {fault}") from error


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
