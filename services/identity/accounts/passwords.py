"""Passwords: argon2id (RFC 9106), off the event loop, and a few at a time: each takes 46 MiB while it lasts."""

import asyncio

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from services.identity.accounts.model import password_characters_max
from shared.errors import InvalidInputError

at_once_max = 2  # hashes at the same time: bounds memory and leaves a core to everything else


class Passwords:
    """Hashes and checks. For an unknown user it checks against a dummy, so that the time tells nothing."""

    def __init__(self, hasher: PasswordHasher | None = None) -> None:
        self._hasher = hasher or PasswordHasher(time_cost=2, memory_cost=46 * 1024, parallelism=1)
        self._gate = asyncio.Semaphore(at_once_max)
        self._dummy = self._hasher.hash("nobody has this password")

    async def hash(self, password: str) -> str:
        """The argon2id hash with its parameters. InvalidInputError for a password over the limit."""
        if len(password) > password_characters_max:
            raise InvalidInputError(f"longer than {password_characters_max} characters", field="password")
        async with self._gate:
            return await asyncio.to_thread(self._hasher.hash, password)

    async def fits(self, stored: str | None, password: str) -> bool:
        """Whether `password` is the one. `stored` None (no such user, or erased) costs as much and is never true."""
        async with self._gate:
            right = await asyncio.to_thread(self._check, stored or self._dummy, password[:password_characters_max])
        return right and stored is not None and len(password) <= password_characters_max

    def _check(self, stored: str, password: str) -> bool:
        try:
            return self._hasher.verify(stored, password)
        except (VerificationError, InvalidHashError):
            return False
