"""The 59 Chinook customers as the tests know them."""

import csv
from pathlib import Path

CHINOOK = Path(__file__).parents[2] / "examples" / "chinook"


def customers() -> list[dict[str, str]]:
    with (CHINOOK / "customer.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def personal_values() -> dict[str, str]:
    """label -> value for e-mail, phone, street and last name of every customer; the label is not personal."""
    values: dict[str, str] = {}
    for row in customers():
        for column in ("Email", "Phone", "Address", "LastName"):
            if row[column]:
                values[f"customer {row['CustomerId']} {column}"] = row[column]
        digits = "".join(c for c in row["Phone"] if c.isdigit())
        if digits:
            values[f"customer {row['CustomerId']} Phone digits"] = digits
    return values


def staff_values() -> dict[str, str]:
    """The same for the eight employees, but their last names, which are words: King, Park."""
    with (CHINOOK / "employee.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    return {f"employee {row['EmployeeId']} {column}": row[column] for row in rows for column in ("Email", "Phone", "Address")}
