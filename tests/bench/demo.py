"""`make demo` in its parts, from an empty state with filled package caches: the start, the story, the second start; and memory.

Each part is the command as a person types it. Memory is what `kept status` shows: of all parts together, shared pages once,
looked at once a second; the most that was seen counts.
"""

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from deploy.local import control, processes
from deploy.local.catalog import PARTS
from deploy.local.state import REPOSITORY, State
from tests.bench import report
from tests.support.platform import free_port

LOOK_SECONDS = 1.0
COMMAND_SECONDS_MAX = 300


@dataclass
class Memory:
    """MB by part, at the moment when all together had the most."""

    most: dict[str, int] = field(default_factory=dict)
    last: dict[str, int] = field(default_factory=dict)

    def look(self, state: State) -> None:
        found = {name: processes.alive(state.pid_file(name)) for name in PARTS}
        self.last = {name: processes.memory_bytes(one) >> 20 for name, one in found.items() if one is not None}
        if sum(self.last.values()) > sum(self.most.values()):
            self.most = self.last


@contextmanager
def watched(state: State) -> Iterator[Memory]:
    """Looks once a second, beside what is measured."""
    memory, over = Memory(), threading.Event()

    def look() -> None:
        while not over.wait(LOOK_SECONDS):
            memory.look(state)

    thread = threading.Thread(target=look)
    thread.start()
    try:
        yield memory
    finally:
        over.set()
        thread.join()


def timed(state: State, port: int, *words: str) -> float:
    """Seconds of `kept …`."""
    began = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-m", "deploy.cli", *words, "--json"], cwd=REPOSITORY, capture_output=True, text=True,
        env={**os.environ, "KEPT_STATE": str(state.root), "KEPT_PORT": str(port)}, timeout=COMMAND_SECONDS_MAX,
    )  # fmt: skip
    took = time.perf_counter() - began
    assert done.returncode == 0, f"kept {' '.join(words)}: {done.stdout[-500:]}{done.stderr[-500:]}"
    assert json.loads(done.stdout)
    return took


def measure(quick: bool) -> str:
    rows: list[list[str]] = []
    with report.workplace() as root:
        state, port = State(root / "state"), free_port()

        def part(what: str, *words: str) -> None:
            rows.append([what, f"`kept {' '.join(words)}`", f"**{timed(state, port, *words):.1f} s**"])

        try:
            with watched(state) as memory:
                part("the start from an empty state, until every part is ready", "up")
                if not quick:
                    part("the story: eight steps, each checked", "demo")
                part("a look at every part", "status")
                part("the stop", "down")
                part("the next start", "up")
        finally:
            control.stop(state)
    return f"""
{report.table(["part of `make demo`", "command", "took"], rows)}

All {len(memory.most)} parts together took at most **{sum(memory.most.values()):,} MB** ({_largest(memory.most)}), and
{sum(memory.last.values()):,} MB after the second start. A fresh clone takes besides what its virtual environment takes, and the
first start on a machine what fetching Apache Kafka takes.
"""


def _largest(parts: dict[str, int]) -> str:
    return ", ".join(f"{name} {mb}" for name, mb in sorted(parts.items(), key=lambda one: -one[1])[:3])


def main() -> None:
    quick = report.arguments(__doc__).quick
    report.section("demo", "The whole platform on one machine", measure(quick), quick=quick)


if __name__ == "__main__":
    main()
