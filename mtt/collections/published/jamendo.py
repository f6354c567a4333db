"""MTG-Jamendo (Bogdanov et al. 2019): full tracks under Creative Commons licences, with genre, instrument and mood/theme tags.

Conventions: the root is a copy of the repository ``MTG/mtg-jamendo-dataset`` or of its folder ``data``: the sets of its five official
splits, none of which shares an artist, are ``splits/split-{0..4}/autotagging*-{train,validation,test}.tsv``. Tags are published as
``genre---rock``; here they are ``rock`` of the kind ``genre``. Audio is ``NN/ID.mp3`` or, of the low-quality copy, ``NN/ID.low.mp3``.
"""

from pathlib import Path

import pandas as pd

from mtt.collections.published.base import COLUMNS, ENDINGS, DataSet, Published, first_file, read_strings, track_table
from mtt.data.corpus import TAG_SEPARATOR
from mtt.files import MttError

SUBSETS = {  # variant -> the name that its files begin with, and what it is
    "": ("autotagging_top50tags", "the 50 most frequent tags"),
    "genre": ("autotagging_genre", "87 genres"),
    "instrument": ("autotagging_instrument", "40 instruments"),
    "mood": ("autotagging_moodtheme", "56 moods and themes"),
    "all": ("autotagging", "all tags"),
}
SPLITS = ("split-0", "split-1", "split-2", "split-3", "split-4")
SETS = {"train": "train", "valid": "validation", "test": "test"}  # our name of a set -> theirs
HEADER = ["TRACK_ID", "ARTIST_ID", "ALBUM_ID", "PATH", "DURATION", "TAGS"]


def read(root: Path, variant: str) -> Published:
    """The tracks of one subset of tags in one official split. Raises ``MttError``."""
    subset, _, split = variant.rpartition("/")
    if split not in SPLITS:
        subset, split = variant, SPLITS[0]
    rows, kinds = [], {}
    for name, theirs in SETS.items():
        file = f"splits/{split}/{SUBSETS[subset][0]}-{theirs}.tsv"
        source = first_file(root, [file, f"data/{file}"], f"the {name} set (the repository MTG/mtg-jamendo-dataset has it)")
        header, *lines = read_strings(source) or [""]
        if header.split("\t") != HEADER or not lines:
            raise MttError(f"{source}: has no tracks under the header {' '.join(HEADER)}, tab separated; copy it again")
        for number, line in enumerate(lines, 2):
            track_id, artist, album, path, _, *tags = line.split("\t") + [""] * (5 - line.count("\t"))
            pairs = [tag.split("---", 1) for tag in tags if tag]
            if not path or not artist or any(len(pair) != 2 for pair in pairs):
                raise MttError(f"{source}: line {number} lacks an artist, a path or a tag such as genre---rock; copy the file again")
            kinds |= {tag: kind for kind, tag in pairs}
            rows.append([track_id, path, artist, TAG_SEPARATOR.join(tag for _, tag in pairs), track_id, album, name])
    tracks = track_table(source.parent, **pd.DataFrame(rows, columns=COLUMNS))
    folders = ("audio", "raw_30s/audio", "raw_30s/audio-low", "audio-low", "")
    several = kinds if len(set(kinds.values())) > 1 else {}
    return Published(tracks, folders, (".low.mp3", *ENDINGS), split=f"the official {split}", kinds=several)


DATA_SET = DataSet(
    name="mtg-jamendo",
    variants={subset: f"MTG-Jamendo, {about}, in the official {SPLITS[0]}" for subset, (_, about) in SUBSETS.items()}
    | {f"{subset}/{split}".strip("/"): "" for subset in SUBSETS for split in SPLITS[1:]}
    | {SPLITS[1]: f"MTG-Jamendo in another split, up to {SPLITS[-1]}; each of these has them, as in genre/{SPLITS[1]}"},
    audio_from="the repository MTG/mtg-jamendo-dataset has a script that downloads them (scripts/download/download.py)",
    read=read,
)
