"""Made-up customers, so that a test has people of its own and never disturbs the fifty-nine."""

import csv
import io
import secrets
from collections.abc import Sequence

HEADER = (
    "CustomerId", "FirstName", "LastName", "Company", "Address", "City", "State", "Country", "PostalCode", "Phone", "Fax",
    "Email", "SupportRepId",
)  # fmt: skip
JANE, MARGARET, STEVE = "3", "4", "5"


def numbers(count: int) -> list[str]:
    """Customer numbers that nobody had before."""
    start = 10**9 + secrets.randbelow(10**9) * 1000
    return [str(start + n) for n in range(count)]


def email(number: str) -> str:
    return f"made.up.{number}@example.org"


def table(of: Sequence[str], owner: str = JANE) -> bytes:
    """A customer file with one made-up person per number."""
    out = io.StringIO(newline="")
    writer = csv.writer(out)
    writer.writerow(HEADER)
    for number in of:
        name = f"Zyxwv{number}"
        writer.writerow(
            [number, "Made", name, "", f"{number} Nowhere Lane", "Nowhere", "", "Canada", "X0X 0X0", "+1 604 555 0199", "",
             email(number), owner]
        )  # fmt: skip
    return out.getvalue().encode()
