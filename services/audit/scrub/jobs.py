"""The service verifies its own log, all of it, at an interval: a file that was changed is found though nobody reads it.

What it does is what `kept audit verify` does, with the keys that Vault has, in a process of its own that gives way to
everything else. Faults are an alarm each time, until somebody has put the files right. Of several audit processes one scrubs;
where it dies another goes on, and on the same machine from where it was.
"""

import asyncio
import json
import logging
import sys
from asyncio.subprocess import PIPE
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert

from services.audit.events import AlarmRaised
from services.audit.log.found import Fault
from services.audit.log.head import SYSTEM
from services.audit.log.tables import Head, Scrub
from shared.clock import rfc3339
from shared.errors import InvariantError, UnavailableError
from shared.gauges import Gauge
from shared.loops.forever import forever
from shared.work import Door

log = logging.getLogger("kept.audit.scrub")
LOOK_SECONDS = 60.0
SETTLE_SECONDS = 10.0  # a shard is begun before the log lists it
NAMED_MAX = 20  # faults that the status names; `kept audit verify` names them all
MODULE = "services.audit.scrub.process"


class Scrubbing:
    """`run()` for ever, in one of the audit processes."""

    def __init__(self, door: Door, interval: timedelta, command: Sequence[str] = (sys.executable, "-m", MODULE)) -> None:
        self._door = door
        self._interval = interval
        self._command = command

    async def run(self) -> None:
        """Until cancelled."""
        await forever("scrub", self._round, every=LOOK_SECONDS)

    async def _round(self) -> None:
        if await self._due():
            await self.scrub()

    async def scrub(self) -> list[Fault]:
        """Verify everything once; the faults, which an alarm for each shard has told of. UnavailableError: cannot tell now.

        InvariantError: a defect keeps it from being told."""
        bases = await self._bases()
        await asyncio.sleep(SETTLE_SECONDS)
        said = await self._verified(sorted(bases))
        faults = [Fault(**one) for one in said["faults"]]
        for fault in faults[:NAMED_MAX]:
            log.critical("%s: %s", _place(fault), fault.detail)
        async with self._door.begin(SYSTEM) as w:
            row = await w.session.get(Scrub, 1, with_for_update=True) or Scrub(id=1)
            row.ended_at, row.entries, row.faults = w.now, said["entries"], len(faults) + said["uncounted"]
            row.named = [_place(fault) for fault in faults[:NAMED_MAX]]
            w.session.add(row)
            for alarm in alarms(faults, bases):
                w.publish(alarm)
        return faults

    async def status(self) -> dict[str, Any]:
        """What the last one came to, for people."""
        row = await self._last()
        if row is None:
            return {"ended_at": None, "entries": 0, "faults": 0, "named": []}
        return {"ended_at": rfc3339(row.ended_at), "entries": row.entries, "faults": row.faults, "named": row.named}

    async def gauges(self) -> list[Gauge]:
        """For /metrics: when the last one ended, and what it found."""
        row = await self._last()
        if row is None:
            return []
        when = Gauge("kept_audit_log_scrub_timestamp_seconds", {}, int(row.ended_at.timestamp()))
        return [when, Gauge("kept_audit_log_scrub_faults", {}, row.faults)]

    async def _due(self) -> bool:
        """Whether an interval went by since the last one; a log that was never scrubbed counts as begun now."""
        async with self._door.begin(SYSTEM) as w:
            begun = insert(Scrub).values(id=1, ended_at=w.now, entries=0, faults=0, named=[]).on_conflict_do_nothing()
            await w.session.execute(begun)
            return w.now - (await w.session.get_one(Scrub, 1)).ended_at >= self._interval

    async def _last(self) -> Scrub | None:
        async with self._door.begin(SYSTEM) as w:
            return await w.session.get(Scrub, 1)

    async def _bases(self) -> dict[str, int]:
        """The offset of leaf 0 of each shard that has any."""
        async with self._door.begin(SYSTEM) as w:
            rows = await w.session.execute(select(Head.shard, Head.base).where(Head.size > 0))
            return {row.shard: row.base for row in rows}

    async def _verified(self, shards: Sequence[str]) -> dict[str, Any]:
        process = await asyncio.create_subprocess_exec(*self._command, stdin=PIPE, stdout=PIPE)
        if process.stdin is None or process.stdout is None:
            raise UnavailableError("a process without a voice")
        try:
            process.stdin.write(json.dumps(shards).encode() + b"\n")
            await process.stdin.drain()
            answer = await process.stdout.read()
        except OSError:  # it ended before it had listened
            answer = b""
        finally:
            process.stdin.close()
            await process.wait()
        try:
            said: dict[str, Any] = json.loads(answer)
        except ValueError:
            raise UnavailableError("the scrubbing process ended without a word") from None
        if "error" in said:
            away = said["error"] == UnavailableError.code
            raise (UnavailableError if away else InvariantError)(f"the log cannot be verified: {said['error']}")
        return said


def alarms(faults: Sequence[Fault], bases: Mapping[str, int]) -> list[AlarmRaised]:
    """One for each shard that has faults, from the first to the last offset that one names; the log's own lists are no shard.

    A fault of a whole file names no entry: then the shard's first offset stands for it."""
    found: dict[str, list[int]] = {}
    for fault in faults:
        shard = next((one for one in bases if fault.file.startswith(f"{one}/")), fault.about or fault.file)
        found.setdefault(shard, []).append(bases.get(shard, 0) + max(0, fault.index))
    return [
        AlarmRaised(kind="damaged", shard=shard, first=min(offsets), last=max(offsets))
        for shard, offsets in sorted(found.items())
    ]


def _place(fault: Fault) -> str:
    return f"{fault.kind} {fault.file}" + (f" entry {fault.index}" if fault.index >= 0 else "")
