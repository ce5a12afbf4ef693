"""A look: what somebody reads of people, and the event that tells of it, in one statement (P7).

    PAGE = Telling(select(Customer.id, Customer.email, ...).where(Customer.owner_id == any_(bindparam("team"))).limit(...))

    async with door.look(actor, purpose) as look:
        look.decide("look", Resource("Customers", "all"))
        rows = await look.told(PAGE, {"team": [...]}, RecordsViewed(subjects=[], ...), most=50)

The first column is the pseudonym of whose row it is. The statement finds the rows and writes the event's row into the outbox
from what it found: who is shown is told of, under one snapshot and one commit. The rows are there only when it has committed.
Where the connection broke it is run once more: a look may then be told twice, never not at all.
"""

import asyncio
import json
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Select
from sqlalchemy.orm import InstrumentedAttribute

from shared import telemetry
from shared.asking import Asked, Asking
from shared.bus.envelope import to_record
from shared.bus.event import Event
from shared.direct import Direct, Row
from shared.errors import InvariantError
from shared.ids import new_event_id
from shared.keys.keyring import Keyring, WrappedKey
from shared.keys.unlocked import Unlocked
from shared.trips import Query

SUBJECTS_MAX = 10_000  # of one look: with 44 bytes each its event stays under what the broker takes (outbox.EVENT_BYTES_MAX)
_SUBJECTS = '"subjects":'
_NOBODY = f"{_SUBJECTS}[]"  # as pydantic writes it; inside a text its quotation marks would have backslashes

# `found` comes in the order of its query; with a writing part in the statement PostgreSQL runs none of it in parallel.
_TOLD = """
WITH found AS MATERIALIZED ({query}),
shown AS (SELECT {subject} AS subject FROM found LIMIT %(_most)s),
whose AS (SELECT coalesce(array_agg(subject), '{{}}') AS ids FROM shown),
told AS (
  INSERT INTO outbox (ce_id, topic, key, headers, value)
  SELECT %(_ce_id)s, %(_topic)s, coalesce(ids[1], %(_key)s),
    CASE cardinality(ids) WHEN 1 THEN %(_headers)s::jsonb || jsonb_build_array(jsonb_build_array('ce_subject', ids[1]))
      ELSE %(_headers)s::jsonb END,
    convert_to(%(_before)s || CASE WHEN %(_lists)s THEN to_json(ids)::text ELSE '' END || %(_after)s, 'UTF8')
  FROM whose {unless}
)
SELECT * FROM found
"""


class Telling:
    """A query whose rows are told of; made once, for it is put into SQL once.

    `also_of_nobody`: a look that finds nobody is told of too (a search). Else it is not, and whoever asked for one person says
    that they are unknown."""

    def __init__(self, query: Select[*tuple[Any, ...]], *, also_of_nobody: bool = False) -> None:
        made = Query(query)
        subject, unless = query.selected_columns[0].name, "" if also_of_nobody else "WHERE cardinality(ids) > 0"
        self.statement = _TOLD.format(query=made.text, subject=subject, unless=unless)
        self.always = made.always


class Look(Asking):
    """What an action gets that only reads: who, why, when, and the verb of a look."""

    def __init__(self, asked: Asked, direct: Direct, wake: asyncio.Event, keyring: Keyring) -> None:
        super().__init__(asked)
        self._direct = direct
        self._wake = wake
        self._unlocked = Unlocked(keyring)

    async def told(
        self, telling: Telling, values: Mapping[str, Any], event: Event, *, most: int = SUBJECTS_MAX
    ) -> Sequence[Row]:
        """The rows, in the order of the query, its columns as the driver gives them (a sealed one is bytes). `values`: of the
        query's own parameters. Of the first `most` rows is told: one more only shows that there is another page.

        `event` names nobody yet. It gets those who were found: one as its subject, all of them as its `subjects` if it has
        any, the first as its record key. psycopg.Error, UnavailableError."""
        if event.ordered or most > SUBJECTS_MAX:
            raise InvariantError("not the event of a look")
        trace = telemetry.inject()

        def filled() -> dict[str, Any]:
            ce_id = new_event_id()
            record = to_record(event, self.actor, self.now, ce_id, trace)
            before, lists, after = (record.value or b"").decode().partition(_NOBODY)
            return {
                **telling.always,
                **values,
                "_most": most,
                "_ce_id": ce_id,
                "_topic": record.topic,
                "_key": (record.key or b"").decode(),
                "_headers": json.dumps([[name, value.decode()] for name, value in record.headers]),
                "_before": before + _SUBJECTS if lists else before,
                "_lists": bool(lists),
                "_after": after,
            }

        rows = await self._direct.rows(telling.statement, filled)
        self._wake.set()
        return rows

    async def unlock(self, wrapped: Mapping[str, WrappedKey]) -> None:
        """Have the data keys at hand that came with the rows. UnavailableError unless Vault is there and unsealed (P5)."""
        await self._unlocked.unlock(wrapped)

    def open(self, column: InstrumentedAttribute[Any], subject: str, sealed: bytes) -> str:
        """Decrypt a column of a row: a visible act, as in a transaction. ShreddedError, TamperError."""
        return self._unlocked.open_once(column, subject, sealed)
