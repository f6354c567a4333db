import numpy as np
import pytest

from mtt.collections.load import CollectionError, load_corpus, parse_source, read_collection
from mtt.config import SAMPLE_RATE
from mtt.data.audio import encode_audio, write_audio


def noise(seconds: float, seed: int = 0, level: float = 0.1) -> np.ndarray:
    return (level * np.random.default_rng(seed).standard_normal(round(seconds * SAMPLE_RATE))).astype(np.float32)


def collection(folder, rows: str):
    table = folder / "tracks.csv"
    table.write_text(rows, encoding="utf-8")
    return table


def test_unusable_files_are_listed_with_the_reason_and_left_out(tmp_path):
    write_audio(tmp_path / "good.ogg", noise(2))
    write_audio(tmp_path / "good.mp3", noise(2, 1))
    write_audio(tmp_path / "silent.wav", np.zeros(3 * SAMPLE_RATE, np.float32))
    write_audio(tmp_path / "short.flac", noise(0.4))
    (tmp_path / "text.mp3").write_text("no music in here")
    (tmp_path / "cut.wav").write_bytes(encode_audio(noise(2))[:30])
    rows = "path,artist,tags\n" + "".join(
        f"{p},someone,a|b\n" for p in ("good.ogg", "silent.wav", "short.flac", "text.mp3", "cut.wav", "gone.wav", "../good.mp3", "good.mp3")
    )
    corpus = load_corpus(str(collection(tmp_path, rows)), cache=tmp_path / "cache", progress=False)
    assert list(corpus.tracks.index) == ["good.ogg", "good.mp3"]
    problems = corpus.problems.set_index("track_id")["problem"].to_dict()
    assert problems == {
        "silent.wav": "silent",
        "short.flac": "too_short",
        "text.mp3": "unreadable",
        "cut.wav": "unreadable",
        "gone.wav": "unreadable",
        "../good.mp3": "outside",
    }
    details = corpus.problems.set_index("track_id")["detail"]
    assert details["short.flac"].startswith("0.40 s") and "no such file" in details["gone.wav"]


def test_second_loading_reads_the_cache_and_a_changed_file_is_read_again(tmp_path, monkeypatch):
    write_audio(tmp_path / "a.wav", noise(2))
    table = collection(tmp_path, "path,artist,tags\na.wav,x,t\n")
    first = load_corpus(str(table), cache=tmp_path / "cache", progress=False)
    assert load_corpus(str(table), cache=tmp_path / "cache", progress=False).digest == first.digest
    assert len(list((tmp_path / "cache").glob("inspection-*"))) == 1
    write_audio(tmp_path / "a.wav", noise(2, seed=9))
    assert load_corpus(str(table), cache=tmp_path / "cache", progress=False).digest != first.digest


def test_tags_are_ordered_by_frequency_and_empty_means_unlabelled(tmp_path):
    for name in "abc":
        write_audio(tmp_path / f"{name}.wav", noise(1.5, seed=ord(name)))
    table = collection(tmp_path, "track_id,path,artist,tags\n1,a.wav,x,jazz\n2,b.wav,y, jazz | rock|\n3,c.wav,z,\n")
    corpus = load_corpus(str(table), cache=tmp_path / "cache", progress=False)
    assert corpus.tags == ["jazz", "rock"]
    assert corpus.labels.tolist() == [[1, 0], [1, 1], [0, 0]]
    assert corpus.is_labelled.to_dict() == {"1": True, "2": True, "3": False}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("path,tags\na.wav,x\n", "column 'artist' is missing"),
        ("path,artist,tags\n", "has no rows"),
        ("path,artist,tags\na.wav,x,t\n ,y,t\n", "line 3 has no path"),
        ("path,artist,tags\na.wav,x,t\na.wav,y,t\n", "'a.wav' stands twice"),
        ("", "not a CSV"),
    ],
)
def test_faulty_tables_are_refused_by_name(tmp_path, text, message):
    with pytest.raises(CollectionError, match=rf"tracks\.csv: .*{message}"):
        read_collection(collection(tmp_path, text))


def test_a_collection_without_any_usable_file_says_why(tmp_path):
    with pytest.raises(CollectionError, match=r"none of the 1 files can be used; the first, gone\.wav, is unreadable"):
        load_corpus(str(collection(tmp_path, "path,artist,tags\ngone.wav,x,t\n")), cache=tmp_path / "cache", progress=False)


def test_missing_table_is_named():
    with pytest.raises(CollectionError, match="nowhere.csv: no such file"):
        load_corpus("nowhere.csv")


@pytest.mark.parametrize(
    ("source", "kind", "variant", "path", "partial", "folder_name"),
    [
        ("/music/mine/tracks.csv", "csv", "", "/music/mine/tracks.csv", False, "mine-tracks"),
        ("msd:/data/MSD", "msd", "", "/data/MSD", False, "msd-MSD"),
        ("msd/conventional:/data/MSD/", "msd", "conventional", "/data/MSD", False, "msd-conventional-MSD"),
        ("mtg-jamendo/genre/split-3:/d/a:b", "mtg-jamendo", "genre/split-3", "/d/a:b", False, "mtg-jamendo-genre-split-3-a:b"),
        ("gtzan:/d/my gtzan?partial", "gtzan", "", "/d/my gtzan", True, "gtzan-my gtzan-partial"),
    ],
)
def test_sources_are_taken_apart_and_name_a_folder(source, kind, variant, path, partial, folder_name):
    found = parse_source(source)
    assert (found.kind, found.variant, str(found.path), found.partial) == (kind, variant, path, partial)
    assert found.folder_name == folder_name


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("mds:/data", "unknown collection 'mds:/data'; give synthetic, a CSV file of tracks, or msd:ROOT, magnatagatune:ROOT"),
        ("mtg-jamendo/moods:/data", "unknown collection .*; there are mtg-jamendo:ROOT, mtg-jamendo/genre:ROOT, /instrument"),
        ("gtzan:", "'gtzan:' names no folder; give gtzan:ROOT"),
        ("gtzan:?partial", "names no folder"),
        ("gtzan:/no/such/folder", "/no/such/folder: no such folder; give the one that holds the data set, as gtzan:ROOT"),
    ],
)
def test_misspelt_sources_are_refused_with_the_spellings(source, message):
    with pytest.raises(CollectionError, match=message):
        load_corpus(source, progress=False)


def test_a_csv_may_have_a_colon_in_its_name(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_audio(tmp_path / "a.wav", noise(2))
    collection(tmp_path, "path,artist,tags\na.wav,x,t\n").rename(tmp_path / "my:tracks.csv")
    assert len(load_corpus("my:tracks.csv", cache=tmp_path / "cache", progress=False)) == 1


def test_a_collection_without_tags_can_be_looked_at(tmp_path):
    write_audio(tmp_path / "a.wav", noise(2))
    corpus = load_corpus(str(collection(tmp_path, "path,artist,tags\na.wav,x,\n")), cache=tmp_path / "cache", progress=False)
    assert len(corpus) == 1 and corpus.tags == [] and corpus.labels.shape == (1, 0)
