"""Rows of the trail out, in any number: page by page, each in its own transaction, so that nothing waits for a slow reader.

What leaves is what the index held when the export began: rows that come meanwhile neither join it nor push the oldest ones out.
One person alone takes at most ALONE_ROWS_MAX rows; more take the grant of two others (P11), as a customer export does. What
leaves are pseudonyms and facts in clear, never what is sealed. The event that tells of it commits before the first byte.
"""

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass

from services.audit.events import TrailExported
from services.audit.index.actions import PURPOSE, TRAIL, Ends, counted, cursor_at, ends_now, rows_after, shown
from services.audit.index.formats import Format, head, line_of
from services.audit.index.model import Cursor, Filters, Row
from services.audit.index.receipts import receipt
from shared.access.actor import Actor
from shared.access.grants import Grant
from shared.blobs import BlobStore
from shared.work import Door, Work

ALONE_ROWS_MAX = 10_000
ROWS_MAX = 100_000_000
PAGE_ROWS = 1_000
RESOURCE = "audit-trail"  # what a grant for `export` must name


@dataclass(frozen=True)
class Export:
    """What leaves: `rows` rows, all that `filters` let through of what the index held up to `ends`."""

    filters: Filters
    form: Format
    receipts: bool
    ends: Ends
    rows: int


async def begin(w: Work, filters: Filters, form: Format, receipts: bool, grant: Grant | None) -> Export:
    """What will leave, told in an event. NotAllowedError where one person alone may not take so many rows."""
    decision = w.decide("export", TRAIL)
    ends = await ends_now(w)
    rows = await counted(w, filters, ROWS_MAX if grant else ALONE_ROWS_MAX + 1, ends)
    if grant is not None:
        await w.spend(grant)
    elif rows > ALONE_ROWS_MAX:
        said = (
            f"more than {ALONE_ROWS_MAX} rows take two others who agree (an approval for export of {RESOURCE}); or ask for less"
        )
        raise w.forbidden("export", TRAIL, said)
    w.publish(
        TrailExported(
            subject=filters.subject or None, filters=filters.shown(), format=form, receipts=receipts, rows=rows,
            decision=list(decision.policy_ids), approval_id=grant.approval_id if grant else None,
            approvers=sorted(grant.approvers) if grant else [],
        )
    )  # fmt: skip
    return Export(filters, form, receipts, ends, rows)


async def lines(door: Door, actor: Actor, blobs: BlobStore, export: Export) -> AsyncIterator[bytes]:
    """The file in pieces, newest first."""
    yield head(export.form).encode()
    after: Cursor | None = None
    left = export.rows
    while left > 0:
        async with door.begin(actor, PURPOSE) as w:
            found = await rows_after(w, export.filters, after, min(PAGE_ROWS, left), export.ends)
        if not found:
            return
        after, left = cursor_at(found[-1]), left - len(found)
        yield await asyncio.to_thread(_page, blobs, [shown(one) for one in found], export.form, export.receipts)


def _page(blobs: BlobStore, rows: Sequence[Row], form: Format, receipts: bool) -> bytes:
    line = line_of(form)
    return "".join(line(row, receipt(blobs, row.shard, row.index) if receipts else "") for row in rows).encode()
