"""How a service holds its part of a person's rights: implement `Holder`, then `attach` it to the service's handlers.

Every verb runs in one transaction with its answer, through the inbox: asked twice, a holder answers twice, the same.
Every answer is signed with the holder's own key, on the holder's own topic (contract.py).
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence

from sqlalchemy import func, select
from sqlalchemy.orm import InstrumentedAttribute

from shared.bus.envelope import Envelope
from shared.handlers import Handlers
from shared.holder.answers import collected, erased, located
from shared.holder.contract import (
    Category,
    Collect,
    Erase,
    Forgotten,
    Found,
    Locate,
)
from shared.notes.note import Signer
from shared.work import Work

__all__ = ["Forgotten", "Found", "Holder", "attach", "found_by"]


class Holder(ABC):
    """One holder. `name` as in the answer types; also the last part of its signing key's name."""

    name: str

    @abstractmethod
    async def locate(self, w: Work, locators: Sequence[str]) -> Sequence[Found]:
        """Everybody here whom one of these locators leads to: a family may share an address."""

    @abstractmethod
    async def collect(self, w: Work, subject: str) -> list[Category]:
        """Everything held on `subject`, in clear: it is sealed before it leaves."""

    @abstractmethod
    async def erase(self, w: Work, subject: str, request_id: str) -> Forgotten:
        """Forget `subject`: shred the key, delete index rows. Idempotent."""


async def found_by(
    w: Work, locators: Sequence[str], subject: InstrumentedAttribute[str], locator: InstrumentedAttribute[str]
) -> list[Found]:
    """Everybody whom one of `locators` leads to in a table of (`subject`, `locator`), each with all of theirs."""
    mine = select(subject).where(locator.in_(locators))
    rows = await w.session.execute(select(subject, func.array_agg(locator)).where(subject.in_(mine)).group_by(subject))
    return [Found(one, known) for one, known in rows]


def attach(handlers: Handlers, holder: Holder, signer: Signer) -> None:
    """Answer dsar's commands with `holder`. A command that names other holders is theirs."""

    @handlers.on(Locate)
    async def locate(w: Work, command: Locate, envelope: Envelope) -> None:
        w.publish(await located(holder.name, command, await holder.locate(w, command.locators), signer))

    @handlers.on(Collect)
    async def collect(w: Work, command: Collect, envelope: Envelope) -> None:
        if holder.name not in command.holders:
            return
        for answer in await collected(holder.name, command, await holder.collect(w, command.subject or ""), signer):
            w.publish(answer)

    @handlers.on(Erase)
    async def erase(w: Work, command: Erase, envelope: Envelope) -> None:
        if holder.name not in command.holders:
            return
        done = await holder.erase(w, command.subject or "", command.request_id)
        for event in await erased(holder.name, command, done, at=w.now, signer=signer):
            w.publish(event)
