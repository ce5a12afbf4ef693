"""Tokens: the rules. Who reports to whom, and what a token says."""

import base64
import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

ISSUER = "kept"
TOKEN_AUDIENCE = "kept"  # noqa: S105  # a name, not a secret
GRANT_AUDIENCE = "kept-grant"  # another audience: a grant never passes as a session, nor the reverse
SIGNING_KEY = "kept-tokens"


def team(user_id: str, managers: Iterable[tuple[str, str | None]]) -> frozenset[str]:
    """Everyone who reports to the user, directly or not, the user included. A circle ends, it does not hang."""
    reports: dict[str, list[str]] = {}
    for one, manager in managers:
        if manager is not None:
            reports.setdefault(manager, []).append(one)
    found = {user_id}
    waiting = [user_id]
    while waiting:
        new = [one for one in reports.get(waiting.pop(), ()) if one not in found]
        found.update(new)
        waiting.extend(new)
    return frozenset(found)


def token_claims(
    *,
    user_id: str,
    roles: Iterable[str],
    members: Iterable[str],
    jti: str,
    now: datetime,
    until: datetime,
    amr: Sequence[str],
) -> dict[str, Any]:
    """What a session token says. Pseudonyms and roles only: a token is not encrypted."""
    return {
        "iss": ISSUER,
        "aud": TOKEN_AUDIENCE,
        "sub": user_id,
        "kind": "user",
        "roles": sorted(roles),
        "team": sorted(members),
        "jti": jti,
        "iat": int(now.timestamp()),
        "exp": int(until.timestamp()),
        "amr": list(amr),
    }


def grant_claims(
    *,
    approval_id: str,
    action: str,
    resource: str,
    holder: str,
    approvers: Iterable[str],
    jti: str,
    now: datetime,
    until: datetime,
) -> dict[str, Any]:
    """What a grant says: `holder` may do `action` on `resource` once, because `approvers` agreed."""
    return {
        "iss": ISSUER,
        "aud": GRANT_AUDIENCE,
        "sub": holder,
        "jti": jti,
        "approval_id": approval_id,
        "action": action,
        "resource": resource,
        "approvers": sorted(approvers),
        "iat": int(now.timestamp()),
        "exp": int(until.timestamp()),
    }


def _segment(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode("ascii")


def signing_input(claims: Mapping[str, Any], key_version: int) -> str:
    """Header and claims as RFC 7515 §7.1 has them before the signature."""
    header = {"alg": "Ed25519", "kid": f"{SIGNING_KEY}:{key_version}", "typ": "JWT"}
    return ".".join(_segment(json.dumps(part, separators=(",", ":"), sort_keys=True).encode()) for part in (header, claims))


def compact(signed: str, signature: bytes) -> str:
    """The finished token."""
    return f"{signed}.{_segment(signature)}"


def jwks(public_keys: Mapping[int, bytes]) -> dict[str, list[dict[str, str]]]:
    """The published keys (RFC 7517, RFC 8037): every version that Vault still has, newest first."""
    return {
        "keys": [
            {
                "kty": "OKP",
                "crv": "Ed25519",
                "alg": "Ed25519",
                "use": "sig",
                "kid": f"{SIGNING_KEY}:{version}",
                "x": _segment(public_keys[version]),
            }
            for version in sorted(public_keys, reverse=True)
        ]
    }
