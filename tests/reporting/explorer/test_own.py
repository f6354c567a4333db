"""Pages that carry models, in a browser: a song of one's own is tagged and explained there as PyTorch does it."""

from __future__ import annotations

import re

import numpy as np
import pytest
import soundfile
import torch
from PIL import Image

from mtt.config import SAMPLE_RATE, ModelConfig
from mtt.explain import deletion
from mtt.explain.attention import attention_curves
from mtt.explain.curves import tag_curves
from mtt.explain.recording import Recording
from mtt.explain.tagging import tag_files
from mtt.files import MttError
from mtt.models import build_model, save_model
from mtt.models.frontend import evaluating
from mtt.reporting.explorer.page import model_page, render_explorer
from mtt.reporting.explorer.portable import portable_models
from tests.reporting.explorer.made import Visit, scene
from tests.tiny import write_audio

EXACT = 1e-3
SIZES = {  # of one head, of sides that nothing divides, of more tokens than positions, and the demo's
    "plain": {"channels": 4, "width": 16, "heads": 1, "layers": 1, "n_mels": 32},
    "odd": {"channels": 5, "width": 30, "heads": 5, "layers": 3, "n_mels": 45, "hop": 441, "n_fft": 512},
    "short": {"channels": 4, "width": 16, "heads": 2, "layers": 2, "n_mels": 32, "max_positions": 20},
    "demo": {"channels": 16, "width": 64, "heads": 4, "layers": 2, "n_mels": 48, "hop": 2048, "n_fft": 2048},
}
HEARD = """() => { const scene = mttStage.scene, [model] = scene.models; return {
    names: scene.tags.map(tag => tag.name), times: model.times, whole: model.whole, curves: model.curves.map(values => Array.from(values)),
    attention: model.attention && model.attention.names.map((name, row) => [name, Array.from(model.attention.curves[row])]) }; }"""


def made(seed=0, clip_seconds=3.0, **settings):
    """A Transformer whose every number is random, the statistics of its normalisations too."""
    model, random = build_model(ModelConfig(**settings), 6, seed=seed), torch.Generator().manual_seed(seed)
    for norm in (module for module in model.modules() if isinstance(module, torch.nn.BatchNorm2d)):
        for values, low in ((norm.running_mean, -0.5), (norm.running_var, 0.5), (norm.weight.data, 0.5), (norm.bias.data, -0.5)):
            values.uniform_(low, low + 1, generator=random)
    model.input_bn.running_mean.fill_(-30)
    model.input_bn.running_var.fill_(400)
    model.head[-1].weight.data.mul_(5)  # so that probabilities are apart
    model.tags, model.clip_seconds = ["rock", "<b>jazz", "sad", "fast", "slow", "piano"], clip_seconds
    return model.eval()


def song(seconds=7.3, rate=SAMPLE_RATE):
    time = np.arange(int(seconds * rate)) / rate
    beat = 0.2 * np.random.default_rng(0).standard_normal(len(time)) * np.exp(-20 * (time % 0.5))
    return (beat + 0.2 * np.sin(2 * np.pi * 220 * time * (1 + time / 20)) * (time > 3)).astype(np.float32)


@pytest.fixture(scope="module")
def demo():
    return made(**SIZES["demo"])


@pytest.fixture
def page(browser, tmp_path):
    """Opens the page of a model, with scenes or without."""
    contexts = []

    def opened(model, *scenes, width=1280, name="student"):
        context = browser.new_context(viewport={"width": width, "height": 900}, accept_downloads=True)
        contexts.append(context)
        visit, path = Visit(context.new_page()), render_explorer(scenes, tmp_path / "page.html", models={name: model})
        visit.page.goto(path.as_uri())
        return visit

    yield opened
    for context in contexts:
        context.close()


def give(visit, path, text=" was heard in "):
    """The file through the page's own control; what the page then says."""
    visit.page.set_input_files("#own-file", path)
    visit.wait("all => all.every(text => document.getElementById('own-said').textContent.includes(text))", [path.name, text])
    return visit.page.locator("#own-said").inner_text()


def drop(visit, data):
    """What a hand does that drags files, or text, from another window onto the page."""
    hand, data = visit.page.context.new_cdp_session(visit.page), {"items": [], "dragOperationsMask": 1} | data
    for step in ("dragEnter", "dragOver", "drop"):
        hand.send("Input.dispatchDragEvent", {"type": step, "x": 300, "y": 200, "data": data})


def said(visit, text):
    visit.wait("text => document.getElementById('own-said').textContent.includes(text)", text)
    return visit.page.locator("#own-said").inner_text()


def compared(visit):
    """The table of the window: its heads, and the numbers of each tag."""
    rows = visit.page.evaluate(
        "[...document.querySelectorAll('#trial table tr')].map(row => [...row.children].map(cell => cell.textContent))"
    )
    return rows[0], {name: [float(value) for value in values] for name, *values in rows[1:]}


def worst(names, found, path, model):
    """The largest difference to what ``mtt tag`` says of a file."""
    (tagged,) = tag_files(model, [path])
    wanted = tagged.tags.set_index("tag")["probability"]
    return max(abs(wanted[name] - value) for name, value in zip(names, found, strict=True))


@pytest.mark.parametrize("size", SIZES)
def test_tags_curves_and_attention_are_those_of_pytorch(page, tmp_path, size):
    model = made(**SIZES[size])
    write_audio(tmp_path / "song.wav", song())
    seen = page(model)
    give(seen, tmp_path / "song.wav")
    found, recording = seen.page.evaluate(HEARD), Recording(tmp_path / "song.wav")
    curves = tag_curves(model, recording)
    assert worst(found["names"], found["whole"], tmp_path / "song.wav", model) < EXACT
    np.testing.assert_allclose(found["times"], curves.times, atol=1e-6)
    np.testing.assert_allclose(found["curves"], [curves.curve(name) for name in found["names"]], atol=EXACT)
    if size == "short":  # whose windows are longer than what it sees at once
        assert found["attention"] is None
    else:
        wanted, rows = attention_curves(model, recording), dict(found["attention"])
        np.testing.assert_allclose(rows["rollout"], wanted.rollout, rtol=EXACT, atol=EXACT)
        for layer, head in np.ndindex(model.config.layers, model.config.heads):
            np.testing.assert_allclose(rows[f"layer {layer + 1}, head {head + 1}"], wanted.heads[layer, head], rtol=2 * EXACT, atol=EXACT)
    assert seen.quiet


@pytest.mark.parametrize(("name", "rate"), [("song.mp3", SAMPLE_RATE), ("song.flac", 44_100), ("stereo.wav", 48_000), ("song.ogg", 44_100)])
def test_files_of_any_kind_have_the_tags_of_the_program(page, tmp_path, demo, name, rate):
    """The browser's decoders are others than the program's, and for other rates its filters: tags agree to 1e-3, at 48 kHz to 3e-3."""
    wave, path = song(rate=rate), tmp_path / name
    soundfile.write(path, np.column_stack([wave, 0.5 * wave]) if "stereo" in name else wave, rate)
    seen = page(demo)
    give(seen, path)
    found = seen.page.evaluate(HEARD)
    assert worst(found["names"], found["whole"], path, demo) < (3e-3 if rate == 48_000 else EXACT)
    assert seen.quiet


def test_what_cannot_be_heard_is_told_in_one_line_and_names_do_not_run(page, tmp_path, demo, hostile):
    seen = page(demo)
    (tmp_path / "text.wav").write_text("no music")
    assert give(seen, tmp_path / "text.wav", "no sound").startswith("text.wav: this browser finds no sound in it")
    assert not seen.page.locator("#explorer").is_visible()
    path = tmp_path / (hostile.replace("/", "") + ".wav")
    write_audio(path, np.zeros(SAMPLE_RATE // 2, np.float32))
    said = give(seen, path)
    assert "very short" in said and "silent" in said
    assert seen.page.locator("#track-title").inner_text() == path.name and seen.page.evaluate("window.hacked === undefined")
    assert seen.page.locator("#whole-rows th").all_inner_texts().count("<b>jazz") == 1
    assert seen.quiet


@pytest.mark.parametrize("name", ["song.wav", "song.mp3"])
def test_a_dropped_file_has_the_tags_of_the_program(page, tmp_path, demo, name):
    write_audio(tmp_path / name, song())
    seen = page(demo)
    drop(seen, {"files": [str(tmp_path / name)]})
    said(seen, f"{name} was heard in ")
    found = seen.page.evaluate(HEARD)
    assert worst(found["names"], found["whole"], tmp_path / name, demo) < EXACT
    assert seen.quiet


def test_what_is_dropped_and_no_sound_is_told_in_one_line(page, tmp_path, demo):
    seen = page(demo)
    (tmp_path / "notes.txt").write_text("no music")
    (tmp_path / "empty.wav").touch()
    for name in ("notes.txt", "empty.wav"):
        drop(seen, {"files": [str(tmp_path / name)]})
        assert said(seen, f"{name}: this browser finds no sound in it").count("\n") == 0
    drop(seen, {"items": [{"mimeType": "text/plain", "data": "a song"}]})
    assert said(seen, "What was dropped is no file") and seen.page.locator("#own-said.fault").count() == 1
    assert not seen.page.locator("#explorer").is_visible() and seen.quiet


def test_a_recording_is_heard_and_a_refused_microphone_is_told(page, demo):
    """Chromium's own microphone for tests beeps once a second."""
    seen = page(demo)
    record = seen.page.locator("#own-record")
    record.click()
    assert said(seen, "No recording: ").endswith("or choose a file.") and record.inner_text() == "Record"
    seen.page.context.grant_permissions(["microphone"])
    record.click()
    said(seen, "Recording …")
    assert record.inner_text() == "Stop recording"
    seen.page.wait_for_timeout(2500)
    record.click()
    assert "silent" not in said(seen, " was heard in ")
    assert seen.page.locator("#track-title").inner_text().startswith("Recording ") and record.inner_text() == "Record"
    assert seen.page.evaluate("mttStage.scene.seconds") > 1
    seen.wait("mttStage.audio.duration > 1 && Math.abs(mttStage.audio.duration - mttStage.scene.seconds) < .1")
    assert seen.quiet


def test_two_tracks_stand_side_by_side_and_what_is_seen_is_a_picture(page, demo):
    seen = page(demo, scene(), scene("Second & tune", truth={"piano": [(1.0, 2.0)]}))
    seen.page.get_by_role("button", name="All tags", exact=True).click()
    assert seen.page.locator("#gram .timed rect.truth").count() == 2 and not seen.page.locator("#pair").is_visible()
    seen.page.get_by_label("Beside").select_option("2 · Second & tune")
    pair = seen.page.locator("#pair")
    assert pair.locator(".row").count() == 6 and pair.locator(".row canvas").count() == 12 and not seen.page.locator("#gram").is_visible()
    with seen.page.expect_download() as download:
        seen.page.get_by_role("button", name="All tags as PNG").click()
    picture = np.asarray(Image.open(download.value.path()).convert("RGB"), int)
    assert download.value.suggested_filename == "First tune.png" and picture.shape[1] > 2000
    assert len(np.unique(picture.reshape(-1, 3), axis=0)) > 50
    box = pair.locator(".row .plot").nth(1).bounding_box()
    seen.page.mouse.click(box["x"] + box["width"] / 4, box["y"] + 5)  # of the second track, which is opened there
    seen.wait("mttStage.scene.title === 'Second & tune' && Math.abs(mttStage.audio.currentTime - 2) < .05")
    assert pair.locator("button").first.inner_text() == "First tune" and seen.quiet


def test_stop_ends_a_long_song_and_the_page_goes_on(page, tmp_path, demo):
    seen = page(demo)
    write_audio(tmp_path / "long.wav", np.tile(song(20.0), 30))
    write_audio(tmp_path / "song.wav", song())
    seen.page.set_input_files("#own-file", tmp_path / "long.wav")
    seen.wait("document.getElementById('own-progress').value > 0 && !document.getElementById('own-stop').click()")
    seen.wait("document.getElementById('own-said').textContent.startsWith('Stopped')")
    assert seen.page.evaluate("mttStage.scenes.length") == 0
    give(seen, tmp_path / "song.wav")
    assert seen.quiet


def test_what_is_taken_away_is_what_the_program_takes_away(page, tmp_path, demo):
    """The track of a page that was made before, its sound an MP3; then louder and filtered."""
    seen = page(demo, scene(wave=song(8.0)))
    seen.page.locator("#trial summary").click()
    seen.wait("document.querySelectorAll('#trial-rows tr').length === 6")
    head, found = compared(seen)
    assert head == ["Tag", "as it is", "without the attended", "without others at random"]
    with evaluating(demo):
        wave = torch.from_numpy(song(8.0)[None, : 3 * SAMPLE_RATE])
        drops = deletion._drops(demo, wave, [np.random.default_rng(0)])[:, 0]
        before = torch.sigmoid(demo(wave))[0].numpy()
    for column, name in enumerate(demo.tags):
        assert found[name][0] == pytest.approx(before[column], abs=6e-3)
        assert found[name][0] - found[name][1] == pytest.approx(drops[0, column], abs=6e-3)
    seen.page.get_by_label("Gain").fill("-40")
    seen.page.get_by_label("Nothing above").fill("6")
    seen.wait("document.querySelectorAll('#trial-head th').length === 5")
    head, changed = compared(seen)
    assert head[2] == "changed" and all(changed[tag][0] == found[tag][0] for tag in found)
    assert max(abs(values[1] - values[0]) for values in changed.values()) > 1e-2
    assert seen.page.locator("#maps canvas").count() == 2 * 4 and seen.page.locator("#maps-said").inner_text() == "At 0.2 s:"
    looks = re.findall(r"looks most at (?:[\d.]+ s|CLS) \((\d+) %\)", seen.page.locator("#maps").inner_text())
    assert len(looks) == 2 * 4 and all(0 < int(share) <= 100 for share in looks)
    assert seen.page.locator("#taken rect.attended").count() >= 1 and seen.page.locator("#taken rect.random").count() >= 1
    assert seen.page.get_by_role("button", name="without the attended").is_enabled() and seen.quiet


def test_parts_links_all_tags_and_numbers(page, demo):
    seen = page(demo, scene(), scene("Second & tune"))
    seen.seek(3.0)
    seen.page.get_by_role("button", name="Repeat from here").click()
    seen.seek(5.0)
    seen.page.get_by_role("button", name="to here", exact=True).click()
    slider = seen.page.locator("#slider")
    assert (slider.get_attribute("data-from"), slider.get_attribute("data-to")) == ("3", "5")
    plot, image = (seen.page.locator(place).bounding_box() for place in (".plot.spectrogram", ".plot.spectrogram img"))
    assert (image["width"], plot["x"] - image["x"]) == pytest.approx((4 * plot["width"], 1.5 * plot["width"]), abs=1)
    seen.seek(4.7)
    seen.page.locator("#play").click()
    seen.wait("mttStage.audio.currentTime < 4.5 && mttStage.audio.currentTime > 3.1")
    seen.page.locator("#play").click()
    with seen.page.expect_download() as download:
        seen.page.get_by_role("button", name="Curves as CSV").click()
    rows = download.value.path().read_text().splitlines()
    assert rows[0] == "model,tag,seconds,probability" and '"student","piano",4.000,0.5020' in rows and len(rows) == 1 + 2 * 4 * 5
    seen.page.get_by_role("button", name="All tags", exact=True).click()
    names = lambda: seen.page.locator("#gram button").all_inner_texts()  # noqa: E731
    assert names()[:2] == ["drums", "jazz"] and len(names()) == 6
    seen.page.get_by_label("Order").select_option("by name")
    assert names() == sorted(names())
    seen.page.get_by_label("Find").fill("RO")
    assert names() == ["rock"]
    seen.page.locator("#gram-of").select_option("teacher minus student")
    seen.page.get_by_role("button", name="Whole track").click()
    address = seen.page.url.split("#")[0]
    seen.page.goto(address + "#track=Second%20%26%20tune&t=2.5&head=2/3")
    seen.wait("mttStage.scene.title === 'Second & tune' && Math.abs(mttStage.audio.currentTime - 2.5) < .05")
    assert seen.page.get_by_role("combobox", name="Which attention").input_value() == "layer 2, head 3"
    assert re.search(r"#track=Second%20%26%20tune&t=2\.5&head=2/3$", seen.page.evaluate("location.href")) and seen.quiet


@pytest.mark.parametrize("width", [1280, 380])
def test_all_is_reached_by_keyboard_and_has_a_name(page, tmp_path, demo, width):
    write_audio(tmp_path / "song.wav", song())
    seen = page(demo, width=width)
    give(seen, tmp_path / "song.wav")
    seen.page.evaluate("document.getElementById('trial').open = true; document.getElementById('gram-on').click()")
    seen.wait("document.querySelectorAll('#trial-rows tr').length === 6")
    seen.page.evaluate("document.activeElement.blur()")
    reached = set()
    for _ in range(80):
        seen.page.keyboard.press("Tab")
        reached.add(seen.page.evaluate("document.activeElement.id || document.activeElement.textContent"))
    ids = "own-choose own-record play slider part-from part-to part-all speed gram-on csv png gram-find gram-order hear-attended"
    assert set(ids.split()) <= reached
    named = "each => each.ariaLabel || each.textContent.trim() || each.labels?.[0]?.textContent.trim()"
    assert (
        seen.page.locator("button, select, input").evaluate_all(f"all => all.filter(each => !({named})(each)).map(each => each.id)") == []
    )
    assert seen.fits() and seen.quiet


def test_a_page_is_small_and_refuses_what_it_cannot_carry(tmp_path, demo, models):
    folder = save_model(demo, tmp_path / "student")
    assert model_page([folder], tmp_path / "tagger.html").stat().st_size < 3_000_000
    large = build_model(ModelConfig(), 50, seed=0)
    for model, match in (
        (models["fcn"], "give another model"),
        (large, "at most 3,000,000 will do"),
        (made(n_fft=1000), "give a model trained so"),
    ):
        with pytest.raises(MttError, match=match):
            portable_models({"it": model})
    with pytest.raises(MttError, match="give fewer models"):
        portable_models({str(name): made(channels=128, width=64) for name in range(3)})


def test_the_command_writes_a_page_and_nothing_over_what_is_there(mtt, model, tmp_path):
    assert mtt(f"explorer --model {model} --out tagger.html")[:2] == (0, "tagger.html\n")
    code, _, errors = mtt(f"explorer --model {model} --out tagger.html")
    assert code == 1 and "is there already" in errors[0]
    assert mtt(f"explorer --model {model} --out tagger.html --force")[0] == 0
    save_model(build_model(ModelConfig(architecture="fcn", channels=4), 2, seed=0), tmp_path / "fcn", tags=["a", "b"])
    code, _, errors = mtt("explorer --model fcn --out other.html")
    assert code == 1 and errors[0].startswith("mtt: fcn: a page runs the ") and not (tmp_path / "other.html").exists()
