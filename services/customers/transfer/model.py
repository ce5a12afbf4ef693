"""An import file: the rules. All of it or nothing, and answers name row and column, never a value."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice

from services.customers.policy.model import FieldPolicy
from services.customers.records.model import Cleaned, clean, identified, require_a_name
from shared.errors import InvalidInputError
from shared.ids import is_id
from shared.sheets import NAME_CHARACTERS_MAX, Sheet, places
from shared.values.typed import Number, number

ROWS_MAX = 100_000  # one transaction; what a file of FILE_BYTES_MAX holds

PLACES_MAX = 100  # rows that an answer names of those that have something in common

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


@dataclass
class Places:
    """Rows of a file with something in common: how many, and the first of them."""

    count: int = 0
    first: list[Place] = field(default_factory=list)

    def add(self, row: int, columns: Sequence[str] = ()) -> None:
        self.count += 1
        if self.count <= PLACES_MAX:
            self.first.append(Place(row, columns))


@dataclass(frozen=True)
class Line:
    """One customer of the file. `row` counts from 1 below the header, as a spreadsheet does. `number` and `subject`: one of
    them may be missing. `owner`: an employee's number, or a user's id. `person`: of the columns that the file has."""

    row: int
    number: Number | None
    subject: str
    owner: str
    person: Cleaned

    @property
    def values(self) -> Mapping[str, str | None]:
        return self.person.values


def columns_of(policy: FieldPolicy) -> list[str]:
    """Every column that an import knows."""
    return [*KEYS, *policy.columns()]


class File:
    """A file, read part by part. InvalidInputError where a row breaks a rule: then it is refused as a whole.

    What it says of itself is whole when its last part was read. `errors`: cells in which the spreadsheet had no value but an
    error; `unusable`: values that are kept as they were written, and by which nobody is found (a phone that can't be
    dialled)."""

    def __init__(self, sheet: Sheet, policy: FieldPolicy) -> None:
        self.separator = sheet.separator
        self.rows = 0
        self.errors, self.unusable = Places(), Places()
        self._sheet, self._policy = sheet, policy
        self._at = _columns(sheet, policy)
        self._left = sheet.rows()
        self._known: dict[str, dict[str, int]] = {NUMBER: {}, SUBJECT: {}}

    def part(self, most: int) -> list[Line]:
        """The next lines, at most so many; none at the end."""
        found = [self._line(row, cells) for row, cells in islice(self._left, most)]
        self.rows += len(found)
        return found

    @property
    def refused(self) -> list[str]:
        """Its columns without a purpose: nothing of them is stored."""
        return [name[:NAME_CHARACTERS_MAX] for _, name in self._unknown()]

    @property
    def refused_at(self) -> list[int]:
        """Where they stand in it, from 1."""
        return [at + 1 for at, _ in self._unknown()]

    @property
    def absent(self) -> list[str]:
        """Columns of ours that it has not."""
        return [column for column in self._policy.columns() if column not in self._at]

    def _unknown(self) -> list[tuple[int, str]]:
        ours = set(self._at.values())
        return [(at, name) for at, name in self._sheet.columns if at not in ours]

    def _line(self, row: int, cells: Sequence[str]) -> Line:
        here = {column: cells[place] for column, place in self._at.items()}
        if wrong := [column for column, cell in here.items() if _ERROR.fullmatch(cell)]:
            self.errors.add(row, wrong)
            here |= dict.fromkeys(wrong, "")
        line = _line(row, here, self._policy)
        self._once(row, NUMBER, line.number)
        self._once(row, SUBJECT, line.subject)
        if line.person.notes:
            self.unusable.add(row, [self._policy.fields[note.field].column for note in line.person.notes])
        return line

    def _once(self, row: int, column: str, key: str | None) -> None:
        if key and (first := self._known[column].setdefault(key, row)) != row:
            raise InvalidInputError(f"row {row}: the same {column} as row {first}", field=column)


def _columns(sheet: Sheet, policy: FieldPolicy) -> dict[str, int]:
    """Column -> place. InvalidInputError says what was found, of what we know: the first row may be a person's."""
    at = places(sheet.header, columns_of(policy))
    names = [policy.fields[name].column for name in ("first_name", "last_name")]
    missing = [column for column in (NUMBER, OWNER) if column not in at]
    missing += [rule.column for rule in policy.fields.values() if rule.required and rule.column not in at]
    if not any(column in at for column in names):
        missing.append(" or ".join(names))
    if missing:
        count = len(sheet.columns)
        found = f"{count} columns between {sheet.separator}s" if count > 1 else "one column"
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
    return Line(row, own, subject, owner, Cleaned(values, *identified(values)))


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
