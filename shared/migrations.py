"""Migrations: each service keeps its revisions in `services/<name>/migrations/versions`, expand before contract."""

from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import Connection, create_engine
from sqlalchemy.engine import URL

if TYPE_CHECKING:
    from alembic.config import Config

_ROOT = Path(__file__).resolve().parents[1]


def migrate(service: str, url: URL) -> None:
    """Bring the service's database to the newest revision; blocks, and is safe to run twice or from two processes."""
    from alembic import command  # large: a process that finds everything migrated does without

    engine = create_engine(url, hide_parameters=True)
    with engine.begin() as connection:
        connection.exec_driver_sql("SELECT pg_advisory_xact_lock(4719)")  # one migration at a time
        command.upgrade(_config(service, connection), "head")
    engine.dispose()


def _config(service: str, connection: Connection) -> "Config":
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(_ROOT / "services" / service / "migrations"))
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    return config


def run_env() -> None:
    """The whole of a service's `migrations/env.py`: run on the connection that `migrate` opened."""
    from alembic import context

    context.configure(connection=context.config.attributes["connection"], transactional_ddl=True)
    context.run_migrations()
