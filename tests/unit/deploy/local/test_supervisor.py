"""The supervisor with parts of its own: small processes, no servers."""

import asyncio
import os
import signal
import sys
import time
from pathlib import Path

import pytest

from deploy.local import leftovers, processes, supervisor
from deploy.local.catalog import EVERY_PART, SECOND, SERVICES
from deploy.local.errors import Exit, NotYetError, PlatformError
from deploy.local.part import Launch
from deploy.local.parts import everything
from deploy.local.state import State
from deploy.local.supervisor import Supervisor


class Sleeper:
    stop_signal = signal.SIGTERM
    stop_seconds = 5.0

    def __init__(self, name: str, needs: tuple[str, ...] = (), code: str = "import time; time.sleep(60)") -> None:
        self.name, self.needs, self._code = name, needs, code
        self.probes = 0
        self.settled = 0
        self.broken: PlatformError | None = None

    def note(self) -> str:
        return ""

    async def prepare(self) -> Launch:
        if self.broken:
            raise self.broken
        return Launch((sys.executable, "-c", self._code))

    async def probe(self) -> None:
        self.probes += 1
        if self.probes < 2:
            raise NotYetError("for a second look")

    async def settle(self) -> None:
        self.settled += 1


@pytest.fixture
def state(tmp_path: Path) -> State:
    found = State(tmp_path)
    found.prepare()
    return found


async def until(true: "object", seconds: float = 10.0) -> None:
    assert callable(true)
    for _ in range(int(seconds * 50)):
        if true():
            return
        await asyncio.sleep(0.02)
    raise AssertionError("not in time")


async def test_starts_in_order_restarts_and_stops_all(state: State) -> None:
    first, second = Sleeper("first"), Sleeper("second", needs=("first",))
    watch = Supervisor(state, [first, second])
    running = asyncio.create_task(watch.run())
    await until(lambda: watch._conditions["second"].state == "ready")
    assert first.settled == second.settled == 1

    pid = watch._conditions["first"].pid
    os.kill(pid, signal.SIGKILL)
    await until(lambda: watch._conditions["first"].starts == 2 and watch._conditions["first"].state == "ready")
    assert watch._conditions["second"].starts == 1

    process = processes.alive(state.pid_file("first"))
    assert process is not None
    watch.stop()
    assert await running is Exit.OK
    assert not process.is_running()
    assert not list(state.run.glob("*.pid"))


async def test_one_that_is_slow_has_longer_each_time_it_was_taken_for_stuck(
    state: State, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(supervisor, "READY_SECONDS_MAX", 0.4)
    monkeypatch.setattr(supervisor, "BACKOFF_SECONDS", (0.0,))

    class Slow(Sleeper):
        began = 0.0

        async def prepare(self) -> Launch:
            self.began = time.monotonic()
            return await super().prepare()

        async def probe(self) -> None:
            if time.monotonic() - self.began < 1.0:  # at each start, as on a machine that is always as busy
                raise NotYetError("for its turn")

    watch = Supervisor(state, [Slow("slow")])
    running = asyncio.create_task(watch.run())
    await until(lambda: watch._conditions["slow"].state == "ready", 60)
    assert watch._conditions["slow"].starts <= 3
    watch.stop()
    assert await running is Exit.OK


def test_the_second_process_of_a_service_starts_when_the_first_is_ready(state: State) -> None:
    state.twice.touch()
    needs = {part.name: part.needs for part in everything(state, dict.fromkeys([*EVERY_PART, "smtp"], 1))}
    for service in SERVICES:
        assert needs[SECOND[service]] == (*needs[service], service)


async def test_what_can_never_start_ends_everything_with_its_line(state: State) -> None:
    fine, broken = Sleeper("fine"), Sleeper("broken")
    broken.broken = PlatformError("no such program", Exit.PROGRAM_MISSING)
    watch = Supervisor(state, [fine, broken])
    assert await asyncio.wait_for(watch.run(), 10) is Exit.PROGRAM_MISSING
    said = state.read_json(state.status)
    assert said is not None
    assert said["error"] == {"line": "no such program", "exit_code": 6}
    assert not list(state.run.glob("*.pid"))


async def test_says_the_last_words_of_what_dies(state: State, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(supervisor, "BACKOFF_SECONDS", (5.0,))
    dying = Sleeper("dying", code="import sys; print('my last word'); sys.exit(3)")
    dying.probes = -1000
    watch = Supervisor(state, [dying])
    running = asyncio.create_task(watch.run())
    await until(lambda: watch._conditions["dying"].state == "restarting")
    assert watch._conditions["dying"].waits_for == "it ended with status 3: my last word"
    watch.stop()
    assert await running is Exit.OK


async def test_what_a_killed_supervisor_left_is_stopped_though_nobody_wrote_its_pid_down(state: State) -> None:
    watch = Supervisor(state, [Sleeper("kafka")])
    running = asyncio.create_task(watch.run())
    await until(lambda: watch._conditions["kafka"].state == "ready")
    process = processes.alive(state.pid_file("kafka"))
    assert process is not None
    state.pid_file("kafka").unlink()
    leftovers.stop(State(state.root / "elsewhere"))
    assert process.is_running(), "another installation's"
    leftovers.stop(state)
    assert not processes._runs(process)
    watch.stop()
    assert await running is Exit.OK


def test_a_second_supervisor_is_refused(state: State) -> None:
    with supervisor.take_lock(state), pytest.raises(PlatformError) as refused:
        supervisor.take_lock(state)
    assert refused.value.exit_code is Exit.ALREADY_RUNNING


def test_a_pid_of_another_process_is_not_ours(state: State) -> None:
    path = state.pid_file("x")
    processes.remember(path, os.getpid())
    assert processes.alive(path) is not None
    path.write_text(path.read_text().replace('"created": 1', '"created": 2'))
    assert processes.alive(path) is None
