"""Who may open a request's page: 256 random bits, known to one browser or one mail, kept here as a hash.

A mail's link carries a secret of its own, since after an erasure there is no address left to send a code to. It opens the page
on any device, changes nothing when a mail scanner follows it, and ends with the answer, or when the person says so.
"""

import hashlib
import secrets
from datetime import timedelta

from sqlalchemy import delete, select

from services.dsar.requests.model import Via
from services.dsar.requests.tables import Capability
from shared.work import Work

SECRET_CHARS_MAX = 64  # of url-safe base64: 43 for 32 bytes


def _hash(secret: str) -> bytes:
    return hashlib.sha256(secret.encode()).digest()


def grant(w: Work, request_id: str, via: Via, life: timedelta) -> str:
    """A fresh secret. It is shown to one browser or written into one mail, and known to nobody else."""
    secret = secrets.token_urlsafe(32)
    row = Capability(
        hash=_hash(secret), request_id=request_id, via=via, granted_at=w.now, expires_at=w.now + life
    )  # fmt: skip
    w.session.add(row)
    return secret


async def holds(w: Work, request_id: str, secret: str | None) -> bool:
    """Whether `secret` opens this request now. It is looked up by its hash, so the time it takes tells nothing of others."""
    if not secret or len(secret) > SECRET_CHARS_MAX:
        return False
    found = await w.session.get(Capability, _hash(secret))
    return found is not None and found.request_id == request_id and w.now < found.expires_at


async def revoke_others(w: Work, request_id: str, secret: str | None) -> None:
    """Every other browser and every mail's link ends; who says so stays."""
    mine = _hash(secret or "")
    await w.session.execute(delete(Capability).where(Capability.request_id == request_id, Capability.hash != mine))


async def others(w: Work, request_id: str, secret: str | None) -> list[Via]:
    """How else this page can be opened now."""
    query = select(Capability.via).where(
        Capability.request_id == request_id, Capability.hash != _hash(secret or ""), Capability.expires_at > w.now
    )
    return sorted((await w.session.scalars(query)).all())


async def forget_expired(w: Work) -> None:
    await w.session.execute(delete(Capability).where(Capability.expires_at < w.now))
