"""Commands that search a library by what a model hears."""

import os
import sys
from pathlib import Path
from typing import Annotated

import typer
from tqdm import tqdm

import mtt
from mtt.commands.options import Force, finished_files
from mtt.files import MttError, one_line, output, read_json, shown

app = typer.Typer()


@app.command()
def embed(
    audio: Annotated[list[Path], typer.Argument(metavar="AUDIO...", help="files, or folders of files")],
    model: Annotated[Path, typer.Option(help="model folder, such as models/musicnn")],
    out: Annotated[Path, typer.Option(help=".npz: features of every window; .csv: a row a track")],
    force: Force = False,
) -> None:
    """Write what a model makes of files before its last layer, for searching and for models of one's own; stopped, it goes on.

    Example: python -m mtt embed ~/Music --model models/musicnn --out music.npz
    """
    with output(out, *audio, endings=[".npz", ".csv"], force=force), finished_files(out, model) as store:
        tagger, files, found, failed = mtt.load_model(model), mtt.files_of(audio).files, {}, 0
        for path in tqdm(files, "embedding", unit="file", disable=not sys.stderr.isatty()):
            try:
                found[str(path)] = mtt.embed_file(tagger, path, store)
            except MttError as error:
                tqdm.write(f"mtt: {mtt.printable(one_line(error))}", file=sys.stderr)
                failed += 1
        if not found:
            raise MttError(f"{shown(out)}: is not written, because no file could be heard")
        mtt.write_embeddings(out, found, os.path.abspath(model), read_json(model / mtt.MODEL_FILES[1])["weights_sha256"])
    print(f"{shown(out)}: {len(found):,} files{f', {failed:,} failed' if failed else ''}")
    if failed:
        raise typer.Exit(1)


@app.command()
def similar(
    song: Annotated[Path, typer.Argument(metavar="SONG", help="an audio file")],
    library: Annotated[Path, typer.Option("--in", metavar="FILE.npz", help="what embed wrote")],
    model: Annotated[Path | None, typer.Option(help="model folder, if it is no longer where it was")] = None,
    top: Annotated[int, typer.Option(min=1)] = 10,
) -> None:
    """List the tracks that are most like a song.

    Example: python -m mtt similar song.mp3 --in music.npz
    """
    found, place, digest = mtt.read_embeddings(library)
    folder = model or Path(place)
    tagger = mtt.load_model(folder)
    if read_json(folder / mtt.MODEL_FILES[1])["weights_sha256"] != digest:
        raise MttError(f"{shown(folder)}: is not the model that {shown(library)} was made with: give that with --model, or embed again")
    others = {name: one for name, one in found.items() if not os.path.exists(name) or not os.path.samefile(name, song)}
    if not others:
        raise MttError(f"{shown(library)}: holds no track but the song")
    for row in mtt.similar(mtt.embed(tagger, song).track, others).head(top).itertuples():
        print(f"{row.similarity:6.3f}  {mtt.printable(row.path)}")
