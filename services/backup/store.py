"""What backup needs of a blob store; `shared.blobs` stores have it. Written once, never replaced."""

from collections.abc import Sequence
from typing import Protocol


class Store(Protocol):
    async def put_new(self, path: str, data: bytes) -> None:
        """Durable when this returns; refuses a name that is taken."""
        ...

    async def put_same(self, path: str, data: bytes) -> None:
        """Durable when this returns; the same bytes under the same name are fine, others a TamperError."""
        ...

    async def get(self, path: str) -> bytes:
        """NotFoundError where there is none."""
        ...

    async def list(self, prefix: str) -> Sequence[str]: ...
