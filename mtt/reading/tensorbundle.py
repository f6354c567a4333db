"""Tensors of a TensorFlow V2 checkpoint (a *tensor bundle*), read without TensorFlow.

A checkpoint is two files: ``.index``, a sorted table from a tensor's name to what it is and where it lies, and
``.data-00000-of-00001``, the numbers one after another. The table has the format of LevelDB's (its ``doc/table_format.md``: blocks of keys
that share prefixes, a footer that says where the block of blocks lies); values are the protocol buffers of ``tensor_bundle.proto``. Blocks
and tensors carry a masked CRC-32C, which is checked. What is not needed is refused: compressed blocks, several data files, big-endian
numbers, kinds but float32.
"""

import math
import struct
from collections.abc import Iterator, Sequence

import numpy as np

FOOTER, TRAILER, MAGIC = 48, 5, 0xDB4775248B80FB57  # bytes at the end of a table and of a block (its compression, its checksum)
FLOAT32 = 1  # ``DT_FLOAT``
MAX_KEY = 1000  # bytes of a name
NUMBER, BYTES, FIXED32 = 0, 2, 5  # how a field of a protocol buffer is stored
HEADER = {1: NUMBER, 2: NUMBER}  # data files, order of bytes
ENTRY = {1: NUMBER, 2: BYTES, 3: NUMBER, 4: NUMBER, 5: NUMBER, 6: FIXED32, 7: BYTES}  # kind, shape, file, place, bytes, checksum, slices


def _crc_table() -> list[int]:
    table = list(range(256))
    for _ in range(8):
        table = [(one >> 1) ^ (0x82F63B78 if one & 1 else 0) for one in table]
    return table


CRC_TABLE = _crc_table()


def masked_crc32c(content: bytes) -> bytes:
    """CRC-32C (Castagnoli), rotated and shifted, in the four bytes that LevelDB and TensorFlow store."""
    crc = 0xFFFFFFFF
    for byte in content:
        crc = CRC_TABLE[(crc ^ byte) & 255] ^ (crc >> 8)
    crc ^= 0xFFFFFFFF
    return struct.pack("<I", ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF)


def read_bundle(index: bytes, data: bytes, names: Sequence[str]) -> dict[str, np.ndarray]:
    """The named tensors of a checkpoint, float32, of the content of its two files. Others, as an optimiser's, are not looked at.

    Raises ``ValueError`` where a tensor is missing or anything is not as it should be; no more memory is taken than the files have.
    """
    entries = dict(_table(index))
    header = dict(_fields(entries.get(b"", b""), HEADER))
    if header.get(1) != 1 or header.get(2, 0) != 0:
        raise ValueError("not one data file of little-endian numbers")
    if missing := [name for name in names if name.encode() not in entries]:
        raise ValueError(f"{missing[0]} is missing")
    return {name: _tensor(name, dict(_fields(entries[name.encode()], ENTRY)), data) for name in names}


def _tensor(name: str, entry: dict, data: bytes) -> np.ndarray:
    sizes = [dict(_fields(one, {1: NUMBER})) for _, one in _fields(entry.get(2, b""), {2: BYTES})]
    shape, first, size = tuple(one.get(1, 0) for one in sizes), entry.get(4, 0), entry.get(5, 0)
    if entry.get(1) != FLOAT32 or entry.get(3, 0) != 0 or 7 in entry:
        raise ValueError(f"{name} is no whole float32 tensor of the first data file")
    if first + size > len(data) or size != 4 * math.prod(shape) or max(shape, default=0) > size:
        raise ValueError(f"{name} does not lie in the data as its shape says")
    content = data[first : first + size]
    if entry.get(6) != masked_crc32c(content):
        raise ValueError(f"{name} is damaged: its checksum is another")
    return np.frombuffer(content, "<f4").reshape(shape)


def _table(index: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Keys and values of all blocks."""
    if len(index) < FOOTER or struct.unpack("<Q", index[-8:])[0] != MAGIC:
        raise ValueError("no table of tensors")
    place = len(index) - FOOTER
    for _ in range(2):  # the block of what else there is, which nothing needs, then the block of blocks
        first, place = _varint(index, place)
        size, place = _varint(index, place)
    for _, handle in _block(index, first, size):
        first, place = _varint(handle, 0)
        yield from _block(index, first, _varint(handle, place)[0])


def _block(index: bytes, first: int, size: int) -> Iterator[tuple[bytes, bytes]]:
    content, trailer = index[first : first + size], index[first + size : first + size + TRAILER]
    if size < 4 or len(content) < size or len(trailer) < TRAILER or trailer[0] != 0:
        raise ValueError("a block of the table is cut or compressed")
    if trailer[1:] != masked_crc32c(content + trailer[:1]):
        raise ValueError("the table is damaged: a checksum is another")
    end = size - 4 * (1 + struct.unpack("<I", content[-4:])[0])  # before the places where keys stand whole
    place, key = 0, b""
    while place < end:
        shared, place = _varint(content, place)
        own, place = _varint(content, place)
        length, place = _varint(content, place)
        if shared > len(key) or shared + own > MAX_KEY or place + own + length > end:
            raise ValueError("an entry of the table leads out of its block")
        key = key[:shared] + content[place : place + own]
        yield key, content[place + own : place + own + length]
        place += own + length


def _fields(content: bytes, wanted: dict[int, int]) -> Iterator[tuple[int, int | bytes]]:
    """The fields of a protocol buffer whose numbers are ``wanted``, with how each must be stored."""
    place = 0
    while place < len(content):
        tag, place = _varint(content, place)
        number, kind = tag >> 3, tag & 7
        if kind == NUMBER:
            value, place = _varint(content, place)
        elif kind in (BYTES, FIXED32):
            length, place = _varint(content, place) if kind == BYTES else (4, place)
            value, place = content[place : place + length], place + length
        if kind not in (NUMBER, BYTES, FIXED32) or kind != wanted.get(number, kind) or place > len(content):
            raise ValueError("an entry of the table is none of a tensor")
        if number in wanted:
            yield number, value


def _varint(content: bytes, place: int) -> tuple[int, int]:
    """A number of seven bits a byte, the lowest first, and the place after it."""
    value = 0
    for shift, byte in zip(range(0, 70, 7), content[place : place + 10], strict=False):
        value |= (byte & 127) << shift
        if byte < 128:
            return value, place + shift // 7 + 1
    raise ValueError("a number of the table does not end")
