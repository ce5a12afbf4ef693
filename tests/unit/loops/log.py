"""Drives of the loops of the log."""

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any, cast

from services.audit.index import follow
from services.audit.log import publishing
from services.audit.log import shard as shards
from services.audit.log.ingest import _each
from services.audit.log.jobs import LedgerRecorder
from shared.errors import reason
from shared.loops.forever import health
from tests.unit.loops.support import FAILING, ROWS, Drive, Patch, items, nothing


async def _ingest(_: Patch) -> list[str]:
    """Sequenced, grown, moved and published: each shard by itself."""

    class Heads:
        async def move_all(self, moves: list[str]) -> dict[str, str]:
            if "bad" in moves:
                raise FAILING.error
            return dict.fromkeys(moves, "moved")

    class Growing:
        heads = Heads()

        def __init__(self, name: str) -> None:
            self.name = name
            self.store = SimpleNamespace(blobs=SimpleNamespace(put_all_same=list), publish=self._act, shard=name)
            self.note = None

        def _act(self, *_: object) -> SimpleNamespace:
            if self.name == "bad":
                raise FAILING.error
            return SimpleNamespace(files=[])

        grow = _act

    bad, good = (cast(Any, Growing(one)) for one in ROWS)
    both = {bad: cast(Any, None), good: cast(Any, None)}
    done, failed = _each(both, lambda shard, _: cast(Any, shard).grow())
    grown, not_grown = shards._write(both)
    moved, not_moved = await shards._moved({one: cast(Any, SimpleNamespace(move=one.name)) for one in (bad, good)})
    not_published = shards.replace_all({bad: "note", good: "note"})
    assert list(done) == list(grown) == [good] and list(moved) == ["good"]
    assert list(failed) == list(not_grown) == list(not_moved) == list(not_published) == [bad]
    return [shard.name for shard in done]


async def _publish(patch: Patch) -> list[str]:
    """A round with one shard whose tree cannot be read, and one whose checkpoint cannot be replaced."""
    told, published = list[str](), list[str]()

    class Published:
        note, published = None, -1

        def __init__(self, name: str, at: str) -> None:
            self.head = SimpleNamespace(size=1, root=bytes(32))
            self.signer = SimpleNamespace(name=name, vkeys=None)
            self.store = SimpleNamespace(shard=name, nodes=self._act("nodes", at), publish=self._act("publish", at))

        def _act(self, at: str, bad: str) -> Callable[..., None]:
            def act(*_: object) -> None:
                if at == bad:
                    raise FAILING.error
                if at == "publish":
                    published.append(self.store.shard)

            return act

    async def signed(some: list[Published]) -> dict[Published, str]:
        return dict.fromkeys(some, "note")

    async def failed(errors: dict[Published, Exception]) -> None:
        told.extend(one.store.shard for one in errors)

    rows = [Published("bad", "nodes"), Published("worse", "publish"), Published("good", "")]
    policy = SimpleNamespace(quorum=SimpleNamespace(witnesses=[], needed=0), closed=False)
    patch.setattr(publishing, "signed", signed)
    patch.setattr(publishing, "cosigned", lambda *_: ())
    witnesses = cast(Any, SimpleNamespace(ask=nothing, policy=policy))
    await publishing.Publisher(witnesses, lambda: cast(Any, rows), cast(Any, failed), lambda: None).round()
    assert told == ["bad", "worse"]
    return published


async def ledger(_: Patch) -> list[str]:
    async def names() -> list[str]:
        return ROWS

    async def published(shard: str) -> SimpleNamespace:
        if shard == "bad":
            raise FAILING.error
        return SimpleNamespace(size=1, root=bytes(32))

    opener = SimpleNamespace(heads=SimpleNamespace(shards=names), published=published)
    found = await LedgerRecorder(cast(Any, None), cast(Any, opener), cast(Any, None))._published()
    assert health("ledger").items_failed == 1
    return [one.shard for one in found]


async def _index(patch: Patch) -> list[str]:
    done = list[str]()
    follower = follow.Follower(*[cast(Any, None)] * 3, items=items("index"))  # type: ignore[misc]

    async def turns(_: object) -> Any:
        made = [follow.Turn(cast(Any, SimpleNamespace(shard=one)), cast(Any, SimpleNamespace(size=1))) for one in ROWS]
        return follow.deque(made)

    async def store(batch: Any) -> bool:
        follower.at[batch.shard] = batch.end
        done.append(batch.shard)
        return True

    def following(one: Any, _: object, start: int) -> SimpleNamespace:
        if one.shard == "bad":
            raise FAILING.error
        return SimpleNamespace(shard=one.shard, start=start, end=1)

    patch.setattr(follow, "_next", following)
    patch.setattr(follower, "_turns", turns)
    patch.setattr(follower, "_store", store)
    assert await follower.catch_up() == 1
    return done


async def _scrub(patch: Patch) -> list[str]:
    from services.audit.log import run

    def check(_: object, part: Any) -> SimpleNamespace:
        if part.shard == "bad":
            raise FAILING.error
        return SimpleNamespace(faults=(), claims=())

    patch.setattr(run.span, "check", check)
    patch.setattr(run, "opened", lambda _: SimpleNamespace(get=list))
    with run._workers("", {}, 1) as begun:  # as the service does it
        found = {one: begun(cast(Any, SimpleNamespace(shard=one, n=0)))() for one in ROWS}
    assert reason(FAILING.error()) in found["bad"][0].detail
    return [one for one, faults in found.items() if not faults]


DRIVES: dict[str, Drive] = {
    "ingest": _ingest, "publish": _publish, "ledger": ledger, "index": _index, "scrub": _scrub,
}  # fmt: skip
