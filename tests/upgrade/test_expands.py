"""What processes of the released version read and write is there, the same, in databases that today's version has migrated; or
it is named here, and then the database refuses them before anything of it is done.

So beside today's processes those of identity and customers (test_side_by_side.py), audit and backup find all that they know.
Those of dsar are refused wherever they queue a mail or look at a code, which is every request. None of the five starts again
once it has ended: it says that it does not know the database's revision, and changes nothing.
"""

import asyncio
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, LiteralString

import psycopg
import pytest
from sqlalchemy import URL

from deploy.local.state import State
from shared.migrations import migrate
from tests.upgrade.installation import DATABASES, KEPT, served

pytestmark = pytest.mark.platform
SCHEMAS: LiteralString = "('public', 'trail')"
COLUMNS: LiteralString = f"""SELECT table_name || '.' || column_name, data_type, is_nullable = 'NO',
    column_default IS NULL AND is_identity = 'NO' AND is_generated = 'NEVER', table_name
    FROM information_schema.columns WHERE table_schema IN {SCHEMAS}"""
# Rules that a row of before could break; that a column is not empty is among the columns.
RULES: LiteralString = f"""SELECT conrelid::regclass::text, conname FROM pg_constraint
    WHERE contype <> 'n' AND connamespace IN (SELECT oid FROM pg_namespace WHERE nspname IN {SCHEMAS})"""

GONE = {"dsar": {"codes.hash", "mails.request_id"}}
WIDER = {"dsar": {"mails.id"}}  # integer, and bigint now
NEEDED = {"dsar": {"codes.sealed", "codes.issued_at", "mails.about"}}
# Only dsar asks for an erasure: an older identity would do so for a colleague.
STRICTER = {"identity": {"approvals_asked_by_who_may"}}


@dataclass(frozen=True)
class Column:
    kind: str
    required: bool
    table: str


@dataclass(frozen=True)
class Database:
    """As the released version knows it, and as it is after today's migrations; open for more questions."""

    url: URL
    then: dict[str, Column]
    now: dict[str, Column]
    rules: set[str]

    def opened(self) -> "psycopg.Connection[Any]":
        return psycopg.connect(host=self.url.host, port=self.url.port, user=self.url.username, dbname=self.url.database)


@pytest.fixture(scope="module")
async def databases() -> AsyncIterator[dict[str, Database]]:
    with tempfile.TemporaryDirectory(prefix="kept-expands-") as name:
        root = Path(name).resolve()
        root.chmod(0o711)
        async with served(State(root)) as urls:
            yield {one: await migrated(one, url) for one, url in urls.items()}


async def migrated(service: str, url: URL) -> Database:
    (then, before), _ = looked(url), await asyncio.to_thread(migrate, service, url)
    now, after = looked(url)
    tables = {one.table for one in then.values()}
    return Database(url, then, now, {rule for table, rule in after - before if table in tables})


def looked(url: URL) -> tuple[dict[str, Column], set[tuple[str, str]]]:
    with Database(url, {}, {}, set()).opened() as connection:
        columns = connection.execute(COLUMNS).fetchall()
        rules = connection.execute(RULES).fetchall()
    return {one: Column(kind, strict and no_default, table) for one, kind, strict, no_default, table in columns}, set(rules)


@pytest.mark.parametrize("service", DATABASES)
def test_what_then_reads_and_writes_is_there_and_nothing_more_is_asked_of_it(
    databases: dict[str, Database], service: str
) -> None:
    one = databases[service]
    tables = {column.table for column in one.then.values()}
    assert one.then.keys() - one.now.keys() == GONE.get(service, set())
    kept = one.then.keys() & one.now.keys()
    assert {name for name in kept if one.now[name].kind != one.then[name].kind} == WIDER.get(service, set())
    required = {name for name, column in one.now.items() if column.required and column.table in tables}
    assert required - {name for name, column in one.then.items() if column.required} == NEEDED.get(service, set())
    assert one.rules == STRICTER.get(service, set())


def refused(database: Database, *statements: LiteralString) -> psycopg.Error:
    """The last of these, in one transaction, is."""
    with database.opened() as connection:
        for statement in statements[:-1]:
            connection.execute(statement)
        with pytest.raises(psycopg.Error) as found:
            connection.execute(statements[-1])
        connection.rollback()
    return found.value


REQUEST: LiteralString = """INSERT INTO requests (id, "right", state, language, law, article, received_at, due_at,
    approvers, subjects, candidates, narrow_tries)
    VALUES ('req_then', 'access', 'received', 'en', 'eu-gdpr', '15', now(), now(), '{}', '{}', '{}', 0)"""


def test_a_dsar_of_then_takes_no_request_and_proves_nobody(databases: dict[str, Database]) -> None:
    """As it wrote them: a request and its first mail in one transaction, so there is neither."""
    mail: LiteralString = """INSERT INTO mails (request_id, kind, created_at, next_try_at, tries)
        VALUES ('req_then', 'code', now(), now(), 0)"""
    found = refused(databases["dsar"], REQUEST, mail)
    assert 'column "request_id" of relation "mails" does not exist' in str(found)
    for statement in (
        "INSERT INTO codes (request_id, hash, expires_at, tries) VALUES ('req_then', '\\x00', now(), 0)",
        "SELECT hash FROM codes",
    ):
        assert 'column "hash"' in str(refused(databases["dsar"], REQUEST, statement))
    with databases["dsar"].opened() as connection:
        assert connection.execute("SELECT count(*) FROM requests WHERE id = 'req_then'").fetchone() == (0,)


def test_an_identity_of_then_asks_for_no_erasure_in_dsars_place(databases: dict[str, Database]) -> None:
    asked: LiteralString = """INSERT INTO approvals (id, action, resource, requester, state, requested_at, expires_at)
        VALUES ('apr_then', 'erase', 'req_then', 'sub_then', 'requested', now(), now())"""
    assert "approvals_asked_by_who_may" in str(refused(databases["identity"], asked))


@pytest.fixture(scope="module")
def then(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str, URL], "subprocess.CompletedProcess[str]"]:
    """What a process of then does first, when it has a database's password."""
    code = tmp_path_factory.mktemp("then")
    with tarfile.open(KEPT / "code.tar.xz") as archive:
        archive.extractall(code, filter="data")
    lines = "import sys", "from sqlalchemy import make_url", "from shared.migrations import migrate"
    script = "\n".join([*lines, "migrate(sys.argv[1], make_url(sys.argv[2]))"])

    def run(service: str, url: URL) -> "subprocess.CompletedProcess[str]":
        words = [sys.executable, "-c", script, service, url.render_as_string(hide_password=False)]
        return subprocess.run(words, cwd=code, capture_output=True, text=True, timeout=120)

    return run


@pytest.mark.parametrize("service", DATABASES)
def test_a_process_of_then_does_not_start_again(
    databases: dict[str, Database], then: Callable[[str, URL], "subprocess.CompletedProcess[str]"], service: str
) -> None:
    heads: LiteralString = "SELECT version_num FROM alembic_version ORDER BY 1"
    with databases[service].opened() as connection:
        before = connection.execute(heads).fetchall()
    done = then(service, databases[service].url)
    assert done.returncode != 0 and "Can't locate revision identified by" in done.stderr, done.stderr[-500:]
    with databases[service].opened() as connection:
        assert connection.execute(heads).fetchall() == before and looked(databases[service].url)[0] == databases[service].now
