"""Rebuilding the search index outside the running service."""

from services.audit.base import TABLES
from services.audit.index.follow import Follower
from services.audit.settings import AuditSettings
from shared.access.decide import Policies
from shared.blobs import PosixStore
from shared.clock import SystemClock
from shared.db import database_url, make_engine, make_sessions
from shared.keys.keyring import Keyring
from shared.keys.vault import Vault
from shared.work import Door


async def rebuild() -> int:
    """Forget the index and build it from the log; returns how many entries it has then."""
    settings = AuditSettings()
    vault = Vault(settings.vault_addr, settings.vault_role_id, settings.vault_secret_id_file)
    engine = make_engine(database_url(settings, (await vault.kv("audit/database"))["password"]))
    door = Door("audit", make_sessions(engine), SystemClock(), Policies.load(), Keyring("audit", vault, TABLES))
    try:
        return await Follower(PosixStore(settings.log_dir), door).rebuild()
    finally:
        await engine.dispose()
