"""Whether a service is ready, and what it waits for: also a part that hangs, without hanging itself.

Ready means that it answers (docs/decisions/0025). Whoever spreads requests over several processes goes by that alone: without
Kafka writes commit and are published later, so a service without it must stay where it is asked.
"""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Mapping

Ready = Callable[[], Awaitable[bool]]
SECONDS_MAX = 2.0  # for all parts together; who asks gives up soon after (`kept status` after 4 s)


class Stopping:
    """Whether this process is to end: whoever spreads requests asks the others from now on."""

    begun = False


class Readiness:
    """Asks every part at once. One that hangs is not asked again meanwhile, so that what waits does not pile up."""

    def __init__(self, needed: Mapping[str, Ready], later: Mapping[str, Ready] | None = None) -> None:
        self._needed = frozenset(needed)
        self._parts = {**needed, **(later or {})}
        self._asking: dict[str, asyncio.Task[bool]] = {}

    @property
    def parts(self) -> list[str]:
        """The names of all."""
        return list(self._parts)

    def serves(self, waits: Collection[str]) -> bool:
        """Whether a service that waits for these answers requests: none of them is needed for it."""
        return self._needed.isdisjoint(waits)

    async def waits_for(self) -> list[str]:
        """The parts that are not ready, or do not say so in time."""
        for name, ready in self._parts.items():
            if name not in self._asking or self._asking[name].done():
                self._asking[name] = asyncio.create_task(_asked(ready))
        asking = dict(self._asking)
        if asking:
            await asyncio.wait(asking.values(), timeout=SECONDS_MAX)
        return [name for name, task in asking.items() if not (task.done() and task.result())]


async def _asked(ready: Ready) -> bool:
    try:
        return await ready()
    except Exception:  # a part that cannot even be asked is not ready
        return False
