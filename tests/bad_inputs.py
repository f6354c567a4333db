"""``python -m tests.bad_inputs`` prints what the program says of each bad table and each bad file that tests give it."""

from tests.reading.bad_files import HEADERS, REASONS
from tests.reading.bad_tables import BAD_TABLES


def rows() -> list[tuple[str, str, str]]:
    """(what comes, what becomes of it, what is said)"""
    tables = [(f"table: {bad.what}", "refused" if bad.code else "split", bad.says) for bad in BAD_TABLES]
    files = [(f"file: {name}", "used", said) for name, (_, _, said) in HEADERS.items()]
    return tables + files + [(f"file: {name}", "left out", said) for name, (_, said) in REASONS.items()]


if __name__ == "__main__":
    print("| what comes | what becomes of it | what is said |\n|---|---|---|")
    for what, fate, said in rows():
        print(f"| {what} | {fate} | {said.replace('|', '/') or 'nothing'} |")
