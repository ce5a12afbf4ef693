"""Open a set: its manifest, verified; its private key, unwrapped; its parts.

1. the note carries a signature of our own key; 2. the manifest is the one encoding of itself; 3. it is the set asked
for; 4. the unwrapped identity is the one of its recipient.
"""

import asyncio
import hashlib
from collections.abc import Callable
from dataclasses import dataclass

import pyrage

from services.backup.formats import layout
from services.backup.formats import manifest as formats
from services.backup.formats.manifest import Manifest
from services.backup.wiring import Tools
from shared.errors import MalformedError, TamperError
from shared.notes.note import verify_note


@dataclass(frozen=True)
class Opened:
    manifest: Manifest
    manifest_sha256: str
    identity: str
    get: Callable[[int], bytes]

    def __repr__(self) -> str:
        return f"Opened({self.manifest.id})"  # never the identity


async def open_set(tools: Tools, backup_id: str) -> Opened:
    """NotFoundError, MalformedError, TamperError; UnavailableError while Vault is away. `get` is for other threads."""
    raw = await asyncio.to_thread(tools.store.get, layout.manifest(backup_id))
    try:
        note = raw.decode()
    except UnicodeDecodeError:
        raise MalformedError("manifest: not UTF-8") from None
    manifest = formats.parse(verify_note(note, await tools.signer.vkeys()))  # 1, 2
    if manifest.id != backup_id:  # 3
        raise TamperError("the manifest is that of another set")
    (identity,) = await tools.vault.decrypt("kept-backup", [manifest.key])
    if str(pyrage.x25519.Identity.from_str(identity.decode()).to_public()) != manifest.recipient:  # 4
        raise TamperError("the wrapped key is not that of the manifest's recipient")

    def get(number: int) -> bytes:
        return tools.store.get(layout.part(backup_id, number))

    return Opened(manifest, hashlib.sha256(raw).hexdigest(), identity.decode(), get)
