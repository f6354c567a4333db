"""Tables that anyone may have made: a collection's CSV, a split, the lists of published data sets.

Conventions: text in UTF-8, or in UTF-16 with its mark (a BOM); one row a line, in quotation marks ("") where a field holds a
separator; a header, whose names may differ in case and in spaces around them. Columns are separated by commas, or by the semicolons or
tabs that spreadsheets write instead. All values are texts; an empty one is ``""``. Whatever a reader could only guess at is refused, with
its line. The first line is line 1.
"""

import codecs
import csv
import io
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import pandas as pd

from mtt.files import MttError, one_line, shown

SEPARATORS = {",": "comma", ";": "semicolon", "\t": "tab"}
MARKS = {codecs.BOM_UTF8: "utf-8-sig", codecs.BOM_UTF16_LE: "utf-16", codecs.BOM_UTF16_BE: "utf-16"}
SIGNATURES = {  # what a file begins with -> what it is, and the remedy
    rb"\x1f\x8b": "is compressed by gzip; unpack it first",
    rb"PK\x03\x04|\xd0\xcf\x11\xe0": "is a spreadsheet's own file or a ZIP archive; save the sheet as CSV, or unpack it",
    rb"%PDF": "is a PDF; save the table as CSV",
    rb"ID3[\x02-\x04]|\xff[\xf2\xf3\xfa\xfb]|fLaC|RIFF|OggS": "is audio; give the table that lists it",
}
UNREADABLE = {  # part of what the reader of CSV says -> what is wrong with the row that begins in this line
    "unexpected end": "opens a quotation mark that nothing closes; close it, or remove it",
    "field larger": "has a field of more than 131,072 characters; is a quotation mark not closed?",
    "expected after": 'has text after a closing quotation mark; inside a field in quotation marks write "" for one',
}
AS_UTF8 = "save the table as UTF-8"


def read_table(path: str | Path, needed: Sequence[str], separator: str = "", optional: Sequence[str] = ()) -> pd.DataFrame:
    """A table of texts, indexed by the line on which each row begins; it has the columns ``needed`` and others.

    Without ``separator``, the one with which the header has most of the columns is taken, and named on standard error if it is no comma.
    ``MttError`` names the file, the line or the column, what is wrong with it and the remedy.
    """
    try:
        text = _read_text(Path(path), needed)
        first = re.search(r"\S[^\r\n]*|$", text)[0]
        known = {*needed, *optional}
        columns = {sign: [_plain(name.strip(' "')) for name in first.split(sign)] for sign in SEPARATORS}
        sign = separator or max(SEPARATORS, key=lambda sign: (len(known & {*columns[sign]}), len(columns[sign])))
        rows = _rows(text, sign, spaced=f"{sign} " in first)
        if (header := next(rows, None)) is None:
            raise MttError(f"is empty; a header with the columns {', '.join(needed[:12])} and rows are needed")
        names, lines, fields = _read_header(header[0], header[2], needed, optional), [], []
        for begin, end, row in rows:
            if len(row) != len(names):
                raise MttError(_miscounted(begin, end, len(row), len(names), SEPARATORS[sign]))
            lines.append(begin)
            fields += row
        if not lines:
            raise MttError("has no rows under its header; write a row for each track")
    except OSError as error:
        raise MttError(f"{shown(path)}: cannot be read ({error.strerror})") from error
    except MttError as error:
        raise MttError(f"{shown(path)}: {one_line(error)}") from error
    if sign not in (separator, ","):
        print(f"mtt: {shown(path)}: a {SEPARATORS[sign]} separates its columns", file=sys.stderr)
    columns = {name: fields[place :: len(names)] for place, name in enumerate(names) if name}
    return pd.DataFrame(columns, index=pd.Index(lines, name="line"), dtype=str)


def _read_text(path: Path, needed: Sequence[str]) -> str:
    if not path.is_file():
        there = "is a folder; give the table in it," if path.is_dir() else "no such file; give a table"
        raise MttError(f"{there} with the columns {', '.join(needed[:12])}")
    with open(path, "rb") as file:
        content = file.read(4)
        if found := [kind for start, kind in SIGNATURES.items() if re.match(start, content)]:  # before all of it is read
            raise MttError(found[0])
        content += file.read()
    encoding = next((name for mark, name in MARKS.items() if content.startswith(mark)), "utf-8")
    try:
        text = content.decode(encoding)
    except UnicodeDecodeError as error:
        if encoding == "utf-16":
            raise MttError(f"is cut or damaged: it begins as utf-16 and goes on otherwise; {AS_UTF8}") from error
        line = error.object[: error.start + 1].splitlines()
        read = line[-1][:60].decode("cp1252", "replace")
        raise MttError(f"line {len(line)} is not in UTF-8; as Windows-1252 it begins {read!r}; {AS_UTF8}") from error
    if (place := text.find("\0")) >= 0:
        line = len(text[: place + 1].splitlines())
        raise MttError(f"line {line} holds a NUL byte; this is no text, or UTF-16 without its mark: {AS_UTF8}")
    return text


def _plain(name: str) -> str:
    return "_".join(name.casefold().split())


def _rows(text: str, sign: str, spaced: bool) -> Iterator[tuple[int, int, list[str]]]:
    """The rows of a table that are not blank, header and all: the lines on which a row begins and ends, and its fields.

    ``spaced``: a space follows each separator.
    """
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=sign, strict=True, skipinitialspace=spaced)
    line = 1
    try:
        for fields in reader:
            if len(fields) > 1 or "".join(fields).strip():
                yield line, reader.line_num, fields
            line = reader.line_num + 1
    except csv.Error as error:
        fault = next((fault for said, fault in UNREADABLE.items() if said in str(error)), one_line(error))
        raise MttError(f"line {line} {fault}") from error


def _read_header(line: int, fields: list[str], needed: Sequence[str], optional: Sequence[str]) -> list[str]:
    """The names of the columns, those that are known as they are known; ``""`` for a column without."""
    known = {*needed, *optional}
    names = [name if name in known else _plain(name) if _plain(name) in known else name.strip() for name in fields]
    listed = ", ".join(name for name in names if name)[:200]
    if known.isdisjoint(names):
        remedy = f"begin the table with a header such as {','.join(needed[:12])}"
        raise MttError(f"line {line}, {listed!r}, names none of the columns {', '.join(needed[:12])}; {remedy}")
    if twice := [name for place, name in enumerate(names) if name and name in names[:place]]:
        raise MttError(f"column {twice[0]!r} stands twice in the header ({listed}); keep one")
    if missing := [name for name in needed if name not in names]:
        raise MttError(f"column {missing[0]!r} is missing; the columns are {listed}")
    return names


def _miscounted(first: int, last: int, count: int, width: int, separator: str) -> str:
    """What is wrong with a row of ``count`` fields, in these lines."""
    if last > first:
        why = f"a quotation mark opens in it and closes in line {last}; close it where the field ends"
    elif count > width:
        why = f"a {separator} stands at its end, or inside a field; remove it, or put the field in quotation marks"
    else:
        why = f"a field is missing, another sign than a {separator} separates them, or the header ends in a {separator}"
    return f"line {first} has {count} field{'s'[: count > 1]}, the header {width}: {why}"


def refuse_rows(path: str | Path, faults: Mapping[str, pd.Series]) -> None:
    """``MttError`` for the first row of a ``read_table`` that has a fault: what is wrong -> whether it is so in each row."""
    for fault, rows in faults.items():
        if rows.any():
            raise MttError(f"{shown(path)}: line {rows.idxmax()} {fault}; correct or remove that line")


def refuse_repeats(path: str | Path, values: pd.Series) -> None:
    """``MttError`` for the first value of a column of a ``read_table`` that stands twice."""
    again = values.duplicated()
    if again.any():
        line, value = again.idxmax(), values[again.idxmax()]
        first = (values == value).idxmax()
        raise MttError(f"{shown(path)}: line {line} repeats the {values.name} of line {first}, {value!r}; keep one row per track")
