"""The command line: ``python -m mtt COMMAND``. An output is never an input, and what is there is replaced with ``--force`` only."""

import logging
import signal
import sys
import warnings
from typing import Annotated

import typer

import mtt
from mtt.commands import collections, library, models, studies, tagging
from mtt.files import MttError, one_line, place_fault

app = typer.Typer(add_completion=False, no_args_is_help=True)
for part in (studies, collections, tagging, library, models):
    app.add_typer(part.app)


@app.callback(invoke_without_command=True)
def start(version: Annotated[bool, typer.Option("--version", help="print the version")] = False) -> None:
    """The Semi-supervised Music Tagging Transformer study.

    Exit codes: 0 done, 1 failed or done in part, with a line for each reason, 2 wrong usage, 130 stopped.
    """
    if version:
        print(f"mtt {mtt.__version__}")
        raise typer.Exit()


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
