"""What the bytes of an audio file say about themselves, looked at before a decoder believes them.

Conventions: offsets and sizes are in bytes. A file may hold several streams, one after another (chained Ogg, files that were joined): each
is a ``Part``, which a decoder reads through a ``View`` as if it were a file of its own; numbers in a header that would stop it before the
sound ends are put right there. Sources: RFC 3533 (Ogg), RFC 9639 (FLAC), EBU Tech 3306 (RIFF, RF64), id3.org (ID3).
"""

import codecs
import os
import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

HEAD = 4096  # bytes looked at to tell what a file is
SEARCHED = 1 << 20  # bytes at once
MOST_CHUNKS = 1000  # before or after the sound that are looked at
UNBOUNDED = 1 << 40  # the size that an MP3 is said to have: of the true one, a decoder would guess a length, and stop there
DENSEST = 8192  # frames in a byte of FLAC: a header that announces more was never told the length
PAGE = re.compile(rb"OggS\0(.)", re.DOTALL)
FIRST_PAGE, LAST_PAGE = 2, 4  # flags
FLAC = re.compile(rb'fLaC[\0\x80]\0\0"')
MP3 = re.compile(rb"ID3[\2-\4]\0|\xff[\xe2\xe3\xf2\xf3\xfa\xfb]")  # a tag, or a frame of layer III
UNFINISHED = "its header was never finished"

CONVERT = "convert it, for example with ffmpeg -i IN OUT.flac"
FOREIGN = {  # what files begin with that are not read -> what they are
    rb"....ftyp": f"AAC/M4A: {CONVERT}",
    rb"\xff[\xf1\xf9]|ADIF": f"AAC: {CONVERT}",
    rb"\x30\x26\xb2\x75\x8e\x66\xcf\x11": f"WMA: {CONVERT}",
    rb"\x1a\x45\xdf\xa3|MAC |wvpk|MPCK|MP\+|DSD |#!AMR|\.RMF|RIFF....AVI ": f"a format that is not read: {CONVERT}",
    rb"MThd": "MIDI, notes rather than sound: render it, for example with fluidsynth",
    rb"PK\x03\x04|%PDF|\xff\xd8\xff|\x89PNG": "a picture, a PDF or an archive: leave it out",
}
FOREIGN_ENDINGS = {  # of audio files that are not read
    **dict.fromkeys((".m4a", ".m4b", ".mp4", ".aac", ".alac"), f"AAC/M4A: {CONVERT}"),
    ".wma": f"WMA: {CONVERT}",
    **dict.fromkeys(".ape .wv .mpc .tta .dsf .dff .mka .webm .amr .ra".split(), f"a format that is not read: {CONVERT}"),
}


@dataclass(frozen=True)
class Part:
    """A stream in a file, from ``start`` to before ``stop``."""

    start: int
    stop: int
    frames: int | None = None  # that its header announces, where it can be believed and the decoder would not say
    share: float = 1.0  # of the sound that is announced, or lies behind what is, that can be read
    note: str = ""  # what is wrong with its header
    unbounded: bool = False
    right: dict[int, bytes] = field(default_factory=dict)  # offset in the part -> bytes to be read there


class View:
    """A part of a file as a file of its own; ``at`` is the position in it. An error of the disk ends it, and is kept in ``error``."""

    def __init__(self, descriptor: int, part: Part) -> None:
        self.descriptor, self.part, self.at, self.error = descriptor, part, 0, None

    def tell(self) -> int:
        return self.at

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        end = UNBOUNDED if self.part.unbounded else self.part.stop - self.part.start
        self.at = max(0, offset + (0, self.at, end)[whence])
        return self.at

    def readinto(self, buffer) -> int:
        buffer = memoryview(buffer)
        start = self.part.start + self.at
        if self.part.unbounded and self.at >= UNBOUNDED - 128:  # where a decoder looks for a tag
            buffer[:] = bytes(len(buffer))
            count = len(buffer)
        else:
            try:
                count = os.preadv(self.descriptor, [buffer[: max(0, self.part.stop - start)]], start)
            except OSError as error:
                self.error, count = error, 0
        for place, right in self.part.right.items():
            for i in range(max(place, self.at), min(place + len(right), self.at + count)):
                buffer[i - self.at : i - self.at + 1] = right[i - place : i - place + 1]
        self.at += count
        return count


def foreign(descriptor: int) -> str:
    """What a file is that is not read, and what to do; ``""`` for one that may be audio."""
    head = os.pread(descriptor, HEAD, _after_tag(descriptor))
    for magic, name in FOREIGN.items():
        if re.match(magic, head, re.DOTALL):
            return name
    if head and not (head + os.pread(descriptor, HEAD, max(0, os.fstat(descriptor).st_size - HEAD))).strip(b"\0"):
        return "nothing but zeros: get it again"
    try:
        text = codecs.getincrementaldecoder("utf-8")().decode(head)  # a sign that is cut at the end is none of its faults
    except UnicodeDecodeError:
        return ""
    return "a text: leave it out" if head and all(sign.isprintable() or sign.isspace() for sign in text) else ""


def parts(descriptor: int) -> list[Part]:
    """The streams of a file; where its format is not known here, it is one part."""
    start, size = _after_tag(descriptor), os.fstat(descriptor).st_size
    magic = os.pread(descriptor, 4, start)
    if magic == b"OggS":
        return _ogg_parts(descriptor, start, size)
    if magic == b"fLaC":
        starts = [at for at, _ in _matches(FLAC, descriptor, start)] or [start]
        return [_flac_part(descriptor, first, last) for first, last in zip(starts, [*starts[1:], size], strict=True)]
    return [_chunked_part(descriptor, start, size) if magic in (b"RIFF", b"RF64", b"FORM") else Part(0, size)]


def next_mp3(descriptor: int, part: Part, read: int) -> Part | None:
    """What may be more of an MP3 behind the first ``read`` bytes of ``part``."""
    at, _ = next(_matches(MP3, descriptor, part.start + read), (part.stop, b""))
    return replace(part, start=at) if at < part.stop else None


def without_tags(descriptor: int, part: Part) -> Part:
    """An MP3 without the ID3v1 and APE tags behind its sound, of a size that its decoder does not know."""
    stop = part.stop - 128 if os.pread(descriptor, 3, max(0, part.stop - 128)) == b"TAG" else part.stop
    footer = os.pread(descriptor, 32, max(0, stop - 32))
    if footer.startswith(b"APETAGEX") and len(footer) == 32:
        stop -= 32 + struct.unpack_from("<I", footer, 12)[0]
    return replace(part, stop=max(part.start, stop), unbounded=True)


def _after_tag(descriptor: int) -> int:
    """Where a file begins behind ID3v2 tags."""
    at = 0
    while len(head := os.pread(descriptor, 10, at)) == 10 and head.startswith(b"ID3"):
        at += 10 + sum((byte & 127) << shift for byte, shift in zip(head[6:], (21, 14, 7, 0), strict=True))
    return at


def _matches(pattern: re.Pattern, descriptor: int, at: int) -> Iterator[tuple[int, bytes]]:
    """Places from ``at`` on where ``pattern``, of at most 16 bytes, matches, and the match."""
    kept = b""  # a match may begin in one block and end in the next
    while block := os.pread(descriptor, SEARCHED, at):
        text, begin, end = kept + block, at - len(kept), 0
        for match in pattern.finditer(text):
            yield begin + match.start(), match.group()
            end = match.end()
        kept, at = text[max(end, len(text) - 15) :], at + len(block)


def _ogg_parts(descriptor: int, start: int, size: int) -> list[Part]:
    starts, flags, together = [], [], -1
    for at, page in _matches(PAGE, descriptor, start):
        if page[5] & FIRST_PAGE:
            if at != together:  # else a further stream that plays at the same time
                starts.append(at)
                flags.append(0)
            head = os.pread(descriptor, 27 + 255, at)
            together = at + 27 + head[26] + sum(head[27 : 27 + head[26]]) if len(head) > 27 else -1
        if flags:
            flags[-1] |= page[5]
    notes = ["" if flag & LAST_PAGE else "it was cut: its last page is missing" for flag in flags]
    found = zip(starts, [*starts[1:], size], notes, strict=False)  # without a start there is a size alone
    return [Part(first, last, note=note) for first, last, note in found] or [Part(0, size)]


def _flac_part(descriptor: int, start: int, stop: int) -> Part:
    numbers = int.from_bytes(os.pread(descriptor, 5, start + 21))
    frames = numbers & (1 << 36) - 1
    announced = frames if 0 < frames <= DENSEST * (stop - start) else None
    return Part(start, stop, announced, right={21: (numbers - frames).to_bytes(5)})  # 0: unknown


def _chunked_part(descriptor: int, start: int, size: int) -> Part:
    """A RIFF, RF64 or AIFF."""
    order, sound = (">", b"SSND") if os.pread(descriptor, 4, start) == b"FORM" else ("<", b"data")
    at, right, wide = start + 12, {}, None
    for _ in range(MOST_CHUNKS):
        name, length = _chunk(descriptor, at, order)
        if name in (sound, b""):
            break
        if name == b"ds64":
            wide = struct.unpack("<QQ", os.pread(descriptor, 16, at + 8).ljust(16, b"\0"))[1]
            right = {at + 8 - start: struct.pack("<QQ", size - start - 8, size)}
        at += 8 + length + length % 2
    if name != sound:
        return Part(start, size)
    if wide is not None and length == 0xFFFFFFFF:
        length = wide
    if order == ">":
        right = {}  # libsndfile sees to it
    elif not right:
        right = {at + 4 - start: b"\xff" * 4}
    first, end = at + 8, at + 8 + length + length % 2
    behind = 0 if end >= size or _chunk(descriptor, end, order)[0] not in (b"", b"RIFF") else size - end  # that nothing accounts for
    placeholder = length >= 0xFFFFFF00 or 0x7FFFF000 - 64 <= length <= 0x80000000
    if (placeholder and first + length > size) or (length <= 0 and behind):
        return Part(start, size, note=UNFINISHED, right=right)
    if behind:
        return Part(start, end, share=length / (length + behind))
    return Part(start, size, share=min(1.0, max(1, size - first) / max(1, length)))


def _chunk(descriptor: int, at: int, order: str) -> tuple[bytes, int]:
    """Name and length of the chunk at ``at``; no name where there is none."""
    head = os.pread(descriptor, 8, at)
    name, length = struct.unpack(f"{order}4sI", head.ljust(8, b"\0"))
    return (name, length) if all(32 <= sign < 127 for sign in name) else (b"", 0)
