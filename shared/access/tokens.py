"""Verifying tokens with published keys (RFC 7515, 7517, 7519, 8037); identity makes them, every service checks them."""

import asyncio
import time
from dataclasses import dataclass
from typing import Any, Literal, cast

import httpx
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from shared.access.actor import Actor, ActorKind
from shared.access.ended import EndedSessions
from shared.clock import Clock
from shared.errors import UnauthenticatedError, UnavailableError

TOKEN_CHARS_MAX = 16 * 1024  # a token with a team of several hundred people is about this long
REFETCH_SECONDS = 5.0  # an unknown key id asks for the keys anew, at most this often
KEYS_SECONDS_MAX = 300.0  # a key that identity no longer publishes stops counting after this
ISSUER = "kept"
Audience = Literal["kept", "kept-grant"]


class PublishedKeys:
    """The JWKS at `url`, kept in memory and fetched again when a token names a key that is not in it."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._keys: KeySet | None = None
        self._fetched = float("-inf")
        self._lock = asyncio.Lock()

    async def get(self, *, fresh: bool = False) -> KeySet:
        """The keys; UnavailableError while there are none to be had. While identity is away, those we have go on."""
        async with self._lock:
            age = time.monotonic() - self._fetched
            if self._keys is None or age > (REFETCH_SECONDS if fresh else KEYS_SECONDS_MAX):
                try:
                    self._keys = await self._fetch()
                except UnavailableError:
                    if self._keys is None:
                        raise
                self._fetched = time.monotonic()  # after a failure too: not every request waits for it anew
            return self._keys

    async def _fetch(self) -> KeySet:
        try:
            async with httpx.AsyncClient(timeout=3.0, trust_env=False) as client:
                answer = await client.get(self._url)
                answer.raise_for_status()
                return KeySet.import_key_set(answer.json())
        except (httpx.HTTPError, ValueError, JoseError):
            raise UnavailableError("the keys that verify tokens cannot be had") from None


@dataclass(frozen=True)
class Claims:
    """What a verified token says."""

    values: dict[str, Any]

    def text(self, name: str) -> str:
        value = self.values.get(name)
        if not isinstance(value, str) or not value:
            raise UnauthenticatedError(f"the token lacks {name}")
        return value

    def texts(self, name: str) -> frozenset[str]:
        value = self.values.get(name, [])
        if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
            raise UnauthenticatedError(f"the token's {name} is not a list of texts")
        return frozenset(value)


class ClaimsVerifier:
    """Checks signature, issuer, audience and time of a compact JWS; only Ed25519 (RFC 9864) is accepted."""

    def __init__(self, keys: PublishedKeys, clock: Clock, issuer: str = ISSUER) -> None:
        self._keys = keys
        self._clock = clock
        self._issuer = issuer

    async def claims(self, token: str, audience: Audience) -> Claims:
        """UnauthenticatedError for anything but a valid token of this audience; UnavailableError without keys."""
        if len(token) > TOKEN_CHARS_MAX:
            raise UnauthenticatedError("the token is too long")
        try:
            try:
                found = jwt.decode(token, await self._keys.get(), algorithms=["Ed25519"])
            except (JoseError, ValueError):
                found = jwt.decode(token, await self._keys.get(fresh=True), algorithms=["Ed25519"])
            registry = jwt.JWTClaimsRegistry(
                now=int(self._clock.now().timestamp()),
                iss={"essential": True, "value": self._issuer},
                aud={"essential": True, "value": audience},
                exp={"essential": True},
                sub={"essential": True},
            )
            registry.validate(found.claims)
        except (JoseError, ValueError, TypeError):
            raise UnauthenticatedError("the token is not valid") from None
        return Claims(dict(found.claims))


class TokenVerifier:
    """Session and service tokens -> the actor. `ended`: what of them no longer counts."""

    def __init__(self, jwks_url: str, issuer: str, clock: Clock, ended: EndedSessions | None = None) -> None:
        self.claims = ClaimsVerifier(PublishedKeys(jwks_url), clock, issuer)
        self._ended = ended

    async def verify(self, token: str) -> Actor:
        """The actor of a valid token. UnauthenticatedError, UnavailableError."""
        found = await self.claims.claims(token, "kept")
        if self._ended is not None:
            self._ended.require_open(found.text("jti"))
        kind = found.text("kind")
        if kind not in ("user", "service", "subject"):
            raise UnauthenticatedError("the token's kind is not known")
        return Actor(found.text("sub"), cast(ActorKind, kind), found.texts("roles"), found.texts("team"))
