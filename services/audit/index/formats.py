"""How rows leave: CSV (RFC 4180), JSON Lines, OCSF. Pure; one line per event, so that a file of any size can be streamed."""

import csv
import io
import json
from collections.abc import Callable, Iterable, Sequence
from typing import Literal

from services.audit.index.model import Row
from services.audit.index.ocsf import event_of

Format = Literal["csv", "jsonl", "ocsf"]
COLUMNS = ("time", "id", "type", "actor", "subject", "subjects", "purpose", "detail", "trace", "shard", "index", "receipt")
# A spreadsheet runs what begins like this, also in its full-width forms: CWE-1236.
FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")
Line = Callable[[Row, str], str]


def head(form: Format) -> str:
    """What stands before the first row."""
    return _csv([COLUMNS]) if form == "csv" else ""


def line_of(form: Format) -> Line:
    """(row, its receipt or nothing) as one line."""
    return {"csv": _as_csv, "jsonl": _as_json, "ocsf": _as_ocsf}[form]


def media_type(form: Format) -> str:
    return "text/csv; charset=utf-8; header=present" if form == "csv" else "application/jsonl; charset=utf-8"


def harmless(cell: str) -> str:
    """A cell that no spreadsheet takes for a formula: such a one gets an apostrophe in front."""
    return "'" + cell if cell.startswith(FORMULA) else cell


def _as_json(row: Row, receipt: str) -> str:
    said = row.model_dump()
    return json.dumps({**said, "receipt": receipt} if receipt else said, ensure_ascii=False) + "\n"


def _as_ocsf(row: Row, receipt: str) -> str:
    said = event_of(row)
    if receipt:
        said["unmapped"]["receipt"] = receipt
    return json.dumps(said, ensure_ascii=False) + "\n"


def _as_csv(row: Row, receipt: str) -> str:
    detail = json.dumps({n: v for n, v in row.detail.items() if n != "subjects"}, ensure_ascii=False, sort_keys=True)
    cells = [row.time, row.id, row.type, row.actor, row.subject or "", " ".join(row.subjects), row.purpose, detail,
             row.trace or "", row.shard, str(row.index), receipt]  # fmt: skip
    return _csv([[harmless(cell) for cell in cells]])


def _csv(rows: Iterable[Sequence[str]]) -> str:
    out = io.StringIO()
    csv.writer(out, quoting=csv.QUOTE_MINIMAL, lineterminator="\r\n").writerows(rows)
    return out.getvalue()
