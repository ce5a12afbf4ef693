"""`kept keys`: what is in the keyrings, with each service's own settings."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass
from typing import Annotated, Any

import typer
from sqlalchemy import Integer, MetaData, cast, column, func, or_, select, text
from sqlalchemy import table as sql_table
from sqlalchemy.exc import OperationalError
from sqlalchemy.ext.asyncio import AsyncConnection

from shared.cli import EXITS, Json, show, told
from shared.db import database_url, kernel_tables, make_engine
from shared.errors import NotFoundError, UnavailableError
from shared.installed import services, settings_of
from shared.keys.blind import key_name
from shared.keys.keyring import counted, settled, wrapped_under
from shared.keys.locators import KEY as LOCATORS
from shared.keys.vault import Vault
from shared.settings import ServiceSettings

app = typer.Typer(no_args_is_help=True, help="Keys of people, and the keys that wrap them.", epilog=EXITS)


@app.command()
def status(
    service: Annotated[str, typer.Argument(help="one service; all of this machine if none is named")] = "",
    as_json: Json = False,
) -> None:
    """How many people's keys there are, are gone, wait for a rewrap.

    `wrapped_under`: how many each version of the key that wraps them wraps; `kek`: its newest version; `opens`: the oldest that
    still opens what it wrapped. `old_hashes`: how many rows have blind indexes or locators under an older version. `unmarked`:
    how many identifiers of forgotten people have no mark yet (docs/runbooks/rotation.md)."""
    with told(as_json):
        found = asyncio.run(_all(services(service)))
        show(as_json, [asdict(one) for one in found], empty="No keyrings here.")


async def behind() -> int:
    """How many living keys the services have still to rewrap, and how many rows' hashes to make anew."""
    return sum([one.behind + one.old_hashes for one in await _all(services(""))])


async def all_settled(names: Sequence[str]) -> bool:
    """Whether in none of these services a living key stands, or is on its way, under an older version than Vault's newest, and
    no hash stands so (one on its way is found, and made anew, also after a trim)."""
    for name in names:
        async with _opened(settings_of(name)) as (vault, connection, keys):
            if not await settled(connection, keys, (await vault.versions(f"kept-{name}")).newest):
                return False
            if await old_hashes(connection, vault, name):
                return False
    return True


async def unmarked() -> int:
    """How many identifiers of forgotten people the list of the forgotten would lose with the older versions of the locators'
    key: they have no mark."""
    found = 0
    for name in services(""):
        try:
            async with _opened(settings_of(name)) as (vault, connection, _):
                without = await unmarked_under(connection, vault)
                newest = (await vault.versions(LOCATORS)).newest if without else 0  # not every service may ask
                found += sum(count for version, count in without.items() if version < newest)
        except NotFoundError:
            continue  # a foreign system, which has no database of ours
    return found


async def unmarked_under(connection: AsyncConnection, vault: Vault) -> dict[int, int]:
    """Live version of the locators' key -> how many locators of it a service keeps of who was forgotten, and has no mark of. A
    table of such has columns of these names (services/customers: docs/decisions/0046)."""
    found: Counter[int] = Counter()
    for table in (await connection.scalars(_FORGOTTEN)).all():
        rows = sql_table(table, column("locator"), column("taken_over"))
        version = cast(func.split_part(rows.c.locator, "_", 2), Integer)
        query = select(version, func.count()).where(rows.c.taken_over.is_(False)).group_by(version)
        found.update({int(one): count for one, count in (await connection.execute(query)).all()})
    oldest = (await vault.versions(LOCATORS)).oldest if found else 0
    return {version: count for version, count in found.items() if version >= oldest}


@dataclass(frozen=True)
class Counted:
    """One service's keyring, as `kept keys status` shows it."""

    service: str
    keys: int
    destroyed: int
    wrapped_under: dict[str, int]
    kek: int
    opens: int
    behind: int
    old_hashes: int
    unmarked: int


async def _all(names: Sequence[str]) -> list[Counted]:
    found = [await _counted(settings_of(one)) for one in names]
    return [one for one in found if one is not None]


async def _counted(settings: ServiceSettings) -> Counted | None:
    """None for a foreign system, which has no database of ours."""
    try:
        async with _opened(settings) as (vault, connection, keys):
            kek = await vault.versions(f"kept-{settings.service}")
            people, destroyed = (await connection.execute(counted(keys))).one()
            under = {int(version): count for version, count in (await connection.execute(wrapped_under(keys))).all()}
            hashes = await old_hashes(connection, vault, settings.service)
            without = sum((await unmarked_under(connection, vault)).values())
    except NotFoundError:
        return None
    behind = sum(count for version, count in under.items() if version < kek.newest)
    wrapped = {f"v{version}": count for version, count in under.items()}
    return Counted(settings.service, people, destroyed, wrapped, kek.newest, kek.oldest, behind, hashes, without)


async def old_hashes(connection: AsyncConnection, vault: Vault, service: str) -> int:
    """In how many rows of a service hashes are made under an older version than Vault's newest. A table whose rows have hashes
    says in columns of these names under which (shared/renewal.py)."""
    found = 0
    for table, columns in (await connection.execute(_HASHED)).all():
        newest = {name: (await vault.versions(_KEY_OF[name](service))).newest for name in columns}
        rows = sql_table(table, *map(column, columns))
        older = or_(*(rows.c[name] < version for name, version in newest.items()))
        found += await connection.scalar(select(func.count()).select_from(rows).where(older)) or 0
    return found


_KEY_OF: Mapping[str, Callable[[str], str]] = {"index_version": key_name, "locator_version": lambda _: LOCATORS}
_HASHED = text(
    "SELECT table_name, array_agg(column_name::text) FROM information_schema.columns WHERE table_schema = 'public'"
    " AND column_name IN ('index_version', 'locator_version') GROUP BY table_name"
)
_FORGOTTEN = text(
    "SELECT table_name FROM information_schema.columns WHERE table_schema = 'public'"
    " AND column_name IN ('locator', 'taken_over') GROUP BY table_name HAVING count(*) = 2"
)


@asynccontextmanager
async def _opened(settings: ServiceSettings) -> AsyncIterator[tuple[Vault, AsyncConnection, Any]]:
    """The service's Vault, a transaction in its database, the columns of its keyring. NotFoundError where it has none."""
    vault = Vault.of(settings)
    engine = make_engine(database_url(settings, (await vault.kv(f"{settings.service}/database"))["password"]))
    try:
        async with engine.connect() as connection:
            yield vault, connection, kernel_tables(MetaData()).data_keys.c
    except (OSError, OperationalError):
        raise UnavailableError("the database is away") from None
    finally:
        await engine.dispose()
