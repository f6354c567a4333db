"""TensorFlow checkpoints, written in a few lines for tests: an index of two blocks, and the numbers."""

import functools
import os
import struct
from collections.abc import Callable

import numpy as np

from mtt.reading.tensorbundle import MAGIC, masked_crc32c

checksum = functools.cache(masked_crc32c)


def varint(number: int) -> bytes:
    parts = [number >> shift & 127 for shift in range(0, max(1, number.bit_length()), 7)]
    return bytes([part | 128 for part in parts[:-1]] + parts[-1:])


def field(number: int, value: int | bytes) -> bytes:
    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    return varint(number << 3 | 2) + varint(len(value)) + value


def entry(array: np.ndarray, place: int, **changes) -> bytes:
    """What the index says of a tensor."""
    told = {"kind": 1, "shape": array.shape, "size": array.nbytes, "crc": checksum(array.tobytes()), "more": b""} | changes
    shape = b"".join(field(2, field(1, size)) for size in told["shape"])
    return b"".join([field(1, told["kind"]), field(2, shape), field(4, place), field(5, told["size"]), b"\x35" + told["crc"], told["more"]])


def block(pairs: list[tuple[bytes, bytes]]) -> bytes:
    made, last = b"", b""
    for key, value in pairs:
        shared = len(os.path.commonprefix([last, key]))
        made += varint(shared) + varint(len(key) - shared) + varint(len(value)) + key[shared:] + value
        last = key
    return made + struct.pack("<II", 0, 1)


def table(pairs: list[tuple[bytes, bytes]], damage: Callable[[bytes], bytes] = bytes, compression: bytes = b"\0") -> bytes:
    """The index; ``damage`` is done to the content of each block before it is given its checksum."""
    made, handles = b"", []
    for part in (pairs[: len(pairs) // 2], pairs[len(pairs) // 2 :], None):
        content = damage(block(handles if part is None else part))
        handle = varint(len(made)) + varint(len(content))
        made += content + compression + masked_crc32c(content + compression)
        handles.append((part[-1][0] if part else b"", handle))
    return made + (b"\0\0" + handle).ljust(40, b"\0") + struct.pack("<Q", MAGIC)


def bundle(tensors: dict[str, np.ndarray], damage: Callable[[bytes], bytes] = bytes, **changes) -> tuple[bytes, bytes]:
    """The two files of a checkpoint; ``changes`` are made to what the index says of every tensor."""
    header, place = field(1, 1) + field(3, field(1, 1)), 0
    pairs = [(b"", header)]
    for name, array in sorted(tensors.items()):
        pairs.append((name.encode(), entry(array, place, **changes)))
        place += array.nbytes
    return table(pairs, damage), b"".join(array.tobytes() for _, array in sorted(tensors.items()))
