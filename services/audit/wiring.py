"""The parts that the composition root hands to the rooms."""

from dataclasses import dataclass

from jinja2 import Environment

from services.audit.index.follow import Follower
from services.audit.index.read import Vkeys
from services.audit.index.reconcile import Reconciler
from services.audit.index.tail import Tail
from services.audit.ingesting import Ingesting
from services.audit.log.opening import LOG_KEY
from shared.access.grants import GrantVerifier
from shared.blobs import BlobStore
from shared.keys.vault import Vault
from shared.notes.note import VaultSigner
from shared.work import Door


@dataclass(frozen=True)
class Wired:
    door: Door
    blobs: BlobStore
    ingest: Ingesting
    follower: Follower
    tail: Tail
    grants: GrantVerifier
    reconciler: Reconciler
    pages: Environment


def log_keys(vault: Vault, log_name: str) -> Vkeys:
    """Who may sign a shard's checkpoint: every version of the log's key, under the shard's origin."""

    async def vkeys(shard: str) -> list[str]:
        return await VaultSigner(vault, LOG_KEY, f"{log_name}/{shard}").vkeys()

    return vkeys
