import sqlite3
from pathlib import Path

import numpy as np
import pytest
from mtt.collections.msd import CALS_TAGS, CONVENTIONAL_TAGS

from mtt.collections.load import CollectionError, load_corpus
from mtt.config import SAMPLE_RATE
from mtt.data.audio import write_audio

IDS = [f"TR{'ABCDEF'[n] * 5}128F{n:07d}" for n in range(6)]
SETS = {"train": IDS[:2], "valid": IDS[2:3], "test": IDS[3:4]}
POOL = IDS[4:]


def sound(path, seed: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    write_audio(path, (0.1 * np.random.default_rng(seed).standard_normal(int(1.2 * SAMPLE_RATE))).astype(np.float32))


@pytest.fixture
def root(tmp_path):
    """Both splits in the published layouts; one track is MP3 and one FLAC."""
    for number, track_id in enumerate(IDS):
        ending = {0: "mp3", 1: "flac"}.get(number, "wav")
        sound(tmp_path / "audio" / track_id[2] / track_id[3] / track_id[4] / f"{track_id}.{ending}", number)
    (tmp_path / "splits").mkdir()
    (tmp_path / "MSD_split_for_tagging").mkdir()
    for number, (name, ids) in enumerate(SETS.items()):
        labels = np.zeros((len(ids), 50))
        labels[:, number], labels[0, 49] = 1, 1
        np.save(tmp_path / "splits" / f"{name}_ids.npy", np.array(ids))
        np.save(tmp_path / "splits" / f"{name}_binaries.npy", labels)
        (tmp_path / "MSD_split_for_tagging" / f"{name}_x_msd_id.txt").write_text("\n".join(ids) + "\n")
        np.save(tmp_path / "MSD_split_for_tagging" / f"{name}_y.npy", labels.astype(bool))
    np.save(tmp_path / "splits" / "student_ids.npy", np.array(POOL, dtype=object), allow_pickle=True)
    lines = [f"{i}<SEP>SOAAAAA12A8C000000<SEP>Artist {n // 2}<SEP>Title {n} <SEP> more" for n, i in enumerate(IDS)]
    (tmp_path / "unique_tracks.txt").write_text("\n".join(lines) + "\n")
    return tmp_path


def load(source):
    path = source.split(":", 1)[1].removesuffix("?partial")
    return load_corpus(source, cache=Path(path) / "cache", progress=False)


def test_cals_is_read_with_its_tags_in_order_its_sets_and_its_pool(root):
    corpus = load(f"msd:{root}")
    assert corpus.tags == list(CALS_TAGS) and len(corpus.tags) == 50 and corpus.tags[-1] == "progressive metal"
    assert corpus.tracks["split"].to_dict() == {i: name for name, ids in SETS.items() for i in ids} | dict.fromkeys(POOL, "unlabelled")
    assert list(np.flatnonzero(corpus.labels[0])) == [0, 49] and list(np.flatnonzero(corpus.labels[1])) == [0]
    assert corpus.is_labelled[POOL].sum() == 0 and corpus.name == "msd"
    assert corpus.tracks.loc[IDS[3], ["artist", "title"]].tolist() == ["Artist 1", "Title 3 <SEP> more"]
    assert [corpus.tracks.at[i, "path"].rsplit(".")[-1] for i in IDS[:3]] == ["mp3", "flac", "wav"]
    assert len(corpus.read(IDS[0])) > SAMPLE_RATE


def test_the_pool_may_come_from_the_table_of_splits_and_the_artists_from_the_database(root):
    (root / "splits" / "student_ids.npy").unlink()
    rows = [f"{i}\t{name.upper()}\t660000" for name, ids in {**SETS, "student": POOL}.items() for i in ids]
    (root / "splits" / "msd_splits.tsv").write_text("\n".join(["clip_ids\tsplits\tlength", *rows, "TRZZZZZ128F0000009\tNONE\t1"]) + "\n")
    (root / "unique_tracks.txt").unlink()
    with sqlite3.connect(root / "track_metadata.db") as database:
        database.execute("CREATE TABLE songs (track_id text, title text, song_id text, release text, artist_id text, artist_name text)")
        database.executemany("INSERT INTO songs VALUES (?, 'T', 'S', 'R', 'A', ?)", [(i, f"Singer {n}") for n, i in enumerate(IDS)])
    corpus = load(f"msd:{root}")
    assert list(corpus.tracks.index[corpus.tracks["split"] == "unlabelled"]) == POOL
    assert corpus.tracks.at[IDS[5], "artist"] == "Singer 5"


def test_the_conventional_split_may_share_artists_and_may_be_filtered(root):
    corpus = load(f"msd/conventional:{root}")
    assert corpus.tags == list(CONVENTIONAL_TAGS) and len(corpus) == 4 and corpus.split_name == "the conventional split"
    assert corpus.artists[IDS[2]] == corpus.artists[IDS[3]]  # valid and test
    for name, ids in (("train", IDS[1:3]), ("test", IDS[3:4])):
        items = "".join(f"S'{i}'\np{n}\na" for n, i in enumerate(ids, 2))
        (root / "MSD_split_for_tagging" / f"filtered_list_{name}.cP").write_text(f"(lp1\n{items}.")
    filtered = load(f"msd/conventional:{root}")
    assert filtered.tracks["split"].to_dict() == {IDS[1]: "train", IDS[2]: "valid", IDS[3]: "test"}


def test_absent_audio_is_counted_and_left_out_only_when_asked(root):
    (root / "audio" / "A" / "A" / "A" / f"{IDS[0]}.mp3").unlink()
    with pytest.raises(CollectionError, match=r"1 of 6 audio files are absent, such as A/A/A/TRA\S+\.wav; .*7digital.*\?partial"):
        load(f"msd:{root}")
    corpus = load(f"msd:{root}?partial")
    assert list(corpus.tracks.index) == IDS[1:]
    assert corpus.problems[["track_id", "problem"]].values.tolist() == [[IDS[0], "absent"]]


@pytest.mark.parametrize(
    ("harm", "message"),
    [
        (lambda root: (root / "splits" / "valid_ids.npy").unlink(), "valid_ids.npy is missing; it holds the ids of the valid set"),
        (lambda root: (root / "splits" / "test_binaries.npy").unlink(), "test_binaries.npy: no such file"),
        (lambda root: np.save(root / "splits" / "test_binaries.npy", np.zeros((1, 49))), r"of shape \(1, 49\).*\(1, 50\)"),
        (lambda root: (root / "splits" / "student_ids.npy").unlink(), "student_ids.npy or msd_splits.tsv is missing"),
        (lambda root: np.save(root / "splits" / "student_ids.npy", np.array(["../../etc"])), "'../../etc' in the lists .* is no track id"),
        (lambda root: np.save(root / "splits" / "student_ids.npy", np.array(IDS[:1])), f"'{IDS[0]}' stands in two sets"),
        (lambda root: (root / "unique_tracks.txt").unlink(), "unique_tracks.txt or track_metadata.db .*is missing; it holds the artists"),
        (lambda root: (root / "unique_tracks.txt").write_text("x\n"), f"names no artist for 6 of 6 tracks, such as {IDS[0]}"),
    ],
)
def test_what_is_missing_or_wrong_is_named(root, harm, message):
    harm(root)
    with pytest.raises(CollectionError, match=message):
        load(f"msd:{root}")
