"""Decisions by Cedar policies (https://docs.cedarpolicy.com). The policies stand in `policies/*.cedar`, one file per
service; what no policy permits is forbidden."""

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
        self._text = text
        # Cedar names policies by position; @id gives the name people know.
        self._names = _annotated_ids(text)

    @classmethod
    def load(cls, directory: Path = _POLICIES) -> "Policies":
        """Every `*.cedar` file of `directory`. InvariantError if they do not parse."""
        text = "\n".join(path.read_text() for path in sorted(directory.glob("*.cedar")))
        try:
            cedarpy.policies_to_json_str(text)
        except ValueError as error:
            raise InvariantError("the access policies do not parse") from error
        return cls(text)

    def decide(
        self, actor: Actor, action: str, resource: Resource, context: Mapping[str, object] | None = None
    ) -> Decision:
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
        result = cedarpy.is_authorized(request, self._text, entities)
        names = tuple(sorted(self._names.get(reason, reason) for reason in result.diagnostics.reasons))
        return Decision(bool(result.allowed) and not result.diagnostics.errors, names)


def _quoted(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"')


def _annotated_ids(text: str) -> dict[str, str]:
    """`policy<N>` (Cedar's own numbering, by order) -> `@id`."""
    import re

    starts = re.findall(r'(?:@id\("([^"]+)"\)\s*)?\b(?:permit|forbid)\s*\(', text)
    return {f"policy{n}": name or f"policy{n}" for n, name in enumerate(starts)}
