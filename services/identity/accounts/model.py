"""Accounts: the rules. An employee file becomes accounts with reporting lines and roles."""

import csv
import io
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from shared.errors import InvalidInputError
from shared.values.characters import given
from shared.values.mailbox import Mailbox, mailbox
from shared.values.name import free_text, name
from shared.values.typed import Number, number

employees_max = 10_000  # rows of one file: an import is one transaction
password_characters_max = 256  # argon2 hashes any length; this bounds what a stranger makes us hash

T = TypeVar("T")
COLUMNS = ("EmployeeId", "LastName", "FirstName", "Title", "ReportsTo", "Phone", "Email")

# What a title lets somebody do. Two people besides the IT manager can decide approvals, so that two always exist.
ROLES: Mapping[str, frozenset[str]] = {
    "General Manager": frozenset({"general_manager", "privacy_officer"}),
    "Sales Manager": frozenset({"sales_manager", "privacy_officer"}),
    "Sales Support Agent": frozenset({"agent"}),
    "IT Manager": frozenset({"it_manager", "security_officer", "backup_operator"}),
    "IT Staff": frozenset({"it_staff"}),
}


@dataclass(frozen=True)
class Employee:
    """One row of the employee file, only the columns that identity has a purpose for."""

    number: Number
    name: str
    email: Mailbox
    phone: str
    reports_to: Number | None
    roles: frozenset[str]

    @property
    def handle(self) -> str:
        """The first name in lower case: the name under which the demo keeps its credentials."""
        return self.name.split(" ", 1)[0].lower()


def parse_employees(text: str) -> list[Employee]:
    """The rows of an employee file, managers before those who report to them. Messages name rows, never values."""
    reader = csv.DictReader(io.StringIO(text), strict=True)
    missing = [column for column in COLUMNS if column not in (reader.fieldnames or ())]
    if missing:
        raise InvalidInputError(f"the file lacks the column {missing[0]}", field=missing[0])
    found: list[Employee] = []
    try:
        for row in reader:
            found.append(_employee(row, reader.line_num))
            if len(found) > employees_max:
                raise InvalidInputError(f"more than {employees_max} rows")
    except csv.Error as error:
        raise InvalidInputError(f"line {reader.line_num} is not CSV") from error
    return by_reporting_line(found)


def _employee(row: Mapping[str, str | None], line: int) -> Employee:
    def cell(column: str, rule: Callable[[str, str], T | None]) -> T | None:
        try:
            return rule(row.get(column) or "", column)
        except InvalidInputError as error:
            raise InvalidInputError(f"line {line}, {column}: {error.detail}", field=column) from None

    def needed(column: str, rule: Callable[[str, str], T | None]) -> T:
        value = cell(column, rule)
        if value is None:
            raise InvalidInputError(f"line {line}: {column} is empty", field=column)
        return value

    title = needed("Title", name)
    if title not in ROLES:
        raise InvalidInputError(f"line {line}: no role is known for this Title", field="Title")
    return Employee(
        number=needed("EmployeeId", given(number)),
        name=f"{needed('FirstName', name)} {needed('LastName', name)}",
        email=needed("Email", given(mailbox)),
        phone=cell("Phone", free_text) or "",  # to read it, not to find anybody by it: an extension is fine
        reports_to=cell("ReportsTo", given(number)),
        roles=ROLES[title],
    )


def by_reporting_line(employees: Sequence[Employee]) -> list[Employee]:
    """Managers first. Refuses a number twice, a manager who is not in the file, and a circle."""
    by_number = {one.number: one for one in employees}
    if len(by_number) != len(employees):
        raise InvalidInputError("an EmployeeId stands twice", field="EmployeeId")
    ordered: dict[str, Employee] = {}
    waiting = list(employees)
    while waiting:
        ready = [one for one in waiting if one.reports_to is None or one.reports_to in ordered]
        if not ready:
            raise InvalidInputError("ReportsTo names nobody in the file, or goes round in a circle", field="ReportsTo")
        ordered |= {one.number: one for one in ready}
        waiting = [one for one in waiting if one.number not in ordered]
    return list(ordered.values())
