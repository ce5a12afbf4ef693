"""Statements that go to the server together: one round trip, however many they are.

The driver is used as it is, in the session's own transaction: what SQLAlchemy does around a statement costs more than a short
statement itself. Every other way into the transaction stays open beside it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from psycopg import AsyncConnection
from sqlalchemy import Select
from sqlalchemy.dialects import postgresql
from sqlalchemy.ext.asyncio import AsyncSession

DIALECT = postgresql.psycopg.dialect()  # type: ignore[no-untyped-call]  # SQLAlchemy's
Row = tuple[Any, ...]
Connection = AsyncConnection[Row]


@dataclass(frozen=True)
class Statement:
    """SQL with the driver's named parameters, `%(name)s`."""

    text: str
    values: Mapping[str, Any] = field(default_factory=dict)


class Query:
    """A query that is put into SQL once; `asking` it with values makes a statement. `always`: the values that stand in it."""

    def __init__(self, query: Select[*tuple[Any, ...]]) -> None:
        compiled = query.compile(dialect=DIALECT)
        self.text = compiled.string
        self.always: Mapping[str, Any] = {name: value for name, value in compiled.params.items() if value is not None}

    def asking(self, **values: Any) -> Statement:
        """`values`: of the query's own parameters."""
        return Statement(self.text, {**self.always, **values})


async def driver(session: AsyncSession) -> Connection:
    """The connection on which the session's transaction runs."""
    found: Connection = (await (await session.connection()).get_raw_connection()).driver_connection  # type: ignore[assignment]
    return found


async def together(session: AsyncSession, statements: Sequence[Statement]) -> list[list[Row]]:
    """What each gives, in order; each sees what those before it did. psycopg.Error: then none of the later ones was run."""
    raw = await driver(session)
    async with raw.pipeline():
        cursors = [await raw.execute(one.text, one.values) for one in statements]
    return [await one.fetchall() if one.description else [] for one in cursors]


async def close(session: AsyncSession, statements: Sequence[Statement]) -> None:
    """These, and the commit with them. psycopg.Error where one fails; then nothing of the transaction was done."""
    if statements:
        raw = await driver(session)
        async with raw.pipeline():
            for one in statements:
                await raw.execute(one.text, one.values)
            await raw.execute("COMMIT")
    await session.commit()  # of a transaction that is over the driver knows it, and says nothing to the server
