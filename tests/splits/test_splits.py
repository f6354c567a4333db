import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse

from mtt.data.corpus import Corpus, artist_keys
from mtt.files import MttError
from mtt.settings import SettingsError
from mtt.splits.check import SETS, SPLIT_VALUES, audit_split, check_split
from mtt.splits.make import comparator_splits, hide_labels, leak_crossover, read_split, split_by_artist, split_corpus, write_split

RATIOS = (0.7, 0.15, 0.15)


def series(values) -> pd.Series:
    return pd.Series(list(values), index=[f"t{i:03d}" for i in range(len(values))])


def made_collection(n_artists=300, n_tags=40, seed=0):
    """Artists of 1 to ~60 tracks, each with two to four tags that most of its tracks carry."""
    rng = np.random.default_rng(seed)
    sizes = 1 + rng.pareto(1.2, n_artists).clip(max=60).astype(int)
    popularity = 1 / np.arange(1, n_tags + 1)
    artists, rows = [], []
    for artist, size in enumerate(sizes):
        taste = rng.choice(n_tags, rng.integers(2, 5), replace=False, p=popularity / popularity.sum())
        for _ in range(size):
            row = np.zeros(n_tags, dtype=np.uint8)
            row[taste[rng.random(len(taste)) < 0.7]] = 1
            row[taste[0]] = 1
            artists.append(f"artist {artist}")
            rows.append(row)
    return series(artists), np.stack(rows)


@st.composite
def collections(draw):
    """Small collections with missing artists, unlabelled tracks, lone tags and any ratios."""
    n = draw(st.integers(1, 40))
    artists = draw(st.lists(st.sampled_from(["a", "b", "c", "d", "e", "f", "g", "h", "", None]), min_size=n, max_size=n))
    n_tags = draw(st.integers(1, 6))
    labels = np.array(draw(st.lists(st.integers(0, 2**n_tags - 1), min_size=n, max_size=n)))
    labels = (labels[:, None] >> np.arange(n_tags) & 1).astype(np.uint8)
    ratios = draw(st.tuples(*[st.sampled_from([0.0, 0.15, 0.3, 1.0, 7.0])] * 3).filter(any))
    return series(artists), labels, ratios, draw(st.integers(0, 5))


@settings(max_examples=150, deadline=None)
@given(collections(), st.randoms(use_true_random=False))
def test_invariants_of_the_stratified_split(case, random):
    artists, labels, ratios, seed = case
    split = split_by_artist(artists, labels, ratios, seed)
    order = random.sample(range(len(artists)), len(artists))
    shuffled = split_by_artist(artists.iloc[order], labels[order], ratios, seed)
    pd.testing.assert_series_equal(split, shuffled.loc[split.index])  # it depends on the seed, not on the order of the rows
    assert list(split.index) == list(artists.index) and split.name == "split"
    assert split.isin(SPLIT_VALUES).all()
    check_split(split, artists)

    named, labelled = artists.notna() & (artists != ""), labels.any(axis=1)
    in_sets = split.isin(SETS)
    assert (in_sets == (named & labelled)).all(), "train, valid and test hold every labelled track with an artist"
    held_out = set(artists[split.isin(["valid", "test"])])
    pool = named & ~labelled & ~artists.isin(held_out)
    assert ((split == "unlabelled") == pool).all()

    target = np.array(ratios) / sum(ratios) * in_sets.sum()
    size = np.array([(split == name).sum() for name in SETS])
    artist_sizes = artists[in_sets].value_counts()
    assert (size[target == 0] == 0).all()
    if len(artist_sizes) > 3:
        assert (size[target > 0] > 0).all(), "no set of positive ratio stays empty"
        roomy = target[target > 0].min() >= artist_sizes.max()  # else filling every set may cost two small artists
        bound = artist_sizes.max() + (0 if roomy else artist_sizes.nsmallest(2).sum())
        assert np.abs(size - target).max() <= bound + 1e-9


def test_closer_than_every_comparator_on_skewed_collections():
    for seed in range(3):
        artists, labels = made_collection(seed=seed)
        found = {"ours": split_by_artist(artists, labels, RATIOS, seed), **comparator_splits(artists, labels, RATIOS, seed)}
        audits = {name: audit_split(split, artists, labels, RATIOS, range(40)) for name, split in found.items()}
        assert audits["ours"].mean_deviation < 0.3 * min(audits[name].mean_deviation for name in ("GroupShuffleSplit", "random artists"))
        assert [not audit.shared_artists["artists"].any() for audit in audits.values()] == [True, False, True, True]
        assert audits["random tracks"].leaked_test_share > 0.7
        counts = found["random tracks"].value_counts()
        assert all(abs(counts[name] - ratio * len(artists)) <= 1 for name, ratio in zip(SETS, RATIOS, strict=True))


def test_sets_get_an_artist_each_when_there_are_just_enough():
    artists = series(["big"] * 20 + ["b", "c"])
    labels = np.ones((22, 1), dtype=np.uint8)
    split = split_by_artist(artists, labels, (0.8, 0.1, 0.1))
    assert split.iloc[0] == "train" and set(split.iloc[20:]) == {"valid", "test"}


SPELLINGS = ["The Band", " the  band", "THE BAND ", "Ｔhe Band"]


def test_spellings_of_an_artist_stay_together():
    artists = series([*SPELLINGS, "x", "y", "z", "u", "v"])
    labels = np.ones((9, 1), dtype=np.uint8)
    comparators = comparator_splits(artists, labels, (1, 1, 1), 0)
    for split in (split_by_artist(artists, labels, (1, 1, 1)), comparators["random artists"], comparators["GroupShuffleSplit"]):
        assert split.iloc[:4].nunique() == 1
    torn = series(["train", "test", *["valid"] * 7])
    with pytest.raises(MttError, match=r"1 in train and valid \(The Band\); 1 in train and test \(The Band\)"):
        check_split(torn, artists)
    audit = audit_split(torn, artists, np.ones((9, 1)), (1, 1, 1), ["tag"])
    assert audit.leaked_test_share == 1 and audit.counts.loc["valid", "artists"] == 6


def test_spellings_of_an_artist_stay_in_one_group_of_the_crossover():
    artists = series([*SPELLINGS, *SPELLINGS, *np.repeat(["u", "v", "x", "y", "z"], 3)])
    for seed in range(20):
        table = leak_crossover(pd.Series("test", artists.index), artists, seed)
        assert set(table["artist"]) == set(artist_keys(artists)) and (table.groupby("artist")["group"].nunique() == 1).all()
        assert table["role"][table["artist"] == "the band"].value_counts().to_dict() == {"train": 4, "evaluation": 4}


def test_tracks_that_are_marked_as_unlabelled_are_the_pool_whatever_their_labels_are():
    artists, labels = series(["a", "a", "b", "b", "c", None, "   "]), np.array([1, 0, 1, 0, 0, 1, 0], dtype=np.uint8)[:, None]
    marked = split_by_artist(artists, labels, (1, 0, 0), unlabelled=np.array([True, False] * 3 + [True]))
    assert marked.tolist() == ["unlabelled", "train"] * 2 + ["unlabelled", "excluded", "excluded"]


def test_sparse_labels_and_category_artists_give_the_same_split_and_another_seed_another():
    artists, labels = made_collection(n_artists=60)
    expected = split_by_artist(artists, labels)
    assert (expected != split_by_artist(artists, labels, seed=1)).mean() > 0.1
    pd.testing.assert_series_equal(expected, split_by_artist(artists, sparse.csr_matrix(labels)))
    pd.testing.assert_series_equal(expected, split_by_artist(artists.astype("category"), labels))
    pd.testing.assert_series_equal(expected, split_by_artist(artists, labels.astype(bool)))


@pytest.mark.parametrize(
    ("ratios", "message"), [((0.5, 0.5), "3 numbers are needed"), ((0.5, np.nan, 0.5), "finite numbers >= 0"), ((0, 0, 0), "not all 0")]
)
def test_ratios_that_are_none_are_refused(ratios, message):
    for split in (split_by_artist, comparator_splits):
        with pytest.raises(SettingsError, match=message):
            split(series("ab"), np.ones((2, 1), dtype=np.uint8), ratios)


def audited():
    artists = series(["a", "a", "b", "b", "c", "c", "a"])
    labels = np.array([[1, 0], [1, 0], [1, 1], [0, 0], [0, 1], [1, 0], [0, 0]], dtype=np.uint8)
    split = series(["train", "test", "train", "train", "valid", "test", "unlabelled"]).rename("split")
    return split, artists, labels


def test_audit_by_hand():
    split, artists, labels = audited()
    audit = audit_split(split, artists, labels, (0.5, 0.25, 0.25), ["rock", "jazz"])
    assert audit.counts.loc["train"].tolist() == [3, 2, 3]
    assert audit.counts.loc["test"].tolist() == [2, 2, 2]
    assert audit.counts.loc["unlabelled"].tolist() == [1, 1, 0]
    assert audit.counts.loc["excluded"].tolist() == [0, 0, 0]
    shared = audit.shared_artists.set_index(["first", "second"])
    assert set(shared.index[shared["artists"] == 1]) == {("train", "test"), ("valid", "test"), ("unlabelled", "test")}
    assert shared["artists"].sum() == 3 and shared.at[("valid", "test"), "examples"] == "c"
    # rock: 2 of 4 in train, 0 in valid, 2 in test; jazz: 1 of 2 in train, 1 in valid, 0 in test
    assert audit.tag_shares.loc["rock", ["tracks", "train", "valid", "test"]].tolist() == [4, 0.5, 0, 0.5]
    assert audit.tag_shares.loc["jazz", "test_deviation"] == -0.25
    assert audit.mean_deviation == pytest.approx((0 + 0.25 + 0.25 + 0 + 0.25 + 0.25) / 6)
    assert audit.max_deviation == 0.25 and audit.worst_tag == "rock"
    assert audit.leaked_test_share == 0.5


def test_check_split_names_sets_and_artists():
    split, artists, _ = audited()
    with pytest.raises(MttError, match=r"1 in train and test \(a\); 1 in valid and test \(c\); 1 in unlabelled and test \(a\)"):
        check_split(split, artists)
    with pytest.raises(MttError, match="1 tracks have no set, first 't006'"):
        check_split(split.iloc[:-1], artists)
    with pytest.raises(MttError, match="'validation' of track 't004' is none of train"):
        check_split(split.replace("valid", "validation"), artists)
    with pytest.raises(MttError, match="'t000' stands twice"):
        check_split(pd.concat([split, split.iloc[:1]]), artists)


def test_leak_crossover_is_balanced_and_every_arm_has_heard_exactly_its_own_artists():
    artists, labels = made_collection()
    split = split_by_artist(artists, labels, (0.4, 0.2, 0.4))
    table = leak_crossover(split, artists, seed=1)
    test = split.index[split == "test"]
    counts = artists[test].value_counts()
    assert set(table["artist"]) == set(counts.index[counts >= 2]) and set(table.index) <= set(test)
    per_artist = table.groupby("artist")
    assert (per_artist["group"].nunique() == 1).all(), "an artist is in one group"
    train = table[table["role"] == "train"].groupby("artist").size()
    assert (train == counts[train.index] // 2).all()
    by_group = table.groupby(["group", "role"]).agg(tracks=("artist", "size"), artists=("artist", "nunique"))
    assert abs(by_group.at[("a", "train"), "artists"] - by_group.at[("b", "train"), "artists"]) <= 1
    assert abs(by_group.at[("a", "train"), "tracks"] - by_group.at[("b", "train"), "tracks"]) <= counts.max()
    assert table.equals(leak_crossover(split, artists, seed=1))
    assert not table.equals(leak_crossover(split, artists, seed=2))


def test_a_written_split_is_read_back(tmp_path):
    split = pd.Series(["train", "excluded"], index=pd.Index(['001,"x"', "NA"], name="track_id"), name="split")
    write_split(split, tmp_path / "split.csv")
    pd.testing.assert_series_equal(read_split(tmp_path / "split.csv"), split, check_dtype=False, check_index_type=False)
    assert [path.name for path in tmp_path.iterdir()] == ["split.csv"]


@pytest.mark.parametrize(
    ("rows", "message"), [("a,train\nb,test\na,valid", "line 4 repeats the track_id of line 2, 'a'"), ("a,training", "line 2 has a split")]
)
def test_a_malformed_split_file_is_refused(tmp_path, rows, message):
    (tmp_path / "split.csv").write_text(f"track_id,split\n{rows}\n")
    with pytest.raises(MttError, match=message):
        read_split(tmp_path / "split.csv")


def test_hidden_labels_move_whole_artists_from_train_to_the_pool_and_keep_the_shares_of_tags():
    artists, labels = made_collection()
    split = split_by_artist(artists, labels, RATIOS)
    hidden = hide_labels(split, artists, labels)
    moved = split != hidden
    assert (split[moved] == "train").all() and (hidden[moved] == "unlabelled").all()
    assert not set(artists[moved]) & set(artists[hidden == "train"])
    counts = labels[(split == "train").to_numpy()].sum(axis=0)
    shares = labels[moved].sum(axis=0) / counts
    assert abs(moved.sum() / (split == "train").sum() - 0.5) < 0.05 and np.abs(shares - 0.5)[counts >= 100].mean() < 0.08
    assert hidden.equals(hide_labels(split, artists, labels))


def corpus_of(artists, labels, sets=None, **known) -> Corpus:
    tracks = pd.DataFrame({"path": artists.index, "artist": artists})
    tracks = tracks if sets is None else tracks.assign(split=sets)
    tags = [f"tag {number}" for number in range(labels.shape[1])]
    return Corpus("mine", ".", tracks, tags, labels, **known)


def test_a_corpus_that_labels_everything_gets_a_pool_and_one_with_a_pool_keeps_its_labels():
    artists, labels = made_collection(60, 5)
    split = split_corpus(corpus_of(artists, labels), RATIOS)
    assert {"train", "valid", "test", "unlabelled"} <= set(split)
    check_split(split, artists)
    few, many = (np.where(artists.isin(artists.unique()[:n]).to_numpy()[:, None], 0, labels) for n in (1, 30))
    filled = split_corpus(corpus_of(artists, few), RATIOS)
    assert (filled == "unlabelled").sum() > 0.4 * filled.isin(["train", "unlabelled"]).sum()
    check_split(filled, artists)
    kept = split_corpus(corpus_of(artists, many), RATIOS)
    pd.testing.assert_series_equal(kept, split_by_artist(artists, many, RATIOS))


def test_only_a_published_split_may_share_artists():
    split, artists, labels = audited()
    with pytest.raises(MttError, match="sets share artists"):
        split_corpus(corpus_of(artists, labels, split), (0.6, 0.2, 0.2))
    published = split_corpus(corpus_of(artists, np.ones_like(labels), split, split_name="the usual split"), (0.6, 0.2, 0.2))
    assert published.tolist() == split.tolist()


def test_tracks_of_a_given_split_that_teach_and_test_nothing():
    """Those without a set or an artist, and untagged ones unless their collection is complete."""
    artists, sets = series(["a", "b", "c", "a", "b", "c", "d", "d", " "]), [*SETS, *SETS, "unlabelled", "", "train"]
    labels = np.array([1, 1, 1, 0, 0, 0, 0, 1, 1], dtype=np.uint8)[:, None]
    split = split_corpus(corpus_of(artists, labels, sets), RATIOS)
    assert split.tolist() == [*SETS, "unlabelled", "excluded", "excluded", "unlabelled", "excluded", "excluded"]
    check_split(split, artists)
    assert split_corpus(corpus_of(artists, labels, sets, complete=True), RATIOS).tolist() == [*sets[:7], "excluded", "excluded"]
