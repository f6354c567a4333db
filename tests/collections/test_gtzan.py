from pathlib import Path

import numpy as np
import pytest
from mtt.collections.gtzan import GENRES

from mtt.collections.load import CollectionError, load_corpus
from mtt.config import SAMPLE_RATE
from mtt.data.audio import write_audio

FILES = ["blues/blues.00000.wav", "blues/blues.00001.wav", "rock/rock.00000.mp3", "rock/rock.00007.flac"]
ARTISTS = "file,artist\nblues.00000.wav,John Lee Hooker\nblues/blues.00001.au,John Lee Hooker\nrock.00000,Morphine\n"


@pytest.fixture(params=["genres", "genres_original"])
def root(request, tmp_path):
    for number, path in enumerate(FILES):
        (tmp_path / request.param / path).parent.mkdir(parents=True, exist_ok=True)
        noise = np.random.default_rng(number).standard_normal(int(1.2 * SAMPLE_RATE))
        write_audio(tmp_path / request.param / path, (0.1 * noise).astype(np.float32))
    (tmp_path / request.param / "blues" / "bextract_single.mf").touch()  # published among the excerpts
    (tmp_path / "artists.csv").write_text(ARTISTS)
    return tmp_path


def load(source):
    path = Path(source.split(":", 1)[1].removesuffix("?partial"))
    return load_corpus(source, cache=path / "cache", progress=False)


def test_the_genre_is_the_tag_and_the_index_names_the_artists(root):
    corpus = load(f"gtzan:{root}")
    assert corpus.tags == list(GENRES)
    assert corpus.tracks["artist"].to_dict() == {
        "blues.00000": "John Lee Hooker",
        "blues.00001": "John Lee Hooker",
        "rock.00000": "Morphine",
        "rock.00007": "",
    }
    assert corpus.labels.sum(axis=1).tolist() == [1, 1, 1, 1] and corpus.labels[:, GENRES.index("rock")].tolist() == [0, 0, 1, 1]
    assert not corpus.has_split


def test_the_fault_filtered_lists_choose_excerpts_and_sets(root):
    for name, line in {"train": FILES[0], "valid": "rock/rock.00000.wav", "test": "rock/rock.00007.wav"}.items():
        (root / f"{name}_filtered.txt").write_text(line + "\n")
    corpus = load(f"gtzan/filtered:{root}")
    assert corpus.tracks["split"].to_dict() == {"blues.00000": "train", "rock.00000": "valid", "rock.00007": "test"}
    (root / "test_filtered.txt").write_text("../rock/rock.00007.wav\n")
    with pytest.raises(CollectionError, match="test_filtered.txt: '../rock.*' is no path such as"):
        load(f"gtzan/filtered:{root}")
    (root / "test_filtered.txt").write_text("pop/pop.00001.wav\n")
    with pytest.raises(CollectionError, match=r"1 of 3 audio files are absent, such as pop/pop\.00001\.wav; .*Kaggle.*\?partial"):
        load(f"gtzan/filtered:{root}")
    assert load(f"gtzan/filtered:{root}?partial").problems["track_id"].tolist() == ["pop.00001"]


@pytest.mark.parametrize(
    ("harm", "message"),
    [
        (lambda root: (root / "artists.csv").unlink(), "by artist is impossible; write one with the columns file,artist .*Sturm 2013"),
        (lambda root: (root / "artists.csv").write_text("file,artist\n1,x\n"), "artists.csv: names no excerpt"),
        (lambda root: (root / "artists.csv").write_text("file,name\n"), "artists.csv: column 'artist' is missing"),
    ],
)
def test_without_artists_it_says_what_to_do(root, harm, message):
    harm(root)
    with pytest.raises(CollectionError, match=message):
        load(f"gtzan:{root}")


def test_missing_lists_and_folders_are_named(root, tmp_path_factory):
    with pytest.raises(CollectionError, match="train_filtered.txt .*is missing; it holds the fault-filtered train set"):
        load(f"gtzan/filtered:{root}")
    with pytest.raises(CollectionError, match="no folder such as genres/blues is there; .*genres_original/blues/blues.00000.wav"):
        load(f"gtzan:{tmp_path_factory.mktemp('empty')}")
