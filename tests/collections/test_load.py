import pytest

from mtt.collections.load import collection_help, data_sets, load_corpus, parse_source
from mtt.files import MttError
from tests.collections.trees import load, write_sounds, write_table


def test_tags_are_ordered_by_frequency_and_empty_means_unlabelled_in_any_set(tmp_path):
    write_sounds(tmp_path, "a.wav", "b.wav", "c.wav")
    tags = ["jazz", " jazz | rock|", ""]
    corpus = load(write_table(tmp_path, ["a.wav", "b.wav", "c.wav"], track_id=[1, 2, 3], tags=tags, split="train"))
    assert corpus.tags == ["jazz", "rock"]
    assert corpus.labels.tolist() == [[1, 0], [1, 1], [0, 0]]
    assert corpus.is_labelled.to_dict() == {"1": True, "2": True, "3": False}
    untagged = load(write_table(tmp_path, ["a.wav"], tags=""))  # can be looked at
    assert len(untagged) == 1 and untagged.tags == [] and untagged.labels.shape == (1, 0)


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
        ("mds:/data", "unknown collection 'mds:/data'; give synthetic, a CSV file of tracks, or gtzan:ROOT, mtg-jamendo:ROOT"),
        ("mtg-jamendo/moods:/data", "unknown collection .*; there are mtg-jamendo:ROOT, mtg-jamendo/genre:ROOT, mtg-jamendo/instrument"),
        ("gtzan:", "'gtzan:' names no folder; give gtzan:ROOT"),
        ("gtzan:/no/such/folder", "/no/such/folder: no such folder; give the one that holds the data set, as gtzan:ROOT"),
    ],
)
def test_misspelt_sources_are_refused_with_the_spellings(source, message):
    with pytest.raises(MttError, match=message):
        load_corpus(source, progress=False)


def test_a_csv_may_have_a_colon_in_its_name(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_sounds(tmp_path, "a.wav")
    write_table(tmp_path, ["a.wav"]).rename("my:tracks.csv")
    assert len(load_corpus("my:tracks.csv", cache=tmp_path / "cache", progress=False)) == 1


def test_help_has_a_line_for_each_variant():
    lines = collection_help().splitlines()
    assert all(len(line) < 120 for line in lines)
    for data_set in data_sets().values():
        for source, about in data_set.lines.items():
            assert sum(line.startswith(f"{source} ") and line.endswith(about) for line in lines) == 1
    assert {"gtzan", "magnatagatune", "msd", "mtg-jamendo"} <= data_sets().keys()
