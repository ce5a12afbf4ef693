"""How rows leave: CSV for spreadsheets (shared/cells.py), JSON Lines and OCSF for programs.

Pure; one line per event, so that a file of any size can be streamed."""

import json
from collections.abc import Callable
from typing import Literal

from services.audit.index.model import Row
from services.audit.index.ocsf import event_of
from shared import cells

Format = Literal["csv", "jsonl", "ocsf"]
COLUMNS = ("time", "id", "type", "actor", "subject", "subjects", "purpose", "detail", "trace", "shard", "index", "receipt")
Line = Callable[[Row, str], str]


def head(form: Format) -> str:
    """What stands before the first row."""
    return cells.MARK + cells.lines([COLUMNS]) if form == "csv" else ""


def line_of(form: Format) -> Line:
    """(row, its receipt or nothing) as one line."""
    return {"csv": _as_csv, "jsonl": _as_json, "ocsf": _as_ocsf}[form]


def media_type(form: Format) -> str:
    return "text/csv; charset=utf-8; header=present" if form == "csv" else "application/jsonl; charset=utf-8"


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
    values = [row.time, row.id, row.type, row.actor, row.subject or "", " ".join(row.subjects), row.purpose, detail,
              row.trace or "", row.shard, str(row.index), receipt]  # fmt: skip
    return cells.lines([values])
