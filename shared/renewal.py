"""Stored hashes of values are made anew when the normal form changes (docs/formats/values.md section 5): in batches, while
the service works.

1. A batch is the next rows whose `normal_form` is older than NORMAL_FORM; they are locked and done in one transaction, which
   also says that they are: a crash leaves whole batches, and who begins again goes on from there.
2. Two processes at once take different rows: those that another has locked are left out.
3. A batch that fails for anything but a part that is away is done row by row; a row that can't be done is set aside with its
   reason, and the others are done.
"""

import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Select, func, select

from shared.access.actor import Actor
from shared.errors import UnavailableError, described
from shared.http.gauges import Gauge
from shared.loops.forever import forever
from shared.loops.items import Items
from shared.values.identifiers import NORMAL_FORM
from shared.work import Door, Work

ROWS_PER_BATCH = 100
LOOK_SECONDS = 600.0  # for rows that a process of the version before still writes

Renew = Callable[[Work, Sequence[Any]], Awaitable[None]]
log = logging.getLogger("kept.renewal")


@dataclass
class Renewal:
    """Of one table. `renew` makes the hashes of locked rows anew and marks them; it may be asked twice."""

    door: Door
    row: type[Any]  # mapped, with `id` and `normal_form`
    renew: Renew
    _after: str = field(default="", init=False)

    @property
    def name(self) -> str:
        """Of its loop."""
        return f"renewal of {self.row.__tablename__}"

    async def run(self) -> None:
        """Until cancelled."""
        await forever(self.name, self.step, every=LOOK_SECONDS)

    async def step(self) -> bool:
        """One batch. Whether there may be more."""
        async with self.door.begin(self._system()) as w:
            ids = (await w.session.scalars(self._old(self.row.id).where(self.row.id > self._after))).all()
        if not ids:
            self._after = ""
            return False
        try:
            await self._do(ids)
        except UnavailableError:
            raise
        except Exception as error:
            log.warning("%s: a batch failed and is done row by row: %s", self.name, described(error))
            await Items(self.name, self.door).each(ids, lambda one: self._do([one]), whole=False)
        self._after = ids[-1]
        return True

    async def _do(self, ids: Sequence[str]) -> None:
        async with self.door.begin(self._system()) as w:
            query = self._old(self.row).where(self.row.id.in_(ids)).with_for_update(skip_locked=True)
            rows = (await w.session.scalars(query)).all()
            if rows:
                await w.keyring.prefetch(w.session, [row.id for row in rows])
                await self.renew(w, rows)
                for row in rows:
                    row.normal_form = NORMAL_FORM

    async def left(self) -> list[Gauge]:
        """For /metrics: how many rows wait. 0 everywhere: the old form can go."""
        async with self.door.begin(self._system()) as w:
            old = select(func.count()).select_from(self.row).where(self.row.normal_form < NORMAL_FORM)
            return [Gauge("kept_old_normal_form", {"table": self.row.__tablename__}, await w.session.scalar(old) or 0)]

    def _old(self, what: Any) -> Select[Any]:
        return select(what).where(self.row.normal_form < NORMAL_FORM).order_by(self.row.id).limit(ROWS_PER_BATCH)

    def _system(self) -> Actor:
        return Actor.system(self.door.service)
