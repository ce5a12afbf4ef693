"""dsar is a holder too: it holds a person's earlier requests, and their typed addresses until those close."""

from collections.abc import Sequence

from sqlalchemy import select

from services.dsar.requests.actions import end_erased
from services.dsar.requests.model import State
from services.dsar.requests.tables import DataRequest
from shared.clock import rfc3339
from shared.errors import ShreddedError
from shared.holder.contract import Category, Forgotten, Kept
from shared.holder.sdk import Found, Holder
from shared.work import Work


class DsarHolder(Holder):
    name = "dsar"

    async def locate(self, w: Work, locators: Sequence[str]) -> list[Found]:
        """Nobody by itself: a request says whose it is only because another holder knew it, and that one is asked too."""
        return []

    async def collect(self, w: Work, subject: str) -> list[Category]:
        records = []
        requests = await _of(w, subject)
        await w.unlock(*(request.id for request in requests))
        for request in requests:
            records.append(
                {
                    "request": request.id,
                    "right": request.right,
                    "state": request.state,
                    "law": request.law,
                    "received": rfc3339(request.received_at),
                    "due": rfc3339(request.due_at),
                    "address": _address(w, request),
                }
            )
        return [
            Category(
                name="requests",
                purpose="answer your requests and show that they were answered",
                basis="GDPR 6(1)(c), 12, 5(2)",
                retention="address: until the request closes; the rest: as long as needed to show compliance",
                records=records,
            )
        ]

    async def erase(self, w: Work, subject: str, request_id: str) -> Forgotten:
        """Answers with the person's data are destroyed now, and their requests end with a last mail. An erasure goes its own
        way: it may cover other records too, and whoever asked for it has its certificate coming."""
        fields = 0
        for request in await _of(w, subject):
            if request.id != request_id and request.right == "access" and request.state != State.CLOSED:
                fields += await end_erased(w, request)
        kept = [
            Kept(what="that you asked, when, and the outcome, without your address", reason="GDPR 5(2), 17(3)(e)"),
            Kept(what="keyed hashes of the address in those events, until the key rotates", reason="GDPR 5(2), 17(3)(e)"),
            Kept(what="the address of each request that you made, until its last mail has left", reason="GDPR 12(3)"),
            Kept(what="how often a wrong number was typed, under a keyed hash, for 30 days", reason="GDPR 32(1)"),
        ]
        return Forgotten(fields=fields, key_version=0, kept=kept)


async def _of(w: Work, subject: str) -> Sequence[DataRequest]:
    query = select(DataRequest).where(DataRequest.subjects.contains([subject])).order_by(DataRequest.received_at)
    return (await w.session.scalars(query)).all()


def _address(w: Work, request: DataRequest) -> str | None:
    if request.address is None or request.state == State.CLOSED:
        return None
    try:
        return w.open(DataRequest.address, request.id, request.address)
    except ShreddedError:
        return None
