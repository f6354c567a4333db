"""Settings as frozen dataclasses that check themselves, and how they are read, told apart and written.

Conventions: settings are plain data. A value that a field cannot have is refused when they are made (``SettingsError``); they go through
JSON to equal objects (``to_dict``, ``read_settings``) and identify what was computed (``identity``).
"""

import dataclasses
import functools
import json
from collections.abc import Mapping
from typing import TypeVar

import pydantic

from mtt.files import MttError

T = TypeVar("T")


def within(kind: type, least: float, most: float) -> pydantic.PlainValidator:
    """The check of a number: of this kind (int or float) and in this range, ends included. An int may stand for a float, a bool not."""
    words = f"a whole number from {least:,} to {most:,}" if kind is int else f"a number from {least:g} to {most:g}"

    def check(value: object) -> float:
        if isinstance(value, bool) or not isinstance(value, int if kind is int else int | float) or not least <= value <= most:
            raise ValueError(f"must be {words}, not {_short(value)}")
        return kind(value)

    return pydantic.PlainValidator(check)


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:77]}..."


class SettingsError(MttError):
    """A setting that does not exist or has a value that it cannot have; the message names it."""


def setting(cls: type[T]) -> type[T]:
    """Make ``cls`` a frozen dataclass that checks its values against their types; ``SettingsError`` for the first that does not fit."""
    made = pydantic.dataclasses.dataclass(frozen=True, config={"extra": "forbid", "strict": True, "allow_inf_nan": False})(cls)
    checked = made.__init__

    @functools.wraps(checked)
    def init(self, *args, **values) -> None:
        try:
            checked(self, *args, **values)
        except pydantic.ValidationError as error:
            raise SettingsError(_fault(error)) from None

    made.__init__ = init
    return made


def _fault(error: pydantic.ValidationError) -> str:
    """The first fault in a line: ``train.steps: must be greater than or equal to 1, not 0``."""
    first = error.errors(include_url=False)[0]
    place = ".".join(str(part) for part in first["loc"] if not str(part).endswith("]"))
    if first["type"] == "unexpected_keyword_argument":
        return f"{place}: no such setting"
    if first["type"] == "json_invalid":
        return "holds text that is not UTF-8; rename what it names"
    if first["type"] == "value_error":  # of a check of our own, whose message names the field where several have to fit
        return f"{place}: {first['ctx']['error']}" if place else str(first["ctx"]["error"])
    words = first["msg"].replace("Input should be a valid", "must be of kind").replace("Input should be", "must be")
    return f"{place}: {words[0].lower()}{words[1:]}, not {_short(first['input'])}"


def to_dict(settings) -> dict:
    """Settings as plain JSON types."""
    return json.loads(json.dumps(dataclasses.asdict(settings)))


def read_settings(kind: type[T], given: Mapping, default: T | None = None) -> T:
    """The ``kind`` of settings that ``given`` (JSON types, as from TOML) describes; what it does not name is as in ``default``.

    False stands for None where ``default`` has a section or nothing, since TOML has no null. Raises ``SettingsError``, naming the setting.
    """
    if not isinstance(given, Mapping):
        raise SettingsError(f"must be a section of settings, not {_short(given)}")
    try:
        text = json.dumps(given if default is None else _merged(to_dict(default), given))
    except (TypeError, ValueError, RecursionError) as error:  # dates, sets, numbers of thousands of digits, lists without end
        raise SettingsError(f"must be plain text and numbers: {error}") from None
    try:
        return pydantic.TypeAdapter(kind).validate_json(text)
    except pydantic.ValidationError as error:
        raise SettingsError(_fault(error)) from None


def _merged(default: Mapping, given: Mapping) -> dict:
    merged = dict(default)
    for name, value in given.items():
        known = default.get(name)
        if value is False and (known is None or isinstance(known, Mapping)):
            value = None
        merged[name] = _merged(known, value) if isinstance(known, Mapping) and isinstance(value, Mapping) else value
    return merged


def identity(settings) -> object:
    """What sets ``settings`` apart, as JSON types for ``fingerprint``: fields at their default are left out, in their parts too.

    So a setting that is added later changes nothing that was made without it. A default that is changed does change what is computed: raise
    the version that stands beside the identity.
    """
    if not dataclasses.is_dataclass(settings):
        return json.loads(json.dumps(settings))
    changed = {}
    for part in dataclasses.fields(settings):
        value = getattr(settings, part.name)
        default = part.default if part.default_factory is dataclasses.MISSING else part.default_factory()
        if default is dataclasses.MISSING or value != default:
            changed[part.name] = identity(value)
    return changed
