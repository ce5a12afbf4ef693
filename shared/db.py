"""The database side of the kernel: the engine, and the tables that every service has besides its own.

`kernel_tables(metadata)` declares them on a service's metadata; `create_kernel_tables()` is what the first migration of
a service calls, and each later one since which there are more of them, so that Alembic and the models agree.
"""

from dataclasses import dataclass

from sqlalchemy import (
    BigInteger,
    Column,
    DateTime,
    Identity,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.engine import URL, Connection
from sqlalchemy.ext.asyncio import AsyncEngine, async_sessionmaker, create_async_engine

from shared.settings import ServiceSettings

WAIT_SECONDS_MAX = 10  # for a connection; whoever waits longer is told to come again
# A server that vanished (a pulled cable, a failover) is given up within half a minute; TCP alone would take hours.
_PATIENCE = {
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
    keyring: Table
    shredded: Table
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
    Index("outbox_placed", *placed, postgresql_where=text("partition IS NOT NULL"))
    return KernelTables(
        outbox=outbox,
        inbox=Table(
            "inbox",
            metadata,
            Column("ce_id", Text, primary_key=True),
            Column("handled_at", DateTime(timezone=True), nullable=False, server_default=now),
        ),
        keyring=Table(
            "keyring",
            metadata,
            Column("subject", Text, primary_key=True),
            Column("version", Integer, nullable=False),
            Column("wrapped", Text, nullable=False),
            Column("created_at", DateTime(timezone=True), nullable=False, server_default=now),
        ),
        shredded=Table(
            "shredded",
            metadata,
            Column("subject", Text, primary_key=True),
            Column("shredded_at", DateTime(timezone=True), nullable=False),
        ),
        spent_grants=Table(
            "spent_grants",
            metadata,
            Column("jti", Text, primary_key=True),
            Column("spent_at", DateTime(timezone=True), nullable=False),
        ),
        idempotency=Table(
            "idempotency",
            metadata,
            Column("key", Text, primary_key=True),
            Column("request_hash", LargeBinary, nullable=False),
            Column("status", Integer),
            Column("body", LargeBinary),
            Column("created_at", DateTime(timezone=True), nullable=False, server_default=now),
        ),
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


def create_kernel_tables(connection: Connection) -> None:
    """Create those of the kernel's tables that are not there yet, through a migration's connection (`op.get_bind()`)."""
    metadata = MetaData()
    kernel_tables(metadata)
    metadata.create_all(connection)


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
    return create_async_engine(
        url,
        pool_size=POOL_SIZE,
        max_overflow=POOL_SIZE,
        pool_timeout=WAIT_SECONDS_MAX,
        pool_pre_ping=True,
        hide_parameters=True,
        connect_args=_PATIENCE,
    )


def make_sessions(engine: AsyncEngine) -> "async_sessionmaker":  # type: ignore[type-arg]  # the alias in work.Sessions is the typed one
    return async_sessionmaker(engine, expire_on_commit=False)
