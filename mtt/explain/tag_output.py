"""The tags of many files as text in four formats, and a file that keeps them until all are done.

Conventions: probabilities have four digits. A name that is not UTF-8 stands with backslashes (``mtt.files.shown``).
"""

from __future__ import annotations

import csv
import fcntl
import io
import json
import os
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import TextIO

from mtt import __version__
from mtt.collections.listing import CONTROL
from mtt.explain.tagging import Tagged, tag_table
from mtt.files import MttError, fingerprint, read_json, shown
from mtt.models.checkpoint import DESCRIPTION


def tag_text(stream: Iterable[Tagged], format: str, names: list[str], top: int | None = None, minimum: float = 0.0) -> Iterator[str]:
    """The tags of files as text, a piece as each file comes: ``table``, ``csv`` (a row a tag), ``wide`` (a row a file) or ``json``.

    Of each file the first ``top`` tags are told (None: all) whose probability, rounded, is ``minimum`` or more. ``names`` are all tags.
    """
    yield {"table": "", "csv": _rows([["path", "tag", "probability"]]), "wide": _rows([["path", *names]]), "json": "["}[format]
    separator = "\n"
    for tagged in stream:
        path, first = shown(tagged.path), tagged.tags.head(top or len(names))
        found = {tag: round(float(value), 4) for tag, value in zip(first["tag"], first["probability"], strict=True)}
        found = {tag: value for tag, value in found.items() if value >= minimum}
        if format == "table":
            yield "".join([f"{printable(path)}\n", *(f"  {value:.4f}  {tag}\n" for tag, value in found.items())])
        elif format == "csv":
            yield _rows([path, tag, f"{value:.4f}"] for tag, value in found.items())
        elif format == "wide":
            yield _rows([[path, *(f"{found[tag]:.4f}" if tag in found else "" for tag in names)]])
        else:
            yield separator + json.dumps({"path": path, "tags": found}, indent=1)
            separator = ",\n"
    yield "\n]\n" if format == "json" else ""


def printable(text: str) -> str:
    """``text`` on one line of a terminal: control characters stand as escapes."""
    return CONTROL.sub(lambda found: repr(found[0])[1:-1], shown(text))


def _rows(rows: Iterable[list[str]]) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue()


class Partial:
    """The tags of finished files in ``OUT.partial``, a line each, until OUT is written: what was stopped goes on from there.

    A file counts as finished if model, size and time of change are the same. Raises ``MttError`` where there is such a file that was not
    written here, or for another model; with ``force`` the latter is begun anew.
    """

    def __init__(self, out: Path, model_folder: Path, names: list[str], force: bool = False) -> None:
        self.path, self._names, self._file = out.with_name(f"{out.name}.partial"), names, None
        self._done: dict[tuple, tuple[list[float], str]] = {}
        self._head = json.dumps({"mtt tag": fingerprint([__version__, read_json(model_folder / DESCRIPTION)])})
        if os.path.lexists(self.path):
            self._read(force)

    def __len__(self) -> int:
        return len(self._done)

    def __enter__(self) -> Partial:
        return self

    def __exit__(self, error: type | None, *_: object) -> None:
        """Where nothing was raised, all is done, and the file is removed."""
        if self._file:
            with suppress(OSError):  # of a full disk, which was told
                self._file.close()
        if error is None:
            self.path.unlink(missing_ok=True)

    def _read(self, force: bool) -> None:
        lines = self.path.read_bytes().splitlines() if self.path.is_file() else [b"no file"]
        head = lines[0].decode(errors="replace") if lines else self._head
        if not head.startswith('{"mtt tag": '):
            raise MttError(f"{shown(self.path)}: was not written by mtt tag; remove it, or give another --out")
        if head != self._head and not force:
            raise MttError(f"{shown(self.path)}: was begun with another model; --force begins anew, or give another --out")
        if head != self._head:
            self.path.unlink()
            return
        for line in lines[1:]:
            with suppress(ValueError, TypeError):  # a line that was cut short
                path, size, changed, found, warning = json.loads(line)
                if _stamp(path) == (path, size, changed) and len(found) == len(self._names):
                    self._done[path, size, changed] = found, warning

    def get(self, path: Path) -> Tagged | None:
        """The tags of a file that is finished."""
        found = self._done.get(_stamp(path))
        return None if found is None else Tagged(path, tag_table(self._names, found[0]), warning=found[1])

    def add(self, tagged: Tagged) -> None:
        """Keep what came of a file, unless it failed: that is tried again."""
        if tagged.tags is None:
            return
        found = tagged.tags.set_index("tag")["probability"][self._names].astype(float).tolist()
        try:
            self._file = self._file or self._begin()
            self._file.write(json.dumps([*_stamp(tagged.path), found, tagged.warning]) + "\n")
            self._file.flush()
        except OSError as error:
            raise MttError(f"{shown(self.path)}: cannot be written ({error.strerror}); mend that, and run it again to go on") from error

    def _begin(self) -> TextIO:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        file = open(self.path, "a", encoding="ascii")
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise MttError(f"{shown(self.path)}: another process is writing it; wait for it, or give another --out") from error
        file.write(self._head + "\n" if file.tell() == 0 else "\n")  # a line may have been cut short
        return file


def _stamp(path: Path) -> tuple[str, int, int]:
    try:
        status = os.stat(path)
    except (OSError, ValueError):
        return str(path), -1, -1
    return str(path), status.st_size, status.st_mtime_ns
