"""A hand-made executed notebook, made-up results and a browser, for the tests of the pages."""

from __future__ import annotations

import base64
import shutil
import struct
import zlib

import nbformat
import pytest

from mtt.reporting.pages.frame import Page

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
FRAME = """<div><style scoped>.dataframe tbody tr th {vertical-align: top;}</style>
<table border="1" class="dataframe"><thead>
<tr style="text-align: right;"><th></th><th>model</th><th>ROC-AUC</th></tr></thead>
<tbody><tr><th>0</th><td>KE student</td><td>0.932 [0.921, 0.941]</td></tr>
<tr><th>1</th><td>teacher</td><td>0.930 [0.919, 0.940]</td></tr></tbody></table></div>"""
PLAYER = """<div id="player"><button id="play" type="button">play</button> <output id="time">stopped</output></div>
<script>document.getElementById("play").addEventListener("click", function () {
  document.getElementById("time").textContent = 1 < 2 && "playing"; });</script>"""


def png(width: int = 640, height: int = 240) -> str:
    """A white picture with a blue bar, base64."""
    side, bar = b"\xff\xff\xff" * (width // 4), b"\x00\x72\xb2" * (width // 2)
    line = b"\0" + side + bar + side

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    data = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(line * height)) + chunk(b"IEND", b"")
    return base64.b64encode(b"\x89PNG\r\n\x1a\n" + data).decode()


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


@pytest.fixture
def notebook():
    """An executed notebook with one of each output a page has to deal with."""
    v4 = nbformat.v4
    parameters = 'profile = "demo"  # sizes of everything\nseed = 0  # of all randomness\nverbose: bool = False\n'
    cells = [
        v4.new_markdown_cell(MARKDOWN),
        v4.new_code_cell(parameters, metadata={"tags": ["parameters"]}),
        v4.new_code_cell('# Parameters\nseed = 7\nprofile = "demo"\n', metadata={"tags": ["injected-parameters"]}),
        v4.new_code_cell(
            "scores = compare(teacher, student)  # a comment\nscores",
            outputs=[
                v4.new_output("stream", name="stderr", text="WARNING noise\n"),
                v4.new_output("stream", name="stdout", text="step  10%|#\rstep 100%|##########\rdone\n"),
                v4.new_output("execute_result", data={"text/html": FRAME, "text/plain": "frame"}, execution_count=1),
            ],
        ),
        v4.new_code_cell(
            "plot(scores)",
            outputs=[
                v4.new_output(
                    "display_data",
                    data={
                        "text/html": f'<figure><img alt="Two bars" src="data:image/png;base64,{png()}">'
                        "<figcaption>The student is ahead.</figcaption></figure>"
                    },
                ),
                v4.new_output("display_data", data={"image/png": png()}, metadata={"image/png": {"alt": 'A "bar"'}}),
            ],
        ),  # fmt: skip
        v4.new_code_cell("show(player)", outputs=[v4.new_output("display_data", data={"text/html": PLAYER})]),
        v4.new_code_cell(
            "say()",
            outputs=[
                v4.new_output("display_data", data={"text/markdown": f"The track **{HOSTILE}** has $n=3$ tags."}),
                v4.new_output(
                    "display_data",
                    data={
                        "application/vnd.jupyter.widget-view+json": {"model_id": "a"},
                        "text/plain": "  0%|          | 0/10",
                    },
                ),
                v4.new_output(
                    "display_data",
                    data={"application/vnd.jupyter.widget-view+json": {"model_id": "b"}, "text/plain": "Dropdown()"},
                ),
            ],
        ),  # fmt: skip
        v4.new_code_cell(""),
    ]
    metadata = {"language_info": {"name": "python", "pygments_lexer": "ipython3"}, "widgets": {"state": {}}}
    return v4.new_notebook(cells=cells, metadata=metadata)


@pytest.fixture
def study() -> dict:
    return {
        "profile": "demo", "collection": "synthetic", "seeds": [0, 1], "commit": "0123456789ab", "machine": "2 cores",
        "versions": {"python": "3.11.9", "torch": "2.11.0"}, "started": "2026-01-02T03:04:05Z", "seconds": 754.2,
    }  # fmt: skip


def claim(name, effect, interval, verdict, rule="superiority", margin=0.0, **more) -> dict:
    return {
        "id": name, "claim": f"Claim {name}.", "metric": "roc_auc", "unit": "ROC-AUC", "rule": rule, "margin": margin,
        "effect": effect, "interval": interval, "verdict": verdict, "n_tracks": 540, "n_artists": 90, "seeds": 2,
        **more,
    }  # fmt: skip


@pytest.fixture
def results(study) -> dict:
    """Made-up results of every claim and four models."""
    claims = [
        claim("C1", 0.026, [0.018, 0.034], "supported"),
        claim("C2", 0.0032, [-0.0021, 0.0085], "inconclusive", paper="Transformer .8916, Short-chunk ResNet .8898."),
        claim("C3", 0.0096, [0.0041, 0.0152], "supported"),
        claim("C4", -0.0051, [-0.0093, -0.0011], "contradicted", sentence="The student is worse here."),
        claim("C5", 0.001, [-0.0029, 0.005], "supported", rule="non-inferiority", margin=-0.005),
        claim("C6", 0.0011, [-0.002, 0.0045], "supported", rule="equivalence", margin=0.005),
        claim("C7", 0.004, [0.0012, 0.0071], "supported", unit="ROC-AUC per doubling of the input length"),
    ]
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
    return {"study": study, "claims": claims, "models": models, "lengths": lengths, "explanations": explanations()}


def explanations() -> list[dict]:
    """Entries as ``mtt.study.evidence`` records them: teacher and student point, the ResNet has no attention."""
    about = {"test": "localisation", "metric": "ROC-AUC", "chance": 0.5, "n_tracks": 40, "n_artists": 40}
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
        entry |= {
            "elsewhere": -0.001,
            "elsewhere_interval": [-0.004, 0.002],
            "n_artists": 41,
            "sentence": f"Without them the {model} loses.",
        }
        found.append(entry | {"drops": {"attended": {"drop": 0.031, "interval": [0.02, 0.04]}}})
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
