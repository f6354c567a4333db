"""The command line: ``python -m mtt COMMAND``. An output is never an input, and what is there is replaced with ``--force`` only."""

import io
import logging
import os
import shutil
import signal
import sys
import warnings
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, get_args

import typer
from tqdm import tqdm

import mtt  # its names are imported when first used: a command loads what it needs
from mtt.config import PROFILES
from mtt.files import MttError, UsageError, alone, fingerprint, home, one_line, output, place_fault, read_json, shown, write_whole
from mtt.study.parameters import check_parameters, parse_parameters, split_options

if TYPE_CHECKING:
    from mtt.explain.tagging import Tagged

app = typer.Typer(add_completion=False, no_args_is_help=True)
Collection = Annotated[str, typer.Argument(metavar="TRACKS.csv", help="path,artist,tags, or another collection that studies take")]
Force = Annotated[bool, typer.Option("--force", help="replace what an earlier run wrote, if it was not changed since")]


@app.callback(invoke_without_command=True)
def start(version: Annotated[bool, typer.Option("--version", help="print the version")] = False) -> None:
    """The Semi-supervised Music Tagging Transformer study.

    Exit codes: 0 done, 1 failed or done in part, with a line for each reason, 2 wrong usage, 130 stopped.
    """
    if version:
        print(f"mtt {mtt.__version__}")
        raise typer.Exit()


@app.command(context_settings={"allow_extra_args": True, "ignore_unknown_options": True}, options_metavar="[OPTIONS] [-p NAME VALUE]...")
def study(
    context: typer.Context,
    profile: Annotated[str, typer.Option(help=f"sizes of corpus, models and training: {', '.join(PROFILES)}")] = "demo",
    collection: Annotated[str, typer.Option(help="what to study: see python -m mtt collections")] = "synthetic",
    out: Annotated[Path | None, typer.Option(help="folder for the pages  [default: reports of the checkout]")] = None,
) -> None:
    """Run all notebooks and render the reports; -p sets a notebook parameter.

    Example: python -m mtt study --profile smoke -p exposure 2000 --out my-pages
    """
    parameters = check_parameters({"profile": profile, "collection": collection, **parse_parameters(context.args)})
    index = mtt.run_study(parameters, home() / "reports" if out is None else out)  # imports all there is: mistakes are answered before it
    print(f"{index}")


@app.command()
def collections() -> None:
    """List what --collection takes: the embedded corpus, tables, packs, and published data sets as NAME:FOLDER.

    Example: python -m mtt collections
    """
    print(mtt.collection_help())


@app.command("list")
def list_command(
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="folder of music, best as Artist/Album/song.mp3")],
    out: Annotated[Path, typer.Option(help="CSV to write: path,artist,tags,title,album; it lies in FOLDER or above")],
    force: Force = False,
) -> None:
    """List the tracks of a folder: artist, title, album and genre as files and folders tell them; then correct the CSV.

    Example: python -m mtt list ~/Music --out ~/Music/tracks.csv
    """
    with output(out, endings=[".csv"], force=force):
        found = mtt.list_tracks(folder, out.parent, progress=sys.stderr.isatty())
        write_whole(out, found.tracks.to_csv(index=False, lineterminator="\n"))
    with_tags, artists = (found.tracks["tags"] != "").sum(), found.tracks["artist"]
    print(f"{shown(out)}: {len(artists):,} tracks, {(artists == '').sum():,} without an artist, {with_tags:,} with tags")
    told = [f"{shown(path)}: left out, for its name is not UTF-8 and a table is; rename the file" for path in found.left_out]
    for line in filter(None, [*told, mtt.skipped_text(found.skipped)]):
        print(f"mtt: {line}", file=sys.stderr)
    if found.left_out:
        raise typer.Exit(1)


@app.command()
def split(
    table: Annotated[Path, typer.Argument(metavar="TRACKS.csv", help="path,artist,tags")],
    out: Annotated[Path, typer.Option(help="CSV to write: track_id,split")],
    ratios: Annotated[tuple[float, float, float], typer.Option(help="train, valid, test")] = (0.7, 0.15, 0.15),
    seed: int = 0,
    force: Force = False,
) -> None:
    """Split a collection by artist, tags stratified; no audio is read.

    Example: python -m mtt split tracks.csv --out split.csv --ratios 0.8 0.1 0.1
    """
    split_options(ratios, seed)
    with output(out, table, endings=[".csv"], force=force):
        tracks = mtt.read_collection(table)
        tags = sorted({tag for text in tracks["tags"] for tag in mtt.split_tags(text)})
        labels = mtt.label_matrix(tracks["tags"], tags)
        made = mtt.split_by_artist(tracks["artist"], labels, ratios, seed)
        mtt.check_sets(made, tracks["artist"], labels.any(axis=1), str(table), ratios, remedy="name artists and tag tracks of more of them")
        audit = mtt.audit_split(made, tracks["artist"], labels, ratios, tags)
        mtt.write_split(made, out)
    for note in mtt.split_notes(made, tracks["artist"]):
        print(f"mtt: {shown(out)}: {note}", file=sys.stderr)
    print(audit.counts.to_string())
    print(f"mean |tag share - target| {audit.mean_deviation:.4f}, largest {audit.max_deviation:.4f} ({audit.worst_tag})")


@app.command()
def audit(
    table: Collection,
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
    table: Collection,
    out: Annotated[Path, typer.Argument(metavar="OUT", file_okay=False, help="folder to write; give it to --collection")],
) -> None:
    """Decode a collection once, for fast random crops: about 2.6 MB a minute. Stopped, it goes on with the next track.

    Example: python -m mtt pack tracks.csv packed
    """
    mtt.check_pack_place(out)
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
    found = cell.metrics["test"]
    print(f"{cell.folder}: ROC-AUC {found['roc_auc']:.4f}, PR-AUC {found['pr_auc']:.4f} on the test set")


Format = Literal["table", "json", "csv", "wide"]
FORMATS = {None: get_args(Format), ".csv": ("csv", "wide"), ".json": ("json",)}  # by the ending of --out, the usual one first


@app.command()
def tune(
    profile: Annotated[str, typer.Option(help="whose settings to look at")] = "full",
    corpora: Annotated[int, typer.Option(min=2, help="how many tuning corpora")] = 2,
) -> None:
    """See on corpora of their own whether models are converged and how small an effect a study can see; pages show what was found.

    Example: python -m mtt tune
    """
    mtt.tune(PROFILES[profile], corpora, progress=sys.stderr.isatty())


@app.command()
def tag(
    audio: Annotated[list[Path], typer.Argument(metavar="AUDIO...", help="files, or folders of files")],
    model: Annotated[Path, typer.Option(help="model folder, such as runs/demo/100/student")],
    top: Annotated[int | None, typer.Option(min=1, help="tags per file (10; in wide: all)")] = None,
    min_probability: Annotated[float, typer.Option(help="leave out tags below it, from 0 to 1")] = 0.0,
    format: Annotated[Format | None, typer.Option(help="wide: a CSV of a row per file, a column per tag (table)")] = None,
    out: Annotated[Path | None, typer.Option(help=".csv or .json to write instead; stopped, the same command goes on")] = None,
    force: Force = False,
) -> None:
    """Tag audio files. One that cannot be read is reported and the others go on; the exit code is then 1.

    Example: python -m mtt tag ~/Music --model runs/demo/100/student --min-probability 0.3 --out tags.csv
    """
    if not 0 <= min_probability <= 1:
        raise UsageError(f"--min-probability {min_probability:g}: give a number from 0 to 1")
    with nullcontext() if out is None else output(out, *audio, endings=[".csv", ".json"], force=force):
        fitting = FORMATS[out and out.suffix.lower()]
        if format not in (None, *fitting):
            raise UsageError(f"--format {format}: {shown(out)} can be {' or '.join(fitting)}; leave it out, or give another ending")
        failed = _tag(audio, model, format or fitting[0], top, min_probability, out)
    if failed:
        raise typer.Exit(1)


def _tag(audio: list[Path], folder: Path, format: Format, top: int | None, minimum: float, out: Path | None) -> int:
    """Tag files; how many failed."""
    sys.stdout.reconfigure(errors="backslashreplace")
    model, found, done = mtt.load_model(folder), mtt.files_of(audio), Counter()
    hidden = not sys.stderr.isatty() or (out is None and sys.stdout.isatty())  # tags on the terminal are progress enough
    text = io.StringIO() if out else sys.stdout
    with nullcontext() if out is None else _store(out, folder) as store:
        with tqdm(mtt.tag_files(model, found.files, store), "tagging", len(found.files), unit="file", disable=hidden) as progress:
            pieces = mtt.tag_text(_good(progress, done), format, model.tags, top or (None if format == "wide" else 10), minimum)
            for piece in pieces:
                print(piece, end="", flush=True, file=text)
        counts = [f"{done[what]:,} {what}" for what in ("tagged", "failed") if done[what]]
        print(f"mtt: {', '.join(filter(None, [*counts, mtt.skipped_text(found.skipped)]))}", file=sys.stderr)
        if out and not done["tagged"]:
            raise MttError(f"{shown(out)}: is not written, because no file could be tagged")
        if out:
            print(shown(write_whole(out, text.getvalue())))
    return done["failed"]


@contextmanager
def _store(out: Path, folder: Path) -> Iterator[Path]:
    """A folder of the cache, for one process at a time, that keeps the tags of finished files until ``out`` is written."""
    store = home() / "cache" / "tags" / fingerprint([mtt.__version__, str(out.absolute()), read_json(folder / "model.json")])
    with suppress(OSError):
        store.mkdir(parents=True, exist_ok=True)
    busy = f"{shown(out)}: another process is writing it; wait for it, or give another --out"
    with alone(store / "lock", busy) if os.access(store, os.W_OK) else nullcontext():  # a cache that cannot be written is done without
        yield store
        shutil.rmtree(store, ignore_errors=True)


def _good(progress: tqdm, done: Counter) -> Iterator["Tagged"]:
    """The files that have tags; what is to be said of others, and of these, is told as it comes, and all are counted."""
    for tagged in progress:
        done["tagged" if tagged.tags is not None else "failed"] += 1
        said = tagged.problem or (tagged.warning and f"{tagged.path}: {tagged.warning}")
        if said:
            progress.write(f"mtt: {mtt.printable(said)}", file=sys.stderr)
        if tagged.tags is not None:
            yield tagged


@app.command()
def explain(
    audio: Annotated[Path, typer.Argument(metavar="AUDIO", help="one audio file")],
    model: Annotated[list[Path], typer.Option(help="model folder; repeat it to see models side by side")],
    out: Annotated[Path, typer.Option(help="HTML page to write")],
    force: Force = False,
) -> None:
    """Write a page that plays a file and shows its tags and attention over time; it works offline.

    Example: python -m mtt explain song.mp3 --model runs/demo/100/teacher --model runs/demo/100/student --out song.html
    """
    with output(out, audio, endings=[".html"], force=force):
        print(shown(mtt.explain_file(audio, model, out)))


@app.command()
def explorer(
    model: Annotated[list[Path], typer.Option(help="model folder; repeat it to have models side by side")],
    out: Annotated[Path, typer.Option(help="HTML page to write")],
    force: Force = False,
) -> None:
    """Write a page that tags and explains any song dropped on it: a tagger in one file, which works offline.

    Example: python -m mtt explorer --model runs/demo/100/student --out tagger.html
    """
    with output(out, endings=[".html"], force=force):
        print(shown(mtt.model_page(model, out)))


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
    weights, description = (out / name for name in mtt.MODEL_FILES)
    with output(weights, checkpoint, force=force), output(description, force=force):
        model = mtt.import_official(checkpoint, out, heads=heads)
    print(f"{out}: {sum(p.numel() for p in model.parameters()):,} parameters, {len(model.tags)} tags")
    print(f"{heads} heads were taken: no tensor shows their number; give --heads if it was trained with another")


def _interrupt(*_) -> None:
    logging.disable()  # that kernels and tasks ended too is no news
    raise KeyboardInterrupt


def main(arguments: list[str] | None = None) -> None:
    """Run the command line; a user's mistake gives one line, not a traceback. Any other exception is a fault of ours and keeps it."""
    signal.signal(signal.SIGINT, _interrupt)
    warnings.filterwarnings("ignore", module="joblib")  # of workers that end, by Ctrl-C or to give memory back
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
