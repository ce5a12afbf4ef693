"""A user's key and a request's key are renewed as a customer's is: all that is stored is sealed anew and reads as before, what
somebody read a moment before opens, and the end of either destroys every version."""

import asyncio
import base64
import json
from collections.abc import AsyncIterator, Mapping
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import URL, delete, select, text
from sqlalchemy.orm import InstrumentedAttribute

from services.dsar.law.model import Right
from services.dsar.portal import codes
from services.dsar.portal.model import typed_code
from services.dsar.requests.actions import close
from services.dsar.requests.rekey import renew_key as renew_request
from services.dsar.requests.tables import Claim, Code, DataRequest
from services.identity.accounts.rekey import renew_key as renew_user
from services.identity.accounts.tables import User
from services.identity.factors.tables import Factor
from services.identity.holder import IdentityHolder
from shared.access.actor import Actor
from shared.commands.renew_key import RenewKey
from shared.db import make_engine
from shared.errors import NotFoundError, ShreddedError
from shared.ids import new_id
from shared.keys.cipher import Sealed, key_version
from shared.migrations import migrate
from shared.work import Door, Work
from tests.support import staff
from tests.support.keys import door_on, until_blocked
from tests.support.platform import Platform
from tests.support.portal import Person
from tests.support.postgres import server

pytestmark = pytest.mark.platform
IDENTITY, DSAR = Actor.system("identity"), Actor.system("dsar")
OF_USER: Mapping[InstrumentedAttribute[Any], str] = {
    User.name: "Made Up", User.email: "made@example.org", User.phone: "+15550100", User.number: "17", Factor.secret: "JBSWY3DP",
}  # fmt: skip
OF_REQUEST: Mapping[InstrumentedAttribute[Any], str] = {
    DataRequest.address: "made@example.org", DataRequest.private_key: "AGE-SECRET-KEY-1MADEUP", Code.sealed: "12345678",
    Claim.said: "17",
}  # fmt: skip


@pytest.fixture(scope="module")
async def urls() -> AsyncIterator[dict[str, URL]]:
    async with server() as found:
        for name in ("identity", "dsar"):
            await asyncio.to_thread(migrate, name, found[name])
        yield found


@pytest.fixture
async def identity(urls: dict[str, URL]) -> AsyncIterator[Door]:
    engine = make_engine(urls["identity"])
    yield door_on(engine, service="identity")
    await engine.dispose()


@pytest.fixture
async def dsar(urls: dict[str, URL]) -> AsyncIterator[Door]:
    engine = make_engine(urls["dsar"])
    yield door_on(engine, service="dsar")
    await engine.dispose()


@pytest.fixture
async def user(identity: Door) -> str:
    """A member of staff with an authenticator."""
    async with identity.begin(IDENTITY) as w:
        one = w.new_id("sub")
        await w.create_keys([one])
        sealed = {column.key: w.seal(column, one, value) for column, value in OF_USER.items() if column.class_ is User}
        w.session.add(User(id=one, created_at=w.now, roles=["admin"], **sealed))
        await w.session.flush()
        w.session.add(Factor(user_id=one, secret=w.seal(Factor.secret, one, OF_USER[Factor.secret])))
    return one


@pytest.fixture
async def request_id(dsar: Door) -> str:
    """A verified request, of which a code lives and a number was given."""
    async with dsar.begin(DSAR) as w:
        one = w.new_id("req")
        await w.create_keys([one])
        sealed = {column.key: w.seal(column, one, said) for column, said in OF_REQUEST.items() if column.class_ is DataRequest}
        right: Right = "access"
        w.session.add(
            DataRequest(
                id=one, right=right, state="verified", language="en", law="eu-gdpr", article="15", received_at=w.now,
                due_at=w.now, verified_at=w.now, approvers=[], subjects=[], candidates={}, alone={}, narrow_tries=0, left_out=0,
                **sealed,
            )
        )  # fmt: skip
        await w.session.flush()
        code = w.seal(Code.sealed, one, OF_REQUEST[Code.sealed])
        said = w.seal(Claim.said, one, OF_REQUEST[Claim.said])
        w.session.add(Code(request_id=one, sealed=code, issued_at=w.now, expires_at=w.now + timedelta(hours=1), tries=0))
        w.session.add(Claim(request_id=one, subject=new_id("sub"), said=said, staff=[], claimed_at=w.now))
    return one


async def held(w: Work, whose: str, of: Mapping[InstrumentedAttribute[Any], str]) -> dict[InstrumentedAttribute[Any], Sealed]:
    """Each sealed value as it is stored."""
    mine = {User: User.id, Factor: Factor.user_id, DataRequest: DataRequest.id, Code: Code.request_id, Claim: Claim.request_id}
    return {one: (await w.session.scalars(select(one).where(mine[one.class_] == whose))).one() for one in of}


async def living(door: Door, whose: str) -> int:
    async with door.begin(Actor.system(door.service)) as w:
        query = text("SELECT count(*) FROM data_keys WHERE subject = :whose AND wrapped IS NOT NULL")
        return int(await w.session.scalar(query, {"whose": whose}) or 0)


async def renewed(door: Door, whose: str, renew: RenewKey) -> int:
    """The version, which the event tells, too."""
    async with door.begin(Actor.system(door.service)) as w:
        version = await renew(w, whose)
        (event,) = w.events
        said = json.loads(event.record.value or b"")
        assert said["key_version"] == version and event.record.key == whose.encode()
    return version


async def reads(door: Door, whose: str, of: Mapping[InstrumentedAttribute[Any], str], renew: RenewKey) -> None:
    """Sealed under each newest version, and what it was; also for who had the rows before the last renewal."""
    for version in (2, 3):
        assert await renewed(door, whose, renew) == version
        async with door.begin(Actor.system(door.service)) as w:
            found = await held(w, whose, of)
            assert {one.key for one, sealed in found.items() if key_version(sealed) != version} == set(), "not sealed anew"
            await w.unlock(wrapped=await w.keyring.wrapped(w.session, [whose]))
            assert {one: w.open(one, whose, sealed) for one, sealed in found.items()} == dict(of)
    async with door.begin(Actor.system(door.service)) as w:
        found = await held(w, whose, of)
        assert await renewed(door, whose, renew) == 4
        await w.unlock(whose)
        assert {one: w.open(one, whose, sealed) for one, sealed in found.items()} == dict(of)
    assert await living(door, whose) == 4


async def test_a_user_is_sealed_anew_and_reads_as_before(identity: Door, user: str) -> None:
    await reads(identity, user, OF_USER, renew_user)
    async with identity.begin(IDENTITY) as w:
        (account, _) = await IdentityHolder().collect(w, user)
    assert {"Made Up", "made@example.org", "+15550100", "17"} <= {str(one) for one in account.records[0].values()}


async def test_a_request_is_sealed_anew_and_reads_as_before(dsar: Door, request_id: str) -> None:
    await reads(dsar, request_id, OF_REQUEST, renew_request)
    async with dsar.begin(DSAR) as w:
        code = await w.session.get_one(Code, request_id)
        assert await codes.matches(w, code, "12345678")


async def test_the_end_destroys_every_version_and_nobodys_key_is_renewed_then(
    identity: Door, user: str, dsar: Door, request_id: str
) -> None:
    before = {}
    for door, whose, of, renew in ((identity, user, OF_USER, renew_user), (dsar, request_id, OF_REQUEST, renew_request)):
        async with door.begin(Actor.system(door.service)) as w:
            before[whose] = await held(w, whose, of)
        assert await renewed(door, whose, renew) == 2 == await living(door, whose)
    async with identity.begin(IDENTITY) as w:
        assert (await IdentityHolder().erase(w, user, new_id("req"))).key_version == 2
    async with dsar.begin(DSAR) as w:
        await close(w, request_id, "withdrawn", tell=False)
    for door, whose, renew in ((identity, user, renew_user), (dsar, request_id, renew_request)):
        assert await living(door, whose) == 0, "a version was left"
        async with door.begin(Actor.system(door.service)) as w:
            await w.unlock(whose)
            await w.unlock_versions(whose)
            for one, sealed in before[whose].items():
                with pytest.raises(ShreddedError):
                    w.open(one, whose, sealed)
        for nobody in (whose, new_id("sub")):
            with pytest.raises(NotFoundError):
                await renewed(door, nobody, renew)


async def test_a_code_that_is_being_made_is_not_sealed_under_the_key_before(dsar: Door, request_id: str) -> None:
    async with dsar.begin(DSAR) as w:
        await w.session.execute(delete(Code).where(Code.request_id == request_id))
    async with dsar.begin(DSAR) as w:
        shown = await codes.living(w, request_id)
        renewing = asyncio.create_task(renewed(dsar, request_id, renew_request))
        await until_blocked(w.session.bind, renewing)
    assert await renewing == 2
    async with dsar.begin(DSAR) as w:
        code = await w.session.get_one(Code, request_id)
        assert key_version(code.sealed) == 2 and await codes.matches(w, code, typed_code(shown))


def test_the_commands_renew_what_people_go_on_using(platform: Platform) -> None:
    """Whoever signs in does so as before, and the code that a mail brought is right."""
    payload = staff.token(platform, "steve").split(".")[1]
    user = json.loads(base64.urlsafe_b64decode(payload + "=="))["sub"]
    person = Person(platform.origin, "renewed@example.org")
    person.ask("access")
    person.code()
    for service, whose in (("identity", user), ("dsar", person.request_id)):
        done = platform.kept(service, "renew-key", whose, "--json")
        assert done.returncode == 0 and json.loads(done.stdout) == {"subject": whose, "key_version": 2}, done.stderr
        assert platform.kept(service, "renew-key", new_id("sub")).returncode == 1
    assert staff.try_codes(platform.origin, staff.credentials(platform.state, "steve"))
    assert person.prove().status_code == 303
