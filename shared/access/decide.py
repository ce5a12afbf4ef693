"""Decisions by Cedar policies (https://docs.cedarpolicy.com). The policies stand in `policies/*.cedar`, one file per
service; what no policy permits is forbidden."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import cedarpy

from shared.access.actor import Actor
from shared.errors import InvariantError

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

    @classmethod
    def load(cls, directory: Path = _POLICIES) -> "Policies":
        """Every `*.cedar` file of `directory`. InvariantError if they do not parse."""
        return cls("\n".join(path.read_text(encoding="utf-8") for path in sorted(directory.glob("*.cedar"))))

    def decide(self, actor: Actor, action: str, resource: Resource, context: Mapping[str, object] | None = None) -> Decision:
        """Whether `actor` may do `action` on `resource`. Errors in a policy forbid."""
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


def _quoted(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"')
