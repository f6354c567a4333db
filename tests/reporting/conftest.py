"""A hand-made executed notebook, made-up results and a browser, for the tests of the pages."""

from __future__ import annotations

import base64
import io
import shutil

import numpy as np
import pandas as pd
import pytest
from nbformat import v4
from PIL import Image

from mtt.reporting.pages.frame import Page
from mtt.reporting.pages.table import shown
from mtt.reporting.run import PAGES
from tests.reporting import entries

HOSTILE = "<script>window.hacked=1</script>\"onload='window.hacked=1' x=<img src=x onerror=window.hacked=1>"
OPENING = """# Noisy student

Do unlabelled tracks make a student better than its teacher?

> **Finding.** The student scores higher than its teacher.
"""
MARKDOWN = r"""## How it works

The teacher writes $\tilde y = \sigma(f_\theta(x))$ and the student minimises

$$\mathcal{L} = \frac{1}{N}\sum_{i=1}^{N} \mathrm{BCE}(y_i, \hat y_i) + \text{weight} \cdot \left\| w \right\|^2$$

It costs \$3 an hour; the shell calls it `$HOME` and `$x$`.

```python
price = "$x$"
```

| loss | value |
|---|---|
| a | $x < 1$ |

### Half batches

Half labelled, half unlabelled.

## Results
"""
SCORES = pd.DataFrame(
    {"interval": ["0.932 [0.921, 0.941]", "0.930 [0.919, 0.940]"], "tracks": [1234, 34], "trained, s": [np.nan, 2.5]},
    index=pd.Index(["KE student", "teacher"], name="model"),
)
ALT = {"image/png": {"alt": 'A "bar"'}}
PLAYER = """<div id="player"><button id="play" type="button">play</button> <output id="time">stopped</output></div>
<script>document.getElementById("play").addEventListener("click", function () {
  document.getElementById("time").textContent = 1 < 2 && "playing"; });</script>"""


def png() -> str:
    """A white picture with a blue bar, base64."""
    picture, buffer = Image.new("RGB", (640, 240), "white"), io.BytesIO()
    picture.paste("#0072b2", (160, 0, 480, 240))
    picture.save(buffer, "png")
    return base64.b64encode(buffer.getvalue()).decode()


@pytest.fixture(scope="session")
def hostile() -> str:
    return HOSTILE


@pytest.fixture(scope="session")
def pages() -> list[Page]:
    return list(PAGES)


def code(source: str, *outputs: dict):
    """An executed code cell; an output is one of nbformat's or the data that is displayed."""
    return v4.new_code_cell(source, outputs=[one if "output_type" in one else v4.new_output("display_data", one) for one in outputs])


@pytest.fixture
def notebook():
    """An executed notebook with one of each output a page has to deal with."""
    parameters = 'profile = "demo"  # sizes of everything\nseed = 0  # of all randomness\nverbose: bool = False\n'
    widget = {"application/vnd.jupyter.widget-view+json": {"model_id": "a"}}
    figure = f'<figure><img alt="Two bars" src="data:image/png;base64,{png()}"></figure>'
    cells = [
        v4.new_markdown_cell(OPENING),
        v4.new_code_cell(parameters, metadata={"tags": ["parameters"]}),
        v4.new_code_cell('# Parameters\nseed = 7\nprofile = "demo"\n', metadata={"tags": ["injected-parameters"]}),
        v4.new_markdown_cell(MARKDOWN),
        code(
            "scores = compare(teacher, student)  # a comment\nscores",
            v4.new_output("stream", name="stderr", text="WARNING noise\n"),
            v4.new_output("stream", name="stdout", text="step  10%|#\rstep 100%|##########\rdone\n"),
            {"text/html": shown(SCORES)._repr_html_(), "text/plain": "frame"},
        ),
        code("plot(scores)", {"text/html": figure}, v4.new_output("display_data", {"image/png": png()}, metadata=ALT)),
        code("show(player)", {"text/html": PLAYER}),
        code(
            "say()",
            {"text/markdown": f"The track **{HOSTILE}** has $n=3$ tags."},
            {**widget, "text/plain": "  0%|          | 0/10"},
            {**widget, "text/plain": "Dropdown()"},
        ),
        v4.new_code_cell(""),
    ]
    metadata = {
        "kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"},
        "papermill": {"parameters": {"seed": 7, "profile": "demo"}},
        "widgets": {"state": {}},
    }
    return v4.new_notebook(cells=cells, metadata=metadata)


@pytest.fixture
def study() -> dict:
    return {
        "profile": "demo", "collection": "synthetic", "replicates": [100, 101, 102, 103, 104], "commit": "0123456789ab",
        "machine": "2 cores",
        "versions": {"python": "3.11.9", "torch": "2.11.0"}, "started": "2026-01-02T03:04:05Z", "seconds": 754.2,
    }  # fmt: skip


@pytest.fixture
def results(study) -> dict:
    """Made-up results of a full run."""
    return entries.results(entries.entries(), entries.curves()) | {"study": study, "explanations": explanations()}


def explanations() -> list[dict]:
    """Entries as ``mtt.findings.evidence`` records them: teacher and student point, the ResNet has no attention."""
    rows = [
        ("teacher", "curve", 0.71, [0.68, 0.74]),
        ("teacher", "attention", 0.5, [0.48, 0.52]),
        ("student", "curve", 0.74, [0.71, 0.77]),
        ("student", "attention", 0.5, [0.48, 0.52]),
        *((model, "rollout", 0.5, None) for model in ("teacher", "student")),
        ("short-chunk-resnet", "curve", 0.69, [0.66, 0.72]),
    ]
    found = [("localisation", 40, *row) for row in rows]
    found += [("deletion", 41, model, "attention", 0.012, [0.002, 0.022]) for model in ("teacher", "student")]
    columns = ("test", "n_artists", "model", "explanation", "effect", "interval")
    elsewhere = {"elsewhere": 0.008, "elsewhere_interval": [-0.001, 0.017]}
    entries = [dict(zip(columns, row, strict=True)) | elsewhere for row in found]
    return [entry | {"sentence": "{test} of {explanation} of {model}.".format(**entry)} for entry in entries]


@pytest.fixture(scope="session")
def browser():
    """Headless Chromium; tests that need it are skipped where there is none."""
    playwright = pytest.importorskip("playwright.sync_api")
    executable = shutil.which("chromium") or shutil.which("google-chrome")
    if executable is None:
        pytest.skip("no chromium or google-chrome on this machine")
    arguments = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--use-fake-device-for-media-stream"]
    with playwright.sync_playwright() as driver:
        running = driver.chromium.launch(executable_path=executable, args=arguments)
        yield running
        running.close()


@pytest.fixture
def visit(browser):
    """Opens an address; returns the page, the requests it made and what its console complained of."""
    contexts = []

    def opened(address: str, width: int = 1280, patient: bool = False):
        context = browser.new_context(viewport={"width": width, "height": 800}, color_scheme="light")
        contexts.append(context)
        page, requests, complaints = context.new_page(), [], []
        page.on("request", lambda request: requests.append(request.url))
        page.on("console", lambda message: complaints.append(message.text) if message.type in ("error", "warning") else None)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.goto(address, wait_until="networkidle" if patient else "load")
        return page, [url for url in requests if not url.startswith(("data:", "blob:"))], complaints

    yield opened
    for context in contexts:
        context.close()
