"""No answer outlives the session that asked for it, and no service takes a token's word for how long it lives."""

import asyncio
import json
import time

import httpx
import pytest

from shared.ids import new_id
from tests.support.insider import Insider
from tests.support.minted import end_session, minted
from tests.support.platform import Platform

pytestmark = pytest.mark.platform
PATHS = ("/api/identity/me", "/api/customers", "/api/audit/status", "/api/backup/sets", "/api/dsar/requests")
HALF_DAY = 12 * 3600


@pytest.fixture(scope="module")
def identity(platform: Platform) -> Insider:
    return Insider(platform.state, "identity")


def asked(platform: Platform, token: str) -> list[int]:
    """What each service says to it."""
    headers = {"Authorization": f"Bearer {token}"}
    return [httpx.get(f"{platform.origin}{path}", headers=headers, timeout=30).status_code for path in PATHS]


def test_a_token_that_lives_too_long_is_nobodys(platform: Platform, identity: Insider) -> None:
    """Signed with identity's own key: whoever could make it once would be let in for as long as it says."""
    roles, now = ["security_officer", "general_manager", "backup_operator"], int(time.time())

    def said(**claims: object) -> list[int]:
        return asked(platform, minted(identity, roles, new_id("ses"), **claims))

    assert said(iat=now, exp=now + HALF_DAY) == [200] * 5
    assert said(iat=now, exp=now + HALF_DAY + 1) == [401] * 5
    assert said(iat=None) == [401] * 5
    assert said(exp=None) == [401] * 5
    assert said(iat=now + 120, exp=now + 600) == [401] * 5


async def test_a_live_tail_ends_with_its_session_and_says_so(platform: Platform, identity: Insider) -> None:
    session = new_id("ses")
    headers = {"Authorization": f"Bearer {minted(identity, ['security_officer'], session)}"}
    said = []
    async with httpx.AsyncClient(base_url=platform.origin, headers=headers, timeout=60) as http:
        async with http.stream("GET", "/api/audit/tail?type=nothing.of.this.type") as answer:
            assert answer.status_code == 200
            lines = aiter(answer.aiter_lines())
            assert await anext(lines) == "retry: 3000"
            await end_session(identity, session)
            async with asyncio.timeout(120):
                said = [line async for line in lines if line and not line.startswith((":", "id:"))]
        assert said[-2] == "event: end"
        last = json.loads(said[-1].removeprefix("data: "))
        assert last == {"code": "unauthenticated", "detail": "signed out; sign in again"}
        assert (await http.get("/api/audit/tail")).status_code == 401


async def test_a_live_tail_ends_when_its_token_expires(platform: Platform, identity: Insider) -> None:
    token = minted(identity, ["security_officer"], new_id("ses"), exp=int(time.time()) + 4)
    headers = {"Authorization": f"Bearer {token}"}
    async with (
        httpx.AsyncClient(base_url=platform.origin, headers=headers, timeout=60) as http,
        http.stream("GET", "/api/audit/tail?type=nothing.of.this.type") as answer,
    ):
        assert answer.status_code == 200
        async with asyncio.timeout(120):
            said = [line async for line in answer.aiter_lines()]
    assert "the session is over" in said[-2]
