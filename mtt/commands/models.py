"""Commands that make model folders: of one's own music, or of published weights."""

import sys
from pathlib import Path
from typing import Annotated, Literal

import typer

import mtt
from mtt.commands.options import Collection, Force, model_folder
from mtt.files import UsageError, one_line, shown

app = typer.Typer()


@app.command()
def distill(
    collection: Collection,
    teacher: Annotated[Path, typer.Option(help="model folder of a tagger, such as models/musicnn")],
    out: Annotated[Path, typer.Option(help="model folder to write")],
    size: Annotated[Literal["small", "compact"], typer.Option(help="small fits into a page; compact has the paper's size")] = "small",
    minutes: Annotated[float, typer.Option(min=0.1, help="that it takes, about")] = 30.0,
    force: Force = False,
) -> None:
    """Make a Transformer that tags as another tagger does, from unlabelled music alone; stopped, the same command goes on.

    Example: python -m mtt distill ~/Music/tracks.csv --teacher models/musicnn --out models/mine
    """
    with model_folder(out, *(teacher / name for name in mtt.MODEL_FILES), force=force):
        done = mtt.distill(collection, teacher, out, size, minutes, progress=sys.stderr.isatty())
    with_labels = [name for name in ("positives", "student", "teacher") if done.agreement[name].notna().any()]
    print(done.agreement[["correlation", "difference", *with_labels]].round(3).to_string(na_rep=""))
    mean, as_logits, apart = done.agreement[["correlation", "logit_correlation", "difference"]].mean()
    print(f"{shown(out)}: on {done.tracks['test']:,} tracks of artists that it never heard, its probabilities correlate by {mean:.3f} with")
    print(f"the teacher's ({as_logits:.3f} as logits) and differ from them by {apart:.3f} on average")


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
    with model_folder(out, checkpoint, force=force):
        model = mtt.import_official(checkpoint, out, heads=heads)
    print(_size_text(out, model))
    print(f"{heads} heads were taken: no tensor shows their number; give --heads if it was trained with another")


@app.command("import-musicnn")
def import_musicnn_command(
    paths: Annotated[
        list[Path], typer.Argument(metavar="[WHEEL] OUT", help="the file of musicnn 0.1.0, else pip gets it; folder to write")
    ],
    model: Annotated[
        Literal["MSD_musicnn", "MTT_musicnn"], typer.Option(help="MSD: Million Song Dataset, MTT: MagnaTagATune")
    ] = "MSD_musicnn",
    force: Force = False,
) -> None:
    """Turn the weights of musicnn, a published tagger, into a model folder; 29 MB are fetched, and nothing of it is run.

    Example: python -m mtt import-musicnn models/musicnn
    """
    if len(paths) > 2:
        raise UsageError(f"import-musicnn: expected [WHEEL] OUT, got {len(paths)} paths")
    *wheel, out = paths
    with model_folder(out, *wheel, force=force):
        made = mtt.import_musicnn(out, *wheel, model=model)
    print(_size_text(out, made))
    print(f"licence: {one_line(made.provenance['licence']).split('. ')[0]}; its notice stands in {shown(out / mtt.MODEL_FILES[1])}")


def _size_text(out: Path, model: "mtt.models.frontend.TaggingModel") -> str:
    return f"{out}: {sum(p.numel() for p in model.parameters()):,} parameters, {len(model.tags)} tags"
