"""A Python process of ours: a service, the foreign service, the mail catcher."""

import asyncio
import signal
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import httpx

from deploy.local import environment, users
from deploy.local.catalog import SECOND
from deploy.local.errors import NotYetError, PlatformError
from deploy.local.part import Launch
from deploy.local.state import REPOSITORY, State
from deploy.local.vault import Secrets

ALIVE_SECONDS = 1.5  # a process without HTTP counts as ready when it lived this long
_migrating = asyncio.Lock()  # Alembic keeps its context in a global


# One arena of the C library for all threads, as in the image: they take turns anyway, and each arena keeps what it once had.
INTERPRETER = {"PYTHONUNBUFFERED": "1", "PYTHONDONTWRITEBYTECODE": "", "MALLOC_ARENA_MAX": "1"}


class Program:
    """The part: `python -m <module>`, ready when its /readyz (or `ready`) names nothing that it waits for."""

    stop_signal = signal.SIGTERM
    stop_seconds = 15.0

    def __init__(
        self, name: str, module: str, *, env: Callable[[], Mapping[str, str]], needs: tuple[str, ...], ready: str,
        own: Callable[[], Sequence[Path]] = lambda: (), user: str = "",
    ) -> None:  # fmt: skip
        self.name, self.needs = name, needs
        self._user = user or name
        self._module, self._env, self._ready, self._own = module, env, ready, own
        self._began = 0.0
        self._note = ""

    def note(self) -> str:
        return self._note

    async def prepare(self) -> Launch:
        self._began = time.monotonic()
        env = {**INTERPRETER, **self._env()}
        users.give(self._user, *self._own())
        command = (sys.executable, "-m", self._module)
        return Launch((*users.prefix(self._user, *self._own()), *command), env=env, cwd=REPOSITORY)

    async def probe(self) -> None:
        if not self._ready:
            if time.monotonic() - self._began < ALIVE_SECONDS:
                raise NotYetError("to see that it stays up")
            return
        try:
            async with httpx.AsyncClient(timeout=5, trust_env=False) as http:
                answer = await http.get(self._ready)
        except httpx.HTTPError as error:
            raise NotYetError("for it to answer") from error
        # Also what it answers without: `kept status` shows all that is away, and a start is over when nothing is.
        waits, self._note = _waits_for(answer), _set_aside(answer, self.name)
        if waits:
            raise NotYetError(waits)

    async def settle(self) -> None:
        return


class Service(Program):
    """One of the five, or its `second` process: migrated before it starts. The second one starts when the first is ready: ten
    that start at once on two cores take longer than the supervisor waits for any of them."""

    def __init__(self, state: State, ports: dict[str, int], secrets: Secrets, service: str, *, second: bool = False) -> None:
        name = SECOND[service] if second else service
        super().__init__(
            name, f"services.{service}.app",
            env=lambda: environment.write(state, ports, service, second=second),
            own=lambda: environment.own(state, service),
            needs=("vault", "postgres", "kafka", *((service,) if second else ())),
            ready=f"http://127.0.0.1:{ports[name]}/readyz",
            user=service,
        )  # fmt: skip
        self.service = service
        self._port, self._secrets = ports["postgres"], secrets

    async def prepare(self) -> Launch:
        # Half a second of imports, which `kept status`, asking each part how it is, does without.
        from sqlalchemy.engine import URL
        from sqlalchemy.exc import OperationalError

        from shared.migrations import migrate

        password = await self._secrets.password(f"{self.service}/database")
        url = URL.create(
            "postgresql+psycopg", username=self.service, password=password, host="127.0.0.1", port=self._port,
            database=self.service,
        )  # fmt: skip
        async with _migrating:
            try:
                await asyncio.to_thread(migrate, self.service, url)
            except OperationalError as error:  # away for a moment, or without room: no reason to stop everything
                raise NotYetError("for the database") from error
            except Exception as error:  # whatever it is: without its tables the service must not start
                raise PlatformError(f"{self.name}: migration failed: {type(error).__name__}") from error
        return await super().prepare()


def _waits_for(answer: httpx.Response) -> str:
    """Empty where it waits for nothing."""
    try:
        waits = answer.json()["waits_for"]
        if waits or answer.status_code == httpx.codes.OK:
            return f"for {', '.join(str(one) for one in waits)}" if waits else ""
    except (ValueError, KeyError, TypeError):
        pass
    return f"it answers {answer.status_code}"


def _set_aside(answer: httpx.Response, name: str) -> str:
    """A word on what its loops could not do: empty where all was done."""
    try:
        counts = {str(loop): int(count) for loop, count in answer.json()["set_aside"].items()}
    except (ValueError, KeyError, TypeError, AttributeError):
        return ""
    mails = counts.pop("mail", 0)
    said = ", ".join(f"{count} of {loop}" for loop, count in sorted(counts.items()))
    notes = [f"set aside: {said}; kept set-aside list {name}"] if said else []
    return "; ".join([*notes, *([f"mails not sent: {mails}; kept mail list {name}"] if mails else [])])
