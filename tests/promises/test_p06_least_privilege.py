"""P6. Least privilege between services too: with one service's credentials nobody gets at another's keys, tables or topics.

Each test first does with the right credentials what it then expects to be refused: a refusal alone proves nothing.
"""

import asyncio
import json
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from itertools import permutations
from pathlib import Path

import hvac
import psutil
import psycopg
import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import GroupAuthorizationFailedError, KafkaError, TopicAuthorizationFailedError

from deploy.arrows.table import table
from deploy.local import processes, users
from deploy.local.catalog import PARTS, topics
from shared.errors import UnavailableError
from shared.installed import operator
from tests.support.insider import Insider, wait_until
from tests.support.platform import Platform
from tests.support.staff import signed_in

pytestmark = pytest.mark.platform
SERVICES = ("identity", "customers", "audit", "backup", "dsar")
SIGNERS = {"kept-tokens": "identity", "kept-log": "audit"} | {f"kept-{one}-notes": one for one in SERVICES}
PLAIN = {"plaintext": "AAAA"}
# The part whose port has another name.
PART_OF = {"smtp": "mail", "kafka_controller": "kafka", "vault_cluster": "vault"}


@pytest.fixture(scope="module")
def insiders(platform: Platform) -> dict[str, Insider]:
    return {service: Insider(platform.state, service) for service in SERVICES}


def test_nobody_unwraps_anothers_keys(insiders: dict[str, Insider]) -> None:
    wrapped = {}
    for name, one in insiders.items():
        answer = one.vault.write_data(f"transit/encrypt/kept-{name}", data=PLAIN)
        wrapped[name] = answer["data"]["ciphertext"]
        one.vault.write_data(f"transit/decrypt/kept-{name}", data={"ciphertext": wrapped[name]})
    for thief, owner in permutations(SERVICES, 2):
        key, taken = f"kept-{owner}", {"ciphertext": wrapped[owner]}
        for path, data in (
            (f"transit/decrypt/{key}", taken),
            (f"transit/rewrap/{key}", taken),
            (f"transit/encrypt/{key}", PLAIN),  # a forged keyring row would open
            (f"transit/hmac/{key}", {"input": "AAAA"}),
            (f"transit/datakey/plaintext/{key}", {}),
            (f"transit/keys/{key}/rotate", {}),
        ):
            with refused(hvac.exceptions.Forbidden, f"{thief}: {path}"):
                insiders[thief].vault.write_data(path, data=data)


@contextmanager
def refused(error: type[Exception], what: str) -> Iterator[None]:
    """`error` is what we want; where there is none, `what` says who may do what."""
    try:
        yield
    except error:
        return
    pytest.fail(f"not refused: {what}")


def test_who_knows_no_identifiers_computes_no_locators(insiders: dict[str, Insider]) -> None:
    for name, one in insiders.items():
        data = {"input": "AAAA"}
        if name != "backup":
            assert one.vault.write_data("transit/hmac/kept-locator", data=data)
            continue
        with refused(hvac.exceptions.Forbidden, f"{name}: locators"):
            one.vault.write_data("transit/hmac/kept-locator", data=data)


def test_the_list_of_the_forgotten_is_customers_alone(insiders: dict[str, Insider]) -> None:
    for name, one in insiders.items():
        if name == "customers":
            assert one.vault.write_data("transit/hmac/kept-customers-forgotten", data={"input": "AAAA"})
            continue
        with refused(hvac.exceptions.Forbidden, f"{name}: marks of the forgotten"):
            one.vault.write_data("transit/hmac/kept-customers-forgotten", data={"input": "AAAA"})


async def test_who_rotates_keys_leaves_that_of_the_forgotten(platform: Platform) -> None:
    vault = operator("rotation")
    assert (await vault.versions("kept-customers-forgotten")).newest == 1
    for change in (vault.rotate("kept-customers-forgotten"), vault.trim("kept-customers-forgotten", 1)):
        with pytest.raises(UnavailableError, match="refuses"):
            await change


def test_nobody_reads_anothers_secrets(insiders: dict[str, Insider]) -> None:
    for name, one in insiders.items():
        assert one.secret(f"{name}/database")["password"]
    for thief, owner in permutations(SERVICES, 2):
        for what in ("database", "kafka", "blind"):
            with refused(hvac.exceptions.Forbidden, f"{thief}: the secret {owner}/{what}"):
                insiders[thief].secret(f"{owner}/{what}")


def test_nobody_signs_in_anothers_name(insiders: dict[str, Insider]) -> None:
    for key, owner in SIGNERS.items():
        insiders[owner].vault.write_data(f"transit/sign/{key}", data={"input": "AAAA"})
        for thief in set(SERVICES) - {owner}:
            with refused(hvac.exceptions.Forbidden, f"{thief}: sign with {key}"):
                insiders[thief].vault.write_data(f"transit/sign/{key}", data={"input": "AAAA"})


def test_everybody_reads_the_public_half_of_what_signs_and_no_key_that_wraps(insiders: dict[str, Insider]) -> None:
    for name, one in insiders.items():
        for key in SIGNERS:
            read = one.vault.read(f"transit/keys/{key}")["data"]
            assert read["type"] == "ed25519" and not read["exportable"]
            assert all(version["public_key"] for version in read["keys"].values())
        for owner in set(SERVICES) - {name}:
            with pytest.raises(hvac.exceptions.Forbidden):
                one.vault.read(f"transit/keys/kept-{owner}")


def test_a_service_cannot_change_keys_policies_or_seal(insiders: dict[str, Insider]) -> None:
    for name, one in insiders.items():
        for path, data in (
            (f"transit/keys/kept-{name}/config", {"deletion_allowed": True}),
            (f"sys/policies/acl/{name}", {"policy": 'path "*" { capabilities = ["sudo"] }'}),
            (f"transit/keys/kept-{name}/trim", {"min_available_version": 1}),
        ):
            with pytest.raises(hvac.exceptions.Forbidden):
                one.vault.write_data(path, data=data)
        with pytest.raises(hvac.exceptions.Forbidden):
            one.vault.read("transit/export/encryption-key/kept-" + name)


def test_the_platform_itself_becomes_no_service(platform: Platform) -> None:
    """It makes passwords; a secret id would let it unwrap and sign in a service's name."""
    role = platform.state.read_json(platform.state.run / "platform.role.json") or {}
    vault = hvac.Client(url=platform.environment("audit")["KEPT_VAULT_ADDR"], timeout=10)
    vault.auth.approle.login(str(role["role_id"]), platform.state.secret_id("platform").read_text())
    assert vault.read("kept/data/audit/database")
    for path in ("auth/approle/role/identity/secret-id", "transit/sign/kept-tokens", "transit/decrypt/kept-customers"):
        with refused(hvac.exceptions.Forbidden, f"platform: {path}"):
            vault.write_data(path, data={})
    with refused(hvac.exceptions.Forbidden, "platform: a role id"):
        vault.read("auth/approle/role/identity/role-id")


def test_every_part_has_a_user_of_its_own(platform: Platform) -> None:
    """Where root started them. Where somebody else did, all are theirs, and `kept status` says so."""
    told = json.loads(platform.kept("status", "--json").stdout)["parts"]
    users = {part: found.uids() for part in PARTS if (found := platform.process(part))}
    assert set(users) == set(PARTS)
    if os.geteuid() != 0:
        assert "all parts run as one user" in next(part["note"] for part in told if part["name"] == "vault")
        return
    assert len({each for uids in users.values() for each in uids}) == len(PARTS), users
    assert 0 not in {uids.effective for uids in users.values()}


def test_every_connection_has_its_arrow(platform: Platform) -> None:
    """What the parts have open to one another while somebody works, beside the table from which their rights come."""
    of, ports = table(), {port: PART_OF.get(name, name) for name, port in platform.ports.items()}

    def opened() -> set[tuple[str, str]]:
        found = set()
        for part in PARTS:
            process = platform.process(part)
            for member in [] if process is None else processes.family(process):
                with suppress(psutil.Error):
                    for one in member.net_connections("tcp"):
                        if (
                            one.raddr and one.laddr.port not in ports and one.raddr.port in ports
                        ):  # it called, and was not called
                            found.add((part, ports[one.raddr.port]))
        return {(source, target) for source, target in found if source != target}

    seen = set[tuple[str, str]]()

    def everything() -> bool:
        with signed_in(platform, "jane") as jane:
            jane.get("/api/customers", params={"limit": 1}).raise_for_status()
            seen.update(opened())
        return {(service, store) for service in SERVICES for store in ("postgres", "kafka")} <= seen

    wait_until(everything)
    assert not {one for one in seen if not of.may(*one)}


def test_no_part_reads_anothers_files(platform: Platform) -> None:
    """The unseal key, secret ids, settings, logs, what lies in tables, topics and stores: with what root gave each process."""
    if os.geteuid() != 0:
        pytest.fail("only root can give each part a user of its own: run these tests as root")
    state = platform.state
    private = {part: [state.root / "blobs" / part, state.secret_id(part)] for part in (*SERVICES, "billing")}
    private |= {"vault": [state.vault / "data"], "postgres": [state.root / "postgres/data"], "kafka": [state.root / "kafka"]}
    nobodys = [state.vault / "unseal.json", state.secret_id("platform"), state.secret_id("demo"), state.env_file("audit"),
               state.logs, state.status]  # fmt: skip
    every = [*(path for paths in private.values() for path in paths), *nobodys]
    assert all(path.exists() for path in every)
    look = 'for path; do if [ -d "$path" ]; then ls "$path" >/dev/null; else cat "$path" >/dev/null; fi && echo "$path"; done'
    for part in PARTS:
        ran = subprocess.run(
            [*users.prefix(part, state.root), "sh", "-c", look, "sh", *map(str, every)],
            capture_output=True,
            text=True,
            check=False,
        )
        read = {Path(line) for line in ran.stdout.splitlines()}
        assert read == set(private.get(part, [])), f"{part} reads {sorted(map(str, read))}"


def test_nobody_enters_anothers_database(insiders: dict[str, Insider]) -> None:
    for name, one in insiders.items():
        with one.connect(name) as own:
            rights = own.execute(
                "SELECT rolsuper, rolcreatedb, rolcreaterole, rolbypassrls, rolreplication FROM pg_roles"
                " WHERE rolname = current_user"
            ).fetchone()
            assert rights == (False, False, False, False, name == "backup"), name  # who copies the cluster reads no table
            more = own.execute(
                "SELECT rolname FROM pg_roles WHERE rolname NOT IN (current_user, 'pg_database_owner')"  # of its own database
                " AND pg_has_role(current_user, oid, 'member')"
            ).fetchall()
            assert more == [], f"{name} is also {more}"  # pg_read_server_files would read everybody's tables
    for thief, owner in permutations(SERVICES, 2):
        with pytest.raises(psycopg.OperationalError, match=r"permission denied|no pg_hba.conf entry|CONNECT"):
            insiders[thief].connect(owner)


@pytest.mark.parametrize("owner", SERVICES)
def test_a_database_lets_its_own_role_in_and_no_other(insiders: dict[str, Insider], owner: str) -> None:
    """The second wall, behind pg_hba.conf: who is let through there has no right to the database all the same."""
    with insiders[owner].connect(owner) as own:
        may = own.execute(
            "SELECT rolname FROM pg_roles WHERE has_database_privilege(oid, current_database(), 'CONNECT') AND NOT rolsuper"
            " AND rolname = ANY(%s)", (list(SERVICES),),
        ).fetchall()  # fmt: skip
    assert may == [(owner,)]


EVERYBODY = (*SERVICES, "billing")
ANSWERING = ("identity", "customers", "audit", "dsar", "billing")
COMMANDS, ANSWERS, INVOICES = "kept.dsar.commands", "kept.dsar.answers", "billing.events"
EVENTS = {f"kept.{one}" for one in SERVICES}
# Who reads and writes what besides its own topic and its own dead letters: said here once more, on purpose, so that a right
# that somebody adds to the catalogue is asked for twice.
READS: dict[str, set[str]] = {
    "identity": {COMMANDS, ANSWERS, "kept.dsar"},
    "customers": {COMMANDS, ANSWERS, "kept.identity", "kept.dsar"},
    "audit": {one.name for one in topics()},  # it keeps the log of everything
    "backup": EVENTS | {COMMANDS, ANSWERS, INVOICES},
    "dsar": EVENTS | {COMMANDS, ANSWERS, *(f"{ANSWERS}.{one}" for one in ANSWERING)},
    "billing": {COMMANDS, INVOICES, "kept.customers"},
}
# ANSWERS itself is of before: nobody acts on what is written there.
WRITES: dict[str, set[str]] = {one: {ANSWERS, f"{ANSWERS}.{one}"} for one in ANSWERING} | {
    "dsar": {ANSWERS, f"{ANSWERS}.dsar", COMMANDS},
    "billing": {f"{ANSWERS}.billing", INVOICES},
    "backup": set(),
}


def own(name: str) -> set[str]:
    return {f"kept.{name}", f"kept.{name}.dlq", f"kept.dsar.answers.{name}"}


@pytest.mark.parametrize("name", EVERYBODY)
async def test_nobody_writes_on_anothers_topic(platform: Platform, name: str) -> None:
    insider = Insider(platform.state, name)
    if not insider.authenticated:
        pytest.fail("this broker authenticates nobody; the promise needs Apache Kafka")
    async with insider.producer() as producer:
        for topic in sorted({one.name for one in topics()} - WRITES[name] - own(name)):
            with refused(TopicAuthorizationFailedError, f"{name} writes {topic}"):
                await producer.send_and_wait(topic, b"{}", key=b"forged")


@pytest.mark.parametrize("name", EVERYBODY)
async def test_who_needs_no_topic_reads_none(platform: Platform, name: str) -> None:
    insider, may = Insider(platform.state, name), READS[name] | own(name)
    for topic in sorted(one.name for one in topics()):
        if topic in may and topic != f"kept.{name}":
            continue  # the services' own work shows that; one right of each is used here, so that a refusal means something
        consumer = insider.consumer(topic)
        try:
            await consumer.start()
            await consumer.getmany(timeout_ms=2000)
            assert topic in may, f"{name} read {topic}"
        except TopicAuthorizationFailedError:
            assert topic not in may, f"{name} may not read {topic}"
        finally:
            await consumer.stop()


async def test_nobody_moves_anothers_place(platform: Platform, insiders: dict[str, Insider]) -> None:
    """A consumer group of another: who may commit there makes its owner pass over what it has not read."""

    async def asked(thief: str, owner: str) -> None:
        place = TopicPartition("kept.dsar.commands", 0)
        consumer = AIOKafkaConsumer(**insiders[thief].broker().client(), group_id=f"kept.{owner}", enable_auto_commit=False)
        try:
            await consumer.start()
            consumer.assign([place])
            await asyncio.wait_for(consumer.committed(place), 20)
        finally:
            await consumer.stop()

    await asked("identity", "identity")
    for thief in ("customers", "identity", "backup"):
        for owner in set(SERVICES) - {thief}:
            with refused(GroupAuthorizationFailedError, f"{thief} in the group of {owner}"):
                await asked(thief, owner)


async def test_a_wrong_password_opens_nothing(insiders: dict[str, Insider]) -> None:
    consumer = insiders["identity"].broker(password="wrong").consumer()
    try:
        with pytest.raises(KafkaError):
            await consumer.start()
    finally:
        await consumer.stop()
    with pytest.raises(psycopg.OperationalError):
        psycopg.connect(
            host="127.0.0.1",
            port=int(insiders["identity"].env["KEPT_DATABASE_PORT"]),
            dbname="identity",
            user="identity",
            password="wrong",
        )
