"""identity as a holder, against the real servers: found by locator, told everything, forgotten for good."""

import uuid
from collections.abc import AsyncIterator
from contextlib import suppress
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import select, text, update

from services.identity.accounts.actions import Imported
from services.identity.accounts.gauges import gauges
from services.identity.accounts.tables import User
from services.identity.approvals.actions import Asked, request_by_service
from services.identity.approvals.model import ByServices
from services.identity.base import TABLES
from services.identity.holder import IdentityHolder
from services.identity.operate import import_file
from services.identity.settings import IdentitySettings
from shared.access.actor import Actor
from shared.errors import ShreddedError
from shared.gauges import Gauge
from shared.ids import new_id
from shared.keys.locators import Locators
from shared.service import Ground, ground
from shared.values.identifiers import identifier
from tests.support.platform import Platform

pytestmark = pytest.mark.platform
SYSTEM = Actor.system("identity")


@pytest.fixture
async def base(platform: Platform, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Ground]:
    for name, value in platform.environment("identity").items():
        monkeypatch.setenv(name, value)
    found = await ground(IdentitySettings(), TABLES)
    yield found
    await found.engine.dispose()


async def test_a_member_of_staff_is_found_told_and_forgotten(base: Ground, tmp_path: Path) -> None:
    handle, number = f"test{uuid.uuid4().hex[:8]}", str(uuid.uuid4().int % 10**9)
    email = f"{handle}@example.org"
    file = tmp_path / "employee.csv"
    head = "EmployeeId,LastName,FirstName,Title,ReportsTo,Phone,Email"
    file.write_text(f"{head}\n{number},Zz,{handle},IT Staff,,+1 403 262 3443,{email}\n")
    assert await import_file(file, IdentitySettings()) == Imported(created=1, already_there=0, numbered=0)
    async with base.door.begin(SYSTEM) as w:  # as an account of before the number was kept
        newest = await w.session.scalar(select(User.id).order_by(User.id.desc()).limit(1))
        await w.session.execute(update(User).where(User.id == newest).values(number=None))
    assert await gauges(base.door)() == [Gauge("kept_users_without_number", {}, 1)]
    assert await import_file(file, IdentitySettings()) == Imported(created=0, already_there=1, numbered=1)
    assert await import_file(file, IdentitySettings()) == Imported(created=0, already_there=1, numbered=0)
    assert await gauges(base.door)() == [Gauge("kept_users_without_number", {}, 0)]
    holder = IdentityHolder()
    known = [identifier("email", email.upper()), identifier("external", f"employee:{number}")]
    wanted = [one for every in await Locators(base.vault).of(known) for one in every]
    async with base.door.begin(SYSTEM) as w:
        [found] = await holder.locate(w, wanted)
        subject = found.subject
        assert set(wanted) <= set(found.locators)
        assert await holder.locate(w, ["loc_1_" + "0" * 64]) == []
        told = await holder.collect(w, subject)
    assert {email, "+1 403 262 3443", f"{handle} Zz", number} <= set(map(str, told[0].records[0].values()))
    assert all(one.purpose and one.basis and one.retention for one in told)

    async with base.door.begin(SYSTEM) as w:
        first = await holder.erase(w, subject, "req_1")
    assert first.fields == 6 and first.key_version >= 1
    async with base.door.begin(SYSTEM) as w:  # asked again: the same end
        assert await holder.locate(w, wanted) == []
        assert await holder.collect(w, subject) == []
        assert (await holder.erase(w, subject, "req_1")).fields == 0
        left = "SELECT count(*) FROM data_keys WHERE wrapped IS NOT NULL AND subject = :s"
        assert await w.session.scalar(text(left), {"s": subject}) == 0
        row = (await w.session.execute(text("SELECT * FROM users WHERE id = :s"), {"s": subject})).mappings().one()
        pseudonymous = {"id", "created_at", "erased_at", "normal_form", "index_version", "locator_version"}
        assert {name for name, value in row.items() if value} == pseudonymous
    with pytest.raises(ShreddedError):
        async with base.door.begin(SYSTEM) as w:
            await w.create_keys([subject])


async def test_of_each_record_of_an_erasure_it_says_that_who_decided_is_kept(base: Ground) -> None:
    first, second, other = (new_id("sub") for _ in range(3))
    asked = Asked(new_id("req"), first, [first, second], None, [])
    with suppress(UndoneError):
        async with base.door.begin(Actor.system("dsar")) as w:
            await request_by_service(w, ByServices.ERASE, asked, timedelta(days=30))
            kept = {
                one: [held.what for held in (await IdentityHolder().erase(w, one, asked.resource)).kept]
                for one in (first, second, other)
            }
            raise UndoneError
    assert all("who decided on your erasure" in kept[one][0] for one in (first, second)) and kept[other] == []


class UndoneError(Exception):
    """So that nobody else finds it waiting."""
