"""Reporting lines and tokens."""

import base64
import json
from datetime import UTC, datetime, timedelta

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st
from joserfc import jwt
from joserfc.jwk import KeySet

from services.identity.access.model import compact, grant_claims, jwks, signing_input, team, token_claims

NOW = datetime(2026, 1, 1, tzinfo=UTC)
LINES = [("andrew", None), ("nancy", "andrew"), ("jane", "nancy"), ("steve", "nancy"), ("michael", "andrew")]


def test_a_team_is_everyone_below_and_oneself() -> None:
    assert team("jane", LINES) == {"jane"}
    assert team("nancy", LINES) == {"nancy", "jane", "steve"}
    assert team("andrew", LINES) == {"andrew", "nancy", "jane", "steve", "michael"}


@given(st.lists(st.tuples(st.sampled_from("abcdef"), st.sampled_from("abcdef")), max_size=12))
def test_circles_end(lines: list[tuple[str, str]]) -> None:
    assert "a" in team("a", lines)


def test_a_token_verifies_with_the_published_keys_by_somebody_elses_library() -> None:
    private = Ed25519PrivateKey.generate()
    claims = token_claims(
        user_id="sub_1",
        roles=["agent"],
        members=["sub_1"],
        jti="ses_1",
        now=NOW,
        until=NOW + timedelta(hours=1),
        amr=["pwd", "otp"],
    )
    text = signing_input(claims, 3)
    published = jwks(
        {2: Ed25519PrivateKey.generate().public_key().public_bytes_raw(), 3: private.public_key().public_bytes_raw()}
    )
    assert [key["kid"] for key in published["keys"]] == ["kept-tokens:3", "kept-tokens:2"]
    seen = jwt.decode(compact(text, private.sign(text.encode())), KeySet.import_key_set(published), algorithms=["Ed25519"])
    assert seen.claims == claims


def test_a_grant_is_not_a_session() -> None:
    times = {"now": NOW, "until": NOW + timedelta(minutes=1), "jti": "x"}
    grant = grant_claims(approval_id="apr_1", action="restore", resource="bak_1", holder="sub_1", approvers=["b", "a"], **times)
    token = token_claims(user_id="sub_1", roles=[], members=[], amr=[], **times)
    assert grant["aud"] != token["aud"] and grant["approvers"] == ["a", "b"]


def test_the_header_names_the_key_version() -> None:
    header = signing_input({}, 7).split(".")[0]
    assert json.loads(base64.urlsafe_b64decode(header + "=="))["kid"] == "kept-tokens:7"
