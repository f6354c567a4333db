"""Commands that run studies, train models and look at settings."""

import itertools
import shlex
import sys
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

import mtt
from mtt.commands.options import Force, model_folder
from mtt.config import ANCHOR, PROFILES, SMOKE
from mtt.files import UsageError, home, output, shown, write_json
from mtt.study.parameters import check_parameters, parse_parameters

if TYPE_CHECKING:
    from mtt.study.cells import Cell

app = typer.Typer()
WITH_PARAMETERS = {
    "context_settings": {"allow_extra_args": True, "ignore_unknown_options": True},
    "options_metavar": "[OPTIONS] [-p NAME VALUE]...",
}
PLAN = """#!/bin/bash
# {about}, a line each; bash FILE [OPTION OF SBATCH]... submits them
case ${{SLURM_ARRAY_TASK_ID:-}} in
{lines}
"")
    for wave in {waves}; do
        last=$(sbatch --parsable ${{last:+--dependency=afterany:$last}} --array="$wave" "$@" "$0") || exit
    done ;;
esac"""


@app.command(**WITH_PARAMETERS)
def study(
    context: typer.Context,
    profile: Annotated[str, typer.Option(help=f"sizes of corpus, models and training: {', '.join(PROFILES)}")] = "demo",
    collection: Annotated[str, typer.Option(help="what to study: see python -m mtt collections")] = "synthetic",
    out: Annotated[Path | None, typer.Option(help="folder for the pages  [default: reports of the checkout]")] = None,
    teacher: Annotated[str | None, typer.Option(help="model folder whose features join the baselines; it tags music without tags")] = None,
    minutes: Annotated[float | None, typer.Option(help="that training may take; what they do not suffice for is left out")] = None,
    plan: Annotated[
        bool, typer.Option("--plan", help="print a SLURM script that trains what is missing, a task a model; run nothing")
    ] = False,
) -> None:
    """Run all notebooks and render the reports; -p sets a notebook parameter.

    Example: python -m mtt study --profile smoke -p exposure 2000 --out my-pages
    """
    given = {name: value for name, value in {"features_from": teacher, "minutes": minutes}.items() if value is not None}
    parameters = check_parameters({"profile": profile, "collection": collection, **given, **parse_parameters(context.args)})
    if plan:
        return print(_plan(mtt.absolute_parameters(parameters)))
    index = mtt.run_study(parameters, home() / "reports" if out is None else out)  # imports all there is: mistakes are answered before it
    print(f"{index}")


def _plan(parameters: dict[str, object]) -> str:
    """A shell script that submits itself: a job array a wave, a line of it a task; what a wave needs is made by those before it."""
    study = mtt.open_study(progress=sys.stderr.isatty(), **parameters)
    missing = {name: sum(part.cell is None for part in job.teachers) for name, job in study.cells.items() if job.cell is None}
    ordered = sorted(missing, key=missing.get)
    words = [word for name, value in parameters.items() for word in ("-p", name, str(value))]
    lines = [shlex.join([sys.executable, "-m", "mtt", "train", "--cell", name, *words]) for name in ordered]
    ends = list(itertools.accumulate(Counter(map(missing.get, ordered)).values(), initial=0))
    waves = " ".join(f"{first + 1}-{last}" for first, last in itertools.pairwise(ends))
    return PLAN.format(
        about=f"{len(lines)} models that {shown(study.folder)} lacks",
        lines="\n".join(f"{number}) exec {line} ;;" for number, line in enumerate(lines, 1)),
        waves=waves,
    )


@app.command("take-home", **WITH_PARAMETERS)
def take_home_command(
    context: typer.Context,
    out: Annotated[Path, typer.Option(help="model folder to write")],
    profile: Annotated[str, typer.Option(help="of the study")] = "demo",
    collection: Annotated[str, typer.Option(help="of the study")] = "synthetic",
    model: Annotated[str | None, typer.Option(help="of the study's models  [default: the best on validation]")] = None,
    force: Force = False,
) -> None:
    """Train a study's best model on all labels of the collection, to tag with; what is missing of the study is made first.

    Example: python -m mtt take-home --collection packed -p study mine --out models/mine
    """
    parameters = check_parameters({"profile": profile, "collection": collection, **parse_parameters(context.args)})
    with model_folder(out, force=force):
        about = mtt.take_home(mtt.open_study(progress=sys.stderr.isatty(), **parameters), out, model)
    print(f"{shown(out)}: {about['model']}; {about['tracks']:,} tracks of {about['artists']:,} artists")
    print(f"expect a ROC-AUC of about {about['expected']['roc_auc']:.3f}, that of {about['expected_from']}")


@app.command(**WITH_PARAMETERS)
def train(
    context: typer.Context,
    config: Annotated[Path | None, typer.Option(help="TOML or JSON file: collection, recipe, profile, [model], [train], [student]")] = None,
    cell: Annotated[str | None, typer.Option(metavar="REPLICATE/NAME", help="instead: a model of the study of these -p")] = None,
) -> None:
    """Train one model of the study's recipes with settings of your own; its folder is that of a cell of a study.

    Stopped, it goes on where it was; done, it is read back. Example: python -m mtt train --config job.toml
    """
    given = parse_parameters(context.args)
    if (config is None) == (cell is None) or (config and given):
        raise UsageError("train: give --config FILE, or --cell REPLICATE/NAME with the study's parameters")
    made = mtt.run_job(mtt.read_job(config)) if config else _made_cell(cell, given)
    found = made.metrics["test"]
    print(f"{made.folder}: ROC-AUC {found['roc_auc']:.4f}, PR-AUC {found['pr_auc']:.4f} on the test set")


def _made_cell(name: str, parameters: dict[str, object]) -> "Cell":
    study = mtt.open_study(progress=sys.stderr.isatty(), **mtt.absolute_parameters(parameters))
    if name not in (cells := study.cells):
        raise UsageError(f"--cell {name!r}: is none of {', '.join(cells)}")
    return study.train([cells[name]])[0]


@app.command()
def tune(
    profile: Annotated[str, typer.Option(help="whose settings to look at")] = "full",
    corpora: Annotated[int, typer.Option(min=1, help="how many tuning corpora; one says nothing of power")] = 2,
) -> None:
    """See on corpora of their own whether models are converged and how small an effect a study can see; pages show what was found.

    Example: python -m mtt tune
    """
    mtt.tune(PROFILES[profile], corpora, progress=sys.stderr.isatty())


@app.command("keep-reference")
def keep_reference_command(results: Annotated[Path, typer.Argument(metavar="RESULTS.json", help="of a run with --profile full")]) -> None:
    """Keep a full run's effects in the package: what every demo run is held against.

    Example: python -m mtt keep-reference reports/results.json
    """
    print(shown(mtt.keep_reference(results)))


@app.command()
def anchor(
    out: Annotated[Path, typer.Option(help="JSON to write: scores and effects")],
    minutes: Annotated[float, typer.Option(min=0.001, help="that training takes, about; the exposure follows")] = 6.0,
    profile: Annotated[Literal["anchor", "smoke"], typer.Option(help="smoke: tiny models, to try the command on a CPU")] = "anchor",
    force: Force = False,
) -> None:
    """Train teacher, students, control, oracle and a CNN of nearly the published size on one corpus, on a GPU; go on where it stopped.

    Example: python -m mtt anchor --minutes 6 --out anchor.json
    """
    with output(out, endings=[".json"], force=force):
        config = ANCHOR if profile == "anchor" else replace(SMOKE, replicates=1)
        write_json(out, mtt.anchor(home() / "runs" / f"anchor-{profile}", minutes, config, progress=sys.stderr.isatty()))
    print(shown(out))
