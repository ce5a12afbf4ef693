"""Where the log lies: opened as the settings say, and tried before anything is written to it."""

import asyncio
import logging

from services.audit.settings import AuditSettings
from shared.blobs import CheckedStore, UnfitStoreError, open_store
from shared.errors import MalformedError, NotFoundError, UnavailableError
from shared.keys.vault import Vault

SECRET = "audit/s3"  # noqa: S105  # where it is, not what it is
KEYS = {"access_key", "secret_key"}
EX_CONFIG = 78  # sysexits.h: somebody has to change a setting; trying again does not help
WAIT_SECONDS = 2.0
log = logging.getLogger("kept.audit.storage")


async def keys_of_store(settings: AuditSettings, vault: Vault) -> dict[str, str]:
    """What opens the store, from Vault; empty where it needs nothing. MalformedError, NotFoundError: set up wrongly."""
    if not settings.log_store.startswith("s3://"):
        return {}
    keys = await vault.kv(SECRET)
    if not keys.keys() >= KEYS:
        raise MalformedError(f"kept/{SECRET} in the key service needs {' and '.join(sorted(KEYS))}")
    return {name: keys[name] for name in (*KEYS, "session_token") if name in keys}


async def open_log(settings: AuditSettings, vault: Vault) -> CheckedStore:
    """The store of the log, its keys from Vault where it needs some. MalformedError, NotFoundError: set up wrongly."""
    address, keys = settings.log_store or settings.state_dir / "log", await keys_of_store(settings, vault)
    return open_store(address, years=settings.log_retention_years, keys=keys or None, immutable=settings.log_immutable)


async def fit_log(settings: AuditSettings, vault: Vault) -> CheckedStore:
    """As `open_log`, once the store has shown that it keeps what it is trusted with. Waits for one that is away; ends the
    process, with every reason in one line, where somebody has to put it right."""
    told = ""
    while True:
        try:
            store = await open_log(settings, vault)
            log.info("the log's store: %s", await asyncio.to_thread(store.check))
            return store
        except UnavailableError as error:
            if error.detail != told:
                log.warning("waiting for the log's store: %s", error.detail)
            told = error.detail
            await asyncio.sleep(WAIT_SECONDS)
        except NotFoundError:
            return _refuse(f"kept/{SECRET} is not in the key service")
        except (MalformedError, UnfitStoreError) as error:
            return _refuse(error.detail)


def _refuse(reason: str) -> CheckedStore:
    log.critical("refusing to start: %s", reason)
    raise SystemExit(EX_CONFIG)
