"""The table "Two processes of one service" of docs/architecture.md has every lock, loop and leader, and no other."""

import ast
import re
from pathlib import Path

import pytest

from deploy.local.catalog import SERVICES
from services.audit.index import follow
from services.audit.ingestion.said import STALE_SECONDS
from services.audit.log import ingest, jobs, publishing
from services.customers.addresses import jobs as addresses
from shared import ended_sessions, leader, locks, rewrap, sweep
from shared.locks import Lock
from tests.unit.loops.test_loops import LOOPS, trees

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "architecture.md").read_text()
SECTION = PAGE.partition("\n## Two processes of one service\n")[2].partition("\n## ")[0]
ROWS = [[cell.strip() for cell in line.strip("|").split("|")] for line in SECTION.splitlines() if line.startswith("| ")][1:]
MOVES_SECONDS = 15
NAMED = {  # as LOOPS has it -> as the page has it, where that is not the same word
    "addresses.LOOP": addresses.LOOP, "rewrap.LOOP": rewrap.LOOP, "sweep.LOOP": sweep.LOOP,
    "ended_sessions.LOOP": ended_sessions.LOOP, "ingest.LOOP": ingest.LOOP, "publishing.LOOP": publishing.LOOP,
    "log.LOOP": jobs.LOOP, "follow.LOOP": follow.LOOP, "self.name": "renewal", "self._loop": "handlers",
    "f'worker {number}'": "worker",
}  # fmt: skip
NOT_OURS = {"self.duty", "loop", "'invoices'"}  # a duty's own wait for its lock; another team's system


def named(column: int) -> list[str]:
    """What a column has in backquotes, of all rows."""
    return [name for row in ROWS for name in re.findall(r"`([^`]+)`", row[column])]


def test_every_lock_is_in_the_table_and_no_other() -> None:
    single = {name for name, value in vars(locks).items() if name.isupper() and isinstance(value, int)}
    assert set(named(4)) == set(Lock.__members__) | single


def test_every_loop_is_in_the_table_once_and_no_other() -> None:
    assert sorted(named(2)) == sorted(NAMED.get(one, one.strip("'")) for one in LOOPS if one not in NOT_OURS)


def test_who_leads_is_who_makes_a_leader() -> None:
    made = set[str]()
    for file, tree in trees():
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "Leader":
                assert file.parts[0] in ("services", "shared")
                made.add(ast.unparse(node.args[2]).removeprefix("Lock."))
    leads = {re.findall(r"`(\w+)`", row[4])[0] for row in ROWS if row[3].startswith("one leads")}
    assert leads == made
    assert all(row[5].startswith(f"{MOVES_SECONDS} s") for row in ROWS if row[3].startswith("one leads"))


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row[0][:40])
def test_a_row_says_whose_and_who(row: list[str]) -> None:
    assert len(row) == 6
    assert row[1] == "all" or set(row[1].split(", ")) <= set(SERVICES)
    assert re.match(r"(one leads|both share|each its own|who )", row[3])
    assert not row[2] or row[5]


def test_the_figure_is_what_the_code_keeps() -> None:
    """A leader that lost its connection is seen in one look, and the other takes the lock at its next."""
    assert 3 * leader.LOOK_SECONDS + leader.ANSWER_SECONDS_MAX < MOVES_SECONDS
    assert STALE_SECONDS < MOVES_SECONDS
    assert f"**{MOVES_SECONDS} s**" in SECTION
    assert f"another's {MOVES_SECONDS} s after a kill" in (ROOT / "docs" / "limits.md").read_text()
