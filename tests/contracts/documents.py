"""The published contract: OpenAPI per service, JSON Schema per event version, AsyncAPI for the topics. From the code alone."""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from shared.bus.event import Event
from shared.holder.contract import COMMANDS, Answer, Collected, Erased, ForeignShredded, Located, SubjectShredded, answers_topic
from shared.holder.past import ANSWERS, AnswerV1, CollectedV1, ErasedV1, LocatedV1
from shared.refused import AccessRefused
from tests.contracts.built import SERVICES, Built

HOLDERS = ("identity", "customers", "audit", "dsar")
KINDS = (Located, Collected, Erased, SubjectShredded, LocatedV1, CollectedV1, ErasedV1)
ROOT = Path(__file__).parents[2] / "docs" / "contracts"
Document = dict[str, Any]
_HEADERS = {
    "ce_specversion": "1.0, of CloudEvents",
    "ce_id": "UUIDv7; the same event always has the same",
    "ce_type": "the name of this message",
    "ce_source": "/services/<service>",
    "ce_time": "RFC 3339, UTC",
    "ce_actor": "who did it: a pseudonym, or system:<service>",
    "content-type": "application/json",
}


def text(document: Document) -> str:
    """As it lies in the file: one spelling, so that a difference is a difference."""
    return json.dumps(document, ensure_ascii=False, indent=2, sort_keys=True) + "\n"


def documents(built: Sequence[Built]) -> dict[str, Document]:
    """Name of the file below docs/contracts -> what it says."""
    events = dict(sorted(published().items()))
    found = {f"openapi/{one.name}.json": one.app.openapi() for one in built}
    found |= {f"events/{name}.json": schema_of(event) for name, event in events.items()}
    return found | {"asyncapi.json": asyncapi(events.values(), built)}


# -- events -----------------------------------------------------------------------------------------------------


def published() -> dict[str, type[Event]]:
    """Every event type of ours, as its publisher declares it."""
    made = [AccessRefused.of(service) for service in SERVICES]  # types that come to be when they are first needed
    made += [kind.of(holder) for holder in HOLDERS for kind in KINDS]  # type: ignore[misc]
    declared = [one for one in _declared() if _is_its_own(one)]
    return {one.type_: one for one in [*(one for one in declared if not _is_made(one)), *made]}


def copies() -> list[type[Event]]:
    """What services declare of the events of others, as far as they read them."""
    return [one for one in _declared() if one.__module__.startswith("services.") and not _is_its_own(one)]


def _declared() -> list[type[Event]]:
    def below(kind: type[Event]) -> Iterator[type[Event]]:
        for one in kind.__subclasses__():
            yield one
            yield from below(one)

    ours = {one for one in below(Event) if one.type_ and one.__module__.split(".")[0] in ("services", "shared")}
    return sorted(ours, key=lambda one: (one.type_, one.__module__))


def _is_made(event: type[Event]) -> bool:
    """Made by one of the `of` methods, perhaps for a holder that only a test knows."""
    return issubclass(event, (AccessRefused, Answer, AnswerV1, SubjectShredded, ForeignShredded))


def _is_its_own(event: type[Event]) -> bool:
    """Declared by the service that its type names, or by the kernel for all."""
    place = event.__module__.split(".")
    return place[0] == "shared" or event.type_.split(".")[1] == place[1]


def schema_of(event: type[Event]) -> Document:
    """The body. What the bus adds (headers, key) stands in asyncapi.json."""
    schema = event.model_json_schema(mode="serialization")
    schema |= {"$schema": "https://json-schema.org/draft/2020-12/schema", "$id": f"{event.type_}.json", "title": event.type_}
    schema["properties"] = {name: one for name, one in schema.get("properties", {}).items() if name != "subject"}
    schema["required"] = sorted(_required(event))
    schema.pop("additionalProperties", None)  # we write no others today; who reads must bear those of tomorrow
    return schema


def _required(event: type[Event]) -> Iterable[str]:
    return (name for name, field in event.model_fields.items() if field.is_required())


def asyncapi(events: Iterable[type[Event]], built: Sequence[Built]) -> Document:
    """AsyncAPI 3.0: who sends what on which topic, and who receives it."""
    events = list(events)
    topics = sorted({one.topic for one in events})
    operations: Document = {}
    for topic in topics:
        for service in sorted({_sender(one) for one in events if one.topic == topic}):
            mine = [one.type_ for one in events if one.topic == topic and _sender(one) == service]
            operations[f"{service}.send.{topic}"] = _operation("send", topic, mine)
    for one in built:
        for topic in sorted({event.topic for event in one.handles}):
            heard = sorted({event.type_ for event in one.handles if event.topic == topic})
            known = [name for name in heard if name in {event.type_ for event in events}]
            if known:
                operations[f"{one.name}.receive.{topic}"] = _operation("receive", topic, known)
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "Kept: the bus",
            "version": "0.1.0",
            "description": "CloudEvents 1.0, Kafka protocol binding, binary content mode. The record key is the subject, or "
            "the aggregate where an event says so: one person's events stay in order, but for those that only tell of a look "
            "or of something refused (`x-ordered` is false). Answers of other teams' holders look like those of ours, with "
            "their own name in the type.",
        },
        "defaultContentType": "application/json",
        "channels": {topic: _channel(topic, [one for one in events if one.topic == topic]) for topic in topics},
        "operations": operations,
        "components": {"messageTraits": {"cloudevent": {"headers": _headers()}}},
    }


def _sender(event: type[Event]) -> str:
    return "dsar" if event.topic == COMMANDS else event.type_.split(".")[1]


def _channel(topic: str, events: Sequence[type[Event]]) -> Document:
    what = {COMMANDS: "What dsar asks of holders.", ANSWERS: "What holders answered before version 2; nothing acts on it."}
    what |= {answers_topic(one): f"What {one} answers, each answer signed. Nobody else writes here." for one in HOLDERS}
    return {
        "address": topic,
        "description": what.get(topic, f"Events of {topic.removeprefix('kept.')}."),
        "messages": {
            one.type_: {
                "name": one.type_,
                "contentType": "application/json",
                "summary": (one.__doc__ or "").split("\n")[0],
                "traits": [{"$ref": "#/components/messageTraits/cloudevent"}],
                "payload": {"$ref": f"events/{one.type_}.json"},
                "x-ordered": one.ordered,
            }
            for one in events
        },
    }


def _operation(action: str, topic: str, types: Sequence[str]) -> Document:
    channel = f"#/channels/{topic}"
    return {
        "action": action,
        "channel": {"$ref": channel},
        "messages": [{"$ref": f"{channel}/messages/{one}"} for one in types],
    }


def _headers() -> Document:
    optional = {
        "ce_subject": "the person's pseudonym, where it is about one",
        "ce_session": "the session in which the actor did it: an id that opens nothing, where there was one",
        "traceparent": "W3C Trace Context",
    }
    return {
        "type": "object",
        "required": sorted(_HEADERS),
        "properties": {name: {"type": "string", "description": about} for name, about in {**_HEADERS, **optional}.items()},
    }


def committed() -> Mapping[str, Document]:
    """What lies in docs/contracts."""
    return {str(path.relative_to(ROOT)): json.loads(path.read_text()) for path in sorted(ROOT.rglob("*.json"))}
