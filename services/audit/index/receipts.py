"""Receipts: one text file that proves one event, from tiles and the published checkpoint."""

import asyncio
from collections.abc import Collection

from services.audit.index.actions import where
from services.audit.log import paths, proof
from services.audit.log.store import ShardStore
from shared.blobs import BlobStore
from shared.errors import NotFoundError
from shared.notes.tlogproof import Receipt, format_receipt
from shared.work import Work


def receipt(blobs: BlobStore, shard: str, index: int) -> str:
    """The receipt of leaf `index`. NotFoundError while no published checkpoint covers it."""
    store = ShardStore(blobs, shard)
    note, size = store.published()
    if index >= size:
        raise NotFoundError("no published checkpoint covers the event yet")
    entry = store.entries(index // paths.WIDTH, size)[index % paths.WIDTH]
    path = proof.inclusion(store.nodes(size), index)
    return format_receipt(Receipt(index, tuple(path), note, entry))


async def receipt_of(w: Work, blobs: BlobStore, ce_id: str, topics: Collection[str] = ()) -> str:
    """The receipt of an event, on one of `topics` where they are given. NotFoundError while the published log does not
    have it."""
    found = await where(w, ce_id, topics)
    if found is None:
        raise NotFoundError("the published log does not have this event")
    return await asyncio.to_thread(receipt, blobs, *found)
