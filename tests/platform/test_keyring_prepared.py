"""Keys that were wrapped before somebody needs one: each is somebody's once, and none is stored that a rotation left behind."""

from collections.abc import Sequence

import pytest
from sqlalchemy import text

from shared.errors import UnavailableError
from shared.ids import new_id
from shared.keys.prepared import READY_MAX
from shared.keys.vault import Vault
from tests.support.kernel import ME, Kernel, open_kernel

pytestmark = [pytest.mark.platform, pytest.mark.usefixtures("platform")]
kernel = pytest.fixture(open_kernel)


@pytest.fixture
def wrapped(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """What Vault wrapped, call by call."""
    calls: list[list[str]] = []
    real = Vault.encrypt

    async def encrypt(self: Vault, key: str, values: Sequence[bytes]) -> list[str]:
        calls.append(await real(self, key, values))
        return calls[-1]

    monkeypatch.setattr(Vault, "encrypt", encrypt)
    return calls


async def made(kernel: Kernel) -> str:
    subject = new_id("sub")
    async with kernel.door.begin(ME) as w:
        await w.create_keys([subject])
    return subject


async def test_vault_is_asked_once_for_many_people_and_no_two_have_the_same_key(
    kernel: Kernel, wrapped: list[list[str]]
) -> None:
    for _ in range(1 + READY_MAX + 1):
        await made(kernel)
    assert len(wrapped) == 2
    async with kernel.engine.connect() as connection:
        distinct = text("SELECT count(DISTINCT wrapped) FROM data_keys")
        assert await connection.scalar(distinct) == 1 + READY_MAX + 1


@pytest.mark.parametrize(
    "happened",
    [
        "UPDATE data_keys SET wrapped = replace(wrapped, 'vault:v', 'vault:v9')",  # a rotation, and everybody is rewrapped
        "UPDATE data_keys SET wrapped = NULL, shredded_at = now()",  # nobody is left who could tell of one
    ],
)
async def test_none_is_stored_where_nobody_is_under_its_version(
    kernel: Kernel, wrapped: list[list[str]], happened: str
) -> None:
    await made(kernel)
    async with kernel.engine.begin() as connection:
        await connection.execute(text(happened))
    late = await made(kernel)
    async with kernel.engine.connect() as connection:
        cover = await connection.scalar(text("SELECT wrapped FROM data_keys WHERE subject = :late"), {"late": late})
    assert len(wrapped) == 2 and cover in wrapped[1]


async def test_what_was_rolled_back_vouches_for_nothing(kernel: Kernel, wrapped: list[list[str]]) -> None:
    with pytest.raises(RuntimeError):
        async with kernel.door.begin(ME) as w:
            await w.create_keys([new_id("sub")])
            raise RuntimeError("killed before the commit")
    await made(kernel)
    assert len(wrapped) == 2 and await kernel.count("data_keys") == 1


async def test_without_vault_none_is_given_away(kernel: Kernel) -> None:
    await made(kernel)
    vault = kernel.door.keyring._vault
    vault._client._adapter.base_uri = "http://127.0.0.1:9"
    vault._healthy_at = 0.0  # what was known of it is too old
    with pytest.raises(UnavailableError):
        await made(kernel)
    assert await kernel.count("data_keys") == 1
