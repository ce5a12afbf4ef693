"""Data keys in clear that were used lately, by their wrapped text.

Whoever asks has just read the wrapped text from the person's row. So what lies here of somebody who was shredded is found by
nobody, and that it goes after a while is tidiness: nothing depends on it. A key takes 310 bytes, with its wrapped text
(measured, of 100,000): 31 MB when all are there.
"""

import time

from shared.keys.cipher import DataKey

CACHED_MAX = 100_000
UNUSED_SECONDS = 300.0  # after which a key is let go of, as soon as another comes


class KeyCache:
    """Two generations: what is used is young; when the young are half of all, or some minutes old, the old ones go."""

    def __init__(self, most: int = CACHED_MAX) -> None:
        self._half = max(1, most // 2)
        self._young: dict[str, DataKey] = {}
        self._old: dict[str, DataKey] = {}
        self._since = time.monotonic()

    def __len__(self) -> int:
        return len(self._young) + len(self._old)

    def get(self, wrapped: str) -> DataKey | None:
        found = self._young.get(wrapped)
        if found is None and (found := self._old.pop(wrapped, None)) is not None:
            self.put(wrapped, found)
        return found

    def put(self, wrapped: str, key: DataKey) -> None:
        if len(self._young) >= self._half or time.monotonic() - self._since > UNUSED_SECONDS:
            self._young, self._old, self._since = {}, self._young, time.monotonic()
        self._young[wrapped] = key

    def forget(self, wrapped: str) -> None:
        self._young.pop(wrapped, None)
        self._old.pop(wrapped, None)
