"""Bus in: holders' answers and identity's decisions, through the inbox, to the saga's actions.

An answer has an effect only after `proven`: its holder's own signed note says all that it says (shared/holder/word.py).
One that is not proven is an alarm, and the request goes on waiting for the true one, which is asked for again.
"""

import re
from typing import TypeVar

from services.dsar.events import ApprovalGranted, ApprovalRefused, Verb
from services.dsar.requests.tables import DataRequest
from services.dsar.saga import actions, answers, approval
from services.dsar.saga.actions import Course
from services.dsar.saga.alarms import refuse
from shared.bus.envelope import Envelope
from shared.errors import MalformedError, TamperError
from shared.handlers import Handlers
from shared.holder.contract import Answer, Attested, Collected, Erased, Located
from shared.work import Work

A = TypeVar("A", bound=Answer)
_ANSWER = re.compile(r"kept\.([a-z]{2,32})\.answer\.(located|collected|erased|attested)\.v[0-9]+")


def register(handlers: Handlers, course: Course) -> None:
    """Every holder has its own topic and types; dsar reads those of the configured holders."""

    async def on(w: Work, request: DataRequest | None) -> None:
        if request is not None:
            await actions.advance(w, request, course)

    async def proven(w: Work, holder: str, verb: Verb, said: Answer, envelope: Envelope) -> bool:
        """Vault away: UnavailableError, and the record is taken again; nothing counts meanwhile."""
        try:
            await course.keys.prove(said, holder)
        except (TamperError, MalformedError):
            refuse(w, said.request_id, holder, envelope.id, verb, "bad-note")
            return False
        return True

    def answers_of(name: str) -> None:
        @handlers.on(Located.of(name))
        async def located(w: Work, said: Located, envelope: Envelope) -> None:
            if await proven(w, name, "located", said, envelope):
                await on(w, await answers.located(w, name, said, course))

        @handlers.on(Collected.of(name))
        async def collected(w: Work, said: Collected, envelope: Envelope) -> None:
            if await proven(w, name, "collected", said, envelope):
                await on(w, await answers.collected(w, name, said, envelope.id))

        @handlers.on(Erased.of(name))
        async def erased(w: Work, said: Erased, envelope: Envelope) -> None:
            if await proven(w, name, "erased", said, envelope):
                await on(w, await answers.erased(w, name, said, envelope.id))

    for name in course.holders:
        answers_of(name)

    @handlers.on(Attested)
    async def attested(w: Work, event: Attested, envelope: Envelope) -> None:
        await on(w, await answers.attested(w, event.request_id, event.receipts, envelope.id, course))

    @handlers.on(ApprovalGranted)
    async def granted(w: Work, event: ApprovalGranted, envelope: Envelope) -> None:
        if event.action == "erase":
            await on(w, await approval.approved(w, event))

    @handlers.on(ApprovalRefused)
    async def refused(w: Work, event: ApprovalRefused, envelope: Envelope) -> None:
        if event.action == "erase":
            await actions.refused(w, event)


def misplaced(w: Work, envelope: Envelope, topic: str) -> None:
    """A holder's answer on another topic than its own: the record goes to the dead letters, and this is the alarm.
    `holder` is whose name was used; whose topic it was, the dead letter says."""
    found = _ANSWER.fullmatch(envelope.type)
    if found is not None:
        verb: Verb = found[2]  # type: ignore[assignment]  # one of the four, by the pattern
        request = envelope.data.get("request_id")
        refuse(w, request if isinstance(request, str) else "", found[1], envelope.id, verb, "misplaced")
