"""Stored hashes of values are made anew when the normal form changes (docs/formats/values.md section 5), and when the keys of
blind indexes and locators are rotated (docs/runbooks/rotation.md): in batches, while the service works.

1. A batch is the next rows whose `normal_form`, `index_version` or `locator_version` is older than today's; they are locked
   and done in one transaction, which also says that they are: a crash leaves whole batches, and who begins again goes on from
   there.
2. Two processes at once take different rows: those that another has locked are left out.
3. A batch that fails for anything but a part that is away is done row by row; a row that can't be done is set aside with its
   reason, and the others are done.
"""

import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, false, func, literal, select, tuple_

from shared.access.actor import Actor
from shared.errors import UnavailableError, described
from shared.gauges import Gauge
from shared.keys.versions import Hashed
from shared.loops.forever import forever
from shared.loops.items import Items
from shared.values.identifiers import NORMAL_FORM
from shared.work import Door, Work

ROWS_PER_BATCH = 500
LOOK_SECONDS = 30.0  # until a rotation is noticed, or a row that a process of the version before still writes

Renew = Callable[[Work, Sequence[Any]], Awaitable[None]]
log = logging.getLogger("kept.renewal")


@dataclass
class Renewal:
    """Of one table. `renew` makes the hashes of locked rows anew and marks them; it may be asked twice."""

    door: Door
    row: type[Any]  # mapped, with `id`, and those of `normal_form`, `index_version`, `locator_version` that it needs
    renew: Renew
    hashed: Callable[[], Awaitable[Hashed]]  # of which versions hashes are made now
    unmade: ColumnElement[bool] = field(default_factory=false)  # rows of which not all can be made anew yet: they stay behind
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
        now = self._now(await self.hashed())
        async with self.door.begin(self._system()) as w:
            ids = (await w.session.scalars(self._old(now, self.row.id).where(self.row.id > self._after))).all()
        if not ids:
            self._after = ""
            return False
        try:
            await self._do(now, ids)
        except UnavailableError:
            raise
        except Exception as error:
            log.warning("%s: a batch failed and is done row by row: %s", self.name, described(error))
            await Items(self.name, self.door).each(ids, lambda one: self._do(now, [one]), whole=False)
        self._after = ids[-1]
        return True

    async def _do(self, now: Mapping[str, int], ids: Sequence[str]) -> None:
        async with self.door.begin(self._system()) as w:
            query = self._old(now, self.row).where(self.row.id.in_(ids)).with_for_update(skip_locked=True)
            rows = (await w.session.scalars(query)).all()
            if rows:
                await w.unlock(*(row.id for row in rows))
                await self.renew(w, rows)
                for row in rows:
                    for name, version in now.items():
                        setattr(row, name, version)

    async def left(self) -> list[Gauge]:
        """For /metrics: how many rows wait. 0 everywhere: what was before can go."""
        now = self._now(await self.hashed())
        async with self.door.begin(self._system()) as w:
            old = await w.session.scalar(select(func.count()).select_from(self.row).where(self._behind(now)))
            return [Gauge("kept_old_hashes", {"table": self.row.__tablename__}, old or 0)]

    def _now(self, hashed: Hashed) -> Mapping[str, int]:
        every = {"normal_form": NORMAL_FORM, "index_version": hashed.index, "locator_version": hashed.locators}
        return {name: version for name, version in every.items() if hasattr(self.row, name)}

    def _behind(self, now: Mapping[str, int]) -> ColumnElement[bool]:
        """As one comparison, for the index that the table has on these columns: a row that is ahead in one and behind in
        another is met when this process knows as much."""
        mine, today = (getattr(self.row, name) for name in now), (literal(one) for one in now.values())
        return tuple_(*mine) < tuple_(*today)

    def _old(self, now: Mapping[str, int], what: Any) -> Select[Any]:
        lacking = and_(self.row.locator_version < now["locator_version"], self.unmade)
        return select(what).where(self._behind(now), ~lacking).order_by(self.row.id).limit(ROWS_PER_BATCH)

    def _system(self) -> Actor:
        return Actor.system(self.door.service)
