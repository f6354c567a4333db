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
from mtt.study.claims import CLAIMS

HOSTILE = "<script>window.hacked=1</script>\"onload='window.hacked=1' x=<img src=x onerror=window.hacked=1>"
MARKDOWN = r"""# Noisy student

**Question.** Does a student beat its teacher?

> **Finding.** The student scores higher than its teacher.

## How it works

The teacher writes $\tilde y = \sigma(f_\theta(x))$ and the student minimises

$$\mathcal{L} = \frac{1}{N}\sum_{i=1}^{N} \mathrm{BCE}(y_i, \hat y_i) + \text{weight} \cdot \left\| w \right\|^2$$

It costs \$3, or from $5 to $10 an hour; the shell calls it `$HOME` and `$x$`, the page `$$x$$`.

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
    return [
        Page(1, "01_data_exploration", "Data exploration", "What is in the collection?"),
        Page(2, "02_split_stratification", "Split by artist", "Can a split be fair to artists and tags?"),
        Page(3, "03_teacher_training", "Teacher", "Does the Transformer beat earlier networks?"),
        Page(4, "04_noisy_student", "Noisy student", "Does a student beat its teacher?"),
        Page(5, "05_input_length_robustness", "Input length", "Who keeps its score on longer input?"),
        Page(6, "06_explore", "Explore", "What does the model listen to?"),
    ]


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
        v4.new_markdown_cell(MARKDOWN),
        v4.new_code_cell(parameters, metadata={"tags": ["parameters"]}),
        v4.new_code_cell('# Parameters\nseed = 7\nprofile = "demo"\n', metadata={"tags": ["injected-parameters"]}),
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
        "profile": "demo", "collection": "synthetic", "seeds": [0, 1], "commit": "0123456789ab", "machine": "2 cores",
        "versions": {"python": "3.11.9", "torch": "2.11.0"}, "started": "2026-01-02T03:04:05Z", "seconds": 754.2,
    }  # fmt: skip


@pytest.fixture
def results(study) -> dict:
    """Made-up results of every claim and three models."""
    effects = {
        "C1": (0.026, [0.018, 0.034], "supported"),
        "C2": (0.0032, [-0.0021, 0.0085], "inconclusive"),
        "C3": (0.0096, [0.0041, 0.0152], "supported"),
        "C4": (-0.0051, [-0.0093, -0.0011], "contradicted"),
        "C5": (0.001, [-0.0029, 0.005], "supported"),
        "C6": (0.0011, [-0.002, 0.0045], "supported"),
        "C7": (0.004, [0.0012, 0.0071], "supported"),
    }
    claims = [
        {"id": name, "claim": CLAIMS[name].statement, "effect": effect, "interval": interval, "by_seed": [], "verdict": verdict,
         "n_tracks": 540, "n_artists": 90, "seeds": 2, "sentence": f"What {name} found.", "note": ""}
        for name, (effect, interval, verdict) in effects.items()
    ]  # fmt: skip
    models = [
        {"name": "teacher", "parameters": 4567732, "roc_auc": 0.9301, "roc_auc_interval": [0.925, 0.935],
         "pr_auc": 0.843, "pr_auc_interval": [0.83, 0.856], "seconds": 312.0},
        {"name": "KE student", "parameters": 4567732, "roc_auc": 0.945, "roc_auc_interval": [0.941, 0.949],
         "pr_auc": 0.8452, "pr_auc_interval": [0.832, 0.858], "seconds": 365.0},
        {"name": "hand-made features", "parameters": 9876, "roc_auc": 0.88, "roc_auc_interval": [0.87, 0.89],
         "pr_auc": 0.7, "pr_auc_interval": [0.68, 0.72], "seconds": 4.2},
    ]  # fmt: skip
    lengths = [
        {"model": "teacher", "seconds": 5.0, "roc_auc": 0.93, "roc_auc_interval": [0.92, 0.94]},
        {"model": "teacher", "seconds": 30.0, "roc_auc": 0.94, "roc_auc_interval": [0.93, 0.95]},
        {"model": "fcn", "seconds": 5.0, "roc_auc": 0.91, "roc_auc_interval": [0.9, 0.92]},
    ]
    findings = {"01_data_exploration": "There are 26 tags."}
    return {
        "study": study, "claims": claims, "models": models, "lengths": lengths, "explanations": explanations(), "findings": findings,
    }  # fmt: skip


def explanations() -> list[dict]:
    """Entries as ``mtt.study.evidence`` records them: teacher and student point, the ResNet has no attention."""
    about = {"test": "localisation", "n_artists": 40}
    found = []
    for model, curve in (("teacher", 0.71), ("student", 0.74), ("short-chunk-resnet", 0.69)):
        entry = {"model": model, "explanation": "tag curve", "effect": curve, "interval": [curve - 0.03, curve + 0.03]}
        found.append({**entry, **about, "sentence": f"The tag curve of the {model} points."})
        if "resnet" not in model:
            entry = {"model": model, "explanation": "CLS attention", "effect": 0.5, "interval": [0.48, 0.52]}
            found.append({**entry, **about, "sentence": f"The CLS attention of the {model} does not."})
            found.append({**entry, **about, "explanation": "attention rollout", "interval": None, "sentence": "Rollout."})
    for model in ("teacher", "student"):
        entry = {"model": model, "test": "deletion", "explanation": "CLS attention", "effect": 0.012, "interval": [0.002, 0.022]}
        found.append({**entry, "n_artists": 41, "sentence": f"Without them the {model} loses."})
    return found


@pytest.fixture(scope="session")
def browser():
    """Headless Chromium; tests that need it are skipped where there is none."""
    playwright = pytest.importorskip("playwright.sync_api")
    executable = shutil.which("chromium") or shutil.which("google-chrome")
    if executable is None:
        pytest.skip("no chromium or google-chrome on this machine")
    arguments = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
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
        return page, [url for url in requests if not url.startswith("data:")], complaints

    yield opened
    for context in contexts:
        context.close()
