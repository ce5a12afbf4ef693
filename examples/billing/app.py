"""billing: another team's service, in one short file. It publishes its invoices on its own topic and is a holder.

It never asks Kept who a customer is: it hashes its own customer number (a locator), and Kept's `customer.created` events
carry the same hash beside the person's pseudonym. Run: `python -m examples.billing.app` with the KEPT_* environment.
"""

import asyncio
import csv
from collections.abc import Sequence
from pathlib import Path
from uuid import NAMESPACE_URL, uuid5

from shared.holder.foreign import Category, Envelope, Foreign, Forgotten, Found, Kept, ServiceSettings, setup

TOPIC = "billing.events"
ISSUED = "com.example.billing.invoice.issued.v1"
CREATED, UPDATED = "kept.customers.customer.created.v1", "kept.customers.customer.updated.v1"
SHREDDED, SHREDDED_BEFORE = "kept.billing.subject.shredded.v2", "kept.billing.subject.shredded.v1"  # our own erasures
INVOICES = Path(__file__).parents[1] / "chinook" / "invoice.csv"
ADDRESS = ("BillingAddress", "BillingCity", "BillingState", "BillingCountry", "BillingPostalCode")
TAX_LAW = "GDPR 17(3)(b): tax law asks for the invoice ten years; it keeps number, date and amount"


class Billing:
    """Our invoices, and whose they are in Kept's words."""

    def __init__(self, invoices: list[dict[str, str]], numbers: dict[str, str]) -> None:
        self._invoices = invoices
        self._numbers = numbers  # locator of "customer:<id>" -> our customer number
        self._locators: dict[str, list[str]] = {}  # subject -> all locators that lead there
        self._customers: dict[str, str] = {}  # subject -> our customer number
        self._erased: set[str] = set()

    def learn(self, event: Envelope) -> None:
        """From Kept's events: who has which locators, and who is forgotten already."""
        if event.type == SHREDDED:
            self._erased.update(event.data["subjects"])
        if event.subject is None:
            return
        if event.type in (CREATED, UPDATED) and event.data["locators"] is not None:
            self._locators[event.subject] = event.data["locators"]
            for locator in event.data["locators"]:
                if locator in self._numbers:
                    self._customers[event.subject] = self._numbers[locator]
        elif event.type == SHREDDED_BEFORE:
            self._erased.add(event.subject)

    def _of(self, subject: str) -> list[dict[str, str]]:
        number = self._customers.get(subject)
        return [invoice for invoice in self._invoices if invoice["CustomerId"] == number]

    async def locate(self, locators: Sequence[str]) -> list[Found]:
        known = self._customers.keys() - self._erased
        return [Found(one, self._locators[one]) for one in sorted(known) if set(locators) & set(self._locators[one])]

    async def collect(self, subject: str) -> list[Category]:
        shown = [
            {name: value for name, value in one.items() if subject not in self._erased or name not in ADDRESS}
            for one in self._of(subject)
        ]
        return [
            Category(
                name="invoices",
                purpose="billing and bookkeeping",
                basis="GDPR 6(1)(b) contract, 6(1)(c) tax law",
                retention="ten years from the end of the year (tax law); the address until you ask us to forget it",
                recipients=["tax office", "accountant"],
                records=list(shown),
            )
        ]

    async def erase(self, subject: str) -> Forgotten:
        """The address goes from every invoice; the rest stays as long as tax law says."""
        fields = sum(bool(one[name]) for one in self._of(subject) for name in ADDRESS)  # asked again, the same answer again
        self._erased.add(subject)
        kept = [Kept(what="invoices without the address", reason=TAX_LAW)] if self._of(subject) else []
        return Forgotten(fields=fields, key_version=0, kept=kept)


async def publish(bus: Foreign, invoices: list[dict[str, str]], numbers: dict[str, str], there: set[str]) -> None:
    """Each invoice once: its event's id follows from its number, and what is on the topic already is left out."""
    locator_of = {number: locator for locator, number in numbers.items()}
    for one in invoices:
        event_id = str(uuid5(NAMESPACE_URL, f"https://billing.example/invoices/{one['InvoiceId']}"))
        if event_id not in there:
            data = {"invoice": one["InvoiceId"], "date": one["InvoiceDate"][:10], "total": one["Total"], "currency": "USD"}
            await bus.publish(ISSUED, data, locator=locator_of[one["CustomerId"]], event_id=event_id)


async def main() -> None:
    setup("billing")
    invoices = list(csv.DictReader(INVOICES.read_text(encoding="utf-8").splitlines()))
    customers = sorted({one["CustomerId"] for one in invoices})
    async with Foreign(ServiceSettings(service="billing"), TOPIC) as bus:
        hashes = await bus.locators([("external", f"customer:{number}") for number in customers])
        numbers = dict(zip(hashes, customers, strict=True))
        billing, there = Billing(invoices, numbers), set()
        async for event in bus.history(TOPIC):
            there.add(event.id)
            billing.learn(event)

        async def follow() -> None:
            async for event in bus.follow("kept.customers"):
                billing.learn(event)

        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(follow())
            async for event in bus.history("kept.customers"):
                billing.learn(event)
            tasks.create_task(publish(bus, invoices, numbers, there))
            tasks.create_task(bus.serve(billing))


if __name__ == "__main__":
    asyncio.run(main())
