"""Rebuilding the search index outside the running service, with the service's own settings."""

from services.audit.base import TABLES
from services.audit.index.follow import Moved
from services.audit.index.read import Checkpoints
from services.audit.index.rebuild import Rebuild
from services.audit.settings import AuditSettings
from services.audit.wiring import log_keys
from shared.blobs import PosixStore
from shared.service import ground


async def rebuild(settings: AuditSettings, moved: Moved | None = None, *, fresh: bool = False) -> int:
    """Build the index beside the live one and swap it in; returns how many entries it has then."""
    base = await ground(settings, TABLES)
    try:
        checkpoints = Checkpoints(log_keys(base.vault, settings.log_name))
        return await Rebuild(base.engine, base.door, PosixStore(settings.log_dir), checkpoints).run(moved, fresh=fresh)
    finally:
        await base.engine.dispose()
