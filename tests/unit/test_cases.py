"""Small inputs that failed once (tests/vectors/cases): each has tests that say the right answer, and none is forgotten."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
CASES = ROOT / "tests" / "vectors" / "cases"
MAILBOX, TRANSFER, PHONE = (
    f"tests/unit/{one}.py"
    for one in ("shared/values/test_mailbox", "services/customers/test_transfer", "shared/values/test_phone")
)
CUSTOMERS, RECORDS = "tests/platform/test_customers.py", "tests/platform/test_records.py"
P13 = "tests/promises/test_p13_we_never_say_more.py"
TESTS = {
    "01-portal-kills-mail.txt": [
        "tests/platform/test_dsar.py::test_no_address_stops_the_mail_of_the_next_person",
        "tests/platform/test_mail_room.py::test_no_address_and_no_defect_stops_the_next_mail",
        f"{MAILBOX}::test_every_address_of_the_portals_case_is_refused",
    ],
    "02-two-emails-semicolon.csv": [
        f"{MAILBOX}::test_addresses_of_the_cases_are_refused",
        f"{TRANSFER}::test_a_row_of_a_case_is_refused_by_row_and_column",
    ],
    "03-zero-width.csv": [
        f"{MAILBOX}::test_addresses_of_the_cases_are_refused",
        f"{TRANSFER}::test_a_row_of_a_case_is_refused_by_row_and_column",
    ],
    "05-duplicate-person.csv": [
        f"{P13}::test_one_of_two_records_and_the_other_is_named",
        f"{RECORDS}::test_the_same_person_twice_is_erased_twice_where_both_records_are_named",
    ],
    "06-forgotten-new-number.csv": [
        f"{P13}::test_one_of_two_records_and_the_other_is_named",
        f"{CUSTOMERS}::test_the_forgotten_stay_so_under_a_new_number_too",
    ],
    "07-semicolon.csv": [f"{TRANSFER}::test_cases_from_other_spreadsheets"],
    "08-excel-empty-tail-rows.csv": [f"{TRANSFER}::test_cases_from_other_spreadsheets"],
    "10-single-name.csv": [f"{TRANSFER}::test_one_name_is_enough_and_none_is_too_few"],
    "11-unknown-representative.csv": [
        "tests/platform/test_bad_files.py::test_a_representative_whom_nobody_knows_is_named_by_row_and_column"
    ],
    "12-phones.csv": [f"{PHONE}::test_the_phones_of_the_case", f"{TRANSFER}::test_the_phones_of_the_case_are_named_by_row"],
    "14-export-values.csv": [
        f"{TRANSFER}::test_cases_from_other_spreadsheets",
        f"{TRANSFER}::test_what_was_exported_is_imported_as_it_was",
    ],
}


def test_every_case_has_its_tests() -> None:
    there = {one.name for one in CASES.iterdir() if one.name != "README.md"}
    assert there == set(TESTS), "a case without a test, or a test without its case"
    assert all(TESTS.values())


@pytest.mark.parametrize("test", sorted({one for tests in TESTS.values() for one in tests}))
def test_the_test_of_a_case_is_there(test: str) -> None:
    path, _, name = test.partition("::")
    tree = ast.parse((ROOT / path).read_text(encoding="utf-8"))
    assert name in {one.name for one in tree.body if isinstance(one, ast.FunctionDef | ast.AsyncFunctionDef)}
