import csv
import shutil
from pathlib import Path

import numpy as np
import pytest

from mtt.collections.load import CollectionError, load_corpus
from mtt.collections.magnatagatune import TAGS
from mtt.collections.packing import pack_collection
from mtt.config import SAMPLE_RATE
from mtt.data.audio import write_audio

CLIPS = [  # path, artist, tags of the clip
    ("0/curandero-aras-01-0-29.mp3", "Curandero", ["guitar", "no vocals"]),
    ("b/curandero-aras-02-0-29.mp3", "Curandero", ["choral"]),
    ("c/seismic_anamoly-03-0-29.mp3", "Seismic Anamoly", ["banjo"]),  # a tag that is not among the 50
    ("f/glen_bledsoe-04-0-29.mp3", "Glen Bledsoe", ["guitar", "rock"]),
]


@pytest.fixture
def root(tmp_path):
    """The published tables and clips, and one of the clips that are published empty."""
    columns = [*TAGS, "banjo"]
    with open(tmp_path / "annotations_final.csv", "w", newline="") as tags, open(tmp_path / "clip_info_final.csv", "w", newline="") as info:
        tags, info = (csv.writer(file, delimiter="\t", quoting=csv.QUOTE_ALL) for file in (tags, info))
        tags.writerow(["clip_id", *columns, "mp3_path"])
        info.writerow("clip_id track_number title artist album url segmentStart segmentEnd original_url mp3_path".split())
        for number, (path, artist, own) in enumerate([*CLIPS, ("6/norine_braun-08-117-146.mp3", "Norine Braun", [])]):
            tags.writerow([number + 2, *(int(tag in own) for tag in columns), path])
            info.writerow([number + 2, 1, f'Title "{number}"', artist, "Album", "", 0, 29, "", path])
            (tmp_path / "mp3" / path).parent.mkdir(parents=True)
            (tmp_path / "mp3" / path).touch()
            if own:
                noise = np.random.default_rng(number).standard_normal(int(1.2 * SAMPLE_RATE))
                write_audio(tmp_path / "mp3" / path, (0.1 * noise).astype(np.float32))
    return tmp_path


def load(source):
    path = Path(source.split(":", 1)[1].removesuffix("?partial"))
    return load_corpus(source, cache=path / "cache", progress=False)


def test_clips_are_split_by_folder_with_the_fifty_tags_and_their_artists(root):
    corpus = load(f"magnatagatune:{root}")
    assert corpus.tags == list(TAGS) and len(set(TAGS)) == 50
    assert corpus.tracks["split"].to_dict() == {"2": "train", "3": "train", "4": "valid", "5": "test"}
    assert corpus.tracks["artist"].tolist() == [artist for _, artist, _ in CLIPS]
    expected = [sorted(tag for tag in tags if tag in TAGS) for *_, tags in CLIPS]
    assert [sorted(np.array(TAGS)[row.astype(bool)]) for row in corpus.labels] == expected
    assert corpus.tracks.at["2", "path"] == "mp3/" + CLIPS[0][0] and corpus.tracks.at["2", "title"] == 'Title "0"'
    assert corpus.problems["path"].tolist() == ["mp3/6/norine_braun-08-117-146.mp3"]  # empty as published


@pytest.mark.parametrize("form", ["npy", "txt", "cP"])
def test_given_lists_choose_clips_and_sets(root, form):
    (root / "split").mkdir()
    for name, rows in {"train": [3], "valid": [0], "test": [1]}.items():
        paths = [CLIPS[row][0] for row in rows]
        if form == "npy":
            np.save(root / "split" / f"{name}.npy", np.array([f"{row}\t{path}" for row, path in zip(rows, paths, strict=True)]))
        elif form == "txt":
            (root / "split" / f"{name}.txt").write_text("\n".join(paths))
        else:
            (root / "split" / f"{name}_list_pub.cP").write_text("(lp1\n" + "".join(f"S'{path}'\np2\na" for path in paths) + ".")
    corpus = load(f"magnatagatune/listed:{root}")
    assert corpus.tracks["split"].to_dict() == {"2": "valid", "3": "test", "5": "train"}
    assert corpus.split_name == "the split of the given lists" and not len(corpus.problems)


def test_lists_that_are_missing_overlap_or_name_other_clips_are_refused(root):
    with pytest.raises(CollectionError, match="train.npy or train.txt or .* is missing; it holds the clips of the train set"):
        load(f"magnatagatune/listed:{root}")
    (root / "split").mkdir()
    for name in ("train", "valid", "test"):
        (root / "split" / f"{name}.txt").write_text(CLIPS[0][0])
    with pytest.raises(CollectionError, match="valid.txt: '0/curandero.*' stands in another set too"):
        load(f"magnatagatune/listed:{root}")
    (root / "split" / "train.txt").write_text("f/unknown.mp3")
    with pytest.raises(CollectionError, match="train.txt: annotations_final.csv has no clip 'f/unknown.mp3'"):
        load(f"magnatagatune/listed:{root}")


def test_absent_audio_is_counted_and_left_out_only_when_asked(root):
    for path, *_ in CLIPS[1:3]:
        (root / "mp3" / path).unlink()
    with pytest.raises(CollectionError, match=r"2 of 5 audio files are absent, such as b/\S+, c/\S+; mirg\.city\.ac\.uk.*\?partial"):
        load(f"magnatagatune:{root}")
    corpus = load(f"magnatagatune:{root}?partial")
    assert list(corpus.tracks.index) == ["2", "5"]
    assert corpus.problems["problem"].tolist() == ["unreadable", "absent", "absent"]


@pytest.mark.parametrize(
    ("harm", "message"),
    [
        (lambda root: (root / "annotations_final.csv").unlink(), "annotations_final.csv is missing; it holds the tags"),
        (lambda root: (root / "clip_info_final.csv").unlink(), "clip_info_final.csv is missing; it holds the artists"),
        (lambda root: (root / "annotations_final.csv").write_text("clip_id\tguitar\n"), "column 'classical' is missing"),
        (lambda root: (root / "clip_info_final.csv").write_text("clip_id\tartist\ttitle\talbum\n"), "lacks clip 2 of annotations_final"),
        (lambda root: shutil.rmtree(root / "mp3"), "5 of 5 audio files are absent.*joined and unpacked\\)$"),
    ],
)
def test_what_is_missing_is_named(root, harm, message):
    harm(root)
    with pytest.raises(CollectionError, match=message):
        load(f"magnatagatune:{root}?partial")


def test_packed_it_is_the_same_collection(root, tmp_path):
    corpus = load(f"magnatagatune:{root}")
    packed = pack_collection(f"magnatagatune:{root}", tmp_path / "packed", cache=root / "cache", progress=False)
    assert (packed.split_name, packed.tags, packed.tag_kinds) == (corpus.split_name, corpus.tags, corpus.tag_kinds)
    assert packed.split_name and packed.tracks["split"].to_dict() == corpus.tracks["split"].to_dict()
    assert (packed.labels == corpus.labels).all()
