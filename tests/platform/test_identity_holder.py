"""identity as a holder, against the real servers: found by locator, told everything, forgotten for good."""

import uuid
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from sqlalchemy import text

from services.identity.base import TABLES
from services.identity.holder import IdentityHolder
from services.identity.operate import import_file
from services.identity.settings import IdentitySettings
from shared.access.actor import Actor
from shared.errors import ShreddedError
from shared.keys.locators import locators
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
    assert await import_file(file, IdentitySettings()) == (1, 0)
    holder = IdentityHolder()
    wanted = await locators(base.vault, [identifier("email", email.upper()), identifier("external", f"employee:{number}")])
    async with base.door.begin(SYSTEM) as w:
        [found] = await holder.locate(w, wanted)
        subject = found.subject
        assert set(wanted) <= set(found.locators)
        assert await holder.locate(w, ["loc_1_" + "0" * 64]) == []
        told = await holder.collect(w, subject)
    assert {email, "+1 403 262 3443", f"{handle} Zz"} <= set(map(str, told[0].records[0].values()))
    assert all(one.purpose and one.basis and one.retention for one in told)

    async with base.door.begin(SYSTEM) as w:
        first = await holder.erase(w, subject, "req_1")
    assert first.fields == 5 and first.key_version >= 1
    async with base.door.begin(SYSTEM) as w:  # asked again: the same end
        assert await holder.locate(w, wanted) == []
        assert await holder.collect(w, subject) == []
        assert (await holder.erase(w, subject, "req_1")).fields == 0
        left = "SELECT count(*) FROM keyring WHERE subject = :s"
        assert await w.session.scalar(text(left), {"s": subject}) == 0
        row = (await w.session.execute(text("SELECT * FROM users WHERE id = :s"), {"s": subject})).mappings().one()
        assert {name for name, value in row.items() if value} == {"id", "created_at", "erased_at", "normal_form"}
    with pytest.raises(ShreddedError):
        async with base.door.begin(SYSTEM) as w:
            await w.keyring.create(w.session, [subject])
