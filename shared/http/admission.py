"""Who may have how many requests under way at this process: a limit by source, so that nobody uses it up for others.

A source always has AT_ONCE_PER_SOURCE at most. When half of AT_ONCE is taken, what is left is shared: a source that has its
share already waits, and one that has none gets in, however many the others hold.
"""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from shared.errors import TooManyError
from shared.http import limits


class Admission:
    """Counts requests under way, by source; in memory alone."""

    def __init__(self, *, of_one: int = limits.AT_ONCE_PER_SOURCE, of_all: int = limits.AT_ONCE) -> None:
        self._of_one, self._of_all = of_one, of_all
        self._here: Counter[str] = Counter()
        self._total = 0

    @contextmanager
    def admitted(self, source: str) -> Iterator[None]:
        """While the request is under way. TooManyError where this source has its share already."""
        if self._here[source] >= self.share(source):
            if not self._here[source]:
                del self._here[source]
            raise TooManyError("too many requests at once from where you are", retry_after=limits.AGAIN_SECONDS)
        self._here[source] += 1
        self._total += 1
        try:
            yield
        finally:
            self._total -= 1
            self._here[source] -= 1
            if not self._here[source]:
                del self._here[source]

    def share(self, source: str) -> int:
        """How many this source may have now: never none, but where everybody together has twice of what there is."""
        if self._total >= 2 * self._of_all:
            return 0
        if self._total < self._of_all // 2:
            return self._of_one
        return min(self._of_one, max(1, self._of_all // (2 * max(1, len(self._here)))))
