"""The command line: ``python -m mtt COMMAND``. An output is never an input, and what is there is replaced with ``--force`` only."""

import atexit
import gc
import logging
import os
import signal
import socket
import sys
import warnings
from contextlib import AbstractContextManager, nullcontext
from typing import Annotated
from urllib.parse import urlsplit

import lazy_loader
import typer

import mtt
from mtt.commands import collections, library, models, studies, tagging
from mtt.files import MttError, UsageError, keep_freed_memory, one_line, place_fault

joblib = lazy_loader.load("joblib")
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


def _spread() -> AbstractContextManager:
    """Where tasks are done side by side: on this machine, or by the Dask cluster that MTT_DASK names, which shares its files."""
    if not (address := os.environ.get("MTT_DASK")):
        return nullcontext()
    try:
        place = urlsplit(address)
        socket.create_connection((place.hostname, place.port), timeout=10).close()  # Dask itself takes minutes to give up
        return joblib.parallel_config("dask", scheduler_host=address)
    except (ImportError, OSError, ValueError) as error:
        remedy = "give the scheduler's address, such as tcp://HOST:8786, and install mtt[cluster]"
        raise UsageError(f"MTT_DASK={address}: {one_line(error)}; {remedy}") from error


def main(arguments: list[str] | None = None) -> None:
    """Run the command line; a user's mistake gives one line, not a traceback. Any other exception is a fault of ours and keeps it."""
    signal.signal(signal.SIGINT, _interrupt)
    keep_freed_memory()
    gc.set_threshold(10_000)  # torch's modules alone would be looked through some hundred times
    atexit.register(gc.freeze)  # the system takes back what is left; Python would look through all of torch first, for 0.4 s
    warnings.filterwarnings("ignore", module="joblib")  # of workers that end, by Ctrl-C or to give memory back
    try:
        with _spread():
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
