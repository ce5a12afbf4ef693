"""What the five composition roots have in common: the ground a service stands on, its work, its server.

A root (services/<name>/app.py) stays a wiring plan: `ground`, then the service's own parts, then `run`.
"""

import asyncio
import logging
import os
import signal
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Any, TypeVar

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from shared import telemetry
from shared.access.decide import Policies
from shared.access.tokens import ISSUER, TokenVerifier
from shared.bus.broker import BrokerSettings
from shared.bus.gauges import gauges as measured_bus
from shared.clock import Clock, SystemClock
from shared.db import KernelTables, database_url, make_engine, make_sessions
from shared.ended_sessions import EndedSessions
from shared.errors import UnavailableError
from shared.gauges import Gauge, Gauges
from shared.keys.keyring import Keyring
from shared.keys.vault import Vault
from shared.leader import gauges as duties
from shared.loops.aside import counted, gauges_of
from shared.loops.forever import HEALTH, failing
from shared.loops.forever import gauges as loop_gauges
from shared.migrations import migrate
from shared.notes.note import VaultSigner
from shared.settings import ServiceSettings
from shared.work import Door

if TYPE_CHECKING:  # a worker serves nothing: it needs the ground alone, and not the memory of these
    from fastapi import FastAPI

    from shared.bus.relay import Relay
    from shared.handlers import Handlers
    from shared.http.readiness import Ready
    from shared.mail.room import Letters, MailRoom

VAULT_WAIT_SECONDS = 1.0
SHUTDOWN_SECONDS = 10  # for requests under way; whoever stops us waits a little longer before it kills

S = TypeVar("S", bound=ServiceSettings)
log = logging.getLogger("kept.service")


@dataclass(frozen=True)
class Ground:
    """Keys, a migrated database, the door, and who may come in."""

    settings: ServiceSettings
    clock: Clock
    vault: Vault
    engine: AsyncEngine
    door: Door
    verifier: TokenVerifier
    ended_sessions: EndedSessions
    database_password: str = field(repr=False)

    async def broker(self) -> BrokerSettings:
        """How to reach Kafka; waits for Vault."""
        return BrokerSettings.of(self.settings, await secret(self.vault, f"{self.settings.service}/kafka"))

    def signer(self) -> VaultSigner:
        """Signs the service's notes, under `<origin of the log>/<service>`."""
        service, origin = self.settings.service, self.settings.log_name.partition("/")[0]
        return VaultSigner(self.vault, f"kept-{service}-notes", f"{origin}/{service}")

    def mail_room(self, letters: "Letters") -> "MailRoom":
        """From which the service's `letters` leave. Its password is asked of Vault when it is needed."""
        from shared.mail.room import MailRoom
        from shared.mail.server import MailServer

        async def password() -> str:
            return (await self.vault.kv(f"{self.settings.service}/smtp"))["password"]

        return MailRoom(self.door, MailServer(self.settings, password), letters, self.settings.contact)

    def readiness(self) -> "dict[str, Ready]":
        """What every service needs to answer: key service, database, and to know who signed out."""

        async def database() -> bool:
            async with self.engine.connect() as connection:
                await connection.execute(text("SELECT 1"))
            return True

        return {"vault": self.vault.healthy, "database": database, "sessions": self.ended_sessions.ready}

    def later(self, relay: "Relay", handlers: "Handlers") -> "dict[str, Ready]":
        """What every service goes on without, and catches up: the bus, and its loops, where one's last round failed. A bus that
        hangs is noticed by the handlers, which ask it every LOOK_SECONDS and give it ANSWER_SECONDS_MAX
        (shared/handlers.py)."""

        async def bus() -> bool:
            return (relay.active or relay.stands_by) and handlers.ready

        async def loops() -> bool:
            return not failing()

        return {"bus": bus, "loops": loops}

    def gauges(self, relay: "Relay", handlers: "Handlers", *more: Gauges) -> Gauges:
        """What /metrics shows of every service: its bus, its loops; and `more`, what is its own."""
        bus = measured_bus(self.settings.service, self.engine, relay, lambda: handlers.behind)

        async def set_aside() -> list[Gauge]:
            return gauges_of(await self.set_aside(), [*HEALTH])

        async def together() -> list[Gauge]:
            return [one for gauges in (bus, loop_gauges, duties, set_aside, *more) for one in await gauges()]

        return together

    async def set_aside(self) -> dict[str, int]:
        """Loop -> how many of its items could not be done."""
        return await counted(self.engine)


async def ground(settings: ServiceSettings, tables: KernelTables, *, migrated: bool = False) -> Ground:
    """Vault first: without it there is no password for the database. Then the database, at its newest revision; `migrated`:
    it is there, the service that started this process has seen to it."""
    clock, service = SystemClock(), settings.service
    vault = Vault.of(settings)
    password = await secret(vault, f"{service}/database")
    url = database_url(settings, password)
    if not migrated:
        await asyncio.to_thread(migrate, service, url)
    engine = make_engine(url)
    keyring = Keyring(service, vault, tables, cached_max=settings.data_keys_cached)
    door = Door(service, make_sessions(engine), clock, Policies.load(), keyring)
    ended_sessions = EndedSessions()
    verifier = TokenVerifier(
        settings.jwks_url, ISSUER, clock, ended_sessions.require_open, timedelta(minutes=settings.token_minutes_max)
    )
    return Ground(settings, clock, vault, engine, door, verifier, ended_sessions, password)


async def secret(vault: Vault, path: str) -> str:
    """A password from Vault. Waits as long as that is away or sealed: a service that starts before it is unsealed
    starts when it is."""
    waiting = False
    while True:
        try:
            return (await vault.kv(path))["password"]
        except UnavailableError as error:
            if not waiting:
                log.warning("waiting for the key service: %s", error.code)
            waiting = True
            await asyncio.sleep(VAULT_WAIT_SECONDS)


@asynccontextmanager
async def at_work(door: Door, *works: Coroutine[Any, Any, None]) -> AsyncIterator[None]:
    """Runs what a service does besides answering, as long as it lives.

    None of it ever ends by itself. If one does, it is a defect, and the process stops in order, to be started anew:
    a service whose relay is gone must not look alive.
    """
    tasks = [asyncio.create_task(one, name=str(getattr(one, "__qualname__", "work"))) for one in works]
    for task in tasks:
        task.add_done_callback(_ended)
    try:
        yield
    finally:
        for task in tasks:
            task.remove_done_callback(_ended)
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await door.close()
        await asyncio.to_thread(telemetry.flush)


def _ended(task: "asyncio.Task[None]") -> None:
    """Also where it was cancelled: we take this callback away before we cancel, so a library did, when its server died."""
    error = None if task.cancelled() else task.exception()
    log.error("%s ended, and the service with it", task.get_name(), exc_info=error)
    os.kill(os.getpid(), signal.SIGTERM)


def run(settings: type[S], build: "Callable[[S], Awaitable[FastAPI]]") -> None:
    """The whole life of a service's process."""
    asyncio.run(_serve(settings(), build))


async def _serve(settings: S, build: "Callable[[S], Awaitable[FastAPI]]") -> None:
    import uvicorn

    from shared.http.connection import Connection
    from shared.http.limits import HEADER_BYTES_MAX, IDLE_SECONDS_MAX
    from shared.http.stopping import StoppingServer

    telemetry.setup(settings.service)
    config = uvicorn.Config(
        await build(settings),
        host=settings.http_host,
        port=settings.http_port,
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=SHUTDOWN_SECONDS,
        http=Connection,
        proxy_headers=False,  # whom we believe is said in shared/http/source.py
        timeout_keep_alive=IDLE_SECONDS_MAX,
        h11_max_incomplete_event_size=2 * HEADER_BYTES_MAX,  # what is a little too long is refused in words
    )
    await StoppingServer(config, settings.drain_seconds).serve()
