"""aiokafka's consumer, that reads whatever is in a record, says when it is broken, and ends when it is told to."""

import asyncio
from collections.abc import Callable, Iterator
from types import FunctionType
from typing import Any

from aiokafka import AIOKafkaConsumer
from aiokafka.consumer import fetcher

from shared.bus.kafka.records import Batches, Records
from shared.errors import InvariantError


def seeing(method: Callable[..., Any], **names: Any) -> Any:
    """A method of aiokafka's for a subclass of ours: its own code, that finds these under their names in the place of what is
    in its module. The module stays as it is. InvariantError where the code does not use such a name (any more)."""
    assert isinstance(method, FunctionType)
    if unused := names.keys() - set(method.__code__.co_names):
        raise InvariantError(f"{method.__qualname__} does not use {', '.join(sorted(unused))}")
    found = FunctionType(
        method.__code__, {**method.__globals__, **names}, method.__name__, method.__defaults__, method.__closure__
    )
    found.__kwdefaults__ = method.__kwdefaults__
    return found


class Fetcher(fetcher.Fetcher):  # type: ignore[misc]  # aiokafka has no types
    _proc_fetch_request = seeing(fetcher.Fetcher._proc_fetch_request, MemoryRecords=Batches, PartitionRecords=Records)


class Consumer(AIOKafkaConsumer):  # type: ignore[misc]  # aiokafka has no types
    """`start`: as aiokafka's, with our fetcher."""

    start = seeing(AIOKafkaConsumer.start, Fetcher=Fetcher)

    @property
    def broken(self) -> str:
        """The task of it that ended by itself, so that it takes no record any more; empty where all is well."""
        over = (name for name, task in self._tasks() if task.done() and name in ("fetching", "coordinating"))
        return "" if self._closed else next(over, "")

    @property
    def joining(self) -> bool:
        """Whether it waits for its part of what the group reads: until then it takes nothing."""
        found = self._subscription.subscription
        return found is not None and bool(self._subscription.reassignment_in_progress)

    async def refresh(self) -> None:
        """Ask the broker for its topics again."""
        await self._client.force_metadata_update()

    async def stop(self) -> None:
        """Leave the group, and close. What fails or is cancelled on the way leaves no member of the group behind, which would
        keep its partitions, and no connection."""
        try:
            await super().stop()
        finally:
            for _, task in self._tasks():
                task.cancel()
            await self._client.close()

    def _tasks(self) -> Iterator[tuple[str, "asyncio.Task[None]"]]:
        """What runs beside who takes the records."""
        own = (
            ("fetching", self._fetcher, "_fetch_task"),
            ("coordinating", self._coordinator, "_coordination_task"),
            ("heartbeat", self._coordinator, "_heartbeat_task"),
            ("committed", self._coordinator, "_commit_refresh_task"),
        )
        for name, part, attribute in own:
            if (task := getattr(part, attribute, None)) is not None:
                yield name, task
