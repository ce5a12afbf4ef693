"""Whose records somebody may know of, as SQL says it: the condition, a page of them, and the key that travels with each row.

Reading is always through `readable(actor)` or through looks.py, which know who asks; a plain `select(Customer)` is for jobs
without a reader. Cedar says the same of one record (ROWS); a property test holds the two against each other.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ARRAY, ColumnElement, Select, Text, and_, any_, collate, func, literal, select, true
from sqlalchemy.orm import InstrumentedAttribute

from services.customers.base import TABLES
from services.customers.tables import Customer
from shared.access.actor import Actor
from shared.keys.keyring import WrappedKey
from shared.work import Work

ROWS = "customers.own_and_reporting_line"  # the policy that `visible` states
KEYS = TABLES.data_keys.c
KEYED = (KEYS.subject == Customer.id) & KEYS.current  # what joins the key to its row
Team = ColumnElement[Sequence[str]]


@dataclass(frozen=True)
class Row:
    """A customer as `readable` finds them, with the wrapped key that opens their fields."""

    customer: Customer
    key: WrappedKey

    @property
    def owner(self) -> str:
        return self.customer.owner_id or ""


def visible(team: Team) -> ColumnElement[bool]:
    """Whether somebody with this reporting line may know of a customer: it is of one of them, and was not erased."""
    return and_(Customer.erased_at.is_(None), Customer.owner_id == any_(team))


def readable(actor: Actor) -> Select[Customer, int, str | None]:
    """The customers that `actor` may know of. The key travels with the row: who was shredded before this read is not opened by
    it, whatever key anybody remembers."""
    return select(Customer, KEYS.version, KEYS.wrapped).join(TABLES.data_keys, KEYED).where(visible(team_of(actor)))


def among(column: ColumnElement[Any] | InstrumentedAttribute[Any], texts: Collection[str]) -> ColumnElement[bool]:
    """Whether `column` has one of these. As one parameter, however many: a statement takes 65,535."""
    return column == any_(literal(list(texts), ARRAY(Text)))


def team_of(actor: Actor) -> Team:
    """As one parameter, so that the statement is the same for every team."""
    return literal(sorted(actor.team), ARRAY(Text))


def page_of(team: Team, after: ColumnElement[str], rows: ColumnElement[int]) -> Select[str]:
    """The ids of the first `rows` visible ones after the id `after`.

    The first of each member of the team, and of these the first: no more is read, however large the team and its share of the
    records are. (Of all visible ones in order PostgreSQL walks along all ids where a team has few: 0.2 s of a million. The
    collation is of the index `customers_owned` alone, so that it cannot do so here either; ids are ordered alike in all.)"""
    member = func.unnest(team).table_valued("member", name="team").render_derived()
    place = collate(Customer.id, "C")
    mine = select(Customer.id).where(Customer.owner_id == member.c.member, place > after, Customer.erased_at.is_(None))
    first = mine.order_by(place).limit(rows).lateral("first")
    return select(first.c.id).select_from(member).join(first, true()).order_by(first.c.id).limit(rows)


async def rows_of(w: Work, query: Select[Customer, int, str | None]) -> list[Row]:
    """What a query that `readable` began finds."""
    return [Row(c, WrappedKey(version, key)) for c, version, key in (await w.session.execute(query)).all()]


async def unlock(w: Work, rows: Sequence[Row]) -> None:
    """Have the keys of all of them at hand, in one go."""
    await w.unlock(wrapped={one.customer.id: one.key for one in rows})
