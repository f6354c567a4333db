"""The Million Song Dataset with two splits: CALS (the usual one) and the conventional one.

Conventions: a track's id is ``TR`` and 16 letters or digits; its audio is ``audio/A/B/C/TRABC….wav`` (letters 3 to 5 of the id), or the
same as FLAC, MP3 or OGG. Artists and titles come from ``unique_tracks.txt`` (track<SEP>song<SEP>artist<SEP>title).

* CALS (Won, Choi & Serra 2021), files of ``data/splits`` of the authors' repository: ``splits/{train,valid,test}_ids.npy``,
  ``{train,valid,test}_binaries.npy`` (n x 50), ``student_ids.npy`` (the unlabelled set), or in its place ``msd_splits.tsv``.
* The conventional split (Choi et al. 2016), files of the repository ``keunwoochoi/MSD_split_for_tagging``:
  ``{train,valid,test}_x_msd_id.txt`` and ``{train,valid,test}_y.npy``. Artists stand in several sets. ``filtered_list_{train,test}.cP``
  (Lee et al. 2017) beside these files drops tracks below 29.1 s.
"""

import re
from pathlib import Path

import pandas as pd

from mtt.collections.published.base import DataSet, Published, first_file, read_labels, read_strings, track_table
from mtt.config import CALS_TAGS
from mtt.data.corpus import tag_texts
from mtt.files import MttError
from mtt.reading.table import read_table
from mtt.splits.check import SETS

# The 50 tags of the conventional split, in the order of the columns of its label files.
CONVENTIONAL_TAGS = tuple(
    "rock,pop,alternative,indie,electronic,female vocalists,dance,00s,alternative rock,jazz,beautiful,metal,chillout,male vocalists,"
    "classic rock,soul,indie rock,Mellow,electronica,80s,folk,90s,chill,instrumental,punk,oldies,blues,hard rock,ambient,acoustic,"
    "experimental,female vocalist,guitar,Hip-Hop,70s,party,country,easy listening,sexy,catchy,funk,electro,heavy metal,"
    "Progressive rock,60s,rnb,indie pop,sad,House,happy".split(",")
)


SPLITS = {  # variant -> what the split is called, its tags, where its files may lie, and what those of ids and of tags end with
    "": ("CALS", CALS_TAGS, ["splits"], "_ids.npy", "_binaries.npy"),
    "conventional": ("the conventional split", CONVENTIONAL_TAGS, ["MSD_split_for_tagging", "splits", "."], "_x_msd_id.txt", "_y.npy"),
}


def read(root: Path, variant: str) -> Published:
    """The tracks of either split. Raises ``MttError``."""
    split, tags, folders, ids_file, labels_file = SPLITS[variant]
    folder = root / next((name for name in folders if (root / name / f"train{ids_file}").is_file()), folders[0])
    sets = []
    for name in SETS:
        ids = read_strings(first_file(folder, [name + ids_file], f"the ids of the {name} set of {split}"))
        labels = first_file(folder, [name + labels_file], f"the tags of the {name} set of {split}")
        texts = tag_texts(read_labels(labels, len(ids), len(tags)), tags)
        sets.append(pd.DataFrame({"track_id": ids, "tags": texts, "split": name}, dtype=str))
    long_enough = [folder / f"filtered_list_{name}.cP" for name in ("train", "test")]
    if variant and all(path.is_file() for path in long_enough):
        named = {track_id for path in long_enough for track_id in read_strings(path)}
        sets = [own[own["track_id"].isin(named)] for own in sets]
    elif not variant:
        pool = first_file(folder, ["student_ids.npy", "msd_splits.tsv"], "the ids of the unlabelled set of CALS")
        lists = None if pool.suffix == ".npy" else read_table(pool, ["clip_ids", "splits"], "\t")
        ids = read_strings(pool) if lists is None else lists.loc[lists["splits"] == "STUDENT", "clip_ids"]
        sets.append(pd.DataFrame({"track_id": ids, "tags": "", "split": "unlabelled"}, dtype=str))
    table = pd.concat(sets)
    ids = table["track_id"].tolist()
    bad = [track_id for track_id in ids if not re.fullmatch("TR[A-Z0-9]{16}", track_id)]
    if bad:
        raise MttError(f"{root}: {bad[0]!r} in the lists of ids is no track id (TR and 16 letters or digits); copy them again")
    paths = [f"{i[2]}/{i[3]}/{i[4]}/{i}.wav" for i in ids]
    tracks = track_table(root, **table.reset_index(drop=True), path=paths, **_about(root, ids))
    return Published(tracks, ("audio", ""), split=split, tags=tags)


def _about(root: Path, ids: list[str]) -> dict[str, list[str]]:
    """artist and title of each id, in its order."""
    names = [f"{folder}unique_tracks.txt" for folder in ("", "AdditionalFiles/", "metadata/")]
    source = first_file(root, names, "the artists (millionsongdataset.com publishes it as an additional file)")
    rows, wanted = {}, set(ids)
    with open(source, encoding="utf-8", errors="replace") as file:
        for line in file:
            parts = line.rstrip("\n").split("<SEP>", 3)
            if len(parts) == 4 and parts[0] in wanted:
                rows[parts[0]] = (parts[2].strip(), parts[3].strip())
    about = pd.DataFrame.from_dict(rows, orient="index", columns=["artist", "title"]).reindex(ids).fillna("")
    unknown = about.index[about["artist"] == ""]
    if len(unknown):
        raise MttError(f"{source}: names no artist for {len(unknown)} of {len(ids)} tracks, such as {unknown[0]}; copy it again")
    return {name: about[name].tolist() for name in ("artist", "title")}


VARIANTS = {
    "": "Million Song Dataset, CALS: artists in one set only, and an unlabelled set",
    "conventional": "Million Song Dataset, the split of Choi et al. 2016, whose sets share artists",
}
DATA_SET = DataSet("msd", VARIANTS, "the 30 s previews that 7digital served are published no more, so a lab brings its own copy", read)
