"""A loop of a service stands nowhere but in shared/loops, and no task is begun whose end nobody hears of. What is left as it is
stands here with its reason."""

import ast
from collections.abc import Callable, Iterator

from tests.unit.loops.test_loops import trees

WAITING = {  # a `while True` or `while not` that awaits, outside shared/loops: why it is no loop of a service's work
    "services/audit/log/ingest.py Ingest._consume": "a round of `ingest`",
    "services/audit/log/watch.py Watch.over": "one piece of work: ends with it",
    "services/audit/index/operate.py reconcile": "a command: ends with its time",
    "services/audit/storage/open.py fit_log": "before the service begins: ends when the store is fit",
    "shared/ended_sessions.py EndedSessions._follow": "a round of `ended-sessions`",
    "shared/handlers.py Handlers._watch": "a round of the handlers",
    "shared/bus/subscription.py Passing.getone": "one record: ends with it",
    "shared/bus/inbox.py until_done": "one record: ends when it is done or given up",
    "shared/bus/relay.py Relay._relay": "a round of `relay`",
    "shared/holder/foreign.py Foreign._password": "before the system begins: ends when the key service answers",
    "shared/holder/foreign.py _until_end": "reads what is there: ends with it",
    "shared/bus/watch.py Watch.records": "a round of who takes the records",
    "shared/http/stream.py while_signed_in": "one answer: ends with it",
    "shared/leader.py Leader._taken": "a round of a duty, until this process has it",
    "shared/leader.py Leader._led": "a round of a duty: asks whether this process still has it",
    "shared/service.py secret": "before the service begins: ends when the key service answers",
}
TASKS = {  # a task that is begun by hand: who hears of its end
    "services/audit/index/follow.py Ahead.begin": "the round that asks for the batch",
    "services/audit/index/follow.py Follower.catch_up": "the round: shielded, since a COPY cut off may wait for ever",
    "services/audit/index/tail.py Tail.later": "nobody: an event after an answer that ended",
    "services/audit/log/ingest.py Ingest._consume": "the round: the batch before, and the publisher, which is a loop",
    "services/audit/log/watch.py Watch.over": "who watches it",
    "services/audit/log/witnesses.py Witnesses.ask": "the round that asks",
    "services/audit/witness/app.py Witness.add_checkpoint": "who asked for the line: whatever it ends with is an answer",
    "services/customers/transfer/actions.py _parts": "the import, which takes the next part, or ends",
    "services/dsar/packages/queue.py PackageQueue.make": "everybody who asked for the package",
    "shared/timeouts.py within": "who waits for it",
    "shared/bus/relay.py Relay._send_waiting": "the round: the batch under way",
    "shared/bus/sending.py send": "the batch: what goes to each partition",
    "shared/bus/watch.py Watch.records": "who takes the records",
    "shared/http/readiness.py Readiness.waits_for": "who asks",
    "shared/http/stream.py while_signed_in": "the answer",
    "shared/leader.py Leader._led": "the round of the duty",
    "shared/service.py at_work": "the service, which ends with it",
}
ELSEWHERE = {  # a service's loop that is not in a jobs.py: what starts its rounds instead of the clock
    "services/audit/index/follow.py Follower.run": "what the log published",
    "services/audit/ingestion/said.py Telling.listen": "what the process that has the slot says",
    "services/audit/ingestion/said.py Telling.tell": "what this process says of its slot",
    "services/audit/ingestion/worker.py _say": "a worker's own voice, to the process that started it",
    "services/audit/ingestion/workers.py Workers._forever": "a worker that ended",
    "services/audit/log/ingest.py Ingest.run": "records",
    "services/audit/log/publishing.py Publisher.run": "heads without a checkpoint",
}
BEGINS = {"create_task", "ensure_future", "TaskGroup"}
WAITS = (ast.Await, ast.AsyncFor, ast.AsyncWith)


def _endless(node: ast.AST) -> bool:
    """`while True` or `while not ...` that waits."""
    if not isinstance(node, ast.While):
        return False
    test = node.test
    forever = isinstance(test, ast.Constant) or (isinstance(test, ast.UnaryOp) and isinstance(test.op, ast.Not))
    either = isinstance(test, ast.BoolOp) and isinstance(test.values[0], ast.UnaryOp)
    return (forever or either) and any(isinstance(one, WAITS) for one in ast.walk(node))


def _loops(node: ast.AST) -> bool:
    return isinstance(node, ast.Call) and ast.unparse(node.func) == "forever"


def _begun(node: ast.AST) -> bool:
    return isinstance(node, ast.Call) and ast.unparse(node.func).rpartition(".")[2] in BEGINS


def places(wanted: Callable[[ast.AST], bool]) -> set[str]:
    """File and function of each such place outside shared/loops."""

    def within(node: ast.AST, names: list[str]) -> Iterator[str]:
        for child in ast.iter_child_nodes(node):
            inner = [*names, child.name] if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) else names
            if wanted(child):
                yield ".".join(names)
            yield from within(child, inner)

    return {f"{file} {place}" for file, tree in trees() if file.parts[:2] != ("shared", "loops") for place in within(tree, [])}


def test_nothing_goes_round_beside_the_loops() -> None:
    """A service's work that goes on for ever is `forever`'s: one that has a `while` of its own ends with its first surprise."""
    assert places(_endless) == set(WAITING)


def test_what_the_clock_starts_in_a_service_is_in_a_jobs_file() -> None:
    found = {one for one in places(_loops) if one.startswith("services/") and "/jobs.py " not in one}
    assert found == set(ELSEWHERE)


def test_no_task_is_begun_whose_end_nobody_hears_of() -> None:
    assert places(_begun) == set(TASKS)
