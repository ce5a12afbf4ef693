"""Starts the parts in order, watches them, restarts what dies, stops everything. Runs in a process of its own.

    python -m deploy.local.supervisor [--only-servers]

One task per part. A part starts when those that it needs have been ready once; after that each part copes with the
others' absence by itself, and a restarted one is just started again. The supervisor's last word is in run/status.json.
"""

import asyncio
import contextlib
import fcntl
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import IO

from deploy.local import bytecode, leftovers, processes
from deploy.local import ports as port_file
from deploy.local.errors import Exit, NotYetError, PlatformError
from deploy.local.part import Part
from deploy.local.parts import everything, servers
from deploy.local.state import State, write_private

# When it has waited so long for the same thing a process is taken for stuck and restarted; twice as long after each time it
# was, READY_DOUBLED_MAX times: one that is only slow on a busy machine, and is ended again and again, makes that busier.
READY_SECONDS_MAX = 120.0
READY_DOUBLED_MAX = 2
BACKOFF_SECONDS = (0.2, 1.0, 2.0, 5.0, 10.0, 30.0)
STEADY_SECONDS = 60.0  # a part that lived this long starts again from the shortest backoff


@dataclass
class Condition:
    """What is known of one part."""

    name: str
    state: str = "waiting"  # waiting, starting, ready, restarting, failed, stopped
    waits_for: str = ""
    pid: int = 0
    starts: int = 0
    note: str = ""


class Supervisor:
    def __init__(self, state: State, parts: Sequence[Part]) -> None:
        self._state = state
        self._parts = parts
        self._conditions = {part.name: Condition(part.name, note=part.note()) for part in parts}
        self._ready = {part.name: asyncio.Event() for part in parts}
        self._processes: dict[str, asyncio.subprocess.Process] = {}
        self._stopping = asyncio.Event()
        self._error: PlatformError | None = None

    def stop(self) -> None:
        self._stopping.set()

    async def run(self) -> Exit:
        """Until `stop`, or until something says that it can never start."""
        self._say()
        tasks = [asyncio.create_task(self._keep(part), name=part.name) for part in self._parts]
        await self._stopping.wait()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for part in reversed(self._parts):
            await self._end(part)
        self._say()
        return self._error.exit_code if self._error else Exit.OK

    # -- one part -------------------------------------------------------------------------------------------------

    async def _keep(self, part: Part) -> None:
        condition = self._conditions[part.name]
        for need in part.needs:
            if need in self._ready:
                self._tell(condition, "waiting", f"for {need}")
                await self._ready[need].wait()
        failures = stuck = 0
        while True:
            began = time.monotonic()
            try:
                await self._live(part, condition, READY_SECONDS_MAX * 2 ** min(stuck, READY_DOUBLED_MAX))
                stuck = 0
            except PlatformError as error:
                self._tell(condition, "failed", error.line)
                self._error = error
                self._stopping.set()
                return
            except NotYetError as error:
                stuck += 1
                self._tell(condition, "restarting", f"it stayed waiting {error}")
            except Exception as error:  # a defect in a part's own code must not end the watch over the others
                self._tell(condition, "restarting", f"{type(error).__name__} while starting")
                print(f"{part.name}: {error!r}", file=sys.stderr, flush=True)
            await self._end(part)
            failures = 0 if time.monotonic() - began > STEADY_SECONDS else failures + 1
            await asyncio.sleep(BACKOFF_SECONDS[min(failures, len(BACKOFF_SECONDS) - 1)])

    async def _live(self, part: Part, condition: Condition, ready_seconds: float) -> None:
        """One life of its process, from start to end; NotYetError where it waits `ready_seconds` for one thing."""
        self._tell(condition, "starting", condition.waits_for)
        while True:
            try:
                launch = await part.prepare()
                break
            except NotYetError as error:
                self._tell(condition, "waiting", str(error))
                await asyncio.sleep(0.5)
        with self._state.log_file(part.name).open("ab") as log:
            tags = processes.tags(self._state.root, part.name)
            process = await asyncio.create_subprocess_exec(
                *launch.argv, env={**os.environ, **launch.env, **tags}, cwd=launch.cwd, stdin=subprocess.DEVNULL, stdout=log,
                stderr=log, user=launch.uid, group=launch.gid, extra_groups=None if launch.uid is None else [],
                start_new_session=True,
            )  # fmt: skip
        self._processes[part.name] = process
        condition.pid, condition.starts = process.pid, condition.starts + 1
        with contextlib.suppress(Exception):  # it may have died at once; wait() below finds out
            processes.remember(self._state.pid_file(part.name), process.pid)
        ended = asyncio.create_task(process.wait())
        ready = asyncio.create_task(self._become_ready(part, condition, ready_seconds))
        try:
            await asyncio.wait({ended, ready}, return_when=asyncio.FIRST_COMPLETED)
            if ready.done():
                ready.result()
                self._tell(condition, "ready", "")
                self._ready[part.name].set()
            code = await ended
            self._tell(condition, "restarting", f"{_ending(code)}{self._last_words(part.name)}")
        finally:
            ready.cancel()
            ended.cancel()

    async def _become_ready(self, part: Part, condition: Condition, seconds: float) -> None:
        seen: dict[str, float] = {}  # what it waited for, since when
        settled = False
        while True:
            try:
                await part.probe()
                if settled:
                    return
                await part.settle()
                settled = True
            except NotYetError as error:
                self._tell(condition, "starting", str(error))
                if time.monotonic() - seen.setdefault(str(error), time.monotonic()) > seconds:
                    raise
                await asyncio.sleep(0.15)

    async def _end(self, part: Part) -> None:
        """Stops its process, if it runs; shielded, so that a second signal does not leave it behind."""
        process = self._processes.pop(part.name, None)
        if process is not None and process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                process.send_signal(part.stop_signal)
            try:
                await asyncio.wait_for(process.wait(), part.stop_seconds)
            except TimeoutError:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
                await process.wait()
        self._state.pid_file(part.name).unlink(missing_ok=True)
        condition = self._conditions[part.name]
        condition.pid = 0
        if self._stopping.is_set() and condition.state != "failed":
            condition.state, condition.waits_for = "stopped", ""

    # -- saying ---------------------------------------------------------------------------------------------------

    def _last_words(self, name: str) -> str:
        try:
            with self._state.log_file(name).open("rb") as log:
                log.seek(max(0, log.seek(0, os.SEEK_END) - 2000))
                lines = log.read().decode(errors="replace").strip().splitlines()
        except OSError:
            return ""
        return f": {lines[-1][:200]}" if lines else ""

    def _tell(self, condition: Condition, state: str, waits_for: str) -> None:
        if (condition.state, condition.waits_for) != (state, waits_for):
            condition.state, condition.waits_for = state, waits_for
            print(f"{time.strftime('%H:%M:%S')} {condition.name}: {state} {waits_for}".rstrip(), flush=True)
            self._say()

    def _say(self) -> None:
        record = {
            "pid": os.getpid(),
            "error": self._error and {"line": self._error.line, "exit_code": int(self._error.exit_code)},
            "parts": [asdict(condition) for condition in self._conditions.values()],
        }
        write_private(self._state.status, json.dumps(record))


def _ending(code: int) -> str:
    return f"it was killed ({signal.Signals(-code).name})" if code < 0 else f"it ended with status {code}"


# -- the process ------------------------------------------------------------------------------------------------------


def take_lock(state: State) -> IO[str]:
    """Held as long as the supervisor lives; the kernel lets go of it however it dies."""
    file = state.lock.open("a+")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise PlatformError(f"already running on {state.root}", Exit.ALREADY_RUNNING) from error
    return file


async def supervise(state: State, only_servers: bool) -> Exit:
    ports = port_file.choose(state)
    supervisor = Supervisor(state, (servers if only_servers else everything)(state, ports))
    loop = asyncio.get_running_loop()
    for signum in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(signum, supervisor.stop)
    return await supervisor.run()


def main(only_servers: bool) -> int:
    state = State.find()
    try:
        state.prepare()
        with take_lock(state):
            processes.remember(state.pid, os.getpid())
            leftovers.stop(state)
            bytecode.write()
            try:
                return int(asyncio.run(supervise(state, only_servers)))
            finally:
                state.pid.unlink(missing_ok=True)
    except PlatformError as error:
        if error.exit_code is not Exit.ALREADY_RUNNING:
            record = {"pid": os.getpid(), "parts": [], "error": {"line": error.line, "exit_code": int(error.exit_code)}}
            with contextlib.suppress(OSError):
                write_private(state.status, json.dumps(record))
        print(error.line, file=sys.stderr)
        return int(error.exit_code)


if __name__ == "__main__":
    sys.exit(main(only_servers="--only-servers" in sys.argv[1:]))
