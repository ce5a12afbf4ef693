"""One item that cannot be done is set aside, and the others are done: whatever it raises, however often, and if it hangs."""

import asyncio
import logging
import re
from datetime import UTC, datetime, timedelta

import pytest

from shared.clock import FixedClock
from shared.errors import ConflictError, MalformedError, TamperError, UnavailableError
from shared.loops.aside import InMemory
from shared.loops.forever import HEALTH
from shared.loops.items import AWAY_MAX, PAUSES, Items, safe
from tests.unit.shared.loops.test_forever import UNEXPECTED

NOW = datetime(2026, 11, 28, 12, tzinfo=UTC)


class Work:
    """Acts upon items; some raise."""

    def __init__(self, **bad: BaseException) -> None:
        self.bad = bad
        self.done: list[str] = []
        self.tried: list[str] = []

    async def __call__(self, item: str) -> None:
        self.tried.append(item)
        if item in self.bad:
            raise self.bad[item]
        self.done.append(item)


def items(clock: FixedClock | None = None, *, seconds: float = 60.0) -> tuple[Items, InMemory]:
    memory = InMemory(clock or FixedClock(NOW))
    return Items("demo", memory, seconds=seconds), memory


@pytest.mark.parametrize("error", UNEXPECTED, ids=lambda one: type(one).__name__)
async def test_the_others_are_done_and_the_reason_is_kept_without_its_text(
    error: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    these, memory = items()
    work = Work(b=error.with_traceback(None))
    with caplog.at_level(logging.WARNING):
        assert await these.each(["a", "b", "c"], work) == 2
    assert work.done == ["a", "c"]
    kept = (await memory.of("demo"))["b"]
    assert kept.tries == 1 and "test_items.py:" in kept.reason and "luisg" not in kept.reason + caplog.text
    assert HEALTH["demo"].items_failed


async def test_it_is_tried_again_with_growing_pauses_and_then_only_by_hand() -> None:
    clock = FixedClock(NOW)
    these, memory = items(clock)
    work = Work(b=KeyError("x"))
    for tries, pause in enumerate(PAUSES, 1):
        await these.each(["b"], work)
        clock.advance(timedelta(seconds=pause - 1))
        await these.each(["b"], work)  # its time has not come
        assert len(work.tried) == tries
        clock.advance(timedelta(seconds=1))
    await these.each(["b"], work)
    clock.advance(timedelta(days=1000))
    await these.each(["b"], work)
    kept = (await memory.of("demo"))["b"]
    assert len(work.tried) == len(PAUSES) + 1 == kept.tries and kept.next_try_at is None and kept.first_at == NOW


async def test_what_is_done_at_last_or_is_no_longer_there_is_forgotten() -> None:
    clock = FixedClock(NOW)
    these, memory = items(clock)
    await these.each(["a", "b"], Work(a=ConflictError(), b=MalformedError()))
    clock.advance(timedelta(seconds=PAUSES[0]))
    await these.each(["a"], Work(), whole=False)
    assert [*await memory.of("demo")] == ["b"]
    await these.each([], Work())
    assert not await memory.of("demo")


async def test_a_part_that_is_away_is_nothing_against_an_item_and_hides_none() -> None:
    these, memory = items()
    work = Work(a=UnavailableError())
    with pytest.raises(UnavailableError):
        await these.each(["a", "b", "c"], work)
    assert work.done == ["b", "c"] and not await memory.of("demo")


async def test_where_it_is_away_for_all_the_round_ends_soon_and_the_next_begins_with_others() -> None:
    these, _ = items()
    names = [f"i{n}" for n in range(10)]
    work = Work(**{name: UnavailableError() for name in names[:9]})
    with pytest.raises(UnavailableError):
        await these.each(names, work)
    assert len(work.tried) == AWAY_MAX
    for _ in range(3):
        with pytest.raises(UnavailableError):
            await these.each(names, work)
    assert work.done == ["i9"]  # nobody starves behind those that wait


async def test_one_that_hangs_is_set_aside_too() -> None:
    these, memory = items(seconds=0.01)
    done: list[str] = []

    async def act(item: str) -> None:
        if item == "a":
            await asyncio.Event().wait()
        done.append(item)

    await these.each(["a", "b"], act)
    assert done == ["b"] and (await memory.of("demo"))["a"].reason.startswith("TimeoutError")


async def test_whoever_cancels_the_loop_ends_it() -> None:
    these, memory = items()
    began = asyncio.Event()

    async def act(item: str) -> None:
        began.set()
        await asyncio.Event().wait()

    task = asyncio.create_task(these.each(["a"], act))
    await began.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert not await memory.of("demo")


async def test_the_name_of_an_item_is_an_id_or_a_hash() -> None:
    assert safe("req_0193") == "req_0193" and safe("kept.dsar~2/0") == "kept.dsar~2/0"
    for value in ("luisg@embraer.com.br", "Luís", "", "a" * 201, "x\n", "\ud800", "+55 11 1234"):
        assert re.fullmatch("sha256:[0-9a-f]{32}", safe(value))
    these, memory = items()
    await these.each(["luisg@embraer.com.br"], Work(**{"luisg@embraer.com.br": TamperError()}))
    assert "luisg" not in str(await memory.of("demo"))
