"""Whether a service is ready, and what it waits for: also a part that hangs, without hanging itself."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping

Ready = Callable[[], Awaitable[bool]]
SECONDS_MAX = 2.0  # for all parts together; who asks gives up soon after (`kept status` after 4 s)


class Readiness:
    """Asks every part at once. One that hangs is not asked again meanwhile, so that what waits does not pile up."""

    def __init__(self, parts: Mapping[str, Ready]) -> None:
        self._parts = parts
        self._asking: dict[str, asyncio.Task[bool]] = {}

    async def waits_for(self) -> list[str]:
        """The parts that are not ready, or do not say so in time; none, and the service is ready."""
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
