"""By which locators people are found, as their newest events say; never of a person who was erased.

Who a person is the service says that made them, on its own topic: from anywhere else, a holder's answer too, nothing is
learnt."""

from collections.abc import Iterable
from typing import Any, LiteralString

from psycopg import AsyncConnection, sql
from pydantic_core import to_json
from sqlalchemy import delete, text

from services.audit.index.facts import Facts
from services.audit.index.tables import LIVE, NEXT, Known
from services.audit.log.head import topic_of
from shared.work import Work

OWNERS = frozenset(("kept.identity", "kept.customers"))  # topics of the services that make subjects


def said(shard: str, facts: Iterable[Facts]) -> str:
    """What `learn` takes: the newest locators of each subject, `[[locator, subject], …]` in JSON; empty without any, and
    of every shard but the owners'."""
    if topic_of(shard) not in OWNERS:
        return ""
    newest = {one.subject: one.locators for one in facts if one.locators}
    pairs = [(locator, subject) for subject in sorted(newest) for locator in newest[subject]]
    return to_json(pairs).decode() if pairs else ""


async def learn(w: Work, connection: AsyncConnection[Any], schema: str, pairs: str) -> None:
    """Make it so, in the caller's transaction.

    An address that somebody gave up leads to them no more: the next to have it must not be told about them. Most events
    change no address, and then nothing is written."""
    said, table = {"said": pairs}, sql.Identifier(schema, "known_locators")

    def statement(text: LiteralString) -> sql.Composed:
        return sql.SQL(_SAID + text).format(table=table)

    forget, remember = await (await connection.execute(statement(_DIFFERENT), said)).fetchone() or (False, None)
    if forget:
        await connection.execute(statement(_FORGET), said)
    if remember:
        await w.keyring.hold(w.session, remember)  # else who is erased at this moment would be found by it afterwards
        await connection.execute(statement(_REMEMBER), said)


async def hold_swap(w: Work) -> None:
    """Until this transaction ends no rebuilt index takes the place of the live one (rebuild.py, step 3): who is forgotten is
    forgotten in both, by their names of before or after. Before anybody is shredded, so that nobody waits in a circle."""
    await w.session.execute(text(f"LOCK TABLE {LIVE}.positions IN ROW SHARE MODE"))


async def forget(w: Work, subject: str) -> int:
    """Of an erased person, also in an index that is being rebuilt; by how many locators they were found.

    The caller has shredded them in this transaction, after `hold_swap`: nothing more is learnt of them, and no index is
    swapped meanwhile."""
    gone = await w.session.execute(delete(Known).where(Known.subject == subject).returning(Known.locator))
    if await w.session.scalar(text("SELECT to_regclass(:name) IS NOT NULL"), {"name": f"{NEXT}.known_locators"}):
        await w.session.execute(text(f"DELETE FROM {NEXT}.known_locators WHERE subject = :subject"), {"subject": subject})  # noqa: S608
    return len(gone.all())


# Subjects as an array, so that PostgreSQL looks each up by the index, however many it expects there to be.
_SAID: LiteralString = """WITH
said AS MATERIALIZED (SELECT one->>0 locator, one->>1 subject FROM json_array_elements(%(said)s::json) one),
whose AS MATERIALIZED (SELECT array_agg(DISTINCT subject) ids FROM said),
erased AS (SELECT subject FROM data_keys WHERE shredded_at IS NOT NULL AND subject = ANY ((SELECT ids FROM whose)::text[])),
newest AS MATERIALIZED (SELECT * FROM said WHERE subject NOT IN (SELECT subject FROM erased)),
present AS MATERIALIZED (SELECT locator, subject FROM {table} WHERE subject = ANY ((SELECT ids FROM whose)::text[])),
old AS (SELECT locator, subject FROM present WHERE (locator, subject) NOT IN (SELECT locator, subject FROM newest)),
new AS (SELECT locator, subject FROM newest WHERE (locator, subject) NOT IN (SELECT locator, subject FROM present))
"""
_DIFFERENT: LiteralString = "SELECT EXISTS (SELECT FROM old), (SELECT array_agg(DISTINCT subject) FROM new)"
_FORGET: LiteralString = "DELETE FROM {table} t USING old WHERE (t.locator, t.subject) = (old.locator, old.subject)"
_REMEMBER: LiteralString = "INSERT INTO {table} (locator, subject) SELECT * FROM new ON CONFLICT DO NOTHING"
