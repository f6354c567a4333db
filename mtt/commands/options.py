"""What several commands take: arguments, options, and places for outputs."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext, suppress
from pathlib import Path
from typing import Annotated

import typer

import mtt
from mtt.files import alone, fingerprint, home, output, read_json, shown

Collection = Annotated[str, typer.Argument(metavar="TRACKS.csv", help="path,artist,tags, or another collection that studies take")]
Force = Annotated[bool, typer.Option("--force", help="replace what an earlier run wrote, if it was not changed since")]


@contextmanager
def finished_files(out: Path, folder: Path) -> Iterator[Path]:
    """A folder of the cache, for one process at a time, that keeps the tags of finished files until ``out`` is written."""
    store = home() / "cache" / "tags" / fingerprint([mtt.__version__, str(out.absolute()), read_json(folder / "model.json")])
    with suppress(OSError):
        store.mkdir(parents=True, exist_ok=True)
    busy = f"{shown(out)}: another process is writing it; wait for it, or give another --out"
    with alone(store / "lock", busy) if os.access(store, os.W_OK) else nullcontext():  # a cache that cannot be written is done without
        yield store
        shutil.rmtree(store, ignore_errors=True)


@contextmanager
def model_folder(out: Path, *inputs: Path, force: bool) -> Iterator[None]:
    """The two files of a model folder as outputs."""
    weights, description = (out / name for name in mtt.MODEL_FILES)
    with output(weights, *inputs, force=force), output(description, *inputs, force=force):
        yield
