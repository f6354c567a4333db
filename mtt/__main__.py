"""The command line: ``python -m mtt COMMAND``. An output is never an input, and what is there is replaced with ``--force`` only."""

from __future__ import annotations

import json
import logging
import signal
import sys
from contextlib import nullcontext
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import pandas as pd
import typer
from tqdm import tqdm

import mtt  # its names are imported when first used: a command loads what it needs
from mtt.config import PROFILES
from mtt.files import MttError, home, one_line, output, output_folder, place_fault, shown
from mtt.study.parameters import check_parameters, parse_parameters

app = typer.Typer(add_completion=False, no_args_is_help=True)
Force = Annotated[bool, typer.Option("--force", help="replace what an earlier run wrote, if it was not changed since")]


def _print_version(wanted: bool) -> None:
    if wanted:
        print(f"mtt {mtt.__version__}")
        raise typer.Exit()


@app.callback()
def start(
    version: Annotated[bool, typer.Option("--version", callback=_print_version, is_eager=True, help="print the version")] = False,
) -> None:
    """The Semi-supervised Music Tagging Transformer study.

    Exit codes: 0 done, 1 failed or done in part, with a line for each reason, 2 wrong usage, 130 stopped.
    """


@app.command(context_settings={"allow_extra_args": True, "ignore_unknown_options": True}, options_metavar="[OPTIONS] [-p NAME VALUE]...")
def study(
    context: typer.Context,
    profile: Annotated[str, typer.Option(help=f"sizes of corpus, models and training: {', '.join(PROFILES)}")] = "demo",
    collection: Annotated[str, typer.Option(help="what to study: see python -m mtt collections")] = "synthetic",
    out: Annotated[Path | None, typer.Option(help="folder for the pages  [default: reports of the checkout]")] = None,
) -> None:
    """Run all notebooks and render the reports; -p sets a notebook parameter.

    Example: python -m mtt study --profile smoke -p steps 20 --out my-pages
    """
    parameters = check_parameters({"profile": profile, "collection": collection, **parse_parameters(context.args)})
    index = mtt.run_study(parameters, home() / "reports" if out is None else out)  # imports all there is: mistakes are answered before it
    print(f"{index}")


@app.command()
def collections() -> None:
    """List what --collection takes: the embedded corpus, tables, packs, and published data sets as NAME:FOLDER."""
    print(mtt.collection_help())


@app.command()
def split(
    table: Annotated[Path, typer.Argument(metavar="TRACKS.csv", help="path,artist,tags")],
    out: Annotated[Path, typer.Option(help="CSV to write: track_id,split")],
    ratios: Annotated[tuple[float, float, float], typer.Option(help="train, valid, test")] = (0.7, 0.15, 0.15),
    seed: Annotated[int, typer.Option(min=0)] = 0,
    force: Force = False,
) -> None:
    """Split a collection by artist, tags stratified; no audio is read.

    Example: python -m mtt split tracks.csv --out split.csv --ratios 0.8 0.1 0.1
    """
    with output(out, table, endings=[".csv"], force=force):
        _split(table, out, ratios, seed)


def _split(table: Path, out: Path, ratios: tuple[float, float, float], seed: int) -> None:
    tracks = mtt.read_collection(table)
    tags = sorted({tag for text in tracks["tags"] for tag in mtt.split_tags(text)})
    labels = mtt.label_matrix(tracks["tags"], tags)
    made = mtt.split_by_artist(tracks["artist"], labels, ratios, seed)
    audit = mtt.audit_split(made, tracks["artist"], labels, ratios, tags)
    mtt.write_split(made, out)
    print(audit.counts.to_string())
    print(f"mean |tag share - target| {audit.mean_deviation:.4f}, largest {audit.max_deviation:.4f} ({audit.worst_tag})")


@app.command()
def audit(
    table: Annotated[str, typer.Argument(metavar="TRACKS.csv", help="path,artist,tags, or another collection that studies take")],
    out: Annotated[Path | None, typer.Option(help="report to write: .csv (track_id,path,problem,detail) or .html")] = None,
    split: Annotated[Path | None, typer.Option(help="split to check: track_id,split; default: the table's column split")] = None,
    force: Force = False,
) -> None:
    """List what is wrong with a collection: files, copies, artists, tags, a given split.

    The exit code is 0 whatever was found, 1 when the audit could not be made. Stopped, it goes on from what it had read.

    Example: python -m mtt audit tracks.csv --out audit.html
    """
    with nullcontext() if out is None else output(out, table, *([split] if split else []), endings=[".csv", ".html"], force=force):
        found = mtt.audit_collection(table, split, progress=sys.stderr.isatty())
        print(mtt.audit_text(found))
        if out is not None:
            mtt.write_audit(found, out)


@app.command()
def pack(
    table: Annotated[str, typer.Argument(metavar="TRACKS.csv", help="path,artist,tags, or another collection that studies take")],
    out: Annotated[Path, typer.Argument(metavar="OUT", file_okay=False, help="folder to write; give it to --collection")],
) -> None:
    """Decode a collection once, for fast random crops: about 2.6 MB a minute. Stopped, it goes on with the next track.

    Example: python -m mtt pack tracks.csv packed
    """
    corpus = mtt.pack_corpus(mtt.load_corpus(table), out)
    print(f"{out}: {len(corpus):,} tracks packed, {len(corpus.problems):,} left out (see {out / 'problems.csv'})")


@app.command()
def train(
    config: Annotated[Path, typer.Option(help="TOML or JSON file: collection, recipe, profile, [model], [train], [student]")],
) -> None:
    """Train one model of the study's recipes with settings of your own; its folder is that of a cell of a study.

    Stopped, it goes on where it was; done, it is read back. Example: python -m mtt train --config job.toml
    """
    cell = mtt.run_job(mtt.read_job(config))
    found = cell.metrics
    print(f"{cell.folder}: ROC-AUC {found['test']['roc_auc']:.4f}, PR-AUC {found['test']['pr_auc']:.4f} on the test set")


class Format(StrEnum):
    """How ``tag`` prints."""

    table = "table"
    json = "json"
    csv = "csv"


@app.command()
def tag(
    audio: Annotated[list[Path], typer.Argument(metavar="AUDIO...", help="files, or folders of files")],
    model: Annotated[Path, typer.Option(help="model folder, such as runs/demo/student")],
    top: Annotated[int, typer.Option(min=1, help="tags per file")] = 10,
    format: Annotated[Format, typer.Option(help="how to print")] = Format.table,
) -> None:
    """Tag audio files. One that cannot be read is reported and the others go on; the exit code is then 1.

    Example: python -m mtt tag ~/Music --model runs/demo/student --top 5
    """
    tables, failed = [], 0
    progress = tqdm(mtt.tag_files(mtt.load_model(model), audio, top), desc="tagging", unit="file", disable=not sys.stderr.isatty())
    for path, found in progress:
        if isinstance(found, str):
            failed += 1
            progress.write(f"mtt: {found}", file=sys.stderr)
        else:
            tables.append(found.assign(probability=found["probability"].round(4).astype(float)).assign(path=str(path)))
    _print_tags(tables, format)
    if failed:
        raise typer.Exit(1)


def _print_tags(tables: list[pd.DataFrame], format: Format) -> None:
    if format is Format.json:
        found = [{"path": t["path"].iloc[0], "tags": dict(zip(t["tag"], t["probability"], strict=True))} for t in tables]
        print(json.dumps(found, indent=1))
    elif format is Format.csv:
        columns = ["path", "tag", "probability"]
        print(pd.concat([t[columns] for t in tables] or [pd.DataFrame(columns=columns)]).to_csv(index=False), end="")
    else:
        for t in tables:
            print(t["path"].iloc[0])
            print("\n".join(f"  {row.probability:6.3f}  {row.tag}" for row in t.itertuples()))


@app.command()
def explain(
    audio: Annotated[Path, typer.Argument(metavar="AUDIO", help="one audio file")],
    model: Annotated[list[Path], typer.Option(help="model folder; repeat it to see models side by side")],
    out: Annotated[Path, typer.Option(help="HTML page to write")],
    force: Force = False,
) -> None:
    """Write a page that plays a file and shows its tags and attention over time; it works offline.

    Example: python -m mtt explain song.mp3 --model runs/demo/teacher --model runs/demo/student --out song.html
    """
    with output(out, audio, endings=[".html"], force=force):
        print(shown(mtt.explain_file(audio, model, out)))


@app.command("import-official")
def import_official_command(
    checkpoint: Annotated[Path, typer.Argument(metavar="CKPT", help="the authors' teacher.ckpt or compact_student.ckpt")],
    out: Annotated[Path, typer.Argument(metavar="OUT", help="model folder to write")],
    heads: Annotated[int, typer.Option(min=1, help="attention heads of each layer; the authors' checkpoints have 8")] = 8,
    force: Force = False,
) -> None:
    """Turn the authors' checkpoint into a model folder.

    Example: python -m mtt import-official teacher.ckpt models/teacher
    """
    with output_folder(out, holds=mtt.MODEL_FILES, force=force):
        model = mtt.import_official(checkpoint, out, heads=heads)
    print(f"{out}: {sum(p.numel() for p in model.parameters()):,} parameters, {len(model.tags)} tags")
    print(f"{heads} heads were taken: no tensor shows their number; give --heads if it was trained with another")


def _interrupt(*_) -> None:
    logging.disable()  # that kernels and tasks ended too is no news
    raise KeyboardInterrupt


def main(arguments: list[str] | None = None) -> None:
    """Run the command line; a user's mistake gives one line, not a traceback. Any other exception is a fault of ours and keeps it."""
    signal.signal(signal.SIGINT, _interrupt)
    try:
        app(arguments)
    except (MttError, OSError) as error:
        print(f"mtt: {place_fault(error) if isinstance(error, OSError) else one_line(error)}", file=sys.stderr)
        sys.exit(getattr(error, "exit_code", 1))
    except SystemExit as end:
        if end.code == 130:  # so typer ends a command that was interrupted
            print("mtt: stopped; run the same command again to go on from here", file=sys.stderr)
        raise


if __name__ == "__main__":
    main()
