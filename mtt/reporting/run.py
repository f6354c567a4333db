"""One run of the study: the notebooks, executed in order, become pages; what they recorded becomes results.json and the index.

Conventions: executed notebooks are kept in the study's folder and read back while nothing that they follow from has changed. ``out``
receives ``index.html``, one page per notebook, ``explorer.html``, ``results.json`` and ``claims.png``, each written whole. The notebooks'
progress bars appear on standard error.
"""

from __future__ import annotations

import datetime
import hashlib
import os
import platform
import subprocess
import sys
import time
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path

import papermill
import torch
from papermill.exceptions import PapermillExecutionError

from mtt.evaluation.predict import effective_precision, pick_device
from mtt.files import MttError, alone, check_place, fingerprint, home, read_json, write_json, write_whole
from mtt.findings.curves import variance
from mtt.findings.reference import agreement, convergence, scale_anchor
from mtt.reporting import figures
from mtt.reporting.explorer.choices import choose_tracks, first_models, liveliest, scenes_of
from mtt.reporting.explorer.page import encode_scene, render_explorer
from mtt.reporting.explorer.portable import why_not_portable
from mtt.reporting.numbers import counted
from mtt.reporting.pages import remarks, words
from mtt.reporting.pages.frame import SITE, Page
from mtt.reporting.pages.index import render_index
from mtt.reporting.pages.notebook import render_notebook
from mtt.study.workspace import Study, absolute_parameters, open_study

PAGES = (
    Page(1, "01_data_exploration", "Data exploration", "What is in the corpus, and what does augmentation do to it?"),
    Page(2, "02_split_stratification", "Split stratification", "Does it matter that no artist is in two sets?"),
    Page(3, "03_teacher_training", "Teacher training", "Does the Transformer beat earlier systems, and does augmentation help?"),
    Page(4, "04_noisy_student", "Noisy student", "Does unlabelled music help, where labels are few?"),
    Page(5, "05_input_length_robustness", "Input length", "Does longer input serve the Transformer better than CNNs?"),
    Page(6, "06_explore", "Explore", "What does a model listen to, and do its explanations hold?"),
)
PACKAGES = ("torch", "torchaudio", "librosa", "scikit-learn", "numpy", "pandas")
NOTEBOOKS = Path(__file__).resolve().parents[2] / "notebooks"
RUN = "run.json"  # beside the executed notebooks: what they follow from, when they were executed, and how long that took


def run_study(parameters: Mapping[str, object], out: Path) -> Path:
    """Execute every notebook with ``parameters``, write the pages into ``out``, return the path of the index. Raises ``MttError``."""
    parameters = absolute_parameters(parameters)  # notebooks run in a folder of their own
    study = open_study(**parameters)
    if not NOTEBOOKS.exists():
        raise MttError(f"{NOTEBOOKS}: no notebooks there; run from a checkout of the project")
    check_reports(out)
    _ = study.first.corpus  # a collection that cannot carry a study says so before anything runs
    busy = "another study is writing its pages there; wait for it, or give --out another folder"
    with (
        alone(study.folder / ".lock", busy=f"{study.folder}: another process runs this study; wait for it, or name another: -p study NAME"),
        alone(home() / "runs" / f".{fingerprint(os.path.realpath(out))}.lock", busy=f"{out}: {busy}"),
    ):
        _execute_notebooks(study, parameters)
        return _write_pages(study, out)


def _execute_notebooks(study: Study, parameters: Mapping[str, object]) -> None:
    """All models of the study in one go, then the notebooks that are to be executed; what these follow from is kept beside them."""
    started, clock = datetime.datetime.now(datetime.UTC), time.monotonic()
    kept = study.folder / "notebooks"
    known = read_json(kept / RUN) or {}
    run, unchanged = known.get("run"), known.get("marks") == study_marks(study, parameters)
    if not unchanged:
        print(f"{len(study.lineup)} models in each of {counted(len(study.replicates), 'replicate')}", file=sys.stderr, flush=True)
        _ = study.results
    for page in PAGES:
        print(f"[{page.number}/{len(PAGES)}] {page.title}", file=sys.stderr, flush=True)
        if not (unchanged and (kept / f"{page.slug}.ipynb").exists()):
            (kept / RUN).unlink(missing_ok=True)  # its marks speak of all notebooks, and this one is about to be written over
            execute_notebook(NOTEBOOKS / f"{page.slug}.ipynb", kept, parameters)
            run = {"started": started.isoformat(timespec="seconds"), "seconds": round(time.monotonic() - clock, 1)}
            print(f"      done after {time.monotonic() - clock:.0f} s", file=sys.stderr, flush=True)
    write_json(kept / RUN, {"run": run, "marks": study_marks(study, parameters)})


def _write_pages(study: Study, out: Path) -> Path:
    """Every page, results.json and, last, the index; its path."""
    kept = study.folder / "notebooks"
    provenance = describe_run(study, read_json(kept / RUN)["run"])
    named = study.make_named(["teacher", "student"])
    chosen = choose_tracks(study.first, named)
    scenes = scenes_of(study.first, chosen, named)
    (opening,) = scenes_of(study.first, [liveliest(chosen, scenes)], study.make_named(["teacher", "student", "oracle"]))
    carried = {name: model for name, model in first_models(named).items() if name == "student" and not why_not_portable(model)}
    render_explorer(scenes, out / "explorer.html", PAGES, provenance, models=carried)
    for page in PAGES:
        render_notebook(kept / f"{page.slug}.ipynb", out / f"{page.slug}.html", PAGES, provenance)
    results = collect_results(study, provenance)
    write_json(out / "results.json", results)
    write_whole(out / "claims.png", figures.claims_plot(results["claims"]).png())
    return render_index(results, out / "index.html", PAGES, hero=encode_scene(opening))


def check_reports(out: Path) -> None:
    """Raises ``MttError`` where ``out`` cannot be written or has a file of a report's name that is none: reports alone are renewed."""
    check_place(out / "index.html")
    results = read_json(out / "results.json")
    ours = isinstance(results, dict) and {"study", "claims"} <= results.keys()
    names = ["index.html", "explorer.html", *(f"{page.slug}.html" for page in PAGES), "results.json", "claims.png"]
    for path in (out / name for name in names if os.path.lexists(out / name)):
        if not (path.is_file() and f"{SITE}</title>" in path.read_text(errors="replace") if path.suffix == ".html" else ours):
            raise MttError(f"{path}: is there and was not written by a study; give --out another folder")


def study_marks(study: Study, parameters: Mapping[str, object]) -> dict[str, object]:
    """All that the executed notebooks follow from: sources, parameters, code, collection, and the stages and findings on disk."""
    sources = [NOTEBOOKS / f"{page.slug}.ipynb" for page in PAGES] + sorted(Path(__file__).parents[1].rglob("*.py"))
    stages = sorted(study.folder.glob("*/*/config.json")) + sorted((study.folder / "results").glob("*.json"))
    return {
        "sources": hashlib.sha256(b"".join(path.read_bytes() for path in sources)).hexdigest(),
        "parameters": dict(parameters),
        "collection": study.first.collection.digest,
        "stages": hashlib.sha256(b"".join(path.read_bytes() for path in stages)).hexdigest(),
    }


def execute_notebook(source: Path, folder: Path, parameters: Mapping[str, object]) -> Path:
    """Run one notebook with papermill into ``folder``; raises ``MttError`` with the first line of what went wrong."""
    folder.mkdir(parents=True, exist_ok=True)
    target = folder / source.name
    os.environ.setdefault("PYDEVD_DISABLE_FILE_VALIDATION", "1")  # keeps the debugger's warning off the terminal
    try:
        papermill.execute_notebook(
            source,
            target,
            parameters=dict(parameters),
            kernel_name="python3",
            cwd=home(),
            progress_bar=False,
            stderr_file=sys.stderr,
            extra_arguments=["--log-level=CRITICAL"],  # no remarks of the kernel between the progress bars
            log_output=False,
        )
    except PapermillExecutionError as error:
        if error.ename not in _names_of(MttError):
            raise  # a fault of ours: its traceback is worth having
        raise MttError(f"{source.name}, cell {error.cell_index}: {error.ename}: {error.evalue}; see {target}") from error
    return target


def _names_of(kind: type) -> set[str]:
    return {kind.__name__}.union(*map(_names_of, kind.__subclasses__()))


def collect_results(study: Study, provenance: Mapping) -> dict:
    """What the pages recorded, as the content of results.json (DESIGN: the project's contract)."""
    recorded = study.recorded()
    parts = {name: [entry for page in recorded.values() for entry in page.get(name, [])] for name in ("claims", "models", "explanations")}
    models = {row["name"]: row for row in parts["models"]}  # a model that two pages show counts once
    claims = [{**entry, "sentence": words.claim(entry), "note": words.note(entry)} for entry in parts["claims"]]
    agree, compared = agreement(claims)
    return {
        "study": dict(provenance),
        "claims": sorted(claims, key=lambda entry: entry["id"]),
        "models": sorted(models.values(), key=lambda row: -row["roc_auc"]),
        "curves": {name: rows for page in recorded.values() for name, rows in page.get("curves", {}).items()},
        "variance": variance(claims),
        "explanations": [{**entry, "sentence": remarks.explanation(entry)} for entry in parts["explanations"]],
        "convergence": convergence(study.config),
        "scale_anchor": scale_anchor(),
        "findings": {page: found["finding"] for page, found in recorded.items() if "finding" in found},
        **({"reference": {"agree": agree, "compared": compared}} if compared else {}),
    }


def describe_run(study: Study, run: Mapping) -> dict:
    """Where results come from: the ``study`` part of results.json. ``run`` says when the notebooks were executed, and how long it took."""
    device = torch.cuda.get_device_name() if torch.cuda.is_available() else f"{os.cpu_count()} CPU cores"
    trained = sum(read_json(path)["training_seconds"] for path in study.folder.glob("*/*/metrics.json"))  # in this run or an earlier one
    precision = effective_precision("auto", pick_device())  # of training, where the settings leave it to the machine
    return {
        "profile": study.config.profile,
        "collection": study.first.collection.name,
        "replicates": [one.number for one in study.replicates],
        "commit": git_commit(),
        "versions": {"python": platform.python_version(), **{name: version(name) for name in PACKAGES}},
        "machine": f"{platform.system()} {platform.machine()}, {device}, {precision}",
        **run,
        "training": f"{trained / 60:.0f} min, all models together; those that were there are read back",
        **({"left_out": lacking} if (lacking := remarks.left_out(study)) else {}),
    }


def git_commit() -> str:
    """The commit of this code's checkout, with ``+`` when files differ from it; empty outside a checkout."""
    checkout = NOTEBOOKS.parent
    here = [f"--git-dir={checkout / '.git'}", f"--work-tree={checkout}"]  # never a repository that this code is installed in
    command = ["git", *here, "describe", "--always", "--dirty=+", "--abbrev=10", "--exclude=*"]
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return ""
