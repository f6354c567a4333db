"""Collections: the embedded one, a reader's own CSV, a packed one, and published data sets, each as a ``Corpus``.

Conventions: a source is ``synthetic``, the path of a CSV or of a packed folder (``mtt.collections.pack``), or ``NAME:ROOT`` or
``NAME/VARIANT:ROOT`` for a published data set, whose module in ``mtt.collections.published`` tells what ROOT holds. With ``?partial``
behind it, absent audio files of a data set are no error, but listed among the problems.

The CSV has the columns ``path``, ``artist``, ``tags`` (joined by ``|``; empty = unlabelled, also where the row names a set) and optionally
``track_id`` (else the path as written), ``title``, ``album``, ``split``. A path starts in the folder of the CSV, or is absolute and lies in
it. One that leads out, by a part ``..`` or as another absolute path, is listed as ``outside`` and never opened: a CSV may come from anyone.
"""

import importlib
import os
import pkgutil
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd

from mtt.collections import published
from mtt.collections.inspection import inspect_tracks
from mtt.collections.pack import load_packed
from mtt.collections.published.base import DataSet, find_audio
from mtt.config import SyntheticConfig
from mtt.data.corpus import PROBLEM_COLUMNS, Corpus, label_matrix, split_tags
from mtt.files import MttError, fingerprint, home, read_json
from mtt.reading.table import read_table, refuse_repeats, refuse_rows
from mtt.synthetic.render import corpus_name, make_corpus

PARTIAL = "?partial"


def data_sets() -> dict[str, DataSet]:
    """Name -> data set, for every module of ``mtt.collections.published`` that has a ``DATA_SET``."""
    found = pkgutil.iter_modules(published.__path__, f"{published.__name__}.")
    modules = [importlib.import_module(module.name) for module in found]
    return {module.DATA_SET.name: module.DATA_SET for module in modules if hasattr(module, "DATA_SET")}


def collection_help() -> str:
    """What a collection's source may be, a line each, for the help of commands that take one."""
    lines = {
        "synthetic": "the embedded corpus",
        "tracks.csv": "a CSV file of tracks (path,artist,tags)",
        "FOLDER": "a folder made by python -m mtt pack",
    }
    for data_set in data_sets().values():
        lines |= data_set.lines
    lines[f"NAME:ROOT{PARTIAL}"] = "a data set of which some audio is absent, used all the same"
    width = max(map(len, lines))
    return "\n".join(f"{source:<{width}}  {about}" for source, about in lines.items())


@dataclass(frozen=True)
class Source:
    """A collection's source, taken apart: ``synthetic`` or ``csv`` or the name of a data set; the path is empty for ``synthetic``."""

    kind: str
    path: Path
    variant: str = ""
    partial: bool = False

    @property
    def name(self) -> str:
        """``synthetic``, the CSV's name, or the data set and its variant."""
        if self.kind == "csv":
            return self.path.stem
        return f"{self.kind}/{self.variant}" if self.variant else self.kind

    @property
    def absolute(self) -> str:
        """The source again, with an absolute path: what it means does not depend on the folder one is in."""
        place = os.path.abspath(self.path)
        return {"synthetic": "synthetic", "csv": place}.get(self.kind, f"{self.name}:{place}{PARTIAL if self.partial else ''}")

    @property
    def folder_name(self) -> str:
        """What sets the collection apart from others, as part of a folder's name: ``mtg-jamendo-genre-ROOT``, ``PARENT-CSV``."""
        place = self.path.resolve()
        parts = [place.parent.name, place.stem] if self.kind == "csv" else [*self.name.split("/"), place.name]
        return "-".join(part for part in [*parts, "partial" if self.partial else ""] if part)


def parse_source(source: str | Path) -> Source:
    """``source`` taken apart; no file is looked at but to tell a CSV from a misspelt name. Raises ``MttError``."""
    source = str(source)
    if source == "synthetic":
        return Source("synthetic", Path())
    named = re.fullmatch(r"([a-z][a-z0-9-]+)((?:/[a-z0-9-]*)*):(.*)", source, re.DOTALL)
    known = data_sets() if named else {}
    if not named or (named[1] not in known and Path(source).exists()):
        return Source("csv", Path(source).expanduser())
    kind, variant, root = named[1], named[2][1:], named[3].removesuffix(PARTIAL)
    if kind not in known:
        spellings = ", ".join(f"{name}:ROOT" for name in known)
        raise MttError(f"unknown collection {source!r}; give synthetic, a CSV file of tracks, or {spellings}")
    if variant not in known[kind].variants:
        raise MttError(f"unknown collection {source!r}; there are {', '.join(known[kind].lines)}")
    if not root:
        raise MttError(f"{source!r} names no folder; give {kind}:ROOT, the folder that holds the data set")
    return Source(kind, Path(root).expanduser(), variant, source.endswith(PARTIAL))


def read_collection(path: str | Path) -> pd.DataFrame:
    """The rows of a collection's CSV, indexed by track_id. Raises ``MttError`` naming the file and the column or line at fault."""
    table = read_table(path, ["path", "artist", "tags"], optional=["track_id", "title", "album", "split"])
    optional = {"track_id": table["path"], "title": "", "album": ""}
    table = table.assign(**{name: value for name, value in optional.items() if name not in table})
    folders = [Path(path).absolute().parent, Path(path).resolve().parent]
    table["path"] = [_inside(track, folders) if os.path.isabs(track) else track for track in table["path"]]
    foreign = [("\\" in track or track[1:3] == ":/") and not os.path.lexists(folders[0] / track) for track in table["path"]]
    faults = {
        "has no path": table["path"].str.strip() == "",
        "has no track_id": table["track_id"].str.strip() == "",
        "has a path as Windows writes it; write it from the table's folder on, as in Artist/song.mp3": pd.Series(foreign, table.index),
        "has an address for a path; fetch the file and name it from the table's folder on": table["path"].str.contains("://"),
    }
    refuse_rows(path, faults)
    refuse_repeats(path, table["track_id"])
    refuse_repeats(path, table["path"].map(os.path.normpath))
    return table.set_index("track_id")


def _inside(track: str, folders: list[Path]) -> str:
    """An absolute path as one that starts in the table's folder, where it lies in it; else as it is."""
    place = Path(os.path.normpath(track))
    return next((str(place.relative_to(folder)) for folder in folders if place.is_relative_to(folder)), track)


def load_corpus(
    source: str | Path = "synthetic", synthetic: SyntheticConfig | None = None, cache: str | Path | None = None, progress: bool = True
) -> Corpus:
    """The corpus behind ``source`` (see the module's docstring); ``"synthetic"`` is made on first use, then read from the cache.

    Files that cannot serve are left out and listed in ``.problems``. Raises ``MttError`` when the collection as a whole cannot be used.
    """
    cache = Path(cache or home() / "cache")
    where = parse_source(source)
    if where.kind == "synthetic":
        config = synthetic or SyntheticConfig()
        folder = cache / corpus_name(config)
        table = make_corpus(folder, config, progress=progress)
        return _with_truth(_load_tracks(read_collection(table), table, where.name, cache, progress), folder)
    if where.kind != "csv":
        return _load_published(where, cache, progress)
    if (packed := load_packed(where.path)) is not None:
        return packed
    return _load_tracks(read_collection(where.path), where.path, where.name, cache, progress)


def _load_published(where: Source, cache: Path, progress: bool) -> Corpus:
    if not where.path.is_dir():
        raise MttError(f"{where.path}: no such folder; give the one that holds the data set, as {where.name}:ROOT")
    data_set = data_sets()[where.kind]
    found = data_set.read(where.path, where.variant)
    paths = find_audio(where.path, found)
    absent = found.tracks[paths == ""]
    if len(absent) and (not where.partial or len(absent) == len(paths)):
        count = f"{len(absent):,} of {len(paths):,} audio files are absent"
        remedy = "" if len(absent) == len(paths) else f"; end the collection with {PARTIAL} to go on with those that are there"
        raise MttError(f"{where.path}: {count}, such as {', '.join(absent['path'][:3])}; {data_set.audio_from}{remedy}")
    corpus = _load_tracks(found.tracks.assign(path=paths)[paths != ""], where.path, where.name, cache, progress, found.tags)
    missing = absent.reset_index().assign(problem="absent", detail="not in the data set's folder")[PROBLEM_COLUMNS]
    problems = pd.concat([corpus.problems, missing], ignore_index=True)
    digest = fingerprint([corpus.digest, "complete"]) if data_set.complete else corpus.digest  # the same tags say more
    about = {"tag_kinds": found.kinds, "split_name": found.split, "complete": data_set.complete}
    return replace(corpus, problems=problems, digest=digest, **about)


def _load_tracks(table: pd.DataFrame, origin: Path, name: str, cache: Path, progress: bool, tags: Sequence[str] | None = None) -> Corpus:
    """Inspect the files of ``table``, which ``origin`` (a CSV or a folder) has; ``tags`` are those found, by frequency, if None."""
    root = origin.resolve() if origin.is_dir() else origin.resolve().parent
    found = inspect_tracks(table, root, cache, progress=progress)
    usable, problems = found[found["problem"] == ""], found[found["problem"] != ""].reset_index()[PROBLEM_COLUMNS]
    if usable.empty:
        first = problems.iloc[0]
        reason = f"the first, {first['path']}, is {first['problem']}: {first['detail']}"
        raise MttError(f"{origin}: none of the {len(table)} files can be used; {reason}; paths start in {root}")
    names = table["tags"].map(split_tags).explode().dropna().value_counts()
    tags = list(tags or sorted(names.index, key=lambda tag: (-names[tag], tag)))
    tracks = table.loc[usable.index].assign(**usable[["seconds", "level_db", "digest"]])
    digest = fingerprint([tags, list(tracks.index), *(list(tracks[name]) for name in ("artist", "tags", "digest"))])
    labels, fingerprints = label_matrix(tracks["tags"], tags), usable["fingerprint"].to_dict()
    return Corpus(name, root, tracks, tags, labels, problems=problems, fingerprints=fingerprints, digest=digest)


def _with_truth(corpus: Corpus, folder: Path) -> Corpus:
    """Add what only the embedded corpus knows: true tags, withheld labels, styles, timeline, kinds of tags, planted flaws."""
    texts, planted, timeline = (
        pd.read_csv(folder / f"{name}.csv", keep_default_na=False, dtype={"track_id": str}) for name in ("truth", "planted", "timeline")
    )
    kinds = read_json(folder / "corpus.json")["tags"]
    tags, texts = list(kinds), texts.set_index("track_id").reindex(corpus.tracks.index, fill_value="")
    labels, truth, observed = (label_matrix(column, tags) for column in (corpus.tracks["tags"], texts["tags"], texts["observed"]))
    known = {"labels": labels, "truth": truth, "withheld": np.where(labels.any(axis=1, keepdims=True), labels, observed)}
    tracks = corpus.tracks.assign(style=texts["style"])
    return replace(corpus, tracks=tracks, tags=tags, timeline=timeline, tag_kinds=kinds, planted=planted, **known)
