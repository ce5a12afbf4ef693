"""docs/contracts says what the code does, and the code breaks nothing that docs/contracts promised."""

import copy
from collections.abc import Iterator
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from pydantic import ValidationError

from shared.bus.event import Event
from tests.contracts.built import SERVICES, Built, build
from tests.contracts.compatible import all_breaks, breaks, event_breaks, openapi_breaks
from tests.contracts.documents import committed, copies, documents, published, text

CREATED = "events/kept.customers.customer.created.v1.json"
CUSTOMERS = "openapi/customers.json"


@pytest.fixture(scope="module")
async def built() -> list[Built]:
    return [await build(name) for name in SERVICES]


def test_nothing_that_was_promised_is_broken(built: list[Built]) -> None:
    assert all_breaks(committed(), documents(built)) == [], "make a new version beside the old one"


def test_what_is_written_is_what_the_code_says(built: list[Built]) -> None:
    found, there = documents(built), committed()
    assert found.keys() == there.keys(), "run `make contracts`"
    for name, document in found.items():
        assert text(document) == text(there[name]), f"{name}: run `make contracts`"


# -- whoever changes the code in one of these ways is told ------------------------------------------------------


def changed(name: str, *path: str, to: Any = None) -> list[str]:
    """The breaks after one change of a committed document; `to` None takes the member out."""
    old = committed()
    new = copy.deepcopy(dict(old))
    at: Any = new[name]
    for part in path[:-1]:
        at = at[part]
    if to is None:
        del at[path[-1]]
    else:
        at[path[-1]] = to(at.get(path[-1])) if callable(to) else to
    return all_breaks(old, new)


@pytest.mark.parametrize(
    ("name", "path", "to"),
    [
        (CREATED, ["properties", "locators"], None),
        (CREATED, ["properties", "key_version", "type"], "string"),
        (CREATED, ["required"], lambda old: [*old, "since"]),
        (CREATED, ["required"], lambda old: old[1:]),
        ("events/kept.customers.records.viewed.v1.json", ["properties", "fields", "additionalProperties", "enum"], ["x"]),
        (CUSTOMERS, ["paths", "/api/customers/{customer_id}", "patch"], None),
        (CUSTOMERS, ["paths", "/api/customers/{customer_id}", "get", "responses", "200"], None),
        (CUSTOMERS, ["components", "schemas", "CustomerOut", "properties", "owner"], None),
        (CUSTOMERS, ["components", "schemas", "CustomerOut", "required"], lambda old: old[1:]),
        (CUSTOMERS, ["components", "schemas", "Search", "properties", "email", "maxLength"], 10),
        (CUSTOMERS, ["components", "schemas", "Search", "required"], ["phone"]),
        (CUSTOMERS, ["components", "schemas", "Changes", "properties", "fields", "maxProperties"], None),
        ("asyncapi.json", ["channels", "kept.customers", "messages", "kept.customers.customer.created.v1"], None),
    ],
)
def test_a_break_is_found(name: str, path: list[str], to: Any) -> None:
    found = changed(name, *path, to=to)
    harmless = path[-1] == "maxProperties"  # a limit that goes away breaks nobody
    assert bool(found) is not harmless, found


def test_a_whole_event_that_is_gone_is_found() -> None:
    old = dict(committed())
    assert all_breaks(old, {name: one for name, one in old.items() if name != CREATED}) == [f"{CREATED}: is gone"]


def test_what_only_adds_breaks_nobody() -> None:
    old = committed()
    event, api = copy.deepcopy(old[CREATED]), copy.deepcopy(old[CUSTOMERS])
    event["properties"]["since"] = {"type": "string"}
    event["description"] = "said better"
    api["components"]["schemas"]["CustomerOut"]["properties"]["since"] = {"type": "string"}
    api["components"]["schemas"]["Search"]["properties"]["name"] = {"type": "string"}
    api["paths"]["/api/customers/new"] = {"get": {"responses": {}}}
    assert list(event_breaks(old[CREATED], event)) == list(openapi_breaks(old[CUSTOMERS], api)) == []


@pytest.mark.parametrize(
    ("old", "new", "way", "broken"),
    [
        ({"type": "string"}, {"anyOf": [{"type": "string"}, {"type": "null"}]}, "sent", False),
        ({"type": "string"}, {"anyOf": [{"type": "string"}, {"type": "null"}]}, "given", True),
        ({"anyOf": [{"type": "string"}, {"type": "null"}]}, {"type": "string"}, "sent", True),
        ({"anyOf": [{"type": "string"}, {"type": "null"}]}, {"type": "string"}, "given", False),
        ({"enum": ["a"], "type": "string"}, {"enum": ["a", "b"], "type": "string"}, "sent", False),
        ({"enum": ["a"], "type": "string"}, {"enum": ["a", "b"], "type": "string"}, "given", True),
        ({"type": "array", "items": {"type": "string"}}, {"type": "array", "items": {"type": "integer"}}, "given", True),
        ({"type": "object"}, {"type": "object", "additionalProperties": False}, "sent", True),
        ({"type": "string"}, {"type": "string", "pattern": "^a$"}, "sent", True),
        ({"type": "integer", "maximum": 5}, {"type": "integer"}, "sent", False),
    ],
)
def test_the_two_directions_differ(old: Any, new: Any, way: Any, broken: bool) -> None:
    assert bool(list(breaks(old, new, way))) is broken


# -- the documents themselves -----------------------------------------------------------------------------------


def test_every_schema_is_one_and_every_reference_leads_somewhere() -> None:
    there = committed()
    for name, document in there.items():
        if name.startswith("events/"):
            Draft202012Validator.check_schema(document)
    for topic, channel in there["asyncapi.json"]["channels"].items():
        assert channel["address"] == topic
        assert {one["payload"]["$ref"] for one in channel["messages"].values()} <= there.keys()
    for operation in there["asyncapi.json"]["operations"].values():
        topic = operation["channel"]["$ref"].removeprefix("#/channels/")
        heard = {one["$ref"].rpartition("/")[2] for one in operation["messages"]}
        assert heard and heard <= there["asyncapi.json"]["channels"][topic]["messages"].keys()


def test_who_reads_anothers_event_reads_what_is_there(built: list[Built]) -> None:
    """A reading copy has a part of the publisher's members, of the same kind, and goes without those it cannot count on."""
    found = copies()
    assert {one.type_ for one in found} >= {"kept.identity.user.created.v1", "kept.dsar.erasure.requested.v1"}
    for mine in found:
        assert list(misread(mine, published()[mine.type_])) == [], mine


def misread(mine: type[Event], theirs: type[Event]) -> Iterator[str]:
    """What a reading copy expects and the publisher does not promise."""
    copy_, promised = mine.model_json_schema(mode="serialization"), theirs.model_json_schema(mode="serialization")
    yield from (f"{name} does not exist" for name in copy_["properties"].keys() - promised["properties"].keys())
    if mine.topic != theirs.topic:
        yield f"{theirs.topic} is the topic"
    sure = {name for name, field in theirs.model_fields.items() if field.is_required()}
    for name in (name for name, field in mine.model_fields.items() if field.is_required()):
        if name not in sure:
            yield f"{name} may be missing"
        yield from breaks(copy_["properties"][name], promised["properties"][name], "given", name, roots=(copy_, promised))


def test_every_json_body_that_we_take_shows_an_example(built: list[Built]) -> None:
    bare = []
    for one in built:
        api = one.app.openapi()
        for path, operations in api["paths"].items():
            for verb, operation in operations.items():
                schema = operation.get("requestBody", {}).get("content", {}).get("application/json", {}).get("schema", {})
                if "$ref" in schema:
                    schema = api["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
                    members = schema.get("properties", {}).values()
                    if "examples" not in schema and not any("examples" in member for member in members):
                        bare.append(f"{verb.upper()} {path}")
    assert not bare


def test_an_event_that_is_none_is_refused() -> None:
    created = published()["kept.customers.customer.created.v1"]
    with pytest.raises(ValidationError):
        created.model_validate({"key_version": 1, "fields": {}, "locators": [], "email": "luisg@embraer.com.br"})
