"""Verifying tokens with published keys (RFC 7515, 7517, 7519, 8037); identity makes them, every service checks them.

A token that was verified once is known again by its hash, under the same published keys; that it has not expired and that its
session is open is asked of the clock and of `ended` every time. No service takes a token's word for how long it lives: one that
was made for longer than LIFE_MAX is refused, and so is one that does not say when it was made, or names a moment to come.
"""

import asyncio
import hashlib
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Literal, cast

import httpx
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from shared.access.actor import Actor, ActorKind
from shared.clock import Clock
from shared.errors import UnauthenticatedError, UnavailableError

TOKEN_CHARS_MAX = 16 * 1024  # a token with a team of several hundred people is about this long
REFETCH_SECONDS = 5.0  # an unknown key id asks for the keys anew, at most this often
KEYS_SECONDS_MAX = 300.0  # a key that identity no longer publishes stops counting after this
ISSUER = "kept"
Audience = Literal["kept", "kept-grant"]
TOKEN_LIFE_MAX = timedelta(hours=12)  # no identity gives a token for longer (its settings hold that)
GRANT_LIFE_MAX = timedelta(hours=1)  # no identity gives a grant for longer (its settings hold that)
LIFE_MAX: Mapping[Audience, timedelta] = {"kept": TOKEN_LIFE_MAX, "kept-grant": GRANT_LIFE_MAX}
TIME_MAX = 2**37  # seconds since 1970: the year 6325, which a datetime still has
KNOWN_MAX = 10_000  # verified tokens that are known again: about 1 kB each, and more with a team of hundreds
SKEW_SECONDS_MAX = 30  # by so much identity's clock may be ahead of ours; what a token ends by is our clock alone


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

    def time(self, name: str) -> datetime:
        """Whole seconds since 1970 (RFC 7519 would take more): true, NaN and 1e9 are no times of ours."""
        value = self.values.get(name)
        if type(value) is not int or not 0 < value < TIME_MAX:
            raise UnauthenticatedError(f"the token's {name} is not a time")
        return datetime.fromtimestamp(value, UTC)


class ClaimsVerifier:
    """Checks signature, issuer, audience, time and life of a compact JWS; only Ed25519 (RFC 9864) is accepted."""

    def __init__(
        self,
        keys: PublishedKeys,
        clock: Clock,
        issuer: str = ISSUER,
        life_max: Mapping[Audience, timedelta] = LIFE_MAX,
    ) -> None:
        self._keys = keys
        self._clock = clock
        self._issuer = issuer
        self._life_max = life_max

    async def claims(self, token: str, audience: Audience) -> Claims:
        """UnauthenticatedError for anything but a valid token of this audience; UnavailableError without keys."""
        if len(token) > TOKEN_CHARS_MAX:
            raise UnauthenticatedError("the token is too long")
        try:
            try:
                found = jwt.decode(token, await self._keys.get(), algorithms=["Ed25519"])
            except (JoseError, ValueError):
                found = jwt.decode(token, await self._keys.get(fresh=True), algorithms=["Ed25519"])
            now = self._clock.now()
            registry = jwt.JWTClaimsRegistry(
                now=int(now.timestamp()),
                leeway=SKEW_SECONDS_MAX,
                iss={"essential": True, "value": self._issuer},
                aud={"essential": True, "value": audience},
                iat={"essential": True},
                exp={"essential": True},
                sub={"essential": True},
            )
            registry.validate(found.claims)
        except (JoseError, ValueError, TypeError):
            raise UnauthenticatedError("the token is not valid") from None
        claims = Claims(dict(found.claims))
        made, until = claims.time("iat"), claims.time("exp")
        if until <= now or not timedelta(0) < until - made <= self._life_max[audience]:
            raise UnauthenticatedError("the token is not valid")
        return claims

    async def keys(self) -> KeySet:
        """Those that verify at present; another object once they were fetched anew. UnavailableError."""
        return await self._keys.get()

    def now(self) -> datetime:
        """The time by which tokens end."""
        return self._clock.now()


@dataclass(frozen=True)
class SignedIn:
    """What a valid token says of who came: the actor, the session, and until when."""

    actor: Actor
    session: str
    until: datetime


class TokenVerifier:
    """Session and service tokens -> the actor. `require_open`: raises for a session that
    ended; `life_max`: of a token."""

    def __init__(
        self,
        jwks_url: str,
        issuer: str,
        clock: Clock,
        require_open: Callable[[str], None] | None = None,
        life_max: timedelta = TOKEN_LIFE_MAX,
    ) -> None:
        life = {**LIFE_MAX, "kept": min(life_max, TOKEN_LIFE_MAX)}  # beyond it nobody remembers which sessions ended
        self.claims = ClaimsVerifier(PublishedKeys(jwks_url), clock, issuer, life)
        self._require_open = require_open
        self._known: dict[bytes, SignedIn] = {}
        self._known_under: KeySet | None = None  # a key that is no longer published takes what it verified along

    async def verify(self, token: str) -> Actor:
        """The actor of a valid token. UnauthenticatedError, UnavailableError."""
        return (await self.signed_in(token)).actor

    async def signed_in(self, token: str) -> SignedIn:
        """Who comes with a valid token, and until when. UnauthenticatedError, UnavailableError."""
        keys, mark = await self.claims.keys(), hashlib.sha256(token.encode()).digest()
        if keys is not self._known_under:
            self._known, self._known_under = {}, keys
        under = self._known
        if (known := under.get(mark)) is None:
            known = await self._verified(token)
            if len(under) >= KNOWN_MAX:
                del under[next(iter(under))]  # the one that was verified first
            under[mark] = known
        self.require_still(known)
        return known

    async def _verified(self, token: str) -> SignedIn:
        found = await self.claims.claims(token, "kept")
        kind = found.text("kind")
        if kind not in ("user", "service", "subject"):
            raise UnauthenticatedError("the token's kind is not known")
        session = found.text("jti")
        actor = Actor(found.text("sub"), cast(ActorKind, kind), found.texts("roles"), found.texts("team"), session)
        return SignedIn(actor, session, found.time("exp"))

    def require_still(self, known: SignedIn) -> None:
        """UnauthenticatedError once the token has expired, or its session has ended; whoever answers for long asks again."""
        if self.claims.now() >= known.until:
            raise UnauthenticatedError("the session is over; sign in again")
        if self._require_open is not None:
            self._require_open(known.session)
