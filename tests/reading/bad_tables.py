"""Tables as people have them, and what ``python -m mtt split`` says of each: a list to read, and the data of a test.

A table with exit code 0 is split; what is said of it stands on standard error, "" being nothing. One with exit code 1 is refused, in one
line that begins with "mtt: tracks.csv: ". ``says`` is a part of that line.
"""

import gzip
from typing import NamedTuple


class BadTable(NamedTuple):
    what: str
    content: bytes
    code: int  # of the command line
    says: str


ROWS = ("a.wav,Ann,rock", "b.wav,Bob,pop", "c.wav,Cem,rock|pop")


def table(*rows: str, header: str = "path,artist,tags", end: str = "\n", encoding: str = "utf-8") -> bytes:
    """A table of these rows, or of three good ones."""
    return "".join(f"{line}{end}" for line in (header, *(rows or ROWS))).encode(encoding)


def separated(sign: str) -> bytes:
    return table().replace(b",", sign.encode())


COMMA_INSIDE = "4 fields, the header 3: a comma stands at its end, or inside a field; remove it"
NO_COLUMN = "names none of the columns path, artist, tags; begin the table with a header such as path,artist,tags"
WINDOWS = "has a path as Windows writes it; write it from the table's folder on, as in Artist/song.mp3"

BAD_TABLES = [
    # fields
    BadTable("a comma at the end of one row", table(*ROWS, "d.wav,Dan,pop,"), 1, f"line 5 has {COMMA_INSIDE}"),
    BadTable("a comma at the end of the header", table(header="path,artist,tags,"), 1, "line 2 has 3 fields, the header 4"),
    BadTable("an artist with a comma in another row", table(*ROWS, "d.wav,Earth, Wind & Fire,soul"), 1, f"line 5 has {COMMA_INSIDE}"),
    BadTable("an artist with a comma in quotation marks", table('a.wav,"Earth, Wind & Fire",soul', *ROWS[1:]), 0, ""),
    BadTable("a field too few", table(*ROWS, "d.wav,Dan"), 1, "line 5 has 2 fields, the header 3: a field is missing"),
    # separators
    BadTable("semicolons, as Excel saves CSV in Europe", separated(";"), 0, "a semicolon separates its columns"),
    BadTable("tabs", separated("\t"), 0, "a tab separates its columns"),
    BadTable("commas with a space", table('a.wav, "Ann, Jr.", rock', *ROWS[1:], header="path, artist, tags"), 0, ""),
    BadTable("a line that tells Excel the separator", b"sep=;\n" + separated(";"), 1, f"line 1, 'sep=', {NO_COLUMN}"),
    # quotation marks
    BadTable("a quotation mark that nothing closes", table(ROWS[0], 'b.wav,"Bob,pop', ROWS[2]), 1, "line 3 opens a quotation mark"),
    BadTable("one that closes in another row", table('"a.wav,Ann,rock', 'b.wav,Bob,pop"'), 1, "opens in it and closes in line 3"),
    BadTable("text after one", table('a.wav,"Ann" live,rock', *ROWS[1:]), 1, "line 2 has text after a closing quotation mark"),
    BadTable("a field of 200 000 characters", table(f"a.wav,{'x' * 200_000},rock"), 1, "field of more than 131,072 characters"),
    # encodings and line ends
    BadTable("UTF-8 with its mark", table(encoding="utf-8-sig"), 0, ""),
    BadTable("UTF-16 with its mark", table(encoding="utf-8").decode().encode("utf-16"), 0, ""),
    BadTable("UTF-16 that is cut", table().decode().encode("utf-16")[:-1], 1, "is cut or damaged: it begins as utf-16"),
    BadTable("UTF-16 without its mark", table(encoding="utf-16-le"), 1, "this is no text, or UTF-16 without its mark"),
    BadTable("Windows-1252", table(*ROWS, "d.wav,Beyoncé,pop", encoding="cp1252"), 1, "as Windows-1252 it begins 'd.wav,Beyonc"),
    BadTable("a NUL byte far down", table(*ROWS * 3000, "b.wav,B\0b,pop"), 1, "line 9002 holds a NUL byte"),
    BadTable("line ends of old Macs", table(end="\r"), 0, ""),
    # headers
    BadTable("an empty file", b"", 1, "is empty; a header with the columns path, artist, tags and rows are needed"),
    BadTable("a header only", table()[:17], 1, "has no rows under its header; write a row for each track"),
    BadTable("no header", table(header=ROWS[0]), 1, f"line 1, 'a.wav, Ann, rock', {NO_COLUMN}"),
    BadTable("column names in other case, with spaces", table(header="Path, ARTIST ,Tags"), 0, ""),
    BadTable("a column that is missing", table(header="file,artist,tags"), 1, "column 'path' is missing; the columns are file"),
    BadTable("a column twice", table("a.wav,Ann,rock,Ann", header="path,artist,tags,Artist"), 1, "column 'artist' stands twice"),
    BadTable("a nameless column of row numbers", table(*(f"{n},{row}" for n, row in enumerate(ROWS)), header=",path,artist,tags"), 0, ""),
    # other files
    BadTable("an MP3", b"ID3\x04\0\0\0\0" + bytes(99), 1, "is audio; give the table that lists it"),
    BadTable("a gzip", gzip.compress(table()), 1, "is compressed by gzip; unpack it first"),
    BadTable("an Excel workbook", b"PK\x03\x04\x14\0\x06\0", 1, "is a spreadsheet's own file or a ZIP archive; save the sheet as CSV"),
    BadTable("bytes of any kind", bytes(range(128, 256)), 1, "line 1 is not in UTF-8"),
    # paths and ids
    BadTable("a row without path", table(ROWS[0], ROWS[1], " ,Cem,rock"), 1, "line 4 has no path; correct or remove that line"),
    BadTable("a path twice", table(*ROWS, "a.wav,Dan,pop"), 1, "line 5 repeats the track_id of line 2, 'a.wav'; keep one row per track"),
    BadTable("a path twice, written otherwise", table(*ROWS, "./a.wav,Dan,pop"), 1, "line 5 repeats the path of line 2, 'a.wav'"),
    BadTable("an id twice", table("1,a.wav,A,x", "1,b.wav,B,x", header="Track ID,path,artist,tags"), 1, "line 3 repeats the track_id"),
    BadTable("backslashes", table(r"Ann\a.wav,Ann,rock", *ROWS[1:]), 1, f"line 2 {WINDOWS}"),
    BadTable("a drive", table(*ROWS, "C:/Music/d.wav,Dan,pop"), 1, f"line 5 {WINDOWS}"),
    BadTable("an address", table("https://host/a.wav,Ann,rock", *ROWS[1:]), 1, "line 2 has an address for a path"),
    # what no split can be made of
    BadTable("no artists", table("a.wav,,rock", "b.wav,,pop", "c.wav, ,pop"), 1, "of 3 tracks 3 have tags, by 0 named artists"),
    BadTable("two artists for three sets", table(*ROWS[:2], "c.wav,bob,pop"), 1, "of 3 tracks 3 have tags, by 2 named artists"),
    BadTable("a track without artist", table(*ROWS, "d.wav,,pop"), 0, "1 of 4 tracks excluded, such as 'd.wav': 1 without artist"),
    BadTable("untagged tracks of all artists", table(*ROWS, "d.wav,Ann,", "e.wav,Bob,", "f.wav,Cem,"), 0, "2 without tags, by an artist"),
]
