"""What every room needs of the system: files that are there whole or not at all, work that is kept, memory; one error for all mistakes."""

import ctypes
import errno
import fcntl
import glob
import hashlib
import io
import json
import os
import platform
import signal
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

import numpy as np

HOST = platform.node().replace(".", "-") + "-"  # before a process's number, which is of one machine
# Of glibc's malloc.h, by what the environment calls them: freed memory is kept, not handed back and asked for again at every step.
ALLOCATOR = {
    "MALLOC_ARENA_MAX": (-8, 1),
    "MALLOC_MMAP_THRESHOLD_": (-3, 1 << 30),
    "MALLOC_TRIM_THRESHOLD_": (-1, (1 << 31) - 1),
    "MALLOC_TOP_PAD_": (-2, 1 << 26),
}


class MttError(ValueError):
    """Something that a user can mend; the message names what is at fault, the reason and the remedy, in one line.

    Any other exception is a fault of ours and keeps its traceback.
    """

    exit_code = 1  # of the command line; 2 is wrong usage


class UsageError(MttError):
    """A command or an argument that cannot be meant so."""

    exit_code = 2


class PlaceError(MttError, OSError):
    """Something that cannot be written where it should stand."""


def home() -> Path:
    """The folder that holds ``runs/`` and ``cache/``: ``$MTT_HOME``, else the checkout, else the current folder."""
    if os.environ.get("MTT_HOME"):
        return Path(os.environ["MTT_HOME"]).absolute()  # also for workers in another folder
    checkout = Path(__file__).resolve().parents[1]
    return checkout if (checkout / "run_all.sh").exists() else Path.cwd()


def one_line(error: BaseException | str) -> str:
    """What an error says, on one line; the name of its class where it says nothing."""
    return " ".join(str(error).split()) or type(error).__name__


def place_fault(error: OSError, path: str | Path | None = None) -> str:
    """What the system says against ``path`` (the error's own if None), and the remedy."""
    path, reason = path or error.filename, error.strerror or ""
    if isinstance(error, MttError) or not (path and reason):
        return one_line(error)
    full = error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
    remedy = "free some room, or give another place" if full else "correct the path, or give another place"
    return f"{shown(path)}: {reason[0].lower()}{reason[1:]}; {remedy}"


def write_whole(path: str | Path, content: bytes | str | Iterable[bytes]) -> Path:
    """Write ``content`` (text as UTF-8, or pieces) to a temporary file beside ``path``, force it to disk, put it in place in one step; the
    path.

    Raises ``PlaceError``; nothing of it is left then, nor a folder that was made for it.
    """
    path = Path(path)
    partial = path.with_name(f".{path.name}.{HOST}{os.getpid()}.partial")
    missing, content = _missing_folders(path), content.encode() if isinstance(content, str) else content
    try:
        with _begun(partial) as file:
            remove_leftovers(path.parent, glob.escape(path.name))
            file.writelines([content] if isinstance(content, bytes) else content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(partial, path)
    except BaseException as error:
        with suppress(OSError):
            partial.unlink()
        _remove_empty(missing)
        if isinstance(error, OSError):
            raise PlaceError(place_fault(error, path)) from error
        raise
    return path


def _begun(path: Path, tries: int = 20) -> BinaryIO:
    """A new file, its folder made; made again where another writer, which gave up, has just removed it as its own."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        return open(path, "wb")
    except (FileNotFoundError, FileExistsError):  # the latter: removed while mkdir looked whether it is a folder
        if tries == 1:
            raise
        return _begun(path, tries - 1)


def _missing_folders(path: Path) -> list[Path]:
    """Those above ``path`` that are not there, the innermost first."""
    return [folder for folder in path.parents if not os.path.lexists(folder)]


def _remove_empty(folders: list[Path]) -> None:
    with suppress(OSError):  # one is not empty, or was never made
        for folder in folders:
            folder.rmdir()


def remove_leftovers(folder: Path, names: str = "*") -> None:
    """Remove what killed processes of this machine had begun to write into ``folder``, which others may share."""
    for leftover in folder.glob(f".{names}.{HOST}*.partial"):
        with suppress(ValueError, OverflowError):  # not a number that we wrote
            if not _runs(int(leftover.suffixes[-2].removeprefix(f".{HOST}"))):
                leftover.unlink(missing_ok=True)


def _runs(process: int) -> bool:
    """Whether there is such a process. One that has ended but stands in the table, as in containers for good, does not count."""
    try:
        os.kill(process, 0)  # asks, and does nothing
        return Path(f"/proc/{process}/stat").read_text().rpartition(") ")[2][0] != "Z"
    except ProcessLookupError:
        return False
    except OSError:  # another user's; or not Linux, where nothing tells
        return True


def shown(path: str | Path) -> str:
    """A path as text that can be printed: bytes of a name that are not UTF-8 stand as backslash escapes."""
    return os.fsencode(path).decode("utf-8", "backslashreplace")


@contextmanager
def output(path: str | Path, *inputs: str | Path, endings: Sequence[str] = (), force: bool = False) -> Iterator[Path]:
    """The file ``path`` as the output of what is done inside, which writes it whole. Refused (``MttError``) before anything is done:

    one of the ``inputs``; another ending than ``endings``; a place that cannot be written; a file that is there. With ``force`` a file
    is replaced that was written this way and not changed since.
    """
    path, name = Path(path), shown(path)
    if endings and path.suffix.lower() not in endings:
        raise UsageError(f"{name}: the output is a {' or '.join(endings)} file; give it that ending")
    for given in inputs:
        if path.exists() and Path(given).exists() and path.samefile(given):
            raise MttError(f"{name}: is an input too, and would be lost; give another output")
    if path.is_dir():
        raise MttError(f"{name}: is a folder; give the file to write")
    if os.path.lexists(path) and not (force and path.is_file() and _mark(path).exists()):
        why = "was not written by mtt, or was changed since; remove it" if force else "is there already; --force replaces it"
        raise MttError(f"{name}: {why}, or give another name")
    check_place(path)
    yield path
    with suppress(OSError):  # without this mark it cannot be forced, no more
        mark = _mark(path)
        mark.parent.mkdir(parents=True, exist_ok=True)
        mark.touch()


def _mark(path: Path) -> Path:
    """The empty file that tells that the content of ``path`` was written as an ``output``."""
    with open(path, "rb") as file:
        return home() / "cache" / "outputs" / hashlib.file_digest(file, "sha256").hexdigest()


def check_place(path: str | Path) -> None:
    """Raises ``MttError`` where nothing can be written to ``path``; the folder for it, or the first above that is there, is tried."""
    folder = next(filter(os.path.lexists, Path(path).absolute().parents))
    try:
        with tempfile.TemporaryFile(buffering=0, dir=folder) as file:
            file.write(b"room")
    except OSError as error:
        raise MttError(f"{shown(path)}: nothing can be written in {shown(folder)} ({error.strerror}); give another output") from error


def write_json(path: str | Path, value: object) -> None:
    """``value`` as readable JSON, written whole. NaN and infinities are refused (``ValueError``): they are not JSON."""
    write_whole(path, json.dumps(value, indent=1, ensure_ascii=False, allow_nan=False) + "\n")


def read_json(path: str | Path) -> object:
    """The content of a JSON file; None where there is none that can be read."""
    try:
        return json.loads(Path(path).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None


def write_arrays(path: str | Path, /, **arrays: np.ndarray) -> None:
    """Named arrays as one ``.npz``, written whole."""
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)
    write_whole(path, buffer.getvalue())


def read_arrays(path: str | Path) -> dict[str, np.ndarray]:
    """The arrays of an ``.npz``; nothing pickled is read."""
    with np.load(path, allow_pickle=False) as data:
        return {name: data[name] for name in data.files}


def fingerprint(value: object) -> str:
    """Twelve hexadecimal digits that identify ``value`` (of JSON types) across runs and machines."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def kept_arrays(folder: str | Path, name: str, key: object, make: Callable[[], dict[str, np.ndarray]]) -> dict[str, np.ndarray]:
    """What ``make`` gives, made once and read back from ``folder/name-<fingerprint of key>.npz``; made again where it cannot be written.

    ``key`` (of JSON types) holds all that the arrays follow from, a version of the code that makes them included.
    """
    path = Path(folder) / f"{name}-{fingerprint(key)}.npz"
    if path.exists():
        return read_arrays(path)
    made = make()
    with suppress(PlaceError):
        write_arrays(path, **made)
    return made


@contextmanager
def alone(path: str | Path, busy: str = "") -> Iterator[None]:
    """Hold the lock file ``path``; it ends with the process. Where another holds it, wait, or raise ``MttError(busy)`` if that is given.

    Folders made for it go again if nothing else is in them. Raises ``PlaceError`` where it cannot stand.
    """
    path = Path(path)
    while True:
        missing = _missing_folders(path)
        try:
            file = _begun(path)
        except OSError as error:
            raise PlaceError(place_fault(error, path.parent)) from error
        with file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | (fcntl.LOCK_NB if busy else 0))
            except BlockingIOError as error:
                raise MttError(busy) from error
            if not _leads_to(path, file):  # the one that held it has removed it: another may be held there now
                continue
            try:
                yield
            finally:
                with suppress(FileNotFoundError):  # the folder went meanwhile
                    if missing and os.listdir(path.parent) == [path.name]:
                        path.unlink()
                        _remove_empty(missing)
            return


def _leads_to(path: Path, file: BinaryIO) -> bool:
    try:
        return os.path.samestat(path.stat(), os.fstat(file.fileno()))
    except FileNotFoundError:
        return False


def leave_interrupts() -> None:
    """In a worker process, first of all: Ctrl-C is for the process that started it, which ends its workers."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def keep_freed_memory() -> None:
    """Tell the allocator of this process, and of those that it starts; models take up to a third less time. Without glibc, nothing."""
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None) if sys.platform == "linux" else None
    for name, (number, value) in ALLOCATOR.items():
        if mallopt and name not in os.environ:
            mallopt(number, value)
            os.environ[name] = str(value)
