"""Stand-ins for the other services, for the tests of one service alone: real Kafka, real Vault, their own principals.

`python -m tests.support.standins RUN_DIR` plays customers (one person), identity (approves at once) and audit (receipts).
"""

import asyncio
import base64
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pydantic import ConfigDict

from shared.bus.event import Event
from shared.holder.contract import Attest, Attested, Category, Forgotten, Found, Kept
from shared.holder.foreign import Foreign
from shared.ids import new_id
from shared.keys.vault import Vault
from shared.notes.note import VaultSigner, sign_note
from shared.notes.tlogproof import Receipt, format_receipt, leaf_hash
from shared.settings import ServiceSettings

EMAIL = "luisg@embraer.com.br"
SUBJECT = new_id("sub")


class CustomerCreated(Event, type="kept.customers.customer.created.v1"):
    locators: list[str]


class ApprovalGranted(Event, type="kept.identity.approval.granted.v1"):
    approval_id: str
    action: str
    resource: str
    requester: str
    subjects: list[str]
    approvers: list[str]

    def key(self) -> str:
        return self.approval_id


class Recent(Event):
    model_config = ConfigDict(extra="ignore")


def settings(run: Path, service: str) -> ServiceSettings:
    pairs = [line.split("=", 1) for line in (run / f"{service}.env").read_text().splitlines() if "=" in line]
    named: dict[str, Any] = {name.removeprefix("KEPT_").lower(): value.strip("'\"") for name, value in pairs}
    return ServiceSettings(**named)


class Records:
    """A holder that knows one person."""

    def __init__(self, mine: Sequence[str], records: list[dict[str, str]]) -> None:
        self._mine, self._records, self._gone = set(mine), records, False

    async def locate(self, locators: Sequence[str]) -> list[Found]:
        return [Found(SUBJECT, sorted(self._mine))] if self._mine & set(locators) and not self._gone else []

    async def collect(self, subject: str) -> list[Category]:
        records = list(self._records) if subject == SUBJECT and not self._gone else []
        return [Category(name="record", purpose="support", basis="GDPR 6(1)(b)", retention="2 years", records=records)]

    async def erase(self, subject: str) -> Forgotten:
        fields, self._gone = 0 if self._gone else 5 * len(self._records), True
        return Forgotten(fields=fields, key_version=1, kept=[Kept(what="the log, unreadable", reason="GDPR 17(3)(b)")])


async def attest(run: Path, bus: Foreign) -> None:
    """One receipt per event: each in a log of its own with one leaf, signed by the real log key."""
    audit = settings(run, "audit")
    signer = VaultSigner(Vault.of(audit), "kept-log", audit.log_name)
    seen: dict[str, bytes] = {}

    async def watch() -> None:
        consumer = bus._broker.consumer(auto_offset_reset="earliest", group_id=None)
        await consumer.start()
        consumer.subscribe(["kept.dsar"])
        async for record in consumer:
            headers = dict(record.headers)
            seen[headers["ce_id"].decode()] = headers["ce_id"] + b"\0" + (record.value or b"")

    task = asyncio.create_task(watch())
    async for envelope in bus.follow("kept.dsar.commands"):
        if envelope.type != Attest.type_:
            continue
        receipts = {}
        for event_id in envelope.data["event_ids"]:
            while event_id not in seen:
                await asyncio.sleep(0.1)
            root = base64.b64encode(leaf_hash(seen[event_id])).decode()
            note = await sign_note(f"{audit.log_name}/kept.dsar/0\n1\n{root}\n", signer)
            receipts[event_id] = format_receipt(Receipt(0, (), note, seen[event_id]))
        await bus._tell(Attested(request_id=envelope.data["request_id"], receipts=receipts))
    await task


async def approve(bus: Foreign) -> None:
    async for envelope in bus.follow("kept.dsar"):
        if envelope.type == "kept.dsar.erasure.requested.v1":
            granted = ApprovalGranted(
                approval_id=new_id("apr"),
                action="erase",
                resource=envelope.data["request_id"],
                requester="system:dsar",
                subject=envelope.subject,
                subjects=envelope.data["subjects"],
                approvers=[new_id("sub"), new_id("sub")],
            )
            await bus._tell(granted)


async def main(run: Path) -> None:
    async with (
        Foreign(settings(run, "customers"), "kept.customers") as customers,
        Foreign(settings(run, "identity"), "kept.identity") as identity,
        Foreign(settings(run, "audit"), "kept.audit") as audit,
    ):
        mine = await customers.locators([("email", EMAIL), ("external", "customer:1")])
        await customers._tell(CustomerCreated(subject=SUBJECT, locators=mine))
        print(SUBJECT, flush=True)
        record = {"FirstName": "Luís", "LastName": "Gonçalves", "Email": EMAIL}
        await asyncio.gather(
            customers.serve(Records(mine, [record])),
            identity.serve(Records([], [])),
            audit.serve(Records([], [])),
            attest(run, audit),
            approve(identity),
        )


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1])))
