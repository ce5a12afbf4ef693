"""One entry of the log, whole: what is in it, and, for the few who may, what was sealed in it."""

import asyncio
import base64
from typing import Any

from services.audit.events import EntryViewed
from services.audit.index.actions import PURPOSE, TRAIL, where
from services.audit.log import paths, seal
from services.audit.log.entry import Entry, Kind, parse
from services.audit.log.store import ShardStore
from shared.blobs import BlobStore
from shared.errors import NotFoundError
from shared.work import Work


async def entry_of(w: Work, blobs: BlobStore, ce_id: str, *, opened: bool) -> dict[str, Any]:
    """The entry of an event. NotAllowedError, NotFoundError; ShreddedError where its subject was erased."""
    decision = w.decide("open" if opened else "search", TRAIL)
    place = await where(w, ce_id)
    if place is None:
        raise NotFoundError("the published log does not have this event")
    entry = await asyncio.to_thread(_entry, ShardStore(blobs, place[0]), place[1])
    inside = await _opened(w, entry) if opened and entry.kind is Kind.SEALED else entry
    fields = {"entry": "opened" if inside is not entry else entry.kind.name.lower()}
    w.publish(
        EntryViewed(subject=_subject(entry), entry=f"{place[0]}#{place[1]}", fields=fields, purpose=PURPOSE,
                    decision=list(decision.policy_ids))
    )  # fmt: skip
    return {
        "id": ce_id, "shard": place[0], "index": place[1], "kind": entry.kind.name.lower(), "sealing": entry.sealing or None,
        "opened": inside is not entry, "topic": entry.place.topic, "partition": entry.place.partition,
        "offset": entry.place.offset, "timestamp": entry.place.timestamp,
        "headers": [[name, _text(value)] for name, value in inside.headers],
        "key": _text(inside.key), "value": _text(inside.value),
    }  # fmt: skip


def _entry(store: ShardStore, index: int) -> Entry:
    size = store.published()[1]
    if index >= size:
        raise NotFoundError("no published checkpoint covers the event yet")
    return parse(store.whole(store.entries(index // paths.WIDTH, size)[index % paths.WIDTH]))


async def _opened(w: Work, entry: Entry) -> Entry:
    return seal.opened(entry, await w.keyring.key(w.session, entry.sealing))


def _subject(entry: Entry) -> str | None:
    return entry.header("ce_subject") or None


def _text(raw: bytes | None) -> dict[str, str] | None:
    """As text where it is UTF-8, else base64: JSON has no bytes."""
    if raw is None:
        return None
    try:
        return {"text": raw.decode()}
    except UnicodeDecodeError:
        return {"base64": base64.b64encode(raw).decode()}
