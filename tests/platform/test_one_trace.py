"""One trace through everything: a code typed in the portal, and what follows from it in other services.

dsar's HTTP request opens a transaction; its outbox carries the trace to Kafka; customers handles the command in a transaction
of its own; its answer travels back; dsar's handler takes it. All of it is one trace, and every span hangs where it belongs.
"""

import secrets

import pytest

from tests.support.otlp import Seen
from tests.support.platform import Platform
from tests.support.portal import Person

pytestmark = pytest.mark.platform

HTTP = "POST /requests/{request_id}/code"
DSAR, CUSTOMERS = "dsar transaction", "customers transaction"
ASK, SENT = "kept.dsar.command.locate.v1 handle", "kept.dsar.commands publish"
TAKE, BACK = "kept.customers.answer.located.v2 handle", "kept.dsar.answers.customers publish"


@pytest.fixture(scope="module")
def trace(platform: Platform) -> tuple[Person, list[Seen]]:
    """The spans of one proven address that nobody knows."""
    person = Person(platform.origin, f"made.up.{secrets.token_hex(6)}@example.org")
    person.ask("access")
    person.prove()
    found = platform.collector.trace_with(lambda one: one.name == HTTP, HTTP, DSAR, SENT, ASK, CUSTOMERS, BACK, TAKE)
    return person, list(found)


def ways(spans: list[Seen]) -> set[tuple[tuple[str, str], ...]]:
    """Each span as the way from the root to it: (service, name) after (service, name)."""
    by_id = {one.id: one for one in spans}

    def way(one: Seen) -> tuple[tuple[str, str], ...]:
        above = way(by_id[one.parent]) if one.parent else ()
        return (*above, (one.service, one.name))

    return {way(one) for one in spans}


def test_http_outbox_kafka_handler_and_database_are_one_trace(trace: tuple[Person, list[Seen]]) -> None:
    _, spans = trace
    roots = [one for one in spans if not one.parent]
    assert [(one.service, one.name) for one in roots] == [("dsar", HTTP)]
    asked = (("dsar", HTTP), ("dsar", DSAR))
    answered = (*asked, ("customers", ASK), ("customers", CUSTOMERS))
    expected = {
        asked,
        (*asked, ("dsar", SENT)),
        answered,
        (*answered, ("customers", BACK)),
        (*answered, ("dsar", TAKE)),
        (*answered, ("dsar", TAKE), ("dsar", DSAR)),
    }
    assert expected <= ways(spans)


def test_transactions_say_which_database_and_messages_which_bus(trace: tuple[Person, list[Seen]]) -> None:
    _, spans = trace
    assert {one.attributes.get("db.system.name") for one in spans if one.name.endswith(" transaction")} == {"postgresql"}
    bus = [one for one in spans if one.name.endswith((" publish", " handle"))]
    assert {one.attributes.get("messaging.system") for one in bus} == {"kafka"}


def test_only_our_own_spans_leave_and_nothing_else(platform: Platform, trace: tuple[Person, list[Seen]]) -> None:
    assert {one.scope for one in platform.collector.spans()} == {"kept"}, "a library sends what we did not look at"
    assert platform.collector.paths == {"/v1/traces"}


def test_no_span_names_a_person(platform: Platform, trace: tuple[Person, list[Seen]]) -> None:
    person, spans = trace
    everything = b"".join(platform.collector.bodies)
    local = person.email.partition("@")[0]
    for value in (person.email, local, person.request_id, "loc_1_", "luisg@embraer.com.br", "chinookcorp"):
        assert value.encode() not in everything, "a span carries a value"
    assert not any("sub_" in text for one in spans for text in (one.name, *one.attributes.values()))
    assert all("{" in one.name or " " in one.name for one in spans), "a name is a pattern, not a path"
