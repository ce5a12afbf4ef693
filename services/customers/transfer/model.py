"""An import file: the rules. All of it or nothing, and answers name row and column, never a value."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from services.customers.policy.model import FieldPolicy
from services.customers.records.model import clean, notes, require_a_name
from shared.errors import InvalidInputError
from shared.ids import is_id
from shared.sheets import NAME_CHARACTERS_MAX, Sheet, places
from shared.values.typed import Number, number

ROWS_MAX = 5_000  # one transaction, one batch of keys; a larger list comes in several files

# Who it is, and who looks after them: no fields of the policy, but keys. `Subject` stands in an export of ours.
NUMBER, OWNER, SUBJECT = "CustomerId", "SupportRepId", "Subject"
KEYS = (NUMBER, OWNER, SUBJECT)

_DECIMALS = re.compile(r"[.,]0+$")  # of 12.0, as a spreadsheet writes 12
_SHORTENED = re.compile(r"[0-9]+(?:[.,][0-9]+)?[eE]\+?[0-9]+")
_ERROR = re.compile(r"#(?:N/A|NV|N/D|[A-ZÄÖÜ]{2,12}(?:/0)?[!?]|#+)")  # what a spreadsheet shows where it has no value
_BREAK = re.compile(r"[ \t]*(?:\r\n|[\r\n\v\f\x85\u2028\u2029])\s*")  # of any system; blank lines go


@dataclass(frozen=True)
class Place:
    """A row of the file, and the columns that it is about."""

    row: int
    columns: Sequence[str]


@dataclass(frozen=True)
class Line:
    """One customer of the file. `row` counts from 1 below the header, as a spreadsheet does. `number` and `subject`: one of
    them may be missing. `owner`: an employee's number, or a user's id. `values`: of the columns that the file has."""

    row: int
    number: Number | None
    subject: str
    owner: str
    values: Mapping[str, str | None]


@dataclass(frozen=True)
class File:
    """A file that passed every rule. `refused`: its columns without a purpose; `absent`: ours that it has not.
    `errors`: cells in which the spreadsheet had no value but an error; `unusable`: values that are
    kept as they were written, and by which nobody is found (a phone that can't be dialled)."""

    lines: Sequence[Line]
    separator: str
    refused: Sequence[str]
    absent: Sequence[str]
    errors: Sequence[Place]
    unusable: Sequence[Place]


def columns_of(policy: FieldPolicy) -> list[str]:
    """Every column that an import knows."""
    return [*KEYS, *policy.columns()]


def parse(sheet: Sheet, policy: FieldPolicy) -> File:
    """Every row or none. Columns without a purpose are left out and listed."""
    at = _columns(sheet, policy)
    lines, errors = [], []
    for row, cells in sheet.rows:
        here = {column: cells[place] for column, place in at.items()}
        if wrong := [column for column, cell in here.items() if _ERROR.fullmatch(cell)]:
            errors.append(Place(row, wrong))
            here |= dict.fromkeys(wrong, "")
        lines.append(_line(row, here, policy))
    _each_once(lines)
    unusable = [
        Place(one.row, [policy.fields[note.field].column for note in found]) for one in lines if (found := notes(one.values))
    ]
    refused = [name[:NAME_CHARACTERS_MAX] for place, name in enumerate(sheet.header) if place not in at.values()]
    absent = [column for column in policy.columns() if column not in at]
    return File(lines, sheet.separator, refused, absent, errors, unusable)


def _columns(sheet: Sheet, policy: FieldPolicy) -> dict[str, int]:
    """Column -> place. InvalidInputError says what was found, of what we know: the first row may be a person's."""
    at = places(sheet.header, columns_of(policy))
    names = [policy.fields[name].column for name in ("first_name", "last_name")]
    missing = [column for column in (NUMBER, OWNER) if column not in at]
    missing += [rule.column for rule in policy.fields.values() if rule.required and rule.column not in at]
    if not any(column in at for column in names):
        missing.append(" or ".join(names))
    if missing:
        found = f"{len(sheet.header)} columns between {sheet.separator}s" if len(sheet.header) > 1 else "one column"
        raise InvalidInputError(
            f"the file lacks the {'columns' if len(missing) > 1 else 'column'} {', '.join(missing)}; found: {found}, of them "
            f"known: {', '.join(at) or 'none'}. The first row must hold the names of the columns",
            field=missing[0].partition(" ")[0],
        )
    return at


def _line(row: int, cells: Mapping[str, str], policy: FieldPolicy) -> Line:
    values: dict[str, str | None] = {}
    for column, name in policy.columns().items():
        if column not in cells:
            continue
        try:
            values[name] = clean(name, _BREAK.sub("\n", cells[column]).strip(), policy)
        except InvalidInputError as error:
            raise InvalidInputError(f"row {row}, column {column}: {error.detail}", field=column) from None
    try:
        require_a_name(values, policy)
    except InvalidInputError as error:
        raise InvalidInputError(f"row {row}: {error.detail}", field=error.field) from None
    subject = cells.get(SUBJECT, "")
    if subject and not is_id(subject, "sub"):
        raise InvalidInputError(f"row {row}, column {SUBJECT}: no pseudonym of ours; leave it empty", field=SUBJECT)
    own = None if subject and not cells[NUMBER] else _number(row, NUMBER, cells[NUMBER])
    owner = cells[OWNER] if is_id(cells[OWNER], "sub") else _number(row, OWNER, cells[OWNER])
    return Line(row, own, subject, owner, values)


def _number(row: int, column: str, cell: str) -> Number:
    """One spelling per number, because locators are made of it: decimal digits without leading zeros."""
    try:
        if not cell:
            raise InvalidInputError("empty; a whole number is needed")
        if _SHORTENED.fullmatch(cell):
            raise InvalidInputError("this number was shortened by a spreadsheet; give the column the format of whole numbers")
        return number(_DECIMALS.sub("", cell), column)
    except InvalidInputError as error:
        raise InvalidInputError(f"row {row}, column {column}: {error.detail}", field=column) from None


def _each_once(lines: Sequence[Line]) -> None:
    for column, of in ((NUMBER, [one.number for one in lines]), (SUBJECT, [one.subject for one in lines])):
        rows: dict[str, int] = {}
        for line, key in zip(lines, of, strict=True):
            if not key:
                continue
            if key in rows:
                raise InvalidInputError(f"row {line.row}: the same {column} as row {rows[key]}", field=column)
            rows[key] = line.row
