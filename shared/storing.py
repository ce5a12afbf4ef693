"""Rows into a table: a few with the commit's round trip, many by COPY. An encrypted column takes what was sealed, and nothing
else, as when SQLAlchemy stores it (shared/keys/column.py)."""

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

from sqlalchemy import BigInteger, Boolean, DateTime, Integer, LargeBinary, SmallInteger, String, Table
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.types import TypeDecorator, TypeEngine

from shared.errors import InvariantError
from shared.trips import DIALECT, Statement, driver

Values = Mapping[str, Any]

# As PostgreSQL calls them, the narrower ones first: they are subclasses of the wider.
_TYPES: Sequence[tuple[type[TypeEngine[Any]], str]] = (
    (SmallInteger, "int2"), (BigInteger, "int8"), (Integer, "int4"), (String, "text"), (LargeBinary, "bytea"),
    (DateTime, "timestamptz"), (Boolean, "bool"), (JSONB, "jsonb"),
)  # fmt: skip


def insertion(table: Table, rows: Sequence[Values]) -> list[Statement]:
    """For a few rows, all with the same columns; nothing for no rows."""
    if not rows:
        return []
    names = tuple(rows[0])
    values = (value for row in _bound(table, names, rows) for value in row)
    return [Statement(_insert(table, names, len(rows)), {f"v{n}": value for n, value in enumerate(values)})]


def change(table: Table, key: Values, values: Values) -> Statement:
    """`values` into the row that `key` names."""
    row = {**values, **key}
    (bound,) = _bound(table, tuple(row), [row])
    return Statement(_update(table, tuple(values), tuple(key)), dict(zip(row, bound, strict=True)))


async def copied(session: AsyncSession, table: Table, rows: Sequence[Values]) -> None:
    """For many rows, all with the same columns. psycopg.Error."""
    if not rows:
        return
    names = tuple(rows[0])
    raw = await driver(session)
    async with raw.cursor() as cursor, cursor.copy(_copy(table, names)) as copy:
        copy.set_types([_type(table, name) for name in names])
        for row in _bound(table, names, rows):
            await copy.write_row(row)


def _bound(table: Table, names: Sequence[str], rows: Sequence[Values]) -> list[list[Any]]:
    """The values of each row in order, each as its column takes it."""
    columns = [(name, _bind(table, name)) for name in names]
    return [[row[name] if bind is None else bind(row[name], DIALECT) for name, bind in columns] for row in rows]


def _bind(table: Table, name: str) -> Any:
    kind = table.c[name].type
    return kind.process_bind_param if isinstance(kind, TypeDecorator) else None


@lru_cache
def _insert(table: Table, names: tuple[str, ...], rows: int) -> str:
    width = len(names)
    values = (", ".join(f"%(v{width * row + place})s" for place in range(width)) for row in range(rows))
    return f"INSERT INTO {_named(table, names)} VALUES ({'), ('.join(values)})"  # noqa: S608 - names of our own tables


@lru_cache
def _update(table: Table, names: tuple[str, ...], key: tuple[str, ...]) -> str:
    quoted = DIALECT.identifier_preparer.quote
    new, old = (", ".join(f"{quoted(one)} = %({one})s" for one in some) for some in (names, key))
    return f"UPDATE {quoted(table.name)} SET {new} WHERE {old.replace(', ', ' AND ')}"  # noqa: S608 - as above


@lru_cache
def _copy(table: Table, names: tuple[str, ...]) -> str:
    return f"COPY {_named(table, names)} FROM STDIN (FORMAT BINARY)"


def _named(table: Table, names: Sequence[str]) -> str:
    quoted = DIALECT.identifier_preparer.quote
    return f"{quoted(table.name)} ({', '.join(quoted(name) for name in names)})"


@lru_cache
def _type(table: Table, name: str) -> str:
    kind = table.c[name].type
    kind = kind.impl_instance if isinstance(kind, TypeDecorator) else kind
    for known, text in _TYPES:
        if isinstance(kind, known):
            return text
    raise InvariantError(f"no COPY for the type of {table.name}.{name}")
