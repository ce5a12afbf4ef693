"""Tokens and facts in identity's name, made with its own credentials: what nobody else can make, for what no sign-in gives."""

import base64
import json
import time

import uuid_utils

from services.identity.access.model import SIGNING_KEY, compact, signing_input, token_claims
from shared.clock import SystemClock
from tests.support.insider import Insider


def minted(identity: Insider, roles: list[str], jti: str, **claims: object) -> str:
    """A signed token of somebody with these roles; `claims` are put over what a sign-in would say (None: left out)."""
    now = SystemClock().now()
    said = token_claims(
        user_id=f"sub_{'0' * 31}7", roles=roles, members=[], jti=jti, now=now, until=now, amr=["pwd", "otp"]
    ) | {"exp": int(time.time()) + 600, **claims}
    read = identity.vault.read(f"transit/keys/{SIGNING_KEY}")["data"]
    text = signing_input({name: one for name, one in said.items() if one is not None}, int(read["latest_version"]))
    signed = identity.vault.write_data(f"transit/sign/{SIGNING_KEY}", data={"input": base64.b64encode(text.encode()).decode()})[
        "data"
    ]["signature"]
    return compact(text, base64.b64decode(signed.rpartition(":")[2]))


async def end_session(identity: Insider, session: str) -> None:
    """As identity tells of a sign-out."""
    headers = {
        "ce_specversion": "1.0",
        "ce_id": str(uuid_utils.uuid7()),
        "ce_type": "kept.identity.session.ended.v1",
        "ce_source": "/services/identity",
        "ce_time": "2026-11-28T00:00:00.000000Z",
        "ce_actor": "system:identity",
        "content-type": "application/json",
    }
    producer = identity.producer()
    await producer.start()
    try:
        sent = [(name, value.encode()) for name, value in headers.items()]
        body = json.dumps({"sessions": [session]}).encode()
        await producer.send_and_wait("kept.identity", body, key=session.encode(), headers=sent)
    finally:
        await producer.stop()
