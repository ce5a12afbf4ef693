"""The parts that the composition root hands to the rooms: a plain value, so that no room looks anything up."""

from collections.abc import Callable
from dataclasses import dataclass

from jinja2 import Environment

from services.backup.postgres import Cluster
from services.backup.settings import BackupSettings
from shared.access.grants import GrantVerifier
from shared.blobs.store import BlobStore
from shared.keys.vault import Vault
from shared.notes.note import VaultSigner
from shared.work import Door


@dataclass(frozen=True)
class Tools:
    door: Door
    settings: BackupSettings
    vault: Vault
    signer: VaultSigner
    store: BlobStore
    cluster: Callable[[], Cluster]
    grants: GrantVerifier
    pages: Environment
