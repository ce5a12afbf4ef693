"""Nobody takes a person's place by writing another e-mail address over theirs: over HTTP as an agent would, by the clock."""

import re
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import httpx
import pytest
from sqlalchemy import select

from services.customers.addresses import actions, jobs
from services.customers.addresses.letters import Letters
from services.customers.addresses.model import Side, State
from services.customers.addresses.tables import AddressChange
from services.customers.base import Base
from services.customers.events import ApprovalGranted
from services.customers.settings import CustomersSettings
from services.customers.tables import Customer, CustomerLocator
from services.customers.wiring import Tools
from shared.access.actor import Actor
from shared.access.decide import Policies
from shared.clock import FixedClock
from shared.errors import NotFoundError
from shared.ids import new_id
from shared.loops.aside import InMemory
from shared.loops.items import Items
from shared.mail.room import MailRoom
from shared.mail.server import MailServer
from shared.mail.tables import create
from shared.work import Door
from tests.support.customers import holder_of, tools_of
from tests.support.kernel import ME, Kernel, open_kernel
from tests.support.made_up import email, numbers, table
from tests.support.platform import Platform
from tests.support.portal import Person, wait_for
from tests.support.smtp import Box, mailbox
from tests.support.staff import signed_in

pytestmark = [pytest.mark.platform, pytest.mark.usefixtures("platform")]
kernel = pytest.fixture(open_kernel)
CSV = {"Content-Type": "text/csv"}
CONTACT = {"X-Purpose": "contact"}
WAIT = timedelta(days=30)
AGENT = Actor(id=new_id("sub"), kind="user")


# --- over HTTP ---------------------------------------------------------------------------------------------------------


def customer_of_jane(platform: Platform) -> tuple[str, str]:
    """The address and the id of a made-up customer."""
    (number,) = numbers(1)
    with signed_in(platform, "nancy") as nancy:
        nancy.post("/api/customers/imports", content=table([number]), headers=CSV).raise_for_status()
        found = nancy.post("/api/customers/search", json={"email": email(number)}, headers=CONTACT).json()
    return email(number), found["items"][0]["id"]


def change(platform: Platform, customer: str, to: str) -> dict[str, Any]:
    """An agent alone writes another address over it."""
    with signed_in(platform, "jane") as jane:
        seen = jane.get(f"/api/customers/{customer}", headers=CONTACT).raise_for_status().headers["etag"]
        body = {"fields": {"email": to}}
        answer = jane.patch(f"/api/customers/{customer}", json=body, headers={**CONTACT, "If-Match": seen})
    found: dict[str, Any] = answer.raise_for_status().json()
    return found


def link(platform: Platform, address: str) -> str:
    """The newest link of an address's mails about a change."""

    def look() -> str | None:
        mails = httpx.get(f"{platform.origin}/mail.json", params={"to": address}).json()
        links = [re.search(r"http\S+/customers/addresses/\S+", mail["text"]) for mail in mails]
        return next((found[0] for found in links if found), None)

    return str(wait_for(look, f"a link for {address.partition('@')[0]}"))


def say(platform: Platform, where: str, answer: str) -> httpx.Response:
    return httpx.post(where, data={"say": answer}, headers={"Origin": platform.origin})


def is_found(platform: Platform, address: str) -> bool:
    """Whether whoever reads mail at `address` asks, proves it, and is told of a record."""
    person = Person(platform.origin, address)
    person.ask("access")
    person.prove()
    return "None of these systems found a record" not in person.until("Download my data")


def test_an_agent_alone_can_not_take_a_persons_place(platform: Platform) -> None:
    theirs, customer = customer_of_jane(platform)
    mine = f"agent.{theirs}"
    changed = change(platform, customer, mine)
    assert changed["fields"]["email"]["value"] == mine and changed["address_change"].startswith("chg_")
    told = link(platform, theirs)
    own = link(platform, mine)
    assert theirs not in httpx.get(own).text and "No, this was not me" not in httpx.get(own).text
    assert "counts as yours when" in say(platform, own, "yes").text, "a yes from the mailbox that the agent wrote: not enough"
    assert say(platform, own, "no").status_code == 409
    assert not is_found(platform, mine)
    assert is_found(platform, theirs)
    assert httpx.get(told).status_code == 200 and httpx.get(told[:-3] + "AAA").status_code == 404
    assert "undone" in say(platform, told, "no").text
    with signed_in(platform, "jane") as jane:
        record = jane.get(f"/api/customers/{customer}", headers=CONTACT).json()
    assert record["fields"]["email"]["value"] == theirs and record["address_change"] is None
    assert say(platform, own, "yes").status_code == say(platform, told, "yes").status_code == 404
    assert not is_found(platform, mine)


def test_whoever_moved_says_yes_in_both_mailboxes_and_is_found_by_the_new_one(platform: Platform) -> None:
    before, customer = customer_of_jane(platform)
    after = f"moved.{before}"
    change(platform, customer, after)
    assert "as soon as" in say(platform, link(platform, before), "yes").text
    assert "from now on" in say(platform, link(platform, after), "yes").text
    assert is_found(platform, after)
    assert not is_found(platform, before)


# --- by the clock ------------------------------------------------------------------------------------------------------


@dataclass
class Records:
    """customers' actions on a schema and a clock of their own."""

    kernel: Kernel
    clock: FixedClock
    box: Box
    door: Door
    tools: Tools
    room: MailRoom
    customer: str = field(default_factory=lambda: new_id("sub"))

    async def make(self, address: str | None) -> None:
        async with self.door.begin(ME) as w:
            await w.create_keys([self.customer])
            sealed = w.seal(Customer.email, self.customer, address) if address else None
            w.session.add(Customer(id=self.customer, version=1, created_at=w.now, updated_at=w.now, email=sealed))
            await w.session.flush()
            if address:
                ((place,),) = await self.tools.locators.of([("email", address)])
                w.session.add(CustomerLocator(locator=place, customer_id=self.customer, kind="email"))

    async def write(self, new: str | None) -> str:
        """As `update_customer` does; the id of the change that waits, or an empty text."""
        async with self.door.begin(AGENT) as w:
            customer = await w.session.get_one(Customer, self.customer, with_for_update=True)
            await w.unlock(self.customer)
            old = w.open(Customer.email, customer.id, customer.email) if customer.email else None
            customer.email = w.seal(Customer.email, customer.id, new) if new else None
            await actions.begin(w, self.tools, customer, old, new)
            return await actions.waiting_id(w, customer.id) or ""

    async def post(self) -> list[str]:
        """Send what is due; whom it went to."""
        before = len(self.box.to)
        while await self.room.send_due():
            pass
        return sorted(self.box.to[before:])

    async def after(self, days: float) -> None:
        self.clock.advance(timedelta(days=days))
        await jobs.tick(self.door, self.tools, WAIT, Items("addresses", InMemory(self.clock)))

    async def leads(self, *addresses: str) -> list[bool]:
        """Whether each address leads to the person."""
        holder = holder_of(self.tools)
        async with self.door.begin(ME) as w:
            places = [one for (one,) in await self.tools.locators.of([("email", one) for one in addresses])]  # type: ignore[misc]
            return [bool(await holder.locate(w, [place])) for place in places]

    async def state(self, change_id: str) -> str:
        async with self.door.begin(ME) as w:
            return str(await w.session.scalar(select(AddressChange.state).where(AddressChange.id == change_id)))


@pytest.fixture
async def records(kernel: Kernel) -> AsyncIterator[Records]:
    async with kernel.engine.begin() as connection:
        await connection.run_sync(Base.metadata.create_all)
        await connection.run_sync(create)
    clock = FixedClock(kernel.door.clock.now())
    door = Door("customers", kernel.door._sessions, clock, Policies.load(), kernel.door.keyring)
    vault = kernel.door.keyring._vault
    tools = tools_of(vault)

    async def nothing() -> str:
        return ""

    async with mailbox() as box:
        letters = Letters(CustomersSettings(service="customers"))
        room = MailRoom(door, MailServer(box.settings(), nothing), letters, "privacy@kept.local")
        yield Records(kernel, clock, box, door, tools, room)


OLD, NEW, NEXT = "old@t.example", "new@t.example", "next@t.example"


async def test_silence_for_thirty_days_after_being_told_is_enough(records: Records) -> None:
    await records.make(OLD)
    change_id = await records.write(NEW)
    await records.after(40)
    assert await records.leads(OLD, NEW) == [True, False], "nobody was told: the time does not run"
    assert await records.post() == [NEW, OLD]
    await records.after(29.9)
    assert await records.leads(OLD, NEW) == [True, False]
    await records.after(0.2)
    assert await records.leads(OLD, NEW) == [False, True]
    assert await records.state(change_id) == State.PROVEN


async def test_an_address_that_takes_no_mail_starts_no_clock(records: Records) -> None:
    await records.make(OLD)
    records.box.answers[OLD] = "550 gone"
    await records.write(NEW)
    await records.post()
    await records.after(400)
    assert await records.leads(OLD, NEW) == [True, False]


async def test_step_by_step_the_proven_address_stays_the_one_that_is_asked(records: Records) -> None:
    await records.make(OLD)
    first = await records.write(NEW)
    await records.post()
    await records.after(20)
    assert await records.write(None), "emptied"
    assert await records.post() == [OLD]
    second = await records.write(NEXT)
    assert await records.post() == [NEXT, OLD]
    assert await records.state(first) == State.SUPERSEDED
    await records.after(20)
    assert await records.leads(OLD, NEW, NEXT) == [True, False, False], "each change begins anew"
    assert await records.write("OLD@T.example") == "", "it came back, in whatever spelling"
    assert await records.state(second) == State.SUPERSEDED
    await records.after(100)
    assert await records.leads(OLD, NEXT) == [True, False]


async def test_where_there_was_no_address_only_two_people_decide(records: Records) -> None:
    await records.make(None)
    change_id = await records.write(NEW)
    assert await records.post() == [NEW]
    await records.after(400)
    assert await records.leads(NEW) == [False]
    two = [new_id("sub"), new_id("sub")]
    for approvers, counts in (([two[0], AGENT.id], False), (two, True)):
        async with records.door.begin(Actor.system("identity")) as w:
            event = ApprovalGranted(action="prove_address", resource=change_id, approvers=approvers)
            await actions.decided(w, records.tools, event)
        assert await records.leads(NEW) == [counts]


async def test_the_person_sees_who_changed_it_and_the_forgotten_leave_nothing(records: Records) -> None:
    await records.make(OLD)
    change_id = await records.write(NEW)
    async with records.door.begin(ME) as w:
        collected = await holder_of(records.tools).collect(w, records.customer)
        changes = next(one for one in collected if one.name == "Changes of the e-mail address")
        (told,) = changes.records
        assert changes.recipients, "who receives it is not said"
        assert told["by"] == AGENT.id and (told["before"], told["after"]) == (OLD, NEW)
        secret = await w.session.scalar(select(AddressChange.old_secret).where(AddressChange.id == change_id))
        assert secret is not None
        link = w.open(AddressChange.old_secret, records.customer, secret)
        assert (await actions.followed(w, change_id, link)).side is Side.OLD
    async with records.door.begin(ME) as w:
        done = await holder_of(records.tools).erase(w, records.customer, "req_1")
        assert done.fields == 3
    assert await records.post() == [], "what waited is not sent"
    async with records.door.begin(ME) as w:
        with pytest.raises(NotFoundError):
            await actions.followed(w, change_id, link)
    assert await records.kernel.count("address_changes") == 0
    assert await records.kernel.count("mails WHERE recipient IS NOT NULL") == 0


async def test_no_mailbox_is_flooded_and_whoever_is_not_told_loses_nothing(records: Records) -> None:
    await records.make(OLD)
    for n in range(8):
        await records.write(f"n{n}@t.example")
    assert (await records.post()).count(OLD) <= 5
    await records.after(400)
    assert await records.leads(OLD, "n7@t.example") == [True, False]
