"""What a loop could not do, on the real database: known after a restart, listed, counted, and tried again by hand."""

import pytest

from shared.errors import NotFoundError
from shared.loops.aside import counted, listed, retry
from shared.loops.items import Items
from tests.support.kernel import Kernel, open_kernel

pytestmark = [pytest.mark.platform, pytest.mark.usefixtures("platform")]
kernel = pytest.fixture(open_kernel)


async def test_one_bad_item_is_kept_with_its_reason_and_done_by_hand(kernel: Kernel) -> None:
    done: list[str] = []
    broken = True

    async def act(item: str) -> None:
        if item == "req_b" and broken:
            raise KeyError("luisg@embraer.com.br")
        done.append(item)

    three = ["req_a", "req_b", "req_c"]
    await Items("saga", kernel.door).each(three, act)
    await Items("saga", kernel.door).each(three, act)  # another process: it is left alone, the others are done
    assert done == ["req_a", "req_c"] * 2
    assert await counted(kernel.engine) == {"saga": 1}
    async with kernel.engine.begin() as connection:
        (one,) = await listed(connection)
        assert (one.loop, one.item, one.tries) == ("saga", "req_b", 1) and one.reason.startswith(
            "KeyError at test_kernel_loops.py:"
        )
        assert await listed(connection, "other") == []
        with pytest.raises(NotFoundError):
            await retry(connection, kernel.door.clock.now(), "saga", "req_x")
        assert await retry(connection, kernel.door.clock.now(), "saga", "req_b") == 1
    broken = False
    assert await Items("saga", kernel.door).each(three, act) == 3
    assert "req_b" in done and await counted(kernel.engine) == {}
