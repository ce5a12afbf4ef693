"""The database side of the kernel: the engine, and the tables that every service has besides its own.

`kernel_tables(metadata)` declares them on a service's metadata, as they are today; how they came to be so stands in their own
revisions (shared/migrations/kernel).
"""

import logging
import select
from dataclasses import dataclass
from typing import Any

import psycopg
from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Computed,
    DateTime,
    Identity,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    event,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.engine import URL
from sqlalchemy.exc import DBAPIError, DisconnectionError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.ext.asyncio import AsyncEngine, async_sessionmaker, create_async_engine

from shared.bounded import Bounded
from shared.errors import ConflictError, UnavailableError
from shared.settings import ServiceSettings

log = logging.getLogger("kept.door")

WAIT_SECONDS_MAX = 10  # for a connection; whoever waits longer is told to come again
# A server that vanished (a pulled cable, a failover) is given up within half a minute; TCP alone would take hours. One that
# hangs: shared/bounded.py.
CONNECT = {
    "connect_timeout": WAIT_SECONDS_MAX,
    "keepalives_idle": 15,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 30_000,
}
POOL_SIZE = 5  # connections per service: five services and tools stay far under PostgreSQL's default of 100


@dataclass(frozen=True)
class KernelTables:
    outbox: Table
    inbox: Table
    data_keys: Table
    spent_grants: Table
    idempotency: Table
    set_aside: Table


def kernel_tables(metadata: MetaData) -> KernelTables:
    """Declare (once per metadata) and return the kernel's tables."""
    if "outbox" in metadata.tables:
        return KernelTables(**{name: metadata.tables[name] for name in KernelTables.__dataclass_fields__})
    now = func.now()
    outbox = Table(
        "outbox",
        metadata,
        Column("id", BigInteger, Identity(always=True), primary_key=True),
        Column("ce_id", String(36), nullable=False, unique=True),
        Column("topic", Text, nullable=False),
        Column("key", Text, nullable=False),
        Column("headers", JSONB, nullable=False),
        Column("value", LargeBinary, nullable=False),
        Column("created_at", DateTime(timezone=True), nullable=False, server_default=now),
        Column("published_at", DateTime(timezone=True)),
        Column("partition", Integer),  # where the broker put it: the relay resumes after it
        Column("offset", BigInteger),
    )
    Index("outbox_unpublished", outbox.c.id, postgresql_where=text("published_at IS NULL"))
    placed = (outbox.c.topic, outbox.c.partition, outbox.c.offset)  # where a starting relay looks for the last that it sent
    idempotency = Table(
        "idempotency",
        metadata,
        Column("key", Text, primary_key=True),
        Column("request_hash", LargeBinary, nullable=False),
        Column("status", Integer),
        Column("body", LargeBinary),
        Column("created_at", DateTime(timezone=True), nullable=False, server_default=now),
    )
    Index("idempotency_created", idempotency.c.created_at)  # by which what expired is found
    Index("outbox_placed", *placed, postgresql_where=text("partition IS NOT NULL"))
    return KernelTables(
        outbox=outbox,
        inbox=Table(
            "inbox",
            metadata,
            Column("ce_id", Text, primary_key=True),
            Column("handled_at", DateTime(timezone=True), nullable=False, server_default=now),
        ),
        data_keys=_data_keys(metadata),
        spent_grants=Table(
            "spent_grants",
            metadata,
            Column("jti", Text, primary_key=True),
            Column("spent_at", DateTime(timezone=True), nullable=False),
        ),
        idempotency=idempotency,
        set_aside=Table(  # shared/loops: what a loop could not do
            "set_aside",
            metadata,
            Column("loop", Text, primary_key=True),
            Column("item", Text, primary_key=True),  # an id of ours, or a hash
            Column("reason", Text, nullable=False),  # a code or a class, and where
            Column("tries", Integer, nullable=False),
            Column("first_at", DateTime(timezone=True), nullable=False),
            Column("last_at", DateTime(timezone=True), nullable=False),
            Column("next_try_at", DateTime(timezone=True)),  # null: only by hand
        ),
    )


def _data_keys(metadata: MetaData) -> Table:
    """The keyring: of each person a row per version of their data key, `current` the one that seals. Where `wrapped` is null,
    the key is destroyed; who never had one leaves a row of version 0. The unique index on the current one is what orders
    whoever makes a person's key and whoever shreds it."""
    kek_version = Computed("substring(wrapped from '^vault:v([0-9]+):')::integer", persisted=True)
    keys = Table(
        "data_keys",
        metadata,
        Column("subject", Text, primary_key=True),
        Column("version", Integer, primary_key=True),
        Column("wrapped", Text),
        Column("kek_version", Integer, kek_version),
        Column("created_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
        Column("shredded_at", DateTime(timezone=True)),
        Column("current", Boolean, nullable=False, server_default=text("true")),
        CheckConstraint("(wrapped IS NULL) = (shredded_at IS NOT NULL)", name="data_keys_shredded"),
    )
    Index("data_keys_current", keys.c.subject, unique=True, postgresql_where=keys.c.current)
    return keys


def database_url(settings: ServiceSettings, password: str) -> URL:
    """Where the service's database is. The password is hidden when the URL is printed."""
    return URL.create(
        "postgresql+psycopg",
        username=settings.database_role,
        password=password,
        host=settings.database_host,
        port=settings.database_port,
        database=settings.database,
    )


def make_engine(url: URL) -> AsyncEngine:
    engine = create_async_engine(
        url,
        pool_size=POOL_SIZE,
        max_overflow=POOL_SIZE,
        pool_timeout=WAIT_SECONDS_MAX,
        hide_parameters=True,
        connect_args={**CONNECT, "async_creator_fn": Bounded.connect},
    )
    event.listen(engine.sync_engine, "checkout", _not_hung_up)
    return engine


def hung_up(descriptor: int) -> bool:
    """Whether the server ended this idle connection. The socket is asked, not the server: that costs no round trip, and a
    server says nothing on an idle connection but that it ends it. One that vanished without a word: CONNECT."""
    poll = select.poll()
    poll.register(descriptor, select.POLLIN)
    return bool(poll.poll(0))


def _not_hung_up(connection: Any, *_: object) -> None:
    """A pool's connection that ended while it lay there is replaced before anybody uses it."""
    driver = connection.driver_connection
    if driver.closed or hung_up(driver.fileno()):
        raise DisconnectionError


def make_sessions(engine: AsyncEngine) -> "async_sessionmaker":  # type: ignore[type-arg]  # the alias in work.Sessions is the typed one
    return async_sessionmaker(engine, expire_on_commit=False)


def translated(error: DBAPIError | PoolTimeoutError | psycopg.Error) -> Exception:
    """Database errors as ours: away, full, busy or deadlocked is worth another try; a broken constraint is a conflict.

    The names of constraints and of the driver's classes go to the log: they are of use there, and mean nothing to who asked."""
    if isinstance(error, PoolTimeoutError):
        return UnavailableError("the database has no connection free")
    driver = error.orig if isinstance(error, DBAPIError) else error
    if isinstance(driver, psycopg.IntegrityError):
        log.warning("constraint %s", driver.diag.constraint_name or "unknown")
        return ConflictError("somebody else did or changed the same at this moment; look how it is now, and try again")
    lost = isinstance(error, DBAPIError) and error.connection_invalidated
    if lost or isinstance(driver, (psycopg.OperationalError, psycopg.InterfaceError)):
        log.warning("database: %s", type(driver).__name__)
        return UnavailableError("the database is away")
    return error
