"""Commands that look at music before anything is trained."""

import sys
from contextlib import nullcontext
from pathlib import Path
from typing import Annotated

import typer

import mtt
from mtt.commands.options import Collection, Force
from mtt.files import output, shown, write_whole
from mtt.study.parameters import split_options

app = typer.Typer()


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
