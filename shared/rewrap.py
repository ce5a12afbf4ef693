"""Every living data key under the newest version of the service's key encryption key (KEK), while the service works.

What is to be done is found from what is there, the version in each wrapped key and the newest that Vault has: after a kill it
goes on, and two processes at once do no harm.

1. A batch is the next living keys whose version is not the newest. 2. Vault rewraps them; no key is seen in clear. 3. Each row
takes the new text if it still has the old: who was shredded meanwhile stays shredded. A row that somebody holds at this moment
is left for the next look. 4. A batch that Vault does not take is done key by key; one that can't be is set aside.
"""

import logging
from collections.abc import Sequence
from typing import Any

from sqlalchemy import ARRAY, ColumnElement, Select, Text, func, literal, select, tuple_, update

from shared.access.actor import Actor
from shared.db import KernelTables
from shared.errors import UnavailableError, described
from shared.gauges import Gauge
from shared.keys.keyring import ALONE
from shared.keys.vault import BATCH_MAX, Vault
from shared.loops.forever import forever
from shared.loops.items import Items
from shared.work import Door

LOOP = "rewrap"
LOOK_SECONDS = 30.0  # until a rotation is noticed
BATCH_KEYS = 10 * BATCH_MAX  # of one transaction

Key = tuple[str, int, str]  # subject, version, wrapped

log = logging.getLogger("kept.keys")


class Rewrap:
    """Of one service. `run()` until cancelled."""

    def __init__(self, door: Door, vault: Vault, tables: KernelTables) -> None:
        self._door, self._vault, self._t = door, vault, tables.data_keys
        self._kek = f"kept-{door.service}"
        self._after = ("", 0)
        self._quiet = False  # whether, before the present look began, nobody was making a key
        self._newest = self._whole = 0  # whole: the version under which everything was found, and what comes will be

    async def run(self) -> None:
        """Look for a rotation, and rewrap until nothing is left."""
        await forever(LOOP, self.step, every=LOOK_SECONDS)

    async def step(self) -> bool:
        """One batch. Whether there may be more."""
        self._newest = newest = (await self._vault.versions(self._kek)).newest
        if newest == self._whole:
            return False
        if self._after == ("", 0):
            self._quiet = await self._alone()
        keys = await self._page(newest)
        if not keys:
            # Nothing was behind in one whole look, from the beginning, and nothing was on its way that it could not see.
            whole = self._quiet and self._after == ("", 0)
            self._whole, self._after = newest if whole else 0, ("", 0)
            return False
        try:
            await self._do(keys)
        except UnavailableError:
            raise
        except Exception as error:
            log.warning("a batch of keys can't be rewrapped and is done key by key: %s", described(error))
            each = {f"{subject}/{version}": (subject, version, wrapped) for subject, version, wrapped in keys}
            await Items(LOOP, self._door).each(list(each), lambda one: self._do([each[one]]), whole=False)
        self._after = keys[-1][:2]
        return True

    async def left(self) -> list[Gauge]:
        """For /metrics: how many living keys are not under the newest version, as far as that is known."""
        count = 0
        if self._newest != self._whole:
            async with self._door.begin(Actor.system(self._door.service)) as w:
                count = await w.session.scalar(self._behind(self._newest, func.count())) or 0
        return [Gauge("kept_data_keys_behind", {"service": self._door.service}, count)]

    def _behind(self, newest: int, *what: Any) -> Select[Any]:
        t = self._t.c
        return select(*what).select_from(self._t).where(t.wrapped.is_not(None), t.kek_version < newest)

    async def _alone(self) -> bool:
        async with self._door.begin(Actor.system(self._door.service)) as w:
            return bool(await w.session.scalar(ALONE))

    async def _page(self, newest: int) -> list[Key]:
        t = self._t.c
        old = self._behind(newest, t.subject, t.version, t.wrapped)
        page = old.where(tuple_(t.subject, t.version) > self._after).order_by(t.subject, t.version).limit(BATCH_KEYS)
        async with self._door.begin(Actor.system(self._door.service)) as w:
            return [(subject, version, wrapped) for subject, version, wrapped in (await w.session.execute(page)).all()]

    async def _do(self, keys: Sequence[Key]) -> None:
        fresh = await self._vault.rewrap(self._kek, [wrapped for _, _, wrapped in keys])  # 2
        t = self._t
        pair = func.unnest(_texts([one[2] for one in keys]), _texts(fresh)).table_valued("old", "new").render_derived()
        mine = (
            select(t.c.subject, t.c.version, pair.c.new)
            .join_from(t, pair, t.c.wrapped == pair.c.old)
            .where(t.c.subject == func.any(_texts([one[0] for one in keys])))
            .order_by(t.c.subject, t.c.version)
            .with_for_update(of=t, skip_locked=True)
            .cte("mine")
        )
        done = update(t).values(wrapped=mine.c.new).where(t.c.subject == mine.c.subject, t.c.version == mine.c.version)
        async with self._door.begin(Actor.system(self._door.service)) as w:
            await w.session.execute(done)  # 3


def _texts(values: Sequence[str]) -> ColumnElement[Any]:
    return literal(list(values), ARRAY(Text))
