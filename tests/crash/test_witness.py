"""A witness through kill -9, a disk that fails, and what strace sees: what was answered was durable before, and no crash
makes it sign two histories."""

import re
import threading
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from shared.notes.note import vkey
from tests.crash import extent, strace
from tests.support.insider import wait_until
from tests.support.witnesses import WitnessProcess, witnesses
from tests.unit.services.audit.witness.conftest import ORIGIN, SIGNER, SPLIT, request

ROUNDS = extent.times("ROUNDS", 6, 60)
WAL = "witness.db-wal"


@pytest.fixture
def witness(tmp_path: Path) -> Iterator[WitnessProcess]:
    keys = tmp_path / "keys"
    keys.write_text(vkey(ORIGIN, SIGNER.public))
    with witnesses(tmp_path, keys, ["witness.test/one"]) as running:
        yield running[0]


def asked(witness: WitnessProcess, old: int, size: int, history: int = 0) -> httpx.Response:
    return httpx.post(f"{witness.address}/add-checkpoint", content=request(old, size, history), timeout=30, trust_env=False)


def recorded(witness: WitnessProcess) -> int:
    """What it says that it signed last: a log that knows nothing asks from size 0."""
    answer = asked(witness, 0, 1)
    return int(answer.text) if answer.status_code == 409 else 1


def test_killed_at_any_moment_it_knows_what_it_answered(witness: WitnessProcess) -> None:
    chance, size = extent.chance(), SPLIT + 1  # the least at which the two histories differ: it may die before it answers once
    assert asked(witness, 0, size).status_code == 200
    for _ in range(ROUNDS):
        killing = threading.Timer(chance.uniform(0.02, 0.4), witness.kill)
        killing.start()
        asking = size
        try:
            while True:
                asking = size + 1
                assert asked(witness, size, asking).status_code == 200
                size = asking
        except httpx.HTTPError:
            killing.join()
        witness.start()
        last = recorded(witness)
        assert last in (size, asking), "it forgot what it had answered, or remembers what nobody asked"
        size = last
        # Also for the one that nobody heard of: another history of that size is refused.
        assert asked(witness, size, size, history=1).status_code == 422
        assert asked(witness, size, size + 3, history=1).status_code == 422
    assert asked(witness, size, size).status_code == 200


def test_it_answers_after_the_disk_has_it(witness: WitnessProcess, tmp_path: Path) -> None:
    strace.required()
    assert asked(witness, 0, 5).status_code == 200
    out = tmp_path / "strace"
    assert witness.process is not None
    with strace.attached(witness.process.pid, out, "-y", "-e", "trace=pwrite64,fsync,fdatasync,sendto,sendmsg,write,writev"):
        assert asked(witness, 5, 9).status_code == 200
        wait_until(lambda: "HTTP/1.1 200 OK" in out.read_text(), seconds=60)
    said = out.read_text()
    written = [found.start() for found in re.finditer(rf"pwrite64\([^\n]*{WAL}", said)]
    synced = [found.start() for found in re.finditer(rf"f(?:data)?sync\([^\n]*{WAL}", said)]
    answered = said.index("HTTP/1.1 200 OK")
    assert written and synced and written[-1] < synced[-1] < answered, said


@pytest.mark.parametrize(("call", "error"), [("fdatasync", "EIO"), ("pwrite64", "ENOSPC")])
def test_a_disk_that_fails_costs_the_signature_and_nothing_else(
    witness: WitnessProcess, tmp_path: Path, call: str, error: str
) -> None:
    strace.required()
    assert asked(witness, 0, 5).status_code == 200
    assert witness.process is not None
    inject = f"inject={call}:error={error}"
    with strace.attached(witness.process.pid, tmp_path / "strace", "-e", f"trace={call}", "-e", inject):
        failed = asked(witness, 5, 9)
    assert (failed.status_code, failed.text.partition(":")[0]) == (503, "unavailable")
    assert "—" not in failed.text
    assert asked(witness, 5, 7).status_code == 200, "what was not signed does not count"
    witness.kill()
    witness.start()
    assert recorded(witness) == 7
