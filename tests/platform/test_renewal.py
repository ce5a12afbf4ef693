"""Hashes of an older normal form are made anew: in batches, through crashes, two at once; both forms are found meanwhile.

PostgreSQL is the real one; Vault is a stand-in here, since nothing is asked of it but a keyed hash and a wrapped key.
"""

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import Any, cast

import pytest
from sqlalchemy import delete, func, select, text, update

from services.customers.base import TABLES
from services.customers.records.actions import list_unusable, update_customer
from services.customers.records.looks import search_customers
from services.customers.records.renewal import UNMADE, renew
from services.customers.tables import Customer, CustomerLocator, StaffLocator, UnusableValue, column
from services.customers.wiring import Tools
from shared import renewal
from shared.access.actor import Actor
from shared.errors import UnavailableError
from shared.etag import Condition
from shared.holder.contract import Found
from shared.keys import versions
from shared.keys.vault import Versions
from shared.renewal import Renewal
from shared.sweep import Sweep
from shared.values import legacy
from shared.values.identifiers import NORMAL_FORM, Identifier, external
from shared.values.mailbox import mailbox
from shared.values.typed import Number
from shared.work import Door, Work
from tests.support.customers import empty, holder_of, tools_of
from tests.support.stand_in import StandIn

STAFF = Actor(id="sub_" + "5" * 32, kind="user", roles=frozenset({"agent"}), team=frozenset({"sub_" + "5" * 32}))
SYSTEM = Actor.system("customers")
WRITTEN: list[dict[str, str]] = [
    {"email": "Jane@München.de", "phone": "(12) 3923-5555", "country": "Brazil"},  # the same in both forms
    {"email": "mailto:anna@t.example", "phone": "020 7946 0003", "country": "UK"},  # another address, a phone that was none
    {"email": "kim@t.example;lee@t.example"},  # no mailbox any more
    {"email": "zw\u200b@t.example", "phone": "1-800-FLOWERS", "country": "USA"},  # neither; the phone was one
    {"email": "ok@t.example", "phone": "1.2E+10", "first_name": "An\u200bna"},
    {"email": "gone@t.example", "phone": "+49 30 901820"},  # erased below
    {"email": "bad@t.example"},  # its ciphertext is spoilt below
]


class Bench:
    """A customers database with rows of form 1."""

    def __init__(self, door: Door, tools: Tools) -> None:
        self.door, self.tools = door, tools
        self.ids: list[str] = []

    def renewal(self) -> Renewal:
        async def act(w: Work, rows: Sequence[Any]) -> None:
            await renew(w, self.tools, rows)

        return Renewal(self.door, Customer, act, self.tools.hashed, UNMADE)

    async def write_as_before(self) -> None:
        async with self.door.begin(SYSTEM) as w:
            for written in WRITTEN:
                self.ids.append(subject := w.new_id("sub"))
                await w.create_keys([subject])
                email, phone = legacy._old_mailbox(written["email"]), None
                if "phone" in written:
                    phone = legacy._old_phone(written["phone"], written.get("country"))
                assert email is not None
                w.session.add(
                    Customer(
                        id=subject, version=1, owner_id=STAFF.id, created_at=w.now, updated_at=w.now, normal_form=1,
                        email_index=(await self.tools.blind.of("email", email)).value,
                        phone_index=(await self.tools.blind.of("phone", phone)).value if phone else None,
                        **{name: w.seal(column(name), subject, value) for name, value in written.items()},
                    )
                )  # fmt: skip
                await w.session.flush()
                known: list[Identifier] = [("email", email), *([("phone", phone)] if phone else [])]  # type: ignore[list-item]
                for (kind, _), every in zip(known, await self.tools.locators.of(known), strict=True):
                    w.session.add_all(CustomerLocator(locator=one, customer_id=subject, kind=kind) for one in every)
            await w.session.flush()
            await w.session.execute(update(Customer).where(Customer.id == self.ids[5]).values(erased_at=w.now, email=None))
            await w.session.execute(text("UPDATE customers SET email = '\\x00' WHERE id = :id"), {"id": self.ids[6]})

    async def found(self, name: str, value: str) -> list[str]:
        async with self.door.look(STAFF, "contact") as look:
            return [one.id for one in await search_customers(look, self.tools, {name: value}, limit=50)]

    async def located(self, known: Identifier) -> Sequence[Found]:
        """Whom the holder finds by the locators of this."""
        async with self.door.begin(SYSTEM) as w:
            (every,) = await self.tools.locators.of([known])
            return await holder_of(self.tools).locate(w, every)

    async def hashes(self) -> set[str]:
        """Every locator that leads to somebody."""
        async with self.door.begin(SYSTEM) as w:
            return {*(await w.session.scalars(select(CustomerLocator.locator))).all()}

    async def state(self) -> Any:
        """Everything that the renewal writes, and nothing of when."""
        async with self.door.begin(SYSTEM) as w:
            rows = select(Customer.id, Customer.normal_form, Customer.email_index, Customer.phone_index, Customer.version)
            places = select(CustomerLocator.customer_id, CustomerLocator.locator, CustomerLocator.kind)
            reasons = select(UnusableValue.customer_id, UnusableValue.field, UnusableValue.reason)
            return [sorted(map(repr, (await w.session.execute(one)).all())) for one in (rows, places, reasons)]

    async def events(self) -> list[tuple[str, str]]:
        """(type, key) of what is told, oldest first."""
        async with self.door.begin(SYSTEM) as w:
            rows = await w.session.execute(select(TABLES.outbox.c.headers, TABLES.outbox.c.key).order_by(TABLES.outbox.c.id))
            return [(str(headers).split("kept.customers.")[1].split(".v1")[0], key) for headers, key in rows]


@pytest.fixture
async def bench(customers_server: Any, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Bench]:
    monkeypatch.setattr(renewal, "ROWS_PER_BATCH", 3)
    vault = cast(Any, StandIn())
    async with empty(customers_server, vault) as door:
        made = Bench(door, tools_of(vault))
        await made.write_as_before()
        yield made


async def until_done(one: Renewal) -> int:
    """Batch after batch; how many."""
    steps = 0
    while await one.step():
        steps += 1
        assert steps < 50, "it does not end"
    return steps


async def test_old_rows_are_found_before_and_after_and_what_no_longer_passes_is_listed(bench: Bench) -> None:
    same, other, two, neither, noted, gone, spoilt = bench.ids
    assert await bench.found("email", "jane@münchen.de") == [same]
    assert await bench.found("email", "mailto:anna@t.example") == [other]  # by the form it was stored under
    assert await bench.found("email", "anna@t.example") == []
    before = await bench.state()

    assert await until_done(bench.renewal()) == 3
    assert await bench.found("email", "jane@münchen.de") == [same]
    assert await bench.found("email", "anna@t.example") == [other]
    assert await bench.found("phone", "+44 20 7946 0003") == [other]
    async with bench.door.begin(STAFF) as w:
        listed = [(one.customer_id, one.field, one.reason) for one in (await list_unusable(w, limit=50))[0]]
    assert {(subject, field) for subject, field, _ in listed} == {
        (two, "email"), (neither, "email"), (neither, "phone"), (noted, "phone"), (noted, "first_name"),
    }  # fmt: skip
    assert any("U+200B at character 3" in reason for *_, reason in listed)
    assert not any(value in reason for *_, reason in listed for row in WRITTEN for value in row.values())

    after = await bench.state()
    for stays in (two, neither, spoilt, gone):
        old, new = ([one for one in part if stays in one] for part in (before[1], after[1]))
        assert old == new, "what no longer passes stays as it was"
    assert [kind for kind, key in await bench.events() if kind == "customer.updated"] == ["customer.updated"], "one has more"
    assert [key for kind, key in await bench.events() if kind == "customer.updated"] == [other]
    assert [kind for kind, _ in await bench.events()].count("records.viewed") >= 3, "each reading is told"


async def test_one_row_that_cannot_be_opened_is_set_aside_and_the_others_are_done(bench: Bench) -> None:
    await until_done(bench.renewal())
    async with bench.door.begin(SYSTEM) as w:
        old = (await w.session.scalars(select(Customer.id).where(Customer.normal_form < NORMAL_FORM))).all()
        aside = (await w.session.execute(text("SELECT item FROM set_aside"))).scalars().all()
    assert old == [bench.ids[6]] == aside


async def test_asked_again_it_changes_and_tells_nothing(bench: Bench) -> None:
    await until_done(bench.renewal())
    done = await bench.state()
    told = [one for one in await bench.events() if one[0] == "customer.updated"]
    async with bench.door.begin(SYSTEM) as w:
        await w.session.execute(update(Customer).where(Customer.id != bench.ids[6]).values(normal_form=1))
    await until_done(bench.renewal())
    assert await bench.state() == done
    assert [one for one in await bench.events() if one[0] == "customer.updated"] == told


async def test_a_crash_anywhere_leaves_whole_batches_and_the_next_one_goes_on(bench: Bench) -> None:
    await until_done(bench.renewal())
    wanted = await bench.state()
    for crash in range(1, 8):
        async with bench.door.begin(SYSTEM) as w:
            await w.session.execute(delete(TABLES.outbox))
            for table in (UnusableValue, CustomerLocator, Customer):
                await w.session.execute(delete(table))
            await w.session.execute(delete(TABLES.data_keys))
        first, bench.ids = bench.ids, []
        await bench.write_as_before()
        left = crash

        async def dies(w: Work, rows: Sequence[Any]) -> None:
            nonlocal left
            for row in rows:
                left -= 1
                if left == 0:
                    raise asyncio.CancelledError  # what a kill leaves: no more of this transaction
                await renew(w, bench.tools, [row])

        with pytest.raises(asyncio.CancelledError):
            await until_done(Renewal(bench.door, Customer, dies, bench.tools.hashed))
        async with bench.door.begin(SYSTEM) as w:
            done = await w.session.scalar(select(func.count()).where(Customer.normal_form == NORMAL_FORM))
        assert done % 3 == 0, "whole batches"
        await until_done(bench.renewal())
        names = dict(zip(bench.ids, first, strict=True))
        after = await bench.state()
        for new, old in names.items():
            after = [[one.replace(new, old) for one in part] for part in after]
        bench.ids = first
        assert [sorted(part) for part in after] == [sorted(part) for part in wanted]
        bench.ids = list(names)
        wanted = await bench.state()


async def test_two_at_once_share_the_rows(bench: Bench) -> None:
    await asyncio.gather(*(until_done(bench.renewal()) for _ in range(3)))
    assert await bench.found("email", "anna@t.example") == [bench.ids[1]]
    assert [key for kind, key in await bench.events() if kind == "customer.updated"] == [bench.ids[1]], "told once"


async def test_a_part_that_is_away_is_nothing_against_a_row(bench: Bench) -> None:
    vault = cast(Any, bench.door.keyring)._vault
    vault.away = True
    with pytest.raises(UnavailableError):
        await bench.renewal().step()
    vault.away = False
    await until_done(bench.renewal())
    assert await bench.found("email", "anna@t.example") == [bench.ids[1]]


async def test_mending_a_value_takes_it_off_the_list(bench: Bench) -> None:
    await until_done(bench.renewal())
    two = bench.ids[2]
    async with bench.door.begin(STAFF, "contact") as w:
        await update_customer(w, bench.tools, two, Condition.on(1), {"email": "kim@t.example"})
    async with bench.door.begin(STAFF) as w:
        assert two not in {one.customer_id for one in (await list_unusable(w, limit=50))[0]}
    assert await bench.found("email", "kim@t.example") == [two]


async def test_a_changed_address_that_nobody_proved_leads_nobody_to_the_person_afterwards(bench: Bench) -> None:
    """Who writes another's address over must not have it made a locator by an upgrade."""
    await until_done(bench.renewal())
    same = bench.ids[0]
    async with bench.door.begin(STAFF, "contact") as w:
        await update_customer(w, bench.tools, same, Condition.on(1), {"email": "agent@t.example"})
    assert await bench.found("email", "agent@t.example") == [same], "the staff finds the record by it"
    async with bench.door.begin(SYSTEM) as w:
        await w.session.execute(update(Customer).where(Customer.id == same).values(normal_form=1))
    await until_done(bench.renewal())
    known: list[Identifier] = [("email", mailbox("agent@t.example")), ("email", mailbox("jane@münchen.de"))]
    (agents,), (hers,) = await bench.tools.locators.of(known)
    async with bench.door.begin(SYSTEM) as w:
        found = (await w.session.scalars(select(CustomerLocator.locator).where(CustomerLocator.customer_id == same))).all()
    assert hers in found and agents not in found


async def test_after_a_rotation_everybody_is_found_as_before_and_an_old_locator_in_hand_finds_nobody(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before it, in the middle of it, after it and after the trim; one without a key of their own stays behind and is named."""
    monkeypatch.setattr(versions, "REFRESH_SECONDS", 0.0)
    await until_done(bench.renewal())
    same, other, two, *_ = bench.ids
    async with bench.door.begin(SYSTEM) as w:
        await w.unlock(two)
        sealed = {"owner_number": w.seal(Customer.owner_number, two, "3"), "number": w.seal(Customer.number, two, "17")}
        (waits,) = (await bench.tools.locators.of([("external", external("employee", Number("3")))]))[0]
        await w.session.execute(update(Customer).where(Customer.id == two).values(owner_locator=waits, owner_id=None, **sealed))

    async def finds() -> list[list[str]]:
        return [
            await bench.found("email", "jane@münchen.de"),
            await bench.found("phone", "+44 20 7946 0003"),
            [one.subject for one in await bench.located(("email", mailbox("anna@t.example")))],
        ]

    before, was = await bench.hashes(), [[same], [other], [other]]
    assert await finds() == was
    vault = cast(StandIn, cast(Any, bench.door.keyring)._vault)
    vault.live = Versions(2, 1)
    assert await finds() == was, "rotated, and nothing is done yet"
    monkeypatch.setattr(versions, "SETTLE_SECONDS", 0.0)
    assert await bench.renewal().step()
    assert await finds() == was, "in the middle"
    await until_done(bench.renewal())
    after = await bench.hashes()
    assert await finds() == was and before < after, "the new locators beside the old"
    assert [one.subject for one in await bench.located(("external", external("customer", Number("17"))))] == [two]

    vault.live = Versions(2, 2)
    sweep = Sweep(bench.door, bench.tools.locators, CustomerLocator.locator, StaffLocator.locator)
    while await sweep.step():
        pass
    assert await finds() == was, "trimmed"

    async def no_more(*_: object) -> int:
        raise AssertionError("the whole table is read in every round")

    with monkeypatch.context() as patched:
        patched.setattr(sweep, "_take", no_more)
        assert not await sweep.step()
    left = await bench.hashes()
    assert left and not left & before, "no locator of before leads anywhere"
    async with bench.door.begin(SYSTEM) as w:
        rows = (await w.session.execute(select(Customer.id, Customer.index_version, Customer.locator_version))).all()
        assert {one for one, *of in rows if of != [2, 2]} == {bench.ids[6]}, "the one that can't be opened"
        anew = await w.session.scalar(select(Customer.owner_locator).where(Customer.id == two))
    assert anew == (await bench.tools.locators.of([("external", external("employee", Number("3")))]))[0][0] != waits
    told = [key for kind, key in await bench.events() if kind == "customer.updated"]
    assert told.count(same) == 1, "told once of the new ones"


async def test_whose_number_was_never_kept_stays_behind_until_it_is(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """Else the trim would take the locator of a number that nobody can hash anew."""
    monkeypatch.setattr(versions, "REFRESH_SECONDS", 0.0)
    monkeypatch.setattr(versions, "SETTLE_SECONDS", 0.0)
    await until_done(bench.renewal())
    same = bench.ids[0]
    (old,) = (await bench.tools.locators.of([("external", external("customer", Number("17")))]))[0]
    async with bench.door.begin(SYSTEM) as w:
        w.session.add(CustomerLocator(locator=old, customer_id=same, kind="external"))
    cast(Any, bench.door.keyring)._vault.live = Versions(2, 1)
    await until_done(bench.renewal())
    (gauge,) = await bench.renewal().left()
    assert gauge.value == 2, "this one, and the one that can't be opened"
    async with bench.door.begin(SYSTEM) as w:
        await w.unlock(same)
        sealed = w.seal(Customer.number, same, "17")
        await w.session.execute(update(Customer).where(Customer.id == same).values(number=sealed))
    await until_done(bench.renewal())
    (gauge,) = await bench.renewal().left()
    assert gauge.value == 1
    cast(Any, bench.door.keyring)._vault.live = Versions(2, 2)
    assert [one.subject for one in await bench.located(("external", external("customer", Number("17"))))] == [same]
