"""Files that are no customer list: each answer says what is wrong and where, none repeats a value, and nobody is made."""

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from services.customers.transfer.model import ROWS_MAX
from tests.support.insider import Insider
from tests.support.made_up import HEADER, email, numbers, table
from tests.support.platform import Platform
from tests.support.staff import signed_in

MEGABYTE = 1024 * 1024
CASES = Path(__file__).parents[1] / "vectors" / "cases"
SECRET = "Zyxwvunrepeated"


@pytest.fixture(scope="module")
def nancy(platform: Platform) -> Iterator[httpx.Client]:
    with signed_in(platform, "nancy") as client:
        client.timeout = httpx.Timeout(120)
        yield client


@pytest.fixture(autouse=True)
def nobody_is_made(platform: Platform) -> Iterator[None]:
    def there() -> int:
        with Insider(platform.state, "customers").connect("customers") as connection:
            row = connection.execute("SELECT count(*) FROM customers").fetchone()
            assert row is not None
            return int(row[0])

    before = there()
    yield
    assert there() == before


def bad(client: httpx.Client, content: bytes, status: int = 422) -> dict[str, str]:
    """The answer to a file that must be refused."""
    answer = client.post("/api/customers/imports", content=content, headers={"Content-Type": "text/csv"})
    assert answer.status_code == status, answer.text[:500]
    assert answer.headers["content-type"] == "application/problem+json"
    assert SECRET not in answer.text and email("") not in answer.text, "an answer repeats no value"
    assert len(answer.content) < 2_000
    found: dict[str, str] = answer.json()
    assert found["detail"]
    return found


def one() -> bytes:
    return table(numbers(1)).replace(b"Zyxwv", SECRET.encode())


@pytest.mark.parametrize("column", ["CustomerId", "Email", "SupportRepId"])
def test_a_missing_column_is_named(nancy: httpx.Client, column: str) -> None:
    found = bad(nancy, one().replace(column.encode(), b"Nothing"))
    assert column in found["detail"] and found["field"] == column


@pytest.mark.parametrize("encoding", ["utf-16-le", "latin-1", "cp1252", "shift_jis"])
def test_another_encoding_is_told_with_its_place(nancy: httpx.Client, encoding: str) -> None:
    text = one().decode().replace("Made", "ミナ" if encoding == "shift_jis" else "José")
    found = bad(nancy, text.encode(encoding))
    assert "UTF-8" in found["detail"] or "NUL" in found["detail"]


def test_a_column_twice_is_named(nancy: httpx.Client) -> None:
    assert "column 4 and column 11 have the same name" in bad(nancy, one().replace(b"Company", b"Fax"))["detail"]
    assert "same name, Email" in bad(nancy, one().replace(b"Company", b"e-mail"))["detail"]


def test_a_cell_of_ten_megabytes_is_named(nancy: httpx.Client) -> None:
    found = bad(nancy, one().replace(b"Nowhere Lane", b"x" * 10 * MEGABYTE))
    assert found["field"] == "Address" and "row 1" in found["detail"] and str(10 * MEGABYTE)[:4] in found["detail"]


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "column"),
        (b"\n\n\n", "column"),
        (b"\xef\xbb\xbf", "column"),
        (",".join(HEADER).encode() + b"\n1,2,3\n", "row 1, column Email"),
        (",".join(HEADER).encode() + b'\n1,"never closed', "CSV"),
        (",".join(HEADER).encode() + b'\n1,"a"b,' + b"," * 10, "CSV"),
        (b"PK\x03\x04" + b"\0" * 100, "workbook"),
        (b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n", "PDF"),
        (b'{"customers": []}', "column"),
    ],
    ids=["empty", "blank lines", "mark only", "short row", "open quote", "stray quote", "spreadsheet", "pdf", "json"],
)
def test_what_is_no_list_at_all(nancy: httpx.Client, content: bytes, says: str) -> None:
    assert says in bad(nancy, content)["detail"]


def test_nul_bytes_are_no_text(nancy: httpx.Client) -> None:
    assert "NUL" in bad(nancy, one().replace(b"Nowhere", b"No\0where"))["detail"]


@pytest.mark.parametrize(
    ("old", "new", "field"),
    [
        (b"made.up.", SECRET.encode() + b" at ", "Email"),
        (b",3\r\n", b"," + SECRET.encode() + b"\r\n", "SupportRepId"),
    ],
)
def test_a_bad_cell_is_named_by_row_and_column(nancy: httpx.Client, old: bytes, new: bytes, field: str) -> None:
    found = bad(nancy, one().replace(old, new))
    assert found["field"] == field and "row 1" in found["detail"]


def test_a_representative_whom_nobody_knows_is_named_by_row_and_column(nancy: httpx.Client) -> None:
    found = bad(nancy, (CASES / "11-unknown-representative.csv").read_bytes())
    assert found["field"] == "SupportRepId" and "row 1, column SupportRepId" in found["detail"] and "unowned" in found["detail"]


def test_the_same_number_twice_is_named_by_both_rows(nancy: httpx.Client) -> None:
    number = numbers(1)[0]
    found = bad(nancy, table([number, number]))
    assert "row 2" in found["detail"] and "row 1" in found["detail"]


def test_too_many_rows_and_too_many_bytes_say_the_limit(nancy: httpx.Client) -> None:
    assert f"{ROWS_MAX} rows" in bad(nancy, table(numbers(ROWS_MAX + 1)), 413)["detail"]
    assert str(32 * MEGABYTE) in bad(nancy, b"x" * (32 * MEGABYTE + 1), 413)["detail"]


def test_a_byte_order_mark_does_no_harm(nancy: httpx.Client) -> None:
    """Refused for its address, which comes after the header was understood."""
    found = bad(nancy, b"\xef\xbb\xbf" + one().replace(b"made.up.", b"nobody at "))
    assert found["field"] == "Email"


def test_a_column_without_a_purpose_is_left_out_and_listed(nancy: httpx.Client) -> None:
    """No row, so nobody is made; the columns are judged all the same."""
    header = ",".join([*HEADER, "Religion", "x" * 5_000]).encode() + b"\n"
    answer = nancy.post("/api/customers/imports", content=header)
    assert answer.status_code == 201 and "Religion" in answer.json()["refused_columns"]
