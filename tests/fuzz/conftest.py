"""A platform of the fuzzers' own, with wide limits for strangers; and how long each fuzzer goes on.

`make test` makes the same examples every time and ends each fuzzer after BOUND_SECONDS. `make fuzz` draws at random, longer:
KEPT_FUZZ_SECONDS for each, `--hypothesis-seed` as it was printed repeats it.
"""

import os
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any
from unittest import SkipTest

import httpx
import pytest
from hypothesis import HealthCheck, Phase, settings

from tests.support import platform as servers
from tests.support.platform import Platform

BOUND_SECONDS = 25.0
SECONDS = float(os.environ.get("KEPT_FUZZ_SECONDS", BOUND_SECONDS))
RANDOM = "KEPT_FUZZ_SECONDS" in os.environ
WIDE = {"KEPT_ASKS_PER_MINUTE": "1000000", "KEPT_ASKS_PER_SOURCE": "1000000", "KEPT_CODES_PER_HOUR": "1000000"}
OTHERS = ("KEPT_PORT", "KEPT_STATE")
NOT_OURS = ("Traceback", 'File "/', "constraint", "psycopg", "sqlalchemy")
SERVICES = ("identity", "customers", "audit", "backup", "dsar", "billing", "mail", "gateway")

bounded = settings(
    max_examples=1_000_000 if RANDOM else 100,
    derandomize=not RANDOM,
    database=None,
    deadline=None,
    phases=[Phase.generate, Phase.shrink] if RANDOM else [Phase.generate],
    suppress_health_check=list(HealthCheck),
    print_blob=True,
)


@pytest.fixture(scope="module")
def platform() -> Iterator[Platform]:
    before = {name: os.environ.get(name) for name in (*WIDE, *OTHERS) if name in os.environ}
    os.environ.update(WIDE)
    try:
        yield from servers.start()
    finally:
        for name in (*WIDE, *OTHERS):
            os.environ.pop(name, None)
        os.environ.update(before)


EXAMPLES_MIN = 2  # however slow the machine is


class Over(SkipTest):
    """The time is over. Hypothesis lets what skips a test through at once; `Bound.run` stops it."""


class Bound:
    """Until the time is over, which begins with the first example, and not before there were a few; whatever was found is
    looked at to the end."""

    def __init__(self) -> None:
        self._end, self._found, self.done = float("inf"), False, 0

    def __call__(self, draw: Callable[..., Any], values: Any, example: Callable[[Any], None]) -> None:
        drawn = draw(values)  # before the time is looked at: Hypothesis asks that an example is drawn to its end
        if self.done == 0:
            self._end = time.monotonic() + SECONDS
        if time.monotonic() > self._end and self.done >= EXAMPLES_MIN and not self._found:
            raise Over("the time is over")
        try:
            example(drawn)
        except BaseException:
            self._found = True
            raise
        self.done += 1

    def run(self, fuzzer: Callable[[], None]) -> None:
        with suppress(Over):
            fuzzer()
        print(f"{self.done} examples")
        assert self.done >= EXAMPLES_MIN


@pytest.fixture
def bound() -> Bound:
    return Bound()


@pytest.fixture
def stays_up(platform: Platform) -> Iterator[Callable[[], None]]:
    """Called after every example; and at the end every part is ready. None was started anew by the supervisor meanwhile."""
    before = {part: _pid(platform, part) for part in SERVICES}

    def check() -> None:
        assert {part: _pid(platform, part) for part in SERVICES} == before, "a part died of what a stranger wrote"

    yield check
    check()
    platform.wait_ready(seconds=60)


def _pid(platform: Platform, part: str) -> int:
    process = platform.process(part)
    return process.pid if process else 0


def clear(answer: httpx.Response) -> None:
    """2xx, 3xx, or a 4xx that says in words what is wrong and nothing of how we are made."""
    assert answer.status_code < 500, answer.status_code
    assert [word for word in NOT_OURS if word in answer.text] == []
    if answer.status_code < 400:
        return
    if answer.headers.get("content-type", "").startswith("text/html"):
        assert 'role="alert"' in answer.text or "<p" in answer.text
    else:
        said: dict[str, Any] = answer.json()
        assert str(said["detail"]).strip(), said
