"""Who asks, why, and what is decided about it: what a transaction (work.py) and a look (look.py) have in common."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from shared import telemetry
from shared.access.actor import Actor
from shared.access.decide import Decision, Policies, Resource
from shared.bus import outbox
from shared.bus.envelope import to_record
from shared.bus.event import Event
from shared.clock import Clock
from shared.errors import NotAllowedError, NotFoundError
from shared.ids import is_id, new_event_id
from shared.refused import AccessRefused, named


@dataclass(frozen=True)
class Asked:
    """By whom, for what purpose, of which service."""

    service: str
    actor: Actor
    purpose: str | None
    clock: Clock
    policies: Policies


class Asking:
    """One attempt of one actor, at one time."""

    def __init__(self, asked: Asked) -> None:
        self.service = asked.service
        self.actor = asked.actor
        self.purpose = asked.purpose
        self.clock = asked.clock
        self.now: datetime = asked.clock.now()
        self.policy_ids: list[str] = []
        self._policies = asked.policies
        self._refused: list[outbox.Row] = []

    def decide(self, action: str, resource: Resource, *, subject: str | None = None, **context: object) -> Decision:
        """NotAllowedError unless a policy permits; `policy_ids` remembers which one, for the event that tells of it.

        `subject`: whom it is about, where `resource` is not that person; a refusal names them."""
        decision = self._decision(action, resource, context)
        if not decision.allowed:
            self._refuse(action, resource, subject, decision.policy_ids)
            raise NotAllowedError
        self.policy_ids += [one for one in decision.policy_ids if one not in self.policy_ids]
        return decision

    def may(self, action: str, resource: Resource, **context: object) -> bool:
        """Whether a policy permits: to show or leave out a button, or a part of a list. A no is not an attempt."""
        return self._decision(action, resource, context).allowed

    def unknown(self, action: str, resource: Resource) -> NotFoundError:
        """The answer where the actor may not know of a thing, or there is none: both alike, and both told (P7)."""
        self._refuse(action, resource, None, ())
        return NotFoundError()

    def forbidden(self, action: str, resource: Resource, detail: str) -> NotAllowedError:
        """The answer where a rule beyond the policies says no; told like theirs."""
        self._refuse(action, resource, None, ())
        return NotAllowedError(detail)

    @property
    def refusals(self) -> Sequence[outbox.Row]:
        """What is told if this is refused, in a transaction of its own."""
        return tuple(self._refused)

    def _row(self, event: Event) -> outbox.Row:
        ce_id = new_event_id()
        record = to_record(event, self.actor, self.now, ce_id, telemetry.inject())
        return outbox.row(ce_id, record, ordered=event.ordered)

    def _decision(self, action: str, resource: Resource, context: dict[str, object]) -> Decision:
        if self.purpose is not None:
            context.setdefault("purpose", self.purpose)
        return self._policies.decide(self.actor, action, resource, context)

    def _refuse(self, action: str, resource: Resource, subject: str | None, policies: Sequence[str]) -> None:
        event = AccessRefused.of(self.service)(
            subject=subject or (resource.id if is_id(resource.id, "sub") else None),
            action=action,
            resource=named(resource.type, resource.id),
            purpose=self.purpose,
            policies=list(policies),
        )
        self._refused.append(self._row(event))
