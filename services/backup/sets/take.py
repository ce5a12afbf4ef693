"""Take a set: data, then reference, then publish.

1. the label: the id is taken. A crash here or later leaves a label without a manifest: no set.
2. a key pair of the set's own; its private half goes to Vault to be wrapped and is then forgotten.
3. the parts, as the stream comes.
4. the manifest, signed in Vault, after pg_basebackup ended well. From here on the set is whole.
5. row and event, in one transaction. A crash before it: at the next start the row fails, and the set lies there unused.
"""

import asyncio
import hashlib
import logging

import httpx
import pyrage

from services.backup.formats import label, layout
from services.backup.formats import manifest as formats
from services.backup.formats.manifest import Head, Manifest
from services.backup.sets import actions
from services.backup.sets.stream import identify, stream
from services.backup.wiring import Tools
from shared.access.actor import Actor
from shared.clock import rfc3339
from shared.errors import KeptError, MalformedError, described
from shared.notes.note import sign_note, split_note

log = logging.getLogger("kept.backup")
SYSTEM = Actor.system("backup")
SHARDS_MAX = 4096  # heads in a manifest
LOG_SECONDS_MAX = 5


async def take(tools: Tools, backup_id: str) -> None:
    """Takes the set that `actions.begin` asked for; its row says how it ended."""
    try:
        manifest, sha256 = await write(tools, backup_id)
    except Exception as error:
        log.warning("set failed: %s", error.detail if isinstance(error, KeptError) else type(error).__name__)
        async with tools.door.begin(SYSTEM) as w:
            await actions.failed(w, backup_id, error.code if isinstance(error, KeptError) else "internal")
        if isinstance(error, KeptError):
            return
        raise
    async with tools.door.begin(SYSTEM) as w:  # 5
        await actions.taken(w, backup_id, manifest, sha256)


async def write(tools: Tools, backup_id: str) -> tuple[Manifest, str]:
    """Steps 1 to 4: (manifest, SHA-256 of its note)."""
    started = rfc3339(tools.door.clock.now())
    claim = label.encode(label.Label(backup_id, started)).encode()
    await asyncio.to_thread(tools.store.put_new, layout.label(backup_id), claim)  # 1
    identity = pyrage.x25519.Identity.generate()  # 2
    recipient = str(identity.to_public())
    (key,) = await tools.vault.encrypt("kept-backup", [str(identity).encode()])
    del identity
    heads = await log_heads(tools.settings.log_origin)
    cluster = tools.cluster()
    who = await asyncio.to_thread(identify, cluster)

    def put(number: int, data: bytes) -> None:
        tools.store.put_new(layout.part(backup_id, number), data)

    done = await stream(cluster, tools.settings.pg_bin, recipient, put)  # 3
    manifest = Manifest(
        id=backup_id, taken=rfc3339(tools.door.clock.now()), server=who.server, system=who.system,
        timeline=who.timeline,
        start=done.start, stop=done.stop, recipient=recipient, key=key, parts=done.parts, heads=heads,
    )  # fmt: skip
    note = (await sign_note(formats.encode(manifest), tools.signer)).encode()  # 4
    await asyncio.to_thread(tools.store.put_new, layout.manifest(backup_id), note)
    return manifest, hashlib.sha256(note).hexdigest()


async def log_heads(origin: str) -> tuple[Head, ...]:
    """The log's published checkpoints, where they can be read: a set without them is a set all the same, and it is said."""
    heads: list[Head] = []
    try:
        async with httpx.AsyncClient(base_url=origin, timeout=LOG_SECONDS_MAX) as client:
            shards = (await client.get("/log/shards")).raise_for_status().text.split("\n")[:SHARDS_MAX]
            for shard in filter(None, shards):
                note = (await client.get(f"/log/{shard}/checkpoint")).raise_for_status().text
                name, size, root = split_note(note)[0].split("\n")[:3]
                heads.append(Head(name, int(size), root))
    except (httpx.HTTPError, MalformedError, ValueError) as error:
        log.warning("the set names no heads of the log: it could not be read at %s: %s", origin, described(error))
        return ()
    return tuple(sorted(heads, key=lambda head: head.origin))
