"""What the chaos tests share: dice, somebody who goes on importing whatever happens, and hands that break things."""

import json
import os
import random
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import httpx
import psutil

from deploy.local import processes
from tests.support.insider import wait_until
from tests.support.made_up import STEVE, email, numbers, table
from tests.support.platform import Platform
from tests.support.staff import token

SERVICES = ("identity", "customers", "audit", "backup", "dsar")
ROWS = 25  # people in a file
ANSWER_SECONDS_MAX = 150.0  # until somebody who tries again and again must have got through
TRY_AGAIN = (401, 409, 502, 503, 504)  # 401: identity's keys cannot be had while it starts; 409: an earlier try committed


@dataclass(frozen=True)
class Dice:
    """Random, and repeatable: KEPT_CHAOS_SEED sets the seed, and every failure shows it."""

    seed: int
    random: random.Random

    @classmethod
    def cast(cls) -> "Dice":
        seed = int(os.environ.get("KEPT_CHAOS_SEED") or random.SystemRandom().randrange(10**6))
        print(f"KEPT_CHAOS_SEED={seed}")  # pytest shows it when the test fails
        return cls(seed, random.Random(seed))  # repeatable, not secret

    def pause(self, longest: float) -> None:
        """A random instant. The one sleep of these tests: it is what they are about."""
        time.sleep(self.random.uniform(0.02, longest))


@dataclass
class Answer:
    """One answer that the importer got."""

    status: int
    seconds: float
    retry_after: str | None


@dataclass(eq=False)
class Importer(threading.Thread):
    """A manager who imports file after file and corrects somebody of each; tries again whatever happens; ends when told."""

    platform: Platform
    rows: int = ROWS
    pause: float = 0.0
    made: list[str] = field(default_factory=list)
    corrected: int = 0
    answers: list[Answer] = field(default_factory=list)
    lost: int = 0  # requests that got no answer at all
    trouble: str = ""

    def __post_init__(self) -> None:
        super().__init__(daemon=True)
        self._token = token(self.platform, "nancy")
        self._enough = threading.Event()

    def __enter__(self) -> "Importer":
        self.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._enough.set()
        self.join(timeout=ANSWER_SECONDS_MAX * 2)
        if error[0] is None:
            assert not self.is_alive() and not self.trouble, self.trouble or "still trying"
            assert self.made, "it never got through"

    def run(self) -> None:
        try:
            with httpx.Client(
                base_url=self.platform.origin, headers={"Authorization": f"Bearer {self._token}"}, timeout=20
            ) as http:
                while not self._enough.wait(self.pause):
                    people = numbers(self.rows)
                    self.insist(lambda people=people: http.post("/api/customers/imports", content=table(people, STEVE)), 201)  # type: ignore[misc]
                    self.made += people
                    self.correct(http, people[0])
        except Exception as why:  # a thread's failure is the test's to tell
            self.trouble = repr(why)

    def correct(self, http: httpx.Client, number: str) -> None:
        found = self.insist(lambda: http.post("/api/customers/search", json={"email": email(number)}), 200)
        one = found.json()["items"][0]
        if_match = {"If-Match": f'"{one["version"]}"'}
        change = {"fields": {"city": "Elsewhere"}}
        # 412: an earlier try had committed before its answer was lost
        self.insist(lambda: http.patch(f"/api/customers/{one['id']}", json=change, headers=if_match), 200, 412)
        self.corrected += 1

    def goes_on(self, seconds: float = 60.0) -> None:
        """Another import gets through."""
        known = len(self.made)
        wait_until(lambda: len(self.made) > known or self.trouble, seconds=seconds)
        assert not self.trouble, self.trouble

    def insist(self, ask: Callable[[], httpx.Response], *good: int) -> httpx.Response:
        until = time.monotonic() + ANSWER_SECONDS_MAX
        last = ""
        while time.monotonic() < until:
            began = time.monotonic()
            try:
                answer = ask()
            except httpx.HTTPError as why:
                self.lost += 1
                last = repr(why)
            else:
                self.answers.append(Answer(answer.status_code, time.monotonic() - began, answer.headers.get("retry-after")))
                if answer.status_code in good:
                    return answer
                last = f"{answer.status_code} {answer.text[:300]}"
                assert answer.status_code in TRY_AGAIN, last
            time.sleep(0.2)
        raise AssertionError(f"no answer in {ANSWER_SECONDS_MAX} s; last: {last}")


# -- breaking things ----------------------------------------------------------------------------------------------------


def kill(platform: Platform, part: str) -> psutil.Process | None:
    """SIGKILL, wherever it stands; the process that was killed, None where it is just being started."""
    process = platform.process(part)
    if process is not None:
        platform.kill(part)
    return process


def another(platform: Platform, part: str, before: psutil.Process | None) -> None:
    """Wait until another process does the work of the one that was killed."""
    gone = before.pid if before else 0
    wait_until(lambda: (now := platform.process(part)) is not None and now.pid != gone)


@contextmanager
def held_down(platform: Platform, *parts: str) -> Iterator[None]:
    """Killed, and not started again as long as this lasts: the supervisor stands still."""
    supervisor = processes.alive(platform.state.pid)
    assert supervisor is not None
    supervisor.send_signal(signal.SIGSTOP)
    killed = []
    try:
        killed = [(part, kill(platform, part)) for part in parts]
        yield
    finally:
        supervisor.send_signal(signal.SIGCONT)
        for part, before in killed:
            another(platform, part, before)


def says(platform: Platform, part: str) -> str:
    """What `kept status` says that a part waits for; empty when it is ready."""
    parts = json.loads(platform.kept("status", "--json").stdout)["parts"]
    one = next(one for one in parts if one["name"] == part)
    return "" if one["state"] == "ready" else f"{one['state']} {one['waits_for']}"
