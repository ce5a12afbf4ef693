"""What depends on the row stands in SQL and not in Cedar, so that a page is decided once. For whatever actor, team, owner and
record, the two say the same."""

import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine, create_engine, delete, insert, literal, select

from services.customers.base import TABLES
from services.customers.records import looks
from services.customers.records.rows import ROWS, page_of, readable, team_of
from services.customers.tables import Customer
from shared.access.actor import Actor, ActorKind
from shared.access.decide import Policies, Resource
from shared.migrations import migrate
from tests.support.postgres import server

NOW = datetime(2026, 1, 2, tzinfo=UTC)
POLICIES = Policies.load()
USERS = [f"sub_{n:032x}" for n in range(6)]
KINDS: list[ActorKind] = ["user", "service", "subject", "system"]
ROLES = ["agent", "sales_manager", "general_manager", "it_manager", "auditor", "it"]
Owned = tuple[str | None, bool]  # by whom, erased

actors = st.builds(
    Actor,
    id=st.sampled_from(USERS),
    kind=st.sampled_from(KINDS),
    roles=st.frozensets(st.sampled_from(ROLES), max_size=3),
    team=st.frozensets(st.sampled_from([*USERS, "", "sub_x'); --"]), max_size=6),
)
records = st.lists(st.tuples(st.sampled_from([*USERS, None, ""]), st.booleans()), max_size=12)


@pytest.fixture(scope="module")
def engine() -> Iterator[Engine]:
    with asyncio.Runner() as runner:
        holder = server()
        databases = runner.run(holder.__aenter__())
        migrate("customers", databases["customers"])
        made = create_engine(databases["customers"])
        yield made
        made.dispose()
        runner.run(holder.__aexit__(None, None, None))


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(actor=actors, owned=records)
def test_sql_and_cedar_say_the_same_of_every_record(engine: Engine, actor: Actor, owned: list[Owned]) -> None:
    ids = [f"sub_{n:032x}" for n in range(100, 100 + len(owned))]
    may_look = POLICIES.decide(actor, "look", Resource("Customers", "all")).allowed
    cedar = {id_ for id_, (owner, erased) in zip(ids, owned, strict=True) if not erased and _may_view(actor, id_, owner)}
    for name, found in _by_sql(engine, actor, ids, owned).items():
        assert (found if may_look else set()) == cedar, name


def _may_view(actor: Actor, id_: str, owner: str | None) -> bool:
    decision = POLICIES.decide(actor, "view", Resource("Customer", id_, {} if owner is None else {"owner": owner}))
    assert decision.policy_ids == ((ROWS,) if decision.allowed else ()), "events name the policy that SQL states"
    return decision.allowed


def _by_sql(engine: Engine, actor: Actor, ids: list[str], owned: list[Owned]) -> dict[str, set[str]]:
    """Whom each way of reading finds."""
    rows = [
        {"id": id_, "version": 1, "owner_id": owner, "created_at": NOW, "updated_at": NOW, "normal_form": 2,
         "erased_at": NOW if erased else None}
        for id_, (owner, erased) in zip(ids, owned, strict=True)
    ]  # fmt: skip
    with engine.begin() as db:
        db.execute(delete(Customer))
        db.execute(delete(TABLES.data_keys))
        if rows:
            db.execute(insert(Customer), rows)
            db.execute(insert(TABLES.data_keys), [{"subject": one, "version": 1, "wrapped": "vault:v1:x"} for one in ids])
        team = {"team": sorted(actor.team)}
        one = looks._rows(()).where(Customer.id == literal("x"))
        assert db.execute(one, team).first() is None
        return {
            "in a transaction": {row[0] for row in db.execute(readable(actor).with_only_columns(Customer.id))},
            "of a look": {row[0] for row in db.execute(looks._rows(()), team)},  # type: ignore[misc]
            "of a page": set(db.scalars(select(page_of(team_of(actor), literal(""), literal(100)).subquery().c.id))),
        }
