"""musicnn: the published answers, whatever the length; and its wheel, which is read, never run, and refused where it was changed."""

import copy
import hashlib
import json
import pickle
import stat
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from mtt.explain.curves import tag_curves
from mtt.files import home, write_whole
from mtt.models import CheckpointError, import_musicnn, load_model, official
from mtt.models.musicnn import PATCH, RATE
from tests.models.plain_musicnn import plain, random_tensors
from tests.reading.bundles import bundle

GOLDEN = Path(__file__).parents[1] / "data" / "golden"
TAGS = [f"tag {i}" for i in range(50)]


def golden(name: str) -> dict:
    """``wave`` at 16 kHz (samples,), ``patches`` (n, mels, frames), and what each model makes of them."""
    with np.load(GOLDEN / f"musicnn_{name}.npz", allow_pickle=False) as data:
        found = {key: torch.from_numpy(data[key]) for key in data.files}
    found["patches"] = found["patches"].transpose(1, 2)
    noise = 0.1 * np.random.default_rng(0).standard_normal(3 * RATE)
    return {"wave": torch.from_numpy(noise.astype(np.float32))} | found


def write_wheel(path: Path, tensors: dict, model: str = "MSD_musicnn", index: Callable[[bytes], bytes] = bytes) -> Path:
    """A wheel with one model in it, ``index`` a change to the table of its checkpoint."""
    table, data = bundle(tensors)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(f"musicnn/{model}/.index", index(table))
        archive.writestr(f"musicnn/{model}/.data-00000-of-00001", data)
        archive.writestr("musicnn/configuration.py", f"SR = 16000\n{model[:3]}_LABELS = {TAGS}\nraise SystemExit('was run')\n")
        archive.writestr("musicnn-0.1.0.dist-info/LICENSE.md", "Copyright of the test. Permission to try.")
    return path


@pytest.fixture(scope="module")
def tensors():
    return random_tensors()


@pytest.fixture(scope="module")
def wheel(tmp_path_factory, tensors):
    adam = {"dense/bias/Adam": np.zeros(200, "<f4"), "beta1_power": np.array(0, "<f4")}
    return write_wheel(tmp_path_factory.mktemp("wheel") / "a.whl", tensors | adam)


def trust(path: Path, patch: pytest.MonkeyPatch) -> None:
    """Take the checksum of a wheel that a test has written for the published one."""
    patch.setattr(official, "WHEEL_SHA256", hashlib.sha256(path.read_bytes()).hexdigest())


@pytest.fixture(scope="module")
def ours(tmp_path_factory, wheel):
    with pytest.MonkeyPatch.context() as patch:
        trust(wheel, patch)
        return import_musicnn(tmp_path_factory.mktemp("imported") / "model", wheel)


@pytest.fixture(scope="module")
def published(tmp_path_factory):
    """The published wheel, fetched once and kept in the cache; what needs it is left out where pip cannot get it."""
    kept = home() / "cache" / official.WHEEL
    if not kept.exists():
        try:
            write_whole(kept, official._fetched_wheel(tmp_path_factory.mktemp("wheel")).read_bytes())
        except CheckpointError as error:
            pytest.skip(str(error))
    return kept


@pytest.mark.parametrize("name", ["fishin", "noise"])
@torch.inference_mode()
def test_spectrograms_are_the_published_ones(name, ours):
    """But for powers on the edge between two float16."""
    expected = golden(name)
    mel = ours.spectrogram.log_mel(expected["wave"][None])[0]
    patches = torch.stack(mel[:, : len(expected["patches"]) * PATCH].split(PATCH, dim=1))
    difference = (patches - expected["patches"]).abs()
    assert difference.max() < 5e-4 and difference.mean() < 2e-6


@pytest.mark.slow
@pytest.mark.parametrize("model", official.MUSICNN_MODELS)
@torch.inference_mode()
def test_answers_are_the_published_ones(published, model, tmp_path):
    ours = import_musicnn(tmp_path / "out", published, model)
    assert sum(p.numel() for p in ours.parameters()) == 787_159
    assert (ours.tags[0], ours.tags[49]) == {"MSD_musicnn": ("rock", "happy"), "MTT_musicnn": ("guitar", "choral")}[model]
    assert "Copyright (c) Music Technology Group, Universitat Pompeu Fabra 2019" in ours.provenance["licence"]
    for expected in map(golden, ("fishin", "noise")):
        found = ours.score_patch(expected["patches"]).sigmoid()
        torch.testing.assert_close(found, expected[model], rtol=0, atol=1e-5)
        audio = ours.from_mel(ours.spectrogram.log_mel(expected["wave"][None])).sigmoid()
        torch.testing.assert_close(audio[0], expected[model].mean(dim=0), rtol=0, atol=1e-4)
        seen = []
        with ours.head[-1].register_forward_pre_hook(lambda _, given, seen=seen: seen.append(given[0])):
            ours.score_patch(expected["patches"][:1])
        torch.testing.assert_close(seen[0], expected[f"{model}.penultimate"], rtol=0, atol=1e-4)
        with torch.autocast("cpu", torch.bfloat16):
            coarse = ours.score_patch(expected["patches"]).sigmoid()
        assert 0 < (coarse - found).abs().max() < 0.002


@torch.inference_mode()
def test_an_import_computes_what_the_published_layers_do(ours, tensors):
    """Every tensor in its place, normalisations that fall too; and what training sees is the same function."""
    patches = golden("fishin")["patches"]
    expected = plain(tensors, patches.transpose(1, 2))
    torch.testing.assert_close(ours.score_patch(patches).sigmoid(), expected, rtol=0, atol=1e-5)
    assert (expected[0] - expected[1]).abs().max() > 0.01
    mel = torch.cat(list(patches), dim=1)[None]
    torch.testing.assert_close(ours.from_mel(mel).sigmoid()[0], expected.mean(dim=0), rtol=0, atol=1e-5)
    image = ours.input_bn(patches.transpose(1, 2)[:, None])
    for layer in ours.pooled:
        trained = copy.deepcopy(layer)
        trained.training = True  # in whose order, with the statistics of evaluation
        torch.testing.assert_close(layer(image, torch.float32), trained(image, torch.float32), rtol=1e-5, atol=1e-4)


@torch.inference_mode()
def test_any_rate_and_length(ours):
    times = [torch.arange(round(3.1 * rate), dtype=torch.float64) / rate for rate in (22_050, RATE)]
    tones = [torch.sin(2 * torch.pi * 3000 * time).float()[None] for time in times]
    resampled, direct = ours.spectrogram(tones[0]), ours.spectrogram.log_mel(tones[1])
    assert (resampled - direct)[..., 5:-5].abs().max() < 0.02 and direct.max() > 4
    short = direct[..., :50]
    repeated = torch.cat([short] * 4, dim=2)[..., :PATCH]
    assert torch.equal(ours.from_mel(short), ours.score_patch(repeated))
    assert torch.equal(ours.from_mel(torch.cat([direct, short], dim=2)[..., : PATCH + 50]), ours.score_patch(direct[..., :PATCH]))


def test_it_tags_and_explains_and_tells_whose_weights_it_holds(mtt, music, wheel, monkeypatch):
    trust(wheel, monkeypatch)
    said = "model: 787,159 parameters, 50 tags\nlicence: Copyright of the test; its notice stands in model/model.json\n"
    assert mtt(f"import-musicnn {wheel} model")[:2] == (0, said)
    model = load_model("model")
    about = {"source": "musicnn==0.1.0, MSD_musicnn", "trained_on": "Million Song Dataset", "file": "a.whl"}
    about |= {"licence": "Copyright of the test. Permission to try.", "file_sha256": hashlib.sha256(wheel.read_bytes()).hexdigest()}
    assert about.items() <= model.provenance.items() and (model.tags, model.clip_seconds) == (TAGS, 3.0)
    tags = json.loads(mtt("tag music/a.mp3 --model model --top 50 --format json")[1])[0]["tags"]
    curves = tag_curves(model, music / "a.mp3", hop=1.0)
    assert len(tags) == 50 and list(curves.times) == [1.5] and abs(curves.curve("tag 7")[0] - tags["tag 7"]) < 1e-3
    assert mtt("explain music/b.flac --model model --out page.html")[0] == 0 and "tag 7" in Path("page.html").read_text()


def test_a_wheel_that_was_changed_is_refused(mtt, tensors, tmp_path):
    write_wheel(tmp_path / "a.whl", tensors)
    code, out, errors = mtt("import-musicnn a.whl model")
    assert (code, out) == (1, "") and errors[0].startswith("mtt: a.whl: not the published musicnn-0.1.0-py3-none-any.whl, or changed since")
    (tmp_path / "b.whl").write_bytes(pickle.dumps(tensors))
    assert "b.whl: not the published" in mtt("import-musicnn b.whl model")[2][0]
    assert "gone.whl: No such file or directory: give the file musicnn-0.1.0" in mtt("import-musicnn gone.whl model")[2][0]
    assert mtt("import-musicnn a.whl b.whl model")[::2] == (2, ["mtt: import-musicnn: expected [WHEEL] OUT, got 3 paths"])
    assert mtt("import-musicnn a.whl model --model MSD_vgg")[0] == 2 and not Path("model").exists()


def test_pip_gets_the_wheel_and_its_faults_are_told(mtt, wheel, tmp_path, monkeypatch):
    """pip is a script here, which finds what the package index has in its place."""
    trust(wheel, monkeypatch)
    pip = tmp_path / "python"
    copy = f'case "$option" in --dest=*) cp {wheel} "${{option#--dest=}}/{official.WHEEL}";; esac'
    pip.write_text(f'#!/bin/sh\necho "$@" > asked\nfor option; do {copy}; done\n')
    pip.chmod(pip.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setattr(sys, "executable", str(pip))
    assert mtt("import-musicnn model")[0] == 0 and load_model("model").provenance["file"] == official.WHEEL
    asked = Path("asked").read_text()
    assert asked.startswith("-m pip download --no-deps --only-binary=:all:") and asked.endswith("musicnn==0.1.0\n")
    pip.write_text("#!/bin/sh\necho 'no route to the index' >&2\nexit 1\n")
    code, _, errors = mtt("import-musicnn other")
    assert code == 1 and "pip could not get it (no route to the index): download musicnn-0.1.0-py3-none-any.whl" in errors[0]
    monkeypatch.setattr(official.importlib.util, "find_spec", lambda name: None)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert "there is no pip to get it with" in mtt("import-musicnn other")[2][0] and not Path("other").exists()
