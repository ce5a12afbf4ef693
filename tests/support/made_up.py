"""Made-up customers, so that a test has people of its own and never disturbs the fifty-nine."""

import csv
import io
import secrets
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.support.platform import Platform

HEADER = (
    "CustomerId", "FirstName", "LastName", "Company", "Address", "City", "State", "Country", "PostalCode", "Phone", "Fax",
    "Email", "SupportRepId",
)  # fmt: skip
SHARED_PHONE = "+1 604 555 0199"  # of every made-up customer
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
            [number, "Made", name, "", f"{number} Nowhere Lane", "Nowhere", "", "Canada", "X0X 0X0", SHARED_PHONE, "",
             email(number), owner]
        )  # fmt: skip
    return out.getvalue().encode()


def family(platform: "Platform") -> tuple[str, str, str]:
    """Two records with one address and one telephone, written differently (cases/05): it, and their numbers. One person twice,
    or two people: nobody knows."""
    from tests.support.staff import signed_in

    one, two = numbers(2)
    head, *rows = table([one, two]).decode().splitlines()
    rows[1] = rows[1].replace(email(two), email(one).title()).replace(SHARED_PHONE, "(604) 555-0199")
    with signed_in(platform, "nancy") as nancy:
        nancy.post("/api/customers/imports", content="\n".join([head, *rows]).encode()).raise_for_status()
    return email(one), one, two
