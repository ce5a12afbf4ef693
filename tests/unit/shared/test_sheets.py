"""Tables as spreadsheets of all countries write them: every spelling is one table, and what is none is called what it is."""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.errors import InvalidInputError, KeptError, TooLargeError
from shared.sheets import (
    CELL_CHARACTERS_MAX,
    CELLS_MAX,
    FILE_BYTES_MAX,
    LINES_MAX,
    SEPARATORS,
    Sheet,
    Text,
    decode,
    folded,
    places,
)

KNOWN = ["CustomerId", "FirstName", "PostalCode"]
PLAIN = "CustomerId,FirstName,PostalCode\r\n7,Luís,'01234\r\n"


@dataclass(frozen=True)
class Whole:
    """A table that was read to its end."""

    sheet: Sheet
    rows: list[tuple[int, Sequence[str]]]

    @property
    def header(self) -> list[str]:
        return [name for _, name in self.sheet.columns]


def table(text: str | Text, rows_max: int = 10) -> Whole:
    sheet = Sheet(text if isinstance(text, Text) else decode(text.encode()), KNOWN, rows_max)
    return Whole(sheet, list(sheet.rows()))


ROWS = [(1, ["7", "Luís", "01234"])]


@pytest.mark.parametrize("separator", SEPARATORS)
@pytest.mark.parametrize("end", ["\r\n", "\n", "\r"])
@pytest.mark.parametrize("said", [False, True])
def test_any_separator_and_any_end_of_line(separator: str, end: str, said: bool) -> None:
    text = PLAIN.replace(",", separator).replace("\r\n", end)
    found = table(f"sep={separator}{end}{text}" if said and end != "\r" else text)
    assert (found.header, found.rows, found.sheet.separator) == (KNOWN, ROWS, SEPARATORS[separator])


@pytest.mark.parametrize(
    ("raw", "encoding"),
    [
        (PLAIN.encode(), "UTF-8"), (b"\xef\xbb\xbf" + PLAIN.encode(), "UTF-8"), (PLAIN.encode("utf-16"), "UTF-16"),
        (b"\xfe\xff" + PLAIN.encode("utf-16-be"), "UTF-16"),
    ],
)  # fmt: skip
def test_what_a_mark_says_is_believed(raw: bytes, encoding: str) -> None:
    found = decode(raw)
    assert ("".join(found.lines()), found.encoding) == (PLAIN, encoding)


@pytest.mark.parametrize(("name", "word"), [("windows-1252", "Müller"), ("gb18030", "王小明"), ("windows-1250", "Dvořák")])
def test_nothing_guesses_an_encoding_and_the_sender_may_say_it(name: str, word: str) -> None:
    raw = f"a,{word}\n".encode({"windows-1252": "cp1252", "windows-1250": "cp1250"}.get(name, name))
    with pytest.raises(InvalidInputError, match=r"not UTF-8: line 1, byte [0-9]") as refused:
        decode(raw)
    assert word not in refused.value.detail and "encoding" in refused.value.detail
    found = decode(raw, name)
    assert ("".join(found.lines()), found.encoding) == (f"a,{word}\n", name)


def test_a_said_encoding_does_not_overrule_what_is_certain() -> None:
    assert decode(PLAIN.encode(), "windows-1252").encoding == "UTF-8"
    with pytest.raises(InvalidInputError, match="one of"):
        decode(b"a", "klingon")
    with pytest.raises(InvalidInputError, match="not gb18030"):
        decode(b"a,\x80\xff\n", "gb18030")


@pytest.mark.parametrize(
    ("raw", "says"),
    [(b"PK\x03\x04", "workbook"), (b"%PDF-1.7", "PDF"), (b"a\0b", "NUL"), ("a,b".encode("utf-16-le"), "NUL")],
)
def test_what_is_no_table_is_called_what_it_is(raw: bytes, says: str) -> None:
    with pytest.raises(InvalidInputError, match=says):
        decode(raw)


@pytest.mark.parametrize(
    "name",
    [
        "FirstName",
        "First Name",
        "first_name",
        " FIRSTNAME ",
        "\ufeffFirstName",
        "ＦｉｒｓｔＮａｍｅ",
        "first-name",
        "First\u00a0Name",
    ],
)
def test_a_name_of_a_column_is_known_however_it_is_written(name: str) -> None:
    assert folded(name) == "firstname" and places([name], KNOWN) == {"FirstName": 0}


def test_a_name_that_stands_twice_is_told_by_both_places_and_only_if_it_is_ours() -> None:
    with pytest.raises(InvalidInputError, match="column 1 and column 3 have the same name, FirstName"):
        places(["first name", "x", "FirstName"], KNOWN)
    with pytest.raises(InvalidInputError, match="column 1 and column 2 have the same name;") as refused:
        places(["Lyon", "lyon"], KNOWN)
    assert "lyon" not in refused.value.detail.lower(), "it may be a person's, where there is no header"


def test_empty_rows_and_columns_are_nothing_and_rows_keep_their_numbers() -> None:
    text = ',,\nCustomerId,FirstName,,\n,,,\n\n7,Luís,,\n\u3000,\u200b,,\n8,"Jo\nhn"\n,,\n'
    found = table(text)
    assert found.sheet.columns == [(0, "CustomerId"), (1, "FirstName")]
    assert found.rows == [(3, ["7", "Luís", "", ""]), (5, ["8", "Jo\nhn", "", ""])]


def test_a_column_without_a_name_but_with_values_is_called_by_its_place() -> None:
    assert table("CustomerId,,FirstName\n7,x,Luís\n").header == ["CustomerId", "column 2", "FirstName"]


def test_what_stands_beyond_the_header_is_refused_and_limits_hold() -> None:
    with pytest.raises(InvalidInputError, match="row 1: 3 cells under 2 columns"):
        table("CustomerId,FirstName\n7,Luís,x\n")
    with pytest.raises(InvalidInputError, match=f"row 1, column FirstName: {CELL_CHARACTERS_MAX + 1} characters"):
        table(f"CustomerId,FirstName\n7,{'x' * (CELL_CHARACTERS_MAX + 1)}\n")
    with pytest.raises(TooLargeError, match="1 rows"):
        table("CustomerId\n7\n8\n", 1)
    with pytest.raises(TooLargeError):
        decode(b"x" * (FILE_BYTES_MAX + 1))


@pytest.mark.parametrize(
    "more",
    [
        ",,\n" * LINES_MAX,
        "\n" * LINES_MAX,
        "\r" * LINES_MAX,
        '"' + "x\n" * LINES_MAX,
        "," * CELLS_MAX,
        ("," * 99 + "\n") * (CELLS_MAX // 100),
    ],
    ids=["empty rows", "empty lines", "old ends", "one cell", "one row", "cells"],
)
def test_what_shows_nothing_is_counted_too_and_before_anything_is_made_of_it(more: str) -> None:
    """Two million rows of empty cells are 30 MB, and kept everybody waiting for twenty seconds."""
    with pytest.raises(TooLargeError, match="empty ones too"):
        table(f"CustomerId,FirstName\n7,Luís\n{more}")


def test_the_empty_rows_that_a_spreadsheet_writes_are_nothing() -> None:
    assert len(table("CustomerId,FirstName\n7,Luís\n" + ",\n" * (LINES_MAX - 2)).rows) == 1


@given(st.binary(max_size=200), st.sampled_from(["", "gb18030", "utf-16le"]))
def test_any_bytes_get_an_answer_of_ours(raw: bytes, encoding: str) -> None:
    for head in (b"", b"CustomerId;FirstName\n", b"sep=;\n"):
        with suppress(KeptError):
            found = table(decode(head + raw, encoding))
            assert all(len(cells) == len(found.sheet.header) for _, cells in found.rows)
