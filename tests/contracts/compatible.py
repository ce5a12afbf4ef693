"""What breaks somebody who relies on a contract: removed, narrowed, newly required.

Two directions. `sent` is what others send us (requests, commands): we may accept more, never less. `given` is what we give
them (responses, events): we may give more, and never leave out or change what they read. An event is read again years later
by whoever replays the log, so it may gain optional members only.
"""

from collections.abc import Iterator, Mapping
from typing import Any, Literal

Schema = Any
Way = Literal["sent", "given"]
_WORDS = ("description", "title", "examples", "example", "default", "$id", "$schema", "summary")
_BOUNDS = {"maxLength": 1, "maximum": 1, "maxItems": 1, "minLength": -1, "minimum": -1, "minItems": -1}


def breaks(old: Schema, new: Schema, way: Way, at: str = "", *, roots: tuple[Schema, Schema] = ({}, {})) -> Iterator[str]:
    """Each break, as a place and a word. `roots`: the documents that `$ref`s lead into."""
    old, new = _resolved(old, roots[0]), _resolved(new, roots[1])
    if "anyOf" in old or "anyOf" in new:
        yield from _choices(old, new, way, at, roots)
        return
    if old.get("type") != new.get("type") and not (way == "sent" and "type" not in new):
        yield f"{at}: was {old.get('type', 'anything')}, is {new.get('type', 'anything')}"
        return
    yield from _values(old, new, way, at)
    yield from _members(old, new, way, at, roots)
    for inner in ("items", "additionalProperties"):
        if isinstance(old.get(inner), dict) and isinstance(new.get(inner), dict):
            yield from breaks(old[inner], new[inner], way, f"{at}[]", roots=roots)


def _resolved(schema: Schema, root: Schema) -> Schema:
    while isinstance(schema, dict) and "$ref" in schema:
        target: Any = root
        for part in schema["$ref"].removeprefix("#/").split("/"):
            target = target[part]
        schema = target
    return {name: one for name, one in schema.items() if name not in _WORDS}


def _choices(old: Schema, new: Schema, way: Way, at: str, roots: tuple[Schema, Schema]) -> Iterator[str]:
    """Every choice that must still be there has one that it is compatible with."""
    before, after = old.get("anyOf", [old]), new.get("anyOf", [new])
    must, have = (before, after) if way == "sent" else (after, before)
    for number, one in enumerate(must):
        pairs = [(one, two) if way == "sent" else (two, one) for two in have]
        if all(any(breaks(*pair, way, at, roots=roots)) for pair in pairs):
            yield f"{at}: choice {number + 1} of {len(must)} is {'gone' if way == 'sent' else 'new to those who read it'}"


def _values(old: Schema, new: Schema, way: Way, at: str) -> Iterator[str]:
    before, after = _allowed(old), _allowed(new)
    if way == "sent" and after is not None and (before is None or not before <= after):
        yield f"{at}: takes fewer values"
    if way == "given" and before is not None and (after is None or not after <= before):
        yield f"{at}: may have values that nobody expects"
    for name, sign in _BOUNDS.items():
        was, now = old.get(name), new.get(name)
        if way == "sent" and now is not None and (was is None or sign * now < sign * was):
            yield f"{at}: {name} is narrower"
    for name in ("pattern", "format"):
        if way == "sent" and name in new and old.get(name) != new[name]:
            yield f"{at}: {name} is another"


def _allowed(schema: Schema) -> set[str] | None:
    """The values that stand in the schema; None where any will do."""
    if "const" in schema:
        return {repr(schema["const"])}
    return {repr(one) for one in schema["enum"]} if "enum" in schema else None


def _members(old: Schema, new: Schema, way: Way, at: str, roots: tuple[Schema, Schema]) -> Iterator[str]:
    before: Mapping[str, Schema] = old.get("properties", {})
    after: Mapping[str, Schema] = new.get("properties", {})
    for name, one in before.items():
        if name not in after:
            yield f"{at}.{name}: is gone"
        else:
            yield from breaks(one, after[name], way, f"{at}.{name}", roots=roots)
    required, needs = set(old.get("required", ())), set(new.get("required", ()))
    if way == "sent":
        yield from (f"{at}.{name}: is required now" for name in sorted(needs - required))
        if new.get("additionalProperties") is False and old.get("additionalProperties") is not False:
            yield f"{at}: takes no other members any more"
    else:
        yield from (f"{at}.{name}: may be missing now" for name in sorted((required - needs) & after.keys()))


# -- whole documents --------------------------------------------------------------------------------------------


def event_breaks(old: Schema, new: Schema) -> Iterator[str]:
    """An event type, or a command: what was written must stay readable, and what is written must be what was promised."""
    at = str(old.get("title", ""))
    yield from breaks(old, new, "given", at, roots=(old, new))
    for name in sorted(set(new.get("required", ())) - set(old.get("required", ()))):
        yield f"{at}.{name}: required now, and events of before do not have it"


def openapi_breaks(old: Schema, new: Schema) -> Iterator[str]:
    """An interface over HTTP."""
    roots = (old, new)
    for path, operations in old["paths"].items():
        for verb, before in operations.items():
            at = f"{verb.upper()} {path}"
            after = new["paths"].get(path, {}).get(verb)
            if after is None:
                yield f"{at}: is gone"
                continue
            yield from _parameters(before, after, at, roots)
            yield from _bodies(before.get("requestBody", {}), after.get("requestBody", {}), "sent", at, roots)
            for status, response in before.get("responses", {}).items():
                if status.startswith("2") and status not in after.get("responses", {}):
                    yield f"{at}: no longer answers {status}"
                elif status.startswith("2"):
                    yield from _bodies(response, after["responses"][status], "given", f"{at} {status}", roots)


def _parameters(before: Schema, after: Schema, at: str, roots: tuple[Schema, Schema]) -> Iterator[str]:
    was = {(one["in"], one["name"]): one for one in before.get("parameters", [])}
    now = {(one["in"], one["name"]): one for one in after.get("parameters", [])}
    for key, one in was.items():
        if key not in now:
            yield f"{at}: parameter {key[1]} is gone"
        else:
            yield from breaks(one.get("schema", {}), now[key].get("schema", {}), "sent", f"{at} {key[1]}", roots=roots)
    for key, one in now.items():
        if one.get("required") and not was.get(key, {}).get("required"):
            yield f"{at}: parameter {key[1]} is required now"


def _bodies(before: Schema, after: Schema, way: Way, at: str, roots: tuple[Schema, Schema]) -> Iterator[str]:
    if after.get("required") and not before.get("required") and way == "sent":
        yield f"{at}: a body is required now"
    for kind, one in before.get("content", {}).items():
        if kind not in after.get("content", {}):
            yield f"{at}: no {kind} any more"
        else:
            yield from breaks(one.get("schema", {}), after["content"][kind].get("schema", {}), way, at, roots=roots)


def all_breaks(old: Mapping[str, Schema], new: Mapping[str, Schema]) -> list[str]:
    """Every break between two sets of documents (docs/contracts as it was and as it would be)."""
    found: list[str] = []
    for name, before in old.items():
        kind = name.partition("/")[0]
        if kind == "asyncapi.json":
            found += topic_breaks(before, new[name])
        elif name not in new:
            found.append(f"{name}: is gone")
        else:
            found += (openapi_breaks if kind == "openapi" else event_breaks)(before, new[name])
    return found


def topic_breaks(old: Schema, new: Schema) -> Iterator[str]:
    """A topic that is gone, or an event that left it."""
    for topic, channel in old["channels"].items():
        there = new["channels"].get(topic, {}).get("messages", {})
        yield from (f"{topic}: {name} is gone" for name in channel["messages"] if name not in there)
