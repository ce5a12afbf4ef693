"""An import file: all of it or nothing, and an answer that names row and column but no value."""

import csv
import io
from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.customers.policy.load import load
from services.customers.transfer.actions import _inert
from services.customers.transfer.model import CELL_CHARACTERS_MAX, FILE_BYTES_MAX, ROWS_MAX, decode, parse
from shared.errors import InvalidInputError, KeptError, TooLargeError
from tests.support.people import CHINOOK

POLICY = load()
RAW = (CHINOOK / "customer.csv").read_bytes()


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
    file = parse(decode(RAW), POLICY)
    assert len(file.lines) == 59
    assert file.refused_columns == ["Company", "Fax"]
    assert file.lines[0].number == "1" and file.lines[0].owner == "3" and file.lines[0].values["first_name"] == "Luís"
    assert not {"fax", "company"} & {name for line in file.lines for name in line.values}


@pytest.mark.parametrize("column", ["Email", "CustomerId", "SupportRepId"])
def test_a_missing_column_is_named(column: str) -> None:
    with pytest.raises(InvalidInputError) as refused:
        parse(table(drop=column), POLICY)
    assert refused.value.field == column and column in refused.value.detail


@pytest.mark.parametrize(
    ("column", "cell", "says"),
    [
        ("Email", "nobody", "not an e-mail"), ("Email", "", "empty"), ("LastName", " ", "empty"),
        ("CustomerId", "x9", "number"),
        ("CustomerId", "01", "number"), ("SupportRepId", "", "number"), ("CustomerId", "1", "same CustomerId as row 1"),
        pytest.param("City", "M" * 10_000_000, "10000000 characters", id="a cell of ten megabytes"),
        ("Address", "x" * (CELL_CHARACTERS_MAX + 1), "limit"),
        ("Fax", "9" * (CELL_CHARACTERS_MAX + 1), "limit"),
    ],
)  # fmt: skip
def test_a_bad_cell_is_named_by_row_and_column_and_not_repeated(column: str, cell: str, says: str) -> None:
    with pytest.raises(InvalidInputError) as refused:
        parse(table({column: cell}), POLICY)
    assert refused.value.field == column
    assert "row 2" in refused.value.detail and says in refused.value.detail
    assert len(refused.value.detail) < 200 and "nobody" not in refused.value.detail


@pytest.mark.parametrize("encoding", ["latin-1", "utf-16", "gb18030"])
def test_another_encoding_is_told_with_its_place(encoding: str) -> None:
    with pytest.raises(InvalidInputError, match="not UTF-8: line"):
        decode("Luís,Gonçalves\nKöhler".encode(encoding))


def test_a_byte_order_mark_is_no_column() -> None:
    assert len(parse(decode(b"\xef\xbb\xbf" + RAW), POLICY).lines) == 59


def test_limits() -> None:
    with pytest.raises(TooLargeError):
        decode(b"x" * (FILE_BYTES_MAX + 1))
    head, first = table(rows=2).splitlines()[:2]
    with pytest.raises(TooLargeError, match=str(ROWS_MAX)):
        parse("\n".join([head, *[first] * (ROWS_MAX + 1)]), POLICY)


@pytest.mark.parametrize("text", ["", "\n\n", '"', "a,a\n1,2", "\0", table() + "1,2,3\n", table() + '"x"y,\n'])
def test_what_is_no_table_is_refused(text: str) -> None:
    with pytest.raises(InvalidInputError):
        parse(text, POLICY)


@settings(max_examples=200)
@given(st.binary(max_size=300), st.booleans())
def test_any_bytes_get_an_answer_of_ours(raw: bytes, after_a_header: bool) -> None:
    head = RAW.split(b"\n", 1)[0] + b"\n" if after_a_header else b""
    with suppress(KeptError):
        parse(decode(head + raw), POLICY)


@pytest.mark.parametrize(
    ("cell", "written"),
    [("=cmd()", "'=cmd()"), ("@x", "'@x"), ("+55 (12) 3923", "+55 (12) 3923"), ("-2+SUM(A1)", "'-2+SUM(A1)"), ("Luís", "Luís")],
)
def test_an_exported_cell_is_never_a_formula(cell: str, written: str) -> None:
    assert _inert(cell) == written
