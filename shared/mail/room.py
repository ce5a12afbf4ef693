"""The room: takes the mail that is due, sends it, says what became of it. Two processes side by side send each mail once.

1. Claimed: the try is counted and the mail put off by LEASE, in a transaction of its own. A crash from here on costs a try, so
   that a mail which kills the process is given up like any other.
2. The mail server is there. 3. The letter is written, and what it needs (a code's hash) committed.
4. It leaves, to exactly one mailbox. A crash before 5 sends it again after LEASE: at least once.
5. Marked as having left. 6. What follows is done and the mail is done, in one transaction.
Where 2 or Vault or the database is away, the try is taken back. Whatever else goes wrong is this mail's own: it is put off with
growing pauses and its reason, given up after TRIES_MAX, at once where the server will never take it; the next mail is next.
"""

import asyncio
import logging
from datetime import timedelta
from typing import Protocol

from sqlalchemy import select, update

from shared.access.actor import Actor
from shared.errors import MalformedError, ShreddedError, UnavailableError, described
from shared.loops.forever import forever
from shared.mail.message import outgoing
from shared.mail.model import (
    AWAY,
    LEASE,
    SEND_SECONDS_MAX,
    TRIES_MAX,
    Letter,
    Mail,
    Outcome,
    RefusedMailError,
    pause_after,
)
from shared.mail.server import MailServer
from shared.mail.tables import MAILS
from shared.work import Door, Work

POLL_SECONDS = 1.0
RECIPIENTS_SECONDS = 600.0
RECIPIENT_KEPT = timedelta(days=1)  # longer than any limit looks back
_OF_MAIL = MAILS.c["id", "kind", "about", "facts", "created_at", "tries", "left_at"]
log = logging.getLogger("kept.mail")


class Letters(Protocol):
    """What a service says about its mails. Both may run twice."""

    async def write(self, w: Work, mail: Mail) -> Letter | None:
        """The letter, now; None where nobody is to be written to any more."""

    async def settle(self, w: Work, mail: Mail, outcome: Outcome) -> None:
        """What follows when it has left, or never will; in the transaction that marks it."""


class MailRoom:
    """One per process of a service that writes to people."""

    def __init__(self, door: Door, server: MailServer, letters: Letters, sender: str) -> None:
        self._door, self._server, self._letters, self._sender = door, server, letters, sender
        self._me = Actor.system(door.service)

    async def run(self) -> None:
        """Until cancelled."""
        await asyncio.gather(
            forever("mail", self.send_due, every=POLL_SECONDS),
            forever("mail-recipients", self.forget_recipients, every=RECIPIENTS_SECONDS),
        )

    async def send_due(self) -> bool:
        """Take the mail that is due for longest as far as it goes. False when there is none; UnavailableError where a part is
        away, the mail unharmed."""
        mail = await self._claim()
        if mail is None:
            return False
        try:
            async with asyncio.timeout(SEND_SECONDS_MAX):
                await self._deliver(mail)
        except UnavailableError:
            await self._put_off(mail)
            raise
        except (RefusedMailError, MalformedError) as error:
            reason = error.reason if isinstance(error, RefusedMailError) else f"{error.code}: {error.detail}"
            await self._failed(mail, reason, for_good=True)
        except Exception as error:  # this mail's own trouble, whatever it is: the next one is next
            await self._failed(mail, described(error), for_good=mail.tries >= TRIES_MAX)
        return True

    async def _claim(self) -> Mail | None:
        async with self._door.begin(self._me) as w:
            due = select(MAILS.c.id).where(MAILS.c.done_at.is_(None), MAILS.c.next_try_at <= w.now)
            first = due.order_by(MAILS.c.next_try_at, MAILS.c.id).limit(1).with_for_update(skip_locked=True)
            claim = update(MAILS).where(MAILS.c.id == first.scalar_subquery()).returning(*_OF_MAIL)
            row = (await w.session.execute(claim.values(tries=MAILS.c.tries + 1, next_try_at=w.now + LEASE))).first()
            return None if row is None else Mail(*row)

    async def _deliver(self, mail: Mail) -> None:
        outcome = Outcome.SENT
        if mail.left_at is None:
            async with self._server.connected() as connection:  # 2
                letter = await self._written(mail)  # 3
                if letter is None:
                    outcome = Outcome.NO_ADDRESS
                else:
                    message_id = f"{self._door.service}.{mail.id}.{mail.tries}.{mail.created_at:%Y%m%d%H%M%S}"
                    await connection.send(outgoing(letter, self._sender, message_id, self._door.clock.now()))  # 4
            if outcome is Outcome.SENT:
                async with self._door.begin(self._me) as w:  # 5
                    await w.session.execute(update(MAILS).where(MAILS.c.id == mail.id).values(left_at=w.now, reason=None))
                mail = mail._replace(left_at=self._door.clock.now())
        await self._settle(mail, outcome)

    async def _written(self, mail: Mail) -> Letter | None:
        try:
            async with self._door.begin(self._me) as w:
                return await self._letters.write(w, mail)
        except ShreddedError:  # whoever it was for is forgotten
            return None

    async def _settle(self, mail: Mail, outcome: Outcome, reason: str | None = None, *, follow: bool = True) -> None:
        """6. Once, whoever comes first: another process may have had the mail, too, if this one was held up."""
        done = {"done_at": self._door.clock.now(), "outcome": outcome, "reason": reason}
        async with self._door.begin(self._me) as w:
            mark = update(MAILS).where(MAILS.c.id == mail.id, MAILS.c.done_at.is_(None)).values(**done)
            if (await w.session.execute(mark.returning(MAILS.c.id))).first() is not None and follow:
                await self._letters.settle(w, mail, outcome)

    async def _put_off(self, mail: Mail) -> None:
        """Take the try back."""
        async with self._door.begin(self._me) as w:
            mine = (MAILS.c.id == mail.id) & (MAILS.c.tries == mail.tries) & MAILS.c.done_at.is_(None)
            await w.session.execute(update(MAILS).where(mine).values(tries=mail.tries - 1, next_try_at=w.now + AWAY))

    async def _failed(self, mail: Mail, reason: str, *, for_good: bool) -> None:
        log.warning("mail %s (%s), try %d, failed: %s", mail.id, mail.kind, mail.tries, reason)
        async with self._door.begin(self._me) as w:
            mine = (MAILS.c.id == mail.id) & (MAILS.c.tries == mail.tries) & MAILS.c.done_at.is_(None)
            later = {"reason": reason, "next_try_at": w.now + pause_after(mail.tries)}
            row = (await w.session.execute(update(MAILS).where(mine).values(**later).returning(MAILS.c.left_at))).first()
        if row is None or not for_good:
            return
        if row.left_at is not None:
            await self._settle(mail, Outcome.UNSETTLED, reason, follow=False)
            return
        try:
            await self._settle(mail, Outcome.GIVEN_UP, reason)
        except UnavailableError:
            raise
        except Exception as error:
            log.error("mail %s was given up; what follows failed: %s", mail.id, described(error))
            await self._settle(mail, Outcome.GIVEN_UP, reason, follow=False)

    async def forget_recipients(self) -> None:
        """Where mails went is of no use any more when no limit counts them."""
        async with self._door.begin(self._me) as w:
            old = MAILS.c.recipient.is_not(None) & (MAILS.c.created_at < w.now - RECIPIENT_KEPT)
            await w.session.execute(update(MAILS).where(old).values(recipient=None))
