"""The widget as a reader meets it: JupyterLab in a browser, a notebook run from the menu, controls operated, sound played."""

from __future__ import annotations

import os
import re
import socket
import subprocess
import sys
import time
from pathlib import Path

import nbformat
import pytest

from mtt.models import save_model
from tests.reporting.explorer.made import Visit
from tests.tiny import write_collection

ROOT = Path(__file__).parents[3]
CELL = """import mtt
from mtt.reporting.explorer.choices import Choice
from mtt.reporting.explorer.widget import ExplorerWidget
corpus = mtt.load_corpus("{home}/tracks.csv", cache="{home}/cache", progress=False)
models = {{name: mtt.load_model("{home}/" + name) for name in ("teacher", "student")}}
ExplorerWidget(corpus, [(track_id, Choice(track_id, "")) for track_id in corpus.tracks.index], models, list(models))"""
SOUND = "document.getElementById('sound')"


@pytest.fixture
def lab(tmp_path, models):
    """Address of a JupyterLab whose only notebook makes a widget of two small models and the tracks of a tiny collection."""
    write_collection(tmp_path, n_artists=2, tracks_each=2)
    for name in ("teacher", "student"):
        save_model(models[name], tmp_path / name, tags=models[name].tags, provenance={"clip_seconds": 1.0})
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(CELL.format(home=tmp_path))])
    notebook.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3", "language": "python"}
    nbformat.write(notebook, tmp_path / "play.ipynb")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    options = ["--no-browser", "--allow-root", "--ip=127.0.0.1", f"--port={port}", "--IdentityProvider.token=", "--LabApp.news_url=None"]
    options += [f"--ServerApp.root_dir={tmp_path}", "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate"]
    places = ("JUPYTER_CONFIG_DIR", "JUPYTERLAB_SETTINGS_DIR", "JUPYTERLAB_WORKSPACES_DIR", "JUPYTER_RUNTIME_DIR")
    environment = {**os.environ, "PYTHONPATH": str(ROOT), **{name: str(tmp_path / name.lower()) for name in places}}
    log = tmp_path / "lab.log"
    with log.open("w") as file:
        server = subprocess.Popen([sys.executable, "-m", "jupyterlab", *options], env=environment, stdout=file, stderr=file)
    try:
        deadline = time.monotonic() + 180
        while not answers(port):
            if server.poll() is not None or time.monotonic() > deadline:
                pytest.fail(f"JupyterLab did not start: {log.read_text()[-500:]}")
            time.sleep(0.1)
        yield f"http://127.0.0.1:{port}/lab/tree/play.ipynb"
    finally:
        server.terminate()
        server.wait(30)


def answers(port):
    with socket.socket() as client:
        return client.connect_ex(("127.0.0.1", port)) == 0


def frame_of(page, other_than=None):
    """The frame of the widget's page once it shows a track; with ``other_than``, once it is not that one any more."""
    for _ in range(3000):
        for frame in page.main_frame.child_frames:
            if frame is not other_than and frame.evaluate(f"() => {SOUND} !== null && {SOUND}.readyState > 0"):
                return frame
        page.wait_for_timeout(20)
    pytest.fail("the page of the widget did not come")


def window_of(frame):
    """Seconds of sound that a point of the curves is said to stand for."""
    return float(re.search(r"of the ([\d.]+) s of sound", " ".join(frame.locator("#meaning").text_content().split()))[1])


@pytest.mark.slow
def test_widget_is_played_with_in_jupyterlab(lab, browser):
    page = browser.new_page(viewport={"width": 1280, "height": 1000})
    faults = []
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.goto(lab)
    page.locator(".jp-Notebook .jp-CodeCell").first.wait_for(timeout=180_000)
    page.get_by_text("Python 3 (ipykernel) | Idle").wait_for(timeout=180_000)  # what is run before is lost
    page.locator(".lm-MenuBar-itemLabel", has_text="Run").click()
    page.get_by_text("Run All Cells", exact=True).click()
    page.locator("iframe[title=Explorer]").wait_for(timeout=300_000)
    seen, frame = Visit(page), frame_of(page)
    assert window_of(frame) == pytest.approx(1.0, abs=0.11)
    first = frame.locator("#track-title").inner_text()

    frame.locator("#play").click()
    seen.wait(f"{SOUND}.currentTime > .3", within=frame)
    frame.locator("#play").click()
    moment = frame.evaluate(f"{SOUND}.currentTime")
    page.locator(".jupyter-widgets .noUi-handle").focus()
    page.keyboard.press("ArrowLeft")  # a shorter window
    frame = frame_of(page, other_than=frame)
    assert window_of(frame) == pytest.approx(0.5, abs=0.11)  # in whole tokens
    seen.wait(f"Math.abs({SOUND}.currentTime - {moment}) < .05", within=frame)  # it stays where it was

    box = frame.locator(".plot").nth(1).bounding_box()
    page.mouse.click(box["x"] + box["width"] / 4, box["y"] + box["height"] / 2)
    assert frame.evaluate(f"{SOUND}.currentTime") == pytest.approx(0.5, abs=0.05)
    cursor = frame.locator("#slider i").bounding_box()
    assert cursor["x"] + cursor["width"] / 2 == pytest.approx(box["x"] + box["width"] / 4, abs=2)

    frame.locator("#tags button", has_text="middle").click()
    assert frame.locator(".lane .name b", has_text="middle").count() == 0
    frame.get_by_label("Which attention").select_option("layer 1, head 2")
    page.locator(".widget-checkbox input").first.click()  # one model less
    frame = frame_of(page, other_than=frame)
    assert frame.locator("#switches > span").all_inner_texts() == ["student"]
    assert frame.get_by_label("Which attention").input_value() == "layer 1, head 2"  # what was chosen stays
    assert frame.locator(".lane .name b", has_text="middle").count() == 0
    seen.wait(f"Math.abs({SOUND}.currentTime - .5) < .05", within=frame)

    page.locator(".widget-dropdown select").first.select_option(index=1)
    frame = frame_of(page, other_than=frame)
    assert frame.locator("#track-title").inner_text() != first
    page.get_by_placeholder("or the path of a file").fill("gone.mp3")
    page.get_by_placeholder("or the path of a file").press("Enter")
    page.locator("[role=alert]", has_text="gone.mp3: no such file").wait_for()
    assert faults == []
