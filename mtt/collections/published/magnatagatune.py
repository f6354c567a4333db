"""MagnaTagATune (Law et al. 2009): 25 863 clips of 29 s with the 50 most frequent of 188 tags.

Conventions: ``annotations_final.csv`` and ``clip_info_final.csv`` (tab separated, as published) lie in the root; clips are
``<folder>/<name>.mp3`` in one of 16 folders ``0``–``f``, in the root or in ``mp3/``. A clip without any of the 50 tags stays in its set, as
all 50 absent: published results count it so. The usual split goes by folder, 12:1:3: 18 706 / 1 825 / 5 329 clips; artists stand in several
sets. ``listed``: the clips and sets of given lists, in ``split/`` or ``MTAT_split/``: ``{train,valid,test}.npy`` (strings
``number<TAB>path``, Won et al. 2020) or ``{train,valid,test}_list_pub.cP`` (paths, Lee et al. 2017), or the same as ``.txt``.
"""

from pathlib import Path

import pandas as pd

from mtt.collections.published.base import DataSet, Published, first_file, read_strings, track_table
from mtt.data.corpus import tag_texts
from mtt.files import MttError
from mtt.reading.table import read_table, refuse_rows
from mtt.splits.check import SETS

PAGE = "mirg.city.ac.uk/codeapps/the-magnatagatune-dataset"
AUDIO_FROM = f"{PAGE} publishes them (mp3.zip.001 to .003, joined and unpacked)"
SET_OF_FOLDER = dict.fromkeys("0123456789ab", "train") | {"c": "valid"} | dict.fromkeys("def", "test")
LISTS = (".npy", ".txt", "_list_pub.cP", "_list_pub.txt")  # what the file of a set's clips ends with

# The 50 most frequent tags, most frequent first, spelled as in annotations_final.csv.
TAGS = tuple(
    "guitar,classical,slow,techno,strings,drums,electronic,rock,fast,piano,ambient,beat,violin,vocal,synth,female,indian,opera,male,"
    "singing,vocals,no vocals,harpsichord,loud,quiet,flute,woman,male vocal,no vocal,pop,soft,sitar,solo,man,classic,choir,voice,new age,"
    "dance,male voice,female vocal,beats,harp,cello,no voice,weird,country,female voice,metal,choral".split(",")
)


def read(root: Path, variant: str) -> Published:
    """The clips of either split. Raises ``MttError``."""
    source = first_file(root, ["annotations_final.csv"], f"the tags ({PAGE} publishes it)")
    table = read_table(source, ["clip_id", *TAGS, "mp3_path"], "\t")
    info_file = first_file(root, ["clip_info_final.csv"], f"the artists ({PAGE} publishes it)")
    info = read_table(info_file, ["clip_id", "artist", "title", "album"], "\t").drop_duplicates("clip_id").set_index("clip_id")
    table = table.join(info[["artist", "title", "album"]], on="clip_id")
    refuse_rows(source, {f"is of a clip that {info_file.name} lacks": table["artist"].isna()})
    paths = table["mp3_path"]
    table["split"] = _listed(root, paths) if variant else paths.str.split("/").str[0].map(SET_OF_FOLDER)
    refuse_rows(source, {"has a path that lies in none of the folders 0 to f": table["split"].isna()})
    table = table[table["split"] != ""]
    texts = tag_texts((table[list(TAGS)] == "1").to_numpy(), TAGS)
    about = table[["artist", "title", "album", "split"]]
    tracks = track_table(source, track_id=table["clip_id"], path=table["mp3_path"], tags=texts, **about)
    split = "the split of the given lists" if variant else "the split by folder (12:1:3)"
    return Published(tracks, ("", "mp3", "audio"), split=split, tags=TAGS)


def _listed(root: Path, paths: pd.Series) -> pd.Series:
    """The set of each path; ``""`` for one that no list names."""
    known, sets = set(paths), {}
    for name in SETS:
        names = [f"{folder}/{name}{ending}" for folder in ("split", "MTAT_split") for ending in LISTS]
        source = first_file(root, names, f"the clips of the {name} set")
        for path in (line.split("\t")[-1] for line in read_strings(source)):
            if path not in known:
                raise MttError(f"{source}: annotations_final.csv has no clip {path!r}; list paths such as f/name.mp3")
            if sets.setdefault(path, name) != name:
                raise MttError(f"{source}: {path!r} stands in another set too; a clip belongs in one set")
    return paths.map(sets).fillna("")


DATA_SET = DataSet(
    name="magnatagatune",
    variants={
        "": "MagnaTagATune, 50 tags, split by folder 12:1:3",
        "listed": "MagnaTagATune, the clips and sets of given lists",
    },
    audio_from=AUDIO_FROM,
    read=read,
    complete=True,
)
