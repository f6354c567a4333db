"""The command line: ``python -m mtt COMMAND``. Exit codes: 0 done, 1 failed with a one-line reason, 2 wrong usage."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from mtt.data.datasets import label_matrix, read_collection, split_tags
from mtt.data.splits import audit_split, split_by_artist, write_split
from mtt.models import import_official
from mtt.reporting.study import StudyError, parse_parameters, run_study
from mtt.training.workspace import ParameterError

app = typer.Typer(add_completion=False, no_args_is_help=True, help="The Semi-supervised Music Tagging Transformer study.")


@app.command(context_settings={"allow_extra_args": True, "ignore_unknown_options": True})
def study(
    context: typer.Context,
    profile: Annotated[str, typer.Option(help="smoke, demo, full or paper")] = "demo",
    collection: Annotated[str, typer.Option(help="'synthetic' or the path of a tracks.csv")] = "synthetic",
    out: Annotated[Path, typer.Option(help="folder for the pages")] = Path("reports"),
) -> None:
    """Run all notebooks and render the reports. Any number of ``-p NAME VALUE`` set notebook parameters."""
    parameters = {"profile": profile, "collection": collection, **parse_parameters(context.args)}
    index = run_study(parameters, out)
    print(f"{index}")


@app.command()
def split(
    table: Annotated[Path, typer.Argument(metavar="TRACKS.csv", help="path,artist,tags")],
    out: Annotated[Path, typer.Option(help="CSV to write: track_id,split")],
    ratios: Annotated[tuple[float, float, float], typer.Option(help="train, valid, test")] = (0.7, 0.15, 0.15),
    seed: Annotated[int, typer.Option()] = 0,
) -> None:
    """Split a collection by artist, tags stratified; no audio is read."""
    tracks = read_collection(table)
    tags = sorted({tag for text in tracks["tags"] for tag in split_tags(text)})
    labels = label_matrix(tracks["tags"], tags)
    made = split_by_artist(tracks["artist"], labels, ratios, seed)
    audit = audit_split(made, tracks["artist"], labels, ratios, tags)
    write_split(made, out)
    print(audit.counts.to_string())
    print(f"mean |tag share - target| {audit.mean_deviation:.4f}, largest {audit.max_deviation:.4f} ({audit.worst_tag})")


@app.command("import-official")
def import_official_command(
    checkpoint: Annotated[Path, typer.Argument(metavar="CKPT", help="the authors' teacher.ckpt or compact_student.ckpt")],
    out: Annotated[Path, typer.Argument(metavar="OUT", help="model folder to write")],
) -> None:
    """Turn the authors' checkpoint into a model folder."""
    model = import_official(checkpoint, out)
    print(f"{out}: {sum(p.numel() for p in model.parameters()):,} parameters, {len(model.tags)} tags")


def main() -> None:
    """Run the command line; a user's mistake gives one line, not a traceback."""
    try:
        app()
    except ParameterError as error:
        print(f"mtt: {error}", file=sys.stderr)
        sys.exit(2)
    except (ValueError, OSError, StudyError) as error:
        print(f"mtt: {' '.join(str(error).split())}", file=sys.stderr)
        sys.exit(1)
    except KeyboardInterrupt:
        print("mtt: stopped; run the same command again to go on from here", file=sys.stderr)
        sys.exit(130)


if __name__ == "__main__":
    main()
