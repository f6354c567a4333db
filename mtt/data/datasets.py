"""Collections: the embedded one and a reader's own CSV, each as a ``Corpus``.

Conventions: a collection is a CSV with the columns ``path`` (relative to the CSV), ``artist``, ``tags`` (joined by ``|``; empty =
unlabelled) and optionally ``track_id``, ``title``, ``album``, ``split``.
"""

from __future__ import annotations

import csv
import json
import logging
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

from mtt.config import SyntheticConfig, fingerprint, home
from mtt.data.corpus import Corpus
from mtt.data.inspection import inspect_tracks
from mtt.data.packed import load_packed, packed_folder
from mtt.data.synthetic import make_corpus

log = logging.getLogger(__name__)
REQUIRED_COLUMNS = ("path", "artist", "tags")
OPTIONAL_COLUMNS = ("title", "album")


class CollectionError(ValueError):
    """A collection that cannot be loaded; the message names the file, the reason and the remedy."""


def load_corpus(
    source: str = "synthetic", synthetic: SyntheticConfig | None = None, cache: Path | None = None, progress: bool = True
) -> Corpus:
    """The corpus behind ``source``: ``"synthetic"`` (made on first use, then cached), the path of a ``tracks.csv`` or a packed folder.

    Files that cannot serve (unreadable, silent, too short) are left out and listed in ``.problems``. Raises ``CollectionError`` when the
    collection as a whole cannot be used.
    """
    cache = cache or home() / "cache"
    if source == "synthetic":
        config = synthetic or SyntheticConfig()
        folder = cache / f"synthetic-{fingerprint(config)}"
        table = make_corpus(folder, config, progress=progress)
        return _with_truth(_load_csv(table, "synthetic", cache, progress), folder)
    if (folder := packed_folder(source)) is not None:
        return load_packed(folder)
    return _load_csv(Path(source), Path(source).stem, cache, progress)


def read_collection(path: Path) -> pd.DataFrame:
    """The rows of a collection's CSV, indexed by track_id (the path where there is no such column), all columns as text.

    Raises ``CollectionError`` naming the file and the column or row at fault.
    """
    if not path.is_file():
        raise CollectionError(f"{path}: no such file; give the path of a CSV with the columns {', '.join(REQUIRED_COLUMNS)}")
    try:
        table = pd.read_csv(path, dtype=str, keep_default_na=False, encoding="utf-8-sig", quoting=csv.QUOTE_MINIMAL)
    except (UnicodeDecodeError, pd.errors.ParserError, pd.errors.EmptyDataError) as error:
        raise CollectionError(f"{path}: not a CSV in UTF-8 ({error}); save it as one".replace("\n", " ")) from error
    missing = [name for name in REQUIRED_COLUMNS if name not in table]
    if missing:
        raise CollectionError(f"{path}: column {missing[0]!r} is missing; the columns are {', '.join(table.columns)}")
    if not len(table):
        raise CollectionError(f"{path}: has no rows; one row per track is needed")
    if "track_id" not in table:
        table["track_id"] = table["path"]
    for column in ("path", "track_id"):
        if (table[column].str.strip() == "").any():
            row = int(np.argmax(table[column].str.strip() == "")) + 2
            raise CollectionError(f"{path}: line {row} has no {column}; fill it in or remove the line")
    twice = table["track_id"][table["track_id"].duplicated()]
    if len(twice):
        raise CollectionError(f"{path}: track_id {twice.iloc[0]!r} stands twice; make the ids unique")
    for column in OPTIONAL_COLUMNS:
        if column not in table:
            table[column] = ""
    return table.set_index("track_id")


def label_matrix(tags: pd.Series, names: list[str]) -> np.ndarray:
    """(n_tracks, n_tags) uint8 from texts such as ``"rock|80s"``; names outside ``names`` are ignored."""
    column = {name: i for i, name in enumerate(names)}
    matrix = np.zeros((len(tags), len(names)), dtype=np.uint8)
    for row, text in enumerate(tags):
        for tag in split_tags(text):
            if tag in column:
                matrix[row, column[tag]] = 1
    return matrix


def split_tags(text: str) -> list[str]:
    """``"rock| 80s|"`` -> ``["rock", "80s"]``."""
    return [tag.strip() for tag in text.split("|") if tag.strip()]


def _load_csv(path: Path, name: str, cache: Path, progress: bool) -> Corpus:
    table = read_collection(path)
    root = path.resolve().parent
    found = inspect_tracks(table, root, cache, progress=progress)
    usable = found.table.index[found.table["problem"] == ""]
    if not len(usable):
        first = found.problems.iloc[0]
        raise CollectionError(
            f"{path}: none of the {len(table)} files can be used; the first, {first['path']}, is {first['problem']}: {first['detail']}"
        )
    if len(found.problems):
        log.info("%s: %d of %d files are left out (see Corpus.problems)", path, len(found.problems), len(table))
    names = table["tags"].map(split_tags).explode().dropna().value_counts()
    tags = sorted(names.index, key=lambda tag: (-names[tag], tag))
    tracks = table.loc[usable].assign(**{name: found.table.loc[usable, name] for name in ("seconds", "level_db", "digest")})
    digest = fingerprint([tags, list(usable), list(tracks["artist"]), list(tracks["tags"]), list(tracks["digest"])])
    fingerprints = {track_id: found.fingerprints[track_id] for track_id in usable}
    labels = label_matrix(tracks["tags"], tags)
    return Corpus(name, root, tracks, tags, labels, problems=found.problems, fingerprints=fingerprints, digest=digest)


def _with_truth(corpus: Corpus, folder: Path) -> Corpus:
    """Add what only the embedded corpus knows: true tags, timeline, kinds of tags, planted flaws."""
    about = json.loads((folder / "corpus.json").read_text())
    texts = {name: pd.read_csv(folder / f"{name}.csv", dtype=str, keep_default_na=False) for name in ("truth", "planted")}
    timeline = pd.read_csv(folder / "timeline.csv", dtype={"track_id": str, "instrument": str})
    truth = texts["truth"].set_index("track_id")["tags"].reindex(corpus.tracks.index, fill_value="")
    tags = list(about["tags"])
    kinds = about["tags"] if isinstance(about["tags"], dict) else {}
    labels = label_matrix(corpus.tracks["tags"], tags)
    return replace(
        corpus, tags=tags, labels=labels, truth=label_matrix(truth, tags), timeline=timeline, tag_kinds=kinds, planted=texts["planted"]
    )
