"""P6. Least privilege between services too: with one service's credentials nobody gets at another's keys, tables or topics.

Each test first does with the right credentials what it then expects to be refused: a refusal alone proves nothing.
"""

from itertools import permutations

import hvac
import psycopg
import pytest
from aiokafka.errors import KafkaError, TopicAuthorizationFailedError

from tests.support.insider import Insider
from tests.support.platform import Platform

pytestmark = pytest.mark.platform
SERVICES = ("identity", "customers", "audit", "backup", "dsar")
SIGNERS = {"kept-tokens": "identity", "kept-log": "audit"} | {f"kept-{one}-notes": one for one in SERVICES}
PLAIN = {"plaintext": "AAAA"}


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
        for verb in ("decrypt", "rewrap"):
            with pytest.raises(hvac.exceptions.Forbidden):
                insiders[thief].vault.write_data(f"transit/{verb}/kept-{owner}", data={"ciphertext": wrapped[owner]})


def test_nobody_reads_anothers_secrets(insiders: dict[str, Insider]) -> None:
    for name, one in insiders.items():
        assert one.secret(f"{name}/database")["password"]
    for thief, owner in permutations(SERVICES, 2):
        for what in ("database", "kafka", "blind"):
            with pytest.raises(hvac.exceptions.Forbidden):
                insiders[thief].secret(f"{owner}/{what}")


def test_nobody_signs_in_anothers_name(insiders: dict[str, Insider]) -> None:
    for key, owner in SIGNERS.items():
        insiders[owner].vault.write_data(f"transit/sign/{key}", data={"input": "AAAA"})
        for thief in set(SERVICES) - {owner}:
            with pytest.raises(hvac.exceptions.Forbidden):
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


def test_nobody_enters_anothers_database(insiders: dict[str, Insider]) -> None:
    for name, one in insiders.items():
        with one.connect(name) as own:
            assert own.execute(
                "SELECT rolsuper OR rolcreatedb OR rolcreaterole FROM pg_roles WHERE rolname = current_user"
            ).fetchone() == (False,)
    for thief, owner in permutations(SERVICES, 2):
        with pytest.raises(psycopg.OperationalError, match=r"permission denied|no pg_hba.conf entry|CONNECT"):
            insiders[thief].connect(owner)


async def test_nobody_writes_on_anothers_topic(insiders: dict[str, Insider]) -> None:
    if not insiders["identity"].authenticated:
        pytest.fail("this broker authenticates nobody; the promise needs Apache Kafka")
    for thief in SERVICES:
        producer = insiders[thief].producer()
        await producer.start()
        try:
            for owner in set(SERVICES) - {thief}:
                with pytest.raises(TopicAuthorizationFailedError):
                    await producer.send_and_wait(f"kept.{owner}", b"{}", key=b"forged")
            if thief != "dsar":
                with pytest.raises(TopicAuthorizationFailedError):
                    await producer.send_and_wait("kept.dsar.commands", b"{}", key=b"forged")
        finally:
            await producer.stop()


async def test_who_needs_no_topic_reads_none(insiders: dict[str, Insider]) -> None:
    """audit reads everything, for the log; customers needs nothing of audit's or backup's."""
    for name, topic, may in (
        ("audit", "kept.identity", True),
        ("customers", "kept.audit", False),
        ("customers", "kept.backup", False),
        ("identity", "kept.customers", False),
    ):
        consumer = insiders[name].consumer(topic)
        try:
            await consumer.start()
            await consumer.getmany(timeout_ms=3000)
            assert may, f"{name} read {topic}"
        except TopicAuthorizationFailedError:
            assert not may, f"{name} may not read {topic}"
        finally:
            await consumer.stop()


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
