"""A table that somebody sends: CSV as spreadsheets of all countries write it, read into one shape (docs/import-export.md).

1. `decode`: which text these bytes are. A mark says the encoding, else it is UTF-8, else whoever sends it says which it is:
nothing guesses, because a guessed letter in a name is a wrong name. 2. `Sheet`: the separator is the one under which the header
is known best; wholly empty rows and columns are nothing; what an export of ours has guarded is bare again (shared/cells.py). It
is read row by row: neither the text nor the table is ever there as a whole.

A message names rows, columns and what was found; a cell's content never (P1).
"""

import codecs
import csv
import io
import unicodedata
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from types import MappingProxyType

from shared.cells import plain
from shared.errors import InvalidInputError, TooLargeError
from shared.values.characters import shows_nothing

FILE_BYTES_MAX = 32 * 1024 * 1024  # of a whole file; far more than a table of people needs
COLUMNS_MAX = 500
LINES_MAX = 200_000  # empty ones too: a spreadsheet may write them to the end of what was once used
CELLS_MAX = 2_500_000  # empty ones too, and counted before anything is made of them
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
PIECE_BYTES = 1024 * 1024  # decoded at a time, where it is only looked at
_NO_TABLES = ((b"PK\x03\x04", "a workbook"), (b"\xd0\xcf\x11\xe0", "a workbook"), (b"%PDF", "a PDF"))


@dataclass(frozen=True)
class Text:
    """The text of a file, and what its encoding is called."""

    raw: bytes
    encoding: str
    codec: str

    def lines(self) -> Iterator[str]:
        """With their ends, as files of any system end them; without a mark at the beginning."""
        lines: Iterator[str] = io.TextIOWrapper(io.BytesIO(self.raw), encoding=self.codec, newline="")
        yield from (line.removeprefix("\ufeff") for line in islice(lines, 1))
        yield from lines


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
    decoder, nothing = codecs.getincrementaldecoder(codec)(), False
    try:
        for start in range(0, len(raw), PIECE_BYTES):
            nothing |= "\0" in decoder.decode(raw[start : start + PIECE_BYTES])
        decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        raise InvalidInputError(_misread(raw, name, codec), field="file") from None
    if nothing:
        raise InvalidInputError(
            "the file holds NUL bytes: no text, or UTF-16 without a mark; save it as CSV UTF-8", field="file"
        )
    return Text(raw, name, codec)


def _misread(raw: bytes, name: str, codec: str) -> str:
    try:
        raw.decode(codec)
        start = len(raw)
    except UnicodeDecodeError as error:
        start = error.start
    line = raw.count(b"\n", 0, start) + 1
    return (
        f"the file is not {name}: line {line}, byte {start + 1} of the file; save it as CSV UTF-8, or say with "
        "`encoding` what it is (many Western spreadsheets write windows-1252, Chinese ones gb18030)"
    )


def folded(name: str) -> str:
    """A column's name as it is compared: letters and digits alone, of any width and case."""
    return "".join(c for c in unicodedata.normalize("NFKC", name).casefold() if c.isalnum())


class Sheet:
    """The table of `text`, whose columns are expected to be `known`, more or less. InvalidInputError, TooLargeError.

    `header`: the columns' names as they stand in the file, some of them empty."""

    def __init__(self, text: Text, known: Sequence[str], rows_max: int) -> None:
        csv.field_size_limit(FILE_BYTES_MAX)  # the module's own limit can't say which column; ours can
        separator, skipped = _separator(text, {folded(one) for one in known})
        lines = _lines(islice(text.lines(), skipped, None), separator)
        self.separator = SEPARATORS[separator]
        self._reader = csv.reader(lines, delimiter=separator, strict=True)
        self._rows_max = rows_max
        with self._as_csv():
            header = next((cells for cells in self._reader if _shows(cells)), [])
        if len(header) > COLUMNS_MAX:
            raise TooLargeError(f"over its limit of {COLUMNS_MAX} columns")
        self.header = [_bare(name) for name in header]
        self._nameless = [at for at, name in enumerate(self.header) if not name]
        self._used: set[int] = set()

    def require_few(self) -> None:
        """TooLargeError, InvalidInputError where there are too many rows or no CSV, at a glance; nothing is left to read."""
        with self._as_csv():
            if sum(any(cells) for cells in self._reader) > self._rows_max:
                raise TooLargeError(f"over its limit of {self._rows_max} rows; split the file")

    def rows(self) -> Iterator[tuple[int, Sequence[str]]]:
        """Once: its number below the header, as a spreadsheet counts, and a cell for each column."""
        with self._as_csv():
            for row, cells in _rows(self._reader, self.header, self._rows_max):
                self._used.update(at for at in self._nameless if cells[at])
                yield row, cells

    @property
    def columns(self) -> list[tuple[int, str]]:
        """Where each column stands, and its name. One without a name is nothing as long as it is empty; else it has its place
        for a name. Whole when all rows are read."""
        named = ((at, name or f"column {at + 1}") for at, name in enumerate(self.header))
        return [(at, name) for at, name in named if self.header[at] or at in self._used]

    @contextmanager
    def _as_csv(self) -> Iterator[None]:
        try:
            yield
        except csv.Error:
            line = self._reader.line_num
            raise InvalidInputError(
                f"line {line} is not CSV (RFC 4180): a quotation mark stands where none may, or is never closed",
                field="file",
            ) from None


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


def _separator(text: Text, known: set[str]) -> tuple[str, int]:
    """The separator, and how many lines come before the table: one, where Excel says it there (`sep=;`)."""
    line = next(text.lines(), "")
    said = line.strip().strip('"').lower()
    if said.startswith("sep=") and len(said) <= 5:
        one = line.strip().strip('"')[4:] or "\t"
        if one in SEPARATORS:
            return one, 1
        raise InvalidInputError("the first line says a separator that is none of , ; tab |", field="file")

    def score(separator: str) -> tuple[int, int]:
        reader = csv.reader(_lines(text.lines(), separator), delimiter=separator, strict=True)
        try:
            cells = next((one for one in islice(reader, 100) if _shows(one)), [])
        except csv.Error:
            return -1, 0
        return sum(folded(one) in known for one in cells), len(cells)

    return max(SEPARATORS, key=score), 0


def _lines(lines: Iterable[str], separator: str) -> Iterator[str]:
    """These lines. TooLargeError over LINES_MAX or CELLS_MAX, before anything is made of the line that is too much: the
    reader takes a line at a time, and while it does nothing else of the process moves."""
    cells = 0
    for row, line in enumerate(lines, 1):
        cells += line.count(separator) + 1
        if row > LINES_MAX or cells > CELLS_MAX:
            raise TooLargeError(
                f"over its limit of {LINES_MAX} lines or {CELLS_MAX} cells, empty ones too; leave away what is empty, or "
                "split the file"
            )
        yield line


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
    return not shows_nothing("".join(cells))


def _bare(cell: str) -> str:
    return plain(cell).strip()
