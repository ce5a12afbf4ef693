"""The mail room over a real database and a real mail server: every mail by itself, once, whatever it is addressed to."""

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from datetime import timedelta

import pytest
from sqlalchemy import select

from shared.access.decide import Policies
from shared.clock import FixedClock
from shared.errors import ShreddedError, UnavailableError
from shared.mail.model import LEASE, TRIES_MAX, Letter, Mail, Outcome
from shared.mail.queue import forget, listed, mail_gauges, queue, queued_lately, retry
from shared.mail.room import MailRoom
from shared.mail.server import MailServer
from shared.mail.tables import MAILS, create
from shared.work import Door, Work
from tests.support.kernel import ME, Kernel, open_kernel
from tests.support.smtp import Box, mailbox
from tests.unit.shared.mail.test_sending import HOSTILE

pytestmark = [pytest.mark.platform, pytest.mark.usefixtures("platform")]
kernel = pytest.fixture(open_kernel)
HOUR = timedelta(hours=1)


@dataclass
class Said:
    """Letters to whom `facts` name. What `writing` and `settling` hold is called first, by kind."""

    writing: dict[str, Callable[[], None]] = field(default_factory=dict)
    settling: dict[str, Callable[[], None]] = field(default_factory=dict)
    settled: list[tuple[str, Outcome]] = field(default_factory=list)

    async def write(self, w: Work, mail: Mail) -> Letter | None:
        self.writing.get(mail.kind, bool)()
        return Letter(mail.facts["to"], "Hello", "Hello.\n") if "to" in mail.facts else None

    async def settle(self, w: Work, mail: Mail, outcome: Outcome) -> None:
        self.settling.get(mail.kind, bool)()
        self.settled.append((mail.kind, outcome))


@dataclass
class Office:
    """A room with all that the test wants to touch."""

    kernel: Kernel
    hands: FixedClock
    box: Box
    door: Door
    said: Said = field(default_factory=Said)

    def room(self, said: Said | None = None) -> MailRoom:
        async def nothing() -> str:
            return ""

        server = MailServer(self.box.settings(), nothing)
        return MailRoom(self.door, server, said or self.said, "privacy@kept.local")

    async def put(self, *mails: tuple[str, str], recipient: str | None = None) -> None:
        """(kind, to) of each."""
        async with self.door.begin(ME) as w:
            for kind, to in mails:
                queue(w, kind, "req_1", recipient=recipient, facts={"to": to} if to else {})

    async def all_of(self, room: MailRoom | None = None) -> None:
        """Send whatever is due, as the loop would."""
        room = room or self.room()
        while await room.send_due():
            pass

    async def rows(self) -> list[tuple[str, str | None, str | None, int]]:
        """(kind, outcome, reason, tries), in the order of queueing."""
        async with self.kernel.engine.connect() as connection:
            query = select(*MAILS.c["kind", "outcome", "reason", "tries"]).order_by(MAILS.c.id)
            return [(row[0], row[1], row[2], row[3]) for row in (await connection.execute(query)).all()]

    async def gauge(self, name: str) -> int:
        return next(one.value for one in await mail_gauges("customers", self.kernel.engine)() if one.name == name)


@pytest.fixture
async def office(kernel: Kernel) -> AsyncIterator[Office]:
    async with kernel.engine.begin() as connection:
        await connection.run_sync(create)
    hands = FixedClock(kernel.door.clock.now())
    door = Door("customers", kernel.door._sessions, hands, Policies.load(), kernel.door.keyring)
    async with mailbox() as box:
        yield Office(kernel, hands, box, door)


def broken() -> None:
    raise RuntimeError("anna@t.example")


async def test_no_address_and_no_defect_stops_the_next_mail(office: Office) -> None:
    office.box.answers["gone@t.example"] = "550 no such mailbox"
    office.said.writing["broken"] = broken
    hostile = [one for one in HOSTILE if "\0" not in one and one.isprintable() and one]
    await office.put(*(("hostile", one) for one in hostile), ("broken", "anna@t.example"), ("refused", "gone@t.example"))
    await office.put(("nobody", ""), ("good", "anna@t.example"))
    await office.all_of()
    rows = await office.rows()
    assert office.box.to == ["anna@t.example"], "one mail, to one mailbox"
    assert {outcome for kind, outcome, _, _ in rows if kind == "hostile"} == {"given up"}
    assert [row[1:] for row in rows if row[0] == "refused"] == [("given up", "SMTPRecipientRefused 550", 1)]
    assert [row[1:] for row in rows if row[0] == "broken"] == [(None, "RuntimeError at test_mail_room.py:" + str(_line()), 1)]
    assert [row[1] for row in rows if row[0] in ("nobody", "good")] == ["no address", "sent"]
    assert not any("@" in (reason or "") for _, _, reason, _ in rows)
    assert await office.gauge("kept_mails_given_up") == len(hostile) + 1
    assert await office.gauge("kept_mails_waiting") == 1


def _line() -> int:
    return broken.__code__.co_firstlineno + 1


async def test_a_mail_that_fails_waits_longer_each_time_is_given_up_and_tried_again_by_hand(office: Office) -> None:
    office.said.writing["code"] = broken
    await office.put(("code", "anna@t.example"))
    room = office.room()
    for _ in range(TRIES_MAX):
        assert await room.send_due()
        assert not await room.send_due(), "not at once"
        office.hands.advance(HOUR)
    assert [row[1] for row in await office.rows()] == ["given up"]
    assert not await room.send_due()
    assert office.said.settled == [("code", Outcome.GIVEN_UP)]
    async with office.kernel.engine.begin() as connection:
        (shown,) = await listed(connection)
        assert shown["tries"] == TRIES_MAX and "RuntimeError" in str(shown["reason"])
        assert await retry(connection, office.hands.now()) == 1
    del office.said.writing["code"]
    await office.all_of(room)
    assert office.box.to == ["anna@t.example"]


async def test_what_is_away_costs_no_try(office: Office) -> None:
    await office.put(("code", "anna@t.example"))
    async with mailbox() as gone:
        pass
    port, office.box.port = office.box.port, gone.port
    for _ in range(TRIES_MAX + 3):
        with pytest.raises(UnavailableError):
            await office.room().send_due()
        office.hands.advance(HOUR)
    office.box.port = port
    await office.all_of()
    assert await office.rows() == [("code", "sent", None, 1)]


async def test_two_side_by_side_send_each_once(office: Office) -> None:
    await office.put(*(("code", f"p{n}@t.example") for n in range(30)))
    office.box.slow = 0.02
    await asyncio.gather(*(office.all_of(office.room(Said())) for _ in range(3)))
    assert sorted(office.box.to) == sorted(f"p{n}@t.example" for n in range(30))


async def test_killed_while_it_leaves_and_before_it_was_marked(office: Office) -> None:
    """Whoever comes after the lease sends it: first because it never left, then because nobody knows that it did."""
    await office.put(("code", "anna@t.example"))
    office.box.slow = 60.0
    task = asyncio.create_task(office.room().send_due())
    await _until(lambda: office.box.handed > 0)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert not await office.room().send_due(), "it is still somebody's"
    office.hands.advance(LEASE)
    office.box.slow = 0.0
    killed = office.room()
    killed._door = _Dies(office.door, 2)  # type: ignore[assignment]  # claimed, written, sent
    with pytest.raises(asyncio.CancelledError):
        await killed.send_due()
    assert office.box.to == ["anna@t.example"]
    office.hands.advance(LEASE)
    await office.all_of()
    assert office.box.to == ["anna@t.example"] * 2
    assert await office.rows() == [("code", "sent", None, 3)]


async def test_what_follows_is_done_again_without_sending_again(office: Office) -> None:
    office.said.settling["erased"] = broken
    await office.put(("erased", "anna@t.example"), ("code", "luis@t.example"))
    for _ in range(TRIES_MAX):
        await office.all_of()
        office.hands.advance(HOUR)
    assert [row[1] for row in await office.rows()] == ["unsettled", "sent"]
    assert await office.gauge("kept_mails_given_up") == 1
    del office.said.settling["erased"]
    async with office.kernel.engine.begin() as connection:
        await retry(connection, office.hands.now())
    await office.all_of()
    assert sorted(office.box.to) == ["anna@t.example", "luis@t.example"]
    assert ("erased", Outcome.SENT) in office.said.settled


async def test_a_mail_leaves_only_if_the_change_commits(office: Office) -> None:
    with pytest.raises(RuntimeError):
        async with office.door.begin(ME) as w:
            queue(w, "code", "req_1", facts={"to": "anna@t.example"})
            broken()
    await office.all_of()
    assert office.box.to == []


async def test_who_is_forgotten_gets_no_mail_and_leaves_no_trace(office: Office) -> None:
    def shredded() -> None:
        raise ShreddedError

    office.said.writing["late"] = shredded
    await office.put(("code", "anna@t.example"), recipient="loc_1_00")
    async with office.door.begin(ME) as w:
        await forget(w, "req_1")
        assert await queued_lately(w, "loc_1_00", "code", HOUR) == 0
    await office.put(("late", "anna@t.example"))
    await office.all_of()
    assert office.box.to == [] and {row[1] for row in await office.rows()} == {"no address"}


async def test_two_who_ask_at_once_find_room_for_one(office: Office) -> None:
    async def ask() -> None:
        async with office.door.begin(ME) as w:
            if await queued_lately(w, "loc_1_01", "code", HOUR) < 1:
                queue(w, "code", "req_1", recipient="loc_1_01", facts={"to": "anna@t.example"})

    await asyncio.gather(*(ask() for _ in range(4)))
    assert len(await office.rows()) == 1
    office.hands.advance(timedelta(days=2))
    await office.room().forget_recipients()
    assert await office.kernel.count("mails WHERE recipient IS NOT NULL") == 0


class _Dies:
    """A door at which the process is killed when it opens for the `n`th time."""

    def __init__(self, door: Door, n: int) -> None:
        self._door, self._left = door, n
        self.clock, self.service = door.clock, door.service

    def begin(self, *args: object, **more: object) -> object:
        if self._left == 0:
            raise asyncio.CancelledError
        self._left -= 1
        return self._door.begin(*args, **more)  # type: ignore[arg-type]


async def _until(done: Callable[[], bool]) -> None:
    async with asyncio.timeout(120):
        while not done():
            await asyncio.sleep(0.02)
