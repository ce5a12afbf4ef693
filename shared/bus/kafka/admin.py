"""aiokafka's administrative client, that also sends requests which it has no method for."""

from typing import Any

from aiokafka.admin import AIOKafkaAdminClient


class Admin(AIOKafkaAdminClient):  # type: ignore[misc]  # aiokafka has no types
    async def ask(self, request: Any) -> Any:
        """The broker's answer to one request of the protocol. KafkaError."""
        return await self._send_request(request)
