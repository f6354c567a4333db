"""Collections: the embedded one, a reader's own CSV, and published data sets in the layout they are published in, each as a ``Corpus``.

Conventions: a collection is a CSV with the columns ``path`` (relative to the CSV), ``artist``, ``tags`` (joined by ``|``; empty =
unlabelled) and optionally ``track_id``, ``title``, ``album``, ``split``. A published data set is ``NAME:ROOT`` or ``NAME/VARIANT:ROOT``;
what ROOT holds is told by the module of the layout:

============================  =======================================================================================
``msd:ROOT``                  Million Song Dataset with CALS; ``msd/conventional:ROOT`` (``mtt.collections.msd``)
``magnatagatune:ROOT``        MagnaTagATune, split by folder; ``magnatagatune/listed:ROOT`` (``mtt.collections.magnatagatune``)
``mtg-jamendo:ROOT``          MTG-Jamendo, top-50 tags; ``/genre``, ``/instrument``, ``/mood``, ``/all``; each in the
                              official split-0 unless ``/split-1`` to ``/split-4`` follows (``mtt.collections.jamendo``)
``gtzan:ROOT``                GTZAN, split by artist; ``gtzan/filtered:ROOT`` (``mtt.collections.gtzan``)
============================  =======================================================================================

Absent audio files are an error that counts them, unless ``?partial`` ends the source: then the others make the collection, and the absent
ones are listed among its problems.
"""

from __future__ import annotations

import csv
import json
import logging
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd

from mtt.collections import gtzan, magnatagatune
from mtt.collections import jamendo as mtg_jamendo
from mtt.collections import msd as million_song
from mtt.collections.inspection import inspect_tracks
from mtt.collections.packed import load_packed, packed_folder
from mtt.collections.published import CollectionError, find_audio
from mtt.config import SyntheticConfig, home
from mtt.data.corpus import PROBLEM_COLUMNS, Corpus
from mtt.files import fingerprint
from mtt.synthetic.render import corpus_name, make_corpus

log = logging.getLogger(__name__)
REQUIRED_COLUMNS = ("path", "artist", "tags")
OPTIONAL_COLUMNS = ("title", "album")
LAYOUTS = {"msd": million_song, "magnatagatune": magnatagatune, "mtg-jamendo": mtg_jamendo, "gtzan": gtzan}
SPELLINGS = f"synthetic, a CSV file of tracks, or {', '.join(f'{name}:ROOT' for name in LAYOUTS)}"
PARTIAL = "?partial"


@dataclass(frozen=True)
class Source:
    """A collection's source, taken apart: ``synthetic`` or ``csv`` or the name of a layout; the path is empty for ``synthetic``."""

    kind: str
    path: Path
    variant: str = ""
    partial: bool = False

    @property
    def name(self) -> str:
        """``synthetic``, the CSV's name, or the layout and its variant."""
        if self.kind == "csv":
            return self.path.stem
        return f"{self.kind}/{self.variant}" if self.variant else self.kind

    @property
    def folder_name(self) -> str:
        """What sets the collection apart from others, as part of a folder's name: ``mtg-jamendo-genre-ROOT``, ``PARENT-CSV``."""
        place = self.path.resolve()
        parts = [place.parent.name, place.stem] if self.kind == "csv" else [*self.name.split("/"), place.name]
        return "-".join(part for part in [*parts, "partial" if self.partial else ""] if part)


def parse_source(source: str) -> Source:
    """``source`` taken apart; no file is looked at but to tell a CSV from a misspelt name. Raises ``CollectionError``."""
    if source == "synthetic":
        return Source("synthetic", Path())
    named = re.fullmatch(r"([a-z][a-z0-9-]+)((?:/[a-z0-9-]*)*):(.*)", source, re.DOTALL)
    if named is None or (named[1] not in LAYOUTS and Path(source).exists()):
        return Source("csv", Path(source))
    kind, variant, root = named[1], named[2][1:], named[3]
    if kind not in LAYOUTS:
        raise CollectionError(f"unknown collection {source!r}; give {SPELLINGS}")
    if variant not in LAYOUTS[kind].VARIANTS:
        raise CollectionError(f"unknown collection {source!r}; there are {LAYOUTS[kind].SPELLING}")
    if not root.removesuffix(PARTIAL):
        raise CollectionError(f"{source!r} names no folder; give {kind}:ROOT, the folder that holds the data set")
    return Source(kind, Path(root.removesuffix(PARTIAL)), variant, root.endswith(PARTIAL))


def load_corpus(
    source: str = "synthetic", synthetic: SyntheticConfig | None = None, cache: str | Path | None = None, progress: bool = True
) -> Corpus:
    """The corpus behind ``source``: ``"synthetic"`` (made on first use, then cached), the path of a ``tracks.csv`` or of a packed folder
    (``mtt.collections.packed``), or a published data set such as ``"magnatagatune:ROOT"`` (see the module's docstring).

    Files that cannot serve (unreadable, silent, too short) are left out and listed in ``.problems``. Raises ``CollectionError`` when the
    collection as a whole cannot be used.
    """
    cache = Path(cache or home() / "cache")
    where = parse_source(source)
    if where.kind == "synthetic":
        config = synthetic or SyntheticConfig()
        folder = cache / corpus_name(config)
        table = make_corpus(folder, config, progress=progress)
        return _with_truth(_load_csv(table, "synthetic", cache, progress), folder)
    if (folder := packed_folder(source)) is not None:
        return load_packed(folder)
    if where.kind == "csv":
        return _load_csv(where.path, where.name, cache, progress)
    return _load_published(where, cache, progress)


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
    return _load_tracks(read_collection(path), path, path.resolve().parent, name, cache, progress)


def _load_published(where: Source, cache: Path, progress: bool) -> Corpus:
    if not where.path.is_dir():
        raise CollectionError(f"{where.path}: no such folder; give the one that holds the data set, as {where.name}:ROOT")
    found = LAYOUTS[where.kind].read(where.path, where.variant)
    paths = find_audio(where.path, found, progress)
    absent = found.tracks[paths == ""]
    if len(absent) and (not where.partial or len(absent) == len(paths)):
        count = f"{len(absent):,} of {len(paths):,} audio files are absent"
        remedy = "" if len(absent) == len(paths) else f"; end the collection with {PARTIAL} to go on with those that are there"
        raise CollectionError(f"{where.path}: {count}, such as {', '.join(absent['path'][:3])}; {found.audio_from}{remedy}")
    tracks = found.tracks.assign(path=paths)[paths != ""]
    corpus = _load_tracks(tracks, where.path, where.path.resolve(), where.name, cache, progress, found.tags)
    missing = absent.reset_index().assign(problem="absent", detail="not in the data set's folder")[PROBLEM_COLUMNS]
    problems = pd.concat([corpus.problems, missing], ignore_index=True) if len(missing) else corpus.problems
    return replace(corpus, problems=problems, tag_kinds=found.kinds, split_name=found.split)


def _load_tracks(
    table: pd.DataFrame, origin: Path, root: Path, name: str, cache: Path, progress: bool, tags: Sequence[str] | None = None
) -> Corpus:
    """Inspect the files of ``table`` (as ``read_collection`` gives it) under ``root``; ``tags`` are those found, by frequency, if None."""
    found = inspect_tracks(table, root, cache, progress=progress)
    usable = found.table.index[found.table["problem"] == ""]
    if not len(usable):
        first = found.problems.iloc[0]
        raise CollectionError(
            f"{origin}: none of the {len(table)} files can be used; the first, {first['path']}, is {first['problem']}: {first['detail']}"
        )
    if len(found.problems):
        log.info("%s: %d of %d files are left out (see Corpus.problems)", origin, len(found.problems), len(table))
    names = table["tags"].map(split_tags).explode().dropna().value_counts()
    tags = list(tags or sorted(names.index, key=lambda tag: (-names[tag], tag)))
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
