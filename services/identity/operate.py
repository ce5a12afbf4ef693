"""What an operator starts with identity's own settings: the import of the staff. There is no such HTTP route."""

import asyncio
import secrets
from pathlib import Path

from services.identity.accounts import actions
from services.identity.accounts.actions import Hiring
from services.identity.accounts.model import parse_employees
from services.identity.accounts.passwords import Passwords
from services.identity.app import SERVICE
from services.identity.base import TABLES
from services.identity.settings import IdentitySettings
from shared.access.actor import Actor
from shared.errors import InvalidInputError
from shared.installed import ground_now
from shared.keys.blind import BlindIndex
from shared.keys.locators import Locators

file_bytes_max = 10 * 1024 * 1024  # of an employee file
password_bytes = 18  # 144 bits, 24 characters


async def import_file(path: Path, settings: IdentitySettings) -> actions.Imported:
    """Accounts for the employees of a file. InvalidInputError, OSError."""
    if (await asyncio.to_thread(path.stat)).st_size > file_bytes_max:
        raise InvalidInputError(f"the file is over {file_bytes_max} bytes")
    try:
        employees = parse_employees((await asyncio.to_thread(path.read_bytes)).decode("utf-8-sig"))
    except UnicodeDecodeError:
        raise InvalidInputError("the file is not UTF-8") from None
    base = await ground_now(settings, TABLES)
    try:
        hiring = Hiring(
            passwords=Passwords(),
            blind=BlindIndex(SERVICE, base.vault),
            locators=Locators(base.vault),
            keep=lambda handle, values: base.vault.kv_put(f"demo/{handle}", dict(values)),
            new_password=lambda: secrets.token_urlsafe(password_bytes),
        )
        async with base.door.begin(Actor.system(SERVICE)) as w:
            return await actions.import_employees(w, employees, hiring)
    finally:
        await base.engine.dispose()
