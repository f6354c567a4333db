"""Files that are there whole or not at all, whenever the process dies."""

from __future__ import annotations

import io
import json
import os
from pathlib import Path

import numpy as np


def write_whole(path: str | Path, content: bytes) -> None:
    """Write ``content`` to a temporary file beside ``path``, force it to disk, and put it in place in one step."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        with open(partial, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(partial, path)
    finally:
        partial.unlink(missing_ok=True)


def write_json(path: str | Path, value: object) -> None:
    """``value`` as readable JSON, written whole. NaN and infinities are refused (``ValueError``): they are not JSON."""
    write_whole(path, (json.dumps(value, indent=1, ensure_ascii=False, allow_nan=False) + "\n").encode())


def write_arrays(path: str | Path, /, **arrays: np.ndarray) -> None:
    """Named arrays as one ``.npz``, written whole; read with ``np.load(path, allow_pickle=False)``."""
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)
    write_whole(path, buffer.getvalue())
