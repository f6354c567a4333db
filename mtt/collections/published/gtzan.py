"""GTZAN (Tzanetakis & Cook 2002): 1 000 excerpts of 30 s in ten genres, a genre being the track's one tag.

Conventions: excerpts are ``<genre>/<genre>.00000.wav`` in ``genres/``, ``genres_original/`` or the root; whatever lies there is the
collection. GTZAN was published without artists, yet holds many excerpts of a few: ``artists.csv`` in the root, with the columns ``file``
and ``artist``, names them, after Sturm, "The GTZAN dataset: its contents, its faults" (2013, arXiv 1306.1461). The usual split is ours, by
artist; ``filtered`` is the fault-filtered one of Kereliuk, Sturm & Larsen (2015), as torchaudio lists it: 443 / 197 / 290 excerpts.
"""

from pathlib import Path, PurePosixPath

from torchaudio.datasets import gtzan as lists

from mtt.collections.published.base import ENDINGS, DataSet, Published, first_file, track_table
from mtt.files import MttError
from mtt.reading.table import read_table

AUDIO_FROM = "GTZAN's own page is gone; copies, such as the one on Kaggle, keep its layout genres_original/blues/blues.00000.wav"
GENRES = tuple(lists.gtzan_genres)
FOLDERS = ("genres_original", "genres", "Data/genres_original", "")
FILTERED = {"train": lists.filtered_train, "valid": lists.filtered_valid, "test": lists.filtered_test}


def read(root: Path, variant: str) -> Published:
    """The excerpts that are there, or those of the fault-filtered lists. Raises ``MttError``."""
    folder = next((name for name in FOLDERS if any((root / name / genre).is_dir() for genre in GENRES)), None)
    if folder is None:
        raise MttError(f"{root}: no folder such as genres/blues is there; {AUDIO_FROM}")
    if variant:
        paths = [f"{name.split('.')[0]}/{name}.wav" for names in FILTERED.values() for name in names]
        split = [name for name, names in FILTERED.items() for _ in names]
    else:
        files = [path for genre in GENRES for path in sorted((root / folder / genre).glob("*")) if path.suffix.lower() in ENDINGS]
        paths, split = [f"{path.parent.name}/{path.name}" for path in files], ""
    names = [PurePosixPath(path).stem for path in paths]
    genres = [path.split("/")[0] for path in paths]
    tracks = track_table(root / folder, track_id=names, path=paths, artist=_artists(root, names), tags=genres, title=names, split=split)
    return Published(tracks, [folder], split="the fault-filtered split" if variant else "", tags=GENRES)


def _artists(root: Path, names: list[str]) -> list[str]:
    """The artist of each excerpt, from the root's ``artists.csv``."""
    purpose = "the artists, whom GTZAN does not name: write it with the columns file,artist from the index of Sturm 2013 (arXiv 1306.1461)"
    source = first_file(root, ["artists.csv"], purpose)
    table = read_table(source, ["file", "artist"])
    stems = table["file"].map(lambda file: PurePosixPath(file).name).str.replace(r"\.(wav|au|flac|mp3|ogg)$", "", regex=True)
    known = dict(zip(stems, table["artist"].str.strip(), strict=True))
    artists = [known.get(name, "") for name in names]
    if not any(artists):
        raise MttError(f"{source}: names no excerpt; its column file holds names such as blues.00000.wav")
    return artists


DATA_SET = DataSet(
    name="gtzan",
    variants={
        "": "GTZAN, ten genres, split by artist (needs artists.csv: file,artist)",
        "filtered": "GTZAN in the published fault-filtered split",
    },
    audio_from=AUDIO_FROM,
    read=read,
)
