"""The list of erasures, kept as names in the store: it must outlive the database that a restore brings back."""

import asyncio
from collections.abc import Mapping, Set

from services.backup.formats import layout
from shared.blobs.store import BlobStore


async def remember(store: BlobStore, holder: str, subject: str) -> None:
    """Durable when this returns. Idempotent."""
    await asyncio.to_thread(store.put_same, layout.erasure(holder, subject), b"")


async def known(store: BlobStore) -> Mapping[str, Set[str]]:
    """holder -> subjects."""
    found: dict[str, set[str]] = {}
    for path in await asyncio.to_thread(lambda: list(store.list("erasures"))):
        holder, subject = layout.parse_erasure(path)
        found.setdefault(holder, set()).add(subject)
    return found


def people(erased: Mapping[str, Set[str]]) -> int:
    """How many were erased, each counted once, however many holders said so."""
    return len(set[str]().union(*erased.values()))
