"""Small real collections for the tests of this room: sounds, tables of them, and the published data sets in their layouts.

Each ``write_*`` fills a folder and returns it; ``TREES`` has those of the data sets by name.
"""

import csv
from pathlib import Path

import numpy as np
import pandas as pd

from mtt.collections.load import load_corpus
from mtt.collections.published.magnatagatune import TAGS
from mtt.config import SAMPLE_RATE
from mtt.data.corpus import Corpus
from tests.tiny import write_audio


def noise(seconds: float = 1.2, seed: int = 0, rate: int = SAMPLE_RATE) -> np.ndarray:
    return (0.1 * np.random.default_rng(seed).standard_normal(round(seconds * rate))).astype(np.float32)


def write_sounds(folder: Path, *paths: str, seconds: float = 1.2) -> None:
    """Noise of its own at each path."""
    for number, path in enumerate(paths):
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        write_audio(folder / path, noise(seconds, number))


def write_table(folder: Path, paths: list[str], **columns) -> Path:
    """A collection's CSV: everyone is an artist of their own with the tag t, unless ``columns`` say otherwise."""
    table = pd.DataFrame({"path": paths, "artist": paths, "tags": "t"} | columns)
    table.to_csv(folder / "tracks.csv", index=False)
    return folder / "tracks.csv"


def load(source: str | Path, cache: str = "cache") -> Corpus:
    """Load a collection with a cache in its own folder."""
    path = Path(str(source).split(":", 1)[-1].removesuffix("?partial"))
    return load_corpus(source, cache=(path if path.is_dir() else path.parent) / cache, progress=False)


MSD_IDS = [f"TR{'ABCDEF'[n] * 5}128F{n:07d}" for n in range(6)]
MSD_SETS = {"train": MSD_IDS[:2], "valid": MSD_IDS[2:3], "test": MSD_IDS[3:4]}
MSD_POOL = MSD_IDS[4:]


def write_msd(root: Path) -> Path:
    """Both splits; one track is MP3 and one FLAC."""
    endings = dict(zip(MSD_IDS, ["mp3", "flac", "wav", "wav", "wav", "wav"], strict=True))
    write_sounds(root, *[f"audio/{i[2]}/{i[3]}/{i[4]}/{i}.{ending}" for i, ending in endings.items()])
    cals, conventional = root / "splits", root / "MSD_split_for_tagging"
    cals.mkdir()
    conventional.mkdir()
    for number, (name, ids) in enumerate(MSD_SETS.items()):
        labels = np.zeros((len(ids), 50))
        labels[:, number], labels[0, 49] = 1, 1
        np.save(cals / f"{name}_ids.npy", np.array(ids))
        np.save(cals / f"{name}_binaries.npy", labels)
        (conventional / f"{name}_x_msd_id.txt").write_text("\n".join(ids) + "\n")
        np.save(conventional / f"{name}_y.npy", labels.astype(bool))
    np.save(cals / "student_ids.npy", np.array(MSD_POOL, dtype=object), allow_pickle=True)
    lines = [f"{i}<SEP>SOAAAAA12A8C000000<SEP>Artist {n // 2}<SEP>Title {n} <SEP> more" for n, i in enumerate(MSD_IDS)]
    (root / "unique_tracks.txt").write_text("\n".join(lines) + "\n")
    return root


MTAT_CLIPS = [  # path, artist, tags of the clip
    ("0/curandero-aras-01-0-29.mp3", "Curandero", ["guitar", "no vocals"]),
    ("b/curandero-aras-02-0-29.mp3", "Curandero", ["choral"]),
    ("c/seismic_anamoly-03-0-29.mp3", "Seismic Anamoly", ["banjo"]),  # a tag that is not among the 50
    ("f/glen_bledsoe-04-0-29.mp3", "Glen Bledsoe", ["guitar", "rock"]),
    ("6/norine_braun-08-117-146.mp3", "Norine Braun", []),  # published empty
]


def write_magnatagatune(root: Path) -> Path:
    paths = [path for path, *_ in MTAT_CLIPS]
    tags = [{tag: int(tag in own) for tag in (*TAGS, "banjo")} for *_, own in MTAT_CLIPS]
    ids = range(2, 2 + len(MTAT_CLIPS))
    about = [{"title": f'Title "{n}"', "artist": artist, "album": "Album", "url": ""} for n, (_, artist, _) in enumerate(MTAT_CLIPS)]
    for name, columns in {"annotations_final": tags, "clip_info_final": about}.items():
        table = pd.DataFrame(columns).assign(mp3_path=paths)
        table.insert(0, "clip_id", ids)
        table.to_csv(root / f"{name}.csv", sep="\t", index=False, quoting=csv.QUOTE_ALL)
    write_sounds(root / "mp3", *paths)
    (root / "mp3" / paths[-1]).write_bytes(b"")
    return root


JAMENDO_HEADER = "TRACK_ID\tARTIST_ID\tALBUM_ID\tPATH\tDURATION\tTAGS"
JAMENDO_ROWS = {
    "train": "track_0000214\tartist_000014\talbum_000031\t14/214.mp3\t1.2\tgenre---punkrock\tmood/theme---film",
    "validation": "track_0000382\tartist_000020\talbum_000046\t82/382.mp3\t1.2\tinstrument---voice",
    "test": "track_1267124\tartist_366613\talbum_151421\t24/1267124.mp3\t1.2\tgenre---punkrock",
}


def write_jamendo(root: Path, split: str = "split-0", subset: str = "autotagging_top50tags", **rows: str) -> Path:
    """The repository's folder ``data`` with one subset in one split, and audio of either quality."""
    (root / "splits" / split).mkdir(parents=True, exist_ok=True)
    for name, row in (JAMENDO_ROWS | rows).items():
        (root / "splits" / split / f"{subset}-{name}.tsv").write_text(f"{JAMENDO_HEADER}\n{row}\n")
    write_sounds(root / "audio", "14/214.mp3", "82/382.low.mp3", "24/1267124.low.mp3")
    return root


GTZAN_FILES = ["blues/blues.00000.wav", "blues/blues.00029.wav", "rock/rock.00000.mp3", "rock/rock.00010.flac"]


def write_gtzan(root: Path, folder: str = "genres_original") -> Path:
    write_sounds(root / folder, *GTZAN_FILES)
    (root / folder / "blues" / "bextract_single.mf").touch()  # published among the excerpts
    artists = "blues.00000.wav,John Lee Hooker\nblues/blues.00029.au,John Lee Hooker\nrock.00000,Morphine\n"
    (root / "artists.csv").write_text(f"file,artist\n{artists}")
    return root


TREES = {"msd": write_msd, "magnatagatune": write_magnatagatune, "mtg-jamendo": write_jamendo, "gtzan": write_gtzan}
