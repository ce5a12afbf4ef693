"""A table that somebody sends: CSV as spreadsheets of all countries write it, read into one shape (docs/import-export.md).

1. `decode`: bytes to text. A mark says the encoding, else it is UTF-8, else whoever sends it says which it is: nothing guesses,
because a guessed letter in a name is a wrong name. 2. `table`: the separator is the one under which the header is known best;
wholly empty rows and columns are nothing; what an export of ours has guarded is bare again (shared/cells.py).

A message names rows, columns and what was found; a cell's content never (P1).
"""

import csv
import io
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from types import MappingProxyType

from shared.cells import plain
from shared.errors import InvalidInputError, TooLargeError
from shared.values.characters import shows_nothing

FILE_BYTES_MAX = 32 * 1024 * 1024  # of a whole file; far more than a table of people needs
COLUMNS_MAX = 500
CELL_CHARACTERS_MAX = 2_000  # no field of ours is longer; a cell of megabytes is a broken quote or an attack
NAME_CHARACTERS_MAX = 60  # of a column's name, where an answer repeats it

SEPARATORS: Mapping[str, str] = MappingProxyType({",": "comma", ";": "semicolon", "\t": "tab", "|": "bar"})
_MARKS = (("UTF-8", b"\xef\xbb\xbf", "utf-8"), ("UTF-16", b"\xff\xfe", "utf-16-le"), ("UTF-16", b"\xfe\xff", "utf-16-be"))
# What a sender may call a file that is neither marked nor UTF-8, as spreadsheets of many countries write by default.
ENCODINGS: Mapping[str, str] = MappingProxyType(
    {
        "windows-1250": "cp1250", "windows-1251": "cp1251", "windows-1252": "cp1252", "windows-1253": "cp1253",
        "windows-1254": "cp1254", "windows-1257": "cp1257", "gb18030": "gb18030", "big5": "cp950", "shift_jis": "cp932",
        "euc-kr": "cp949", "utf-16le": "utf-16-le", "utf-16be": "utf-16-be",
    }
)  # fmt: skip
_NO_TABLES = ((b"PK\x03\x04", "a workbook"), (b"\xd0\xcf\x11\xe0", "a workbook"), (b"%PDF", "a PDF"))


@dataclass(frozen=True)
class Text:
    """A file's text, and the encoding that it was in."""

    text: str
    encoding: str


@dataclass(frozen=True)
class Sheet:
    """A table. `rows`: (number below the header, as a spreadsheet counts, and a cell for each column)."""

    header: Sequence[str]
    rows: Sequence[tuple[int, Sequence[str]]]
    separator: str


def decode(raw: bytes, encoding: str = "") -> Text:
    """`encoding`: what the sender says it is, where no mark says it and it is not UTF-8."""
    if len(raw) > FILE_BYTES_MAX:
        raise TooLargeError(f"the file is over its limit of {FILE_BYTES_MAX} bytes")
    if encoding and encoding not in ENCODINGS:
        raise InvalidInputError(f"one of {', '.join(ENCODINGS)}", field="encoding")
    for magic, what in _NO_TABLES:
        if raw.startswith(magic):
            raise InvalidInputError(f"the file is {what}, not a table in text: save it as CSV UTF-8", field="file")
    for name, mark, codec in _MARKS:
        if raw.startswith(mark):
            return _checked(raw, name, codec)
    try:
        return _checked(raw, "UTF-8", "utf-8")
    except InvalidInputError:
        if encoding:
            return _checked(raw, encoding, ENCODINGS[encoding])
        raise


def _checked(raw: bytes, name: str, codec: str) -> Text:
    try:
        text = raw.decode(codec).removeprefix("\ufeff")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        raise InvalidInputError(
            f"the file is not {name}: line {line}, byte {error.start + 1} of the file; save it as CSV UTF-8, or say with "
            "`encoding` what it is (many Western spreadsheets write windows-1252, Chinese ones gb18030)",
            field="file",
        ) from None
    if "\0" in text:
        raise InvalidInputError(
            "the file holds NUL bytes: no text, or UTF-16 without a mark; save it as CSV UTF-8", field="file"
        )
    return Text(text, name)


def folded(name: str) -> str:
    """A column's name as it is compared: letters and digits alone, of any width and case."""
    return "".join(c for c in unicodedata.normalize("NFKC", name).casefold() if c.isalnum())


def table(text: str, known: Sequence[str], rows_max: int) -> Sheet:
    """The table of `text`, whose columns are expected to be `known`, more or less. InvalidInputError, TooLargeError."""
    csv.field_size_limit(FILE_BYTES_MAX)  # the module's own limit can't say which column; ours can
    separator, text = _separator(text, {folded(one) for one in known})
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
    try:
        header = next((cells for cells in reader if _shows(cells)), [])
        if len(header) > COLUMNS_MAX:
            raise TooLargeError(f"over its limit of {COLUMNS_MAX} columns")
        header = [_bare(name) for name in header]
        rows = list(_rows(reader, header, rows_max))
    except csv.Error:
        raise InvalidInputError(
            f"line {reader.line_num} is not CSV (RFC 4180): a quotation mark stands where none may, or is never closed",
            field="file",
        ) from None
    # A column without a name is nothing where it is empty; else it has its place for a name.
    used = [at for at, name in enumerate(header) if name or any(cells[at] for _, cells in rows)]
    return Sheet(
        [header[at] or f"column {at + 1}" for at in used],
        [(row, [cells[at] for at in used]) for row, cells in rows],
        SEPARATORS[separator],
    )


def places(header: Sequence[str], known: Sequence[str]) -> dict[str, int]:
    """Which of `known` the header has, and where. InvalidInputError for a name that stands twice."""
    names = {folded(one): one for one in known}
    found: dict[str, int] = {}
    first: dict[str, int] = {}
    for at, name in enumerate(header):
        as_compared = folded(name)
        if as_compared and as_compared in first:  # a name that is none of ours may be a person's, in a file without a header
            shown = names.get(as_compared, "")
            raise InvalidInputError(
                f"column {first[as_compared] + 1} and column {at + 1} have the same name{f', {shown}' if shown else ''}; "
                "leave one of them",
                field=shown or "file",
            )
        first[as_compared] = at
        if as_compared in names:
            found[names[as_compared]] = at
    return found


def _separator(text: str, known: set[str]) -> tuple[str, str]:
    """The separator and the text after the line in which Excel says it (`sep=;`)."""
    line, _, rest = text.partition("\n")
    said = line.strip().strip('"').lower()
    if said.startswith("sep=") and len(said) <= 5:
        one = line.strip().strip('"')[4:] or "\t"
        if one in SEPARATORS:
            return one, rest
        raise InvalidInputError("the first line says a separator that is none of , ; tab |", field="file")

    def score(separator: str) -> tuple[int, int]:
        reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
        try:
            cells = next((one for one in islice(reader, 100) if _shows(one)), [])
        except csv.Error:
            return -1, 0
        return sum(folded(one) in known for one in cells), len(cells)

    return max(SEPARATORS, key=score), text


def _rows(reader: Iterator[list[str]], header: Sequence[str], rows_max: int) -> Iterator[tuple[int, Sequence[str]]]:
    taken = 0
    for row, cells in enumerate(reader, 1):
        if not _shows(cells):
            continue
        taken += 1
        if taken > rows_max:
            raise TooLargeError(f"over its limit of {rows_max} rows; split the file")
        if _shows(cells[len(header) :]):
            raise InvalidInputError(
                f"row {row}: {len(cells)} cells under {len(header)} columns; a separator within a cell needs quotation marks "
                "around it",
                field="file",
            )
        for column, cell in zip(header, cells, strict=False):
            if len(cell) > CELL_CHARACTERS_MAX:
                name = column[:NAME_CHARACTERS_MAX] or "without a name"
                raise InvalidInputError(
                    f"row {row}, column {name}: {len(cell)} characters, the limit is {CELL_CHARACTERS_MAX}", field=name
                )
        # A spreadsheet leaves the separators at the end of a row away where nothing stands between them.
        yield row, [_bare(one) for one in cells[: len(header)]] + [""] * (len(header) - len(cells))


def _shows(cells: Sequence[str]) -> bool:
    return not all(map(shows_nothing, cells))


def _bare(cell: str) -> str:
    return plain(cell).strip()
