"""An import file: the rules. Strict, and its answers name row and column, never a value."""

import csv
import io
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from services.customers.policy.model import FieldPolicy
from services.customers.records.model import clean
from shared.errors import InvalidInputError, TooLargeError
from shared.values.typed import Number, number

FILE_BYTES_MAX = 32 * 1024 * 1024  # of a whole file; far more than rows_max rows need
ROWS_MAX = 5_000  # one transaction, one batch of keys; a larger list comes in several files
CELL_CHARACTERS_MAX = 2_000  # no field of ours is longer; a cell of megabytes is a broken quote or an attack

NUMBER, OWNER = "CustomerId", "SupportRepId"
KEYS = (NUMBER, OWNER)


@dataclass(frozen=True)
class Line:
    """One customer of the file. `row` counts from 1 below the header."""

    row: int
    number: Number
    owner: Number
    values: Mapping[str, str | None]


@dataclass(frozen=True)
class File:
    """A file that passed every rule."""

    lines: Sequence[Line]
    refused_columns: Sequence[str]


def decode(raw: bytes) -> str:
    """UTF-8, with or without a byte order mark. InvalidInputError says where it stops being that."""
    if len(raw) > FILE_BYTES_MAX:
        raise TooLargeError(f"the file is over its limit of {FILE_BYTES_MAX} bytes")
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        raise InvalidInputError(
            f"the file is not UTF-8: line {line}, byte {error.start + 1} of the file; save it as UTF-8", field="file"
        ) from None


def parse(text: str, policy: FieldPolicy) -> File:
    """Every row or none. Columns without a purpose are left out and listed."""
    if "\0" in text:
        raise InvalidInputError("the file holds NUL bytes: it is no text file", field="file")
    csv.field_size_limit(FILE_BYTES_MAX)  # the module's own limit can't say which column; ours can
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    try:
        header = next(reader, [])
        _check_header(header, policy)
        lines = [_line(row, dict(zip(header, cells, strict=True)), policy) for row, cells in _rows(reader, header)]
    except csv.Error:
        raise InvalidInputError(f"line {reader.line_num} is not CSV (RFC 4180)", field="file") from None
    numbers: dict[str, int] = {}
    for line in lines:
        if line.number in numbers:
            raise InvalidInputError(f"row {line.row}: the same {NUMBER} as row {numbers[line.number]}", field=NUMBER)
        numbers[line.number] = line.row
    return File(lines, policy.refused(header, KEYS))


def _check_header(header: Sequence[str], policy: FieldPolicy) -> None:
    needed = [*KEYS, *policy.columns()]
    missing = [column for column in needed if column not in header]
    if missing:
        raise InvalidInputError(
            f"the file lacks the {'columns' if len(missing) > 1 else 'column'} {', '.join(missing)}", field=missing[0]
        )
    for column in header:
        if header.count(column) > 1:
            raise InvalidInputError(f"the column {column[:40]} stands twice", field=column[:40])


def _rows(reader: Iterable[list[str]], header: Sequence[str]) -> Iterator[tuple[int, list[str]]]:
    for row, cells in enumerate((cells for cells in reader if cells), 1):
        if row > ROWS_MAX:
            raise TooLargeError(f"over its limit of {ROWS_MAX} rows; split the file")
        for column, cell in zip(header, cells, strict=False):
            if len(cell) > CELL_CHARACTERS_MAX:
                raise InvalidInputError(
                    f"row {row}, column {column[:40]}: {len(cell)} characters, the limit is {CELL_CHARACTERS_MAX}",
                    field=column[:40],
                )
        if len(cells) != len(header):
            raise InvalidInputError(f"row {row}: {len(cells)} cells under {len(header)} columns", field="file")
        yield row, cells


def _line(row: int, cells: Mapping[str, str], policy: FieldPolicy) -> Line:
    values: dict[str, str | None] = {}
    for column, name in policy.columns().items():
        try:
            values[name] = clean(name, cells[column], policy)
        except InvalidInputError as error:
            raise InvalidInputError(f"row {row}, column {column}: {error.detail}", field=column) from None
    return Line(row, _number(row, NUMBER, cells[NUMBER]), _number(row, OWNER, cells[OWNER]), values)


def _number(row: int, column: str, cell: str) -> Number:
    """One spelling per number, because locators are made of it: decimal digits without leading zeros."""
    try:
        return number(cell, column)
    except InvalidInputError as error:
        raise InvalidInputError(f"row {row}, column {column}: {error.detail}", field=column) from None
