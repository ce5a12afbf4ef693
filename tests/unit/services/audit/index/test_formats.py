"""What leaves reads back as it was, and runs in no spreadsheet."""

import csv
import io
import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from services.audit.index.formats import COLUMNS, head, line_of
from services.audit.index.model import Row
from shared.cells import MARK, plain

FORMULA = ("=", "+", "-", "@", "＝", "＋", "－", "＠")
text = st.text(st.characters(codec="utf-8", exclude_characters="\x00"), max_size=20)
tricky = st.one_of(text, st.sampled_from(["=1+1", "@SUM(A1)", "+1", "-1", "\t=1", "\r", '"', "a,b", "line\nbreak", "'", "＝1"]))
rows = st.builds(
    Row,
    id=tricky, type=tricky, actor=tricky, subject=st.one_of(st.none(), tricky), trace=st.one_of(st.none(), tricky),
    time=st.just("2026-01-31T12:00:00+00:00"), purpose=tricky, shard=tricky, index=st.integers(0, 2**63 - 1),
    detail=st.dictionaries(tricky, tricky, max_size=3),
)  # fmt: skip


@given(st.lists(rows, max_size=5), tricky)
def test_csv_reads_back_and_holds_no_formula(some: list[Row], receipt: str) -> None:
    whole = head("csv") + "".join(line_of("csv")(one, receipt) for one in some)
    assert whole.startswith(MARK), "a spreadsheet sees that it is UTF-8"
    found = list(csv.DictReader(io.StringIO(whole.removeprefix(MARK), newline="")))
    assert len(found) == len(some)
    for read, row in zip(found, some, strict=True):
        assert tuple(read) == COLUMNS
        assert not any(cell.startswith(FORMULA) for cell in read.values())
        back = {name: plain(cell) for name, cell in read.items()}
        for name in ("id", "type", "actor", "purpose", "shard"):
            assert back[name] == getattr(row, name)
        assert back["receipt"] == receipt and int(back["index"]) == row.index
        detail: dict[str, Any] = json.loads(back["detail"])
        assert detail == {n: v for n, v in row.detail.items() if n != "subjects"}


@given(st.lists(rows, max_size=5), st.sampled_from(["", "a receipt\n"]))
def test_json_lines_read_back(some: list[Row], receipt: str) -> None:
    whole = head("jsonl") + "".join(line_of("jsonl")(one, receipt) for one in some)
    lines = whole.encode().split(b"\n")[:-1]
    assert [{**one.model_dump(), **({"receipt": receipt} if receipt else {})} for one in some] == [json.loads(x) for x in lines]
