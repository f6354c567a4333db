"""Parameters of the study: what a notebook's parameters cell, papermill and the command line may set.

Conventions: None means the profile's value. Nothing heavy is imported here, so that a mistake on the command line is answered at once.
"""

from __future__ import annotations

import ast
from collections.abc import Mapping

from mtt.config import PROFILES
from mtt.files import MttError

PARAMETERS: dict[str, type] = {
    "profile": str,
    "collection": str,
    "corpus_seed": int,
    "study": str,
    "seeds": int,
    "steps": int,
    "student_steps": int,
    "clip_seconds": float,
    "teacher_width": int,
    "student_width": int,
    "iterations": int,
    "init_from": str,
}
_KINDS = {str: "text", int: "a whole number above 0", float: "a number above 0"}


class ParameterError(MttError):
    """A parameter that does not exist or has a value that it cannot have; the message names it."""

    exit_code = 2  # of the command line: wrong usage


def check_parameters(given: Mapping[str, object]) -> dict[str, object]:
    """The parameters that are not None, with their types checked. Raises ``ParameterError``."""
    for name, value in given.items():
        if name not in PARAMETERS:
            raise ParameterError(f"unknown parameter {name!r}; the parameters are {', '.join(PARAMETERS)}")
        if value is None:
            continue
        kind = PARAMETERS[name]
        fits = isinstance(value, (int, float) if kind is float else kind) and not isinstance(value, bool)
        if not fits or (kind is not str and not value > 0):
            raise ParameterError(f"parameter {name!r} must be {_KINDS[kind]}, not {value!r}")
    profile = given.get("profile")
    if profile is not None and profile not in PROFILES:
        raise ParameterError(f"unknown profile {profile!r}; the profiles are {', '.join(PROFILES)}")
    return {name: value for name, value in given.items() if value is not None}


def parse_parameters(words: list[str]) -> dict[str, object]:
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
    except (ValueError, SyntaxError):
        return text
    return value if isinstance(value, int | float | None) else text
