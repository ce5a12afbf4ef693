"""Tables for spreadsheets: the one way a CSV file leaves Kept (docs/import-export.md).

A spreadsheet computes what begins with = + - or @, in full-width forms too, also where it takes a `;`, a tab or a line break
within the cell for the next one (CWE-1236); and it rewrites numbers with a leading nought or too many digits, and what looks
like a date. Such a place gets one apostrophe. `plain` takes it off and touches nothing else: `plain(inert(x)) == x` for every
text, and 's-Hertogenbosch stays as it is both ways. Programs read JSON, which needs none of this.
"""

import csv
import io
import re
import unicodedata
from collections.abc import Iterable, Sequence

MARK = "\ufeff"  # at the head of a file: without it Excel reads UTF-8 as its country's code page
# = + - @ in every form that compatibility folds to one of them, and the minus sign of mathematics.
_SIGN = "".join(chr(c) for c in range(0x2A, 0x10000) if unicodedata.normalize("NFKC", chr(c)) in tuple("=+-@")) + "\u2212"
_NEXT = ";|\t\r\n"  # separators and ends of a row that are not ours, but may be taken for one
_BLANK = f"(?:[^\\S{_NEXT}]|[\u00ad\u200b-\u200f\u2060-\u2064\ufeff])*"  # what a spreadsheet may skip
# Rewritten when opened: 007, sixteen digits and more, 12E5, 1-2 and 3.4.2026. Only where it is the whole cell.
_NUMBER = r"0[0-9]+|[0-9]{16,}|[0-9]+[eE][0-9]+|[0-9]{1,4}[-/.][0-9]{1,4}(?:[-/.][0-9]{1,4})?"
_PLACE = rf"(?:(?:\A|(?<=[{_NEXT}]))'%s(?={_BLANK}[{re.escape(_SIGN)}])|\A'%s(?=(?:{_NUMBER})\Z))"
_BARE = re.compile(_PLACE % ("*", "*"))
_GUARDED = re.compile(_PLACE % ("+", "+"))


def inert(cell: str) -> str:
    """`cell` as no spreadsheet computes or rewrites it."""
    return _BARE.sub(lambda found: "'" + found[0], cell)


def plain(cell: str) -> str:
    """What `inert` was given."""
    return _GUARDED.sub(lambda found: found[0][1:], cell)


def lines(rows: Iterable[Sequence[str]]) -> str:
    """Rows as CSV (RFC 4180): inert, and each cell quoted, so that no other separator cuts it."""
    out = io.StringIO(newline="")
    csv.writer(out, quoting=csv.QUOTE_ALL, lineterminator="\r\n").writerows([inert(cell) for cell in row] for row in rows)
    return out.getvalue()
