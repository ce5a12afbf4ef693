"""By which locators people are found, as their newest events say; never of a person who was erased."""

from collections.abc import Iterable
from typing import Any

from psycopg import AsyncConnection
from pydantic_core import to_json

from services.audit.index.facts import Facts
from shared.work import Work


def said(facts: Iterable[Facts]) -> str:
    """What `learn` takes: the newest locators of each subject, `[[locator, subject], …]` in JSON; empty without any."""
    newest = {one.subject: one.locators for one in facts if one.locators}
    pairs = [(locator, subject) for subject in sorted(newest) for locator in newest[subject]]
    return to_json(pairs).decode() if pairs else ""


async def learn(w: Work, connection: AsyncConnection[Any], pairs: str) -> None:
    """Make it so, in the caller's transaction.

    An address that somebody gave up leads to them no more: the next to have it must not be told about them. Most events
    change no address, and then nothing is written."""
    await w.keyring.hold(w.session)  # else who is erased at this moment would be found by it afterwards
    said = {"said": pairs}
    forget, remember = await (await connection.execute(_DIFFERENT, said)).fetchone() or (False, False)
    if forget:
        await connection.execute(_FORGET, said)
    if remember:
        await connection.execute(_REMEMBER, said)


# Subjects as an array, so that PostgreSQL looks each up by the index, however many it expects there to be.
_SAID = """WITH said AS MATERIALIZED (SELECT one->>0 locator, one->>1 subject FROM json_array_elements(%(said)s::json) one),
whose AS MATERIALIZED (SELECT array_agg(DISTINCT subject) ids FROM said),
erased AS (SELECT subject FROM shredded WHERE subject = ANY ((SELECT ids FROM whose)::text[])),
newest AS MATERIALIZED (SELECT * FROM said WHERE subject NOT IN (SELECT subject FROM erased)),
present AS MATERIALIZED (SELECT locator, subject FROM known_locators WHERE subject = ANY ((SELECT ids FROM whose)::text[])),
old AS (SELECT locator FROM present WHERE (locator, subject) NOT IN (SELECT locator, subject FROM newest)),
new AS (SELECT locator, subject FROM newest WHERE (locator, subject) NOT IN (SELECT locator, subject FROM present))
"""
_DIFFERENT = _SAID + "SELECT EXISTS (SELECT FROM old), EXISTS (SELECT FROM new)"  # noqa: S608  (constants)
_FORGET = _SAID + "DELETE FROM known_locators WHERE locator = ANY (ARRAY (SELECT locator FROM old))"  # noqa: S608
_REMEMBER = _SAID + "INSERT INTO known_locators (locator, subject) SELECT * FROM new ON CONFLICT DO NOTHING"  # noqa: S608
