import numpy as np
import pytest
import torch

from mtt.config import SAMPLE_RATE
from mtt.explain.embed import embed, read_embeddings, similar
from mtt.files import MttError
from mtt.models import load_model


def test_features_are_those_before_the_last_layer_in_windows_that_leave_no_gap(golden_model, tiny_corpus):
    model = load_model(golden_model)
    model.clip_seconds = 0.75
    path = tiny_corpus.path(tiny_corpus.tracks.index[0])
    found = embed(model, path)
    assert found.starts == pytest.approx([0.0, 0.75, 1.25], abs=1e-3)  # the last window ends with the track of 2 s
    wave = tiny_corpus.read(tiny_corpus.tracks.index[0])[None, : round(0.75 * SAMPLE_RATE)]
    with torch.inference_mode():
        logits = model(torch.from_numpy(wave))
        again = model.head[-1](torch.from_numpy(found.windows[:1]))
    assert torch.allclose(logits, again, atol=1e-4)
    assert np.allclose(found.track, found.windows.mean(axis=0))


def test_commands_write_read_and_search(mtt, golden_model, tiny_table, tmp_path):
    folder = tiny_table.parent / "audio"
    songs = sorted(folder.iterdir())
    (tmp_path / "broken.mp3").write_bytes(b"no music")
    code, out, errors = mtt(f"embed {folder} broken.mp3 --model {golden_model} --out all.npz")
    assert code == 1 and f"{len(songs)} files, 1 failed" in out and any("broken.mp3" in line for line in errors)
    found, place, _ = read_embeddings(tmp_path / "all.npz")
    assert list(found) == [str(song) for song in songs] and place == str(golden_model)
    code, out, _ = mtt(f"similar {songs[0]} --in all.npz --top 3")
    lines = out.splitlines()
    assert code == 0 and len(lines) == 3 and str(songs[0]) not in out
    expected = similar(found[str(songs[0])].track, {name: one for name, one in found.items() if name != str(songs[0])})
    assert [line.split()[1] for line in lines] == list(expected["path"][:3])
    code, _, _ = mtt(f"embed {songs[0]} --model {golden_model} --out one.csv")
    assert code == 0 and (tmp_path / "one.csv").read_text().startswith("path,feature 0,")


def test_a_song_is_most_like_itself(golden_model, tiny_corpus):
    model = load_model(golden_model)
    found = {track_id: embed(model, tiny_corpus.path(track_id)) for track_id in tiny_corpus.tracks.index[:6]}
    for track_id, one in found.items():
        table = similar(one.track, found)
        assert table["path"][0] == track_id and table["similarity"][0] == pytest.approx(1.0)


def test_what_is_no_embedding_is_refused(tmp_path):
    (tmp_path / "half.npz").write_bytes(b"PK\x03\x04 half")
    np.savez(tmp_path / "other.npz", other=np.zeros(3))
    np.savez(tmp_path / "pickle.npz", paths=np.array([{"a": 1}], dtype=object))
    for name, message in {"half": r"half\.npz: .*mtt embed", "other": "holds no embeddings", "pickle": "cannot be read"}.items():
        with pytest.raises(MttError, match=message):
            read_embeddings(tmp_path / f"{name}.npz")
