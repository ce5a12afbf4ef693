"""The employee file: who becomes what, and what is refused."""

from pathlib import Path

import pytest

from services.identity.accounts.model import parse_employees
from shared.errors import InvalidInputError

HEAD = "EmployeeId,LastName,FirstName,Title,ReportsTo,Phone,Email\n"
FILE = Path(__file__).parents[5] / "examples" / "chinook" / "employee.csv"


def test_the_chinook_employees_have_their_lines_and_roles() -> None:
    found = {one.number: one for one in parse_employees(FILE.read_text())}
    assert len(found) == 8
    assert [found[n].reports_to for n in "12345678"] == [None, "1", "2", "2", "2", "1", "6", "6"]
    assert found["3"].handle == "jane" and found["3"].roles == {"agent"}
    assert {"security_officer", "backup_operator"} <= found["6"].roles
    assert sum("privacy_officer" in one.roles for one in found.values()) == 2  # two people exist for an approval


def test_managers_come_first_whatever_the_order() -> None:
    rows = ["3,C,C,IT Staff,2,,c@x.org", "2,B,B,IT Manager,1,,b@x.org", "1,A,A,General Manager,,,a@x.org"]
    assert [one.number for one in parse_employees(HEAD + "\n".join(rows))] == ["1", "2", "3"]


@pytest.mark.parametrize(
    ("text", "field"),
    [
        ("EmployeeId,LastName\n1,A", "FirstName"),
        (HEAD + "1,A,A,Astronaut,,,a@x.org", "Title"),
        (HEAD + "1,A,A,IT Staff,9,,a@x.org", "ReportsTo"),
        (HEAD + "1,A,A,IT Staff,2,,a@x.org\n2,B,B,IT Staff,1,,b@x.org", "ReportsTo"),
        (HEAD + "1,A,A,IT Staff,,,a@x.org\n1,B,B,IT Staff,,,b@x.org", "EmployeeId"),
        (HEAD + "1,A,A,IT Staff,,,", "Email"),
    ],
)
def test_a_bad_file_is_refused_naming_the_column_not_the_value(text: str, field: str) -> None:
    with pytest.raises(InvalidInputError) as refused:
        parse_employees(text)
    assert refused.value.field == field
    assert "Astronaut" not in refused.value.detail and "x.org" not in refused.value.detail
