"""Tokens and grants: signed here with a key of the test, verified as every service does."""

import base64
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from joserfc import jwt
from joserfc.jwk import KeySet, OctKey, OKPKey

from shared.access.actor import Actor
from shared.access.grants import granted
from shared.access.tokens import TOKEN_CHARS_MAX, ClaimsVerifier, PublishedKeys, TokenVerifier
from shared.clock import FixedClock
from shared.ended_sessions import EndedSessions
from shared.errors import NotAllowedError, UnauthenticatedError, UnavailableError

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
CLAIMS = {
    "iss": "kept",
    "aud": "kept",
    "sub": "sub_jane",
    "kind": "user",
    "roles": ["agent"],
    "team": ["sub_jane"],
    "iat": int(NOW.timestamp()),
    "exp": int(NOW.timestamp()) + 60,
    "jti": "t1",
}
GRANT = {
    **CLAIMS,
    "aud": "kept-grant",
    "approval_id": "apr_1",
    "action": "restore",
    "resource": "bak_1",
    "approvers": ["sub_ann", "sub_bob"],
}


class Keys(PublishedKeys):
    """Published keys without HTTP; `away` is identity being down."""

    def __init__(self, *keys: OKPKey) -> None:
        super().__init__("http://identity.invalid/jwks")
        self.published = KeySet(list(keys))
        self.fetches = 0
        self.away = False

    async def _fetch(self) -> KeySet:
        self.fetches += 1
        if self.away:
            raise UnavailableError("away")
        return self.published


def key(kid: str = "kept-tokens:1") -> OKPKey:
    return OKPKey.generate_key("Ed25519", parameters={"kid": kid})


def token(by: OKPKey, claims: dict[str, Any], **header: str) -> str:
    return jwt.encode({"alg": "Ed25519", "kid": by.kid, **header}, claims, by, algorithms=["Ed25519"])


def verifier(keys: Keys, clock: FixedClock | None = None) -> TokenVerifier:
    made = TokenVerifier("http://identity.invalid/jwks", "kept", clock or FixedClock(NOW))
    made.claims = ClaimsVerifier(keys, clock or FixedClock(NOW), "kept")
    return made


async def test_a_valid_token_is_its_actor() -> None:
    signer = key()
    found = await verifier(Keys(signer)).verify(token(signer, CLAIMS))
    assert found == Actor("sub_jane", "user", frozenset({"agent"}), frozenset({"sub_jane"}), CLAIMS["jti"])


@pytest.mark.parametrize(
    "wrong",
    [
        {"iss": "someone"},
        {"aud": "kept-grant"},
        {"exp": int(NOW.timestamp()) - 1},
        {"sub": ""},
        {"sub": 7},
        {"kind": "system"},
        {"kind": None},
        {"roles": "agent"},
        {"team": [1]},
        {"iat": int(NOW.timestamp()) + 31},
        {"iat": "1767323045"},
        {"iat": True},
        {"exp": float("nan")},
        {"exp": float("inf")},
        {"exp": int(NOW.timestamp()) + 60.5},
        {"exp": int(NOW.timestamp())},
        {"exp": int(NOW.timestamp()) + 12 * 3600 + 1},  # made for longer than any identity makes one
        {"iat": 1},
        {"iat": int(NOW.timestamp()) + 20, "exp": int(NOW.timestamp()) + 20},
    ],
)
async def test_a_token_that_says_something_else_is_refused(wrong: dict[str, Any]) -> None:
    signer = key()
    with pytest.raises(UnauthenticatedError):
        await verifier(Keys(signer)).verify(token(signer, {**CLAIMS, **wrong}))


@pytest.mark.parametrize("missing", ["iss", "aud", "exp", "iat", "sub", "kind", "jti"])
async def test_a_token_that_lacks_a_claim_is_refused(missing: str) -> None:
    signer = key()
    claims = {name: value for name, value in CLAIMS.items() if name != missing}
    with pytest.raises(UnauthenticatedError):
        await verifier(Keys(signer)).verify(token(signer, claims))


async def test_identitys_clock_may_be_a_little_ahead() -> None:
    signer = key()
    await verifier(Keys(signer)).verify(token(signer, {**CLAIMS, "iat": int(NOW.timestamp()) + 30}))


@pytest.mark.parametrize(("minutes", "lives"), [(1, 60), (720, 12 * 3600), (10_000, 12 * 3600)])
async def test_a_service_caps_the_life_of_a_token_whatever_it_says(minutes: int, lives: int) -> None:
    signer = key()
    made = TokenVerifier("http://identity.invalid/jwks", "kept", FixedClock(NOW), life_max=timedelta(minutes=minutes))
    made.claims._keys = Keys(signer)
    start = int(NOW.timestamp())
    await made.verify(token(signer, {**CLAIMS, "exp": start + lives}))
    with pytest.raises(UnauthenticatedError):
        await made.verify(token(signer, {**CLAIMS, "exp": start + lives + 1}))


async def test_who_is_in_asks_again_whether_they_still_are() -> None:
    signer, clock, ended = key(), FixedClock(NOW), EndedSessions()
    checks = TokenVerifier("http://identity.invalid/jwks", "kept", clock, ended.require_open)
    checks.claims._keys = Keys(signer)
    ended._ready = True
    jane, ann = [await checks.signed_in(token(signer, {**CLAIMS, "jti": jti})) for jti in ("t1", "t2")]
    assert jane.session == "t1" and jane.until == NOW + timedelta(seconds=60)
    ended.end("t1")
    checks.require_still(ann)
    with pytest.raises(UnauthenticatedError):
        checks.require_still(jane)
    clock.advance(timedelta(seconds=60))
    with pytest.raises(UnauthenticatedError):
        checks.require_still(ann)


async def test_forgeries_are_refused() -> None:
    signer, other = key(), key()
    good = token(signer, CLAIMS)
    head, body, signature = good.split(".")
    none = "eyJhbGciOiJub25lIn0"  # {"alg":"none"}
    hs256 = jwt.encode({"alg": "HS256", "kid": "kept-tokens:1"}, CLAIMS, _secret(signer), algorithms=["HS256"])
    flipped = ("A" if body[5] != "A" else "B").join([body[:5], body[6:]])
    for forged in (
        token(other, CLAIMS),
        f"{none}.{body}.",
        f"{head}.{body}.",
        f"{head}.{flipped}.{signature}",
        hs256,
        "",
        "a.b.c",
        "x" * (TOKEN_CHARS_MAX + 1),
    ):
        with pytest.raises(UnauthenticatedError):
            await verifier(Keys(signer)).verify(forged)


def _secret(signer: OKPKey) -> Any:
    """The public key used as a shared secret: the classic confusion of algorithms."""
    return OctKey.import_key(base64.urlsafe_b64decode(signer.as_dict(private=False)["x"] + "="), {"kid": "kept-tokens:1"})


async def test_a_token_of_a_new_key_makes_the_keys_be_fetched_again() -> None:
    old, new = key(), key("kept-tokens:2")
    keys = Keys(old)
    checks = verifier(keys)
    await checks.verify(token(old, CLAIMS))
    keys.published = KeySet([old, new])
    keys._fetched -= 60
    await checks.verify(token(new, CLAIMS))
    assert keys.fetches == 2


async def test_bad_tokens_do_not_hammer_identity() -> None:
    signer = key()
    keys = Keys(signer)
    checks = verifier(keys)
    for _ in range(5):
        with pytest.raises(UnauthenticatedError):
            await checks.verify(token(key(), CLAIMS))
    assert keys.fetches == 1


async def test_without_keys_nobody_is_let_in_and_with_old_ones_work_goes_on() -> None:
    signer = key()
    keys = Keys(signer)
    checks = verifier(keys)
    keys.away = True
    with pytest.raises(UnavailableError):
        await checks.verify(token(signer, CLAIMS))
    keys.away = False
    await checks.verify(token(signer, CLAIMS))
    keys.away = True
    keys._fetched -= 3600
    assert (await checks.verify(token(signer, CLAIMS))).id == "sub_jane"
    with pytest.raises(UnauthenticatedError):
        await checks.verify(token(key(), CLAIMS))


async def test_keys_that_were_taken_away_stop_counting() -> None:
    signer = key()
    keys = Keys(signer)
    checks = verifier(keys)
    await checks.verify(token(signer, CLAIMS))
    keys.published = KeySet([key("kept-tokens:2")])
    keys._fetched -= 3600
    with pytest.raises(UnauthenticatedError):
        await checks.verify(token(signer, CLAIMS))


async def test_a_token_ends() -> None:
    signer, clock = key(), FixedClock(NOW)
    checks = verifier(Keys(signer), clock)
    made = token(signer, CLAIMS)
    await checks.verify(made)
    clock.advance(timedelta(seconds=61))
    with pytest.raises(UnauthenticatedError):
        await checks.verify(made)


async def test_a_grant_is_for_one_action_one_thing_one_person() -> None:
    signer, jane = key(), Actor("sub_jane", "user")
    claims = ClaimsVerifier(Keys(signer), FixedClock(NOW))
    good = token(signer, GRANT)
    found = await granted(claims, good, "restore", "bak_1", jane)
    assert (found.jti, found.approval_id, found.approvers) == ("t1", "apr_1", frozenset({"sub_ann", "sub_bob"}))
    wrong: list[tuple[str, str, str, Actor]] = [
        (good, "export", "bak_1", jane),
        (good, "restore", "bak_2", jane),
        (good, "restore", "bak_1", Actor("sub_eve", "user")),
        (token(signer, {**GRANT, "approvers": ["sub_jane"]}), "restore", "bak_1", jane),
        (token(signer, {**GRANT, "approvers": ["sub_ann"]}), "restore", "bak_1", jane),
        (token(signer, {**GRANT, "approvers": ["sub_jane", "sub_ann"]}), "restore", "bak_1", jane),
        (token(signer, {**GRANT, "exp": GRANT["iat"] + 3601}), "restore", "bak_1", jane),
        (token(signer, {name: one for name, one in GRANT.items() if name != "iat"}), "restore", "bak_1", jane),
        (token(signer, {**GRANT, "approvers": []}), "restore", "bak_1", jane),
        (token(signer, {**GRANT, "aud": "kept"}), "restore", "bak_1", jane),
        (token(key(), GRANT), "restore", "bak_1", jane),
        ("nonsense", "restore", "bak_1", jane),
    ]
    for grant, action, resource, actor in wrong:
        with pytest.raises(NotAllowedError):
            await granted(claims, grant, action, resource, actor)


async def test_a_session_token_is_no_grant_nor_the_other_way_round() -> None:
    signer = key()
    with pytest.raises(UnauthenticatedError):
        await verifier(Keys(signer)).verify(token(signer, GRANT))


def _checks(signer: OKPKey, clock: FixedClock, ended: EndedSessions) -> tuple[TokenVerifier, Keys]:
    checks, keys = TokenVerifier("http://identity.invalid/jwks", "kept", clock, ended.require_open), Keys(signer)
    checks.claims._keys = keys
    ended._ready = True
    return checks, keys


async def test_a_token_is_verified_once_and_asked_for_its_session_and_its_time_always(monkeypatch: pytest.MonkeyPatch) -> None:
    signer, clock, ended = key(), FixedClock(NOW), EndedSessions()
    checks, _ = _checks(signer, clock, ended)
    jane, ann = [token(signer, {**CLAIMS, "jti": jti}) for jti in ("t1", "t2")]
    first = [await checks.signed_in(one) for one in (jane, ann)]
    monkeypatch.setattr("shared.access.tokens.jwt.decode", lambda *_, **__: pytest.fail("verified again"))
    assert [await checks.signed_in(one) for one in (jane, ann)] == first
    ended.end("t1")
    with pytest.raises(UnauthenticatedError):
        await checks.signed_in(jane)
    assert (await checks.signed_in(ann)).session == "t2"
    clock.advance(timedelta(seconds=60))
    with pytest.raises(UnauthenticatedError):
        await checks.signed_in(ann)


async def test_a_key_that_is_no_longer_published_takes_what_it_verified_along() -> None:
    signer, clock = key(), FixedClock(NOW)
    checks, keys = _checks(signer, clock, EndedSessions())
    known = token(signer, CLAIMS)
    await checks.verify(known)
    keys.published = KeySet([key("kept-tokens:2")])
    keys._fetched -= 301
    with pytest.raises(UnauthenticatedError):
        await checks.verify(known)


async def test_what_is_known_again_is_bounded_and_holds_no_token(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shared.access.tokens.KNOWN_MAX", 2)
    signer = key()
    checks, _ = _checks(signer, FixedClock(NOW), EndedSessions())
    made = [token(signer, {**CLAIMS, "jti": f"t{n}"}) for n in range(4)]
    for one in (*made, made[3]):
        await checks.verify(one)
    assert len(checks._known) == 2 and all(len(mark) == 32 for mark in checks._known)
    forged = made[0][:-8] + "AAAAAAAA"
    with pytest.raises(UnauthenticatedError):
        await checks.verify(forged)
    assert len(checks._known) == 2
