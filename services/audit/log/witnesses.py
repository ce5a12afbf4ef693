"""Asking witnesses for their cosignatures (https://c2sp.org/tlog-witness): all of them at once, under one limit.

With each checkpoint goes the proof from the size that the witness signed last, as far as this process knows (0 at first: from
there nothing needs proof, and a 409 tells the size). What the answers mean:

200   its line, if that verifies.
409   it signed another size last. A smaller one: asked again from there. A larger one: this writer is behind, since a database
      was restored or a process died before it published; the same records come again, so it is asked later.
422   our checkpoint does not follow from what it signed. Its word alone stops nothing, or every witness could stop the log. It
      is asked for the checkpoint that it signed: if our own key signed that too, and it has another root at its size, it is
      the proof of two histories (TamperError).
else  it does not sign this for us now: it is away, or knows neither log nor key.

A witness that does not sign is left alone for a while, longer each time, so that it does not hold up the others.
"""

import asyncio
import base64
import logging
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256

import httpx

from services.audit.log import proof
from services.audit.log.checkpoint import Checkpoint, parse
from services.audit.log.tiles import Nodes
from services.audit.log.tree import EMPTY_ROOT
from shared.errors import KeptError, MalformedError, TamperError, described
from shared.gauges import Gauge
from shared.loops.forever import health
from shared.notes.cosignature import Quorum, cosigned
from shared.notes.note import Key, signature_line, split_note, verify_note

log = logging.getLogger("kept.audit.publish")
ANSWER_BYTES_MAX = 256 * 1024
TRIES = 3  # about one checkpoint: from what we know, from what it says, and where another owner was faster meanwhile
AGAIN_SECONDS, AGAIN_SECONDS_MAX = 1.0, 10.0
CONNECTIONS_MAX = 16  # to each witness; kept open from one round to the next
SIZE = "text/x.tlog.size"
NOT_ASKED, SIGNS = "not asked yet", "signs"


@dataclass(frozen=True)
class Policy:
    """Whom the log asks, for how long, and whether it publishes without them. Made by `of`."""

    quorum: Quorum
    urls: Mapping[Key, str]
    closed: bool  # nothing is published without its quorum
    seconds: float

    @classmethod
    def of(cls, text: str, needed: int, *, closed: bool, seconds: float) -> "Policy | None":
        """From `<vkey> <address>` for each witness, with white space between; None without any. MalformedError."""
        words = text.split()
        vkeys, urls = words[::2], [url.rstrip("/") for url in words[1::2]]
        if len(vkeys) != len(urls) or not all(url.startswith(("https://", "http://")) for url in urls):
            raise MalformedError("witnesses: give a vkey and an address (https://…) for each")
        quorum = Quorum.of(vkeys, needed)
        return cls(quorum, dict(zip(quorum.witnesses, urls, strict=True)), closed, seconds) if vkeys else None


@dataclass
class Asked:
    """A checkpoint to be witnessed: its note, what it says, its tree, and how to learn the keys that the log has signed with.

    What comes of it: `lines`; and `failed`, where its shard cannot go on."""

    note: str
    checkpoint: Checkpoint
    nodes: Nodes
    vkeys: Callable[[], Awaitable[Sequence[str]]]
    there: frozenset[Key] = frozenset()  # who signed it before
    lines: dict[Key, str] = field(default_factory=dict)
    failed: Exception | None = None
    _proofs: dict[int, Sequence[bytes]] = field(default_factory=dict)

    def proof(self, old: int) -> Sequence[bytes]:
        """From the tree of `old` leaves to this one."""
        if old in (0, self.checkpoint.size):
            return ()
        if old not in self._proofs:
            self._proofs[old] = proof.consistency(self.nodes, old)
        return self._proofs[old]

    def root_at(self, size: int) -> bytes:
        return self.nodes.range(0, size) if size else EMPTY_ROOT


class Witnesses:
    """What this process knows of its witnesses."""

    def __init__(self, policy: Policy, transport: httpx.AsyncBaseTransport | None = None) -> None:
        self.policy = policy
        self._all = [_Witness(key, url, _client(policy, transport)) for key, url in policy.urls.items()]

    @property
    def states(self) -> dict[str, str]:
        """Name -> `signs`, or what it does instead."""
        return {one.key.name: one.state for one in self._all}

    async def ask(self, asked: Sequence[Asked]) -> None:
        """Until each has its quorum or nobody is left to answer, and no longer than the limit."""
        tasks: dict[asyncio.Task[None], tuple[_Witness, Asked]] = {}
        for one in asked:
            for witness in self._all:
                if witness.key not in one.there and witness.ready(one.checkpoint.origin):
                    tasks[asyncio.create_task(witness.ask(one))] = witness, one
        end, waiting, answered = time.monotonic() + self.policy.seconds, set(tasks), set[_Witness]()
        try:
            while any(not self._enough(tasks[task][1]) for task in waiting):
                done, waiting = await asyncio.wait(
                    waiting, timeout=max(0.0, end - time.monotonic()), return_when=asyncio.FIRST_COMPLETED
                )
                answered |= {tasks[task][0] for task in done}
                if not done:  # the limit; one that is only slow answers the rest next time
                    for witness in {tasks[task][0] for task in waiting} - answered:
                        witness.away()
                    break
        finally:
            for task in waiting:
                task.cancel()
            ended = await asyncio.gather(*tasks, return_exceptions=True)
        for error in ended:
            if isinstance(error, Exception):  # our own bug
                raise error

    def _enough(self, one: Asked) -> bool:
        return one.failed is not None or len(one.there) + len(one.lines) >= self.policy.quorum.needed


def gauges(states: Mapping[str, str], unwitnessed: Mapping[str, int]) -> list[Gauge]:
    """For /metrics: which witness signs, and what lacks its quorum."""
    found = [Gauge("kept_audit_log_unwitnessed_records", {}, sum(unwitnessed.values()))] if states else []
    return found + [Gauge("kept_audit_witness_signs", {"witness": name}, int(state == SIGNS)) for name, state in states.items()]


def _client(policy: Policy, transport: httpx.AsyncBaseTransport | None) -> httpx.AsyncClient:
    """One for each witness: of connections in common, one that hangs would soon have them all."""
    timeout, limits = httpx.Timeout(policy.seconds, pool=None), httpx.Limits(max_connections=CONNECTIONS_MAX)
    return httpx.AsyncClient(timeout=timeout, limits=limits, transport=transport)


# -- one witness ----------------------------------------------------------------------------------------------------


class _NotNowError(KeptError):
    """It does not sign this now."""


class _RefusedError(KeptError):
    """It says that our checkpoint does not follow."""


@dataclass
class _Pause:
    until: float = 0.0
    seconds: float = AGAIN_SECONDS

    def again(self) -> None:
        """Longer each time; of several failures at once the first counts."""
        if self.until <= time.monotonic():
            self.until = time.monotonic() + self.seconds
            self.seconds = min(AGAIN_SECONDS_MAX, 2 * self.seconds)


class _Witness:
    def __init__(self, key: Key, url: str, http: httpx.AsyncClient) -> None:
        self.key = key
        self.state = NOT_ASKED
        self._url = url
        self._http = http
        self._sizes: dict[str, int] = {}  # origin -> what it signed last
        self._pauses: dict[str, _Pause] = {}  # by origin; the empty one is for all

    def ready(self, origin: str) -> bool:
        now = time.monotonic()
        return all(self._pauses[what].until <= now for what in ("", origin) if what in self._pauses)

    def away(self) -> None:
        self._not_now("", "away")

    async def ask(self, one: Asked) -> None:
        """Its line goes into `one`, or why the shard cannot go on."""
        origin = one.checkpoint.origin
        try:
            one.lines[self.key] = await self._cosignature(one)
            self.state = SIGNS
            self._pauses.pop("", None)
            self._pauses.pop(origin, None)
        except (httpx.HTTPError, httpx.InvalidURL, OSError):
            self.away()
        except _NotNowError as error:
            self._not_now(origin, error.detail)
        except KeptError as error:  # a proof of two histories; or our own store cannot be read
            one.failed = error
        except Exception as error:  # a defect, or an answer that nobody thought of: nothing against the shard or the others
            health("publish").items_failed += 1
            log.error("%s about %s: %s", self.key.name, origin, described(error))
            self._not_now(origin, "cannot be asked")

    def _not_now(self, origin: str, state: str) -> None:
        self.state = state
        self._pauses.setdefault(origin, _Pause()).again()

    async def _cosignature(self, one: Asked) -> str:
        origin, size = one.checkpoint.origin, one.checkpoint.size
        for _ in range(TRIES):
            old = self._sizes.get(origin, 0)
            if old > size:
                self._sizes[origin] = 0  # asked anew next time: who knows what becomes of it meanwhile
                raise _NotNowError("is ahead of the log")
            try:
                status, said = await self._post(one, old)
            except _RefusedError:
                await self._evidence(one)
                raise _NotNowError("says that the log does not follow from what it signed") from None
            if status == httpx.codes.OK:
                line = self._line(one.note, said)
                self._sizes[origin] = size
                return line
            self._sizes[origin] = int(said)
        raise _NotNowError("signs for another writer of the log")

    async def _post(self, one: Asked, old: int) -> tuple[int, str]:
        """200 and lines, or 409 and a size that is not `old`."""
        lines = [base64.b64encode(node).decode() for node in await asyncio.to_thread(one.proof, old)]
        body = "\n".join([f"old {old}", *lines, "", one.note])
        status, kind, said = await self._call("POST", "add-checkpoint", body)
        if status == httpx.codes.OK:
            return status, said
        if status == httpx.codes.CONFLICT and kind == SIZE and _is_size(said) and int(said) != old:
            return status, said
        if status in (httpx.codes.UNPROCESSABLE_ENTITY, httpx.codes.CONFLICT):  # 409: as older texts of the protocol have it
            raise _RefusedError(str(status))
        if status >= httpx.codes.INTERNAL_SERVER_ERROR or status == httpx.codes.TOO_MANY_REQUESTS:
            raise OSError(f"answers {status}")
        meaning = {403: "does not know the log's key", 404: "does not know the log"}
        raise _NotNowError(meaning.get(status, f"answers {status}"))

    async def _call(self, method: str, path: str, body: str | None = None) -> tuple[int, str, str]:
        content = None if body is None else body.encode()
        async with self._http.stream(method, f"{self._url}/{path}", content=content) as answer:
            data = bytearray()
            async for part in answer.aiter_bytes():
                data += part
                if len(data) > ANSWER_BYTES_MAX:
                    raise _NotNowError("answers too much")
        return answer.status_code, answer.headers.get("content-type", ""), data.decode("utf-8", "replace")

    def _line(self, note: str, said: str) -> str:
        """Its own line out of the answer, proven; whatever else it sent is left out."""
        try:
            if self.key not in cosigned(note + said, [self.key]):
                raise MalformedError("no line of its own")
            lines = split_note(note + said)[1]
        except KeptError:
            raise _NotNowError("answers with something other than its cosignature") from None
        raw = [raw for name, raw in lines if (name, raw[:4]) == (self.key.name, self.key.id)][-1]
        return signature_line(self.key.name, raw[:4], raw[4:])

    async def _evidence(self, one: Asked) -> None:
        """TamperError where the witness shows a checkpoint that this log's key signed, and that is of another history."""
        name = sha256(one.checkpoint.origin.encode()).hexdigest()
        status, _, note = await self._call("GET", f"{name}/checkpoint")
        if status != httpx.codes.OK:
            return
        vkeys = await one.vkeys()
        try:
            other = parse(verify_note(note, vkeys))
        except KeptError:  # not the log's: whoever made it up
            return
        mine = one.checkpoint
        if other.origin != mine.origin or other.size > mine.size:
            return
        if await asyncio.to_thread(one.root_at, other.size) != other.root:
            self.state = "shows another history"
            raise TamperError(
                f"two histories: {self.key.name} has a checkpoint of {other.size} leaves that this log's key signed, with the "
                f"root {other.root.hex()}; the tree in the store has another"
            )


def _is_size(said: str) -> bool:
    text = said.removesuffix("\n")
    return text.isascii() and text.isdigit() and len(text) <= 19 and text == str(int(text))
