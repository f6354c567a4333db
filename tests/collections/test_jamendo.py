from pathlib import Path

import numpy as np
import pytest

from mtt.collections.load import CollectionError, load_corpus
from mtt.config import SAMPLE_RATE
from mtt.data.audio import write_audio

HEADER = "TRACK_ID\tARTIST_ID\tALBUM_ID\tPATH\tDURATION\tTAGS"
ROWS = {
    "train": "track_0000214\tartist_000014\talbum_000031\t14/214.mp3\t1.2\tgenre---punkrock\tmood/theme---film",
    "validation": "track_0000382\tartist_000020\talbum_000046\t82/382.mp3\t1.2\tinstrument---voice",
    "test": "track_1267124\tartist_366613\talbum_151421\t24/1267124.mp3\t1.2\tgenre---punkrock",
}


def write_sets(root, split: str, subset: str, rows: dict[str, str]) -> None:
    folder = root / "splits" / split
    folder.mkdir(parents=True, exist_ok=True)
    for name, row in rows.items():
        (folder / f"{subset}-{name}.tsv").write_text(f"{HEADER}\n{row}\n")


@pytest.fixture
def root(tmp_path):
    """The repository's folder ``data`` and audio of either quality."""
    write_sets(tmp_path, "split-0", "autotagging_top50tags", ROWS)
    for number, path in enumerate(("14/214.mp3", "82/382.low.mp3", "24/1267124.low.mp3")):
        (tmp_path / "audio" / path).parent.mkdir(parents=True)
        noise = np.random.default_rng(number).standard_normal(int(1.2 * SAMPLE_RATE))
        write_audio(tmp_path / "audio" / path, (0.1 * noise).astype(np.float32))
    return tmp_path


def load(source):
    path = Path(source.split(":", 1)[1].removesuffix("?partial"))
    return load_corpus(source, cache=path / "cache", progress=False)


def test_the_official_split_is_read_with_kinds_of_tags(root):
    corpus = load(f"mtg-jamendo:{root}")
    assert corpus.tracks["split"].to_dict() == {"track_0000214": "train", "track_0000382": "valid", "track_1267124": "test"}
    assert corpus.tags == ["punkrock", "film", "voice"]
    assert corpus.tag_kinds == {"punkrock": "genre", "film": "mood/theme", "voice": "instrument"}
    assert corpus.labels.tolist() == [[1, 1, 0], [0, 0, 1], [1, 0, 0]]
    assert corpus.artists.tolist() == ["artist_000014", "artist_000020", "artist_366613"]
    assert corpus.tracks["path"].tolist() == ["audio/14/214.mp3", "audio/82/382.low.mp3", "audio/24/1267124.low.mp3"]
    assert corpus.split_name == "the official split-0"


def test_a_copy_of_the_whole_repository_will_do(root):
    (root / "data").mkdir()
    (root / "splits").rename(root / "data" / "splits")
    assert len(load(f"mtg-jamendo:{root}")) == 3


@pytest.mark.parametrize(
    ("variant", "split", "subset"),
    [
        ("/genre", "split-0", "autotagging_genre"),
        ("/instrument/split-3", "split-3", "autotagging_instrument"),
        ("/mood", "split-0", "autotagging_moodtheme"),
        ("/all/split-4", "split-4", "autotagging"),
        ("/split-2", "split-2", "autotagging_top50tags"),
    ],
)
def test_each_variant_reads_its_own_files(root, variant, split, subset):
    swapped = {"train": ROWS["test"], "validation": ROWS["validation"], "test": ROWS["train"]}
    write_sets(root, split, subset, swapped)
    corpus = load(f"mtg-jamendo{variant}:{root}")
    assert corpus.tracks["split"].tolist() == ["train", "valid", "test"]
    assert corpus.tracks.index[0] == "track_1267124" and corpus.name == f"mtg-jamendo{variant}"


def test_tags_of_one_kind_have_no_kinds(root):
    rows = {name: "\t".join([*row.split("\t")[:5], "genre---rock"]) for name, row in ROWS.items()}
    write_sets(root, "split-0", "autotagging_genre", rows)
    assert load(f"mtg-jamendo/genre:{root}").tag_kinds == {}


def test_absent_audio_is_counted_and_left_out_only_when_asked(root):
    (root / "audio/14/214.mp3").unlink()
    with pytest.raises(CollectionError, match=r"1 of 3 audio files are absent, such as 14/214\.mp3; the repository MTG.*\?partial"):
        load(f"mtg-jamendo:{root}")
    assert load(f"mtg-jamendo:{root}?partial").problems["problem"].tolist() == ["absent"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "line 1 is not the header TRACK_ID ARTIST_ID"),
        (HEADER, "lists no tracks"),
        (f"{HEADER}\ntrack_1\tartist_1\talbum_1", "line 2 lacks an artist, a path or a tag"),
        (f"{HEADER}\ntrack_1\tartist_1\talbum_1\t01/1.mp3\t3\trock", "line 2 lacks an artist, a path or a tag such as genre---rock"),
    ],
)
def test_faulty_files_are_named_with_the_line(root, text, message):
    (root / "splits/split-0/autotagging_top50tags-train.tsv").write_text(text)
    with pytest.raises(CollectionError, match=rf"autotagging_top50tags-train\.tsv: {message}"):
        load(f"mtg-jamendo:{root}")


def test_missing_sets_are_named(root):
    with pytest.raises(CollectionError, match="split-1/autotagging_top50tags-train.tsv .*is missing; it holds the train set"):
        load(f"mtg-jamendo/split-1:{root}")
