"""No round ends a loop; what a round ends with is told without its text, and the next one comes."""

import asyncio
import logging
from collections.abc import Callable, Iterator

import pytest

from shared.errors import ConflictError, InvariantError, MalformedError, NotFoundError, TamperError, UnavailableError
from shared.loops import forever as loops
from shared.loops.forever import HEALTH, failing, forever, pause_after

UNEXPECTED = [
    RuntimeError("luisg@embraer.com.br"), KeyError("luisg@embraer.com.br"), UnicodeError("luisg@embraer.com.br"),
    ValueError("luisg@embraer.com.br"), OSError("luisg@embraer.com.br"), TimeoutError(), RecursionError(), AssertionError(),
    StopAsyncIteration(), ExceptionGroup("several", [ZeroDivisionError()]), MalformedError("luisg@embraer.com.br"),
    TamperError(), InvariantError(), ConflictError(), NotFoundError(),
]  # fmt: skip


@pytest.fixture(autouse=True)
def _fresh(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(loops, "PAUSE_SECONDS_MAX", 0.0)
    HEALTH.clear()
    yield
    HEALTH.clear()


async def rounds(*outcomes: BaseException | bool | None, expected: tuple[type[Exception], ...] = ()) -> int:
    """Run a loop through these outcomes, then stop it; how many rounds there were."""
    left, done = list(outcomes), asyncio.Event()
    count = 0

    async def tick() -> object:
        nonlocal count
        count += 1
        if not left:
            done.set()
            return None
        outcome = left.pop(0)
        if isinstance(outcome, BaseException):
            raise outcome
        return outcome

    task = asyncio.create_task(forever("demo", tick, every=0.0, expected=expected))
    waiting = asyncio.create_task(done.wait())
    await asyncio.wait({task, waiting}, timeout=30, return_when=asyncio.FIRST_COMPLETED)
    waiting.cancel()
    assert not task.done(), "the loop ended"
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    return count


@pytest.mark.parametrize("error", UNEXPECTED, ids=lambda one: type(one).__name__)
async def test_whatever_a_round_raises_the_next_one_comes(error: Exception, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        assert await rounds(error, None) >= 3
    assert HEALTH["demo"].failures == 1 and not failing()  # counted; and the good round after it is seen
    assert "luisg" not in caplog.text and "test_forever.py:" in caplog.text


async def test_a_part_that_is_away_is_no_failure() -> None:
    assert await rounds(UnavailableError(), UnavailableError(), None) >= 4
    assert HEALTH["demo"].failures == 0 and not failing()


async def test_a_client_that_cancels_itself_does_not_end_the_loop() -> None:
    assert await rounds(asyncio.CancelledError(), None) >= 3
    assert HEALTH["demo"].failures == 0


async def test_a_round_that_failed_is_shown_until_one_is_well() -> None:
    seen: list[list[str]] = []
    outcomes: list[Callable[[], object]] = [lambda: 1 / 0, lambda: seen.append(failing()), lambda: seen.append(failing())]
    done = asyncio.Event()

    async def tick() -> None:
        if not outcomes:
            done.set()
            return
        outcomes.pop(0)()

    task = asyncio.create_task(forever("demo", tick, every=0.0))
    await asyncio.wait_for(done.wait(), 30)
    task.cancel()
    assert seen == [["demo"], []]
    shown = {(one.name, one.value) for one in await loops.gauges()}
    assert {("kept_loop_failures_total", 1), ("kept_loop_failing", 0)} <= shown


async def test_a_round_with_more_to_do_is_followed_at_once_and_a_wake_ends_a_pause() -> None:
    wake, seen = asyncio.Event(), asyncio.Queue[int]()

    async def tick() -> bool:
        seen.put_nowait(1)
        return seen.qsize() < 3

    task = asyncio.create_task(forever("demo", tick, every=3600.0, wake=wake))
    for _ in range(3):
        await asyncio.wait_for(seen.get(), 30)
    while not task.done() and seen.empty():
        wake.set()  # before or during a round alike
        await asyncio.sleep(0)
    assert not seen.empty()
    task.cancel()


def test_pauses_grow_and_are_never_shorter_than_meant() -> None:
    pauses = [pause_after(bad, 1.0, 15.0) for bad in range(1, 20)]
    assert pauses == sorted(pauses) and pauses[0] == 1.0 and pauses[-1] == 15.0
    assert pause_after(1, 60.0, 15.0) == 60.0


async def test_what_a_loop_expects_is_no_failure_and_is_told_once(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        away = [OSError("luisg@embraer.com.br"), OSError("luisg@embraer.com.br")]
        assert await rounds(*away, None, expected=(OSError,)) >= 4
    assert HEALTH["demo"].failures == 0 and caplog.text.count("a part is away: OSError at") == 1
    assert "luisg" not in caplog.text


async def test_a_round_that_lasts_is_well_before_it_ends() -> None:
    seen, up = list[tuple[list[str], int]](), asyncio.Event()

    async def tick() -> None:
        if len(seen) < 3:
            seen.append((failing(), HEALTH["demo"].bad))
            raise ZeroDivisionError
        HEALTH["demo"].well()
        seen.append((failing(), HEALTH["demo"].bad))
        up.set()
        await asyncio.Event().wait()

    task = asyncio.create_task(forever("demo", tick, every=0.0))
    await asyncio.wait_for(up.wait(), 30)
    task.cancel()
    assert seen == [([], 0), (["demo"], 1), (["demo"], 2), ([], 0)]


async def test_a_loop_that_is_stopped_is_not_failing() -> None:
    failed = asyncio.Event()

    async def tick() -> None:
        failed.set()
        raise ZeroDivisionError

    task = asyncio.create_task(forever("demo", tick, every=3600.0))
    await asyncio.wait_for(failed.wait(), 30)
    while not failing():
        await asyncio.sleep(0)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert not failing()
