"""An import file: all of it or nothing, and an answer that names row and column but no value."""

import csv
import io
from collections import deque
from contextlib import suppress
from dataclasses import dataclass

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.customers.policy.load import load
from services.customers.transfer.actions import LINES
from services.customers.transfer.model import ROWS_MAX, File, Line, Place, Places, columns_of
from services.customers.transfer.notices import SAYS, notice
from shared import cells
from shared.errors import InvalidInputError, KeptError, TooLargeError
from shared.sheets import CELL_CHARACTERS_MAX, FILE_BYTES_MAX, Sheet, Text, decode
from tests.support.people import CHINOOK

POLICY = load()
RAW = (CHINOOK / "customer.csv").read_bytes()


CASES = CHINOOK.parents[1] / "tests" / "vectors" / "cases"


@dataclass(frozen=True)
class Whole:
    """A file that was read to its end."""

    file: File
    lines: list[Line]


def parse(text: str | Text) -> Whole:
    read = text if isinstance(text, Text) else decode(text.encode())
    file, lines = File(Sheet(read, columns_of(POLICY), ROWS_MAX), POLICY), list[Line]()
    while part := file.part(LINES):
        lines += part
    return Whole(file, lines)


def case(name: str) -> Whole:
    return parse(decode((CASES / f"{name}.csv").read_bytes()))


def table(change: dict[str, str] | None = None, *, drop: str = "", rows: int = 2) -> str:
    """The first rows of the real file, the second with `change`, without column `drop`."""
    found = list(csv.DictReader(io.StringIO(RAW.decode())))[:rows]
    found[1] |= change or {}
    names = [name for name in found[0] if name != drop]
    out = io.StringIO()
    writer = csv.DictWriter(out, names, extrasaction="ignore")
    writer.writeheader()
    writer.writerows(found)
    return out.getvalue()


def test_the_real_file() -> None:
    file = parse(decode(RAW))
    assert len(file.lines) == 59
    assert file.file.refused == ["Company", "Fax"] and file.file.absent == [] and file.file.separator == "comma"
    assert file.lines[0].number == "1" and file.lines[0].owner == "3" and file.lines[0].values["first_name"] == "Luís"
    assert not {"fax", "company"} & {name for line in file.lines for name in line.values}


@pytest.mark.parametrize("column", ["Email", "CustomerId", "SupportRepId"])
def test_a_missing_column_is_named(column: str) -> None:
    with pytest.raises(InvalidInputError) as refused:
        parse(table(drop=column))
    assert refused.value.field == column and column in refused.value.detail


@pytest.mark.parametrize(
    ("column", "cell", "says"),
    [
        ("Email", "nobody", "not an e-mail"), ("Email", "", "empty"),
        ("CustomerId", "x9", "number"),
        ("CustomerId", "01", "number"), ("SupportRepId", "", "number"), ("CustomerId", "1", "same CustomerId as row 1"),
        pytest.param("City", "M" * 10_000_000, "10000000 characters", id="a cell of ten megabytes"),
        ("Address", "x" * (CELL_CHARACTERS_MAX + 1), "limit"),
        ("Fax", "9" * (CELL_CHARACTERS_MAX + 1), "limit"),
    ],
)  # fmt: skip
def test_a_bad_cell_is_named_by_row_and_column_and_not_repeated(column: str, cell: str, says: str) -> None:
    with pytest.raises(InvalidInputError) as refused:
        parse(table({column: cell}))
    assert refused.value.field == column
    assert "row 2" in refused.value.detail and says in refused.value.detail
    assert len(refused.value.detail) < 200 and "nobody" not in refused.value.detail


def test_a_byte_order_mark_is_no_column() -> None:
    assert len(parse(decode(b"\xef\xbb\xbf" + RAW)).lines) == 59


def test_limits() -> None:
    with pytest.raises(TooLargeError):
        decode(b"x" * (FILE_BYTES_MAX + 1))
    head, first = table(rows=2).splitlines()[:2]
    whole = decode("\n".join([head, *[first] * (ROWS_MAX + 1)]).encode())
    with pytest.raises(TooLargeError, match=str(ROWS_MAX)):
        deque(Sheet(whole, columns_of(POLICY), ROWS_MAX).rows(), maxlen=0)


@pytest.mark.parametrize("text", ["", "\n\n", '"', "a,a\n1,2", "\0", table() + "1,2,3\n", table() + '"x"y,\n'])
def test_what_is_no_table_is_refused(text: str) -> None:
    with pytest.raises(InvalidInputError):
        parse(text)


@settings(max_examples=200)
@given(st.binary(max_size=300), st.booleans())
def test_any_bytes_get_an_answer_of_ours(raw: bytes, after_a_header: bool) -> None:
    head = RAW.split(b"\n", 1)[0] + b"\n" if after_a_header else b""
    with suppress(KeptError):
        parse(decode(head + raw))


def test_one_name_is_enough_and_none_is_too_few() -> None:
    assert case("10-single-name").lines[0].values["first_name"] == "Suharni"
    with pytest.raises(InvalidInputError, match="row 2: FirstName and LastName are both empty"):
        parse(table({"LastName": " ", "FirstName": ""}))
    assert len(parse(table(drop="FirstName")).lines) == 2
    with pytest.raises(InvalidInputError, match="FirstName or LastName"):
        parse("CustomerId,SupportRepId,Email\n1,3,a@t.example\n")


def test_cases_from_other_spreadsheets() -> None:
    assert (len(case("07-semicolon").lines), case("07-semicolon").file.separator) == (1, "semicolon")
    assert len(case("08-excel-empty-tail-rows").lines) == 1
    both = case("14-export-values").lines
    assert [one.values["address"] for one in both] == ["-12b Quay", "1 Road"]


@pytest.mark.parametrize("name", ["02-two-emails-semicolon", "03-zero-width"])
def test_a_row_of_a_case_is_refused_by_row_and_column(name: str) -> None:
    with pytest.raises(InvalidInputError) as refused:
        case(name)
    assert refused.value.field == "Email" and "row 1" in refused.value.detail


def test_the_phones_of_the_case_are_named_by_row() -> None:
    file = case("12-phones")
    assert len(file.lines) == 8, "kept as they are written"
    assert file.file.unusable.first == [Place(6, ["Phone"]), Place(8, ["Phone"])]
    assert file.file.errors.first == [Place(7, ["City", "Phone"])]


def test_a_column_that_may_be_missing_is_told_and_one_that_must_not_be_says_what_was_found() -> None:
    file = parse(table(drop="State"))
    assert file.file.absent == ["State"] and "state" not in file.lines[0].values
    with pytest.raises(InvalidInputError) as refused:
        parse("1;Luís;Gonçalves;x@t.example\n2;Ana;Testa;y@t.example\n")
    assert "4 columns between semicolons, of them known: none" in refused.value.detail
    assert "Lu" not in refused.value.detail


@pytest.mark.parametrize("cell", ["12", "12.0", "12,00", " 12 ", "１２"])
def test_a_number_of_any_spelling_is_one_number(cell: str) -> None:
    assert parse(table({"CustomerId": cell})).lines[1].number == "12"


@pytest.mark.parametrize(("cell", "says"), [("007", "zero"), ("9.1E+05", "spreadsheet"), ("", "empty"), ("#N/A", "empty")])
def test_a_number_that_is_none_is_explained(cell: str, says: str) -> None:
    with pytest.raises(InvalidInputError, match=says):
        parse(table({"CustomerId": cell}))


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r", "\v", "\x85", "\u2028", " \r\n\r\n "])
def test_line_breaks_of_an_address_are_kept_as_one_kind(end: str) -> None:
    assert parse(table({"Address": f"1 Road{end}Back house{end}"})).lines[1].values["address"] == "1 Road\nBack house"
    with pytest.raises(InvalidInputError, match="row 2, column City"):
        parse(table({"City": f"Ly{end}on"}))


def test_what_a_spreadsheet_shows_as_an_error_is_named_and_counts_as_empty() -> None:
    file = parse(table({"Address": "#REF!", "Phone": "#N/A", "City": "#######"}))
    assert [(one.row, set(one.columns)) for one in file.file.errors.first] == [(2, {"Address", "Phone", "City"})]
    assert file.lines[1].values["address"] is None and file.file.unusable.count == 0


def test_a_phone_that_nobody_can_dial_is_named() -> None:
    file = parse(table({"Phone": "1.2E+10"}))
    assert [(one.row, one.columns) for one in file.file.unusable.first] == [(2, ["Phone"])]
    assert file.lines[1].values["phone"] == "1.2E+10", "kept as it was written"


def test_a_subject_stands_for_a_number_and_a_user_for_a_representative() -> None:
    one, staff = f"sub_{'0' * 32}", f"sub_{'1' * 32}"
    head = "Subject,CustomerId,FirstName,Email,SupportRepId\n"
    line = parse(head + f"{one},,Ana,a@t.example,{staff}\n").lines[0]
    assert (line.subject, line.number, line.owner) == (one, None, staff)
    with pytest.raises(InvalidInputError, match="row 2: the same Subject as row 1"):
        parse(head + f"{one},,Ana,a@t.example,3\n{one},2,Ana,b@t.example,3\n")
    with pytest.raises(InvalidInputError, match="row 1, column Subject"):
        parse(head + "somebody,,Ana,a@t.example,3\n")


VALUES = st.text(alphabet="aZ0-=+@'＝ ;|,\"\u00e9\u738b.", min_size=1, max_size=12).map(lambda one: f"x{one}x")


@given(
    VALUES, VALUES.map(lambda one: f"{one}\n-{one}"), st.sampled_from(["'s-Hertogenbosch", "01234", "-5", "+44-20-79460000"])
)
def test_what_was_exported_is_imported_as_it_was(name: str, address: str, other: str) -> None:
    rows = [["CustomerId", "FirstName", "Address", "City", "Email", "SupportRepId"]]
    rows.append(["7", name, address, other, "a@t.example", "3"])
    line = parse(decode((cells.MARK + cells.lines(rows)).encode())).lines[0]
    assert (line.values["first_name"], line.values["city"]) == (name, other)
    assert line.values["address"] == address.replace(" \n", "\n")


def test_a_notice_names_rows_and_counts_the_rest() -> None:
    found = Places()
    for row in range(1, 151):
        found.add(row, ["City"])
    many = notice("different", found)
    assert (many.count, len(many.places)) == (150, 100)
    assert many.rows() == "rows 1, 2, 3, 4, 5, 6, 7, 8, 9, 10 and 140 more"
    assert notice("unusable", Places(1, [Place(3, ["Phone"])])).rows() == "row 3" and many.says == SAYS["different"]


def test_a_file_is_read_part_by_part_and_what_stands_twice_is_found_across_parts() -> None:
    text = "".join(f"{n},Ana,{n}@t.example,3,{'x' if n == 5 else ''}\n" for n in range(1, 6))
    head = "CustomerId,FirstName,Email,SupportRepId,\n"
    file = File(Sheet(decode((head + text).encode()), columns_of(POLICY), ROWS_MAX), POLICY)
    assert [one.number for one in file.part(2)] == ["1", "2"] and file.refused == []
    assert [len(file.part(2)), len(file.part(2)), len(file.part(2))] == [2, 1, 0]
    assert (file.rows, file.refused, file.refused_at) == (5, ["column 5"], [5]), "it is whole at its end"
    again = File(Sheet(decode((head + text + "2,Ana,6@t.example,3,\n").encode()), columns_of(POLICY), ROWS_MAX), POLICY)
    again.part(4)
    with pytest.raises(InvalidInputError, match="row 6: the same CustomerId as row 2"):
        again.part(4)
