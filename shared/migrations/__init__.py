"""Migrations: each service keeps its revisions in `services/<name>/migrations/versions`, expand before contract.

The kernel's tables have revisions of their own, a branch beside each service's (`kernel/`, label `kernel`). A revision says
what it made on its day and is never changed; a service's revision that builds on one of the kernel's names it in `depends_on`.
"""

import logging
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import Connection, create_engine, text
from sqlalchemy.engine import URL

from shared.locks import Lock

if TYPE_CHECKING:
    from alembic.config import Config

log = logging.getLogger(__name__)
_ROOT = Path(__file__).resolve().parents[2]
_KERNEL = Path(__file__).parent / "kernel"


def migrate(service: str, url: URL, to: str = "heads") -> None:
    """Bring the service's database to its newest revisions and the kernel's (or to `to`, as Alembic names it: `0003`,
    `kernel@head`). Blocks; safe to run twice or from two processes.

    Where a newer version has migrated it already, it is left as it is: that one expanded only, so that processes of this
    version go on, and start again, beside it."""
    engine = create_engine(url, hide_parameters=True)
    with engine.begin() as connection:
        connection.execute(text("SELECT pg_advisory_xact_lock(:one)"), {"one": Lock.MIGRATION})  # one migration at a time
        if _newer(service, connection):
            log.warning("the database was migrated by a newer version than this one")
        else:
            upgrade(service, connection, to)
    engine.dispose()


def _newer(service: str, connection: Connection) -> bool:
    """Whether the database is at a revision that this version does not know."""
    from alembic.migration import MigrationContext
    from alembic.script import ScriptDirectory

    known = {one.revision for one in ScriptDirectory.from_config(configured(service)).walk_revisions()}
    return not known.issuperset(MigrationContext.configure(connection).get_current_heads())


def upgrade(service: str, connection: Connection, to: str = "heads") -> None:
    """What `migrate` does, in a transaction of the caller's."""
    from alembic import command  # large: a process that finds everything migrated does without

    config = configured(service)
    config.attributes["connection"] = connection
    command.upgrade(config, to)


def configured(service: str) -> "Config":
    """Where Alembic finds the service's revisions and the kernel's."""
    from alembic.config import Config

    config = Config()
    home = _ROOT / "services" / service / "migrations"
    config.set_main_option("script_location", str(home))
    config.set_main_option("path_separator", "newline")
    config.set_main_option("version_locations", f"{home / 'versions'}\n{_KERNEL}")
    return config


def run_env() -> None:
    """The whole of a service's `migrations/env.py`: run on the connection that `migrate` opened."""
    from alembic import context

    context.configure(connection=context.config.attributes["connection"], transactional_ddl=True)
    context.run_migrations()
