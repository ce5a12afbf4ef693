"""billing: another team's service, in one short file. It publishes its invoices on its own topic and is a holder.

It never asks Kept who a customer is: it hashes its own customer number (a locator), and Kept's `customer.created` events
carry the same hash beside the person's pseudonym. Run: `python -m examples.billing.app` with the KEPT_* environment.
"""

import asyncio
import csv
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from uuid import NAMESPACE_URL, uuid5

from shared.holder.foreign import (
    Category,
    Envelope,
    Foreign,
    Forgotten,
    Found,
    Kept,
    ServiceSettings,
    by_itself,
    forever,
    setup,
)

TOPIC = "billing.events"
ISSUED = "com.example.billing.invoice.issued.v1"
CREATED, UPDATED = "kept.customers.customer.created.v1", "kept.customers.customer.updated.v1"
SHREDDED, SHREDDED_BEFORE = "kept.billing.subject.shredded.v2", "kept.billing.subject.shredded.v1"  # our own erasures
PUBLISH_SECONDS = 60.0
INVOICES = Path(__file__).parents[1] / "chinook" / "invoice.csv"
ADDRESS = ("BillingAddress", "BillingCity", "BillingState", "BillingCountry", "BillingPostalCode")
EVER = "9999-12-31"
TAX_LAW = (
    "GDPR 17(3)(b): section 886 of the Taxes Consolidation Act 1997 (Ireland) has us keep the invoice six years for the "
    "Revenue Commissioners; it keeps its number, date, amount and your customer number"
)


class Billing:
    """Our invoices, and whose they are in Kept's words."""

    def __init__(self, invoices: list[dict[str, str]], numbers: dict[str, str]) -> None:
        self._invoices = [dict(one) for one in invoices]
        self._numbers = numbers  # locator of "customer:<id>", of each live version of their key -> our customer number
        self._locators: dict[str, list[str]] = {}  # subject -> all locators that lead there
        self._customers: dict[str, str] = {}  # subject -> our customer number
        self._erased: dict[str, str] = {}  # subject -> the day on which we forgot them
        self._fields: dict[str, int] = {}  # subject -> how much that was, to say the same when asked again

    def learn(self, event: Envelope) -> None:
        """From Kept's events: who has which locators, and who is forgotten already."""
        if event.type == SHREDDED:
            for subject in event.data["subjects"]:
                self._erased.setdefault(subject, event.time.date().isoformat())
        if event.subject is None:
            return
        if event.type in (CREATED, UPDATED) and event.data["locators"] is not None:
            self._locators[event.subject] = event.data["locators"]
            self._match(event.subject)
        elif event.type == SHREDDED_BEFORE:
            self._erased.setdefault(event.subject, event.time.date().isoformat())
        for subject, day in self._erased.items():  # after a restart: the file, which stands for our database, is only read
            self._forget(subject, day)

    def know(self, numbers: dict[str, str]) -> None:
        """Kept's key of locators may have been rotated: whom we did not recognise by the old ones, we do by these."""
        self._numbers = numbers
        for subject in self._locators:
            self._match(subject)

    def _match(self, subject: str) -> None:
        for locator in self._locators[subject]:
            if locator in self._numbers:
                self._customers[subject] = self._numbers[locator]

    def _of(self, subject: str) -> list[dict[str, str]]:
        number = self._customers.get(subject)
        return [invoice for invoice in self._invoices if invoice["CustomerId"] == number]

    def _forget(self, subject: str, day: str) -> int:
        """The address goes from every invoice up to that day; how many fields went, now and before. Who comes back as a
        customer has another pseudonym and the same number: what we forgot stays away, what we billed since is there."""
        for invoice in self._of(subject):
            for name in ADDRESS if invoice["InvoiceDate"][:10] <= day else ():
                self._fields[subject] = self._fields.get(subject, 0) + bool(invoice[name])
                invoice[name] = ""
        return self._fields.get(subject, 0)

    async def locate(self, locators: Sequence[str]) -> list[Found]:
        known = self._customers.keys() - self._erased.keys()  # a pseudonym that was forgotten stays so
        return [Found(one, self._locators[one]) for one in sorted(known) if set(locators) & set(self._locators[one])]

    async def collect(self, subject: str) -> list[Category]:
        shown = [{name: value for name, value in one.items() if value or name not in ADDRESS} for one in self._of(subject)]
        return [
            Category(
                name="invoices",
                purpose="billing and bookkeeping",
                basis="GDPR 6(1)(b) contract, 6(1)(c) tax law",
                retention="six years after the transaction (tax law); the address until you ask us to forget it",
                recipients=["the Revenue Commissioners", "accountant"],
                records=list(shown),
            )
        ]

    async def erase(self, subject: str) -> Forgotten:
        """The address goes from every invoice; the rest stays as long as tax law says."""
        self._erased.setdefault(subject, datetime.now(UTC).date().isoformat())
        fields = self._forget(subject, EVER)
        kept = [Kept(what="invoices without the address", reason=TAX_LAW)] if self._of(subject) else []
        return Forgotten(fields=fields, key_version=0, kept=kept)


async def hashes_of(bus: Foreign, customers: list[str]) -> dict[str, tuple[str, ...]]:
    """Our customer numbers, each with its locators, the newest first."""
    found = await bus.all_locators([("external", f"customer:{number}") for number in customers])
    return dict(zip(customers, found, strict=True))


def numbers_of(hashes: dict[str, tuple[str, ...]]) -> dict[str, str]:
    """Locator -> our customer number."""
    return {locator: number for number, every in hashes.items() for locator in every}


async def publish(bus: Foreign, invoices: list[dict[str, str]], hashes: dict[str, tuple[str, ...]], there: set[str]) -> None:
    """Each invoice once: its event's id follows from its number, and what is on the topic already is left out. One that
    cannot be told waits for the next round, and the others are told."""
    for one in invoices:
        event_id = str(uuid5(NAMESPACE_URL, f"https://billing.example/invoices/{one['InvoiceId']}"))
        with by_itself("invoices", lambda: one["InvoiceId"]):  # noqa: B023 - asked for within the block
            if event_id in there:
                continue
            data = {"invoice": one["InvoiceId"], "date": one["InvoiceDate"][:10], "total": one["Total"], "currency": "USD"}
            await bus.publish(ISSUED, data, locator=hashes[one["CustomerId"]][0], event_id=event_id)
            there.add(event_id)


async def main() -> None:
    setup("billing")
    invoices = list(csv.DictReader(INVOICES.read_text(encoding="utf-8").splitlines()))
    customers = sorted({one["CustomerId"] for one in invoices})
    async with Foreign(ServiceSettings(service="billing"), TOPIC) as bus:
        billing, there = Billing(invoices, numbers_of(await hashes_of(bus, customers))), set()
        async for event in bus.history(TOPIC):
            there.add(event.id)
            billing.learn(event)

        async for event in bus.history("kept.customers"):  # all that is known so far, before anybody is answered
            billing.learn(event)

        async def work() -> None:
            hashes = await hashes_of(bus, customers)
            billing.know(numbers_of(hashes))
            await publish(bus, invoices, hashes, there)

        await asyncio.gather(
            bus.learn("kept.customers", billing.learn),
            forever("invoices", work, every=PUBLISH_SECONDS),
            bus.serve(billing),
        )


if __name__ == "__main__":
    asyncio.run(main())
