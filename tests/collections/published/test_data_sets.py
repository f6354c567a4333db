import shutil

import numpy as np
import pytest

from mtt.collections.load import load_corpus
from mtt.collections.pack import pack_corpus
from mtt.collections.published.gtzan import GENRES
from mtt.collections.published.magnatagatune import TAGS
from mtt.collections.published.msd import CALS_TAGS, CONVENTIONAL_TAGS
from mtt.config import SAMPLE_RATE
from mtt.files import MttError, write_whole
from tests.collections import trees
from tests.collections.trees import JAMENDO_HEADER, JAMENDO_ROWS, MSD_IDS, MSD_POOL, MSD_SETS, MTAT_CLIPS, TREES, load


def test_cals_is_read_with_its_tags_in_order_its_sets_and_its_pool(tmp_path):
    corpus = load(f"msd:{trees.write_msd(tmp_path)}")
    assert corpus.tags == list(CALS_TAGS) and len(corpus.tags) == 50 and corpus.tags[-1] == "progressive metal"
    sets = MSD_SETS | {"unlabelled": MSD_POOL}
    assert corpus.tracks["split"].to_dict() == {i: name for name, ids in sets.items() for i in ids}
    assert list(np.flatnonzero(corpus.labels[0])) == [0, 49] and list(np.flatnonzero(corpus.labels[1])) == [0]
    assert corpus.is_labelled[MSD_POOL].sum() == 0 and corpus.name == "msd" and not corpus.complete
    assert corpus.tracks.loc[MSD_IDS[3], ["artist", "title"]].tolist() == ["Artist 1", "Title 3 <SEP> more"]
    assert [corpus.tracks.at[i, "path"].rsplit(".")[-1] for i in MSD_IDS[:3]] == ["mp3", "flac", "wav"]
    assert len(corpus.read(MSD_IDS[0])) > SAMPLE_RATE


def test_the_pool_may_come_from_the_table_of_splits(tmp_path):
    root = trees.write_msd(tmp_path)
    (root / "splits" / "student_ids.npy").unlink()
    rows = [f"{i}\t{name.upper()}\t660000" for name, ids in {**MSD_SETS, "student": MSD_POOL}.items() for i in ids]
    (root / "splits" / "msd_splits.tsv").write_text("\n".join(["clip_ids\tsplits\tlength", *rows, "TRZZZZZ128F0000009\tNONE\t1"]) + "\n")
    corpus = load(f"msd:{root}")
    assert list(corpus.tracks.index[corpus.tracks["split"] == "unlabelled"]) == MSD_POOL


def test_the_conventional_split_may_share_artists_and_may_be_filtered(tmp_path):
    corpus = load(f"msd/conventional:{trees.write_msd(tmp_path)}")
    assert corpus.tags == list(CONVENTIONAL_TAGS) and len(corpus) == 4 and corpus.split_name == "the conventional split"
    assert corpus.tracks.at[MSD_IDS[2], "artist"] == corpus.tracks.at[MSD_IDS[3], "artist"]  # valid and test
    for name, ids in (("train", MSD_IDS[1:3]), ("test", MSD_IDS[3:4])):
        items = "".join(f"S'{i}'\np{n}\na" for n, i in enumerate(ids, 2))
        (tmp_path / "MSD_split_for_tagging" / f"filtered_list_{name}.cP").write_text(f"(lp1\n{items}.")
    filtered = load(f"msd/conventional:{tmp_path}")
    assert filtered.tracks["split"].to_dict() == {MSD_IDS[1]: "train", MSD_IDS[2]: "valid", MSD_IDS[3]: "test"}


def test_magnatagatune_is_split_by_folder_and_an_absent_tag_is_a_negative(tmp_path):
    corpus = load(f"magnatagatune:{trees.write_magnatagatune(tmp_path)}")
    assert corpus.tags == list(TAGS) and len(set(TAGS)) == 50
    assert corpus.tracks["split"].to_dict() == {"2": "train", "3": "train", "4": "valid", "5": "test"}
    assert corpus.tracks["artist"].tolist() == [artist for _, artist, _ in MTAT_CLIPS[:4]]
    assert [set(text.split("|")) - {""} for text in corpus.tag_texts] == [set(tags) & set(TAGS) for *_, tags in MTAT_CLIPS[:4]]
    assert corpus.tracks.at["2", "path"] == "mp3/" + MTAT_CLIPS[0][0] and corpus.tracks.at["2", "title"] == 'Title "0"'
    assert corpus.problems["path"].tolist() == ["mp3/" + MTAT_CLIPS[4][0]]  # empty as published
    assert corpus.complete


@pytest.mark.parametrize("form", [".npy", ".txt", "_list_pub.cP"])
def test_given_lists_choose_clips_and_sets_of_magnatagatune(tmp_path, form):
    folder = trees.write_magnatagatune(tmp_path) / "split"
    folder.mkdir()
    for name, row in {"train": 3, "valid": 0, "test": 1}.items():
        path = MTAT_CLIPS[row][0]
        if form == ".npy":
            np.save(folder / f"{name}.npy", np.array([f"{row}\t{path}"]))
        else:
            (folder / f"{name}{form}").write_text(path if form == ".txt" else f"(lp1\nS'{path}'\np2\na.")
    corpus = load(f"magnatagatune/listed:{tmp_path}")
    assert corpus.tracks["split"].to_dict() == {"2": "valid", "3": "test", "5": "train"}
    assert corpus.split_name == "the split of the given lists" and not len(corpus.problems)


@pytest.mark.parametrize("whole_repository", [False, True])
def test_the_official_split_of_jamendo_is_read_with_kinds_of_tags(tmp_path, whole_repository):
    trees.write_jamendo(tmp_path)
    if whole_repository:
        (tmp_path / "data").mkdir()
        (tmp_path / "splits").rename(tmp_path / "data" / "splits")
    corpus = load(f"mtg-jamendo:{tmp_path}")
    assert corpus.tracks["split"].to_dict() == {"track_0000214": "train", "track_0000382": "valid", "track_1267124": "test"}
    assert corpus.tags == ["punkrock", "film", "voice"]
    assert corpus.tag_kinds == {"punkrock": "genre", "film": "mood/theme", "voice": "instrument"}
    assert corpus.labels.tolist() == [[1, 1, 0], [0, 0, 1], [1, 0, 0]]
    assert corpus.tracks["artist"].tolist() == ["artist_000014", "artist_000020", "artist_366613"]
    assert corpus.tracks["path"].tolist() == ["audio/14/214.mp3", "audio/82/382.low.mp3", "audio/24/1267124.low.mp3"]
    assert corpus.split_name == "the official split-0"


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
def test_each_variant_of_jamendo_reads_its_own_files(tmp_path, variant, split, subset):
    train, validation, test = (JAMENDO_ROWS[name].replace("mood/theme", "genre") for name in JAMENDO_ROWS)
    trees.write_jamendo(tmp_path, split, subset, train=test, validation=validation.replace("instrument", "genre"), test=train)
    corpus = load(f"mtg-jamendo{variant}:{tmp_path}")
    assert corpus.tag_kinds == {}  # as all tags are of one kind
    assert corpus.tracks["split"].tolist() == ["train", "valid", "test"] and corpus.split_name == f"the official {split}"
    assert corpus.tracks.index[0] == "track_1267124" and corpus.name == f"mtg-jamendo{variant}"


@pytest.mark.parametrize("folder", ["genres", "genres_original"])
def test_a_genre_is_the_tag_of_gtzan_and_the_index_names_the_artists(tmp_path, folder):
    corpus = load(f"gtzan:{trees.write_gtzan(tmp_path, folder)}")
    assert corpus.tags == list(GENRES) and corpus.tracks["tags"].tolist() == ["blues", "blues", "rock", "rock"]
    assert list(corpus.tracks.index) == ["blues.00000", "blues.00029", "rock.00000", "rock.00010"]
    assert list(corpus.tracks["artist"]) == ["John Lee Hooker", "John Lee Hooker", "Morphine", ""]
    assert not corpus.has_split


def test_the_fault_filtered_lists_choose_excerpts_and_sets_of_gtzan(tmp_path):
    trees.write_gtzan(tmp_path)
    with pytest.raises(MttError, match=r"926 of 930 audio files are absent, such as blues/blues\.00030\.wav, .*Kaggle.*\?partial"):
        load(f"gtzan/filtered:{tmp_path}")
    corpus = load(f"gtzan/filtered:{tmp_path}?partial")
    sets = {"blues.00029": "train", "rock.00000": "train", "blues.00000": "valid", "rock.00010": "test"}
    assert corpus.tracks["split"].to_dict() == sets


@pytest.mark.parametrize("name", sorted(TREES.keys() - {"gtzan"}))  # which is of the files that are there
def test_absent_audio_is_counted_and_left_out_only_when_asked(tmp_path, name):
    path = next(path for path in sorted(TREES[name](tmp_path).rglob("*.mp3")) if path.stat().st_size)
    whole = load(f"{name}:{tmp_path}")
    path.unlink()
    with pytest.raises(MttError, match=rf"1 of \d audio files are absent, such as \S+{path.stem[:5]}\S+; .*\?partial"):
        load(f"{name}:{tmp_path}")
    corpus = load(f"{name}:{tmp_path}?partial")
    assert len(corpus) == len(whole) - 1 and corpus.problems["problem"].tolist()[-1] == "absent"


@pytest.mark.parametrize("name", TREES)
def test_packed_it_is_the_same_collection(tmp_path, name):
    corpus = load(f"{name}:{TREES[name](tmp_path)}")
    pack_corpus(corpus, tmp_path / "packed", progress=False)
    packed = load_corpus(tmp_path / "packed")
    for part in ("name", "split_name", "tags", "tag_kinds", "complete", "digest"):
        assert getattr(packed, part) == getattr(corpus, part)
    assert packed.has_split == corpus.has_split and list(packed.artists) == list(corpus.artists)
    np.testing.assert_array_equal(packed.labels, corpus.labels)


ROW = JAMENDO_ROWS["train"].split("\t")
TRAIN, HEADER = "splits/split-0/autotagging_top50tags-train.tsv", JAMENDO_HEADER + "\n"
LACKS = "line 2 lacks an artist, a path or a tag such as genre---rock"
GONE, CLIP = None, MTAT_CLIPS[0][0]


@pytest.mark.parametrize(
    ("name", "file", "content", "message"),
    [
        ("msd", "splits/valid_ids.npy", GONE, "valid_ids.npy is missing; it holds the ids of the valid set"),
        ("msd", "splits/test_binaries.npy", np.zeros((1, 49)), r"of shape \(1, 49\).*\(1, 50\)"),
        ("msd", "splits/student_ids.npy", GONE, "student_ids.npy or msd_splits.tsv is missing"),
        ("msd", "splits/student_ids.npy", np.array(["../../etc"]), "'../../etc' in the lists .* is no track id"),
        ("msd", "splits/student_ids.npy", np.array(MSD_IDS[:1]), f"'{MSD_IDS[0]}' stands in two sets"),
        ("msd", "unique_tracks.txt", GONE, "unique_tracks.txt .*is missing; it holds the artists"),
        ("msd", "unique_tracks.txt", "x\n", f"names no artist for 6 of 6 tracks, such as {MSD_IDS[0]}"),
        ("magnatagatune", "annotations_final.csv", GONE, "annotations_final.csv is missing; it holds the tags"),
        ("magnatagatune", "annotations_final.csv", "clip_id\tguitar\n", "column 'classical' is missing"),
        ("magnatagatune", "mp3", GONE, r"5 of 5 audio files are absent.*unpacked\)$"),
        ("magnatagatune/listed", "split/test.txt", CLIP, "split/train.npy or split/train.txt or .* missing"),
        ("magnatagatune/listed", "split/train.txt", "f/unknown.mp3", "train.txt: annotations_final.csv has no clip 'f/unknown.mp3'"),
        ("mtg-jamendo", TRAIN, "", r"train\.tsv: has no tracks under the header TRACK_ID ARTIST_ID"),
        ("mtg-jamendo", TRAIN, HEADER + "\t".join([*ROW[:5], "rock"]), LACKS),
        ("mtg-jamendo/split-1", TRAIN, GONE, "split-1/autotagging_top50tags-train.tsv .*is missing; it holds the train set"),
        ("gtzan", "artists.csv", GONE, "is missing; it holds the artists.* write it with the columns file,artist .*Sturm 2013"),
        ("gtzan", "artists.csv", "file,artist\n1,x\n", "artists.csv: names no excerpt"),
        ("gtzan", "genres_original", GONE, "no folder such as genres/blues is there; .*genres_original"),
    ],
)
def test_what_is_missing_or_wrong_is_named_in_one_line(tmp_path, name, file, content, message):
    path = TREES[name.split("/")[0]](tmp_path) / file
    if content is GONE:
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    elif isinstance(content, str):
        write_whole(path, content)
    else:
        np.save(path, content)
    with pytest.raises(MttError, match=message) as caught:
        load(f"{name}:{tmp_path}?partial")
    assert "\n" not in str(caught.value)
