"""The list of erasures, kept as names in the store: it must outlive the database that a restore brings back."""

from collections.abc import Mapping, Set

from services.backup.formats import layout
from services.backup.store import Store


async def remember(store: Store, holder: str, subject: str) -> None:
    """Durable when this returns. Idempotent."""
    await store.put_same(layout.erasure(holder, subject), b"")


async def known(store: Store) -> Mapping[str, Set[str]]:
    """holder -> subjects."""
    found: dict[str, set[str]] = {}
    for path in await store.list("erasures/"):
        holder, subject = layout.parse_erasure(path)
        found.setdefault(holder, set()).add(subject)
    return found
