"""aiokafka's producer, that ends when it is told to."""

from aiokafka import AIOKafkaProducer
from aiokafka.producer.message_accumulator import BatchBuilder as BatchBuilder  # what its `create_batch` makes


class Producer(AIOKafkaProducer):  # type: ignore[misc]  # aiokafka has no types
    async def stop(self) -> None:
        """Send what waits, and close. Where that fails or is cancelled, it gives up what waits."""
        try:
            await super().stop()
        finally:
            self.give_up()
            await self.client.close()

    def give_up(self) -> None:
        """Send no more: a sender that was left behind would go on beside the next producer's, twice and out of order."""
        if self._sender is not None and self._sender.sender_task is not None:
            self._sender.sender_task.cancel()
