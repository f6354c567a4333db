"""MTG-Jamendo (Bogdanov et al. 2019): full tracks under Creative Commons licences, with genre, instrument and mood/theme tags.

Conventions: the root is a copy of the repository ``MTG/mtg-jamendo-dataset`` or of its folder ``data``: the sets of its five official
splits, none of which shares an artist, are ``splits/split-{0..4}/autotagging*-{train,validation,test}.tsv`` (columns TRACK_ID, ARTIST_ID,
ALBUM_ID, PATH, DURATION, TAGS; one more column for each further tag). Tags are published as ``genre---rock``; here they are ``rock`` of
the kind ``genre``. Audio is ``NN/ID.mp3`` or, of the low-quality copy, ``NN/ID.low.mp3``, in ``audio/``, ``raw_30s/audio/``,
``raw_30s/audio-low/`` or the root.
"""

from __future__ import annotations

from itertools import product
from pathlib import Path

from mtt.collections.published import ENDINGS, CollectionError, Published, first_file, track_table

SUBSETS = {
    "": ("autotagging_top50tags", "the 50 most frequent tags"),
    "genre": ("autotagging_genre", "87 genres"),
    "instrument": ("autotagging_instrument", "40 instruments"),
    "mood": ("autotagging_moodtheme", "56 moods and themes"),
    "all": ("autotagging", "all tags"),
}
SPLITS = ("split-0", "split-1", "split-2", "split-3", "split-4")
VARIANTS = {
    "/".join(part for part in (subset, "" if split == SPLITS[0] else split) if part): f"{about}, official {split}"
    for (subset, (_, about)), split in product(SUBSETS.items(), SPLITS)
}
SPELLING = "mtg-jamendo:ROOT, mtg-jamendo/genre:ROOT, /instrument, /mood and /all, each also as /split-1 to /split-4"
AUDIO_FROM = "the repository MTG/mtg-jamendo-dataset has a script that downloads them (scripts/download/download.py)"
FILES = {"train": "train", "valid": "validation", "test": "test"}  # our name of a set -> theirs
COLUMNS = ["TRACK_ID", "ARTIST_ID", "ALBUM_ID", "PATH", "DURATION", "TAGS"]


def read(root: Path, variant: str) -> Published:
    """The tracks of one subset of tags in one official split. Raises ``CollectionError``."""
    parts = variant.split("/")
    split = parts[-1] if parts[-1] in SPLITS else SPLITS[0]
    subset = SUBSETS[parts[0] if parts[0] in SUBSETS else ""][0]
    rows, kinds = [], {}
    for name, theirs in FILES.items():
        file = f"splits/{split}/{subset}-{theirs}.tsv"
        source = first_file(root, [file, f"data/{file}"], f"the {name} set (the repository MTG/mtg-jamendo-dataset has it)")
        for track_id, artist, album, path, tags in _read_set(source):
            kinds |= {tag: kind for kind, tag in tags}
            rows.append((track_id, path, artist, "|".join(tag for _, tag in tags), name, track_id, album))
    tracks = track_table(source.parent, *map(list, zip(*rows, strict=True)))
    folders = ("audio", "raw_30s/audio", "raw_30s/audio-low", "audio-low", "")
    several = kinds if len(set(kinds.values())) > 1 else {}
    return Published(tracks, AUDIO_FROM, folders, endings=(".low.mp3", *ENDINGS), split=f"the official {split}", kinds=several)


def _read_set(source: Path) -> list[tuple[str, str, str, str, list[tuple[str, str]]]]:
    """track_id, artist, album, path and (kind, tag)s of each line; the number of columns differs from line to line."""
    try:
        lines = source.read_text(encoding="utf-8-sig").splitlines()
    except UnicodeDecodeError as error:
        raise CollectionError(f"{source}: not a text file in UTF-8 ({error.reason}); copy it again") from error
    if not lines or lines[0].split("\t") != COLUMNS:
        raise CollectionError(f"{source}: line 1 is not the header {' '.join(COLUMNS)}, tab separated; copy it again")
    rows = []
    for number, line in enumerate(lines[1:], 2):
        track_id, artist, album, path, _, *tags = line.split("\t") + [""] * (5 - line.count("\t"))
        pairs = [tuple(tag.split("---", 1)) for tag in tags if tag]
        if not path or not artist or any(len(pair) != 2 for pair in pairs):
            raise CollectionError(f"{source}: line {number} lacks an artist, a path or a tag such as genre---rock; copy the file again")
        rows.append((track_id, artist, album, path, pairs))
    if not rows:
        raise CollectionError(f"{source}: lists no tracks; copy it again")
    return rows
