"""A whole log verified: several processes, flat memory, every fault, and on from where it was interrupted."""

import multiprocessing
import os
import signal
import sys
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from services.audit.log import span
from services.audit.log.found import LEDGER_TOPIC, Fault
from services.audit.log.ledger import Ledger
from services.audit.log.levels import Top
from services.audit.log.resume import Resume
from services.audit.log.seen import OTHER, Seen, against
from services.audit.log.sources import Files, opened
from services.audit.log.store import SHARDS, moves
from services.audit.log.tiles import Nodes
from services.audit.log.trust import Trust
from services.audit.log.verify import Opened, Progress, Result, base_of, open_shard, shards, spans
from shared.blobs import open_store
from shared.errors import KeptError, UnavailableError, described
from shared.notes.cosignature import Quorum

FAULTS_MAX = 10_000  # told one by one; beyond them they are counted
SMALL = 200_000  # entries: below, starting processes takes longer than the work
INCOMPARABLE = frozenset(("checkpoint", "tile", "missing"))  # kinds of faults that leave a shard's earlier roots unknown
Faults = tuple[Fault, ...]
Work = Callable[[span.Span], Callable[[], Faults]]  # begins a span; its faults when called


@dataclass
class Report:
    """What a verification came to. `uncounted`: faults beyond FAULTS_MAX. `passed`: entries an earlier run had done."""

    results: list[Result] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)
    notices: list[str] = field(default_factory=list)
    uncounted: int = 0
    passed: int = 0

    @property
    def entries(self) -> int:
        return sum(result.size for result in self.results)

    @property
    def whole(self) -> bool:
        return not self.faults

    def add(self, faults: Sequence[Fault], uncounted: int = 0) -> None:
        room = max(0, FAULTS_MAX - len(self.faults))
        self.faults += faults[:room]
        self.uncounted += len(faults[room:]) + uncounted


@dataclass
class _Shard:
    """One shard under way."""

    opened: Opened
    top: Top
    faults: list[Fault] = field(default_factory=list)
    uncounted: int = 0
    done: int = 0

    def add(self, faults: Sequence[Fault]) -> None:
        room = max(0, FAULTS_MAX - len(self.faults))
        self.faults += faults[:room]
        self.uncounted += len(faults[room:])


@dataclass(frozen=True)
class Options:
    """`unlisted`: shards that lie there and that the list hides. `given`: checkpoints from elsewhere. `pinned`: the keys are
    from elsewhere too, so that a memory under other keys is a fault. `quorum`: of witnesses, that each checkpoint must have."""

    workers: int = 0  # 0: one per processor
    seen: Seen | None = None
    given: Sequence[bytes] = ()
    pinned: bool = False
    resume_dir: Path | None = None
    afresh: bool = False
    unlisted: Sequence[str] = ()
    quorum: Quorum = field(default_factory=Quorum)


def verify_log(where: str, trust: Trust, options: Options | None = None, progress: Progress | None = None) -> Report:
    """Verify the log at a directory, bucket or URL. UnavailableError where it cannot be read now: run it again, it goes on."""
    return _Run(where, trust, options or Options(), progress or (lambda *_: None)).run()


class _Run:
    def __init__(self, where: str, trust: Trust, options: Options, progress: Progress) -> None:
        self._where = where
        self._trust = trust
        self._options = options
        self._progress = progress
        self._files = opened(where)
        self._report = Report()
        self._resume = Resume(where, trust.vkeys, options.resume_dir, afresh=options.afresh)

    def run(self) -> Report:
        found = self._open()
        self._strangers(found)
        self._laid_over()
        checkpoints = {one.shard: (one.checkpoint.size, one.checkpoint.root) for one in found}
        size = sum(one.checkpoint.size for one in found)
        workers = self._options.workers or (len(os.sched_getaffinity(0)) if size > SMALL else 1)
        try:
            with _workers(self._where, checkpoints, workers) as work:
                for shard, part, faults in _in_order(work, self._parts(found), 2 * workers):
                    self._end(shard) if part is None else self._checked(shard, part, faults)
        except BrokenProcessPool:
            raise UnavailableError("a process of this verification was ended from outside") from None
        finally:
            self._resume.save()
        self._resume.done()
        self._excuse()
        return self._report

    def _excuse(self) -> None:
        """A ledger entry is not to blame where the shard that it speaks of is damaged, and named: nothing could be compared."""
        results = self._report.results
        damaged = {one.shard for one in results if any(fault.kind in INCOMPARABLE for fault in one.faults)}
        self._report.faults = [fault for fault in self._report.faults if fault.about not in damaged]
        self._report.results = [replace(one, faults=tuple(f for f in one.faults if f.about not in damaged)) for one in results]

    def _open(self) -> list[Opened]:
        """Every checkpoint. The ledger's own come first: what a later ledger entry says, the other shards had already said."""
        for shard in self._options.unlisted:
            self._report.add([Fault(SHARDS, "missing", -1, f"does not list {shard}, which is there")])
        found: dict[str, Opened | Fault] = {}
        for ledger in (True, False):
            for shard in dict.fromkeys([*shards(self._files), *self._options.unlisted]):
                if shard not in found and (shard.startswith((f"{LEDGER_TOPIC}/", f"{LEDGER_TOPIC}~")) or not ledger):
                    found[shard] = open_shard(self._files, shard, self._trust)
        for shard, one in sorted(found.items()):
            if isinstance(one, Fault):
                self._report.add([one])
                self._report.results.append(Result(shard, 0, b"", (one,)))
        return [one for _, one in sorted(found.items()) if isinstance(one, Opened)]

    def _parts(self, found: list[Opened]) -> Iterator[tuple["_Shard", span.Span | None]]:
        """The spans of every shard that need a look; None after a shard's last."""
        for one in found:
            size = one.checkpoint.size
            shard = _Shard(one, Top(self._files, one.shard, size, one.checkpoint.root))
            base = base_of(self._files, one.shard, size)
            passed, rights = self._resume.begin(one.shard, base, shard.top.spans())
            shard.done = passed * span.LEAVES
            self._report.passed += shard.done
            self._progress(one.shard, shard.done, size)
            for part in spans(shard.top, one.shard, base, passed, rights):
                yield shard, part
            yield shard, None

    def _checked(self, shard: "_Shard", part: span.Span, faults: Faults) -> None:
        shard.add(faults)
        shard.done += part.entries
        if part.full and not faults:
            self._resume.whole(part.shard, part.n, part.right)
        self._progress(part.shard, shard.done, part.size)

    def _end(self, shard: "_Shard") -> None:
        one, checkpoint = shard.opened, shard.opened.checkpoint
        shard.add(shard.top.faults)
        shard.add(self._compared(one, whole=not shard.faults))
        shard.add(self._unwitnessed(one))
        self._report.add(shard.faults, shard.uncounted)
        self._report.results.append(Result(one.shard, checkpoint.size, checkpoint.root, tuple(shard.faults)))
        if self._options.seen is not None and not shard.faults:
            self._options.seen.remember(checkpoint.origin, one.note)

    def _compared(self, one: Opened, whole: bool) -> list[Fault]:
        """What is wrong in the light of what this machine saw before, or was given. A proof needs tiles that are `whole`."""
        new, wrong = one.checkpoint, []
        nodes = Nodes(lambda path: self._files.get(f"{one.shard}/{path}"), new.size)
        for note, mine in [*((given, False) for given in self._options.given), (self._last(new.origin), True)]:
            try:
                old = None if note is None else self._trust.checkpoint(note, one.shard)
            except KeptError as error:
                if not mine:
                    continue  # another shard's; one that is of no shard is told by `_strangers`
                said = f"what this machine saw of {new.origin} before is not of these keys ({error.detail}): not compared"
                if self._options.pinned:
                    wrong.append(said)
                else:
                    self._report.notices.append(said)
                continue
            if old is not None and (found := against(old, new, nodes)) is not None:
                (wrong if whole or not found.startswith(OTHER) else self._report.notices).append(found)
        return [Fault(f"{one.shard}/checkpoint", "seen", -1, said) for said in wrong]

    def _unwitnessed(self, one: Opened) -> list[Fault]:
        """The quorum is not there, or a line of a witness that was named does not verify."""
        try:
            self._options.quorum.check(one.note.decode())
        except KeptError as error:
            return [Fault(f"{one.shard}/checkpoint", "witness", -1, error.detail)]
        return []

    def _last(self, origin: str) -> bytes | None:
        if self._options.seen is None:
            return None
        last = self._options.seen.last(origin)
        if last is None:
            self._report.notices.append(f"first look at {origin} from this machine: nothing to compare it with yet")
        return last

    def _strangers(self, found: list[Opened]) -> None:
        """A checkpoint that was given, and that is of no shard here."""
        for note in self._options.given:
            if not any(self._is_of(note, one.shard) for one in found):
                self._report.add([Fault(SHARDS, "seen", -1, "has no shard of the checkpoint that was given, or other keys")])

    def _laid_over(self) -> None:
        """In a bucket: a name that hides what was locked under it, or shows something newer."""
        if self._where.startswith("s3://"):
            for one in open_store(self._where).overlaid(moves):
                self._report.add([Fault(one.path, "overlaid", -1, one.detail)])

    def _is_of(self, note: bytes, shard: str) -> bool:
        try:
            self._trust.checkpoint(note, shard)
        except KeptError:
            return False
        return True


# -- the processes --------------------------------------------------------------------------------------------------


class _Worker:
    """One process's own way to the log."""

    here: "_Worker"  # of this process

    def __init__(self, where: str, checkpoints: Mapping[str, tuple[int, bytes]]) -> None:
        self._files: Files = opened(where)
        self._ledger = Ledger(self._files, checkpoints)

    def check(self, part: span.Span) -> Faults:
        """What is wrong with a span. UnavailableError, OSError: the log cannot be read now."""
        try:
            return self._found(part)
        except (UnavailableError, OSError):
            raise
        except Exception as error:  # what cannot be verified is a fault; the other spans are verified
            first = part.n * span.LEAVES
            return (Fault(f"{part.shard}/tile/entries", "entries", first, f"cannot be verified: {described(error)}"),)

    def _found(self, part: span.Span) -> Faults:
        found = span.check(self._files, part)
        said = ((file, index, claim.shard, self._ledger.fault(claim)) for file, index, claim in found.claims)
        return (*found.faults, *(Fault(file, "ledger", index, wrong, about) for file, index, about, wrong in said if wrong))


def _begin(where: str, checkpoints: Mapping[str, tuple[int, bytes]]) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent stops, and says how far it came
    _Worker.here = _Worker(where, checkpoints)


def _check(part: span.Span) -> Faults:
    return _Worker.here.check(part)


@contextmanager
def _workers(where: str, checkpoints: Mapping[str, tuple[int, bytes]], count: int) -> Iterator[Work]:
    """`count` processes; none for one."""
    if count == 1:
        worker = _Worker(where, checkpoints)
        yield lambda part: lambda: worker.check(part)
        return
    context = multiprocessing.get_context("fork" if sys.platform == "linux" else "spawn")
    pool = ProcessPoolExecutor(count, context, _begin, (where, checkpoints))
    try:
        yield lambda part: pool.submit(_check, part).result
    finally:
        pool.shutdown(cancel_futures=True)


def _in_order(
    work: Work, parts: Iterator[tuple[_Shard, span.Span | None]], window: int
) -> Iterator[tuple[_Shard, span.Span | None, Faults]]:
    """The parts with their faults, in order; at most `window` are under way."""
    waiting: deque[tuple[_Shard, span.Span | None, Callable[[], Faults]]] = deque()
    for shard, part in parts:
        waiting.append((shard, part, (lambda: ()) if part is None else work(part)))
        if len(waiting) > window:
            first, its, faults = waiting.popleft()
            yield first, its, faults()
    while waiting:
        first, its, faults = waiting.popleft()
        yield first, its, faults()
