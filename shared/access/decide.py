"""Decisions by Cedar policies (https://docs.cedarpolicy.com). The policies stand in `policies/*.cedar`, one file per
service; what no policy permits is forbidden.

A decision depends on what it is asked and on nothing else, so the same question is answered from memory. What a resource is
decides, and never which one: a policy that names one, or compares it, does not load. So a question about one customer is the
question about all of the same owner."""

import json
from collections import OrderedDict
from collections.abc import Hashable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import cedarpy

from shared.access.actor import Actor
from shared.errors import InvariantError

ANSWERS_MAX = 4_096  # questions whose answer is remembered; about 1 kB each
_RESOURCE = {"Var": "resource"}
_OF_ITS_KIND = (".", "has", "is")  # operators that ask for an attribute or the type
_POLICIES = Path(__file__).parent / "policies"


@dataclass(frozen=True)
class Resource:
    """What is acted upon: Cedar type, id, and the attributes policies may ask for."""

    type: str
    id: str
    attrs: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True)
class Decision:
    """`policy_ids` name the policies that decided (their `@id`)."""

    allowed: bool
    policy_ids: tuple[str, ...]


class Policies:
    """All policies of the installation, parsed once."""

    def __init__(self, text: str) -> None:
        try:
            self._set = cedarpy.PolicySet.from_str(text)  # parsing is most of a decision's cost
            static = json.loads(cedarpy.policies_to_json_str(text))["staticPolicies"]
        except ValueError as error:
            raise InvariantError("the access policies do not parse") from error
        # Cedar names policies by position; @id gives the name people know.
        self._names = {key: one.get("annotations", {}).get("id", key) for key, one in static.items()}
        if len(set(self._names.values())) != len(self._names):
            raise InvariantError("two access policies have the same @id")
        if named := sorted(self._names[key] for key, one in static.items() if _names_one(one)):
            raise InvariantError(f"{', '.join(named)}: a policy asks what a resource is, not which one")
        self._answers: OrderedDict[Hashable, Decision] = OrderedDict()

    @classmethod
    def load(cls, directory: Path = _POLICIES) -> "Policies":
        """Every `*.cedar` file of `directory`. InvariantError if they do not parse."""
        return cls("\n".join(path.read_text(encoding="utf-8") for path in sorted(directory.glob("*.cedar"))))

    def decide(self, actor: Actor, action: str, resource: Resource, context: Mapping[str, object] | None = None) -> Decision:
        """Whether `actor` may do `action` on `resource`. Errors in a policy forbid."""
        asked = _question(actor, action, resource, context or {})
        if asked is not None and (known := self._answers.get(asked)) is not None:
            self._answers.move_to_end(asked)
            return known
        made = self._decided(actor, action, resource, context)
        if asked is not None:
            self._answers[asked] = made
            if len(self._answers) > ANSWERS_MAX:
                self._answers.popitem(last=False)
        return made

    def _decided(self, actor: Actor, action: str, resource: Resource, context: Mapping[str, object] | None) -> Decision:
        principal = {"__entity": {"type": "Actor", "id": actor.id}}
        thing = {"__entity": {"type": resource.type, "id": resource.id}}
        attrs = {"kind": actor.kind, "roles": sorted(actor.roles), "team": sorted(actor.team), "id": actor.id}
        entities = [
            {"uid": principal, "attrs": attrs, "parents": []},
            {"uid": thing, "attrs": dict(resource.attrs), "parents": []},
        ]
        request = {
            "principal": f'Actor::"{_quoted(actor.id)}"',
            "action": f'Action::"{_quoted(action)}"',
            "resource": f'{resource.type}::"{_quoted(resource.id)}"',
            "context": dict(context or {}),
        }
        result = cedarpy.is_authorized(request, self._set, entities)
        names = tuple(sorted(self._names.get(reason, reason) for reason in result.diagnostics.reasons))
        allowed = bool(result.allowed) and not result.diagnostics.errors
        if allowed and not names:
            raise InvariantError("a decision that no policy made")
        return Decision(allowed, names)


def _question(actor: Actor, action: str, resource: Resource, context: Mapping[str, object]) -> Hashable | None:
    """All that a decision depends on; None where a value is no plain text: 1, 1.0 and True are one key, and three values."""
    values = (*resource.attrs.items(), None, *context.items())
    if any(one is not None and type(one[1]) is not str for one in values):
        return None
    return actor, action, resource.type, values


def _names_one(policy: Mapping[str, Any]) -> bool:
    """Whether the resource itself stands in a policy (Cedar's JSON format), beside its type and its attributes."""
    scope = policy["resource"]
    return scope["op"] not in ("All", "is") or "in" in scope or _compares(policy["conditions"])


def _compares(part: object) -> bool:
    if isinstance(part, list):
        return any(_compares(one) for one in part)
    if not isinstance(part, dict):
        return False
    if part == _RESOURCE:
        return True
    return any(_compares(one) for operator, one in part.items() if not (operator in _OF_ITS_KIND and _asks_its_kind(one)))


def _asks_its_kind(operands: object) -> bool:
    """`resource is T in x` asks more: everything is in itself."""
    return isinstance(operands, dict) and operands.get("left") == _RESOURCE and "in" not in operands


def _quoted(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"')
