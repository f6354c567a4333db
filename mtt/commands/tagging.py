"""Commands that tag and explain files."""

import io
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import Annotated, Literal, get_args

import typer
from tqdm import tqdm

import mtt
from mtt.commands.options import Force, finished_files
from mtt.files import MttError, UsageError, output, shown, write_whole

app = typer.Typer()
Format = Literal["table", "json", "csv", "wide"]
FORMATS = {None: get_args(Format), ".csv": ("csv", "wide"), ".json": ("json",)}  # by the ending of --out, the usual one first


@app.command()
def tag(
    audio: Annotated[list[Path], typer.Argument(metavar="AUDIO...", help="files, or folders of files")],
    model: Annotated[Path, typer.Option(help="model folder, such as runs/demo/100/student")],
    top: Annotated[int | None, typer.Option(min=1, help="tags per file (10; in wide: all)")] = None,
    min_probability: Annotated[float, typer.Option(help="leave out tags below it, from 0 to 1")] = 0.0,
    format: Annotated[Format | None, typer.Option(help="wide: a CSV of a row per file, a column per tag (table)")] = None,
    out: Annotated[Path | None, typer.Option(help=".csv or .json to write instead; stopped, the same command goes on")] = None,
    force: Force = False,
    write: Annotated[Path | None, typer.Option(metavar="UNDO.json", help="tags become the files' genres; only shown without --yes")] = None,
    yes: Annotated[bool, typer.Option("--yes", help="do what --write shows")] = False,
) -> None:
    """Tag audio files. One that cannot be read is reported and the others go on; the exit code is then 1.

    Example: python -m mtt tag ~/Music --model runs/demo/100/student --min-probability 0.3 --out tags.csv
    """
    if not 0 <= min_probability <= 1:
        raise UsageError(f"--min-probability {min_probability:g}: give a number from 0 to 1")
    if write is not None:
        return _write(audio, model, min_probability or 0.5, write, yes, force)
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
    with nullcontext() if out is None else finished_files(out, folder) as store:
        tagged = _tagged(model, found.files, store, done, hidden)
        for piece in mtt.tag_text(tagged, format, model.tags, top or (None if format == "wide" else 10), minimum):
            print(piece, end="", flush=True, file=text)
        counts = [f"{done[what]:,} {what}" for what in ("tagged", "failed") if done[what]]
        print(f"mtt: {', '.join(filter(None, [*counts, mtt.skipped_text(found.skipped)]))}", file=sys.stderr)
        if out and not done["tagged"]:
            raise MttError(f"{shown(out)}: is not written, because no file could be tagged")
        if out:
            print(shown(write_whole(out, text.getvalue())))
    return done["failed"]


def _write(audio: list[Path], folder: Path, minimum: float, undo: Path, yes: bool, force: bool) -> None:
    """Show what genres files would get; write them if ``yes``."""
    model, done = mtt.load_model(folder), Counter()
    with output(undo, *audio, endings=[".json"], force=force), finished_files(undo, folder) as store:
        files = mtt.files_of(audio).files
        changes = mtt.plan(_tagged(model, files, store, done, hidden=not sys.stderr.isatty()), minimum)
        for change in changes:
            print(f"{mtt.printable(change.path)}: {', '.join(change.before) or 'no genre'} -> {', '.join(change.after)}")
        faults = mtt.write_genres(changes, undo) if yes and changes else []
    _told(faults)
    if yes and changes:
        print(f"{len(changes) - len(faults):,} files written; python -m mtt undo-tags {shown(undo)} takes it back")
    else:
        print(f"{len(changes):,} of {len(files):,} files would change; nothing is written without --yes")
    if faults or done["failed"]:
        raise typer.Exit(1)


@app.command("undo-tags")
def undo_tags(undo: Annotated[Path, typer.Argument(metavar="UNDO.json", help="what tag --write kept")]) -> None:
    """Give files back the genres that they had before tag --write.

    Example: python -m mtt undo-tags undo.json
    """
    count, faults = mtt.undo_genres(undo)
    _told(faults)
    print(f"{count:,} files have their genres back")
    if faults:
        raise typer.Exit(1)


def _told(faults: list[str]) -> None:
    for fault in faults:
        print(f"mtt: {mtt.printable(fault)}", file=sys.stderr)


def _tagged(
    model: "mtt.models.frontend.TaggingModel", files: list[Path], store: Path | None, done: Counter, hidden: bool
) -> Iterator["mtt.explain.tagging.Tagged"]:
    """The files that have tags; what is to be said of others, and of these, is told as it comes, and all are counted."""
    with tqdm(mtt.tag_files(model, files, store), "tagging", len(files), unit="file", disable=hidden) as progress:
        for tagged in progress:
            done["tagged" if tagged.tags is not None else "failed"] += 1
            if said := tagged.problem or (tagged.warning and f"{tagged.path}: {tagged.warning}"):
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
