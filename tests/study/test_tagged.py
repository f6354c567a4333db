from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from mtt.config import SMOKE
from mtt.files import MttError
from mtt.models.checkpoint import identify
from mtt.reporting.pages.frame import badge
from mtt.study.replicates import Replicate


def test_music_without_tags_gets_a_taggers_and_says_so(tiny_table, golden_model, tmp_path, monkeypatch):
    """As many tracks have a tag as the tagger's probabilities add up to, and they are the likeliest."""
    monkeypatch.setenv("MTT_HOME", str(tmp_path / "home"))
    bare = tiny_table.with_name("bare.csv")
    pd.read_csv(tiny_table).assign(tags="").to_csv(bare, index=False)
    config = replace(SMOKE, collection=str(bare))
    with pytest.raises(MttError, match="no track has a tag; .*--teacher MODEL"):
        _ = Replicate(config, 0, tmp_path / "study" / "0", progress=False).collection
    given = identify(golden_model)
    corpus = Replicate(replace(config, features_from=given), 0, tmp_path / "study" / "0", progress=False).collection
    scores = np.load(next((tmp_path / "home" / "cache").glob("tagged-*.npz")))["scores"]
    assert corpus.labels.sum(axis=0).tolist() == np.rint(scores.sum(axis=0)).tolist()
    for tag in range(len(corpus.tags)):
        has = corpus.labels[:, tag].astype(bool)
        assert not has.any() or has.all() or scores[has, tag].min() >= scores[~has, tag].max()
    assert corpus.name == f"bare, tagged by {golden_model.name}" and badge(corpus.name) == "labels by a tagger, not by people"
    assert badge("bare") == "" and badge("synthetic") == "composed, not recorded"
