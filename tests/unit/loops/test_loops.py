"""One bad item never stops the rest: of every loop an item fails with something nobody thought of, be it an error
of Python or one of ours, and the next is done.

The loops are read from the code, so that a new one fails here until it is driven or named. Those that need a database, a broker
or a store to be driven are driven by tests/platform, as LOOPS says."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from shared.errors import UnavailableError
from shared.loops.forever import HEALTH
from tests.unit.loops import bus, log, services
from tests.unit.loops.support import ERRORS, FAILING, MEMORIES, Drive, Patch

ROOT = Path(__file__).parents[3]
PARTS = ("services", "shared", "examples")

# -- every loop -----------------------------------------------------------------------------------------------------

SINGLE = "one act a round, and no items: tests/unit/shared/loops/test_forever.py"
LOOPS = {  # as `forever` is told its name, in the source -> the drive below, or where else it is driven
    "'saga'": "saga",
    "'undecided'": "undecided",
    "'closing'": "closing",
    "'capabilities'": SINGLE,
    "'sets'": "backup",
    "'drills'": "backup",
    "'backup'": "backup",
    "'approvals'": "approvals",
    "'sessions'": SINGLE,
    "addresses.LOOP": "addresses",
    "self.name": "tests/platform/test_renewal.py",
    "'unowned'": SINGLE,
    "'mail'": "tests/platform/test_mail_room.py",
    "'mail-recipients'": SINGLE,
    "'relay'": "relay",
    "rewrap.LOOP": "tests/platform/test_rewrap.py",
    "sweep.LOOP": SINGLE,
    "self._loop": "tests/platform/test_kernel_bus.py",  # the handlers'
    "self.duty": "tests/platform/test_leader.py",
    "ended_sessions.LOOP": "ended",
    "ingest.LOOP": "ingest",
    "publishing.LOOP": "publish",
    "log.LOOP": "ledger",
    "follow.LOOP": "index",
    "'scrub'": "scrub",
    "f'worker {number}'": SINGLE,
    "'state'": SINGLE,
    "'slot said'": SINGLE,
    "'slot heard'": SINGLE,
    "loop": "holder",  # of another team's system: both its loops
    "'invoices'": "invoices",
}

DRIVES: dict[str, Drive] = services.DRIVES | bus.DRIVES | log.DRIVES


def trees() -> Iterator[tuple[Path, ast.Module]]:
    for part in PARTS:
        for file in sorted((ROOT / part).rglob("*.py")):
            yield file.relative_to(ROOT), ast.parse(file.read_text())


def test_every_loop_is_driven() -> None:
    found = set()
    for file, tree in trees():
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "forever":
                name = ast.unparse(node.args[0])
                module = file.parent.name if file.stem == "jobs" else file.stem
                found.add(f"{module}.LOOP" if name == "LOOP" else name)
    assert found == set(LOOPS)
    assert {one for one in LOOPS.values() if one != SINGLE and not one.startswith("tests/")} == set(DRIVES)
    assert all((ROOT / one).exists() for one in LOOPS.values() if one.startswith("tests/"))


@pytest.mark.parametrize("error", ERRORS)
@pytest.mark.parametrize("drive", DRIVES)
async def test_one_item_fails_and_the_next_is_done(drive: str, error: type[Exception], monkeypatch: Patch) -> None:
    HEALTH.clear()
    MEMORIES.clear()
    monkeypatch.setattr(FAILING, "error", error)
    assert await DRIVES[drive](monkeypatch) == ["good"]
    known = [item for loop, memory in MEMORIES.items() for item in await memory.of(loop)]
    assert set(known) == ({"bad"} if MEMORIES else set()), "the bad one is set aside, and no other"


@pytest.mark.parametrize("error", [OSError, UnavailableError])
async def test_a_store_that_is_away_leaves_no_shard_out_of_the_ledger(error: type[Exception], monkeypatch: Patch) -> None:
    monkeypatch.setattr(FAILING, "error", error)
    with pytest.raises(error):
        await log.ledger(monkeypatch)
