"""What the story needs to be told: HTTP as each person, their sign-in, the mail they got, commands as a service's operator.

Everything goes through the one public origin, as a browser would. What comes back is kept in memory only.
"""

import os
import re
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, TypeVar

import httpx
from rich.console import Console

from deploy.local import environment
from deploy.local import ports as port_file
from deploy.local.staff import credentials
from deploy.local.state import REPOSITORY, State

ANSWER_SECONDS_MAX = 90.0
T = TypeVar("T")


class StoryError(Exception):
    """A promise did not show. The text says which."""


def expect(true: bool, what: str) -> None:
    if not true:
        raise StoryError(what)


def until(what: str, look: Callable[[], T | None], seconds: float = ANSWER_SECONDS_MAX) -> T:
    """Asks again and again, for what happens over the bus."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        found = look()
        if found is not None:
            return found
        time.sleep(0.3)
    raise StoryError(f"{what}: not within {seconds:.0f} s")


@dataclass
class Stage:
    state: State
    tokens: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.origin = f"http://localhost:{port_file.load(self.state)['gateway']}"
        self.http = httpx.Client(base_url=self.origin, timeout=ANSWER_SECONDS_MAX, trust_env=False)

    def browser(self) -> httpx.Client:
        """A browser of its own, with its own cookies."""
        return httpx.Client(base_url=self.origin, timeout=ANSWER_SECONDS_MAX, trust_env=False, headers={"Origin": self.origin})

    def ask(
        self, method: str, path: str, *, who: str = "", purpose: str = "", good: tuple[int, ...] = (200, 201, 202), **more: Any
    ) -> httpx.Response:
        """One request, as `who`; a 503 is tried again for a while, as its Retry-After says."""
        headers: dict[str, str] = dict(more.pop("headers", {}))
        if who:
            headers["Authorization"] = f"Bearer {self.tokens[who]}"
        if purpose:
            headers["X-Purpose"] = purpose
        for _ in range(20):
            answer = self.http.request(method, path, headers=headers, **more)
            if answer.status_code not in (502, 503):
                break
            time.sleep(0.5)
        expect(answer.status_code in good, f"{method} {path.partition('?')[0]} answered {answer.status_code}{_why(answer)}")
        return answer

    def sign_in(self, name: str) -> bool:
        """Password and second factor. False when this half minute's code was used already: wait for the next one."""
        found = credentials(self.state, name)
        body = {key: str(found[key]) for key in ("email", "password", "code")}
        answer = self.ask("POST", "/api/identity/sessions", json=body, good=(200, 201, 401, 429))
        if answer.status_code in (401, 429):
            return False
        self.tokens[name] = answer.json()["token"]
        return True

    def mail_code(self, address: str, after: str) -> str:
        """The newest code that arrived for an address since `after` (RFC 3339)."""

        def look() -> str | None:
            for mail in self.ask("GET", "/mail.json", params={"to": address}).json():
                found = re.search(r"\b(\d{4}[ -]?\d{4})\b", mail["text"])
                if found and mail["time"] >= after:
                    return re.sub(r"\D", "", found[1])
            return None

        return until("the e-mail with the code", look, 30)

    def run(self, service: str, *words: str, good: tuple[int, ...] = (0,)) -> tuple[int, str]:
        """`kept <service> …` as its operator would type it: (exit code, what it printed)."""
        done = subprocess.run(
            [sys.executable, "-m", "deploy.cli", service, *words], cwd=REPOSITORY, capture_output=True, text=True,
            env={**os.environ, "KEPT_STATE": str(self.state.root), **environment.read(self.state, service)},
            timeout=ANSWER_SECONDS_MAX,
        )  # fmt: skip
        last = (done.stderr.strip() or done.stdout.strip() or "no message").splitlines()[-1]
        expect(done.returncode in good, f"kept {service} {words[0]} ended with status {done.returncode}: {last[:200]}")
        return done.returncode, done.stdout


def _why(answer: httpx.Response) -> str:
    try:
        body = answer.json()
        return f": {body.get('detail') or body.get('title')}"
    except (ValueError, AttributeError):
        return ""


def indented(text: str, width: int | None) -> list[str]:
    """Lines set in by three, wrapped between words to `width` columns; as they are where nobody said how wide (a pipe, a file).

    What has no space in it, a path or an id, is never broken: it must be there to be copied.
    """
    found: list[str] = []
    for line in text.splitlines():
        margin = " " * (3 + len(line) - len(line.lstrip()))
        whole = margin + line.strip()
        found += [whole] if width is None else textwrap.wrap(
            line.strip(), width, initial_indent=margin, subsequent_indent=margin + "  ", break_long_words=False,
            break_on_hyphens=False,
        )  # fmt: skip
    return found


@dataclass
class Story:
    stage: Stage
    console: Console
    facts: dict[str, Any] = field(default_factory=dict)
    backup_id: str = ""
    luis_known: bool = True

    def say(self, text: str) -> None:
        width = self.console.width if self.console.is_terminal else None
        for line in indented(text, width):
            self.console.print(line, markup=False, soft_wrap=True)
