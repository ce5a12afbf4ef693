"""Two processes of each service: which one leads, and what the databases say of what was done, once, twice or not at all."""

import time
from collections import Counter
from collections.abc import Callable
from typing import Any

import httpx

from deploy.local.catalog import SECOND
from tests.support.insider import Insider
from tests.support.platform import Platform

MOVES_SECONDS_MAX = 15.0
BUSY_SECONDS_MAX = 120.0  # where others are killed and asked at the same time, on two cores that others use too
DUTY = {"backup": "backup work"}  # whoever has this one leads, where it is not the relay


def ready(platform: Platform, part: str) -> dict[str, Any]:
    """What a process says of itself; empty while it does not answer."""
    try:
        return dict(httpx.get(f"http://127.0.0.1:{platform.ports[part]}/readyz", timeout=10).json())
    except httpx.HTTPError:
        return {}


def leads(platform: Platform, part: str, duty: str = "relay") -> bool:
    """Whether a process does a duty: it waits for nothing, and nobody else does it."""
    said = ready(platform, part)
    return said.get("waits_for") == [] and duty not in said.get("stands_by", [])


def has_everything(platform: Platform, part: str) -> bool:
    """Whether a process does every duty of its service."""
    said = ready(platform, part)
    return said.get("waits_for") == [] and "stands_by" not in said


def pair(platform: Platform, service: str) -> tuple[str, str]:
    """The process of a service that leads, and the one that stands by."""
    parts = sorted((service, SECOND[service]), key=lambda part: not leads(platform, part, DUTY.get(service, "relay")))
    return parts[0], parts[1]


def killed(platform: Platform, service: str, seconds: float = BUSY_SECONDS_MAX) -> None:
    """The one that leads dies, and what it did is the other one's before `seconds` are over."""
    leader, other = pair(platform, service)
    platform.kill(leader)
    until(lambda: has_everything(platform, other), seconds)


def until(true: Callable[[], bool], seconds: float) -> float:
    """How long it took."""
    began = time.monotonic()
    while not true():
        assert time.monotonic() - began < seconds, "not in time"
        time.sleep(0.1)
    return time.monotonic() - began


def rows(platform: Platform, service: str, query: str, *values: object) -> list[tuple[Any, ...]]:
    """What a statement on a service's database gives."""
    with Insider(platform.state, service).connect(service) as connection:
        answer = connection.execute(query.encode(), values)
        return answer.fetchall() if answer.description else []


def told(platform: Platform, type_: str) -> Counter[str]:
    """Record key (a person, a request) -> events of this type in the outbox of the service that the type names."""
    query = "SELECT key FROM outbox WHERE headers @> jsonb_build_array(jsonb_build_array('ce_type', %s::text))"
    return Counter(str(key) for (key,) in rows(platform, type_.split(".")[1], query, type_))


def waiting(platform: Platform, service: str, ids: list[str]) -> int:
    """How many of these events are not marked as published."""
    query = "SELECT count(*) FROM outbox WHERE published_at IS NULL AND ce_id = ANY(%s)"
    return int(rows(platform, service, query, ids)[0][0])


def events(platform: Platform, service: str) -> list[str]:
    """The ids of those that stand in its outbox now; audit adds one to its own every minute."""
    return [str(one) for (one,) in rows(platform, service, "SELECT ce_id FROM outbox")]


def logged(platform: Platform, ids: list[str]) -> Counter[int]:
    """How often events stand in the log (as it is searched) -> how many of them."""
    query = "SELECT count(e.ce_id) FROM unnest(%s::text[]) id LEFT JOIN trail.events e ON e.ce_id = id GROUP BY id"
    return Counter(int(number) for (number,) in rows(platform, "audit", query, ids))
