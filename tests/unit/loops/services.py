"""Drives of the loops of identity, customers, backup and dsar."""

import asyncio
from types import SimpleNamespace
from typing import Any, cast

from services.backup import jobs as backup
from services.backup.drills import jobs as drilling
from services.backup.jobs import Runner
from services.backup.sets import jobs as taking
from services.customers.addresses import jobs as addresses
from services.dsar.saga import jobs as saga
from services.identity.approvals import jobs as approvals
from shared.loops.aside import InMemory
from shared.loops.forever import health
from tests.unit.loops.support import FAILING, ROWS, Door, Drive, Patch, fails, items, nothing


class _Versions:
    async def oldest(self) -> int:
        return 1


def saga_jobs(patch: Patch) -> saga.Jobs:
    patch.setattr(saga, "Items", items)
    settings = SimpleNamespace(unverified_hours=1, keep_answer_days=1)
    return saga.Jobs(cast(Any, Door(ROWS)), cast(Any, SimpleNamespace(book=None)), cast(Any, settings), cast(Any, _Versions()))


async def _saga(patch: Patch) -> list[str]:
    done = list[str]()

    async def load(_: object, request_id: str) -> str:
        return request_id

    patch.setattr(saga.requests, "load", load)
    patch.setattr(saga.actions, "locate_anew", nothing)
    patch.setattr(saga.actions, "ask_again", nothing)
    patch.setattr(saga.actions, "advance", fails("bad", done))
    await saga_jobs(patch).advance()
    return done


async def _undecided(patch: Patch) -> list[str]:
    done = list[str]()
    patch.setattr(saga.requests, "load", fails("bad", done))
    patch.setattr(saga.approval, "ask_again", nothing)
    await saga_jobs(patch).ask_again()
    return done


async def _closing(patch: Patch) -> list[str]:
    done = list[str]()

    async def load(*_: object) -> SimpleNamespace:
        return SimpleNamespace(unclear=True, state=saga.OVER[0])

    patch.setattr(saga.requests, "load", load)
    patch.setattr(saga.requests, "close", fails("bad", done))
    await saga_jobs(patch).close()
    return done


async def _approvals(patch: Patch) -> list[str]:
    ended, reminded = list[str](), list[str]()

    async def rows(_: object) -> list[str]:
        return ROWS

    patch.setattr(approvals.approvals, "late", rows)
    patch.setattr(approvals.approvals, "waiting", rows)
    patch.setattr(approvals.approvals, "expire", fails("bad", ended))
    patch.setattr(approvals.approvals, "remind", fails("bad", reminded))
    await approvals.tick(cast(Any, Door([])), cast(Any, None), items("approvals"), items("reminders"))
    assert reminded == ["good"]
    return ended


async def _addresses(patch: Patch) -> list[str]:
    done, wait = list[str](), InMemory().clock.now() - InMemory().clock.now()
    patch.setattr(addresses.actions, "overdue", fails("bad", done))
    await addresses.tick(cast(Any, Door(ROWS)), cast(Any, None), wait, items("addresses"))
    return done


async def _backup(patch: Patch) -> list[str]:
    """No set can be asked for, and what is done first fails: a drill is done all the same."""
    done, over, work = list[str](), asyncio.Event(), fails("bad", list[str]())

    async def newest(_: object, *states: str) -> SimpleNamespace:
        if "taking" in states:
            raise FAILING.error
        return SimpleNamespace(id="good")

    async def drilled(_: object) -> SimpleNamespace | None:
        return SimpleNamespace(started_at=1) if pieces[1:] else None

    async def begin(_: object, backup_id: str) -> None:
        pieces.append(backup.Piece(backup_id, InMemory().clock.now(), lambda: drill(backup_id)))

    async def drill(backup_id: str) -> None:
        done.append(backup_id)
        over.set()

    async def nothing(*_: object) -> None: ...

    async def asked(_: object) -> list[backup.Piece]:
        return pieces

    pieces = [backup.Piece("bad", InMemory().clock.now(), lambda: cast(Any, work("bad")))]
    for jobs in (taking, drilling):
        patch.setattr(jobs, "TICK_SECONDS", 0.01)
        patch.setattr(jobs, "is_due", lambda last, *_: last is None)
    patch.setattr(taking.sets, "newest", newest)
    patch.setattr(drilling.drills, "newest", drilled)
    patch.setattr(drilling.drills, "begin", begin)
    patch.setattr(backup, "recover", nothing)
    patch.setattr(backup, "asked", asked)
    patch.setattr(backup, "LOOK_SECONDS", 0.01)
    settings = SimpleNamespace(take_every=1, drill_every=1)
    task = asyncio.ensure_future(Runner(cast(Any, SimpleNamespace(door=Door([]), settings=settings))).run())
    await asyncio.wait_for(over.wait(), 30)
    task.cancel()
    assert health("sets").failures and health("backup").items_failed == 1 and not health("drills").failures
    return done


DRIVES: dict[str, Drive] = {
    "saga": _saga, "undecided": _undecided, "closing": _closing, "approvals": _approvals, "addresses": _addresses,
    "backup": _backup,
}  # fmt: skip
